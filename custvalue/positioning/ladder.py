"""The relation ladder: met, known, accepted, natural choice, against what each rung brings."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from custvalue.indices import attribute
from custvalue.positioning.rules import PositioningRules
from custvalue.predicates import first_match
from custvalue.referrals import among

__all__ = ["RUNGS", "RUNG_PREDICATES", "conversion", "relation_ladder"]

#: The rungs from the bottom up (C12).
RUNGS = ("met", "known", "accepted", "natural_choice")


def _met(people: pd.DataFrame, rules: PositioningRules) -> pd.Series:
    return people["n_repeats"].isna()


def _known(people: pd.DataFrame, rules: PositioningRules) -> pd.Series:
    return people["n_repeats"].eq(0)


def _natural_choice(people: pd.DataFrame, rules: PositioningRules) -> pd.Series:
    share = people["share_of_wallet"]
    by_orders = people["n_orders_12m"] >= rules.natural_orders
    return (share >= rules.natural_share).where(share.notna(), by_orders)


def _accepted(people: pd.DataFrame, rules: PositioningRules) -> pd.Series:
    return pd.Series(True, index=people.index)


#: The rungs as (code, predicate): the first that holds counts.
RUNG_PREDICATES = (("met", _met), ("known", _known), ("natural_choice", _natural_choice), ("accepted", _accepted))


def _met_only(customers: pd.DataFrame, others: Iterable[str]) -> pd.DataFrame:
    ids = pd.Series(list(others), dtype="str").dropna().drop_duplicates()
    return pd.DataFrame({"customer_id": ids[~among(ids, customers["customer_id"])]})


def relation_ladder(
    customers: pd.DataFrame,
    attributes: pd.DataFrame | None = None,
    rules: PositioningRules | None = None,
    met: Iterable[str] = (),
) -> pd.DataFrame:
    """How far the relation with each person has come (C12 position, C6).

    One row per customer, then per further id in ``met`` (people known from events or the customers file who never
    bought): ``customer_id``, ``rung``, ``n_orders_12m``, ``sales_12m`` (money), ``category_spend_year`` of
    ``attributes`` (money) and ``share_of_wallet`` (the one over the other; both missing where the spend is not known).
    The rungs:

    - *met*: in contact, nothing bought;
    - *known*: bought on one day;
    - *accepted*: bought on several days;
    - *natural choice*: bought on several days, and share of wallet at least ``natural_share``; where the wallet is not
      known, at least ``natural_orders`` orders in the last 12 months.

    >>> customers = pd.DataFrame({"customer_id": ["a", "b"], "n_repeats": [0, 9], "n_orders_12m": [1, 8],
    ...                           "sales_12m": [5.0, 90.0]})
    >>> relation_ladder(customers, met=["b", "z"])[["customer_id", "rung"]].values.tolist()
    [['a', 'known'], ['b', 'natural_choice'], ['z', 'met']]
    """
    rules = rules or PositioningRules()
    spend = attribute(customers, attributes, "category_spend_year")
    known = customers[["customer_id", "n_repeats", "n_orders_12m", "sales_12m"]]
    spend = spend.where(spend > 0)
    known = known.assign(category_spend_year=spend, share_of_wallet=known["sales_12m"] / spend)
    further = _met_only(customers, met)
    people = pd.concat([known, further], ignore_index=True) if len(further) else known.reset_index(drop=True)
    people[["n_orders_12m", "sales_12m"]] = people[["n_orders_12m", "sales_12m"]].fillna(0)
    rung = first_match(people, RUNG_PREDICATES, RUNGS, rules)
    table = people.drop(columns="n_repeats")
    table.insert(1, "rung", rung)
    return table


def conversion(ladder: pd.DataFrame) -> pd.DataFrame:
    """What each rung brings, and how many went on to the next.

    One row per rung: ``rung``, ``n_customers``, ``share_customers``, ``n_orders_12m``, ``sales_12m`` (sums),
    ``share_sales_12m``, ``sales_per_customer`` (money, last 12 months), ``share_of_wallet`` (all sales over all spend
    of those whose wallet is known), ``went_on``: of those who came at least as far, the share who came further. It
    counts where people stand now, not a cohort over time: recent ones had less time to go on.

    >>> customers = pd.DataFrame({"customer_id": list("abc"), "n_repeats": [0, 1, 9], "n_orders_12m": [1, 1, 8],
    ...                           "sales_12m": [5.0, 5.0, 90.0]})
    >>> conversion(relation_ladder(customers))[["rung", "n_customers", "went_on"]].round(2).values.tolist()
    [['met', 0, nan], ['known', 1, 0.67], ['accepted', 1, 0.5], ['natural_choice', 1, nan]]
    """
    known = ladder["sales_12m"].where(ladder["share_of_wallet"].notna())
    groups = ladder.assign(_known=known).groupby("rung", observed=False)
    sums = groups[["n_orders_12m", "sales_12m", "category_spend_year", "_known"]].sum()
    sizes = groups.size()
    total = sums["sales_12m"].sum()
    reached = sizes[::-1].cumsum()[::-1]
    went_on = reached.shift(-1) / reached.where((reached > 0) & ((sizes > 0) | (sizes.index != "met")))
    return pd.DataFrame(
        {
            "n_customers": sizes,
            "share_customers": sizes / max(len(ladder), 1),
            "n_orders_12m": sums["n_orders_12m"].astype("int64"),
            "sales_12m": sums["sales_12m"],
            "share_sales_12m": sums["sales_12m"] / (total if total > 0 else np.nan),
            "sales_per_customer": sums["sales_12m"] / sizes.where(sizes > 0),
            "share_of_wallet": sums["_known"] / sums["category_spend_year"].where(lambda spend: spend > 0),
            "went_on": went_on,
        }
    ).reset_index()
