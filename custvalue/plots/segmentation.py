"""Charts of the segments: groups by their share of customers and sales, RFM scores, clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from custvalue.labels import heading, text, unit_of
from custvalue.plots.style import (
    BLUE,
    GREY,
    chart,
    heat,
    legend_below,
    named_counts,
    new_axes,
    note,
    number_axis,
    row_axis,
    values,
    words,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_clusters", "plot_groups", "plot_rfm", "share_bars"]

_MOST_GROUPS = 20
_NOT_FEATURES = ("n_customers", "share_customers")


def share_bars(ax: Axes, pairs: list[tuple[pd.Series, str, str]]) -> None:
    """Bars side by side in each row for two shares of the same groups: (shares, colour, label) each."""
    height = 0.38
    for place, (shares, colour, label) in enumerate(pairs):
        positions = np.arange(len(shares)) + (place - 0.5) * height
        bars = ax.barh(positions, shares.fillna(0), height=height, color=colour, label=label)
        ax.bar_label(bars, values(shares, "share"), padding=4, fontsize=9)
    number_axis(ax.xaxis, "share")
    ax.margins(x=0.14)
    if not any(shares.fillna(0).any() for shares, _, _ in pairs):
        ax.set_xlim(0, 1)


@chart("n_customers", "share_customers", "share_sales")
def plot_groups(
    profile: pd.DataFrame, by: str, *, ax: Axes | None = None, language: str = "en", currency: str = ""
) -> Axes:
    """Share of the customers against share of the sales for each code of ``by``, empty groups too.

    ``profile`` has one row per code, in the order to show: ``by``, n_customers, share_customers, share_sales.
    Of more than 20 groups, the 20 with most customers are drawn.

    >>> profile = pd.DataFrame({"tier": ["gold", "lead"], "n_customers": [5, 95],
    ...                         "share_customers": [0.05, 0.95], "share_sales": [0.6, 0.4]})
    >>> [tick.get_text() for tick in plot_groups(profile, "tier").get_yticklabels()]
    ['B · Gold: 5', 'D · Lead: 95']
    """
    shown = profile.loc[profile["n_customers"].nlargest(_MOST_GROUPS).index.sort_values()]
    ax = new_axes(ax, 1.6 + 0.52 * max(len(shown), 2))
    customers, sales = (text(f"plots.{column}", language) for column in ("share_customers", "share_sales"))
    share_bars(ax, [(shown["share_customers"], GREY, customers), (shown["share_sales"], BLUE, sales)])
    row_axis(ax, named_counts(by, shown[by], shown["n_customers"], language))
    ax.set_title(text("plots.groups_title", language))
    more = len(profile) - len(shown)
    ax.set_xlabel(text("plots.groups_more", language, n=more) if more else text("plots.share", language))
    legend_below(ax)
    return ax


@chart("r_score", "f_score")
def plot_rfm(
    scores: pd.DataFrame, levels: int = 5, *, ax: Axes | None = None, language: str = "en", currency: str = ""
) -> Axes:
    """How many customers have each pair of recency and frequency score; the best are at the upper right.

    ``scores`` has one row per customer: r_score, f_score (1 to ``levels``, the highest is best).

    >>> scores = pd.DataFrame({"r_score": [5, 5, 1], "f_score": [5, 5, 1]})
    >>> plot_rfm(scores).get_title(loc="left")
    'Customers by R and F score'
    """
    recency, frequency = scores["r_score"].astype(str).astype(int), scores["f_score"].astype(str).astype(int)
    levels = list(range(1, max(levels, recency.max(), frequency.max()) + 1))
    counts = pd.crosstab(recency, frequency).reindex(index=levels[::-1], columns=levels, fill_value=0)
    ax = new_axes(ax, 4.6)
    heat(ax, np.sqrt(counts), counts.map("{:,}".format), cmap="Blues", vmin=0)
    ax.set_title(text("plots.rfm_title", language))
    ax.set(xlabel=text("plots.f_score", language), ylabel=text("plots.r_score", language))
    return ax


def _standardised(features: pd.DataFrame) -> pd.DataFrame:
    spread = features.std(ddof=0)
    return ((features - features.mean()) / spread.where(spread > 0)).fillna(0.0)


@chart("cluster")
def plot_clusters(centres: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """What tells the clusters apart: the median of each feature, coloured by its place among them.

    ``centres`` has one row per cluster: cluster, the features (numbers) and perhaps n_customers. The colour
    is the median less the mean of the medians, in their standard deviations; the median is written.

    >>> centres = pd.DataFrame({"cluster": ["1", "2"], "sales": [900.0, 50.0], "n_orders": [12, 1]})
    >>> len(plot_clusters(centres).texts)
    4
    """
    features = centres.drop(columns=["cluster", *_NOT_FEATURES], errors="ignore").select_dtypes("number")
    ax = new_axes(ax, 1.8 + 0.5 * max(len(centres), 2))
    if features.empty:
        return note(ax, text("plots.empty", language))
    written = features.apply(lambda column: values(column, unit_of(str(column.name)) or "number"))
    written.index = words("cluster", centres["cluster"], language)
    if "n_customers" in centres:
        written.index = named_counts("cluster", centres["cluster"], centres["n_customers"], language)
    written.columns = [wrapped(heading(str(column), language, currency), 14) for column in features]
    heat(ax, _standardised(features), written, cmap="PuOr_r", vmin=-2.2, vmax=2.2)
    ax.set_title(text("plots.clusters_title", language))
    ax.set_xlabel(text("plots.clusters_colour", language), labelpad=8)
    return ax
