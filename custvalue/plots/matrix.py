"""The value matrix as a map: every customer by two measures, the cuts, and who is in the four corners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from custvalue.labels import format_value, heading, labels, text, unit_of
from custvalue.plots.style import BLUE, GREEN, GREY, INK, ORANGE, STEPS, chart, new_axes, note, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

__all__ = ["plot_matrix"]

#: From this many customers on their density is drawn, below it one point each.
_DENSE = 2_000
_CELLS = 55
_FEW = 200
_SKEWED = 8.0
# corner of each code, in the order of the catalogue: (right, top), left top, right bottom, left bottom
_CORNERS = ((1, 1), (0, 1), (1, 0), (0, 0))
_COLOURS = (GREEN, BLUE, ORANGE, GREY)


@dataclass(frozen=True)
class _Side:
    """One measure of the map: its column, the cut, the range drawn and the scale."""

    column: str
    cut: float
    low: float
    high: float
    scale: str
    linear_to: float


def _side(numbers: pd.Series, cut: float, column: str) -> _Side:
    """All customers of a small shop, else the middle 98 per cent; skewed money on a log scale."""
    tail = 0.01 if len(numbers) > _FEW else 0.0
    low, high = min(numbers.quantile(tail), cut), max(numbers.quantile(1 - tail), cut)
    if high <= low:
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    skewed = unit_of(column) == "money" and numbers.quantile(0.99) > _SKEWED * abs(numbers.median())
    scale = "linear" if not skewed else "log" if low > 0 else "symlog"
    size = numbers[numbers != 0].abs()
    return _Side(column, cut, low, high, scale, float(size.quantile(0.1)) if len(size) else 1.0)


def _round_sizes(side: _Side) -> list[float]:
    """1, 10, 100 ... over the range of a log axis, with 2 and 5 between them where it is short, and zero."""
    first, last = np.log10(side.linear_to), np.log10(max(side.high, -side.low, side.linear_to))
    powers = range(int(np.floor(first)), int(np.ceil(last)) + 1)
    steps = (1, 2, 5) if last - first < 1.5 else (1,)
    sizes = [float(f"{step}e{power}") for power in powers for step in steps]
    return sizes if side.scale == "log" else [*(-size for size in sizes), 0.0, *sizes]


def _ticks(side: _Side) -> list[float]:
    """Ticks within the range of the data, eight at most."""
    from matplotlib.ticker import MaxNLocator

    evenly = list(MaxNLocator(nbins=6, steps=STEPS).tick_values(side.low, side.high))
    for ticks in ([] if side.scale == "linear" else _round_sizes(side), evenly):
        within = [tick for tick in ticks if side.low <= tick <= side.high]
        if len(within) > 1:
            return within[:: -(-len(within) // 8)]
    return [side.low, side.high]


def _tick_words(side: _Side, ticks: list[float]) -> list[str]:
    return [f"{100 * tick:g}%" if unit_of(side.column) == "share" else f"{tick:,.12g}" for tick in ticks]


def _set_axis(ax: Axes, name: str, side: _Side, border: float) -> Axis:
    """Scale, limits with a border left free for the words in the corners, and ticks where there are data."""
    from matplotlib.ticker import NullLocator

    options = {"linthresh": side.linear_to} if side.scale == "symlog" else {}
    getattr(ax, f"set_{name}scale")(side.scale, **options)
    axis = getattr(ax, f"{name}axis")
    forward = axis.get_transform()
    start, end = forward.transform(np.array([side.low, side.high]))
    space = border * (end - start)
    getattr(ax, f"set_{name}lim")(*forward.inverted().transform(np.array([start - space, end + space])))
    ticks = _ticks(side)
    axis.set_ticks(ticks, _tick_words(side, ticks))
    axis.set_minor_locator(NullLocator())
    return axis


def _axis_label(side: _Side, language: str, currency: str) -> str:
    what = heading(side.column, language, currency)
    label = text("plots.matrix_axis", language, what=what, cut=format_value(side.cut, unit_of(side.column) or "number"))
    return label if side.scale == "linear" else text("plots.log_scale", language, what=label)


def _draw_density(ax: Axes, x: pd.Series, y: pd.Series, sides: tuple[_Side, _Side], language: str) -> None:
    """Customers per cell; the cells are even on the scales of the axes, and the colours on a log scale."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, LogNorm

    transforms = [axis.get_transform() for axis in (ax.xaxis, ax.yaxis)]
    ends = [move.transform(np.array([side.low, side.high])) for move, side in zip(transforms, sides, strict=True)]
    edges = [np.linspace(*end, _CELLS) for end in ends]
    moved = [move.transform(numbers.to_numpy(float)) for move, numbers in zip(transforms, (x, y), strict=True)]
    counts = np.histogram2d(*moved, bins=edges)[0].T
    borders = [move.inverted().transform(edge) for move, edge in zip(transforms, edges, strict=True)]
    blues = ListedColormap(colormaps["Blues"](np.linspace(0.25, 1, 256)))
    norm = LogNorm(1, max(2, counts.max()))
    mesh = ax.pcolormesh(*borders, np.ma.masked_less(counts, 1), cmap=blues, norm=norm, zorder=2)
    _add_key(ax, mesh, counts.max(), language)


