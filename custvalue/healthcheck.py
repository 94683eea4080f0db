"""The seven ways to segment badly, and four more: any segmentation checked, each finding with its number (C23)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from custvalue.columns import is_day
from custvalue.errors import UsageError, nearest
from custvalue.ids import places
from custvalue.labels import catalogue, text
from custvalue.predicates import check_rule
from custvalue.separability import FEWEST, Separability, cut_again, drawn, explained, halves_agree, separability

__all__ = ["CHECKS", "HEALTH", "HealthRules", "health_check", "health_words"]

#: The checks in the order they are shown: the seven of the course, then what any segmentation must stand.
CHECKS = (
    "purpose",
    "product_only",
    "assets_only",
    "joining_date_only",
    "no_behaviour",
    "money_for_value",
    "frozen",
    "separability",
    "resampling",
    "over_time",
    "too_small",
    "one_holds_all",
)
#: What a check can find.
HEALTH = ("ok", "warn", "fail", "unknown")

#: Share of variance from which on margin rate or growth differ between groups (Cohen's medium effect).
_FOLLOWS = 0.06

Finding = tuple[str, str, float, float]


@dataclass(frozen=True)
class HealthRules:
    """Which segmentation is checked, and where the limits are.

    ``by``: column of the customers file that holds the firm's own segments (empty: the behaviour segments);
    ``made_on``: day they were made (YYYY-MM-DD; empty: unknown); ``assets``: columns of the customers file that tell
    what customers own or earn. ``max_age_days``: older segments are frozen. ``only``: from this share of what all data
    tell about the groups on, one thing alone makes them; ``separable`` and ``behaviour``: least separability by all
    data and by behaviour (0 chance, 1 perfect); ``stable``: least agreement of two halves; ``kept``: least share of
    customers who keep their group from one month to the next; ``smallest``: fewest customers of a group; ``largest``:
    largest share of one group.

    >>> HealthRules(by="grade").max_age_days
    365
    """

    by: str = ""
    made_on: str = ""
    assets: tuple[str, ...] = ("assets", "income", "wealth", "savings", "资产", "收入", "存款")
    max_age_days: int = 365
    only: float = 0.9
    separable: float = 0.3
    behaviour: float = 0.2
    stable: float = 0.6
    kept: float = 0.7
    smallest: int = 30
    largest: float = 0.8

    def __post_init__(self) -> None:
        if self.made_on and not is_day(self.made_on):
            raise UsageError("bad_day", key="health.made_on", got=self.made_on)
        for name in ("only", "separable", "behaviour", "stable", "kept", "largest"):
            check_rule(name, getattr(self, name), 0 < getattr(self, name) <= 1, "0..1")
        check_rule("max_age_days", self.max_age_days, self.max_age_days > 0, "> 0")
        check_rule("smallest", self.smallest, self.smallest >= 1, ">= 1")


def _sized(table: pd.DataFrame, by: str) -> pd.Series:
    """Customers of each group that there is, by its code."""
    sizes = table[by].value_counts()
    return sizes[sizes > 0].set_axis(sizes.index[sizes > 0].astype("str"))


def _purpose(table: pd.DataFrame, by: str, actions: Collection[str] | None) -> Finding:
    known = set(catalogue("strategy").get(by, {})) if actions is None else set(actions)
    sizes = _sized(table, by)
    share = float(sizes[sizes.index.isin(known)].sum() / sizes.sum()) if len(sizes) else float("nan")
    if np.isnan(share):
        return "unknown", "no_groups", share, 1.0
    return ("ok" if share == 1 else "warn" if share > 0 else "fail"), "purpose", share, 1.0


def _only(measured: Separability, kind: str, reason: str, rules: HealthRules) -> Finding:
    """Whether one kind of feature tells (nearly) as much of the groups as all."""
    if not measured.enough:
        return "unknown", "too_few", float("nan"), rules.only
    if np.isnan(measured.parts[kind]):
        return "unknown", f"{reason}_missing", float("nan"), rules.only
    if not measured.all >= max(rules.separable, measured.chance):
        return "unknown", "nothing_tells", measured.all, rules.separable
    share = min(measured.parts[kind] / measured.all, 1.0)
    return ("fail" if share >= rules.only else "ok"), reason, share, rules.only


def _money(measured: Separability, sample: pd.DataFrame, by: str, rules: HealthRules) -> Finding:
    """Groups made by sales alone are right only if what makes value besides sales differs between them too."""
    health, reason, share, limit = _only(measured, "money", "money", rules)
    if health != "fail":
        return health, reason, share, limit
    now, before = (sample.get(name, pd.Series(np.nan, index=sample.index)) for name in ("sales_12m", "sales_prior_12m"))
    rate = sample.get("margin", pd.Series(np.nan, index=sample.index)) / sample["sales"].where(sample["sales"] > 0)
    growth = (now - before) / (now + before).where(now + before > 0)
    shares = [explained(values.astype("float64"), sample[by].astype("str")) for values in (rate, growth)]
    if np.isnan(shares).all():
        return "warn", "money_unknown", share, limit
    follows = np.nanmax(shares) >= _FOLLOWS
    return ("ok", "money_follows", share, limit) if follows else ("fail", "money_only", share, limit)


def _behaviour(measured: Separability, rules: HealthRules) -> Finding:
    limit = max(rules.behaviour, measured.chance_behaviour)
    if not measured.enough or np.isnan(measured.parts["behaviour"]):
        return "unknown", "too_few", float("nan"), limit
    told = measured.parts["behaviour"]
    return ("fail" if told < limit else "warn" if told < 1.5 * limit else "ok"), "behaviour", told, limit


def _separability(measured: Separability, rules: HealthRules) -> Finding:
    limit = max(rules.separable, measured.chance)
    if not measured.enough or np.isnan(measured.all):
        return "unknown", "too_few", float("nan"), limit
    told = measured.all
    return ("fail" if told < limit else "warn" if told < 1.5 * limit else "ok"), "separability", told, limit


def _numbered(groups: pd.Series) -> tuple[np.ndarray, pd.Series]:
    """The group of each customer by number (-1: none), and the codes of the groups as text."""
    column = groups.astype("category").cat
    return column.codes.to_numpy(), pd.Series(column.categories).astype("str")


def _kept(table: pd.DataFrame, by: str, before: pd.DataFrame | None) -> tuple[float, int]:
    """Share of the customers of both days who have the same group, and how many they are."""
    if before is None or "customer_id" not in table:
        return float("nan"), 0
    rows = places(table["customer_id"], before["customer_id"])
    (now, names), (then, names_then) = _numbered(table[by]), _numbered(before[by])
    now, then = now[rows >= 0], then[rows[rows >= 0]]
    known = (now >= 0) & (then >= 0)
    same = now[known] == places(names_then, names)[then[known]]
    return (float(same.mean()) if known.any() else float("nan")), int(known.sum())


def _frozen(kept: tuple[float, int], made_on: dt.date | None, as_of: dt.date | None, rules: HealthRules) -> Finding:
    if made_on is not None and as_of is not None:
        age = (as_of - made_on).days
        old = age > rules.max_age_days
        return ("fail" if old else "warn" if age > rules.max_age_days / 2 else "ok"), "age", age, rules.max_age_days
    share, n = kept
    if n < FEWEST:
        return "unknown", "age_missing", float("nan"), rules.max_age_days
    return ("warn" if share == 1 else "ok"), "nobody_moved" if share == 1 else "moves", 1 - share, 0.0


def _over_time(kept: tuple[float, int], rules: HealthRules) -> Finding:
    share, n = kept
    if n < FEWEST:
        return "unknown", "before_missing", float("nan"), rules.kept
    return ("ok" if share >= rules.kept else "warn" if share >= rules.kept / 2 else "fail"), "kept", share, rules.kept


def _resampling(
    sample: pd.DataFrame, by: str, further: Collection[str], again: Callable | None, rules: HealthRules
) -> Finding:
    if len(sample) < FEWEST or sample[by].astype("str").nunique() < 2:
        return "unknown", "too_few", float("nan"), rules.stable
    score = halves_agree(sample, by, further) if again is None else cut_again(sample, by, again)
    health = "unknown" if np.isnan(score) else "ok" if score >= rules.stable else "warn" if score >= 0.3 else "fail"
    return health, "halves" if again is None else "cut_again", score, rules.stable


def _sizes(table: pd.DataFrame, by: str, rules: HealthRules) -> dict[str, Finding]:
    sizes = _sized(table, by)
    if sizes.empty:
        nothing = ("unknown", "no_groups", float("nan"), float("nan"))
        return {"too_small": nothing, "one_holds_all": nothing}
    least, most = int(sizes.min()), float(sizes.max() / sizes.sum())
    small = "ok" if least >= rules.smallest else "warn" if least >= rules.smallest / 3 else "fail"
    large = "fail" if len(sizes) == 1 or most > 0.95 else "warn" if most > rules.largest else "ok"
    holds = "one_group" if len(sizes) == 1 else "largest"
    return {
        "too_small": (small, "smallest", least, rules.smallest),
        "one_holds_all": (large, holds, most, rules.largest),
    }


def health_check(
    table: pd.DataFrame,
    by: str,
    rules: HealthRules | None = None,
    *,
    attributes: Collection[str] = (),
    actions: Collection[str] | None = None,
    before: pd.DataFrame | None = None,
    again: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
    as_of: dt.date | None = None,
    made_on: dt.date | None = None,
) -> pd.DataFrame:
    """What is wrong with a segmentation, ours or the firm's own: one row per check (C23).

    ``table``: the customer table with the column ``by``, a code a customer, and the ``attributes`` to look at (columns
    of the customers file). ``actions``: codes somebody has an action for (default: those of the strategy catalogue);
    ``before``: customer_id and ``by`` of the month before; ``again``: a function that cuts customers anew (a table of
    customer_id and ``by``); ``made_on``: the day the groups were made (default: that of the rules).

    Columns: check (one of ``CHECKS``), health (one of ``HEALTH``), reason (the code of its sentence, see
    :func:`health_words`), number and limit.

    - *purpose*: share of customers in a group with an action;
    - *product_only*, *assets_only*, *joining_date_only*: separability by main category, columns of assets or time since
      the first order alone, over that by all that is known; *money_for_value*: by sales alone, and then neither
      margin rate nor growth differs between groups (epsilon squared of the ranks below 0.06);
    - *no_behaviour*, *separability*: how well groups can be told from behaviour, and from all that is known, as the
      adjusted balanced accuracy of a decision tree in customers it has not seen: 0 is chance, 1 perfect (Brodersen et
      al. 2010; limits rise to what 95% of shuffled groups reach where there are fewer than 500 customers);
    - *frozen*: age in days; where it is unknown, whether anybody moved since the month before;
    - *resampling*: adjusted Rand index (Hubert and Arabie 1985) of groups cut anew, or of the rules learnt from two
      halves; *over_time*: share of customers who kept their group;
    - *too_small*: customers of the smallest group; *one_holds_all*: share of the largest.

    Measured on at most 20,000 customers drawn with a fixed seed; with fewer than 50 in groups of at least ten, the
    measurements are *unknown*.

    Raises ``UsageError`` for a column the table does not have.

    >>> rng = np.random.default_rng(1)
    >>> shop = pd.DataFrame({"customer_id": range(300), "n_orders": rng.integers(1, 9, 300), "sales": rng.random(300)})
    >>> found = health_check(shop.assign(segment=rng.choice(["monthly", "dormant"], 300)), "segment")
    >>> found.set_index("check").loc[["purpose", "separability"], "health"].tolist()
    ['ok', 'fail']
    """
    rules = rules or HealthRules()
    if by not in table:
        allowed = [str(column) for column in table]
        raise UsageError("unknown_column", got=by, nearest=nearest(by, allowed), allowed=", ".join(allowed))
    assets = [name for name in rules.assets if name in table]
    further = [name for name in dict.fromkeys([*attributes, *assets]) if name in table and name != by]
    made_on = made_on or (dt.date.fromisoformat(rules.made_on) if rules.made_on else None)
    sample, kept = drawn(table, by), _kept(table, by, before)
    measured = separability(sample, by, further, assets)
    found = {
        "purpose": _purpose(table, by, actions),
        "product_only": _only(measured, "product", "product", rules),
        "assets_only": _only(measured, "assets", "assets", rules),
        "joining_date_only": _only(measured, "date", "joining_date", rules),
        "no_behaviour": _behaviour(measured, rules),
        "money_for_value": _money(measured, sample, by, rules),
        "frozen": _frozen(kept, made_on, as_of, rules),
        "separability": _separability(measured, rules),
        "resampling": _resampling(sample, by, further, again, rules),
        "over_time": _over_time(kept, rules),
        **_sizes(table, by, rules),
    }
    rows = pd.DataFrame([found[check] for check in CHECKS], columns=["health", "reason", "number", "limit"])
    rows.insert(0, "check", pd.Categorical(CHECKS, CHECKS, ordered=True))
    return rows.assign(health=pd.Categorical(rows["health"], HEALTH, ordered=True)).astype(
        {"number": float, "limit": float}
    )


def health_words(findings: pd.DataFrame, language: str = "en") -> pd.DataFrame:
    """The findings in words: one row per check, with check, health, finding (a sentence with the number) and to_do.

    ``to_do`` is empty for a check that is passed. The words are ``locale/health.toml``.

    >>> findings = pd.DataFrame({"check": ["too_small"], "health": ["fail"], "reason": ["smallest"], "number": [3.0],
    ...                          "limit": [30.0]})
    >>> health_words(findings).loc[0, "finding"]
    'The smallest group has 3 customers; at least 30 are asked for.'
    """
    rows = findings.to_dict("records")
    said = [text(f"health.found_{row['reason']}", language, number=row["number"], limit=row["limit"]) for row in rows]
    to_do = [
        "" if row["health"] == "ok" else text(f"health.{_key(row)}", language, number=row["number"], limit=row["limit"])
        for row in rows
    ]
    return findings[["check", "health"]].assign(finding=said, to_do=to_do)


def _key(row: dict) -> str:
    """The text for what to do: of the check, or of what is missing to make it."""
    return f"missing_{row['check']}" if row["health"] == "unknown" else f"do_{row['check']}"
