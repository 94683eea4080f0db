"""The customer pyramid: who brings how much of the value, what is left of it, and how unequal customers are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from custvalue.concentration import Concentration, concentration, gini, head_count, law_of_20_80, lorenz, top_share
from custvalue.errors import DataError, UsageError, nearest
from custvalue.indices import attribute
from custvalue.predicates import check_rule

__all__ = [
    "TIERS",
    "Concentration",
    "PyramidRules",
    "concentration",
    "gini",
    "has_tiers",
    "just_under",
    "law_of_20_80",
    "lorenz",
    "loss_key",
    "loss_makers",
    "profit_notes",
    "pyramid",
    "tier_cuts",
    "tier_notes",
    "tier_profit",
    "tier_summary",
    "top_share",
    "two_pyramids",
    "with_profit",
]

#: Codes of the tiers, best first.
TIERS = ("platinum", "gold", "iron", "lead")
#: Losses below this share of the profit of the other customers are told as small.
_SMALL_LOSS = 0.01


@dataclass(frozen=True)
class PyramidRules:
    """How the pyramid is cut.

    ``by``: the column customers are ranked by (``sales``, ``margin``, ``sales_12m``, ``profit_12m``, ``clv_12m``,
    ...); ``cuts``: the cumulative shares of customers down to the foot of platinum, gold and iron; the rest is
    lead. ``cost_per_order``: what serving one order costs, counted for customers without a ``service_cost`` of their
    own. ``just_under``: how far below a cut a customer still counts as just under it, as a share of the cut.

    >>> PyramidRules().cuts
    (0.01, 0.05, 0.2)
    """

    by: str = "sales"
    cuts: tuple[float, float, float] = (0.01, 0.05, 0.20)
    cost_per_order: float = 0.0
    just_under: float = 0.10

    def __post_init__(self) -> None:
        inside = len(self.cuts) == 3 and 0 < self.cuts[0] < self.cuts[1] < self.cuts[2] < 1
        check_rule("cuts", self.cuts, inside, "0 < a < b < c < 1")
        cost = self.cost_per_order
        check_rule("cost_per_order", cost, math.isfinite(cost) and cost >= 0, ">= 0")
        check_rule("just_under", self.just_under, 0 < self.just_under < 1, "0 < share < 1")


def _numeric_columns(customers: pd.DataFrame) -> list[str]:
    return [str(c) for c in customers if is_numeric_dtype(customers[c]) and not is_bool_dtype(customers[c])]


def _values(customers: pd.DataFrame, by: str) -> pd.Series:
    allowed = _numeric_columns(customers)
    if by not in allowed:
        raise UsageError("unknown_column", got=by, nearest=nearest(by, allowed), allowed=", ".join(allowed))
    values = customers[by].astype(float).reset_index(drop=True)
    if len(values) and values.isna().all():
        raise DataError("column_without_values", column=by)
    return values


def has_tiers(cuts: pd.DataFrame | None) -> bool:
    """Whether a table of frozen limits (or none) holds any for the tiers.

    >>> has_tiers(None), has_tiers(pd.DataFrame({"kind": ["quadrant"], "cut_of": ["sales"], "cut": [5.0]}))
    (False, False)
    """
    return cuts is not None and ("kind" not in cuts or bool((cuts["kind"] == "tier").any()))


def _frozen_cuts(cuts: pd.DataFrame) -> list[float]:
    """The money at which each tier but the last begins; infinite (nobody is in it) for one that has no cut."""
    missing = {"kind", "cut_of", "cut"} - set(cuts)
    if missing:
        raise DataError("cuts_columns", missing=", ".join(sorted(missing)), got=", ".join(map(str, cuts)))
    own = cuts[cuts["kind"] == "tier"]
    numbers = pd.to_numeric(own["cut"], errors="coerce")
    if numbers.isna().any():
        raise DataError("cut_not_number", kind="tier", got=str(own["cut"][numbers.isna()].iloc[0]))
    found = dict(zip(own["cut_of"], numbers.astype(float), strict=True))
    return [found.get(tier, math.inf) for tier in TIERS[:-1]]


def pyramid(
    customers: pd.DataFrame, rules: PyramidRules | None = None, cuts: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The tier of each customer, by rank of value (C8, C9; Zeithaml, Rust and Lemon 2001).

    One row per customer: ``customer_id``, ``value`` (the column ``rules.by``), ``tier`` (one of ``TIERS``).
    A cut holds cut x n customers, rounded to the nearest customer, halves up: 1% of 40 customers is
    nobody, of 50 or 60 is one, so a small table may have no platinum. Customers of equal value share a tier:
    where a cut falls among equals, all of them go to the lower tier (if all are equal, all are lead).
    Customers without a value rank last.

    With ``cuts`` (see :func:`tier_cuts`) the tiers begin at the money of another date: a customer is in the best tier
    whose cut they reach. Then a move between two dates is the customer's and not that of the cut.

    Raises ``UsageError`` if ``rules.by`` is not a column of numbers, ``DataError`` if it holds no value at
    all or ``cuts`` is no such table.

    >>> customers = pd.DataFrame({"customer_id": [str(i) for i in range(100)], "sales": range(100)})
    >>> pyramid(customers)["tier"].value_counts(sort=False).to_dict()
    {'platinum': 1, 'gold': 4, 'iron': 15, 'lead': 80}
    """
    rules = rules or PyramidRules()
    values = _values(customers, rules.by)
    if not has_tiers(cuts):
        last_place = values.fillna(-np.inf).rank(method="max", ascending=False).to_numpy()
        below = [last_place > head_count(cut, len(values)) for cut in rules.cuts]
    else:
        below = [~(values >= cut).to_numpy() for cut in _frozen_cuts(cuts)]
    tier = pd.Categorical.from_codes(np.logical_and.accumulate(below).sum(axis=0), categories=TIERS, ordered=True)
    return pd.DataFrame({"customer_id": customers["customer_id"].to_numpy(), "value": values, "tier": tier})


