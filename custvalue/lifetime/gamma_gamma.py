"""The Gamma-Gamma model of spend: likelihood with slopes, and its fit.

The spend of an order is gamma distributed (shape p) around the customer's mean, whose rate is gamma distributed (q, v).
Source: Fader & Hardie (2013), note 025, brucehardie.com/notes/025.
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma, gammaln

from custvalue.lifetime.family import by_count
from custvalue.lifetime.likelihood import curvature, one_thread, polished, searched
from custvalue.lifetime.reference import spend_from_lifetimes

__all__ = ["FIT_SAMPLE", "SpendLikelihood", "fit_gamma_gamma"]

#: As for the models of orders: ``lifetimes`` is asked too where there are few buyers, many are searched on a sample.
LIFETIMES_UP_TO = 5_000
FIT_SAMPLE = 30_000


class SpendLikelihood:
    """Minus the mean log-likelihood per buyer and its slopes, of log p, log q, log v; money in units of its mean."""

    bounds = np.log(np.array([[1e-4, 1e6]] * 3))

    def __init__(self, orders: np.ndarray, mean: np.ndarray) -> None:
        self.orders, self.mean = np.asarray(orders, dtype=float), np.asarray(mean, dtype=float)
        self.log_mean, self.n = np.log(self.mean), float(len(self.mean))

    def inside(self, log_parameters: np.ndarray) -> bool:
        return bool((np.abs(log_parameters - self.bounds.mean(axis=1)) < np.ptp(self.bounds[0]) / 2 - 0.01).all())

    def __call__(self, log_parameters: np.ndarray) -> tuple[float, np.ndarray]:
        p, q, v = np.exp(log_parameters)
        n, total = self.orders, self.orders * self.mean + v
        log_share = self.log_mean - np.log(total)
        counts = by_count(lambda k: gammaln(p * k + q) - gammaln(p * np.maximum(k, 1)), n) + p * n * np.log(n)
        value = counts - gammaln(q) + (p * n + q) * log_share - (q + 1) * self.log_mean + q * np.log(v)
        both = by_count(lambda k: digamma(p * k + q), n)
        by_p = n * (both - by_count(lambda k: digamma(p * np.maximum(k, 1)), n) + np.log(n) + log_share)
        by_q = both - digamma(q) + np.log(v) + log_share - self.log_mean
        by_v = q / v - (p * n + q) / total
        slopes = np.array([p * by_p.mean(), q * by_q.mean(), v * by_v.mean()])
        return -float(value.mean()), -slopes

    def total(self, log_parameters: np.ndarray) -> float:
        return -self(log_parameters)[0] * self.n


def _peak(likelihood: SpendLikelihood, start: np.ndarray | None) -> tuple[np.ndarray, np.ndarray] | None:
    """The maximum near ``start`` and the curvature there; None where there is none."""
    if start is None or not (np.isfinite(start).all() and likelihood.inside(start)):
        return None
    bend = curvature(likelihood, start)
    if not np.isfinite(bend).all() or np.linalg.eigvalsh(bend).min() * likelihood.n < 0.1:
        return None
    top = polished(likelihood, start, bend)
    return None if top is None or not likelihood.inside(top) else (top, bend)


@one_thread()
def fit_gamma_gamma(orders: np.ndarray, mean: np.ndarray) -> tuple[dict[str, float], float] | None:
    """p, q, v by maximum likelihood of the buyers' repeat orders and mean spend, and the log-likelihood of all.

    Our own search; where it finds nothing, up to 5,000 buyers, that of ``lifetimes``, confirmed by our slopes. None
    where the likelihood has no maximum.
    """
    scale = float(mean.mean())
    likelihood = SpendLikelihood(orders, mean / scale)
    part = likelihood
    if likelihood.n > FIT_SAMPLE:
        drawn = np.sort(np.random.default_rng(1).choice(len(mean), FIT_SAMPLE, replace=False))
        part = SpendLikelihood(orders[drawn], mean[drawn] / scale)
    found = _peak(part, searched(part, np.log([2.0, 3.0, 1.0])))
    if found is None and likelihood.n <= LIFETIMES_UP_TO:
        found = _peak(part, spend_from_lifetimes(likelihood.orders, likelihood.mean))
    if found is None:
        return None
    top = found[0] if part is likelihood else polished(likelihood, *found)
    if top is None:
        return None
    p, q, v = map(float, np.exp(top))
    return {"p": p, "q": q, "v": v * scale}, float(likelihood.total(top) - likelihood.n * np.log(scale))
