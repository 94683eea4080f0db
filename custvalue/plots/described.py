"""What a chart shows, in words: the text of its picture for readers who can not see it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from custvalue.labels import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

__all__ = ["described", "figure_class"]

_MOST_NAMES = 12


def _line(words: str) -> str:
    """Words on one line, without a full stop."""
    return " ".join(words.split()).rstrip(".。")


def _is_number(words: str) -> bool:
    return not words.strip("0123456789.,%-−")


def _joined(names: Iterable[str], language: str, comma: str = ", ") -> str:
    """Names one after another, of many the first twelve; bare numbers say nothing without their place."""
    found = [name for name in dict.fromkeys(map(_line, names)) if not _is_number(name)]
    more = ["…"] if len(found) > _MOST_NAMES else []
    return {", ": "、", "; ": "；"}.get(comma if language == "zh" else "", comma).join(found[:_MOST_NAMES] + more)


def _names(axis: Axis) -> list[str]:
    """The names along an axis; none where it carries numbers."""
    from matplotlib.category import StrCategoryLocator
    from matplotlib.ticker import FixedLocator

    if not isinstance(axis.get_major_locator(), (FixedLocator, StrCategoryLocator)):
        return []
    names = [label.get_text() for label in axis.get_ticklabels()]
    return [] if all(map(_is_number, names)) else names


def _parts(ax: Axes, language: str) -> list[tuple[str, str]]:
    """The kinds of words of an axes with the words: title, both axes and the names along them, the legend."""
    title = ("title", _joined([ax.get_title(place) for place in ("left", "center", "right")], language))
    if not ax.axison:
        return [title, ("texts", _joined([note.get_text() for note in ax.texts], language, "; "))]
    legend = ax.get_legend()
    series = [label.get_text() for label in legend.get_texts()] if legend else []
    return [
        title,
        ("across", _line(ax.get_xlabel())),
        ("names_across", _joined(_names(ax.xaxis), language)),
        ("up", _line(ax.get_ylabel())),
        ("names_up", _joined(_names(ax.yaxis), language)),
        ("series", _joined(series, language)),
    ]


def described(figure: Figure, language: str = "en") -> str:
    """What a figure shows: the title, axes, names and legend of each of its axes; empty where it has no words.

    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> _ = ax.set(title="Sales by tier", xlabel="Share of sales")
    >>> ticks = ax.set_yticks([0, 1], ["Gold: 5", "Lead: 95"])
    >>> described(ax.figure)
    'Chart: Sales by tier. Horizontal: Share of sales. Rows: Gold: 5, Lead: 95.'
    """
    shown = [ax for ax in figure.axes if not ax.get_label().startswith("<colorbar")]
    parts = dict.fromkeys(part for ax in shown for part in _parts(ax, language) if part[1])
    words = [text(f"plots.alt_{kind}", language, words=said) for kind, said in parts]
    return ("" if language == "zh" else " ").join(words)


@cache
def figure_class() -> type[Figure]:
    """The figures of the charts: notebooks keep their description beside the picture, as its plain text."""
    from matplotlib.figure import Figure

    class Chart(Figure):
        language = "en"

        def __repr__(self) -> str:
            return described(self, self.language) or super().__repr__()

    return Chart
