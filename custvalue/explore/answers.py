"""The explorers without their widgets: which values can be turned, and what table and chart they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from custvalue import churn, lifetime, matrix, pyramid, segmentation
from custvalue.config import Settings
from custvalue.explore.panel import Answer, Control, Explorer
from custvalue.labels import heading, phrase, text
from custvalue.profiles import profile
from custvalue.timelines import purchase_days

if TYPE_CHECKING:
    from custvalue.lifetime import Forecast
    from custvalue.transactions import Orders

__all__ = [
    "clusters_explorer",
    "customer_explorer",
    "lifetime_explorer",
    "matrix_explorer",
    "pyramid_explorer",
    "stages_explorer",
]

#: Most customers the centres of the clusters are computed from while a slider moves.
CLUSTER_CUSTOMERS = 5_000
_MEASURES = ("sales", "margin", "sales_12m", "margin_12m", "profit_12m", "clv_12m")
#: Columns of the table of a grouping, as far as they fit beside the sliders.
_GROUP_COLUMNS = ["n_customers", "share_customers", "sales", "share_sales", "share_margin", "value_at_risk"]
_GROUP_COLUMNS += ["median_days_since_last"]
_POINTS = tuple(np.round(np.arange(-0.10, 0.11, 0.05), 2))


def _known(customers: pd.DataFrame, columns: tuple[str, ...]) -> list[str]:
    return [column for column in columns if column in customers and customers[column].notna().any()]


def _beside(groups: pd.DataFrame) -> pd.DataFrame:
    return groups[[groups.columns[0], *(column for column in _GROUP_COLUMNS if column in groups)]]


def pyramid_explorer(customers: pd.DataFrame, settings: Settings, rules: pyramid.PyramidRules) -> Explorer:
    """Cut points and measure of the customer pyramid; kept as ``pyramid.cuts`` and ``pyramid.by``."""
    from custvalue.plots import plot_pyramid

    language, currency = settings.language, settings.currency
    shares = dict(zip(("cut_platinum", "cut_gold", "cut_iron"), rules.cuts, strict=True))
    by = [(heading(name, language), name) for name in dict.fromkeys([rules.by, *_known(customers, _MEASURES)])]
    controls = [Control(name, share, 0.005, 0.6, 0.005) for name, share in shares.items()]

    def chosen(values: Mapping[str, Any]) -> dict[str, Any]:
        return {"pyramid.by": values["by"], "pyramid.cuts": [round(values[name], 4) for name in shares]}

    def answer(values: Mapping[str, Any]) -> Answer:
        now = replace(rules, by=values["by"], cuts=tuple(chosen(values)["pyramid.cuts"]))
        summary = pyramid.tier_summary(pyramid.pyramid(customers, now))
        return Answer(summary, partial(plot_pyramid, summary, language=language, currency=currency))

    return Explorer("pyramid", [Control("by", rules.by, options=tuple(by)), *controls], answer, chosen)


_KINDS = {"quadrant": ("sales", "margin_rate"), "value_class": ("current_value", "potential")}


def _quantile(rules: matrix.MatrixRules, axis: str) -> float:
    threshold = rules.threshold_of(axis)
    return float(threshold) if isinstance(threshold, float | int) else 0.5


def matrix_explorer(
    customers: pd.DataFrame,
    settings: Settings,
    rules: matrix.MatrixRules,
    attributes: pd.DataFrame | None = None,
) -> Explorer:
    """Which matrix, where high begins on its axes (quantiles), and the weights of the indices."""
    from custvalue.plots import plot_matrix

    language, currency = settings.language, settings.currency
    weights = {f"weight_{part}": float(rules.potential_weights.get(part, 0)) for part in matrix.POTENTIAL_PARTS}
    weights = {name: weight for name, weight in weights.items() if name != "weight_future"}
    kinds = tuple((text(f"explore.matrix_{kind}", language), kind) for kind in _KINDS)
    axes = [
        Control(f"high_{side}", _quantile(rules, _KINDS["quadrant"][i]), 0.05, 0.95, 0.05)
        for i, side in enumerate("xy")
    ]
    potential = ("matrix", "value_class")
    sliders = [Control(name, weight, 0.0, 3.0, 0.5, "number", only_if=potential) for name, weight in weights.items()]

    def chosen(values: Mapping[str, Any]) -> dict[str, Any]:
        quantiles = {
            axis: round(values[f"high_{side}"], 2) for axis, side in zip(_KINDS[values["matrix"]], "xy", strict=True)
        }
        kept = {"matrix.thresholds": {**rules.thresholds, **quantiles}}
        parts = {name.removeprefix("weight_"): values[name] for name in weights}
        other = {part: weight for part, weight in rules.potential_weights.items() if part not in parts}
        return kept | ({"matrix.potential_weights": parts | other} if values["matrix"] == "value_class" else {})

    def answer(values: Mapping[str, Any]) -> Answer:
        keys = {key.removeprefix("matrix."): value for key, value in chosen(values).items()}
        now = replace(rules, **keys)
        if values["matrix"] == "quadrant":
            cut = matrix.sales_margin_matrix(customers, now)
        else:
            cut = matrix.value_potential_matrix(customers, now, attributes)
        groups = profile(customers.merge(cut.table[["customer_id", cut.kind]], on="customer_id"), cut.kind)
        return Answer(_beside(groups), partial(plot_matrix, cut, language=language, currency=currency))

    return Explorer("matrix", [Control("matrix", "quadrant", options=kinds), *axes, *sliders], answer, chosen)


def clusters_explorer(customers: pd.DataFrame, settings: Settings, rules: segmentation.SegmentationRules) -> Explorer:
    """How many clusters, with centres from at most 5,000 customers; kept as ``segmentation.clusters``."""
    from custvalue.plots import plot_clusters

    language, currency = settings.language, settings.currency
    some = customers.sample(min(len(customers), CLUSTER_CUSTOMERS), random_state=rules.seed)
    said = text("explore.clusters_sample", language, n=len(some)) if len(some) < len(customers) else ""

    def answer(values: Mapping[str, Any]) -> Answer:
        model = segmentation.cluster_model(some, replace(rules, clusters=values["clusters"]))
        groups = segmentation.cluster_customers(customers, model=model)
        centres = segmentation.cluster_centres(customers, groups, model)
        traits = [phrase("trait", codes.split(), language) for codes in centres["traits"]]
        return Answer(
            centres.assign(traits=traits), partial(plot_clusters, centres, language=language, currency=currency), said
        )

    start = min(max(rules.clusters or 4, 2), 9)
    control = Control("clusters", start, 2, 9, 1, "count")
    return Explorer("clusters", [control], answer, lambda values: {"segmentation.clusters": values["clusters"]})


def lifetime_explorer(customers: pd.DataFrame, forecast: Forecast, settings: Settings) -> Explorer:
    """What discount rate, cost of keeping a customer, margin and retention do to the value of today's customers.

    Kept are ``lifetime.discount_rate`` and ``lifetime.retention_cost``.
    """
    from custvalue.plots import plot_what_if

    language, currency, rules = settings.language, settings.currency, settings.lifetime
    top = float(np.ceil(forecast.table["expected_spend"].median(skipna=True))) if len(forecast.table) else 100.0
    controls = [
        Control("discount_rate", rules.discount_rate, 0.01, 0.40, 0.01),
        Control(
            "retention_cost",
            rules.retention_cost,
            0.0,
            max(top, rules.retention_cost, 1.0),
            max(top, 1.0) / 100,
            "number",
        ),
        Control("margin_change", 0.0, -0.5, 0.5, 0.01),
    ]

    def chosen(values: Mapping[str, Any]) -> dict[str, Any]:
        return {f"lifetime.{key}": round(values[key], 4) for key in ("discount_rate", "retention_cost")}

    def answer(values: Mapping[str, Any]) -> Answer:
        given = {key.removeprefix("lifetime."): value for key, value in chosen(values).items()}
        factor = 1 + values["margin_change"]
        table = lifetime.value_what_if(customers, forecast, _POINTS, margin_factor=factor, **given)
        return Answer(table, partial(plot_what_if, table, language=language, currency=currency))

    return Explorer("lifetime", controls, answer, chosen)


def stages_explorer(customers: pd.DataFrame, settings: Settings) -> Explorer:
    """The limits of the churn stages; ``customers`` holds the forecast's columns, as on page 5. Kept as ``churn.*``."""
    from custvalue.plots import plot_stages

    language, currency, rules = settings.language, settings.currency, settings.churn
    known = ("rhythm_days", "overdue", "trend", "stage", "stage_short", "value_at_risk")
    table = customers.drop(columns=[column for column in known if column in customers])
    controls = [
        Control("overdue_decline", rules.overdue_decline, 1.0, 6.0, 0.25, "number"),
        Control("overdue_drop", rules.overdue_drop, 1.0, 12.0, 0.25, "number"),
        Control("alive_decline", rules.alive_decline, 0.05, 0.95, 0.05),
        Control("alive_drop", rules.alive_drop, 0.0, 0.90, 0.05),
        Control("order_drop", rules.order_drop, 0.0, 0.90, 0.05),
    ]

    def chosen(values: Mapping[str, Any]) -> dict[str, Any]:
        return {f"churn.{control.name}": round(values[control.name], 4) for control in controls}

    def answer(values: Mapping[str, Any]) -> Answer:
        now = replace(rules, **{key.removeprefix("churn."): value for key, value in chosen(values).items()})
        staged = table.merge(churn.stages(table, now), on="customer_id")
        groups = profile(staged, "stage")
        return Answer(_beside(groups), partial(plot_stages, groups, language=language, currency=currency))

    return Explorer("stages", controls, answer, chosen)


def customer_explorer(orders: Orders, table: pd.DataFrame, forecast: Forecast, settings: Settings) -> Explorer:
    """One customer by id: purchases, the probability of still being active from day to day, and the outlook."""
    from custvalue.plots import plot_history

    language = settings.language
    known = table.set_index("customer_id", drop=False).sort_values("sales", ascending=False)
    model = forecast.fitted.get(forecast.p_alive_model)
    days_of = cache(lambda customer: purchase_days(orders, [customer]))
    outlook = ["tier", "stage", "n_orders", "sales", "last_order", "p_alive", "expected_orders_12m"]
    outlook = [column for column in [*outlook, "clv_12m", "value_at_risk"] if column in table]

    def answer(values: Mapping[str, Any]) -> Answer:
        customer = values["customer"].strip()
        past = churn.history(days_of(customer), model, customer, orders.as_of)
        draw = partial(plot_history, past, customer, level=settings.churn.alive_decline, language=language)
        return Answer(known.loc[[customer], ["customer_id", *outlook]], draw)

    first = str(known["customer_id"].iloc[0]) if len(known) else ""
    return Explorer("customer", [Control("customer", first, unit="text")], answer)
