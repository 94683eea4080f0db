"""Charts: a finished table in, matplotlib Axes out, in English or Chinese; one question each."""

from custvalue.plots.backtest import (
    plot_by_frequency,
    plot_frequency_recency,
    plot_lift,
    plot_reliability,
    plot_tracking,
)
from custvalue.plots.campaigns import plot_responses, plot_uplift
from custvalue.plots.churn import plot_calls, plot_history, plot_movement, plot_rhythm, plot_stages, plot_survival
from custvalue.plots.engagement import plot_browsing, plot_ordering, plot_pairs
from custvalue.plots.game import plot_game
from custvalue.plots.lifetime import plot_alive, plot_forecast, plot_holdout, plot_value_curve, plot_what_if
from custvalue.plots.matrix import plot_matrix, plot_matrix_moves
from custvalue.plots.movement import plot_bridge
from custvalue.plots.positioning import plot_ladder, plot_map
from custvalue.plots.pyramid import plot_lorenz, plot_pyramid
from custvalue.plots.quality import plot_months, plot_quality
from custvalue.plots.segmentation import plot_cluster_evidence, plot_clusters, plot_groups, plot_rfm, plot_rfm_groups

__all__ = [
    "plot_alive",
    "plot_bridge",
    "plot_browsing",
    "plot_by_frequency",
    "plot_calls",
    "plot_cluster_evidence",
    "plot_clusters",
    "plot_forecast",
    "plot_frequency_recency",
    "plot_game",
    "plot_groups",
    "plot_history",
    "plot_holdout",
    "plot_ladder",
    "plot_lift",
    "plot_lorenz",
    "plot_map",
    "plot_matrix",
    "plot_matrix_moves",
    "plot_months",
    "plot_movement",
    "plot_ordering",
    "plot_pairs",
    "plot_pyramid",
    "plot_quality",
    "plot_reliability",
    "plot_responses",
    "plot_rfm",
    "plot_rfm_groups",
    "plot_rhythm",
    "plot_stages",
    "plot_survival",
    "plot_tracking",
    "plot_uplift",
    "plot_value_curve",
    "plot_what_if",
]
