"""Charts of campaigns: the uplift of each with its range, and response rates beside those of the held-out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from custvalue.labels import text
from custvalue.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ON_WHITE,
    ORANGE,
    chart,
    legend_below,
    new_axes,
    note,
    number_axis,
    row_axis,
    shorten,
    values,
    words,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_responses", "plot_uplift"]

_COLOURS = {"works": GREEN, "harms": ORANGE, "too_few": "#c4c4c4"}
_MOST_ROWS = 15
#: The longest line of a name, in Latin letters.
_LINE = 34


def _names(results: pd.DataFrame, by: str, language: str, known: Mapping[str, str] | None) -> list[str]:
    said = known or {}
    plain = words(by, results[by], language)
    return [shorten(said.get(str(code), word), 52) for code, word in zip(results[by], plain, strict=True)]


def _named_row(word: str, sent: int, out: int, language: str) -> str:
    """The name and its counts on one line where they fit, else the counts below it."""
    line = text("plots.uplift_row", language, word=word, sent=sent, out=out)
    if shorten(line, _LINE) == line:
        return line
    counts = text("plots.uplift_row", language, word="", sent=sent, out=out).strip()
    return f"{wrapped(word, _LINE)}\n{counts}"


def _named_rows(results: pd.DataFrame, by: str, language: str, known: Mapping[str, str] | None) -> list[str]:
    """Each row's name with how many were written to and how many held out."""
    sizes = zip(_names(results, by, language, known), results["n_sent"], results["n_held_out"], strict=True)
    return [_named_row(word, sent, out, language) for word, sent, out in sizes]


def _name_rows(ax: Axes, results: pd.DataFrame, by: str, language: str, known: Mapping[str, str] | None) -> None:
    """The names at the rows, their lines far enough apart for Chinese too."""
    row_axis(ax, _named_rows(results, by, language, known))
    for said in ax.get_yticklabels():
        said.set_linespacing(1.35)


def _with_range(ax: Axes, place: float, middle: float, low: float, high: float, colour: str, label: str = "") -> None:
    ax.plot([low, high], [place, place], color=colour, linewidth=2.2, solid_capstyle="round")
    ax.plot([middle], [place], "o", color=colour, markersize=7, label=label or None)


@chart("uplift", "uplift_low", "uplift_high", "worked", "n_sent", "n_held_out")
def plot_uplift(
    results: pd.DataFrame,
    by: str = "campaign",
    *,
    ax: Axes | None = None,
    language: str = "en",
    currency: str = "",
    labels: Mapping[str, str] | None = None,
    level: float = 0.95,
) -> Axes:
    """The uplift of each campaign, list or channel with its range: right of zero it works, across it it is open.

    ``results`` are those of :func:`custvalue.uplift.campaign_results` by ``by``, at most 15 rows are drawn; ``labels``
    are the words of their codes.

    >>> results = pd.DataFrame({"campaign": ["mail"], "uplift": [0.02], "uplift_low": [0.01], "uplift_high": [0.03],
    ...                         "worked": ["works"], "n_sent": [900], "n_held_out": [100]})
    >>> plot_uplift(results).get_yticklabels()[0].get_text()
    'mail (900 / 100 held out)'
    """
    rows = results[results["uplift"].notna()].head(_MOST_ROWS)
    if rows.empty:
        return note(new_axes(ax, 1.2), text("plots.uplift_none", language))
    ax = new_axes(ax, 2.2 + 0.52 * max(len(rows), 2))
    ax.set_title(text("plots.uplift_title", language, level=level))
    ax.axvline(0, color=INK, linewidth=1)
    limits = rows[["uplift", "uplift_low", "uplift_high"]].to_numpy(float)
    codes = rows["worked"].astype(str).tolist()
    told = dict(zip(codes, words("worked", codes, language), strict=True))
    for place, (worked, (middle, low, high)) in enumerate(zip(codes, limits, strict=True)):
        _with_range(ax, place, middle, low, high, _COLOURS.get(worked, GREY), told.pop(worked, ""))
        style = {"ha": "center", "va": "bottom", "color": INK, "xytext": (0, 6), "textcoords": "offset points"}
        ax.annotate(f"{100 * middle:+.1f}%", (middle, place), bbox=ON_WHITE, **style)
    _name_rows(ax, rows, by, language, labels)
    ax.set_ylim(len(rows) - 0.5, -0.75)
    number_axis(ax.xaxis, "share")
    ax.set_xlabel(text("plots.uplift_axis", language))
    legend_below(ax, 4)
    return ax


@chart("response_rate", "response_low", "response_high", "response_rate_out", "n_sent", "n_held_out")
def plot_responses(
    results: pd.DataFrame,
    by: str = "campaign",
    *,
    ax: Axes | None = None,
    language: str = "en",
    currency: str = "",
    labels: Mapping[str, str] | None = None,
    plain_mail: float = 0.02,
) -> Axes:
    """Response rates with their ranges, those of the held-out as diamonds, and the line of plain direct mail.

    ``results`` and ``labels`` as in :func:`plot_uplift`.

    >>> results = pd.DataFrame({"campaign": ["mail"], "response_rate": [0.04], "response_low": [0.03],
    ...                         "response_high": [0.06], "response_rate_out": [0.02], "n_sent": [9], "n_held_out": [1]})
    >>> plot_responses(results).get_xlabel()
    'Share who responded'
    """
    rows = results[results["response_rate"].notna()].head(_MOST_ROWS)
    if rows.empty:
        return note(new_axes(ax, 1.2), text("plots.empty", language))
    ax = new_axes(ax, 2.2 + 0.52 * max(len(rows), 2))
    ax.set_title(text("plots.response_title", language))
    mail = text("plots.plain_mail", language, rate=plain_mail)
    ax.axvline(plain_mail, color=ORANGE, linestyle="--", linewidth=1.4, label=mail)
    limits = rows[["response_rate", "response_low", "response_high"]].to_numpy(float)
    for place, (middle, low, high) in enumerate(limits):
        _with_range(ax, place, middle, low, high, BLUE, "" if place else text("plots.response_sent", language))
        ax.annotate(values([middle], "share")[0], (high, place), xytext=(6, 0), textcoords="offset points", va="center")
    out = text("plots.response_out", language)
    places = np.arange(len(rows)) + 0.22
    ax.plot(rows["response_rate_out"], places, "D", color=GREY, markersize=6, label=out, clip_on=False)
    _name_rows(ax, rows, by, language, labels)
    ax.set_xlim(left=0, right=1.12 * max(limits[:, 2].max(), plain_mail, rows["response_rate_out"].max()))
    number_axis(ax.xaxis, "share")
    ax.set_xlabel(text("plots.response_axis", language))
    legend_below(ax, 3)
    return ax
