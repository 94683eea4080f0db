"""Charts of what changed between two months: the bridge of value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from custvalue.labels import heading, text
from custvalue.plots.style import BLUE, GREEN, GREY, INK, ORANGE, chart, new_axes, note, number_axis, row_axis, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_bridge"]

#: Where the steps are smaller than this part of the totals, the axis begins above zero, or nothing could be seen.
_SMALL = 0.5


def _spans(amounts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each bar begins and ends: totals from 0, each step from where the one above it ended."""
    ends = np.cumsum(amounts[:-1])
    starts = np.concatenate([[0.0], ends[:-1]])
    return np.append(starts, 0.0), np.append(ends, amounts[-1])


def _edges(starts: np.ndarray, ends: np.ndarray) -> tuple[float, float]:
    """The part of the axis that is shown."""
    points = np.concatenate([ends, starts[1:-1]])
    low, high = float(points.min()), float(points.max())
    spread = max(high - low, abs(high) * 1e-6, 1e-9)
    if low > 0 and spread < _SMALL * high:
        return max(low - 0.35 * spread, 0.0), high + 0.3 * spread
    return min(low * 1.15, 0.0), max(high, 0.0) + 0.25 * max(high - min(low, 0.0), 1e-9)


@chart("bridge_part", "clv_12m")
def plot_bridge(
    bridge: pd.DataFrame, by: str = "clv_12m", *, ax: Axes | None = None, language: str = "en", currency: str = ""
) -> Axes:
    """From last month's value to this month's: what came on top (green), what went (orange).

    ``bridge`` is the result of :func:`custvalue.movement.value_bridge`, ``by`` its column of money.

    >>> steps = pd.DataFrame({"bridge_part": ["before", "new", "lost", "now"], "clv_12m": [90.0, 20.0, -10.0, 100.0]})
    >>> plot_bridge(steps).get_title(loc="left")
    'From the value before to the value now'
    """
    codes, amounts = bridge["bridge_part"].astype(str).tolist(), bridge[by].to_numpy(dtype=float)
    if np.isnan(amounts).any():
        return note(new_axes(ax, 1.2), text("plots.empty", language))
    ax = new_axes(ax, 1.6 + 0.42 * len(codes))
    ax.set_title(text("plots.bridge_title", language))
    starts, ends = _spans(amounts)
    low, high = _edges(starts, ends)
    total = [code in ("before", "now") for code in codes]
    colours = [
        BLUE if whole else GREEN if change >= 0 else ORANGE for whole, change in zip(total, amounts, strict=True)
    ]
    left = np.where(total, low, np.minimum(starts, ends))
    ax.barh(range(len(codes)), np.maximum(starts, ends).clip(min=low) - left, left=left, color=colours, height=0.62)
    for row in range(len(codes) - 1):
        ax.plot([ends[row], ends[row]], [row - 0.31, row + 1.31], color=GREY, linewidth=0.8)
    for row, (amount, whole) in enumerate(zip(amounts, total, strict=True)):
        said = f"{amount:,.0f}" if whole else f"{amount:+,.0f}"
        ax.annotate(
            said, (max(starts[row], ends[row]), row), (5, 0), textcoords="offset points", va="center", color=INK
        )
    row_axis(ax, words("bridge_part", codes, language, 40))
    ax.set_xlim(low, high)
    number_axis(ax.xaxis, "money", 5)
    name = heading(by, language, currency)
    ax.set_xlabel(text("plots.bridge_cut_axis", language, what=name) if low > 0 else name)
    return ax
