"""What all charts share: colours, fonts that hold both languages, words for codes, number axes, panels."""

from __future__ import annotations

import inspect
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from custvalue.errors import UsageError
from custvalue.labels import LANGUAGES, catalogue, format_value, labels, money_unit, text, with_currency

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "INK",
    "ON_WHITE",
    "ORANGE",
    "SKY",
    "STAGE_COLOURS",
    "STEPS",
    "chart",
    "drawable",
    "families",
    "heat",
    "legend_below",
    "named_counts",
    "new_axes",
    "note",
    "number_axis",
    "panels",
    "row_axis",
    "shorten",
    "values",
    "with_currency",
    "words",
    "wrapped",
]

# Okabe and Ito's colours, told apart with every common kind of colour blindness.
BLUE, ORANGE, GREEN, SKY, PURPLE = "#0072b2", "#e69f00", "#009e73", "#56b4e9", "#cc79a7"
GREY, INK = "#9a9a9a", "#333333"
#: One colour for each churn stage, cold to warm.
STAGE_COLOURS = {
    "identify": SKY,
    "cultivate": PURPLE,
    "grow": GREEN,
    "stable": BLUE,
    "decline": ORANGE,
    "drop": GREY,
}

#: The ground of a text that may stand on a line.
ON_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
WIDTH = 8.0
#: Distances between ticks are one of these times a power of ten.
STEPS = (1, 2, 2.5, 5, 10)
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.facecolor": "white",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.titlesize": 12,
    "axes.titleweight": "normal",
    "figure.constrained_layout.h_pad": 0.09,
    "figure.constrained_layout.w_pad": 0.09,
    "figure.dpi": 110,
    "figure.facecolor": "white",
    "font.size": 9.5,
    "font.weight": "normal",
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "xtick.labelsize": 9.5,
    "ytick.color": INK,
    "ytick.labelsize": 9.5,
}


@cache
def _chinese_face() -> str:
    """Make the Chinese font known to matplotlib, once; the name of its face for simplified Chinese."""
    from matplotlib import font_manager
    from noto_cjk_sans_otc import FONT_PATH

    font_manager.fontManager.addfont(str(FONT_PATH))
    return "Noto Sans CJK SC"


def families(language: str) -> list[str]:
    """The font families of a language, first choice first; together they hold both languages.

    >>> families("en")
    ['DejaVu Sans', 'Noto Sans CJK SC']
    """
    faces = ["DejaVu Sans", _chinese_face()]
    return faces[::-1] if language == "zh" else faces


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, fontManager, get_font

    paths = [fontManager.findfont(FontProperties(family=family)) for family in families("en")]
    return frozenset().union(*(get_font(path).get_charmap() for path in paths))


def drawable(words: str) -> str:
    """The text with characters that no font here can draw replaced by a box, without those that turn its direction.

    >>> drawable("茶 & tea"), drawable("\\x07bell")
    ('茶 & tea', 'bell')
    """
    if all(_is_drawn(character) for character in words):
        return words
    return "".join(_or_box(character) for character in words)


def _is_drawn(character: str) -> bool:
    return character == "\n" or (ord(character) in _glyphs() and unicodedata.category(character) != "Cf")


def _or_box(character: str) -> str:
    if _is_drawn(character):
        return character
    return "" if unicodedata.category(character) in ("Cc", "Cf", "Mn") else "□"


