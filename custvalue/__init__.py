"""Customer value from an order file: segmentation, value matrix, pyramid, lifetime value and churn stages.

The names an analyst needs in a notebook; each analysis is a module: ``cv.segmentation``, ``cv.matrix``, ``cv.pyramid``,
``cv.lifetime``, ``cv.churn``.
"""

from importlib.metadata import version as _version

from custvalue import churn, lifetime, matrix, pyramid, segmentation
from custvalue.config import Settings, adjusted, load_settings
from custvalue.customers import customer_table, orders_by_month
from custvalue.errors import AnalysisError, CustvalueError, DataError, UsageError
from custvalue.labels import heading, label
from custvalue.pipeline import forecast_orders, read, read_attributes, read_labels
from custvalue.plots import (
    plot_alive,
    plot_clusters,
    plot_forecast,
    plot_groups,
    plot_holdout,
    plot_lorenz,
    plot_matrix,
    plot_months,
    plot_movement,
    plot_pyramid,
    plot_quality,
    plot_rfm,
    plot_rhythm,
    plot_stages,
    plot_value_curve,
)
from custvalue.profiles import profile
from custvalue.review import (
    actions_summary,
    labelled,
    movement,
    moves,
    previous_scorecard,
    save_scorecard,
    scorecard,
    totals,
)
from custvalue.strategy import strategy, strategy_table
from custvalue.tables import glossary, notes, save, say, show

__version__ = _version("custvalue")

__all__ = [
    "AnalysisError",
    "CustvalueError",
    "DataError",
    "Settings",
    "UsageError",
    "actions_summary",
    "adjusted",
    "churn",
    "customer_table",
    "forecast_orders",
    "glossary",
    "heading",
    "label",
    "labelled",
    "lifetime",
    "load_settings",
    "matrix",
    "movement",
    "moves",
    "notes",
    "orders_by_month",
    "plot_alive",
    "plot_clusters",
    "plot_forecast",
    "plot_groups",
    "plot_holdout",
    "plot_lorenz",
    "plot_matrix",
    "plot_months",
    "plot_movement",
    "plot_pyramid",
    "plot_quality",
    "plot_rfm",
    "plot_rhythm",
    "plot_stages",
    "plot_value_curve",
    "previous_scorecard",
    "profile",
    "pyramid",
    "read",
    "read_attributes",
    "read_labels",
    "save",
    "save_scorecard",
    "say",
    "scorecard",
    "segmentation",
    "show",
    "strategy",
    "strategy_table",
    "totals",
]
