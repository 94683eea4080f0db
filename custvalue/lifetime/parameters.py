"""The fitted models as a table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from custvalue.lifetime.blend import Blend
from custvalue.lifetime.fitted import Fitted
from custvalue.lifetime.forecasts import Forecast
from custvalue.lifetime.models import FAMILIES

__all__ = ["parameter_table"]

#: Standard errors on either side of a 95% interval.
_NORMAL_95 = 1.96


def parameter_table(forecast: Forecast) -> pd.DataFrame:
    """One row per fitted model: model, n_customers, parameters (name, estimate, 95% interval), log_likelihood, chosen.

    The interval is the normal one of the logarithm of the parameter. Time is in weeks, money in the unit of the data.
    Of the blend the weights of its two rules are shown. The spend model has its own row; ``chosen`` marks the model
    that forecasts the orders.

    >>> import custvalue as cv
    >>> from custvalue.share import sample_folder
    >>> orders = cv.read(sample_folder())
    >>> customers = cv.customer_table(orders)
    >>> forecast = cv.lifetime.forecast(customers, orders.as_of, cv.lifetime.LifetimeRules(model="pareto_nbd"))
    >>> parameter_table(forecast)[["model", "n_customers", "chosen"]]
             model  n_customers  chosen
    0   pareto_nbd         4978    True
    1      mbg_nbd         4978   False
    2  gamma_gamma         3015    True
    """
    rows = [
        (model, fitted.n_customers, _with_intervals(fitted), fitted.log_likelihood, model == forecast.chosen)
        for model, fitted in forecast.fitted.items()
    ]
    spend = forecast.spend
    rows.append((spend.kind, spend.n_customers, _words(spend.parameters), spend.log_likelihood, True))
    return pd.DataFrame(rows, columns=["model", "n_customers", "parameters", "log_likelihood", "chosen"])


def _with_intervals(fitted: Fitted) -> str:
    if isinstance(fitted, Blend):
        return _words({"past_rate": fitted.weights.orders, "nbd": fitted.weights.buys})
    names = FAMILIES[fitted.model].names
    if fitted.covariance is None or any(note.startswith("no_churn_seen") for note in fitted.notes):
        return _words(fitted.parameters)
    spread = np.exp(_NORMAL_95 * np.sqrt(np.diag(fitted.covariance)))
    intervals = {
        name: f" ({fitted.parameters[name] / wide:.3g}–{fitted.parameters[name] * wide:.3g})"
        for name, wide in zip(names, spread, strict=True)
    }
    return _words(fitted.parameters, intervals)


def _words(parameters: Mapping[str, float], intervals: Mapping[str, str] | None = None) -> str:
    intervals = intervals or {}
    return ", ".join(f"{name} {value:.4g}{intervals.get(name, '')}" for name, value in parameters.items()) or "–"
