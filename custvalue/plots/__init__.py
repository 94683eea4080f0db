"""Charts: a finished table in, matplotlib Axes out, in English or Chinese; one question each."""

from custvalue.plots.churn import plot_movement, plot_rhythm, plot_stages
from custvalue.plots.lifetime import plot_alive, plot_forecast, plot_holdout, plot_value_curve
from custvalue.plots.matrix import plot_matrix, plot_matrix_moves
from custvalue.plots.pyramid import plot_lorenz, plot_pyramid
from custvalue.plots.quality import plot_months, plot_quality
from custvalue.plots.segmentation import plot_clusters, plot_groups, plot_rfm

__all__ = [
    "plot_alive",
    "plot_clusters",
    "plot_forecast",
    "plot_groups",
    "plot_holdout",
    "plot_lorenz",
    "plot_matrix",
    "plot_matrix_moves",
    "plot_months",
    "plot_movement",
    "plot_pyramid",
    "plot_quality",
    "plot_rfm",
    "plot_rhythm",
    "plot_stages",
    "plot_value_curve",
]
