"""How many clusters: silhouette, agreement of refits on resamples and size, for 2 to 8 clusters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from custvalue.segmentation.features import kmeans, one_thread, positions_of_sample, scale_of, transformed
from custvalue.segmentation.rules import SegmentationRules

if TYPE_CHECKING:
    from sklearn.cluster import KMeans

__all__ = ["chosen_number", "cluster_evidence", "cluster_notes"]

#: The most customers the choice is made on, the numbers tried, and the least customers a cluster on average.
CHOICE_SAMPLE, NUMBERS, LEAST_A_CLUSTER = 2_000, range(2, 9), 10

#: Refits on resamples, clouds without clusters, and the most points of such a cloud.
_REFITS, _DRAWS, _CLOUD = 10, 5, 1_000
_COLUMNS = ["n_clusters", "silhouette", "silhouette_chance", "stability", "smallest_share", "chosen"]


def _distances(points: np.ndarray) -> np.ndarray:
    from sklearn.metrics import euclidean_distances

    return euclidean_distances(points)


def _silhouette(distances: np.ndarray, labels: np.ndarray) -> float:
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(distances, labels, metric="precomputed"))


def _stability(points: np.ndarray, model: KMeans, seed: int) -> float:
    from sklearn.metrics import adjusted_rand_score

    rng, agreement = np.random.default_rng(seed), []
    for _ in range(_REFITS):
        again = kmeans(points[rng.integers(0, len(points), len(points))], model.n_clusters, seed, 3)
        agreement.append(adjusted_rand_score(model.labels_, again.predict(points)))
    return float(np.mean(agreement))


def _clouds(points: np.ndarray, seed: int) -> list[np.ndarray]:
    """Clouds without clusters: normal draws with the variances and correlations of the points."""
    rng, spread = np.random.default_rng(seed), np.cov(points, rowvar=False)
    size = min(len(points), _CLOUD)
    return [rng.multivariate_normal(np.zeros(points.shape[1]), spread, size) for _ in range(_DRAWS)]


def _row(
    points: np.ndarray, distances: np.ndarray, clouds: list[tuple[np.ndarray, np.ndarray]], k: int, seed: int
) -> dict[str, float]:
    model = kmeans(points, k, seed, 5)
    return {
        "n_clusters": k,
        "silhouette": _silhouette(distances, model.labels_),
        "silhouette_chance": max(_silhouette(apart, kmeans(cloud, k, seed, 3).labels_) for cloud, apart in clouds),
        "stability": _stability(points, model, seed),
        "smallest_share": np.bincount(model.labels_).min() / len(points),
    }


def _rows(points: np.ndarray, numbers: Iterable[int], seed: int) -> list[dict[str, float]]:
    """What speaks for each number of clusters; ``silhouette_chance`` is the best silhouette of the clouds."""
    distances = _distances(points)
    clouds = [(cloud, _distances(cloud)) for cloud in _clouds(points, seed)]
    return [_row(points, distances, clouds, k, seed) for k in numbers]


def _chosen(table: pd.DataFrame, rules: SegmentationRules) -> pd.Series:
    fits = (table["stability"] >= rules.cluster_stability) & (table["smallest_share"] >= rules.smallest_cluster)
    lead = (table["silhouette"] - table["silhouette_chance"]).where(fits)
    return lead.eq(lead.max())


def cluster_evidence(customers: pd.DataFrame, rules: SegmentationRules | None = None) -> pd.DataFrame:
    """What speaks for each number of clusters from 2 to 8, and the number chosen (C17).

    One row per number tried: ``n_clusters``; ``silhouette`` (-1 to 1, mean over customers of how much nearer the
    own cluster is than the next; Rousseeuw 1987); ``silhouette_chance``, the highest of five clouds of as many
    points (at most 1,000) with the same variances and correlations and no clusters at all; ``stability``, the mean
    adjusted Rand index (Hubert and Arabie 1985) between the clusters and those of ten refits on resamples with
    replacement, both told for the same customers; ``smallest_share`` of the customers; ``chosen``.

    Chosen is, of the numbers that are stable (``cluster_stability``) and have no cluster below
    ``smallest_cluster``, the one whose silhouette lies highest above ``silhouette_chance``; none where there is no
    such number. (The silhouette alone would nearly always choose 2.) At least 10 customers a cluster are asked
    for, so below 20 the table is empty. It is made on at most 2,000 customers drawn by a hash of their number.

    >>> customers = pd.DataFrame({"customer_id": [f"c{i}" for i in range(40)], "days_since_last": [300, 2] * 20,
    ...                           "n_orders": [1, 20] * 20, "sales": [10.0, 900.0] * 20})
    >>> evidence = cluster_evidence(customers)
    >>> chosen_number(evidence), cluster_notes(evidence)
    (2, ())
    """
    rules = rules or SegmentationRules()
    sample = customers.iloc[positions_of_sample(customers["customer_id"], CHOICE_SAMPLE, rules.seed)]
    points = transformed(sample)
    most = min(len(points) // LEAST_A_CLUSTER, len(np.unique(points, axis=0)))
    if most < NUMBERS[0]:
        return pd.DataFrame(columns=_COLUMNS).astype({"n_clusters": "int64", "chosen": "bool"})
    mean, spread = scale_of(points)
    points = (points - mean) / spread
    with one_thread():
        table = pd.DataFrame(_rows(points, [k for k in NUMBERS if k <= most], rules.seed))
    return table.assign(chosen=_chosen(table, rules))[_COLUMNS]


def chosen_number(evidence: pd.DataFrame) -> int:
    """The number of clusters chosen; 1 where none was."""
    return int(evidence.loc[evidence["chosen"], "n_clusters"].max()) if evidence["chosen"].any() else 1


def cluster_notes(evidence: pd.DataFrame, asked: int = 0, kept: bool = False) -> tuple[str, ...]:
    """What a reader must know of the clusters shown, as codes.

    ``kept``: they go by centres of an earlier month; ``given``: the number was ``asked`` for; else of the choice:
    ``few`` customers, ``none``, ``not_clear``, or nothing.
    """
    found = evidence[evidence["chosen"]]
    if kept or asked:
        return ("kept",) if kept else ("given",)
    if found.empty:
        return ("few",) if evidence.empty else ("none",)
    return ("not_clear",) if (found["silhouette"] <= found["silhouette_chance"]).all() else ()
