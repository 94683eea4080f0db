"""Lifetime value: how often customers will still buy, what it is worth, how far to trust the forecast.

The only package that uses ``lifetimes``, in ``reference.py``: a second opinion where the likelihoods here find nothing.
"""

from custvalue.lifetime.backtest import Backtest, backtest
from custvalue.lifetime.blend import Blend, Weights
from custvalue.lifetime.fitting import Fitted, fit, fit_best, grouped_rows
from custvalue.lifetime.forecasts import Forecast, forecast
from custvalue.lifetime.holdout import WHY, choose, cutoff_day, holdout_scores, verdict
from custvalue.lifetime.intervals import Intervals, forecast_intervals
from custvalue.lifetime.learned import Learned
from custvalue.lifetime.parameters import parameter_table
from custvalue.lifetime.rules import MODELS, NAIVE_RULES, VERDICTS, LifetimeRules, VerdictRules
from custvalue.lifetime.spend import SpendModel, fit_spend
from custvalue.lifetime.value import (
    EQUITY_PARTS,
    acquisition_return,
    customer_equity,
    lifetime_values,
    new_customer_value,
    retention_what_if,
    value_what_if,
)

__all__ = [
    "EQUITY_PARTS",
    "MODELS",
    "NAIVE_RULES",
    "VERDICTS",
    "WHY",
    "Backtest",
    "Blend",
    "Fitted",
    "Forecast",
    "Intervals",
    "Learned",
    "LifetimeRules",
    "SpendModel",
    "VerdictRules",
    "Weights",
    "acquisition_return",
    "backtest",
    "choose",
    "customer_equity",
    "cutoff_day",
    "fit",
    "fit_best",
    "fit_spend",
    "forecast",
    "forecast_intervals",
    "grouped_rows",
    "holdout_scores",
    "lifetime_values",
    "new_customer_value",
    "parameter_table",
    "retention_what_if",
    "value_what_if",
    "verdict",
]
