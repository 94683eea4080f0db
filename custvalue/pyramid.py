"""The customer pyramid: who brings how much of the value, and how unequal customers are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from custvalue.errors import DataError, UsageError, nearest

__all__ = ["TIERS", "PyramidRules", "gini", "law_of_20_80", "lorenz", "pyramid", "tier_summary", "top_share"]

#: Codes of the tiers, best first.
TIERS = ("platinum", "gold", "iron", "lead")


#: With fewer customers a share of the top 20% says nothing.
_FEWEST_FOR_SHARES = 20


@dataclass(frozen=True)
class PyramidRules:
    """How the pyramid is cut.

    ``by``: the column customers are ranked by (``sales``, ``margin``, ``sales_12m``, ``clv_12m``, ...);
    ``cuts``: the cumulative shares of customers down to the foot of platinum, gold and iron; the rest is
    lead.

    >>> PyramidRules().cuts
    (0.01, 0.05, 0.2)
    """

    by: str = "sales"
    cuts: tuple[float, float, float] = (0.01, 0.05, 0.20)

    def __post_init__(self) -> None:
        inside = len(self.cuts) == 3 and 0 < self.cuts[0] < self.cuts[1] < self.cuts[2] < 1
        if not inside:
            raise UsageError("rule_out_of_range", rule="cuts", got=self.cuts, allowed="0 < a < b < c < 1")


def _head_count(share: float, n: int) -> int:
    """The nearest whole number of customers, halves up (nine decimals keep 0.29 x 50 at 14.5)."""
    return math.floor(round(share * n, 9) + 0.5)


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


def pyramid(customers: pd.DataFrame, rules: PyramidRules | None = None) -> pd.DataFrame:
    """The tier of each customer, by rank of value (C8, C9; Zeithaml, Rust and Lemon 2001).

    One row per customer: ``customer_id``, ``value`` (the column ``rules.by``), ``tier`` (one of ``TIERS``).
    A cut holds cut x n customers, rounded to the nearest customer, halves up: 1% of 40 customers is
    nobody, of 50 is one, so a small table may have no platinum. Customers of equal value share a tier:
    where a cut falls among equals, all of them go to the lower tier (if all are equal, all are lead).
    Customers without a value rank last.

    Raises ``UsageError`` if ``rules.by`` is not a column of numbers, ``DataError`` if it holds no value at
    all.

    >>> customers = pd.DataFrame({"customer_id": [str(i) for i in range(100)], "sales": range(100)})
    >>> pyramid(customers)["tier"].value_counts(sort=False).to_dict()
    {'platinum': 1, 'gold': 4, 'iron': 15, 'lead': 80}
    """
    rules = rules or PyramidRules()
    values = _values(customers, rules.by)
    last_place = values.fillna(-np.inf).rank(method="max", ascending=False).to_numpy()
    heads = [_head_count(cut, len(values)) for cut in rules.cuts]
    codes = np.sum([last_place > head for head in heads], axis=0)
    tier = pd.Categorical.from_codes(codes, categories=TIERS, ordered=True)
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


def _shares(amounts: pd.Series) -> pd.Series:
    total = amounts.sum()
    return amounts / total if total != 0 else amounts * np.nan


def _known(values: object) -> np.ndarray:
    """The values in ascending order, missing ones left out."""
    array = np.sort(np.asarray(values, dtype=float))
    return array[~np.isnan(array)]


def lorenz(values: object) -> pd.DataFrame:
    """The Lorenz curve, from the smallest customer to the largest.

    One row per customer after a first row of zeros: ``share_customers`` (the smallest so many),
    ``share_value`` (what they hold together). Negative values count as they are, so the curve may start
    below zero; NaN where the total is not above zero. Missing values are left out.

    >>> lorenz([1, 3])["share_value"].tolist()
    [0.0, 0.25, 1.0]
    """
    ordered = _known(values)
    held = np.concatenate([[0.0], np.cumsum(ordered)])
    total = held[-1]
    share_value = held / total if total > 0 else np.full(len(held), np.nan)
    return pd.DataFrame({"share_customers": np.linspace(0, 1, len(held)), "share_value": share_value})


def gini(values: object) -> float:
    """The Gini coefficient: 0 if all customers are worth the same, (n - 1) / n if one of n holds everything.

    G = sum((2 i - n - 1) x_i) / (n sum(x)), x ascending. Negative values count as zero, so that the result
    stays between 0 and 1; NaN where nobody has a value above zero. Missing values are left out.

    >>> gini([0, 0, 0, 8])
    0.75
    """
    x = np.clip(_known(values), 0, None)
    n = len(x)
    if x.sum() == 0:
        return float("nan")
    return float(np.sum((2 * np.arange(1, n + 1) - n - 1) * x) / (n * x.sum()))


def top_share(values: object, share: float) -> float:
    """The share of all value that the top ``share`` of customers hold: the observed 20/80 law (C7).

    The number of customers is share x n rounded to the nearest, halves up; among equals it does not matter
    who is counted. Negative values count as they are, so the result may exceed 1. NaN where the total is
    not above zero.

    >>> top_share([60, 10, 10, 10, 10], 0.20)
    0.6
    """
    if not 0 <= share <= 1:
        raise UsageError("rule_out_of_range", rule="share", got=share, allowed="0..1")
    x = _known(values)
    if x.sum() <= 0:
        return float("nan")
    return float(x[len(x) - _head_count(share, len(x)) :].sum() / x.sum())


def law_of_20_80(values: object) -> str:
    """How the observed share of the top 20% compares with the 20/80 law (C7).

    ``steeper`` above 85%, ``flatter`` below 70%, ``holds`` between; ``few`` with fewer than 20 customers, ``unknown``
    where the total is not above zero.

    >>> law_of_20_80([1] * 100), law_of_20_80([5, 1])
    ('flatter', 'few')
    """
    top20 = top_share(values, 0.20)
    if len(_known(values)) < _FEWEST_FOR_SHARES:
        return "few"
    if not top20 >= 0:
        return "unknown"
    return "steeper" if top20 > 0.85 else "flatter" if top20 < 0.70 else "holds"
