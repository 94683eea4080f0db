"""Customers grouped by likeness with k-means: a small table of centres that can be kept and used again (C17)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from custvalue.errors import DataError
from custvalue.ids import joined
from custvalue.segmentation.choice import chosen_number, cluster_evidence
from custvalue.segmentation.features import (
    CLUSTER_FEATURES,
    kmeans,
    one_thread,
    positions_of_sample,
    scale_of,
    transformed,
)
from custvalue.segmentation.rules import SegmentationRules

__all__ = [
    "CLUSTER_TRAITS",
    "assign_clusters",
    "cluster_agreement",
    "cluster_centres",
    "cluster_customers",
    "cluster_model",
    "kept_model",
    "match_clusters",
]

#: The most customers k-means is fitted on; the others are given to the nearest centre.
CLUSTER_SAMPLE = 50_000

#: What a centre is called that lies low or high in a feature, by at least half a standard deviation.
CLUSTER_TRAITS = {
    "days_since_last": ("recent", "silent"),
    "n_orders": ("seldom", "frequent"),
    "sales": ("low_spend", "high_spend"),
}
_FAR = 0.5
_COLUMNS = ["cluster", "feature", "mean", "spread", "centre"]


def _centres(model: pd.DataFrame) -> pd.DataFrame:
    """The centres of a model in standard deviations: a row per cluster, a column per feature."""
    wide = model.pivot(index="cluster", columns="feature", values="centre")[list(CLUSTER_FEATURES)]
    return wide.loc[sorted(wide.index, key=int)]


def _scale(model: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    scale = model.drop_duplicates("feature").set_index("feature").loc[list(CLUSTER_FEATURES)]
    return scale["mean"].to_numpy(), scale["spread"].to_numpy()


def _model(numbers: Sequence[str], centres: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> pd.DataFrame:
    k, n_features = centres.shape
    columns = {
        "cluster": np.repeat(numbers, n_features),
        "feature": np.tile(CLUSTER_FEATURES, k),
        "mean": np.tile(mean, k),
        "spread": np.tile(spread, k),
        "centre": centres.ravel(),
    }
    return pd.DataFrame(columns).astype({"cluster": "str", "feature": "str"})


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    from sklearn.metrics import pairwise_distances_argmin

    # Only rows that lie together in memory are compared the fast way.
    return pairwise_distances_argmin(np.ascontiguousarray(points), centres) if len(points) else np.empty(0, dtype=int)


def _fit(points: np.ndarray, k: int, seed: int) -> np.ndarray:
    with one_thread():
        return kmeans(points, min(k, len(pd.DataFrame(points).drop_duplicates())), seed, 10).cluster_centers_


def cluster_model(
    customers: pd.DataFrame, rules: SegmentationRules | None = None, evidence: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The centres of k-means clusters, as a table to keep and to assign customers by (C17).

    One row per cluster and feature: ``cluster`` ("1" to "k", "1" with the highest mean sales), ``feature`` (one of
    ``CLUSTER_FEATURES``), ``mean`` and ``spread`` of the feature as sign(v) log(1 + |v|) over the customers,
    ``centre`` of the cluster in standard deviations from that mean. Empty where there are no customers.

    ``rules.clusters`` says how many; 0: the number chosen by ``evidence`` (:func:`cluster_evidence`, made here if
    not given). Fitted with 10 starts from ``seed`` on at most 50,000 customers drawn by a hash of their number.
    There are fewer clusters where there are fewer distinct customers. The order of the rows does not change the
    result.

    >>> customers = pd.DataFrame({"customer_id": list("abcd"), "days_since_last": [300, 2, 310, 3],
    ...                           "n_orders": [1, 20, 1, 22], "sales": [10.0, 900.0, 11.0, 950.0]})
    >>> cluster_model(customers, SegmentationRules(clusters=2)).round(2).head(3)
      cluster          feature  mean  spread  centre
    0       1  days_since_last  3.48    2.24    -1.0
    1       1         n_orders  1.89    1.20     1.0
    2       1            sales  4.64    2.19     1.0
    """
    rules = rules or SegmentationRules()
    points = transformed(customers)
    if not len(points):
        return _model((), np.empty((0, len(CLUSTER_FEATURES))), np.empty(0), np.empty(0))
    k = rules.clusters or chosen_number(cluster_evidence(customers, rules) if evidence is None else evidence)
    mean, spread = scale_of(points)
    points = (points - mean) / spread
    centres = _fit(points[positions_of_sample(customers["customer_id"], CLUSTER_SAMPLE, rules.seed)], k, rules.seed)
    sales = customers["sales"].groupby(_nearest(points, centres)).mean().reindex(range(len(centres)))
    order = sales.sort_values(ascending=False, kind="stable").index
    return _model([str(number) for number in range(1, len(order) + 1)], centres[order], mean, spread)


