"""The mean log-likelihood of grouped customers with its slopes and curvature, and the search for its maximum."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

from custvalue.lifetime.models import Family

__all__ = ["Likelihood", "curvature", "one_thread", "polished", "searched"]

#: Parameters outside 1e-5 .. 1e4 (times: of the longest history) have run off along a flat likelihood.
_SMALLEST, _LARGEST = np.log(1e-5), np.log(1e4)
#: Rows worked on at once: their arrays stay in the processor's cache.
_BLOCK = 16_384
#: Step of the differences of slopes that give the curvature, on the log scale.
_STEP = 1e-4
#: The last steps end when the next one would gain less log-likelihood, in all, than this.
_GAIN = 1e-7


class Likelihood:
    """Minus the mean log-likelihood per customer, and its slopes, of log-parameters.

    ``fixed`` has the parameters that are not searched (the k of the regular model).
    """

    def __init__(self, family: Family, rows: pd.DataFrame, fixed: Mapping[str, float] | None = None) -> None:
        self.family, self.fixed = family, dict(fixed or {})
        self.columns = [rows[name].to_numpy(dtype=float) for name in ("x", "t_x", "T", "n_customers")]
        self.n = float(self.columns[3].sum())
        longest = np.log(max(float(self.columns[2].max()), 1 / 7))
        unit = np.array([longest if name in family.times else 0.0 for name in family.names])
        self.bounds = np.column_stack([unit + _SMALLEST, unit + _LARGEST])

    def parameters(self, log_parameters: np.ndarray) -> dict[str, float]:
        values = map(float, np.exp(log_parameters))
        return {**dict(zip(self.family.names, values, strict=True)), **self.fixed}

    def inside(self, log_parameters: np.ndarray) -> bool:
        """Whether no parameter has run off."""
        low, high = self.bounds.T
        return bool(((log_parameters > low + 0.01) & (log_parameters < high - 0.01)).all())

    def __call__(self, log_parameters: np.ndarray) -> tuple[float, np.ndarray]:
        q, value, slopes = self.parameters(log_parameters), 0.0, np.zeros(len(log_parameters))
        with np.errstate(all="ignore"):
            for start in range(0, len(self.columns[0]), _BLOCK):
                x, t_x, T, n = (column[start : start + _BLOCK] for column in self.columns)
                likelihood, by_parameter = self.family.with_slopes(q, x, t_x, T)
                value += float((n * likelihood).sum())
                slopes += (by_parameter * n).sum(axis=1)
        return -value / self.n, -slopes / self.n

    def total(self, log_parameters: np.ndarray) -> float:
        """The log-likelihood of all customers."""
        return -self(log_parameters)[0] * self.n


@contextlib.contextmanager
def one_thread():
    """Linear algebra on one thread: on matrices of 4 x 4 several threads only wait for each other."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        yield


def searched(
    likelihood: Likelihood, start: np.ndarray, ridge: float = 0.0, pinned: np.ndarray | None = None
) -> np.ndarray | None:
    """Log-parameters of the maximum that L-BFGS-B finds within the bounds; None where the numbers end.

    ``ridge`` holds them near the start: a weak prior. ``pinned`` has the values of those that stay, NaN for the others.
    """
    from scipy.optimize import minimize

    def loss(log_parameters: np.ndarray) -> tuple[float, np.ndarray]:
        value, slopes = likelihood(log_parameters)
        off = log_parameters - start
        return value + ridge * (off @ off), slopes + 2 * ridge * off

    bounds = likelihood.bounds
    if pinned is not None:
        bounds = np.where(np.isnan(pinned)[:, None], bounds, pinned[:, None])
    start = np.clip(start, *bounds.T)
    options = {"maxiter": 300, "ftol": 1e-13, "gtol": 1e-7}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return found.x if np.isfinite(found.fun) and np.isfinite(found.x).all() else None


def curvature(likelihood: Likelihood, at: np.ndarray) -> np.ndarray:
    """Second derivatives of the mean loss by the log-parameters: differences of the exact slopes."""
    size = len(at)
    bend = np.empty((size, size))
    for i, step in enumerate(np.eye(size) * _STEP):
        bend[i] = (likelihood(at + step)[1] - likelihood(at - step)[1]) / (2 * _STEP)
    return (bend + bend.T) / 2


def polished(likelihood: Likelihood, start: np.ndarray, bend: np.ndarray, steps: int = 12) -> np.ndarray | None:
    """The maximum near ``start`` by Newton steps with a fixed curvature; None when they do not close in on one.

    None too where the loss is flat in some direction: data that tell nothing of a parameter have no such maximum.
    """
    if not np.isfinite(bend).all() or np.linalg.matrix_rank(bend) < len(bend):
        return None
    at = start
    value, slopes = likelihood(at)
    for _ in range(steps):
        step = -np.linalg.solve(bend, slopes)
        gain = -(slopes @ step) * likelihood.n
        if gain < _GAIN:
            return at + step
        further, new_slopes = likelihood(at + step)
        if not further <= value + 1e-12 * abs(value):
            return None
        at, value, slopes = at + step, further, new_slopes
    return at if gain < 1e-3 else None
