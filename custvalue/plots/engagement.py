"""Charts of what customers do besides ordering and of what they buy together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from custvalue.labels import format_value, text
from custvalue.plots.style import (
    BLUE,
    INK,
    ON_WHITE,
    chart,
    heat,
    named_counts,
    new_axes,
    note,
    number_axis,
    row_axis,
    shorten,
    values,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_browsing", "plot_ordering", "plot_pairs"]

#: The most categories drawn; the largest ones.
_MOST_ROWS, _MOST_PAIRED, _MOST_BANDS = 20, 10, 6
#: Letters that fit side by side below a heat map.
_LETTERS = 72

Words = Mapping[str, Mapping[str, str]]


def _named(column: str, codes: Iterable[Any], labels: Words | None, width: int = 26) -> list[str]:
    """The words for the data's own codes; a code without one stays as it is."""
    known = (labels or {}).get(column, {})
    return [shorten(known.get(str(code), code), width) for code in codes]


@chart("category", "price_band", "n_customers")
def plot_browsing(
    groups: pd.DataFrame,
    *,
    labels: Words | None = None,
    ax: Axes | None = None,
    language: str = "en",
    currency: str = "",
) -> Axes:
    """How many customers look at each category in each price band; the most viewed category on top.

    ``groups`` has one row per category and price band (missing where unknown): category, price_band, n_customers. Of
    more than 20 categories the largest are drawn. ``labels``: words for the codes, {column: {code: word}}.

    >>> groups = pd.DataFrame({"category": ["tea", "tea"], "price_band": ["low", "mid"], "n_customers": [3, 5]})
    >>> [cell.get_text() for cell in plot_browsing(groups).texts]
    ['3', '5']
    """
    bands = list(pd.unique(groups["price_band"].dropna()))[:_MOST_BANDS]
    known = [band for band in ("low", "mid", "high") if band in bands]
    order = [*known, *sorted(set(bands) - set(known)), "–"]
    rows = groups.assign(price_band=groups["price_band"].where(groups["price_band"].isin(bands), "–"))
    counts = rows.pivot_table(index="category", columns="price_band", values="n_customers", aggfunc="sum")
    counts = counts.reindex(columns=[band for band in order if band in counts]).fillna(0)
    counts = counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    shown = counts.head(_MOST_ROWS)
    ax = new_axes(ax, 1.5 + 0.33 * max(len(shown), 3))
    written = shown.map(lambda number: format_value(number, "count"))
    written.index = _named("category", shown.index, labels)
    written.columns = _named("price_band", shown.columns, labels, 14)
    heat(ax, np.sqrt(shown), written, cmap="Blues", vmin=0)
    ax.set_title(text("plots.browsing_title", language))
    more = len(counts) > len(shown)
    ax.set_xlabel(
        text("plots.browsing_more" if more else "plots.browsing_x", language, **({"n": len(shown)} if more else {}))
    )
    return ax


@chart("n_customers", "share_ordering", "ordering_low", "ordering_high")
def plot_ordering(
    outcomes: pd.DataFrame, by: str, *, ax: Axes | None = None, language: str = "en", currency: str = ""
) -> Axes:
    """Share who ordered after the earlier day, by group of that day, with its 95% interval.

    ``outcomes`` has one row per code of ``by``: n_customers, share_ordering, ordering_low, ordering_high. Groups nobody
    is in are left out.

    >>> outcomes = pd.DataFrame({"e_level": ["none", "low"], "n_customers": [90, 0], "share_ordering": [0.1, None],
    ...                          "ordering_low": [0.05, None], "ordering_high": [0.2, None]})
    >>> [tick.get_text() for tick in plot_ordering(outcomes, "e_level").get_yticklabels()]
    ['No activity: 90']
    """
    shown = outcomes[outcomes["n_customers"] > 0].reset_index(drop=True)
    if shown.empty:
        return note(new_axes(ax), text("plots.empty", language))
    ax = new_axes(ax, 1.4 + 0.38 * max(len(shown), 2))
    share, high = shown["share_ordering"], shown["ordering_high"]
    ax.barh(shown.index, share, height=0.62, color=BLUE)
    ax.hlines(shown.index, shown["ordering_low"], high, color=INK, linewidth=1.2)
    for place, (end, said) in enumerate(zip(high, values(share, "share"), strict=True)):
        ax.annotate(
            said, (end, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9, bbox=ON_WHITE
        )
    number_axis(ax.xaxis, "share")
    ax.set_xlim(0, max(float(high.max()) * 1.14, 0.01))
    row_axis(ax, named_counts(by, shown[by], shown["n_customers"], language))
    ax.set_title(text("plots.ordering_title", language))
    ax.set_xlabel(text("plots.ordering_x", language))
    return ax


@chart("category", "other_category", "n_buyers", "lift_beyond", "sure_pair")
def plot_pairs(
    pairs: pd.DataFrame,
    *,
    labels: Words | None = None,
    ax: Axes | None = None,
    language: str = "en",
    currency: str = "",
) -> Axes:
    """Which categories go together: buyers of both over those expected; orange above 1, blue below, a star where sure.

    ``pairs`` has one row per ordered pair of categories of one group of customers: category, other_category, n_buyers,
    lift_beyond, sure_pair. Of more than 10 categories those with most buyers are drawn. ``labels``: words for the
    codes, {column: {code: word}}.

    >>> pairs = pd.DataFrame({"category": ["tea", "cup"], "other_category": ["cup", "tea"], "n_buyers": [9, 5],
    ...                       "lift_beyond": 1.25, "sure_pair": True})
    >>> [cell.get_text() for cell in plot_pairs(pairs).texts if cell.get_text()]
    ['1.25*', '1.25*']
    """
    buyers = pairs.groupby("category")["n_buyers"].max().sort_values(ascending=False, kind="stable")
    names = list(buyers.index[:_MOST_PAIRED])
    rows = pairs[pairs["category"].isin(names) & pairs["other_category"].isin(names)]
    star = rows["sure_pair"].map({True: "*", False: ""})
    rows = rows.assign(said=pd.Series(values(rows["lift_beyond"], "number"), index=rows.index) + star)
    grid = {"index": "category", "columns": "other_category"}
    lifts, said = (
        rows.pivot(**grid, values=column).reindex(index=names, columns=names) for column in ("lift_beyond", "said")
    )
    ax = new_axes(ax, 1.7 + 0.42 * max(len(names), 3))
    written = said.fillna("")
    said_names = _named("category", names, labels, 18)
    written.index, written.columns = said_names, [wrapped(name, 9) for name in said_names]
    shades = np.log2(lifts.where(lifts > 0)).astype("float64")
    heat(ax, shades, written, cmap="PuOr_r", vmin=-1, vmax=1)
    ax.set_title(text("plots.pairs_title", language))
    widest = max(len(line.encode("gbk", "replace")) for name in written.columns for line in name.split("\n"))
    if widest * len(names) > _LETTERS:
        ax.tick_params(axis="x", labelrotation=90)
    ax.set_xlabel(text("plots.pairs_x", language), labelpad=8)
    return ax