def tier_summary(table: pd.DataFrame) -> pd.DataFrame:
    """What each tier brings; ``table`` is the result of :func:`pyramid`.

    One row per tier, also an empty one: ``tier``, ``n_customers``, ``share_customers``, ``value`` (sum),
    ``share_value``, ``lowest_value`` (the least value that is in the tier), ``mean_value``. Shares of a
    zero total and figures of an empty tier are NaN. Negative values count as they are, so a share may be
    below 0 or above 1.

    >>> table = pd.DataFrame({"customer_id": ["a", "b"], "value": [30.0, 10.0],
    ...                       "tier": pd.Categorical(["gold", "lead"], TIERS, ordered=True)})
    >>> tier_summary(table)["share_value"].tolist()
    [0.0, 0.75, 0.0, 0.25]
    """
    groups = table.groupby("tier", observed=False)["value"]
    result = groups.agg(n_customers="size", value="sum", lowest_value="min", mean_value="mean").reset_index()
    result.insert(2, "share_customers", _shares(result["n_customers"]))
    result.insert(4, "share_value", _shares(result["value"]))
    return result


def tier_notes(
    table: pd.DataFrame, rules: PyramidRules | None = None, cuts: pd.DataFrame | None = None
) -> tuple[str, ...]:
    """What a reader must know of a pyramid cut by rank: tiers nobody is in, and ties that moved customers down.

    Nothing where the tiers come from frozen ``cuts``.

    ``few:platinum``: the tier's share of so few customers rounds to nobody; ``ties:3``: so many customers stand below
    the tier of their rank, because others of the same value are below the cut; ``all_equal``: everybody is worth the
    same, so that nobody stands above the others.

    >>> customers = pd.DataFrame({"customer_id": list("abcdefghij"), "sales": [9.0, 8, 7, 7, 7, 7, 7, 1, 1, 1]})
    >>> rules = PyramidRules(cuts=(0.01, 0.2, 0.5))
    >>> tier_notes(pyramid(customers, rules), rules)
    ('few:platinum', 'ties:3')
    """
    rules = rules or PyramidRules()
    n = len(table)
    if has_tiers(cuts):
        return ()
    if n > 1 and table["value"].nunique() == 1:
        return ("all_equal",)
    heads = [head_count(cut, n) for cut in rules.cuts]
    sizes = np.diff([0, *heads])
    few = tuple(f"few:{tier}" for tier, size in zip(TIERS, sizes, strict=False) if size == 0)
    by_rank = np.searchsorted(heads, np.arange(n), side="right")
    moved = int((np.sort(table["tier"].cat.codes.to_numpy()) > by_rank).sum())
    return few + ((f"ties:{moved:,}",) if moved else ())


