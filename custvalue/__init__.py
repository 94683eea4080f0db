"""Customer value from an order file: segmentation, value matrix, pyramid, lifetime value and churn stages.

The names an analyst needs in a notebook, each found in the module named beside it; the five analyses are modules:
``cv.segmentation``, ``cv.matrix``, ``cv.pyramid``, ``cv.lifetime``, ``cv.churn``. Nothing is loaded before it is used.
"""

from importlib import import_module as _import_module

_NAMES = {
    "confidence": ("enough", "how_tested", "stages_tested", "trust"),
    "config": ("Settings", "adjusted", "load_settings"),
    "customers": ("customer_table",),
    "errors": ("AnalysisError", "CustvalueError", "DataError", "UsageError"),
    "hindsight": ("stage_calls",),
    "labels": ("heading", "headings", "label"),
    "indices": ("share_of_wallet",),
    "pipeline": (
        "backtest_orders",
        "forecast_orders",
        "month_before",
        "quality_beside",
        "read",
        "read_attributes",
        "read_campaigns",
        "read_cuts",
        "read_events",
        "read_labels",
        "two_months",
        "with_contact_cost",
    ),
    "plots": (
        "plot_alive",
        "plot_by_frequency",
        "plot_calls",
        "plot_clusters",
        "plot_forecast",
        "plot_frequency_recency",
        "plot_groups",
        "plot_history",
        "plot_holdout",
        "plot_lift",
        "plot_lorenz",
        "plot_matrix",
        "plot_matrix_moves",
        "plot_months",
        "plot_movement",
        "plot_pyramid",
        "plot_quality",
        "plot_reliability",
        "plot_rfm",
        "plot_rhythm",
        "plot_stages",
        "plot_survival",
        "plot_tracking",
        "plot_value_curve",
    ),
    "profiles": ("profile",),
    "referrals": ("referral_value",),
    "report": ("run_report",),
    "review": (
        "actions_summary",
        "first_step",
        "labelled",
        "movement",
        "moves",
        "previous_scorecard",
        "save_scorecard",
        "scorecard",
        "totals",
    ),
    "strategy": ("rule_table", "strategy_for", "strategy_table"),
    "sufficiency": ("fitness_sentence", "is_fit"),
    "timelines": ("add_on_share", "cohort_table", "orders_by_month", "purchase_days"),
    "transactions": ("with_total",),
    "tables": ("advise", "cut_words", "glossary", "notes", "quadrant_words", "save", "say", "show"),
}
_MODULES = ("churn", "lifetime", "matrix", "pyramid", "segmentation", "sufficiency")
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = sorted([*_HOME, *_MODULES])


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return _import_module(f"custvalue.{name}")
    if name in _HOME:
        value = getattr(_import_module(f"custvalue.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    if name == "__version__":
        from importlib.metadata import version

        return version("custvalue")
    raise AttributeError(f"module 'custvalue' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
