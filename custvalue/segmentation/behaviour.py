"""Segments that act: every customer in the one whose rule fits first (C18)."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from custvalue.predicates import first_match
from custvalue.segmentation.rules import SegmentationRules

__all__ = ["SEGMENTS", "SEGMENT_PREDICATES", "behaviour_segments"]

#: Codes of the behaviour segments in the order they are shown.
SEGMENTS = ("monthly", "quarterly", "one_category", "lower_line", "occasional", "first_time", "dormant")


def _dormant(customers: pd.DataFrame, rules: SegmentationRules) -> pd.Series:
    return customers["days_since_last"] > rules.dormant_days


def _first_time(customers: pd.DataFrame, rules: SegmentationRules) -> pd.Series:
    return customers["n_repeats"] == 0


def _monthly(customers: pd.DataFrame, rules: SegmentationRules) -> pd.Series:
    return customers["mean_gap_days"] <= rules.monthly_days


def _quarterly(customers: pd.DataFrame, rules: SegmentationRules) -> pd.Series:
    return customers["mean_gap_days"] <= rules.quarterly_days


def _one_category(customers: pd.DataFrame, rules: SegmentationRules) -> pd.Series:
    return pd.to_numeric(customers["n_categories"]).eq(1).fillna(False).astype(bool)


def _lower_line(customers: pd.DataFrame, rules: SegmentationRules) -> pd.Series:
    values = customers["mean_order_value"]
    return values < values.quantile(rules.lower_line_quantile)


def _always(customers: pd.DataFrame, rules: SegmentationRules) -> pd.Series:
    return pd.Series(True, index=customers.index)


Predicate = Callable[[pd.DataFrame, SegmentationRules], pd.Series]

#: The behaviour segments as (code, predicate): the first that holds names the customer, the last always
#: holds.
SEGMENT_PREDICATES: tuple[tuple[str, Predicate], ...] = (
    ("dormant", _dormant),
    ("first_time", _first_time),
    ("monthly", _monthly),
    ("quarterly", _quarterly),
    ("one_category", _one_category),
    ("lower_line", _lower_line),
    ("occasional", _always),
)


def behaviour_segments(customers: pd.DataFrame, rules: SegmentationRules | None = None) -> pd.DataFrame:
    """The behaviour segment of each customer (C18): every customer has exactly one.

    One row per customer: ``customer_id``, ``segment`` (one of ``SEGMENTS``). Asked in this order, first
    match wins:

    - *dormant*: silent for more than ``dormant_days``;
    - *first_time*: bought on one day only;
    - *monthly*, *quarterly*: mean gap between purchase days at most ``monthly_days``, ``quarterly_days``;
    - *one_category*: bought from one category only (nobody where categories are unknown);
    - *lower_line*: mean order value below the ``lower_line_quantile`` of all customers given;
    - *occasional*: everybody else.

    The gap describes how a customer bought; whether he is late by his own rhythm is told by the churn
    stages.

    >>> customers = pd.DataFrame({"customer_id": ["a", "b"], "days_since_last": [10, 400],
    ...     "n_repeats": [3, 3], "mean_gap_days": [30.0, 30.0], "n_categories": [1, 1],
    ...     "mean_order_value": [5.0, 5.0]})
    >>> behaviour_segments(customers)["segment"].tolist()
    ['monthly', 'dormant']
    """
    rules = rules or SegmentationRules()
    segment = first_match(customers, SEGMENT_PREDICATES, SEGMENTS, rules)
    return pd.DataFrame({"customer_id": customers["customer_id"].array, "segment": segment})