def _add_key(ax: Axes, mesh: Any, most: float, language: str) -> None:
    place = ax.inset_axes((1.015, 0.2, 0.018, 0.6))
    bar = ax.figure.colorbar(mesh, cax=place)
    steps = (1, 2, 5) if most < 200 else (1,)
    ticks = [step * 10**power for power in range(7) for step in steps if step * 10**power <= max(2, most)]
    bar.set_ticks(ticks, labels=[f"{tick:,}" for tick in ticks])
    bar.ax.minorticks_off()
    bar.ax.grid(False)
    bar.outline.set_visible(False)
    bar.set_label(text("plots.per_cell", language), fontsize=9)


def _draw_points(ax: Axes, x: pd.Series, y: pd.Series, codes: pd.Series, order: list[str]) -> None:
    size = 45 if len(x) <= 50 else 16
    colours = codes.astype(str).map(dict(zip(order, _COLOURS, strict=True))).fillna(GREY)
    ax.scatter(x, y, s=size, c=list(colours), alpha=0.75, linewidths=0.4, edgecolors="white", zorder=3.5)


def _name_corners(ax: Axes, codes: pd.Series, kind: str, language: str) -> None:
    counts = codes.astype(str).value_counts()
    for (code, word), (right, top), colour in zip(labels(kind, language).items(), _CORNERS, _COLOURS, strict=True):
        n = int(counts.get(code, 0))
        words = text("plots.matrix_corner", language, word=shorten(word, 34), n=n, share=n / len(codes))
        place = {"x": 0.985 if right else 0.015, "y": 0.975 if top else 0.025, "transform": ax.transAxes}
        place |= {"ha": "right" if right else "left", "va": "top" if top else "bottom"}
        frame = {"boxstyle": "square,pad=0.35", "facecolor": "white", "edgecolor": colour, "linewidth": 1.4}
        ax.text(s=words, color=INK, linespacing=1.25, bbox=frame, zorder=4, **place)


@chart()
def plot_matrix(matrix: Any, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """Every customer by the two measures of a value matrix, with the cuts and the size of the four classes.

    ``matrix`` holds ``table`` (one row per customer: the two measures and ``quadrant`` or ``value_class``),
    ``x`` and ``y`` (the measures' columns), ``x_cut`` and ``y_cut``. Up to 2,000 customers are points, more
    are shown by their density. Of more than 200 the outermost 1 per cent on each side are drawn at the edge.
    Skewed money is on a log scale, with a linear part around zero where there are returns. A matrix with one measure
    on both axes (margin unknown) is no picture, and says so.

    >>> from types import SimpleNamespace
    >>> table = pd.DataFrame({"sales": [10.0, 90.0], "margin_rate": [0.2, 0.4],
    ...                       "quadrant": ["low_low", "high_high"]})
    >>> matrix = SimpleNamespace(table=table, x="sales", y="margin_rate", x_cut=50.0, y_cut=0.3)
    >>> plot_matrix(matrix, currency="CNY").get_xlabel()
    'Sales (CNY), cut at 50.00'
    """
    if matrix.x == matrix.y:
        return note(new_axes(ax, 1.2), text("plots.one_measure", language))
    kind = "quadrant" if "quadrant" in matrix.table else "value_class"
    table = matrix.table.dropna(subset=[matrix.x, matrix.y])
    ax = new_axes(ax, 5.6)
    ax.set_title(text(f"plots.{kind}_title", language))
    if table.empty:
        return note(ax, text("plots.empty", language))
    x, y = (table[column].astype(float) for column in (matrix.x, matrix.y))
    sides = (_side(x, matrix.x_cut, matrix.x), _side(y, matrix.y_cut, matrix.y))
    _set_axis(ax, "x", sides[0], 0.04)
    _set_axis(ax, "y", sides[1], 0.22)
    x, y = (numbers.clip(side.low, side.high) for numbers, side in zip((x, y), sides, strict=True))
    if len(table) > _DENSE:
        _draw_density(ax, x, y, sides, language)
    else:
        _draw_points(ax, x, y, table[kind], list(labels(kind)))
    ax.plot([sides[0].cut] * 2, [sides[1].low, sides[1].high], color=INK, linestyle="--", linewidth=1, zorder=3)
    ax.plot([sides[0].low, sides[0].high], [sides[1].cut] * 2, color=INK, linestyle="--", linewidth=1, zorder=3)
    _name_corners(ax, matrix.table[kind], kind, language)
    ax.set_xlabel(_axis_label(sides[0], language, currency))
    ax.set_ylabel(_axis_label(sides[1], language, currency))
    return ax
