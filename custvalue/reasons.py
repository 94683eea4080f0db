"""Targets and positions in words: why a group is attractive, why an account is listed, what a map and a ladder say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from custvalue.labels import catalogue, currency_word, format_value, heading, labels, text
from custvalue.tables import Missing, Sentence, Sentences

if TYPE_CHECKING:
    from custvalue.keyaccounts import KeyAccounts
    from custvalue.positioning import BuyingFactors, PerceptualMap
    from custvalue.targeting import Targets

__all__ = ["account_reasons", "accounts_sentence", "factor_lists", "ladder_sentence", "map_words", "target_reasons"]

Words = Mapping[str, Mapping[str, str]]

#: The column of the table of targets that holds each criterion, and its unit in a sentence.
_MEASURED = {
    "size": ("n_customers", "count"),
    "growth": ("growth", "change"),
    "margin": ("margin_rate", "share"),
    "value": ("value_per_customer", "money"),
    "reach": ("share_reachable", "share"),
}
#: Cramer's V up to which an association is weak, middling (Cohen 1988, for two rows).
_STRENGTHS = ((0.1, "weak"), (0.3, "middling"))


def _word(kind: str, code: Any, language: str, words: Words | None = None) -> str:
    """The word for a code: the data's own, ours, or the code itself."""
    if code == "~others":
        return text("plots.map_others", language)
    known = labels(kind, language) if kind in catalogue("labels") else {}
    return {**known, **(words or {}).get(kind, {})}.get(str(code), str(code))


def _grown(growth: float, language: str) -> str:
    """The change of sales from the year before to the last 12 months, from (a - b) / (a + b)."""
    if abs(growth) == 1:
        return text(f"findings.growth_{'new' if growth > 0 else 'silent'}", language)
    return format_value(2 * growth / (1 - growth), "change")


def _criterion(row: Mapping[str, Any], side: str, language: str, currency: str) -> dict[str, str]:
    """A criterion of a group and its value in words, as the sentence of its reason needs them."""
    code = row[side]
    column, unit = _MEASURED[code]
    value = _grown(row[column], language) if code == "growth" else format_value(row[column], unit)
    value += f" {currency_word(currency, language)}" if unit == "money" and currency else ""
    return {side: _word("criterion", code, language), _VALUE[side]: value}


_VALUE = {"strongest": "high", "weakest": "low"}


def _why(row: Mapping[str, Any], language: str, currency: str) -> str:
    known = [side for side in _VALUE if pd.notna(row[side])]
    values = {}
    for side in known:
        values |= _criterion(row, side, language, currency)
    name = "both" if len(known) == 2 else next(iter(known), "none")
    return text(f"findings.target_why_{name}", language, **values)


def target_reasons(targets: Targets, language: str = "en", currency: str = "") -> pd.DataFrame:
    """Each group's class with the reason in words: one row per group with customers, the most attractive first.

    Columns: the group, ``n_customers``, ``attractiveness``, ``target`` and ``why``.

    >>> from custvalue.targeting import attractiveness
    >>> table = pd.DataFrame({"customer_id": list("abcd"), "segment": ["x", "x", "x", "y"], "sales": 10.0,
    ...     "sales_12m": [10.0, 10, 10, 0], "sales_prior_12m": [0.0, 0, 0, 10], "margin_12m": 2.0})
    >>> target_reasons(attractiveness(table))["why"].tolist()[0]
    'strongest in growth (all sales are new)'
    """
    table = targets.table.dropna(subset="attractiveness")
    table = table.sort_values("attractiveness", ascending=False, kind="stable", ignore_index=True)
    why = [_why(row, language, currency) for row in table.to_dict("records")]
    return table[[targets.by, "n_customers", "attractiveness", "target"]].assign(why=pd.Series(why, dtype="object"))


def _reason(part: str, row: Mapping[str, Any], language: str, currency: str) -> str:
    values = {
        "money": {"sales": row["sales_12m"], "currency": currency},
        "wallet": {"elsewhere": 1 - row["share_of_wallet"]},
        "network": {"n": row["n_brought"]},
    }
    return text(f"findings.account_{part}", language, **values.get(part, {}))


def _step(row: Mapping[str, Any], language: str) -> str:
    word = _word("first_step", row["first_step"], language)
    gap = "" if language == "zh" else " "
    return f"{word}{gap}{row['referrer']}" if row["first_step"] == "through_referrer" else word


def account_reasons(accounts: KeyAccounts, language: str = "en", currency: str = "") -> pd.DataFrame:
    """The list of key accounts with its reasons and first steps in words: one row per account, the best first.

    Columns: ``rank``, ``customer_id``, ``sales_12m``, ``why`` and ``first_step``, which names the customer who can
    introduce us.
    """
    comma = "；" if language == "zh" else "; "
    why, steps = [], []
    for row in accounts.table.to_dict("records"):
        parts = [_reason(part, row, language, currency) for part in filter(None, row["reasons"].split(";"))]
        why.append(comma.join(parts) or text("findings.account_balanced", language))
        steps.append(_step(row, language))
    shown = accounts.table[["rank", "customer_id", "sales_12m"]]
    return shown.assign(why=pd.Series(why, dtype="object"), first_step=pd.Series(steps, dtype="object"))


