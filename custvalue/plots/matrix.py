"""The value matrix as a map: customers by two measures, the cuts, who is in the four corners and who moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from custvalue.labels import format_value, heading, labels, text, unit_of
from custvalue.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ON_WHITE,
    ORANGE,
    STEPS,
    chart,
    new_axes,
    note,
    shorten,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

__all__ = ["plot_matrix", "plot_matrix_moves"]

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


def _bubbles(table: pd.DataFrame, value: str) -> np.ndarray | float:
    """Areas of the points: of a small shop by what the customers are worth, else all the same."""
    if value not in table or len(table) > _FEW or not (table[value] > 0).any():
        return 45 if len(table) <= 50 else 16
    worth = table[value].fillna(0).clip(lower=0).to_numpy(float)
    return 14 + (700 if len(worth) <= 60 else 250) * worth / worth.max()


def _draw_points(
    ax: Axes, x: pd.Series, y: pd.Series, codes: pd.Series, order: list[str], size: np.ndarray | float
) -> None:
    colours = codes.astype(str).map(dict(zip(order, _COLOURS, strict=True))).fillna(GREY)
    ax.scatter(x, y, s=size, c=list(colours), alpha=0.75, linewidths=0.4, edgecolors="white", zorder=3.5)


def _worth(table: pd.DataFrame, kind: str, value: str, language: str) -> dict[str, str]:
    """For each code its share of what all customers are worth, in words; nothing where it has no total."""
    if value not in table or not table[value].sum() > 0:
        return {}
    shares = table[value].groupby(table[kind].astype(str)).sum() / table[value].sum()
    known = {code: float(shares.get(code, 0.0)) for code in labels(kind)}
    what = heading(value, language)
    return {code: "\n" + text("plots.matrix_value", language, what=what, share=share) for code, share in known.items()}


def _name_corners(ax: Axes, codes: pd.Series, kind: str, language: str, worth: dict[str, str]) -> None:
    counts = codes.astype(str).value_counts()
    for (code, word), (right, top), colour in zip(labels(kind, language).items(), _CORNERS, _COLOURS, strict=True):
        n = int(counts.get(code, 0))
        words = text("plots.matrix_corner", language, word=shorten(word, 34), n=n, share=n / len(codes)) + worth.get(
            code, ""
        )
        place = {"x": 0.985 if right else 0.015, "y": 0.975 if top else 0.025, "transform": ax.transAxes}
        place |= {"ha": "right" if right else "left", "va": "top" if top else "bottom"}
        frame = {"boxstyle": "square,pad=0.35", "facecolor": "white", "edgecolor": colour, "linewidth": 1.4}
        ax.text(s=words, color=INK, linespacing=1.25, bbox=frame, zorder=4, **place)


@chart()
def plot_matrix(matrix: Any, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """Every customer by the two measures of a value matrix, with the cuts and the size of the four classes.

    ``matrix`` holds ``table`` (one row per customer: the two measures and ``quadrant`` or ``value_class``),
    ``x`` and ``y`` (the measures' columns), ``x_cut`` and ``y_cut``, and, if it likes, ``value``: the column of money
    of which the corners tell the shares. Up to 200 customers are bubbles whose area grows with that value, up to 2,000
    points, more are shown by their density; of more than 200 the outermost 1 per cent on each side are drawn at the
    edge. Skewed money is on a log scale, with a linear part around zero where there are returns. A matrix with one
    measure on both axes (margin unknown) is no picture, and says so.

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
    value = getattr(matrix, "value", "")
    ax = new_axes(ax, 6.2)
    ax.set_title(text(f"plots.{kind}_title", language))
    if table.empty:
        return note(ax, text("plots.empty", language))
    x, y = (table[column].astype(float) for column in (matrix.x, matrix.y))
    sides = (_side(x, matrix.x_cut, matrix.x), _side(y, matrix.y_cut, matrix.y))
    _set_axis(ax, "x", sides[0], 0.04)
    _set_axis(ax, "y", sides[1], 0.26)
    x, y = (numbers.clip(side.low, side.high) for numbers, side in zip((x, y), sides, strict=True))
    if len(table) > _DENSE:
        _draw_density(ax, x, y, sides, language)
    else:
        _draw_points(ax, x, y, table[kind], list(labels(kind)), _bubbles(table, value))
    ax.plot([sides[0].cut] * 2, [sides[1].low, sides[1].high], color=INK, linestyle="--", linewidth=1, zorder=3)
    ax.plot([sides[0].low, sides[0].high], [sides[1].cut] * 2, color=INK, linestyle="--", linewidth=1, zorder=3)
    _name_corners(ax, matrix.table[kind], kind, language, _worth(matrix.table, kind, value, language))
    across = _axis_label(sides[0], language, currency)
    if np.ndim(_bubbles(table, value)):
        across = text("plots.matrix_bubbles", language, what=across, value=heading(value, language).lower())
    ax.set_xlabel(across)
    ax.set_ylabel(_axis_label(sides[1], language, currency))
    return ax


#: Centre of each cell, in the order of the catalogue, and half its width and height.
_PLACES = ((0.78, 0.78), (0.22, 0.78), (0.78, 0.22), (0.22, 0.22))
_HALF = (0.16, 0.12)


def _draw_cells(ax: Axes, moves: pd.DataFrame, kind: str, language: str) -> None:
    """The four cells, each with its customers now and the change since the month before."""
    before, now = (moves.groupby(side, observed=False)["n_customers"].sum() for side in ("from_code", "to_code"))
    for (code, word), (x, y), colour in zip(labels(kind, language).items(), _PLACES, _COLOURS, strict=True):
        n, change = int(now.get(code, 0)), int(now.get(code, 0)) - int(before.get(code, 0))
        moved = f"{change:+,}" if change else "±0"
        words = text("plots.moves_cell", language, word=wrapped(word, 24), now=n, change=moved)
        frame = {"boxstyle": "square,pad=0.6", "facecolor": "white", "edgecolor": colour, "linewidth": 2}
        ax.text(x, y, words, ha="center", va="center", linespacing=1.35, color=INK, bbox=frame, zorder=3)


def _draw_arrow(ax: Axes, start: np.ndarray, end: np.ndarray, n: int, width: float) -> None:
    """An arrow beside the line of centres, so that the way back has its own, with its number near its start."""
    way = end - start
    aside = 0.035 * np.array([-way[1], way[0]]) / np.hypot(*way)
    free = np.abs(way) > 0
    stop = np.min(np.array(_HALF)[free] / np.abs(way)[free]) + 0.02
    tail, head = start + stop * way + aside, end - stop * way + aside
    style = {"arrowstyle": "-|>", "color": BLUE, "alpha": 0.65, "linewidth": width, "mutation_scale": 9 + 2 * width}
    ax.annotate("", head, tail, arrowprops=style | {"shrinkA": 0, "shrinkB": 0}, zorder=1)
    place = tail + (0.3 if free.all() else 0.5) * (head - tail)
    ax.text(*place, f"{n:,}", ha="center", va="center", bbox=ON_WHITE, color=INK, zorder=2)


@chart("kind", "from_code", "to_code", "n_customers")
def plot_matrix_moves(moves: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """Arrows between the four cells of a matrix: how many customers went from where to where.

    ``moves`` is the result of :func:`custvalue.matrix.matrix_moves`: one row per pair of cells, with ``kind``
    (``quadrant`` or ``value_class``), ``from_code``, ``to_code`` and ``n_customers``. Each cell states its customers
    now and the change; wider arrows are more customers. Customers new since then are not in it.

    >>> moves = pd.DataFrame({"kind": "quadrant", "from_code": ["low_low", "low_low"],
    ...                       "to_code": ["low_low", "high_low"], "n_customers": [5, 2]})
    >>> plot_matrix_moves(moves).texts[2].get_text()
    'High sales, low margin\\nrate\\nNow: 2 (+2)'
    """
    kind = str(moves["kind"].iloc[0])
    places = dict(zip(labels(kind), map(np.array, _PLACES), strict=True))
    ax = new_axes(ax, 5.4)
    ax.set_title(text("plots.moves_title", language))
    ax.set_xlim(0.02, 0.98)
    ax.set_ylim(0.06, 0.94)
    ax.set_axis_off()
    _draw_cells(ax, moves, kind, language)
    moved = moves[moves["from_code"].astype(str) != moves["to_code"].astype(str)]
    most = moved["n_customers"].max() if len(moved) else 1
    for row in moved.itertuples():
        width = 0.8 + 5 * float(np.sqrt(row.n_customers / most))
        _draw_arrow(ax, places[row.from_code], places[row.to_code], row.n_customers, width)
    return ax
