"""A model drawn towards simpler rules, as far as the customers' own earlier history says it should be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from custvalue.errors import AnalysisError
from custvalue.lifetime.fitting import Fitted, fit, grouped_rows, model_inputs
from custvalue.lifetime.history import History
from custvalue.lifetime.rules import ALIVE_MODELS, FEWEST_REPEAT_BUYERS, automatic_holdout

__all__ = ["Blend", "Weights", "blended", "learn_weights"]

#: A weight is halved where so many customers taught it, and kept nearly whole where many more did.
_SCEPTICAL_CUSTOMERS = 2_000
#: At most so many earlier cut-offs teach the weights.
_LESSONS = 2
#: Added to the expected orders, the variance of the orders of a customer.
_LEAST_VARIANCE = 0.05


@dataclass(frozen=True)
class Weights:
    """How far the forecasts are drawn: ``orders`` to the past rate, ``buys`` to the probability of the NBD (0 to 1).

    ``n_customers`` and ``n_cutoffs`` taught them; 0 where the history is too short, both weights are 0 then.
    """

    orders: float = 0.0
    buys: float = 0.0
    n_customers: int = 0
    n_cutoffs: int = 0


@dataclass(frozen=True)
class Blend(Fitted):
    """The forecasts of ``base`` and of two simpler rules, mixed with ``weights``; P(alive) is that of ``base``.

    Expected orders: (1 - w) x those of the model + w x the past rate x / T. Probability of an order: (1 - v) x that of
    the model + v x that of ``nbd``, in which nobody leaves. ``parameters`` are those of ``base`` and the two weights.
    The sum of squared errors at earlier cut-offs sets w and v (stacking: Breiman 1996, Machine Learning 24), which are
    drawn to 0 with n / (n + 2,000) customers.

    >>> base = Fitted("nbd", {"r": 1.0, "alpha": 10.0})
    >>> mixed = blended(base, base, Weights(orders=0.5))
    >>> mixed.expected_orders([2], [5.0], [20.0], weeks=10.0)  # halfway between 3 / 30 and 2 / 20 a week
    array([1.])
    """

    base: Fitted = field(default_factory=lambda: Fitted("zero"))
    nbd: Fitted = field(default_factory=lambda: Fitted("zero"))
    weights: Weights = field(default_factory=Weights)

    def p_alive(self, x, t_x, T) -> np.ndarray:
        return self.base.p_alive(x, t_x, T)

    def expected_orders(self, x, t_x, T, weeks) -> np.ndarray:
        w = self.weights.orders
        past = _PAST.expected_orders(x, t_x, T, weeks)
        return (1 - w) * self.base.expected_orders(x, t_x, T, weeks) + w * past

    def p_order(self, x, t_x, T, weeks) -> np.ndarray:
        v = self.weights.buys
        return (1 - v) * self.base.p_order(x, t_x, T, weeks) + v * self.nbd.p_order(x, t_x, T, weeks)

    def orders_if_alive(self, x, t_x, T, weeks) -> np.ndarray:
        return self.base.orders_if_alive(x, t_x, T, weeks)

    def any_order_if_alive(self, x, t_x, T, weeks) -> np.ndarray:
        return self.base.any_order_if_alive(x, t_x, T, weeks)

    def life_orders(self, x, t_x, T, discount_rate_per_week: float) -> np.ndarray:
        """As of ``base``, but for the share w the past rate goes on for ever."""
        w, rate = self.weights.orders, discount_rate_per_week
        past = _PAST.life_orders(x, t_x, T, rate) if w else 0.0
        return (1 - w) * self.base.life_orders(x, t_x, T, rate) + w * past

    def simulate_orders(self, x, t_x, T, weeks: float, rng: np.random.Generator) -> np.ndarray:
        """A draw of ``base``; with probability w one of the past rate."""
        drawn = self.base.simulate_orders(x, t_x, T, weeks, rng)
        past = rng.poisson(_PAST.expected_orders(x, t_x, T, weeks))
        return np.where(rng.random(drawn.shape) < self.weights.orders, past, drawn)

    def draws(self, n: int, rng: np.random.Generator) -> list[Fitted]:
        return [replace(self, base=base) for base in self.base.draws(n, rng)]


_PAST = Fitted("past_rate")
#: What was fitted at a cut-off (a day): the model to be blended and the NBD.
Fits = dict[int, tuple[Fitted, Fitted] | None]


def blended(base: Fitted, nbd: Fitted, weights: Weights) -> Blend:
    """``base`` drawn towards the past rate and towards ``nbd`` by ``weights``."""
    parameters = {**base.parameters, "weight_orders": weights.orders, "weight_buys": weights.buys}
    return Blend(
        "blend", parameters, math.nan, base.n_customers, (), base.covariance, base=base, nbd=nbd, weights=weights
    )


def base_of(rows: pd.DataFrame) -> tuple[Fitted, Fitted] | None:
    """The first of ``ALIVE_MODELS`` that fits and the NBD; None where there are too few repeat buyers or none fits."""
    if rows.loc[rows["x"] > 0, "n_customers"].sum() < FEWEST_REPEAT_BUYERS:
        return None
    for model in ALIVE_MODELS:
        try:
            return fit(rows, model), fit(rows, "nbd")
        except AnalysisError:
            continue
    return None


def _lessons(known: History, end: int) -> Iterator[tuple[int, int]]:
    """Cut-offs within the history up to ``end``, and the last day of the test of each; tests do not overlap."""
    first = known.first_day
    days = automatic_holdout(end - first)
    for i in range(1, _LESSONS + 1):
        cutoff = end - i * days
        if cutoff - first >= days:
            yield cutoff, cutoff + days


def _lesson(known: History, cutoff: int, end: int, fits: Fits) -> tuple[np.ndarray, int] | None:
    """What one cut-off says: products of error and difference, for orders and for buying; and its customers.

    With m the forecast of the base, d the other forecast less m, y what came: sum of c d (y - m) and of c d d, where
    c is one over the variance of the orders, and 1 for buying.
    """
    customers = known.customers(cutoff)
    if cutoff not in fits:
        fits[cutoff] = base_of(grouped_rows(customers))
    if fits[cutoff] is None:
        return None
    base, nbd = fits[cutoff]
    x, t_x, T = (column.to_numpy(dtype=float) for _, column in model_inputs(customers).items())
    weeks = (end - cutoff) / 7
    orders, p = base.expected_orders(x, t_x, T, weeks), base.p_order(x, t_x, T, weeks)
    to_past = _PAST.expected_orders(x, t_x, T, weeks) - orders
    to_nbd = nbd.p_order(x, t_x, T, weeks) - p
    came = known.orders_between(customers["customer"].to_numpy(), cutoff, end)
    scale = 1 / (orders + _LEAST_VARIANCE)
    sums = [
        (scale * to_past * (came - orders)).sum(), (scale * to_past**2).sum(),
        (to_nbd * ((came > 0) - p)).sum(), (to_nbd**2).sum(),
    ]  # fmt: skip
    return np.array(sums), len(customers)


def _weight(product: float, square: float, n: int) -> float:
    """The share that leaves the smallest squared error, within 0 and 1, drawn to 0 the fewer customers taught it."""
    best = product / square if square > 1e-12 else 0.0
    return float(np.clip(best, 0, 1) * n / (n + _SCEPTICAL_CUSTOMERS))


def learn_weights(known: History, end: int, fits: Fits | None = None) -> Weights:
    """The weights that would have served best at earlier cut-offs of the history up to the day ``end``.

    At up to two cut-offs, a third of the history (28 to 365 days) apart, Pareto/NBD (where it does not fit, MBG/NBD)
    and the NBD are fitted to what was known then. The orders that followed, up to ``end`` at most, give the share of
    the past rate (squared errors over the variance of an order count) and of the NBD's probability (Brier score) with
    the smallest error. Nothing after ``end`` is read. ``fits`` keeps what was fitted, by cut-off, for the next call.
    """
    known, fits = known.until(end), {} if fits is None else fits
    taught = [_lesson(known, *days, fits) for days in _lessons(known, end)] if len(known.day) else []
    taught = [found for found in taught if found is not None]
    if not taught:
        return Weights()
    sums, n = sum(found[0] for found in taught), max(found[1] for found in taught)
    return Weights(_weight(sums[0], sums[1], n), _weight(sums[2], sums[3], n), n, len(taught))
