"""The models of repeat purchases: likelihood, P(alive) and forecasts of customers, from given parameters.

A customer is x repeat purchases, the last at week t_x, seen for T weeks. Every likelihood splits into "data
and still alive" and the odds of being gone, so one pair of functions gives the likelihood, P(alive) and the
forecasts. All functions work in logarithms: they stay finite for hundreds of purchases, where the textbook
forms overflow.

Sources: Fader, Hardie & Lee (2005), Marketing Science 24(2) (BG/NBD); Batislam, Denizel & Filiztekin (2007),
IJRM 24(3) (MBG/NBD); Schmittlein, Morrison & Colombo (1987), Management Science 33(1) (Pareto/NBD).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from scipy.special import betaln, expit, exprel, gammaln

from custvalue.lifetime.quadrature import beta_rule, decay_integral

__all__ = ["FAMILIES", "SILENT_DAYS", "Family"]

#: The rule ``rate_if_active`` expects nothing of a customer silent for this many days or more.
SILENT_DAYS = 60

Parameters = Mapping[str, float]


def _log_rate_part(q: Parameters, x: np.ndarray, T: np.ndarray) -> np.ndarray:
    """The log-likelihood of x purchases in T at a gamma distributed rate."""
    r, alpha = q["r"], q["alpha"]
    return gammaln(r + x) - gammaln(r) + r * np.log(alpha) - (r + x) * np.log(alpha + T)


class Family(ABC):
    """A model: what it needs to say of customers, given its parameters ``q``."""

    #: Names of the parameters, in the order of the fitter; those in weeks are listed in ``times``.
    names: ClassVar[tuple[str, ...]] = ()
    times: ClassVar[tuple[str, ...]] = ()
    #: The class of the package ``lifetimes`` that fits the model; empty for a rule without parameters.
    fitter: ClassVar[str] = ""

    def log_alive_likelihood(self, q: Parameters, x, T):
        """Log-likelihood of the purchases and of being alive at T; NaN for a rule, which has none."""
        return np.full(np.shape(x), np.nan)

    @abstractmethod
    def log_odds_gone(self, q: Parameters, x, t_x, T):
        """Logarithm of P(gone) / P(alive) at T."""

    @abstractmethod
    def orders_if_alive(self, q: Parameters, x, T, weeks):
        """Expected orders in the next weeks of a customer who is alive at T."""

    @abstractmethod
    def any_order_if_alive(self, q: Parameters, x, T, weeks):
        """Probability of at least one order in the next weeks of a customer who is alive at T."""

    def log_likelihood(self, q: Parameters, x, t_x, T):
        """Log-likelihood of each customer."""
        return self.log_alive_likelihood(q, x, T) + np.logaddexp(0, self.log_odds_gone(q, x, t_x, T))

    def p_alive(self, q: Parameters, x, t_x, T):
        """Probability of being alive at T."""
        return expit(-self.log_odds_gone(q, x, t_x, T))


class BgNbd(Family):
    """BG/NBD: purchases at a gamma rate, drop-out after each repeat purchase with a beta probability."""

    names = ("r", "alpha", "a", "b")
    times = ("alpha",)
    fitter = "BetaGeoFitter"
    #: Chances to drop out besides those at the repeat purchases.
    extra_chances: ClassVar[int] = 0

    def log_alive_likelihood(self, q, x, T):
        survived = x + self.extra_chances
        return _log_rate_part(q, x, T) + betaln(q["a"], q["b"] + survived) - betaln(q["a"], q["b"])

    def log_odds_gone(self, q, x, t_x, T):
        chances = x + self.extra_chances
        odds = np.log(q["a"]) - np.log(q["b"] + np.maximum(chances, 1) - 1)
        silence = (q["r"] + x) * np.log1p((T - t_x) / (q["alpha"] + t_x))
        return np.where(chances > 0, odds + silence, -np.inf)

    def orders_if_alive(self, q, x, T, weeks):
        # The mean of (1 - (1 + p tau)^-k) / p over p ~ Beta(a, b + survived)
        counts, row = np.unique(x, return_inverse=True)
        nodes, weights = beta_rule(q["a"], q["b"] + counts + self.extra_chances)
        k, tau = q["r"] + x, weeks / (q["alpha"] + T)
        total = weights[row, 0] * k * tau
        for j in range(1, nodes.shape[1]):
            p = nodes[row, j]
            total -= weights[row, j] * np.expm1(-k * np.log1p(p * tau)) / p
        return np.clip(total, 0, k * tau)

    def any_order_if_alive(self, q, x, T, weeks):
        return -np.expm1(-(q["r"] + x) * np.log1p(weeks / (q["alpha"] + T)))


class MbgNbd(BgNbd):
    """MBG/NBD: as BG/NBD, but a customer may drop out right after the first purchase too."""

    fitter = "ModifiedBetaGeoFitter"
    extra_chances = 1


class ParetoNbd(Family):
    """Pareto/NBD: purchases at a gamma rate, an exponential life at another gamma rate."""

    names = ("r", "alpha", "s", "beta")
    times = ("alpha", "beta")
    fitter = "ParetoNBDFitter"

    def log_alive_likelihood(self, q, x, T):
        return _log_rate_part(q, x, T) - q["s"] * np.log1p(T / q["beta"])

    def log_odds_gone(self, q, x, t_x, T):
        k, alpha, s, beta = q["r"] + x, q["alpha"], q["s"], q["beta"]
        area = decay_integral(t_x, T, alpha, k, beta, s + 1)
        silence = k * np.log1p((T - t_x) / (alpha + t_x)) + s * np.log1p((T - t_x) / (beta + t_x))
        with np.errstate(divide="ignore"):
            return np.log(s) + silence - np.log(beta + t_x) + np.log(area)

    def orders_if_alive(self, q, x, T, weeks):
        life = np.log1p(weeks / (q["beta"] + T))
        return (q["r"] + x) / (q["alpha"] + T) * (q["beta"] + T) * life * exprel((1 - q["s"]) * life)

    def any_order_if_alive(self, q, x, T, weeks):
        area = decay_integral(T, T + weeks, q["alpha"], q["r"] + x + 1, q["beta"], q["s"])
        return np.clip((q["r"] + x) / (q["alpha"] + T) * area, 0, 1)


class PastRate(Family):
    """The customer's own past rate x / T goes on for ever."""

    def log_odds_gone(self, q, x, t_x, T):
        return np.full(np.shape(x), -np.inf)

    def orders_if_alive(self, q, x, T, weeks):
        return np.divide(x * weeks, T, out=np.zeros(np.shape(x)), where=T > 0)

    def any_order_if_alive(self, q, x, T, weeks):
        return -np.expm1(-self.orders_if_alive(q, x, T, weeks))


class RateIfActive(PastRate):
    """The past rate goes on, but stops for a customer silent for :data:`SILENT_DAYS` days or more."""

    def log_odds_gone(self, q, x, t_x, T):
        return np.where(T - t_x >= q["silent_days"] / 7 - 1e-9, np.inf, -np.inf)


class Zero(PastRate):
    """Nobody buys again."""

    def log_odds_gone(self, q, x, t_x, T):
        return np.full(np.shape(x), np.inf)


#: The models and naive rules by code.
FAMILIES: Mapping[str, Family] = {
    "bg_nbd": BgNbd(),
    "mbg_nbd": MbgNbd(),
    "pareto_nbd": ParetoNbd(),
    "past_rate": PastRate(),
    "rate_if_active": RateIfActive(),
    "zero": Zero(),
}
