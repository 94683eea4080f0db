"""Key accounts: a named list of customers with need and means, the reasons, and the first step with each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from custvalue.errors import UsageError
from custvalue.ids import named, places
from custvalue.indices import aligned, attribute, percentile, potential_parts, weighted_index
from custvalue.predicates import first_match
from custvalue.referrals import customer_ids
from custvalue.targeting import TargetingRules

__all__ = ["ACCOUNT_PARTS", "FIRST_STEPS", "KeyAccounts", "key_accounts"]

#: What speaks for a key account: money, authority and need (MAN), spend elsewhere, customers brought.
ACCOUNT_PARTS = ("money", "authority", "need", "wallet", "network")
#: What to do first, see :func:`key_accounts`.
FIRST_STEPS = ("ask_why", "through_referrer", "ask_wallet", "ask_plans", "thank_network")

#: A part speaks for a customer from this place on among those looked at (0 to 100).
_HIGH = 75
_LATE_GAPS = 2.0


@dataclass(frozen=True)
class KeyAccounts:
    """The chosen customers: ``table`` (see :func:`key_accounts`), the parts ``used``, how many were ``looked_at``."""

    table: pd.DataFrame
    used: tuple[str, ...]
    looked_at: int
    notes: tuple[str, ...] = ()


def _judged(customers: pd.DataFrame, attributes: pd.DataFrame | None, column: str, usual: str) -> pd.Series:
    """Scores that people gave; a column named by somebody must be there, the usual name may be missing."""
    there = [] if attributes is None else [str(name) for name in attributes]
    if column not in there and column != usual:
        raise UsageError("unknown_judgement", part=usual, got=column, allowed=", ".join(there) or "-")
    return attribute(customers, attributes, column)


def _with_means(sales: pd.Series, judged: pd.Series, share: float) -> pd.Series:
    """Buyers of the last 12 months who stand in the upper ``share`` of them by money, with all equal to the last."""
    buyers = sales > 0
    money = (judged if judged.notna().any() else sales).where(buyers)
    rising = np.sort(money.dropna().to_numpy(dtype=float))
    n = int(max(1, share * len(rising)))
    return buyers & (money >= rising[-n]) if len(rising) else buyers & False


def _brought(
    chosen: np.ndarray, ids: pd.Series, who: np.ndarray, attributes: pd.DataFrame | None
) -> tuple[pd.Series, pd.Series]:
    """Each chosen customer's referrer (missing: unknown, or no customer), and how many customers he brought.

    ``chosen``: rows of the customers; ``who``: the row of the customer of each row of attributes, -1 for none.
    """
    index = ids.index[chosen]
    if attributes is None or "referrer" not in attributes:
        return pd.Series(None, index=index, dtype="object"), pd.Series(np.nan, index=index)
    known = (who >= 0) & attributes["referrer"].notna().to_numpy()
    by = places(customer_ids(attributes["referrer"][known]), ids)
    referrer = np.full(len(ids), -1)
    referrer[who[known]] = np.where(by == who[known], -1, by)
    brought = np.bincount(referrer[referrer >= 0], minlength=len(ids))[chosen]
    found = named(referrer[chosen], ids).astype("object").set_axis(index)
    return found, pd.Series(brought if (referrer >= 0).any() else np.nan, index=index, dtype=float)


def _parts(
    customers: pd.DataFrame, attributes: pd.DataFrame | None, rules: TargetingRules, n_brought: pd.Series
) -> dict[str, pd.Series]:
    """The known parts of the choice, a number per customer; a part nobody is known of is left out."""
    money = _judged(customers, attributes, rules.money, "money")
    authority = _judged(customers, attributes, rules.authority, "authority")
    need = _judged(customers, attributes, rules.need, "need")
    shown = potential_parts(customers, None, {})
    own = {
        "money": money if money.notna().any() else customers["sales_12m"].astype(float),
        "authority": authority,
        "need": need if need.notna().any() else percentile(shown["activity"]) + percentile(shown["growth"]).fillna(50),
        "wallet": (attribute(customers, attributes, "category_spend_year") - customers["sales_12m"]).clip(lower=0),
        "network": n_brought,
    }
    return {name: values for name, values in own.items() if values.notna().any() and values.nunique() > 1}


def _reasons(parts: dict[str, pd.Series], listed: pd.Index) -> pd.Series:
    """The parts in which a listed customer stands in the upper quarter of those looked at, joined by semicolons."""
    words = pd.Series("", index=listed, dtype="object")
    for name, values in parts.items():
        words += np.where(percentile(values).loc[listed] >= _HIGH, f"{name};", "")
    return words.str.removesuffix(";")


def _late(table: pd.DataFrame) -> pd.Series:
    return table["days_since_last"] > _LATE_GAPS * table["mean_gap_days"]


def _brought_by_another(table: pd.DataFrame) -> pd.Series:
    return table["referrer"].notna()


def _buys_elsewhere(table: pd.DataFrame) -> pd.Series:
    return table["share_of_wallet"] < 0.5


def _brings_others(table: pd.DataFrame) -> pd.Series:
    return table["n_brought"] > 0


def _always(table: pd.DataFrame) -> pd.Series:
    return pd.Series(True, index=table.index)


#: The first step as (code, predicate): the first that holds counts.
_STEPS = (
    ("ask_why", _late),
    ("through_referrer", _brought_by_another),
    ("ask_wallet", _buys_elsewhere),
    ("thank_network", _brings_others),
    ("ask_plans", _always),
)


def _notes(parts: dict[str, pd.Series], rules: TargetingRules, judged: set[str], n: int) -> tuple[str, ...]:
    wanted = [name for name in ACCOUNT_PARTS if rules.account_weights.get(name, 0) > 0]
    missing = [name for name in wanted if name not in parts]
    found = ["accounts_missing:" + ";".join(f"account_part/{name}" for name in missing)] if missing else []
    stood_in = [name for name in ("money", "need") if name in parts and name not in judged]
    found += [f"accounts_{name}_from_data" for name in stood_in]
    return tuple([*found, "accounts_few"] if n < rules.accounts else found)


def key_accounts(
    customers: pd.DataFrame, attributes: pd.DataFrame | None = None, rules: TargetingRules | None = None
) -> KeyAccounts:
    """Customers to look after one by one: those with means, ranked by means, need and what they can bring (C13, C6).

    Looked at are customers who bought in the last 12 months and stand in the upper ``means`` share of them by money
    (equal customers are not split: those at the limit are in). They are ranked by the weighted mean of percentiles
    (:func:`custvalue.indices.weighted_index`) of these parts, the first ``accounts`` are listed:

    - *money* and *need*: columns of ``attributes`` in which people have judged them, where there are such; else sales
      of the last 12 months, and being active and growing;
    - *authority*: only from such a column; data on purchases can not tell who decides;
    - *wallet*: ``category_spend_year`` of ``attributes`` less sales of the last 12 months (C6);
    - *network*: customers brought, from ``referrer``.

    The table has one row per account, the best first: ``rank``, ``customer_id``, ``sales_12m``, ``share_of_wallet``,
    ``growth`` (see :func:`custvalue.indices.potential_parts`), ``n_brought``, ``referrer``, ``days_since_last``,
    ``account_index`` (0 to 100), ``reasons`` (the parts in which he stands in the upper quarter of those looked
    at, joined by ``;``) and ``first_step``: *ask_why* (silent for more than two of his own gaps), *through_referrer* (a
    customer brought him), *ask_wallet* (less than half of his spend is ours), *thank_network* (he brought others),
    *ask_plans* (everybody else).

    Notes: ``accounts_missing:..``, ``accounts_money_from_data``, ``accounts_need_from_data``, ``accounts_few``.

    >>> customers = pd.DataFrame({"customer_id": list("abcd"), "sales_12m": [900.0, 800, 50, 40],
    ...     "sales_prior_12m": 10.0, "margin_12m": 1.0, "tenure_days": 900, "days_since_last": 5,
    ...     "mean_gap_days": 20.0, "n_categories": 2})
    >>> attributes = pd.DataFrame({"customer_id": ["b", "d"], "referrer": ["a", "b"]})
    >>> found = key_accounts(customers, attributes, TargetingRules(means=0.5))
    >>> found.table[["customer_id", "n_brought", "referrer", "first_step"]]
      customer_id  n_brought referrer        first_step
    0           a        1.0      NaN     thank_network
    1           b        1.0        a  through_referrer
    """
    rules = rules or TargetingRules()
    money = _judged(customers, attributes, rules.money, "money")
    rows, ids = np.flatnonzero(_with_means(customers["sales_12m"], money, rules.means)), customers["customer_id"]
    chosen = customers.iloc[rows]
    who = np.empty(0, dtype=int) if attributes is None else places(attributes["customer_id"], ids)
    referrer, n_brought = _brought(rows, ids, who, attributes)
    own = None if attributes is None else aligned(chosen, attributes[np.isin(who, rows)])
    parts = _parts(chosen, own, rules, n_brought)
    spend = attribute(chosen, own, "category_spend_year")
    table = chosen[["customer_id", "sales_12m", "days_since_last", "mean_gap_days"]].assign(
        share_of_wallet=chosen["sales_12m"] / spend.where(spend > 0),
        growth=potential_parts(chosen, None, {})["growth"],
        n_brought=n_brought,
        referrer=referrer,
        account_index=weighted_index(parts, rules.account_weights) if parts else 50.0,
    )
    first = table.sort_values(["account_index", "sales_12m", "customer_id"], ascending=[False, False, True])
    first = first.head(rules.accounts)
    first = first.assign(
        reasons=_reasons(parts, first.index),
        first_step=first_match(first, _STEPS, FIRST_STEPS),
        rank=np.arange(1, len(first) + 1),
    )
    columns = ["rank", "customer_id", "sales_12m", "share_of_wallet", "growth", "n_brought", "referrer"]
    columns += ["days_since_last", "account_index", "reasons", "first_step"]
    judged = {name for name in ("money", "need") if attributes is not None and getattr(rules, name) in attributes}
    notes = _notes(parts, rules, judged, len(first))
    return KeyAccounts(first[columns].reset_index(drop=True), tuple(parts), len(chosen), notes)
