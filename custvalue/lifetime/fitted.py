"""A fitted model and what it says of customers: P(alive), orders, draws of the future."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from custvalue.errors import UsageError
from custvalue.lifetime.models import FAMILIES, Family

__all__ = ["Fitted"]

#: Draws of parameters stay within this many standard deviations (99.9% of draws of four parameters do anyway).
_FARTHEST = 4.3


def _arrays(*values) -> list[np.ndarray]:
    return [np.array(v, dtype=float) for v in np.broadcast_arrays(*(np.atleast_1d(v) for v in values))]


def _once_each(function: Callable[[np.ndarray, np.ndarray], np.ndarray], x: np.ndarray, T: np.ndarray) -> np.ndarray:
    """``function(x, T)`` computed once for each distinct pair."""
    by_x, counts = pd.factorize(x)
    by_T, weeks = pd.factorize(T)
    row, pairs = pd.factorize(by_x * len(weeks) + by_T)
    return function(counts[pairs // len(weeks)], weeks[pairs % len(weeks)])[row]


@dataclass(frozen=True)
class Fitted:
    """A model with its parameters, in weeks; ``log_likelihood`` is the total over customers (NaN for a rule).

    ``covariance`` is that of the logarithms of the parameters (those the family names, in its order), from the
    curvature of the log-likelihood of all customers; None for a rule. A direction the data leave open has a standard
    deviation of 1 there.

    The methods take numbers or arrays x, t_x, T (weeks), give arrays, finite everywhere; probabilities are in [0, 1].
    ``weeks`` may be an array of horizons; the result then has a column for each. The example is the one of Fader,
    Hardie & Lee (2005).

    >>> bg = Fitted("bg_nbd", {"r": 0.2426, "alpha": 4.4136, "a": 0.7929, "b": 2.4259})
    >>> bg.expected_orders(2, 30.43, 38.86, weeks=39).round(3), bg.p_alive(2, 30.43, 38.86).round(3)
    (array([1.226]), array([0.727]))
    """

    model: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    log_likelihood: float = math.nan
    n_customers: int = 0
    notes: tuple[str, ...] = ()
    covariance: np.ndarray | None = field(default=None, repr=False, compare=False)

    def p_alive(self, x, t_x, T) -> np.ndarray:
        """Probability that the customer has not dropped out at T."""
        x, t_x, T = _arrays(x, t_x, T)
        return self._family.p_alive(self.parameters, x, t_x, T)

    def expected_orders(self, x, t_x, T, weeks) -> np.ndarray:
        """Expected number of orders (purchase days) in the ``weeks`` after T."""
        return self._of_all(self.orders_if_alive(x, t_x, T, weeks), x, t_x, T)

    def p_order(self, x, t_x, T, weeks) -> np.ndarray:
        """Probability of at least one order in the ``weeks`` after T."""
        return self._of_all(self.any_order_if_alive(x, t_x, T, weeks), x, t_x, T)

    def orders_if_alive(self, x, t_x, T, weeks) -> np.ndarray:
        """Expected orders of a customer alive at T."""
        return self._if_alive(self._family.orders_if_alive, x, t_x, T, weeks)

    def any_order_if_alive(self, x, t_x, T, weeks) -> np.ndarray:
        """Probability of an order of a customer alive at T."""
        return self._if_alive(self._family.any_order_if_alive, x, t_x, T, weeks)

    def weighted_orders(self, x, t_x, T, weeks, factors) -> np.ndarray:
        """Sum over the horizons ``weeks`` of ``factors`` x expected orders until then: a discounted sum, for one.

        The same as ``expected_orders(...) @ factors``, without the table of customers by horizons.
        """
        x, t_x, T = _arrays(x, t_x, T)
        horizons, factors, family = np.asarray(weeks, dtype=float), np.asarray(factors, dtype=float), self._family

        def of_all(q, x, T, _, stage):
            return sum(
                f * family.orders_if_alive(q, x, T, float(w), stage) for w, f in zip(horizons, factors, strict=True)
            )

        return self._if_alive(of_all, x, t_x, T, 0.0) * self.p_alive(x, t_x, T)

    def life_orders(self, x, t_x, T, discount_rate_per_week: float) -> np.ndarray:
        """Expected orders for ever, each discounted by exp(-rate x weeks): DET of Fader, Hardie & Lee (2005).

        For a discount of d a year the rate is ln(1 + d) x 7 / 365. Raises ``UsageError`` for a rate of 0 or less:
        without discount most of these sums have no end.

        >>> nbd = Fitted("nbd", {"r": 1.0, "alpha": 10.0})
        >>> nbd.life_orders(2, 5.0, 20.0, 0.002)  # 0.1 orders a week / 0.002
        array([50.])
        """
        if not discount_rate_per_week > 0:
            raise UsageError("life_needs_discount", got=discount_rate_per_week)
        life = self._if_alive(self._family.life_if_alive, x, t_x, T, discount_rate_per_week)
        return self._of_all(life, x, t_x, T)

    def simulate_orders(self, x, t_x, T, weeks: float, rng: np.random.Generator) -> np.ndarray:
        """One draw a customer of the number of orders in the ``weeks`` after T: whole numbers.

        Drawn from the model given the customer's history: alive or not, his rate, when he leaves, his orders.
        """
        x, t_x, T = _arrays(x, t_x, T)
        family = self._family
        alive = rng.random(x.shape) < family.p_alive(self.parameters, x, t_x, T)
        orders = np.zeros(x.shape, dtype="int64")
        orders[alive] = family.draw_if_alive(self.parameters, x[alive], t_x[alive], T[alive], weeks, rng)
        return orders

    def draws(self, n: int, rng: np.random.Generator) -> list[Fitted]:
        """``n`` times the model with parameters drawn from their normal approximation on the log scale.

        Draws further than 4.3 standard deviations out are moved in. A rule has no parameters to draw: it is repeated.
        """
        names = self._family.names
        if self.covariance is None or not names:
            return [self] * n
        values, vectors = np.linalg.eigh(self.covariance)
        z = rng.standard_normal((n, len(names)))
        z *= np.minimum(1, _FARTHEST / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12))
        centre = np.log([self.parameters[name] for name in names])
        root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T  # the one root that does not hang on their signs
        drawn = np.exp(centre + z @ root)
        return [
            replace(self, parameters={**self.parameters, **dict(zip(names, map(float, row), strict=True))})
            for row in drawn
        ]

    @property
    def _family(self) -> Family:
        return FAMILIES[self.model]

    def _of_all(self, if_alive: np.ndarray, x, t_x, T) -> np.ndarray:
        alive = self.p_alive(x, t_x, T)
        return if_alive * (alive if if_alive.ndim == 1 else alive[:, None])

    def _if_alive(self, function, x, t_x, T, horizon) -> np.ndarray:
        """``function`` of the family, once for each distinct (x, T), mixed over the stages t_x leaves possible."""
        x, t_x, T = _arrays(x, t_x, T)
        horizons = np.atleast_1d(np.asarray(horizon, dtype=float))
        stages = self._family.stage_weights(self.parameters, x, t_x, T)
        total = 0.0
        for stage, weight in enumerate(stages):

            def each(x, T, stage=stage):
                return np.column_stack([function(self.parameters, x, T, float(h), stage) for h in horizons])

            found = _once_each(each, x, T)
            total = total + weight[:, None] * found if len(stages) > 1 else found
        return total[:, 0] if np.ndim(horizon) == 0 else total