def _cells(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shorten(words: Any, width: int = 26) -> str:
    """A name from the data on one line and at most ``width`` Latin letters wide (a Chinese one counts two).

    >>> shorten("a$b$c"), shorten("Extraordinarily long category name", 12), shorten("智能家居与厨房电器", 9)
    ('a$b$c', 'Extraordina…', '智能家居…')
    """
    line = drawable(" ".join(str(words).split()))
    if sum(map(_cells, line)) <= width:
        return line
    kept, used = "", 1
    for character in line:
        used += _cells(character)
        if used > width:
            break
        kept += character
    return kept.rstrip() + "…"


def _word(kind: str, code: Any, language: str, known: dict[str, str]) -> str:
    if code is None or code != code:
        return "–"
    if kind == "cluster":
        return text("plots.cluster", language, cluster=code)
    return known.get(str(code), str(code))


def words(kind: str, codes: Iterable[Any], language: str, width: int = 26) -> list[str]:
    """The words for codes of a kind; a code the catalogue does not know (a user's own) stays as it is.

    >>> words("tier", ["gold", "lead"], "en"), words("main_category", ["茶叶"], "en")
    (['B · Gold', 'D · Lead'], ['茶叶'])
    """
    known = labels(kind, language) if kind in catalogue("labels") else {}
    return [shorten(_word(kind, code, language, known), width) for code in codes]


def named_counts(kind: str, codes: Iterable[Any], counts: Iterable[float], language: str) -> list[str]:
    """The words for codes, each with its number of customers.

    >>> named_counts("tier", ["gold"], [1234], "en")
    ['B · Gold: 1,234']
    """
    colon = "：" if language == "zh" else ": "
    named = zip(words(kind, codes, language), values(counts, "count"), strict=True)
    return [f"{word}{colon}{count}" for word, count in named]


def wrapped(words: str, width: int) -> str:
    """A heading in lines of about ``width`` letters, broken at blanks or between Chinese letters; at most 3.

    >>> wrapped("Days since last order", 10), wrapped("距上次购买天数", 10)
    ('Days since\\nlast order', '距上次购买\\n天数')
    """
    lines, used = [""], 0
    for piece in _pieces(words):
        size = sum(map(_cells, piece.rstrip()))
        if used and used + size > width and len(lines) < 3:
            lines.append("")
            used = 0
        lines[-1] += piece
        used += sum(map(_cells, piece))
    return "\n".join(shorten(line, 2 * width) for line in lines)


def _pieces(words: str) -> list[str]:
    """Latin words and single Chinese letters, each with the blank behind it."""
    return re.findall(r"[⺀-鿿]\s*|[^⺀-鿿\s]+\s*", words)


def values(numbers: Iterable[float], unit: str) -> list[str]:
    """Numbers as written beside bars and in cells, in their unit; money all with cents or all without.

    >>> values([1234, float("nan")], "count"), values([0.123], "share"), values([8.1, 1200.0], "money")
    (['1,234', '–'], ['12.3%'], ['8', '1,200'])
    """
    numbers = list(numbers)
    unit = money_unit(numbers) if unit == "money" else unit
    return [format_value(number, unit) for number in numbers]


def _percent(share: float, _: int | None = None) -> str:
    return f"{100 * share:.6g}%"


def number_axis(axis: Axis, unit: str, parts: int = 6) -> None:
    """About ``parts`` ticks with thousands separators; whole numbers for counts, per cent for shares."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, StrMethodFormatter

    axis.set_major_locator(MaxNLocator(nbins=parts, steps=STEPS, integer=unit == "count", min_n_ticks=1))
    axis.set_major_formatter(FuncFormatter(_percent) if unit == "share" else StrMethodFormatter("{x:,.12g}"))


def row_axis(ax: Axes, names: Sequence[str]) -> None:
    """One named row for each bar, the first on top, no grid lines between them."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")


def legend_below(ax: Axes, columns: int = 4) -> None:
    """The legend under the axis label, outside the data."""
    from matplotlib.transforms import ScaledTranslation

    under = ax.transAxes + ScaledTranslation(0, -38 / 72, ax.figure.dpi_scale_trans)
    place = {"loc": "upper left", "bbox_to_anchor": (0, 0), "bbox_transform": under, "borderaxespad": 0}
    ax.legend(ncols=columns, columnspacing=1.4, handlelength=1.4, **place)


#: The luminance on which ``INK`` and white stand out equally.
_EVEN = 0.245


