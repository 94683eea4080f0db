"""BG/NBD and MBG/NBD: a customer may leave right after a purchase, with a probability of his own.

Sources: Fader, Hardie & Lee (2005), Marketing Science 24(2) (BG/NBD); Batislam, Denizel & Filiztekin (2007), IJRM 24(3)
(MBG/NBD).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.special import betaln, digamma

from custvalue.lifetime.family import Family, by_count, log_rate_part, rate_slopes
from custvalue.lifetime.quadrature import beta_rule

__all__ = ["BgNbd", "MbgNbd", "draw_thinned", "log_survived", "survived_slopes"]


def log_survived(q, survived):
    """Logarithm of the probability of having come through so many chances to drop out."""
    return by_count(lambda n: betaln(q["a"], q["b"] + n), survived) - betaln(q["a"], q["b"])


def survived_slopes(q, survived) -> list[np.ndarray]:
    """Derivatives of :func:`log_survived` by log a and log b."""
    a, b = q["a"], q["b"]
    both = digamma(a + b) - by_count(lambda n: digamma(a + b + n), survived)
    return [a * both, b * (both + by_count(lambda n: digamma(b + n), survived) - digamma(b))]


def draw_thinned(q, survived, potential: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Orders made of ``potential`` ones, after each of which a customer leaves with a chance Beta(a, b + survived)."""
    p = rng.beta(q["a"], q["b"] + survived)
    return np.minimum(potential, rng.geometric(np.clip(p, 1e-12, 1.0)))


class BgNbd(Family):
    """BG/NBD: purchases at a gamma rate, drop-out after each repeat purchase with a beta probability."""

    names = ("r", "alpha", "a", "b")
    times = ("alpha",)
    fitter = "BetaGeoFitter"
    no_churn: ClassVar = {"a": 1e-4, "b": 1e4}
    #: Chances to drop out besides those at the repeat purchases.
    extra_chances: ClassVar[int] = 0

    def log_alive_likelihood(self, q, x, t_x, T):
        return log_rate_part(q, x, T) + log_survived(q, x + self.extra_chances)

    def alive_slopes(self, q, x, t_x, T):
        return rate_slopes(q, x, T) + survived_slopes(q, x + self.extra_chances)

    def log_odds_gone(self, q, x, t_x, T):
        chances = x + self.extra_chances
        odds = np.log(q["a"]) - np.log(q["b"] + np.maximum(chances, 1) - 1)
        silence = (q["r"] + x) * np.log1p((T - t_x) / (q["alpha"] + t_x))
        return np.where(chances > 0, odds + silence, -np.inf)

    def odds_slopes(self, q, x, t_x, T):
        r, alpha, b = q["r"], q["alpha"], q["b"]
        chances = np.maximum(x + self.extra_chances, 1)
        by_alpha = -alpha * (r + x) * (T - t_x) / ((alpha + T) * (alpha + t_x))
        return [r * np.log1p((T - t_x) / (alpha + t_x)), by_alpha, 1.0, -b / (b + chances - 1)]

    def orders_if_alive(self, q, x, T, weeks, stage=0):
        # The mean of (1 - (1 + p tau)^-k) / p over p ~ Beta(a, b + survived)
        counts, row = np.unique(x, return_inverse=True)
        nodes, weights = beta_rule(q["a"], q["b"] + counts + self.extra_chances)
        k, tau = q["r"] + x, weeks / (q["alpha"] + T)
        total = weights[row, 0] * k * tau
        for j in range(1, nodes.shape[1]):
            p = nodes[row, j]
            total -= weights[row, j] * np.expm1(-k * np.log1p(p * tau)) / p
        return np.clip(total, 0, k * tau)

    def any_order_if_alive(self, q, x, T, weeks, stage=0):
        return -np.expm1(-(q["r"] + x) * np.log1p(weeks / (q["alpha"] + T)))

    def draw_if_alive(self, q, x, t_x, T, weeks, rng):
        potential = rng.poisson(rng.gamma(q["r"] + x, 1 / (q["alpha"] + T)) * weeks)
        return draw_thinned(q, x + self.extra_chances, potential, rng)


class MbgNbd(BgNbd):
    """MBG/NBD: as BG/NBD, but a customer may drop out right after the first purchase too."""

    fitter = "ModifiedBetaGeoFitter"
    extra_chances = 1
