"""Charts of the forecast: the models' test, value by month, who holds it, and who is still a customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from custvalue.labels import text
from custvalue.plots.pyramid import draw_concentration
from custvalue.plots.quality import BAR_DAYS, month_axis
from custvalue.plots.style import (
    BLUE,
    GREEN,
    INK,
    ON_WHITE,
    ORANGE,
    chart,
    legend_below,
    new_axes,
    note,
    number_axis,
    panels,
    row_axis,
    values,
    with_currency,
    words,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_alive", "plot_forecast", "plot_holdout", "plot_value_curve", "plot_what_if"]

_ALIVE_BINS = np.linspace(0, 1, 21)


def _with_bias(forecast: pd.Series, bias: pd.Series) -> list[str]:
    return [
        f"{n}  ({'–' if pd.isna(b) else f'{100 * b:+.1f}%'})"
        for n, b in zip(values(forecast, "count"), bias, strict=True)
    ]


@chart("model", "forecast", "actual", "bias")
def plot_holdout(scores: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """What each model and each naive rule foretold for the test period, against the orders that came.

    ``scores`` has one row per model or rule: model, forecast and actual (orders of all customers), bias
    (forecast / actual - 1, written beside the bar) and perhaps chosen, which colours the bar.

    >>> scores = pd.DataFrame({"model": ["bg_nbd", "zero"], "forecast": [88.0, 0.0], "actual": [100, 100],
    ...                        "bias": [-0.12, -1.0], "mae": [0.8, 0.9], "chosen": [True, False]})
    >>> [words.get_text() for words in plot_holdout(scores).texts]
    ['88  (-12.0%)', '0  (-100.0%)', '100 orders came']
    """
    scores = scores.dropna(subset="forecast")
    if not scores["actual"].max() > 0:
        return note(new_axes(ax, 1.2), text("plots.no_orders_came", language))
    ax = new_axes(ax, 1.8 + 0.42 * len(scores))
    chosen = scores["chosen"].astype(bool) if "chosen" in scores else pd.Series(False, index=scores.index)
    bars = ax.barh(range(len(scores)), scores["forecast"], color=np.where(chosen, BLUE, "#b9cfdf"), height=0.62)
    ax.bar_label(bars, _with_bias(scores["forecast"], scores["bias"]), padding=4, fontsize=9, bbox=ON_WHITE)
    row_axis(ax, words("model", scores["model"], language, 34))
    actual = scores["actual"].iloc[0]
    ax.axvline(actual, color=ORANGE, linewidth=1.8, zorder=0.8)
    ax.annotate(
        text("plots.orders_came", language, n=actual), (actual, 1), xycoords=("data", "axes fraction"),
        xytext=(0, 4), textcoords="offset points", ha="center", va="bottom", color=INK, fontsize=9,
    )  # fmt: skip
    ax.set_xlim(0, max(scores["forecast"].max(), actual, 1) * 1.3)
    number_axis(ax.xaxis, "count")
    ax.set_title(text("plots.holdout_title", language), pad=24)
    ax.set_xlabel(text("plots.orders_bias", language))
    return ax


@chart("month_end", "expected_orders", "clv")
def plot_forecast(monthly: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """The value expected from today's customers in each month to come, and below it the orders.

    ``monthly`` has one row per month: month_end, expected_orders, clv (money). The axes of the value are
    returned.

    >>> monthly = pd.DataFrame({"month_end": pd.to_datetime(["2026-01-31", "2026-02-28"]),
    ...                         "expected_orders": [41.5, 38.2], "clv": [5200.0, 4700.0]})
    >>> plot_forecast(monthly, currency="CNY").get_ylabel()
    'Expected value (CNY)'
    """
    if not monthly["expected_orders"].max() > 0.005:
        return note(new_axes(ax, 1.2), text("plots.no_orders_expected", language))
    money, orders = panels(ax, 5.2, stacked=True, first=0.55)
    months = monthly["month_end"].dt.to_period("M").dt.to_timestamp()
    money.bar(months, monthly["clv"], width=BAR_DAYS, color=BLUE)
    orders.plot(months, monthly["expected_orders"], color=GREEN, marker="o", markersize=3.5)
    label = with_currency(text("plots.expected_value", language), language, currency)
    money.set(title=text("plots.forecast_title", language), ylabel=label)
    orders.set(ylabel=text("plots.expected_orders", language), xlabel=text("plots.month", language))
    orders.set_ylim(0, max(monthly["expected_orders"].max() * 1.1, 1e-9))
    for panel in (money, orders):
        month_axis(panel, months)
        number_axis(panel.yaxis, "number")
    return money


@chart("clv_12m")
def plot_value_curve(table: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """How much of the forecast value the best customers hold, from the most valuable downwards.

    ``table`` has one row per customer: clv_12m.

    >>> plot_value_curve(pd.DataFrame({"clv_12m": [80.0, 5.0, 5.0, 5.0, 5.0]})).texts[0].get_text()
    'The best 20% hold 80.0%'
    """
    ranked = np.sort(table["clv_12m"].dropna().to_numpy(float))[::-1]
    if not ranked.sum() > 0:
        return note(new_axes(ax, 1.2), text("plots.no_value", language))
    ax = new_axes(ax, 4.8)
    ax.set_title(text("plots.value_curve_title", language))
    held = ranked.cumsum() / ranked.sum()
    draw_concentration(ax, np.arange(1, len(ranked) + 1) / len(ranked), held, language)
    ax.set_ylabel(text("plots.share_forecast", language))
    return ax


@chart("p_alive")
def plot_alive(table: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """How many customers have which probability of being alive; one-time buyers apart if n_repeats is there.

    ``table`` has one row per customer: p_alive and perhaps n_repeats (0 = bought on one day only).

    >>> table = pd.DataFrame({"p_alive": [0.1, 0.9, 0.95], "n_repeats": [0, 3, 7]})
    >>> [words.get_text() for words in plot_alive(table).get_legend().get_texts()]
    ['Bought again', 'Bought once']
    """
    p = table["p_alive"].astype(float)
    if p.isna().all():
        return note(new_axes(ax, 1.2), text("plots.alive_unknown", language))
    ax = new_axes(ax, 4.0)
    if "n_repeats" in table:
        parts = [p[table["n_repeats"] > 0].dropna(), p[table["n_repeats"] == 0].dropna()]
        names = [text("plots.repeat_buyers", language), text("plots.one_time_buyers", language)]
        ax.hist(parts, bins=_ALIVE_BINS, stacked=True, color=[BLUE, ORANGE], label=names, edgecolor="white")
        legend_below(ax)
    else:
        ax.hist(p.dropna(), bins=_ALIVE_BINS, color=BLUE, edgecolor="white")
    ax.set_xlim(0, 1)
    number_axis(ax.xaxis, "share")
    number_axis(ax.yaxis, "count")
    ax.grid(False, axis="x")
    ax.set(title=text("plots.alive_title", language), xlabel=text("plots.p_alive", language))
    ax.set_ylabel(text("plots.n_customers", language))
    return ax


@chart("retention_change", "value", "value_change")
def plot_what_if(table: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """What today's customers would be worth for life at another retention; the dashed line is today's value.

    ``table`` is the result of :func:`custvalue.lifetime.value_what_if`.

    >>> table = pd.DataFrame({"retention_change": [0.0, 0.05], "value": [100.0, 110.0], "value_change": [0.0, 10.0]})
    >>> [tick.get_text() for tick in plot_what_if(table).get_yticklabels()]
    ['+0 points', '+5 points']
    """
    known = table.dropna(subset="value")
    if known.empty:
        return note(new_axes(ax, 1.2), text("plots.no_value", language))
    ax = new_axes(ax, 1.6 + 0.42 * len(known))
    bars = ax.barh(range(len(known)), known["value"], color=BLUE, height=0.62)
    ax.bar_label(bars, values(known["value"], "money"), padding=6, fontsize=9, bbox=ON_WHITE)
    today = (known["value"] - known["value_change"]).iloc[0]
    ax.axvline(today, color=ORANGE, linestyle="--", linewidth=1.4, label=text("plots.value_today", language))
    row_axis(ax, [text("plots.points", language, n=f"{100 * change:+.0f}") for change in known["retention_change"]])
    number_axis(ax.xaxis, "money")
    ax.set_xlim(0, 1.14 * max(today, known["value"].max()))
    ax.set_xlabel(with_currency(text("plots.what_if_value", language), language, currency))
    ax.set_title(text("plots.what_if_title", language))
    legend_below(ax)
    return ax