def _readable_on(colour: Any) -> str:
    """Dark or white letters, whichever stands out more from a colour (contrast by WCAG 2)."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3])
    return INK if 0.2126 * red + 0.7152 * green + 0.0722 * blue > _EVEN else "white"


def heat(ax: Axes, shades: pd.DataFrame, written: pd.DataFrame, **options: Any) -> None:
    """A heat map: cells coloured by ``shades`` (grey where missing), with the texts of ``written``."""
    import seaborn

    cells, texts = shades.to_numpy(float), written.to_numpy(object)
    seaborn.heatmap(cells, cbar=False, ax=ax, linewidths=1.5, **options)
    mesh = ax.collections[0]
    mesh.update_scalarmappable()
    grounds = mesh.get_facecolors().reshape(*cells.shape, 4)
    for (row, column), words in np.ndenumerate(texts):
        colour = INK if np.isnan(cells[row, column]) else _readable_on(grounds[row, column])
        ax.text(column + 0.5, row + 0.5, words, ha="center", va="center", color=colour)
    ax.set_facecolor("#ececec")
    ax.grid(False)
    ax.tick_params(length=0)
    ax.set_xticks([position + 0.5 for position in range(written.shape[1])], list(written.columns), rotation=0)
    ax.set_yticks([position + 0.5 for position in range(written.shape[0])], list(written.index), rotation=0)


def note(ax: Axes, words: str) -> Axes:
    """A chart without data: the reason in its middle."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", color="#5a5a5a", wrap=True)
    return ax


def _new_figure(height: float) -> Figure:
    import matplotlib.pyplot as plt

    from custvalue.plots.described import figure_class
    from custvalue.plots.pictures import show_small

    show_small(figure_class())
    return plt.figure(figsize=(WIDTH, height), layout="constrained", FigureClass=figure_class())


def new_axes(ax: Axes | None, height: float = 4.2) -> Axes:
    """The given axes, or those of a new figure."""
    return ax if ax is not None else _new_figure(height).subplots()


def panels(ax: Axes | None, height: float, *, stacked: bool, first: float = 0.5) -> Sequence[Axes]:
    """Two axes, one above the other or side by side: in a new figure, or inside the place of ``ax``.

    ``first`` is the part of the place that the first one takes.
    """
    if ax is None:
        ratios = (first, 1 - first)
        grid = {"nrows": 2, "height_ratios": ratios} if stacked else {"ncols": 2, "width_ratios": ratios}
        return _new_figure(height).subplots(**grid)
    ax.set_axis_off()
    gap = 0.12
    near, far = first * (1 - gap), (1 - first) * (1 - gap)
    boxes = [(0, 1 - near, 1, near), (0, 0, 1, far)] if stacked else [(0, 0, near, 1), (1 - far, 0, far, 1)]
    return [ax.inset_axes(box) for box in boxes]


def _finish(root: Any, language: str) -> None:
    """Fix the fonts on the artists themselves, as they are drawn after the style's context has ended."""
    from matplotlib.axes import Axes
    from matplotlib.text import Text

    root.language = language
    faces = families(language)
    for axes in root.findobj(Axes):
        axes.tick_params(which="both", labelfontfamily=faces)
    for artist in root.findobj(Text):
        artist.set(fontfamily=faces, parse_math=False, text=drawable(artist.get_text()))


def _check(name: str, frame: pd.DataFrame, columns: Sequence[str], language: str) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        got = ", ".join(map(str, frame.columns))
        raise UsageError("chart_columns", chart=name, missing=", ".join(missing), got=got)
    if language not in LANGUAGES:
        raise UsageError("chart_language", got=language, allowed=", ".join(LANGUAGES))


def chart(*columns: str) -> Callable[[Callable[..., Axes]], Callable[..., Axes]]:
    """Make a drawing function a chart: its columns checked, the style on while it draws and off afterwards.

    The first argument of the function is the table, or an object with a ``.table``. An empty table gives
    axes that say so. Global settings of matplotlib are left as they were.
    """

    def wrap(draw: Callable[..., Axes]) -> Callable[..., Axes]:
        signature = inspect.signature(draw)

        @wraps(draw)
        def drawn(*args: Any, **options: Any) -> Axes:
            import matplotlib

            call = signature.bind(*args, **options)
            call.apply_defaults()
            table, ax, language = call.args[0], call.arguments["ax"], call.arguments["language"]
            frame = table if isinstance(table, pd.DataFrame) else table.table
            _check(draw.__name__, frame, columns, language)
            with matplotlib.rc_context({**STYLE, "font.family": families(language)}):
                if frame.empty:
                    result = note(new_axes(ax, 1.2), text("plots.empty", language))
                else:
                    result = draw(*call.args, **call.kwargs)
                _finish(result.figure if ax is None else ax, language)
                interactive = matplotlib.is_interactive()
            matplotlib.interactive(
                interactive
            )  # a notebook's first figure turns it on; leaving the context does not undo it
            return result

        return drawn

    return wrap
