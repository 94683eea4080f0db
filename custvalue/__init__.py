"""Customer value from an order file: segmentation, value matrix, pyramid, lifetime value and churn stages.

The names an analyst needs in a notebook, each found in the module named beside it; the five analyses are modules:
``cv.segmentation``, ``cv.matrix``, ``cv.pyramid``, ``cv.lifetime``, ``cv.churn``. Nothing is loaded before it is used.
"""

from importlib import import_module as _import_module

_NAMES = {
    "audiences": ("audience_lists", "audience_table"),
    "beside": (
        "event_rows",
        "quality_beside",
        "read_attributes",
        "read_campaigns",
        "read_clusters",
        "read_cuts",
        "read_events",
        "read_labels",
        "read_strategy",
        "with_contact_cost",
    ),
    "campaigns": ("campaign_notes", "sent_from_lists", "with_responses", "with_segments"),
    "confidence": ("enough", "how_tested", "stages_tested", "trust"),
    "config": ("Settings", "adjusted", "load_settings"),
    "customers": ("customer_table",),
    "errors": ("AnalysisError", "CustvalueError", "DataError", "UsageError"),
    "explore": (
        "explore_clusters",
        "explore_customer",
        "explore_lifetime",
        "explore_matrix",
        "explore_pyramid",
        "explore_stages",
        "explore_table",
        "settings_file",
    ),
    "firsts": ("first_baskets",),
    "groupwords": ("category_finding", "cluster_words", "level_words", "reason_words", "sets_apart"),
    "findings": (
        "browsing_finding",
        "campaign_finding",
        "cohort_finding",
        "e_value_finding",
        "equity_finding",
        "health_finding",
        "health_remedies",
        "pairs_finding",
        "retention_finding",
        "suggestion_finding",
        "trial_finding",
        "value_held_finding",
        "viewed_finding",
    ),
    "grouphealth": ("segment_health",),
    "valuefindings": (
        "latent_finding",
        "loss_finding",
        "quadrant_finding",
        "referral_finding",
        "rows_finding",
        "wallet_finding",
    ),
    "hindsight": ("stage_calls",),
    "labels": ("heading", "headings", "label"),
    "indices": ("share_of_wallet",),
    "pipeline": (
        "backtest_orders",
        "forecast_orders",
        "month_before",
        "read",
        "two_months",
    ),
    "plots": (
        "plot_alive",
        "plot_bridge",
        "plot_by_frequency",
        "plot_browsing",
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
    ),
    "profiles": ("attribute_levels", "distinguishing", "most_distinguishing", "profile"),
    "habits": ("buying_habits",),
    "keyaccounts": ("key_accounts",),
    "reasons": (
        "account_reasons",
        "accounts_sentence",
        "factor_lists",
        "ladder_sentence",
        "map_words",
        "target_reasons",
    ),
    "referrals": ("referral_value",),
    "report": ("run_report",),
    "headlines": ("five_things",),
    "history": ("earlier_month", "read_history", "remeasured"),
    "ids": ("joined",),
    "movement": (
        "bridge_total",
        "customer_flows",
        "move_table",
        "move_words",
        "movement_matrix",
        "movers",
        "moves",
        "value_bridge",
    ),
    "review": ("actions_summary", "first_step", "labelled", "month", "save_scorecard", "scorecard", "totals"),
    "yardsticks": ("save_yardsticks",),
    "strategy": ("rule_table", "strategy_for", "strategy_table"),
    "followup": ("campaigns_sent", "lists_followed"),
    "sufficiency": ("fitness_sentence", "is_fit"),
    "timelines": (
        "add_on_share",
        "category_purchases",
        "cohort_table",
        "orders_between",
        "orders_by_month",
        "purchase_days",
        "purchases_since",
    ),
    "transactions": ("with_total",),
    "trials": ("list_needed", "rise_told", "trial_sizes"),
    "uplift": ("campaign_results", "next_time"),
    "workbook": ("save_audiences", "save_workbook"),
    "tables": ("advise", "cut_words", "glossary", "notes", "quadrant_words", "save", "say", "show"),
}
_MODULES = (
    "churn",
    "crosssell",
    "engagement",
    "healthcheck",
    "lifetime",
    "matrix",
    "positioning",
    "pyramid",
    "segmentation",
    "sufficiency",
    "targeting",
    "workshop",
)
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