def tier_cuts(table: pd.DataFrame) -> pd.DataFrame:
    """The money at which the tiers begin, to be saved and given back as ``cuts`` of :func:`pyramid` at another date.

    ``table`` is the result of :func:`pyramid`. One row per tier that anybody is in, but the last: ``kind`` (``tier``),
    ``cut_of`` (the tier), ``cut`` (the least value in it; who has it or more is in the tier).

    >>> customers = pd.DataFrame({"customer_id": [str(i) for i in range(100)], "sales": range(100)})
    >>> tier_cuts(pyramid(customers))["cut"].tolist()
    [99.0, 95.0, 80.0]
    """
    lowest = table.groupby("tier", observed=False)["value"].min()[list(TIERS[:-1])].dropna()
    return pd.DataFrame({"kind": "tier", "cut_of": lowest.index.astype(str), "cut": lowest.to_numpy(dtype=float)})


def loss_key(served: pd.DataFrame) -> str:
    """The sentence that tells how many customers cost more than they bring: some, none, or not known.

    Losses of less than 1% of what the other customers bring are small: they call for no action.
    """
    profit = served["profit_12m"]
    if profit.isna().all():
        return "findings.loss_makers_unknown"
    if not (profit < 0).any():
        return "findings.loss_makers_none"
    small = -profit[profit < 0].sum() < _SMALL_LOSS * profit[profit > 0].sum()
    return "findings.loss_makers_small" if small else "findings.loss_makers"


