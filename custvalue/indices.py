"""Weighted indices of named parts: what makes up the current value and the growth potential of a customer."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from custvalue.errors import DataError, UsageError, nearest
from custvalue.ids import places
from custvalue.predicates import check_rule
from custvalue.ranking import mean_ranks
from custvalue.referrals import referral_value

__all__ = [
    "CURRENT_PARTS",
    "JUDGED",
    "POTENTIAL_PARTS",
    "SCALE_POINTS",
    "Scale",
    "aligned",
    "attribute",
    "beside",
    "check_weights",
    "coverage",
    "current_parts",
    "percentile",
    "potential_parts",
    "share_of_wallet",
    "usual_gap",
    "weighted_index",
]

#: The parts of the current value (C11).
CURRENT_PARTS = ("purchase", "service_cost", "image")
#: The parts of the growth potential (C11, C5, C6).
POTENTIAL_PARTS = ("growth", "wallet", "breadth", "activity", "future", "referrals", "knowledge")
#: Parts that only people can judge, and the columns of the customers file that hold their scores.
JUDGED = {"image": "image_score", "knowledge": "knowledge_score"}

_TWO_YEARS = 2 * 365


def check_weights(rule: str, weights: Mapping[str, Any], allowed: Collection[str], counted: Collection[str]) -> None:
    """Refuse weights of unknown parts, that are no number, negative, or of which nothing counts.

    >>> check_weights("w", {"growth": 1}, POTENTIAL_PARTS, POTENTIAL_PARTS)
    """
    for part, weight in weights.items():
        if part not in allowed:
            close = nearest(part, allowed)
            raise UsageError("unknown_weight", got=part, nearest=close, allowed=", ".join(allowed))
        number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
        if not number or not math.isfinite(weight) or weight < 0:
            raise UsageError("weight_not_number", rule=rule, part=part, got=repr(weight))
    check_rule(rule, dict(weights), sum(weights.get(part, 0) for part in counted) > 0, ">= 0, sum > 0")


@dataclass(frozen=True)
class Scale:
    """Where values of a part stand among the customers of one month: ``values``, rising, and their ``ranks``, 0 to 100.

    Up to 2,000 values all of them, else 2,000 spread evenly over the ranks; values between are interpolated.
    """

    values: tuple[float, ...]
    ranks: tuple[float, ...]

    @classmethod
    def of(cls, values: pd.Series) -> Scale:
        """The scale of the known values of a month.

        >>> Scale.of(pd.Series([1.0, 5.0, None, 5.0])).values
        (1.0, 5.0)
        """
        known = pd.DataFrame({"value": values, "rank": percentile(values)}).dropna().drop_duplicates("value")
        known = known.sort_values("value")
        if len(known) > SCALE_POINTS:
            wanted = np.linspace(known["rank"].iloc[0], known["rank"].iloc[-1], SCALE_POINTS)
            known = known.iloc[np.unique(np.searchsorted(known["rank"], wanted).clip(max=len(known) - 1))]
        return cls(tuple(known["value"].tolist()), tuple(known["rank"].tolist()))


#: A scale holds at most so many values: ranks are then right to a twentieth of a point of a hundred.
SCALE_POINTS = 2_000


def percentile(values: pd.Series, scale: Scale | None = None) -> pd.Series:
    """0 to 100: the share of the known values below, equal ones counted half; missing stays missing.

    With a ``scale`` it is the place among the customers of that month.

    >>> percentile(pd.Series([1.0, 5.0, None, 5.0])).round(1).tolist()
    [16.7, 66.7, nan, 66.7]
    """
    if scale is None or not scale.values:
        return 100 * (mean_ranks(values) - 0.5) / values.notna().sum()
    return pd.Series(np.interp(values.astype(float), scale.values, scale.ranks), index=values.index)


def weighted_index(
    parts: Mapping[str, pd.Series], weights: Mapping[str, float], scales: Mapping[str, Scale] | None = None
) -> pd.Series:
    """The weighted mean of the percentiles of the known parts of each customer; 50 where nothing is known.

    ``scales`` of another month, by part, take the place of that of these customers.

    >>> parts = {"a": pd.Series([1.0, 2.0]), "b": pd.Series([9.0, None])}
    >>> weighted_index(parts, {"a": 3, "b": 1}).tolist()
    [31.25, 75.0]
    """
    index = next(iter(parts.values())).index
    total, weight = np.zeros(len(index)), np.zeros(len(index))
    for name, values in parts.items():
        ranks = percentile(values, (scales or {}).get(name)).to_numpy(dtype=float)
        known = ~np.isnan(ranks)
        total += weights.get(name, 0) * np.where(known, ranks, 0.0)
        weight += weights.get(name, 0) * known
    return pd.Series(np.divide(total, weight, out=np.full(len(index), 50.0), where=weight > 0), index=index)


def coverage(parts: Mapping[str, pd.Series], weights: Mapping[str, float], index: str) -> pd.DataFrame:
    """What an index is made of: one row per part with a weight.

    Columns: ``index_of`` (the index), ``part``, ``weight``, ``n_known`` (customers of whom it is known) and
    ``share_known``.

    >>> coverage({"growth": pd.Series([0.5, None])}, {"growth": 2}, "potential")["share_known"].tolist()
    [0.5]
    """
    rows = [(index, name, float(weights[name]), int(values.notna().sum())) for name, values in parts.items()]
    table = pd.DataFrame(rows, columns=["index_of", "part", "weight", "n_known"])
    n = len(next(iter(parts.values())))
    return table.assign(share_known=table["n_known"] / n if n else np.nan)


def _same_rows(customers: pd.DataFrame, attributes: pd.DataFrame) -> bool:
    ids, others = (table["customer_id"].reset_index(drop=True) for table in (customers, attributes))
    return ids.equals(others)


def _rows(customers: pd.DataFrame, attributes: pd.DataFrame) -> np.ndarray:
    """The row of each customer among the attributes, -1 where there is none; an id that is there twice is refused."""
    ids = attributes["customer_id"]
    found = places(ids, customers["customer_id"])
    known = found >= 0
    if (np.bincount(found[known], minlength=1) > 1).any() or ids[~known].duplicated().any():
        repeated = ids[ids.duplicated()].unique()
        raise DataError("attribute_ids_repeat", n=len(repeated), example=repeated[0])
    rows = np.full(len(customers), -1)
    rows[found[known]] = np.flatnonzero(known)
    return rows


def aligned(customers: pd.DataFrame, attributes: pd.DataFrame | None) -> pd.DataFrame | None:
    """The attributes of just these customers, row by row; missing where a customer has none.

    >>> attributes = pd.DataFrame({"customer_id": ["b", "c"], "age": [7, 8]})
    >>> aligned(pd.DataFrame({"customer_id": ["a", "b"]}), attributes)["age"].tolist()
    [nan, 7.0]
    """
    if attributes is None or _same_rows(customers, attributes):
        return attributes
    rows = _rows(customers, attributes)
    found = attributes.drop(columns="customer_id").reset_index(drop=True).reindex(rows)
    return found.set_axis(customers.index).assign(customer_id=customers["customer_id"])


def beside(customers: pd.DataFrame, attributes: pd.DataFrame | None) -> pd.DataFrame:
    """The customers with their attributes beside them (:func:`aligned`); a column that both have is that of customers.

    >>> attributes = pd.DataFrame({"customer_id": ["b", "c"], "age": [7, 8]})
    >>> beside(pd.DataFrame({"customer_id": ["a", "b"]}), attributes)["age"].tolist()
    [nan, 7.0]
    """
    customers = customers.reset_index(drop=True)
    if attributes is None:
        return customers
    further = aligned(customers, attributes).reset_index(drop=True)
    return pd.concat([customers, further[further.columns.difference(customers.columns, sort=False)]], axis=1)


def attribute(customers: pd.DataFrame, attributes: pd.DataFrame | None, column: str) -> pd.Series:
    """A column of numbers of the customers file, in the order of the customer table; missing where not known.

    Raises ``DataError`` if the file holds a customer twice or the column is not of numbers.

    >>> attributes = pd.DataFrame({"customer_id": ["b"], "service_cost": [7]})
    >>> attribute(pd.DataFrame({"customer_id": ["a", "b"]}), attributes, "service_cost").tolist()
    [nan, 7.0]
    """
    if attributes is None or column not in attributes:
        return pd.Series(np.nan, index=customers.index)
    given = aligned(customers, attributes[["customer_id", column]])[column]
    numbers = given if is_numeric_dtype(given) and not is_bool_dtype(given) else pd.to_numeric(given, errors="coerce")
    numbers = numbers.astype(float).where(np.isfinite(numbers.astype(float)))
    wrong = given[numbers.isna() & given.notna()]
    if len(wrong):
        raise DataError("attribute_not_number", column=column, n=len(wrong), example=str(wrong.iloc[0]))
    return pd.Series(numbers.to_numpy(), index=customers.index)


def _judged(
    customers: pd.DataFrame, attributes: pd.DataFrame | None, judgement: Mapping[str, str]
) -> dict[str, pd.Series]:
    """The judged parts; a column that somebody has named must be there."""
    there = [] if attributes is None else [str(column) for column in attributes]
    for part, column in judgement.items():
        if column not in there and JUDGED.get(part) != column:
            allowed = ", ".join(there) or "-"
            raise UsageError("unknown_judgement", part=part, got=column, allowed=allowed)
    return {part: attribute(customers, attributes, column) for part, column in judgement.items()}


def current_parts(
    customers: pd.DataFrame, attributes: pd.DataFrame | None = None, judgement: Mapping[str, str] = JUDGED
) -> dict[str, pd.Series]:
    """The parts of the current value, each one number per customer (C11).

    ``purchase``: margin of the last 12 months, of sales where nobody's margin is known (a missing margin among known
    ones is a year without orders: 0); ``service_cost``: money a year of that column of ``attributes``; and every
    judged part (higher is better).

    >>> table = pd.DataFrame({"customer_id": ["a"], "sales_12m": [9.0], "margin_12m": [None]})
    >>> current_parts(table)["purchase"].tolist()
    [9.0]
    """
    known = customers["margin_12m"].notna().any()
    purchase = customers["margin_12m" if known else "sales_12m"].astype(float).fillna(0.0)
    cost = attribute(customers, attributes, "service_cost")
    return {"purchase": purchase, "service_cost": cost, **_judged(customers, attributes, judgement)}


def _growth(customers: pd.DataFrame) -> pd.Series:
    now, before = customers["sales_12m"].clip(lower=0), customers["sales_prior_12m"].clip(lower=0)
    both = (now + before).where((now + before > 0) & (customers["tenure_days"] >= _TWO_YEARS))
    return (now - before) / both


def _breadth(customers: pd.DataFrame) -> pd.Series:
    bought = pd.to_numeric(customers["n_categories"]).astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    return pd.Series(-bought, index=customers.index)


def usual_gap(customers: pd.DataFrame) -> float:
    """The median of the customers' mean gaps, in days; 1 where nobody came back.

    >>> usual_gap(pd.DataFrame({"mean_gap_days": [10.0, 30.0, None]}))
    20.0
    """
    gaps = customers["mean_gap_days"]
    return float(gaps.median()) if gaps.notna().any() else 1.0


def _activity(customers: pd.DataFrame, gap: float | None) -> pd.Series:
    gaps = customers["mean_gap_days"]
    typical = usual_gap(customers) if gap is None else gap
    return -customers["days_since_last"] / gaps.fillna(typical)


def _referrals(customers: pd.DataFrame, attributes: pd.DataFrame | None, share: float) -> pd.Series:
    """What the customers brought are worth; missing for everybody where nobody is known to have brought one."""
    by = "margin_12m" if customers["margin_12m"].notna().any() else "sales_12m"
    found = referral_value(customers, attributes, by, share)
    brought = pd.Series(found.table["brought_value"].to_numpy(), index=customers.index)
    return brought * np.nan if "none" in found.notes else brought


def potential_parts(
    customers: pd.DataFrame,
    attributes: pd.DataFrame | None = None,
    judgement: Mapping[str, str] = JUDGED,
    referral_share: float = 1.0,
    gap: float | None = None,
) -> dict[str, pd.Series]:
    """The parts of the growth potential, each one number per customer, higher is more (C11, C5, C6).

    ``growth``: (a - b) / (a + b), sales of the last 12 months a, of the 12 months before b, from two years of tenure
    on; ``wallet``: ``category_spend_year`` of ``attributes`` less the sales of the last 12 months, at least 0;
    ``breadth``: fewer categories bought is more; ``activity``: minus the days since the last purchase over the
    customer's own mean gap (one-time buyers: the median gap of the others, or ``gap``); ``future``: ``clv_12m`` where
    the table has it; ``referrals``: margin (else sales) of the last 12 months of the customers brought, see
    :func:`custvalue.referrals.referral_value`; and every judged part.

    >>> table = pd.DataFrame({"customer_id": ["a"], "sales_12m": [90.0], "sales_prior_12m": [30.0], "margin_12m": [9.0],
    ...     "tenure_days": 900, "days_since_last": [10], "mean_gap_days": [20.0], "n_categories": [2]})
    >>> parts = potential_parts(table)
    >>> parts["growth"].tolist(), parts["activity"].tolist(), parts["wallet"].tolist()
    ([0.5], [-0.5], [nan])
    """
    spend = attribute(customers, attributes, "category_spend_year")
    expected = customers["clv_12m"] if "clv_12m" in customers else pd.Series(np.nan, index=customers.index)
    return {
        "growth": _growth(customers),
        "wallet": (spend - customers["sales_12m"]).clip(lower=0),
        "breadth": _breadth(customers),
        "activity": _activity(customers, gap),
        "future": expected.astype(float),
        "referrals": _referrals(customers, attributes, referral_share),
        **_judged(customers, attributes, judgement),
    }


def share_of_wallet(groups: pd.DataFrame, by: str, attributes: pd.DataFrame | None) -> pd.DataFrame:
    """What part of the customers' whole spend in the category comes to us (C6), by group.

    ``groups`` is a customer table with a column of codes ``by``. One row per code: ``by``, ``n_known`` (customers with
    ``category_spend_year`` above zero), ``sales_12m`` and ``category_spend_year`` (their sums), ``share_of_wallet``
    (the first over the second; above 1 where the stated spend is too low). No rows where nobody's spend is known.

    >>> groups = pd.DataFrame({"customer_id": ["a", "b"], "tier": ["x", "x"], "sales_12m": [100.0, 300.0]})
    >>> attributes = pd.DataFrame({"customer_id": ["a", "b"], "category_spend_year": [1000, None]})
    >>> share_of_wallet(groups, "tier", attributes)["share_of_wallet"].tolist()
    [0.1]
    """
    table = groups.assign(category_spend_year=attribute(groups, attributes, "category_spend_year"))
    known = table[table["category_spend_year"] > 0].groupby(by, observed=True)
    sums = known[["sales_12m", "category_spend_year"]].sum()
    sums.insert(0, "n_known", known.size())
    return sums.assign(share_of_wallet=sums["sales_12m"] / sums["category_spend_year"]).reset_index()
