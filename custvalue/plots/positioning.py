"""Charts of positions: the perceptual map and the relation ladder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from custvalue.labels import heading, text
from custvalue.plots.segmentation import share_bars
from custvalue.plots.style import (
    BLUE,
    GREY,
    INK,
    ON_WHITE,
    ORANGE,
    chart,
    legend_below,
    named_counts,
    new_axes,
    note,
    row_axis,
    words,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_ladder", "plot_map"]

_LOOKS = {"group": (BLUE, "o"), "category": (ORANGE, "s")}
#: Size of a label's letters, in points: of points that stand away from the others, and of those that can be chance.
_LETTERS, _SMALL_LETTERS = 10, 8.5


def _names(found: Any, language: str, own: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The words for the points of a map, in their order."""
    kinds = {"group": found.by, "category": found.against}
    given = {"~others": text("plots.map_others", language)}
    named = []
    for side, code in zip(found.table["side"], found.table["point"], strict=True):
        ours = words(kinds[side], [code], language, 22)[0]
        named += words("", [{**own.get(kinds[side], {}), **given}.get(code, ours)], language, 22)
    return named


def _boxes(ax: Axes, artists: list[Any]) -> np.ndarray:
    """Where the texts stand on the canvas: left, bottom, right, top."""
    renderer = ax.figure.canvas.get_renderer()
    return np.array([artist.get_window_extent(renderer).extents for artist in artists])


def _covered(box: np.ndarray, others: np.ndarray) -> float:
    """How much of the other boxes a box covers."""
    if not len(others):
        return 0.0
    width = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    height = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    return float((width.clip(0) * height.clip(0)).sum())


def _beyond(box: np.ndarray, frame: np.ndarray) -> float:
    """How far a box reaches out of the frame."""
    return float(np.maximum(frame[:2] - box[:2], 0).sum() + np.maximum(box[2:] - frame[2:], 0).sum())


#: Where a label may stand, in directions around its point and in steps away from it; nearer ones are tried first.
_PLACES = [
    (np.cos(angle), np.sin(angle), step)
    for step in (9, 17, 27, 39, 53, 69)
    for angle in np.pi * np.array([0, 1, 0.5, 1.5, 0.25, 0.75, 1.25, 1.75])
]


def _placed(size: np.ndarray, point: np.ndarray, taken: np.ndarray, frame: np.ndarray) -> tuple[np.ndarray, float]:
    """The nearest box of a size beside a point that covers nothing and stays in the frame, and its distance."""
    best, least = None, np.inf
    for right, up, step in _PLACES:
        centre = point + np.array([right, up]) * (step + np.abs([right, up]) * size / 2)
        box = np.concatenate([centre - size / 2, centre + size / 2])
        bad = _covered(box, taken) + 50 * _beyond(box, frame)
        if bad < least - 1e-9:
            best, least, away = box, bad, step
        if bad == 0:
            break
    return best, away


def _label_points(ax: Axes, points: np.ndarray, named: list[str], colours: list[str], sure: np.ndarray) -> None:
    """Name every point without covering another name or point; a thin line leads to a name that stands away."""
    ax.figure.canvas.draw()
    ax.autoscale(False)
    ax.set_aspect("auto")
    letters = np.where(sure, _LETTERS, _SMALL_LETTERS)
    drawn = [
        ax.text(*point, name, fontsize=size, in_layout=False)
        for point, name, size in zip(points, named, letters, strict=True)
    ]
    sizes = [box[2:] - box[:2] + 2 for box in _boxes(ax, drawn)]
    spots = ax.transData.transform(points)
    frame = np.array(ax.get_window_extent().extents)
    taken = np.concatenate([spots - 7, spots + 7], axis=1)
    crowded = np.array([np.sort(np.hypot(*(spots - spot).T))[:4].sum() for spot in spots])
    for place in np.lexsort([crowded, ~sure]):
        box, away = _placed(sizes[place], spots[place], taken, frame)
        taken = np.vstack([taken, box])
        centre = ax.transData.inverted().transform((box[:2] + box[2:]) / 2)
        drawn[place].set(position=centre, ha="center", va="center", color=colours[place], zorder=4, bbox=ON_WHITE)
        if away > 12:
            ax.plot(
                *zip(points[place], centre, strict=True), color=colours[place], linewidth=0.6, zorder=1.5, alpha=0.6
            )


def _corners(points: np.ndarray) -> np.ndarray:
    """The corners of what the map must show: all points, the middle, and room for the names."""
    low, high = np.minimum(points.min(axis=0), 0), np.maximum(points.max(axis=0), 0)
    room = 0.1 * max((high - low).max(), 1e-9)
    return np.array([low - room, high + room])


