"""Rules of thumb that every model has to beat: no parameters are learned."""

from __future__ import annotations

import numpy as np

from custvalue.lifetime.family import Family

__all__ = ["SILENT_DAYS", "PastRate", "RateIfActive", "Zero"]

#: The rule ``rate_if_active`` expects nothing of a customer silent for this many days or more.
SILENT_DAYS = 60


class PastRate(Family):
    """The customer's own past rate x / T goes on for ever."""

    def log_odds_gone(self, q, x, t_x, T):
        return np.full(np.shape(x), -np.inf)

    def orders_if_alive(self, q, x, T, weeks, stage=0):
        return np.divide(x * weeks, T, out=np.zeros(np.broadcast(x, weeks).shape), where=T > 0)

    def any_order_if_alive(self, q, x, T, weeks, stage=0):
        return -np.expm1(-self.orders_if_alive(q, x, T, weeks))

    def draw_if_alive(self, q, x, t_x, T, weeks, rng):
        return rng.poisson(self.orders_if_alive(q, x, T, weeks))

    def life_if_alive(self, q, x, T, discount, stage=0):
        return self.orders_if_alive(q, x, T, 1.0) / discount


class RateIfActive(PastRate):
    """The past rate goes on, but stops for a customer silent for :data:`SILENT_DAYS` days or more."""

    def log_odds_gone(self, q, x, t_x, T):
        return np.where(T - t_x >= q["silent_days"] / 7 - 1e-9, np.inf, -np.inf)


class Zero(PastRate):
    """Nobody buys again."""

    def log_odds_gone(self, q, x, t_x, T):
        return np.full(np.shape(x), np.inf)
