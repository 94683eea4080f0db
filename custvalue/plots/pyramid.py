"""Charts of the customer pyramid: the tiers with what they hold, and the concentration of value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from custvalue.labels import labels, text
from custvalue.plots.segmentation import share_bars
from custvalue.plots.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    SKY,
    chart,
    legend_below,
    named_counts,
    new_axes,
    note,
    number_axis,
    panels,
    row_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_concentration", "plot_lorenz", "plot_pyramid"]

_TOP = 0.20
_BANDS = (SKY, ORANGE, "#b0b0b0", "#5f5f5f")


def _top_point(customers: np.ndarray, value: np.ndarray) -> tuple[float, float]:
    """The point of the curve nearest to the best 20 per cent, never nobody; of two as near the larger."""
    whole = np.flatnonzero(customers > 0)
    distance = np.abs(customers[whole] - _TOP).round(12)
    place = whole[np.flatnonzero(distance == distance.min())[-1]]
    return float(customers[place]), float(value[place])


def draw_concentration(ax: Axes, customers: np.ndarray, value: np.ndarray, language: str) -> None:
    """The share of the value that the best customers hold, the even share, and the mark at 20 per cent."""
    customers, value = np.append(0.0, customers), np.append(0.0, value)
    share, held = _top_point(customers, value)
    ax.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1.2, label=text("plots.even", language))
    ax.plot(customers, value, color=BLUE, linewidth=2.2, label=text("plots.best_first", language))
    ax.plot([share, share, 0], [0, held, held], color=ORANGE, linewidth=1.2)
    ax.plot([share], [held], "o", color=ORANGE, zorder=4, clip_on=False)
    words = text("plots.top_hold", language, share=share, held=held)
    place = {"xytext": (12, -12 if held > 0.9 else -5), "textcoords": "offset points", "va": "top"}
    ax.annotate(words, (share, held), color=INK, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5}, **place)
    ax.set_xlim(0, 1)
    ax.set_ylim(min(0.0, value.min()), max(1.0, value.max()) * 1.02)
    number_axis(ax.xaxis, "share")
    number_axis(ax.yaxis, "share")
    ax.set_xlabel(text("plots.best_customers", language))
    legend_below(ax)


def _from_best(customers: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The curve from the best customer down; one from the smallest up, which lies low, is turned round."""
    if (value - customers).sum() >= 0:
        return customers, value
    return np.append(1 - customers[::-1], 1.0), np.append(1 - value[::-1], 1.0)


@chart("share_customers", "share_value")
def plot_lorenz(
    curve: pd.DataFrame, gini: float, *, ax: Axes | None = None, language: str = "en", currency: str = ""
) -> Axes:
    """How much of the value the best customers hold: the concentration curve, from the best to the last.

    ``curve`` has one row per customer, from the best down or from the smallest up (always drawn from the best
    down): share_customers and share_value, both cumulative, up to 1. The mark is at the point nearest to
    20 per cent of the customers. With returns the curve may pass above 1.

    >>> curve = pd.DataFrame({"share_customers": [0.2, 1.0], "share_value": [0.8, 1.0]})
    >>> [words.get_text() for words in plot_lorenz(curve, 0.6).texts]
    ['The best 20% hold 80.0%']
    """
    ax = new_axes(ax, 4.8)
    ax.set_title(text("plots.lorenz_title", language, gini=gini))
    known = curve.dropna()
    if known.empty:
        return note(ax, text("plots.no_total", language))
    customers, value = (known[column].to_numpy(float) for column in ("share_customers", "share_value"))
    draw_concentration(ax, *_from_best(customers, value), language)
    ax.set_ylabel(text("plots.share_value", language))
    return ax


def _draw_triangle(ax: Axes, letters: list[str]) -> None:
    """Bands of equal height from the peak down; their widths say nothing, the bars beside them do."""
    n = len(letters)
    for row, letter in enumerate(letters):
        top, bottom = row / n, (row + 1) / n
        corners = [(-top, row - 0.5), (top, row - 0.5), (bottom, row + 0.5), (-bottom, row + 0.5)]
        colour = _BANDS[row % len(_BANDS)]
        ax.fill(*zip(*corners, strict=True), color=colour, edgecolor="white", linewidth=2.5)
        ax.text(
            0,
            row + (0.12 if row == 0 else 0),
            letter,
            ha="center",
            va="center",
            color="white" if row == 3 else INK,
        )
    ax.set_xlim(-1.02, 1.02)
    ax.set_axis_off()


@chart("tier", "n_customers", "share_customers", "share_value")
def plot_pyramid(summary: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """The pyramid from platinum to lead, and beside each band its share of the customers and of the value.

    ``summary`` has one row per tier, the best first: tier, n_customers, share_customers, share_value. The
    axes of the bars are returned.

    >>> summary = pd.DataFrame({"tier": ["platinum", "gold", "iron", "lead"], "n_customers": [1, 4, 15, 80],
    ...                         "share_customers": [0.01, 0.04, 0.15, 0.8],
    ...                         "share_value": [0.2, 0.2, 0.3, 0.3]})
    >>> plot_pyramid(summary).get_yticklabels()[0].get_text()
    'A · Platinum: 1'
    """
    triangle, bars = panels(ax, 4.2, stacked=False, first=0.36)
    letters = labels("tier_letter", language)
    _draw_triangle(triangle, [letters.get(str(code), "") for code in summary["tier"]])
    customers, value = (text(f"plots.{column}", language) for column in ("share_customers", "share_value"))
    rows = summary.reset_index(drop=True)
    share_bars(bars, [(rows["share_customers"], GREY, customers), (rows["share_value"], BLUE, value)])
    for panel in (triangle, bars):
        row_axis(panel, named_counts("tier", rows["tier"], rows["n_customers"], language))
    triangle.set_title(text("plots.pyramid_title", language))
    bars.set_xlabel(text("plots.share", language))
    legend_below(bars)
    return bars