def _height(points: np.ndarray) -> float:
    """The height of the figure, in inches, at which a map of these points fills it from left to right."""
    width, height = np.ptp(_corners(points), axis=0)
    return float(np.clip(7.2 * height / width + 1.2, 3.6, 6.4))


@chart("side", "point", "x", "y", "sure")
def plot_map(
    found: Any,
    *,
    ax: Axes | None = None,
    language: str = "en",
    currency: str = "",
    labels: Mapping[str, Mapping[str, str]] | None = None,
) -> Axes:
    """Groups and categories on the two axes of a perceptual map; a group leans towards what lies in its direction.

    ``found`` is a :class:`custvalue.positioning.PerceptualMap`; ``labels`` the words of the data's own codes as
    ``{column: {code: word}}``. Points that can be chance are hollow. Where the whole association can be chance, there
    is no map, and the axes say so.

    >>> from custvalue.positioning import perceptual_map
    >>> bought = ["u"] * 30 + ["v"] * 40 + ["u"] * 10
    >>> found = perceptual_map(pd.DataFrame({"segment": ["a"] * 40 + ["b"] * 40, "main_category": bought}))
    >>> plot_map(found).get_xlabel()
    '100.0% of the difference'
    """
    if not found.beyond_chance:
        return note(new_axes(ax, 1.4), text("plots.map_chance", language))
    points = found.table[["x", "y"]].to_numpy(float)
    ax = new_axes(ax, _height(points))
    for side, (colour, marker) in _LOOKS.items():
        for sure in (True, False):
            part = found.table[(found.table["side"] == side) & (found.table["sure"] == sure)]
            face = colour if sure else "white"
            named = heading(found.by if side == "group" else found.against, language) if sure else ""
            ax.scatter(part["x"], part["y"], s=46, marker=marker, facecolor=face, edgecolor=colour, zorder=3)
            if named:
                ax.scatter([], [], s=46, marker=marker, facecolor=colour, edgecolor=colour, label=named)
    ax.scatter([], [], s=46, marker="o", facecolor="white", edgecolor=INK, label=text("plots.map_unsure", language))
    ax.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
    ax.update_datalim(_corners(points))
    ax.margins(0)
    ax.axhline(0, color=GREY, linewidth=0.8, zorder=1)
    ax.axvline(0, color=GREY, linewidth=0.8, zorder=1)
    ax.set_title(text("plots.map_title", language, what=heading(found.against, language).lower()))
    shares = [*found.axes["share_inertia"], 0.0]
    ax.set_xlabel(text("plots.map_axis", language, share=shares[0]))
    ax.set_ylabel(text("plots.map_axis", language, share=shares[1]))
    legend_below(ax)
    colours = [{"group": BLUE, "category": "#a06a00"}[side] for side in found.table["side"]]
    _label_points(ax, points, _names(found, language, labels or {}), colours, found.table["sure"].to_numpy(bool))
    return ax


@chart("rung", "n_customers", "share_customers", "share_sales_12m", "went_on")
def plot_ladder(rungs: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """How many stand on each rung of the relation ladder, and which share of the sales they bring.

    ``rungs`` is the result of :func:`custvalue.positioning.conversion`; the lowest rung is at the bottom.

    >>> rungs = pd.DataFrame({"rung": ["known", "accepted"], "n_customers": [6, 4], "share_customers": [0.6, 0.4],
    ...                       "share_sales_12m": [0.2, 0.8], "went_on": [0.4, None]})
    >>> [tick.get_text() for tick in plot_ladder(rungs).get_yticklabels()]
    ['Accepted: 4', 'Known: 6 (40.0% go on)']
    """
    shown = rungs.iloc[::-1]
    ax = new_axes(ax, 1.6 + 0.52 * len(shown))
    people, sales = (text(f"plots.ladder_{name}", language) for name in ("people", "sales"))
    share_bars(ax, [(shown["share_customers"], GREY, people), (shown["share_sales_12m"], BLUE, sales)])
    named = named_counts("rung", shown["rung"], shown["n_customers"], language)
    row_axis(ax, [_with_step(name, share, language) for name, share in zip(named, shown["went_on"], strict=True)])
    ax.set_title(text("plots.ladder_title", language))
    ax.set_xlabel(text("plots.share", language))
    legend_below(ax)
    return ax


def _with_step(name: str, went_on: float, language: str) -> str:
    if pd.isna(went_on):
        return name
    said = text("plots.ladder_went_on", language, share=went_on)
    return f"{name}（{said}）" if language == "zh" else f"{name} ({said})"
