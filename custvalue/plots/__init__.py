"""Charts: a finished table in, matplotlib Axes out, in English or Chinese; one question each."""

from custvalue.plots.backtest import (
    plot_by_frequency,
    plot_frequency_recency,
    plot_lift,
    plot_reliability,
    plot_tracking,
)
from custvalue.plots.churn import plot_calls, plot_history, plot_movement, plot_rhythm, plot_stages, plot_survival
from custvalue.plots.lifetime import plot_alive, plot_forecast, plot_holdout, plot_value_curve
from custvalue.plots.matrix import plot_matrix, plot_matrix_moves
from custvalue.plots.pyramid import plot_lorenz, plot_pyramid
from custvalue.plots.quality import plot_months, plot_quality
from custvalue.plots.segmentation import plot_clusters, plot_groups, plot_rfm

__all__ = [
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
]
