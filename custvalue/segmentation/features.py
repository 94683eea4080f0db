"""What clusters are cut on: the features, and a sample of the customers that does not depend on their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from sklearn.cluster import KMeans

__all__ = ["CLUSTER_FEATURES", "kmeans", "one_thread", "positions_of_sample", "scale_of", "transformed"]

#: Columns the clusters are cut on, each as sign(v) * log(1 + |v|), then standardised.
CLUSTER_FEATURES = ("days_since_last", "n_orders", "sales")


def transformed(customers: pd.DataFrame) -> np.ndarray:
    """The features as sign(v) log(1 + |v|): a row per customer, a column per feature.

    >>> transformed(pd.DataFrame({"days_since_last": [0], "n_orders": [1], "sales": [-1.0]})).round(2).tolist()
    [[0.0, 0.69, -0.69]]
    """
    values = customers[list(CLUSTER_FEATURES)].to_numpy(dtype=float)
    return np.copysign(np.log1p(np.abs(values)), values)


def scale_of(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column; 1 for the deviation of a column that does not vary.

    >>> scale_of(np.array([[1.0, 0.1], [3.0, 0.1]]))[1].tolist()
    [1.0, 1.0]
    """
    mean, spread = points.mean(axis=0), points.std(axis=0)
    return mean, np.where(spread > 1e-9 * np.maximum(1, np.abs(mean)), spread, 1.0)


def one_thread() -> Any:
    """Numerical libraries on one thread while it lasts: quicker for small tables, and the same sums on any machine."""
    import sklearn.cluster  # noqa: F401  (its libraries must be there to be limited)
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def kmeans(points: np.ndarray, k: int, seed: int, starts: int) -> KMeans:
    """k-means fitted; to be called within :func:`one_thread`, which takes longer to begin than many a fit.

    >>> kmeans(np.array([[0.0], [9.0]]), 2, 1, 1).inertia_
    0.0
    """
    from sklearn.cluster import KMeans

    return KMeans(n_clusters=k, n_init=starts, random_state=seed).fit(points)


def positions_of_sample(customer_ids: pd.Series, size: int, seed: int) -> np.ndarray:
    """Positions of at most ``size`` customers, drawn by a hash of their number and put in its order.

    The same customers are drawn whatever the order of the rows, and next month again.

    >>> ids = pd.Series(["a", "b", "c"], dtype="str")
    >>> set(ids[positions_of_sample(ids, 2, 1)]) == set(ids[::-1].iloc[positions_of_sample(ids[::-1], 2, 1)])
    True
    """
    codes = pd.util.hash_array(customer_ids.to_numpy(dtype=object), hash_key=f"{seed:016d}", categorize=False)
    if size < len(codes):
        drawn = np.argpartition(codes, size)[:size]
        return drawn[np.argsort(codes[drawn], kind="stable")]
    return np.argsort(codes, kind="stable")
