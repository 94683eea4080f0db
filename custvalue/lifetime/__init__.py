"""Lifetime value: how often customers will still buy, what it is worth, how far to trust the forecast.

The only package that uses ``lifetimes``: it fits; likelihoods, forecasts and their checks are computed here.
"""

from custvalue.lifetime.fitting import Fitted, fit, fit_best, grouped_rows
from custvalue.lifetime.forecasts import Forecast, forecast
from custvalue.lifetime.holdout import cutoff_day, holdout_scores, verdict
from custvalue.lifetime.parameters import parameter_table
from custvalue.lifetime.rules import MODELS, NAIVE_RULES, VERDICTS, LifetimeRules, VerdictRules
from custvalue.lifetime.spend import SpendModel, fit_spend

__all__ = [
    "MODELS",
    "NAIVE_RULES",
    "VERDICTS",
    "Fitted",
    "Forecast",
    "LifetimeRules",
    "SpendModel",
    "VerdictRules",
    "cutoff_day",
    "fit",
    "fit_best",
    "fit_spend",
    "forecast",
    "grouped_rows",
    "holdout_scores",
    "parameter_table",
    "verdict",
]