def kept_model(table: pd.DataFrame, file: str = "clusters.csv") -> pd.DataFrame:
    """A model read from a file, checked: every cluster with one row per feature, all numbers there.

    Raises ``DataError`` naming what is missing.

    >>> kept_model(pd.DataFrame({"cluster": ["1"]}))
    Traceback (most recent call last):
    custvalue.errors.DataError: clusters.csv holds no kept clusters: it lacks feature, mean, spread, centre and has ...
    """
    missing = [name for name in _COLUMNS if name not in table]
    if missing or table.empty:
        got = ", ".join(map(str, table.columns))
        raise DataError("clusters_columns", file=file, missing=", ".join(missing) or "rows", got=got)
    numbers = table[["mean", "spread", "centre"]].apply(pd.to_numeric, errors="coerce").astype(float)
    model = table[["cluster", "feature"]].astype(str).join(numbers)
    whole = np.isfinite(numbers).all(axis=1) & (numbers["spread"] > 0) & model["cluster"].str.fullmatch(r"[1-9]\d{0,3}")
    for cluster, rows in model.groupby("cluster"):
        if sorted(rows["feature"]) != sorted(CLUSTER_FEATURES) or not whole[rows.index].all():
            allowed = ", ".join(CLUSTER_FEATURES)
            raise DataError("clusters_incomplete", file=file, got=cluster, allowed=allowed)
    return model


def assign_clusters(customers: pd.DataFrame, model: pd.DataFrame) -> pd.DataFrame:
    """Each customer in the cluster whose centre is nearest, by a model of this or of an earlier month.

    One row per customer: ``customer_id``, ``cluster`` (ordered categorical of the numbers of the model). Kept
    centres keep their names: a customer changes cluster only by changing himself.

    >>> rules = SegmentationRules(clusters=2)
    >>> before = pd.DataFrame({"customer_id": list("abcd"), "days_since_last": [300, 2, 310, 3],
    ...                        "n_orders": [1, 20, 1, 22], "sales": [10.0, 900.0, 11.0, 950.0]})
    >>> now = before.assign(days_since_last=[2, 2, 310, 3], n_orders=[15, 20, 1, 22], sales=800.0)
    >>> assign_clusters(now, cluster_model(before, rules))["cluster"].tolist()
    ['1', '1', '2', '1']
    """
    centres, (mean, spread) = _centres(model), _scale(model)
    numbers = centres.index.to_numpy(dtype=object)
    nearest = _nearest((transformed(customers) - mean) / spread, centres.to_numpy())
    cluster = pd.Categorical.from_codes(nearest, categories=numbers, ordered=True)
    return pd.DataFrame({"customer_id": customers["customer_id"].array, "cluster": cluster})


