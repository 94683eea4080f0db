"""What every model of repeat purchases can say of customers, and the NBD, the one without drop-out.

A customer is x repeat purchases, the last at week t_x, seen for T weeks. Every likelihood splits into "data and still
alive" and the odds of being gone, so one pair of functions gives the likelihood, P(alive) and the forecasts. All
functions work in logarithms: they stay finite for hundreds of purchases, where the textbook forms overflow.

Source of the NBD: Ehrenberg (1959), Applied Statistics 8(1); as a limit of the others, Fader & Hardie.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np
from scipy.special import digamma, expit, gammaln

from custvalue.lifetime.quadrature import legendre

__all__ = ["Family", "Nbd", "Parameters", "by_count"]

Parameters = Mapping[str, float]

#: Nodes of the integral over time that discounts orders for ever.
_TIME_NODES = 60
#: Where exp(-discount x weeks) is negligible.
_NEGLIGIBLE = 40.0


def by_count(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """``function(x)`` computed once for each count, where counts are smaller than customers are many.

    >>> by_count(lambda n: n**2, np.array([2.0, 0.0, 2.0]))
    array([4., 0., 4.])
    """
    x = np.asarray(x)
    if x.ndim != 1 or not x.size or x.max() > x.size:
        return function(x)
    return function(np.arange(x.max() + 1.0))[x.astype(np.intp)]


def log_rate_part(q: Parameters, x, T):
    """The log-likelihood of x purchases in T at a gamma distributed rate."""
    counts = by_count(lambda n: gammaln(q["r"] + n), x)
    return counts - gammaln(q["r"]) + q["r"] * np.log(q["alpha"]) - (q["r"] + x) * np.log(q["alpha"] + T)


def rate_slopes(q: Parameters, x, T) -> list[np.ndarray]:
    """Derivatives of :func:`log_rate_part` by log r and log alpha."""
    r, alpha = q["r"], q["alpha"]
    by_r = by_count(lambda n: digamma(r + n), x) - digamma(r) - np.log((alpha + T) / alpha)
    return [r * by_r, r - alpha * (r + x) / (alpha + T)]


class Family(ABC):
    """A model: what it needs to say of customers, given its parameters ``q``."""

    #: Names of the parameters, in the order of the fitter; those in weeks are listed in ``times``.
    names: ClassVar[tuple[str, ...]] = ()
    times: ClassVar[tuple[str, ...]] = ()
    #: The class of the package ``lifetimes`` that fits the model; empty where it has none.
    fitter: ClassVar[str] = ""
    #: Parameters that switch drop-out off: with them the model is the NBD.
    no_churn: ClassVar[Mapping[str, float]] = {}

    def log_alive_likelihood(self, q: Parameters, x, t_x, T):
        """Log-likelihood of the purchases and of being alive at T; NaN for a rule, which has none."""
        return np.full(np.shape(x), np.nan)

    def alive_slopes(self, q: Parameters, x, t_x, T) -> list[np.ndarray]:
        """Derivatives of :meth:`log_alive_likelihood` by the logarithms of the parameters; a rule has none."""
        return []

    @abstractmethod
    def log_odds_gone(self, q: Parameters, x, t_x, T):
        """Logarithm of P(gone) / P(alive) at T."""

    def odds_slopes(self, q: Parameters, x, t_x, T) -> list[np.ndarray]:
        """Derivatives of :meth:`log_odds_gone` by the log-parameters (any number at odds of 0); a rule has none."""
        return []

    def stage_weights(self, q: Parameters, x, t_x, T) -> list[np.ndarray]:
        """Probability of each stage on the way to the next purchase, for a customer who is alive; mostly there is one.

        Stages are all that t_x tells of a customer who is alive, so forecasts are made once for each (x, T, stage).
        """
        return [np.ones(np.shape(x))]

    @abstractmethod
    def orders_if_alive(self, q: Parameters, x, T, weeks, stage: int = 0):
        """Expected orders in the next weeks of a customer who is alive at T."""

    @abstractmethod
    def any_order_if_alive(self, q: Parameters, x, T, weeks, stage: int = 0):
        """Probability of at least one order in the next weeks of a customer who is alive at T."""

    @abstractmethod
    def draw_if_alive(self, q: Parameters, x, t_x, T, weeks, rng: np.random.Generator):
        """One draw a customer of the number of orders in the next weeks, given that he is alive at T."""

    def life_if_alive(self, q: Parameters, x, T, discount: float, stage: int = 0):
        """Expected orders for ever of a customer alive at T, those after u weeks times exp(-discount u).

        The integral of discount exp(-discount u) x (expected orders in u weeks), by Gauss-Legendre in the logarithm of
        time.
        """
        scale = q["alpha"] + T
        length = np.log1p(_NEGLIGIBLE / (discount * scale))
        total = np.zeros(np.shape(x))
        for node, weight in legendre(_TIME_NODES):
            weeks = scale * np.expm1(length * (node + 1) / 2)
            step = discount * np.exp(-discount * weeks) * (scale + weeks) * length * weight / 2
            total += step * self.orders_if_alive(q, x, T, weeks, stage)
        return total

    def log_likelihood(self, q: Parameters, x, t_x, T):
        """Log-likelihood of each customer."""
        return self.log_alive_likelihood(q, x, t_x, T) + np.logaddexp(0, self.log_odds_gone(q, x, t_x, T))

    def with_slopes(self, q: Parameters, x, t_x, T) -> tuple[np.ndarray, np.ndarray]:
        """Log-likelihood of each customer and, a row for each parameter, its derivatives by their logarithms."""
        odds = self.log_odds_gone(q, x, t_x, T)
        value = self.log_alive_likelihood(q, x, t_x, T) + np.logaddexp(0, odds)
        gone = expit(odds)
        slopes = zip(self.alive_slopes(q, x, t_x, T), self.odds_slopes(q, x, t_x, T), strict=True)
        return value, np.array([alive + gone * change for alive, change in slopes])

    def p_alive(self, q: Parameters, x, t_x, T):
        """Probability of being alive at T."""
        return expit(-self.log_odds_gone(q, x, t_x, T))


class Nbd(Family):
    """NBD: purchases at a gamma rate for ever; nobody drops out."""

    names = ("r", "alpha")
    times = ("alpha",)

    def log_alive_likelihood(self, q, x, t_x, T):
        return log_rate_part(q, x, T)

    def alive_slopes(self, q, x, t_x, T):
        return rate_slopes(q, x, T)

    def log_odds_gone(self, q, x, t_x, T):
        return np.full(np.shape(x), -np.inf)

    def odds_slopes(self, q, x, t_x, T):
        return [np.zeros(np.shape(x))] * 2

    def orders_if_alive(self, q, x, T, weeks, stage=0):
        return (q["r"] + x) / (q["alpha"] + T) * weeks

    def any_order_if_alive(self, q, x, T, weeks, stage=0):
        return -np.expm1(-(q["r"] + x) * np.log1p(weeks / (q["alpha"] + T)))

    def draw_if_alive(self, q, x, t_x, T, weeks, rng):
        return rng.poisson(rng.gamma(q["r"] + x, 1 / (q["alpha"] + T)) * weeks)

    def life_if_alive(self, q, x, T, discount, stage=0):
        return (q["r"] + x) / (q["alpha"] + T) / discount
