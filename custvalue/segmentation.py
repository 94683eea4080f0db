"""Customers cut into groups by behaviour: segments that act, RFM scores and clusters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from custvalue.predicates import check_rule, first_match

__all__ = [
    "CLUSTER_FEATURES",
    "SEGMENTS",
    "SEGMENT_PREDICATES",
    "SegmentationRules",
    "behaviour_segments",
    "cluster_centres",
    "cluster_customers",
    "rfm_scores",
    "score_cuts",
]

#: Codes of the behaviour segments in the order they are shown.
SEGMENTS = ("monthly", "quarterly", "one_category", "lower_line", "occasional", "first_time", "dormant")

#: Columns the clusters are cut on, each as sign(v) * log(1 + |v|), then standardised.
CLUSTER_FEATURES = ("days_since_last", "n_orders", "sales")

#: The most customers k-means is fitted on; the others are given to the nearest centre.
CLUSTER_SAMPLE = 50_000

_MEASURES = (("r_score", "days_since_last"), ("f_score", "n_orders"), ("m_score", "sales"))


@dataclass(frozen=True)
class SegmentationRules:
    """Thresholds of the segmentation.

    ``monthly_days``, ``quarterly_days``: longest mean gap between purchase days of the monthly and
    quarterly buyers; ``dormant_days``: silence after which a customer is dormant; ``lower_line_quantile``:
    customers whose mean order value is below this quantile of all customers buy the lower line;
    ``score_levels``: RFM scores run from 1 to this; ``clusters``: number of clusters; ``seed``: seed of the
    clustering.

    >>> SegmentationRules(dormant_days=180).monthly_days
    45
    """

    monthly_days: int = 45
    quarterly_days: int = 135
    dormant_days: int = 365
    lower_line_quantile: float = 0.5
    score_levels: int = 5
    clusters: int = 4
    seed: int = 1

    def __post_init__(self) -> None:
        check_rule("monthly_days", self.monthly_days, self.monthly_days > 0, "> 0")
        longer = self.quarterly_days >= self.monthly_days
        check_rule("quarterly_days", self.quarterly_days, longer, ">= monthly_days")
        check_rule("dormant_days", self.dormant_days, self.dormant_days > 0, "> 0")
        check_rule("lower_line_quantile", self.lower_line_quantile, 0 <= self.lower_line_quantile <= 1, "0..1")
        check_rule("score_levels", self.score_levels, 2 <= self.score_levels <= 9, "2..9")
        check_rule("clusters", self.clusters, self.clusters >= 1, ">= 1")


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
    return pd.DataFrame({"customer_id": customers["customer_id"].to_numpy(), "segment": segment})


def _score(values: pd.Series, levels: int) -> pd.Series:
    """1 + floor(levels * share of customers with a smaller value), in whole numbers."""
    n_worse = values.rank(method="min").astype("int64") - 1
    return 1 + levels * n_worse // max(len(values), 1)


def rfm_scores(customers: pd.DataFrame, rules: SegmentationRules | None = None) -> pd.DataFrame:
    """Recency, frequency and money scores, 1 to ``score_levels``, the highest for the best customers (C12).

    One row per customer: ``customer_id``, ``r_score`` (on ``days_since_last``, fewer is better),
    ``f_score`` (on ``n_orders``), ``m_score`` (on ``sales``), ``rfm`` (the three digits as text).

    score = 1 + floor(levels x share of customers strictly worse). Equal values have equal scores, so groups
    are not of equal size and a score may be left out where many customers are equal: if all are equal, all
    score 1. :func:`score_cuts` gives the cuts that result.

    >>> customers = pd.DataFrame({"customer_id": list("abcde"), "days_since_last": [1, 2, 3, 4, 5],
    ...                           "n_orders": [9, 1, 1, 1, 1], "sales": [50, 40, 30, 20, 10]})
    >>> rfm_scores(customers)["rfm"].tolist()
    ['555', '414', '313', '212', '111']
    """
    rules = rules or SegmentationRules()
    result = pd.DataFrame({"customer_id": customers["customer_id"].to_numpy()})
    for score, measure in _MEASURES:
        values = customers[measure].reset_index(drop=True)
        result[score] = _score(-values if measure == "days_since_last" else values, rules.score_levels)
    digits = [result[score].astype(str) for score, _ in _MEASURES]
    return result.assign(rfm=digits[0] + digits[1] + digits[2])


def score_cuts(customers: pd.DataFrame, rules: SegmentationRules | None = None) -> pd.DataFrame:
    """The cuts behind :func:`rfm_scores`.

    One row per measure and score in use: ``measure`` (``days_since_last``, ``n_orders``, ``sales``),
    ``score``, ``lowest`` and ``highest`` value that has the score (unit of the measure), ``n_customers``.

    >>> customers = pd.DataFrame({"customer_id": list("ab"), "days_since_last": [1, 2], "n_orders": [1, 1],
    ...                           "sales": [5.0, 9.0]})
    >>> score_cuts(customers).tail(2)
      measure  score  lowest  highest  n_customers
    3   sales      1     5.0      5.0            1
    4   sales      3     9.0      9.0            1
    """
    scores = rfm_scores(customers, rules)
    blocks = []
    for score, measure in _MEASURES:
        values = customers[measure].reset_index(drop=True).groupby(scores[score].rename("score"))
        block = values.agg(lowest="min", highest="max", n_customers="size").reset_index()
        blocks.append(block.assign(measure=measure))
    cuts = pd.concat(blocks, ignore_index=True)
    return cuts[["measure", "score", "lowest", "highest", "n_customers"]]


def _features(customers: pd.DataFrame) -> np.ndarray:
    values = customers[list(CLUSTER_FEATURES)].to_numpy(dtype=float)
    return np.sign(values) * np.log1p(np.abs(values))


def _kmeans_labels(features: np.ndarray, rules: SegmentationRules) -> np.ndarray:
    from sklearn.cluster import KMeans
    from sklearn.preprocessing import StandardScaler

    points = StandardScaler().fit_transform(features)
    size = min(len(points), CLUSTER_SAMPLE)
    sample = points[np.random.default_rng(rules.seed).choice(len(points), size, replace=False)]
    k = min(rules.clusters, len(np.unique(sample, axis=0)))
    return KMeans(n_clusters=k, n_init=10, random_state=rules.seed).fit(sample).predict(points)


def _number_by_sales(labels: pd.Series, sales: pd.Series) -> pd.Categorical:
    order = sales.groupby(labels).mean().sort_values(ascending=False, kind="stable").index
    names = {label: str(number) for number, label in enumerate(order, start=1)}
    return pd.Categorical(labels.map(names), categories=list(names.values()), ordered=True)


def cluster_customers(customers: pd.DataFrame, rules: SegmentationRules | None = None) -> pd.DataFrame:
    """Customers grouped by likeness with k-means (C17).

    One row per customer: ``customer_id``, ``cluster`` ("1" to "k", "1" with the highest mean sales). The
    features are ``CLUSTER_FEATURES`` as sign(v) log(1 + |v|), standardised. Fitted with 10 starts from
    ``seed`` on at most 50,000 customers drawn at random; everybody is given to the nearest centre. There
    are fewer than ``clusters`` clusters where there are fewer distinct customers. The order of the rows
    does not change the result.

    >>> customers = pd.DataFrame({"customer_id": list("abcd"), "days_since_last": [300, 2, 310, 3],
    ...                           "n_orders": [1, 20, 1, 22], "sales": [10.0, 900.0, 11.0, 950.0]})
    >>> cluster_customers(customers, SegmentationRules(clusters=2))["cluster"].tolist()
    ['2', '1', '2', '1']
    """
    rules = rules or SegmentationRules()
    ordered = customers.sort_values("customer_id")
    labels = _kmeans_labels(_features(ordered), rules) if len(ordered) else np.empty(0, dtype=int)
    labels = pd.Series(labels, index=ordered.index).reindex(customers.index)
    cluster = _number_by_sales(labels, customers["sales"])
    return pd.DataFrame({"customer_id": customers["customer_id"].to_numpy(), "cluster": cluster})


def cluster_centres(customers: pd.DataFrame, clusters: pd.DataFrame) -> pd.DataFrame:
    """The typical customer of each cluster.

    One row per cluster: ``cluster``, ``n_customers``, and the median of each of ``CLUSTER_FEATURES`` in its
    own unit.

    >>> customers = pd.DataFrame({"customer_id": ["a", "b"], "days_since_last": [300, 2], "n_orders": [1, 20],
    ...                           "sales": [10.0, 900.0]})
    >>> cluster_centres(customers, cluster_customers(customers))
      cluster  n_customers  days_since_last  n_orders  sales
    0       1            1              2.0      20.0  900.0
    1       2            1            300.0       1.0   10.0
    """
    table = customers.merge(clusters[["customer_id", "cluster"]], on="customer_id", validate="one_to_one")
    groups = table.groupby("cluster", observed=False)
    sizes = groups.size().rename("n_customers")
    return pd.concat([sizes, groups[list(CLUSTER_FEATURES)].median()], axis=1).reset_index()
