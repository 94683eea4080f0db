"""The fitted models as a table."""

from __future__ import annotations

import pandas as pd

from custvalue.lifetime.forecasts import Forecast

__all__ = ["parameter_table"]


def parameter_table(forecast: Forecast) -> pd.DataFrame:
    """One row per fitted model: model, n_customers, parameters (name and estimate), log_likelihood, chosen.

    Time is in weeks, money in the unit of the data. The spend model has its own row; ``chosen`` marks the model that
    forecasts the orders.
    """
    rows = [
        (
            model,
            fitted.n_customers,
            _words(fitted.parameters),
            fitted.log_likelihood,
            model == forecast.chosen,
        )
        for model, fitted in forecast.fitted.items()
    ]
    spend = forecast.spend
    rows.append((spend.kind, spend.n_customers, _words(spend.parameters), spend.log_likelihood, True))
    return pd.DataFrame(rows, columns=["model", "n_customers", "parameters", "log_likelihood", "chosen"])


def _words(parameters) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in parameters.items()) or "–"
