"""Pareto/NBD: purchases at a gamma rate until the end of an exponential life.

Sources: Schmittlein, Morrison & Colombo (1987), Management Science 33(1); discounted expected transactions of a whole
life: Fader, Hardie & Lee (2005), Journal of Marketing Research 42(4).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.special import exprel

from custvalue.lifetime.family import Family, log_rate_part, rate_slopes
from custvalue.lifetime.quadrature import decay_integral, decay_means, discounted_decay

__all__ = ["ParetoNbd"]


class ParetoNbd(Family):
    """Pareto/NBD: purchases at a gamma rate, an exponential life at another gamma rate."""

    names = ("r", "alpha", "s", "beta")
    times = ("alpha", "beta")
    fitter = "ParetoNBDFitter"
    no_churn: ClassVar = {"s": 1e-5, "beta": 1e3}

    def log_alive_likelihood(self, q, x, t_x, T):
        return log_rate_part(q, x, T) - q["s"] * np.log1p(T / q["beta"])

    def alive_slopes(self, q, x, t_x, T):
        s, beta = q["s"], q["beta"]
        return [*rate_slopes(q, x, T), -s * np.log1p(T / beta), s * T / (beta + T)]

    def log_odds_gone(self, q, x, t_x, T):
        area = decay_integral(t_x, T, q["alpha"], q["r"] + x, q["beta"], q["s"] + 1)
        return self._odds(q, x, t_x, T, area)

    def odds_slopes(self, q, x, t_x, T):
        return self._odds_slopes(q, x, t_x, T, decay_means(t_x, T, q["alpha"], q["r"] + x, q["beta"], q["s"] + 1))

    def with_slopes(self, q, x, t_x, T):
        # As in the base class, but one integration serves the odds and their slopes.
        found = decay_means(t_x, T, q["alpha"], q["r"] + x, q["beta"], q["s"] + 1)
        odds = self._odds(q, x, t_x, T, found[0])
        value = self.log_alive_likelihood(q, x, t_x, T) + np.logaddexp(0, odds)
        gone = 1 / (1 + np.exp(np.minimum(-odds, 700)))
        slopes = zip(self.alive_slopes(q, x, t_x, T), self._odds_slopes(q, x, t_x, T, found), strict=True)
        return value, np.array([alive + gone * change for alive, change in slopes])

    @staticmethod
    def _odds(q, x, t_x, T, area):
        k, alpha, s, beta = q["r"] + x, q["alpha"], q["s"], q["beta"]
        silence = k * np.log1p((T - t_x) / (alpha + t_x)) + s * np.log1p((T - t_x) / (beta + t_x))
        with np.errstate(divide="ignore"):
            return np.log(s) + silence - np.log(beta + t_x) + np.log(area)

    @staticmethod
    def _odds_slopes(q, x, t_x, T, found) -> list[np.ndarray]:
        k, alpha, s, beta = q["r"] + x, q["alpha"], q["s"], q["beta"]
        _, log_alpha, over_alpha, log_beta, over_beta = found
        return [
            q["r"] * (np.log1p((T - t_x) / (alpha + t_x)) - log_alpha),
            alpha * k * (1 / (alpha + T) - over_alpha),
            1 + s * (np.log1p((T - t_x) / (beta + t_x)) - log_beta),
            beta * (s / (beta + T) - (s + 1) * over_beta),
        ]

    def orders_if_alive(self, q, x, T, weeks, stage=0):
        life = np.log1p(weeks / (q["beta"] + T))
        return (q["r"] + x) / (q["alpha"] + T) * (q["beta"] + T) * life * exprel((1 - q["s"]) * life)

    def any_order_if_alive(self, q, x, T, weeks, stage=0):
        area = decay_integral(T, T + weeks, q["alpha"], q["r"] + x + 1, q["beta"], q["s"])
        return np.clip((q["r"] + x) / (q["alpha"] + T) * area, 0, 1)

    def draw_if_alive(self, q, x, t_x, T, weeks, rng):
        rate = rng.gamma(q["r"] + x, 1 / (q["alpha"] + T))
        risk = rng.gamma(q["s"], 1 / (q["beta"] + T))
        life = rng.standard_exponential(np.shape(x)) / np.maximum(risk, 1e-300)
        return rng.poisson(rate * np.minimum(weeks, life))

    def life_if_alive(self, q, x, T, discount, stage=0):
        # (beta + T) Psi(1, 2 - s; delta (beta + T)) by its integral, which is stable where the series is not
        beta = q["beta"] + T
        return (q["r"] + x) / (q["alpha"] + T) * beta * discounted_decay(discount * beta, q["s"])
