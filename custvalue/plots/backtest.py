"""Charts of the forecast against what came: by week, by earlier orders, by probability, by tenths of the customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from custvalue.labels import text
from custvalue.plots.style import (
    BLUE,
    GREY,
    ON_WHITE,
    ORANGE,
    chart,
    heat,
    legend_below,
    new_axes,
    note,
    number_axis,
    panels,
    values,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_by_frequency", "plot_frequency_recency", "plot_lift", "plot_reliability", "plot_tracking"]


def _two_lines(ax: Axes, x: pd.Series, actual: pd.Series, expected: pd.Series, language: str) -> None:
    ax.plot(x, actual, color=ORANGE, label=text("plots.came", language))
    ax.plot(x, expected, color=BLUE, linestyle="--", label=text("plots.expected", language))
    number_axis(ax.yaxis, "count")


@chart("week_end", "period", "actual", "expected_orders", "actual_total", "expected_total")
def plot_tracking(table: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """Repeat orders week by week and so far: what came, and what the model expects; a line where it stopped learning.

    ``table`` has one row per week: week_end, period (fitted or held_out), actual, expected_orders, actual_total,
    expected_total. The axes of the weekly orders are returned.

    >>> weeks = pd.DataFrame({"week_end": pd.to_datetime(["2024-01-07", "2024-01-14"]),
    ...                       "period": ["fitted", "held_out"], "actual": [3, 5], "expected_orders": [3.4, 4.1],
    ...                       "actual_total": [3, 8], "expected_total": [3.4, 7.5]})
    >>> [line.get_text() for line in plot_tracking(weeks).get_figure().axes[1].get_legend().get_texts()]
    ['Came', 'Expected']
    """
    weekly, total = panels(ax, 5.6, stacked=True)
    _two_lines(weekly, table["week_end"], table["actual"], table["expected_orders"], language)
    _two_lines(total, table["week_end"], table["actual_total"], table["expected_total"], language)
    fitted = table.loc[table["period"].astype(str) == "fitted", "week_end"]
    for panel in (weekly, total):
        panel.set_ylim(bottom=0)
        if len(fitted):
            panel.axvline(fitted.iloc[-1], color=GREY, linewidth=1.2)
    if len(fitted):
        weekly.annotate(
            text("plots.learned_until", language), (fitted.iloc[-1], 1), xycoords=("data", "axes fraction"),
            xytext=(0, 3), textcoords="offset points", ha="center", va="bottom", fontsize=9,
        )  # fmt: skip
    weekly.set_title(text("plots.tracking_title", language), pad=22)
    weekly.set_ylabel(text("plots.orders_of_week", language))
    total.set(ylabel=text("plots.orders_so_far", language))
    legend_below(total)
    return weekly


@chart("n_repeats", "n_customers", "forecast_mean", "actual_mean")
def plot_by_frequency(table: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """Mean orders after the cut-off, forecast and actual, by the repeat orders before it.

    ``table`` has one row per number of repeat orders, the last one standing for more too: n_repeats, n_customers,
    forecast_mean, actual_mean.

    >>> table = pd.DataFrame({"n_repeats": [0, 7], "n_customers": [90, 10], "forecast_mean": [0.2, 5.0],
    ...                       "actual_mean": [0.3, 4.6]})
    >>> [tick.get_text() for tick in plot_by_frequency(table).get_xticklabels()]
    ['0\\n(90)', '7+\\n(10)']
    """
    ax = new_axes(ax, 4.2)
    place = np.arange(len(table))
    ax.bar(place - 0.2, table["actual_mean"], width=0.38, color=ORANGE, label=text("plots.came", language))
    ax.bar(place + 0.2, table["forecast_mean"], width=0.38, color=BLUE, label=text("plots.expected", language))
    last = table["n_repeats"].max()
    names = [f"{n}{'+' if n == last and n >= 7 else ''}" for n in table["n_repeats"]]
    counts = values(table["n_customers"], "count")
    ax.set_xticks(place, [f"{name}\n({count})" for name, count in zip(names, counts, strict=True)])
    number_axis(ax.yaxis, "number")
    ax.grid(False, axis="x")
    ax.set(title=text("plots.frequency_title", language), xlabel=text("plots.repeats_before", language))
    ax.set_ylabel(text("plots.orders_each", language))
    ax.legend(loc="upper left")
    return ax


@chart("mean_p", "share_bought", "share_low", "share_high", "n_customers")
def plot_reliability(table: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """Did it come true? Share who bought against the forecast probability of buying, with the range chance leaves.

    ``table`` has one row per range of probabilities: mean_p, share_bought, share_low, share_high (95%), n_customers.

    >>> table = pd.DataFrame({"mean_p": [0.1, 0.8], "share_bought": [0.12, 0.75], "share_low": [0.1, 0.6],
    ...                       "share_high": [0.15, 0.9], "n_customers": [400, 40]})
    >>> [words.get_text() for words in plot_reliability(table).texts]
    ['400', '40']
    """
    ax = new_axes(ax, 4.8)
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=1.2, label=text("plots.as_forecast", language))
    around = [table["share_bought"] - table["share_low"], table["share_high"] - table["share_bought"]]
    ax.errorbar(
        table["mean_p"], table["share_bought"], yerr=np.clip(around, 0, None), color=BLUE, marker="o", capsize=3,
        label=text("plots.bought_share", language),
    )  # fmt: skip
    for row in table.itertuples():
        ax.annotate(
            values([row.n_customers], "count")[0], (row.mean_p, row.share_bought), xytext=(7, -9),
            textcoords="offset points", fontsize=8.5, color="#555555",
        )  # fmt: skip
    ax.set(xlim=(0, 1), ylim=(0, 1.02), title=text("plots.reliability_title", language))
    number_axis(ax.xaxis, "share")
    number_axis(ax.yaxis, "share")
    ax.set_xlabel(text("plots.p_buys", language))
    ax.set_ylabel(text("plots.bought_share", language))
    legend_below(ax)
    return ax


@chart("decile", "share_orders", "lift")
def plot_lift(table: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """How many of the orders each tenth of the customers made, the tenth with the highest forecast first.

    ``table`` has one row per tenth: decile, share_orders, lift (written on the bar).

    >>> table = pd.DataFrame({"decile": [1, 2], "share_orders": [0.8, 0.2], "lift": [1.6, 0.4]})
    >>> [words.get_text() for words in plot_lift(table).texts][:2]
    ['1.6×', '0.4×']
    """
    if table["share_orders"].isna().all():
        return note(new_axes(ax, 1.2), text("plots.no_orders_came", language))
    ax = new_axes(ax, 4.0)
    bars = ax.bar(table["decile"].astype(str), table["share_orders"], color=BLUE, width=0.7)
    ax.bar_label(bars, [f"{lift:.1f}×" for lift in table["lift"]], padding=2, fontsize=9, bbox=ON_WHITE)
    ax.axhline(1 / len(table), color=GREY, linestyle="--", linewidth=1.2, label=text("plots.by_chance", language))
    ax.set_ylim(0, table["share_orders"].max() * 1.15)
    number_axis(ax.yaxis, "share")
    ax.grid(False, axis="x")
    ax.set(title=text("plots.lift_title", language), xlabel=text("plots.tenths", language))
    ax.set_ylabel(text("plots.share_of_orders", language))
    legend_below(ax)
    return ax


@chart("n_repeats", "weeks_since_last", "expected_orders")
def plot_frequency_recency(
    table: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = ""
) -> Axes:
    """Orders expected of a customer, by repeat orders so far (up) and weeks since the last one (right).

    ``table`` has one row per cell: n_repeats, weeks_since_last, expected_orders; missing cells stay empty.

    >>> table = pd.DataFrame({"n_repeats": [1, 1], "weeks_since_last": [0.0, 20.0], "expected_orders": [2.0, 0.4]})
    >>> [cell.get_text() for cell in plot_frequency_recency(table).texts]
    ['2.0', '0.4']
    """
    cells = table.pivot(index="n_repeats", columns="weeks_since_last", values="expected_orders").sort_index(
        ascending=False
    )
    cells.columns = [f"{weeks:.0f}" for weeks in cells.columns]
    ax = new_axes(ax, 1.6 + 0.32 * len(cells))
    heat(ax, cells, cells.map(lambda value: "" if pd.isna(value) else f"{value:.1f}"))
    ax.set(title=text("plots.heat_title", language), xlabel=text("plots.weeks_silent", language))
    ax.set_ylabel(text("plots.repeats_rows", language))
    return ax