def two_pyramids(
    before: pd.DataFrame, now: pd.DataFrame, rules: PyramidRules | None = None, cuts: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The pyramids of two customer tables in the limits of the first, or in ``cuts``: a move is then the customer's.

    >>> before = pd.DataFrame({"customer_id": [str(i) for i in range(100)], "sales": range(100)})
    >>> earlier, later = two_pyramids(before, before.assign(sales=before["sales"] + 1))
    >>> later["tier"].value_counts(sort=False).tolist()
    [2, 4, 15, 79]
    """
    earlier = pyramid(before, rules, cuts)
    return earlier, pyramid(now, rules, cuts if has_tiers(cuts) else tier_cuts(earlier))


def just_under(table: pd.DataFrame, share: float = 0.10) -> pd.DataFrame:
    """Who stands just under the foot of the next higher tier, so that a small push lifts them.

    ``table`` is the result of :func:`pyramid`. One row per customer whose value lies at most ``share`` of the cut
    below it, the nearest first: ``customer_id``, ``tier``, ``next_tier``, ``value``, ``cut`` (the least value in the
    next tier that anybody is in) and ``to_cut`` (money missing). Nobody is near a cut that is not above zero.

    Raises ``UsageError`` for a share outside 0..1.

    >>> customers = pd.DataFrame({"customer_id": [str(i) for i in range(100)], "sales": range(100)})
    >>> just_under(pyramid(customers), 0.02)[["customer_id", "next_tier", "to_cut"]]
      customer_id next_tier  to_cut
    0          98  platinum     1.0
    1          94      gold     1.0
    2          79      iron     1.0
    """
    check_rule("just_under", share, 0 < share < 1, "0 < share < 1")
    cuts = dict(zip(*(tier_cuts(table)[column] for column in ("cut_of", "cut")), strict=True))
    above, nearest_above = {}, ""
    for tier in TIERS:
        above[tier], nearest_above = nearest_above, tier if tier in cuts else nearest_above
    upper = table["tier"].astype(str).map(above)
    upper = upper.where(upper != "")
    found = table.assign(next_tier=pd.Categorical(upper, TIERS, ordered=True), cut=upper.map(cuts).astype(float))
    found["to_cut"] = found["cut"] - found["value"]
    near = found[(found["cut"] > 0) & (found["to_cut"] <= share * found["cut"])]
    order = near.assign(part=near["to_cut"] / near["cut"]).sort_values(["part", "next_tier", "customer_id"])
    return order[["customer_id", "tier", "next_tier", "value", "cut", "to_cut"]].reset_index(drop=True)


def with_profit(
    customers: pd.DataFrame, rules: PyramidRules | None = None, attributes: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The customer table with what serving each customer cost in the last 12 months, and what is left.

    Three columns are added. ``service_cost`` (money a year): that column of ``attributes`` where it is known, else
    ``rules.cost_per_order`` x orders of the last 12 months; ``contact_cost_12m`` of ``attributes`` (messages sent, see
    :func:`custvalue.beside.with_contact_cost`) is added where there is one; missing where none is known.
    ``profit_12m``: margin of the last 12 months less the known service cost (C9; missing where nobody's margin is
    known). ``margin_per_order``: margin over orders of the last 12 months, the most that serving an order may cost.

    Raises ``DataError`` if a cost is not a number.

    >>> customers = pd.DataFrame({"customer_id": ["a", "b"], "margin_12m": [30.0, None], "n_orders_12m": [2, 0]})
    >>> attributes = pd.DataFrame({"customer_id": ["b"], "service_cost": [12.0]})
    >>> with_profit(customers, PyramidRules(cost_per_order=5.0), attributes)["profit_12m"].tolist()
    [20.0, -12.0]
    """
    rules = rules or PyramidRules()
    margin = customers["margin_12m"].astype(float)
    margin = margin.fillna(0.0) if margin.notna().any() else margin
    own = attribute(customers, attributes, "service_cost")
    contacts = attribute(customers, attributes, "contact_cost_12m")
    by_order = customers["n_orders_12m"] * (rules.cost_per_order if rules.cost_per_order > 0 else np.nan)
    cost = pd.DataFrame({"service": own.fillna(by_order), "contacts": contacts}).sum(axis=1, min_count=1)
    per_order = margin / customers["n_orders_12m"].where(customers["n_orders_12m"] > 0)
    return customers.assign(service_cost=cost, profit_12m=margin - cost.fillna(0.0), margin_per_order=per_order)


def profit_notes(
    served: pd.DataFrame, rules: PyramidRules | None = None, attributes: pd.DataFrame | None = None
) -> tuple[str, ...]:
    """What a reader must know of the profit of :func:`with_profit`, called with the same rules and attributes.

    ``margin_unknown``: there is none; ``cost_unknown``: it is the margin; ``messages_only``: of the cost of serving
    only that of messages is known.

    >>> profit_notes(pd.DataFrame({"profit_12m": [3.0], "service_cost": [None]}))
    ('cost_unknown',)
    """
    if served["profit_12m"].isna().all():
        return ("margin_unknown",)
    if served["service_cost"].isna().all():
        return ("cost_unknown",)
    stated = (rules or PyramidRules()).cost_per_order > 0 or (attributes is not None and "service_cost" in attributes)
    return () if stated else ("messages_only",)


def _tiers_beside(table: pd.DataFrame, served: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The tier of each customer with columns of ``served``; row by row where both list the same customers."""
    rows = served[["customer_id", *columns]].reset_index(drop=True)
    if rows["customer_id"].equals(table["customer_id"]):
        rows.insert(1, "tier", table["tier"])
        return rows
    return table[["customer_id", "tier"]].merge(rows, on="customer_id", validate="1:1")


def tier_profit(table: pd.DataFrame, served: pd.DataFrame) -> pd.DataFrame:
    """What is left of each tier after the cost of serving it, over the last 12 months.

    ``table`` is the result of :func:`pyramid`, ``served`` that of :func:`with_profit`. One row per tier: ``tier``,
    ``n_customers``, ``margin_12m``, ``service_cost``, ``profit_12m`` (sums), ``mean_profit`` (per customer),
    ``margin_per_order`` (of the tier: the most that serving an order may cost), ``n_loss`` (customers who cost more
    than they bring), ``loss`` (what they lose, as a negative sum).

    >>> customers = pd.DataFrame({"customer_id": ["a", "b"], "sales": [90.0, 10.0], "margin_12m": [30.0, 1.0],
    ...                           "n_orders_12m": [2, 1]})
    >>> rules = PyramidRules(cuts=(0.1, 0.2, 0.5), cost_per_order=5.0)
    >>> tier_profit(pyramid(customers, rules), with_profit(customers, rules))[["tier", "profit_12m", "n_loss"]].tail(2)
       tier  profit_12m  n_loss
    2  iron        20.0       0
    3  lead        -4.0       1
    """
    both = _tiers_beside(table, served, ["n_orders_12m", "margin_12m", "service_cost", "profit_12m"])
    lost = both["profit_12m"] < 0
    both = both.assign(n_loss=lost.astype("int64"), loss=both["profit_12m"].where(lost, 0.0))
    groups = both.groupby("tier", observed=False)
    result = groups[["margin_12m", "service_cost", "profit_12m"]].sum(min_count=1)
    result.insert(0, "n_customers", groups.size())
    orders = groups["n_orders_12m"].sum()
    result["mean_profit"] = result["profit_12m"] / result["n_customers"].where(result["n_customers"] > 0)
    result["margin_per_order"] = result["margin_12m"] / orders.where(orders > 0)
    sums = groups[["n_loss", "loss"]].sum().astype({"n_loss": "Int64"})
    sums = sums if both["profit_12m"].notna().any() else sums.mask(sums.notna())
    return result.assign(n_loss=sums["n_loss"], loss=sums["loss"]).reset_index()


def loss_makers(table: pd.DataFrame, served: pd.DataFrame) -> pd.DataFrame:
    """The problem customers: who cost more in the last 12 months than they brought (C9), the worst first.

    ``table`` is the result of :func:`pyramid`, ``served`` that of :func:`with_profit`. One row per customer with a
    profit below zero: ``customer_id``, ``tier``, ``n_orders_12m``, ``margin_12m``, ``service_cost``, ``profit_12m``,
    ``days_since_last`` where the table has it.

    >>> customers = pd.DataFrame({"customer_id": ["a", "b"], "sales": [90.0, 10.0], "margin_12m": [30.0, 1.0],
    ...                           "n_orders_12m": [2, 1]})
    >>> rules = PyramidRules(cost_per_order=5.0)
    >>> loss_makers(pyramid(customers, rules), with_profit(customers, rules))["customer_id"].tolist()
    ['b']
    """
    columns = ["n_orders_12m", "margin_12m", "service_cost", "profit_12m", "days_since_last"]
    both = _tiers_beside(table, served, [column for column in columns if column in served])
    both = both[both["profit_12m"] < 0]
    both = both.assign(margin_12m=both["margin_12m"].fillna(0.0))
    return both.sort_values(["profit_12m", "customer_id"]).reset_index(drop=True)


def _shares(amounts: pd.Series) -> pd.Series:
    total = amounts.sum()
    return amounts / total if total != 0 else amounts * np.nan
