"""How often customers would order if none of them left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from custvalue.lifetime.blend import Blend
from custvalue.lifetime.fitting import Fitted
from custvalue.lifetime.models import FAMILIES
from custvalue.lifetime.rules import NAIVE_RULES

__all__ = ["orders_if_stays"]


def orders_if_stays(model: Fitted, x, t_x, T, weeks: float) -> np.ndarray:
    """Expected orders in the next weeks of a customer who is active and stays so throughout; NaN for a naive rule.

    Those of the model with its drop-out switched off, given the rate his purchases speak for: (r + x) / (alpha + T) x
    weeks for all but the regular buyers. Of a blend the share drawn to the past rate is that rate's.

    >>> pareto = Fitted("pareto_nbd", {"r": 0.5, "alpha": 10.0, "s": 0.6, "beta": 12.0})
    >>> orders_if_stays(pareto, 2, 10.0, 15.0, weeks=10.0).round(3)
    array([1.])
    """
    if isinstance(model, Blend):
        w, past = model.weights.orders, Fitted("past_rate").expected_orders(x, t_x, T, weeks)
        return (1 - w) * orders_if_stays(model.base, x, t_x, T, weeks) + w * past
    if model.model in NAIVE_RULES:
        return np.full(np.shape(x), np.nan)
    loyal = replace(model, parameters={**model.parameters, **FAMILIES[model.model].no_churn})
    return loyal.orders_if_alive(x, t_x, T, weeks)