def cluster_customers(
    customers: pd.DataFrame, rules: SegmentationRules | None = None, model: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Customers grouped by likeness with k-means (C17): :func:`assign_clusters` by :func:`cluster_model`.

    One row per customer: ``customer_id``, ``cluster`` ("1" to "k", "1" with the highest mean sales, or the numbers
    of the ``model`` given).

    >>> customers = pd.DataFrame({"customer_id": list("abcd"), "days_since_last": [300, 2, 310, 3],
    ...                           "n_orders": [1, 20, 1, 22], "sales": [10.0, 900.0, 11.0, 950.0]})
    >>> cluster_customers(customers, SegmentationRules(clusters=2))["cluster"].tolist()
    ['2', '1', '2', '1']
    """
    model = cluster_model(customers, rules) if model is None else model
    if model.empty:
        cluster = pd.Categorical([], ordered=True)
        return pd.DataFrame({"customer_id": customers["customer_id"].array, "cluster": cluster})
    return assign_clusters(customers, model)


def match_clusters(before: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """The model ``now`` with the numbers of the clusters of ``before`` that lie nearest, so that names stay.

    Both as :func:`cluster_model` gives them; the result too, in the order of the new numbers. The centres of both
    are laid over each other in standard deviations of ``now``, and the pairing with the smallest sum of squared
    distances is taken (Kuhn 1955). A cluster without a partner has a number nobody had before.

    >>> customers = pd.DataFrame({"customer_id": list("abcd"), "days_since_last": [300, 2, 310, 3],
    ...                           "n_orders": [1, 20, 1, 22], "sales": [10.0, 900.0, 11.0, 950.0]})
    >>> now = cluster_model(customers, SegmentationRules(clusters=2))
    >>> before = now.assign(cluster=now["cluster"].replace({"1": "2", "2": "1"}))
    >>> match_clusters(before, now)["centre"].round().tolist()
    [1.0, -1.0, -1.0, -1.0, 1.0, 1.0]
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    old, new, (mean, spread), (mean_old, spread_old) = _centres(before), _centres(now), _scale(now), _scale(before)
    moved = (old.to_numpy() * spread_old + mean_old - mean) / spread
    rows, columns = linear_sum_assignment(cdist(new.to_numpy(), moved, "sqeuclidean"))
    found = dict(zip(rows, old.index[columns], strict=True))
    free = max(map(int, old.index)) + 1
    unpaired = [row for row in range(len(new)) if row not in found]
    found |= {row: str(free + place) for place, row in enumerate(unpaired)}
    order = sorted(found, key=lambda row: int(found[row]))
    return _model([found[row] for row in order], new.to_numpy()[order], mean, spread)


def cluster_agreement(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """How far two ways to group the same customers agree: the adjusted Rand index (1: alike, about 0: by chance).

    Both tables hold ``customer_id`` and ``cluster``; customers in one of them only are left out. NaN where nobody
    is in both.

    >>> one = pd.DataFrame({"customer_id": list("abcd"), "cluster": list("1122")})
    >>> cluster_agreement(one, one.assign(cluster=list("2211")))
    1.0
    """
    from sklearn.metrics import adjusted_rand_score

    other = other[["customer_id", "cluster"]].rename(columns={"cluster": "cluster_other"})
    both = joined(one[["customer_id", "cluster"]], other)
    codes = [pd.factorize(both[name])[0] for name in ("cluster", "cluster_other")]
    return float(adjusted_rand_score(*codes)) if len(both) else float("nan")


def _traits(centre: pd.Series) -> str:
    sides = [CLUSTER_TRAITS[feature][int(z > 0)] for feature, z in centre.items() if abs(z) >= _FAR]
    return " ".join(sides) or "middling"


def cluster_centres(customers: pd.DataFrame, clusters: pd.DataFrame, model: pd.DataFrame) -> pd.DataFrame:
    """The typical customer of each cluster, and what sets it apart.

    One row per cluster: ``cluster``; ``traits``, codes of ``CLUSTER_TRAITS`` with blanks between them for the features
    in which the centre lies half a standard deviation or more from the mean of all customers (``middling`` where
    there is none); ``n_customers``, ``share_customers``, and the median of each of ``CLUSTER_FEATURES`` in its own
    unit.

    >>> customers = pd.DataFrame({"customer_id": ["a", "b"], "days_since_last": [300, 2], "n_orders": [1, 20],
    ...                           "sales": [10.0, 900.0]})
    >>> model = cluster_model(customers, SegmentationRules(clusters=2))
    >>> cluster_centres(customers, cluster_customers(customers, model=model), model)["traits"].tolist()
    ['recent frequent high_spend', 'silent seldom low_spend']
    """
    table = joined(customers[["customer_id", *CLUSTER_FEATURES]], clusters[["customer_id", "cluster"]])
    groups = table.groupby("cluster", observed=False)
    sizes = groups.size().rename("n_customers")
    medians = groups[list(CLUSTER_FEATURES)].median()
    result = pd.concat([sizes, (sizes / max(len(table), 1)).rename("share_customers"), medians], axis=1).reset_index()
    traits = _centres(model).apply(_traits, axis=1).reindex(result["cluster"].astype(str))
    result.insert(1, "traits", traits.to_numpy())
    return result