def accounts_sentence(
    accounts: KeyAccounts, customers: pd.DataFrame, language: str = "en", currency: str = ""
) -> Sentences:
    """How many key accounts there are, what they bring, and with whom to start; nothing where there is none."""
    if accounts.table.empty:
        return Sentences(())
    first = accounts.table.iloc[0]
    said = text(
        "findings.accounts_headline",
        language,
        n=len(accounts.table),
        of=accounts.looked_at,
        share=accounts.table["sales_12m"].sum() / customers["sales_12m"].sum(),
        first=first["customer_id"],
        step=_step(first, language),
    )
    return Sentences((said,), findings=True)


def _strength(found: PerceptualMap) -> str:
    """How strong the association is, by Cramer's V = sqrt(inertia / (min(rows, columns) - 1))."""
    smaller = found.table["side"].value_counts().min() - 1
    v = (found.inertia / smaller) ** 0.5
    return next((name for limit, name in _STRENGTHS if v < limit), "strong")


def _axis(found: PerceptualMap, row: Mapping[str, Any], language: str, words: Words | None) -> str:
    ends = {
        f"{end}_{side}": _word(kind, row[f"{end}_{side}"], language, words)
        for end in ("low", "high")
        for side, kind in (("group", found.by), ("category", found.against))
    }
    return text(f"findings.map_axis_{row['axis']}", language, share=row["share_inertia"], **ends)


def map_words(found: PerceptualMap, language: str = "en", words: Words | None = None) -> Sentences | Missing:
    """What a perceptual map says: whether and how much the groups differ, what each axis means, who stands away.

    ``words`` are those of the data's own codes, see :func:`custvalue.beside.read_labels`. Nothing where the
    association can be chance; the notes of the map say so. :class:`~custvalue.tables.Missing` where there are no
    categories to compare.
    """
    if "map_empty" in found.notes:
        return Missing(text("notes.positioning_map_empty", language, part=heading(found.against, language).lower()))
    if not found.beyond_chance:
        return Sentences(())
    shown = found.axes[found.axes["share_inertia"] > 1e-9]
    said = text(
        "findings.map_says",
        language,
        what=heading(found.against, language).lower(),
        p="< 0.001" if found.p_value < 0.001 else f"= {found.p_value:.3f}",
        strength=text(f"findings.map_{_strength(found)}", language),
        share=shown["share_inertia"].sum(),
    )
    axes = [_axis(found, row, language, words) for row in shown.to_dict("records") if row["p_value"] <= 0.05]
    if len(axes) < len(shown):
        axes.append(text("findings.map_axis_chance", language))
    away = found.table[(found.table["side"] == "group") & found.table["sure"]]["point"]
    comma = "、" if language == "zh" else ", "
    groups = comma.join(_word(found.by, code, language, words) for code in away)
    last = text("findings.map_stands_out" if groups else "findings.map_nothing_stands_out", language, groups=groups)
    return Sentences((said, *axes, last), findings=True)


def factor_lists(factors: BuyingFactors, language: str = "en") -> pd.DataFrame:
    """The ordered buying factors of each group in words: one row per group, ``factors`` the most important first.

    >>> from custvalue.positioning import buying_factors
    >>> groups = pd.DataFrame({"customer_id": range(40), "segment": ["monthly"] * 20 + ["dormant"] * 20})
    >>> values = pd.DataFrame({"customer_id": range(40), "price": [1.0, 2.0] * 10 + [4.0, 5.0] * 10})
    >>> factor_lists(buying_factors(groups, values))["factors"].tolist()
    ['low price', 'no list of its own']
    """
    comma = "、" if language == "zh" else ", "
    none = text("findings.no_factor_list", language)
    said = {}
    for code, rows in factors.table.groupby(factors.by, observed=True):
        listed = rows.dropna(subset="rank").sort_values("rank")["factor"]
        said[code] = comma.join(_word("factor", factor, language) for factor in listed) or none
    table = pd.DataFrame({factors.by: list(said), "factors": list(said.values())}, dtype="object")
    kind = factors.table[factors.by].dtype
    return table.astype({factors.by: kind}) if isinstance(kind, pd.CategoricalDtype) else table


def ladder_sentence(rungs: pd.DataFrame, language: str = "en") -> Sentence:
    """What the relation ladder says: who we are the natural choice of, and where most stop (``conversion``)."""
    top = rungs[rungs["rung"].astype(str) == "natural_choice"].iloc[0]
    steps = rungs.dropna(subset="went_on")
    if steps.empty:
        return Sentence(text("tables.no_rows", language))
    place = steps["went_on"].idxmin()
    low, high = (_word("rung", rungs.loc[row, "rung"], language) for row in (place, place + 1))
    return Sentence(
        text(
            "findings.ladder_says" if top["n_customers"] else "findings.ladder_none",
            language,
            natural=top["share_customers"],
            share=top["share_sales_12m"],
            low=low,
            high=high,
            went_on=rungs.loc[place, "went_on"],
        )
    )
