"""Charts of the segments: groups by their share of customers and sales, RFM scores, clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from custvalue.labels import heading, phrase, text, unit_of
from custvalue.plots.style import (
    BLUE,
    GREY,
    INK,
    ON_WHITE,
    ORANGE,
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

__all__ = ["plot_cluster_evidence", "plot_clusters", "plot_groups", "plot_rfm", "plot_rfm_groups", "share_bars"]

_MOST_GROUPS = 20
_NOT_FEATURES = ("n_customers", "share_customers")
#: About as many letters stand beside each other in the chart of the named groups.
_LETTERS = 70


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
    ax = new_axes(ax, 1.6 + 0.46 * max(len(shown), 2))
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


def _region(ax: Axes, cells: pd.DataFrame, levels: int, language: str) -> None:
    """A frame around the cells that lead to the same groups, with the names of those with customers in the middle."""
    from matplotlib.patches import Rectangle

    left, low = cells["f_score"].min() - 1, cells["r_score"].min() - 1
    width, height = cells["f_score"].max() - left, cells["r_score"].max() - low
    ax.add_patch(Rectangle((left, low), width, height, fill=False, edgecolor=INK, linewidth=1.4))
    groups = cells.groupby("rfm_group", observed=True)["n_customers"].sum().loc[lambda n: n > 0]
    room = int(_LETTERS * width / levels)
    named = [wrapped(word, room) for word in words("rfm_group", groups.index, language)]
    lines = [text("plots.rfm_groups_cell", language, word=word, n=n) for word, n in zip(named, groups, strict=True)]
    place = {"ha": "center", "va": "center", "linespacing": 1.4}
    ax.text(left + width / 2, low + height / 2, "\n".join(lines), bbox={**ON_WHITE, "alpha": 0.85}, **place)


@chart("r_score", "f_score", "rfm_group", "n_customers")
def plot_rfm_groups(places: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """Which named group stands where, recency against frequency, with the customers there; the best at the upper right.

    ``places`` is the table of :func:`custvalue.segmentation.rfm_map`. Where two groups share a place, the M score
    decides. The shade tells how many customers a pair of scores has.

    >>> from custvalue.segmentation import rfm_map
    >>> scores = pd.DataFrame({"customer_id": ["a"], "r_score": [5], "f_score": [5], "m_score": [5]})
    >>> plot_rfm_groups(rfm_map(scores)).texts[-1].get_text()
    'Champions: 1'
    """
    ax = new_axes(ax, 4.7)
    levels = range(1, int(places["r_score"].max()) + 1)
    counts = places.pivot_table(index="r_score", columns="f_score", values="n_customers", aggfunc="sum")
    ax.pcolormesh(np.sqrt(counts.to_numpy(float)), cmap="Blues", vmin=0, vmax=1.6 * np.sqrt(counts.max().max()) + 1)
    groups = places.sort_values("rfm_group").groupby(["r_score", "f_score"])["rfm_group"].agg(lambda g: "+".join(g))
    keys = places.set_index(["r_score", "f_score"]).index.map(groups)
    for _, cells in places.groupby(keys, sort=False):
        _region(ax, cells, len(levels), language)
    for axis, name in ((ax.xaxis, "f_score"), (ax.yaxis, "r_score")):
        axis.set_ticks([level - 0.5 for level in levels], list(levels))
        axis.set_label_text(text(f"plots.{name}", language))
    ax.tick_params(length=0)
    ax.grid(False)
    ax.set_title(text("plots.rfm_groups_title", language))
    return ax


@chart("n_clusters", "silhouette", "silhouette_chance", "stability", "chosen")
def plot_cluster_evidence(
    evidence: pd.DataFrame, *, least: float = 0.8, ax: Axes | None = None, language: str = "en", currency: str = ""
) -> Axes:
    """What speaks for each number of clusters: how far they lie apart, against chance, and how stable they are.

    ``evidence`` is the table of :func:`custvalue.segmentation.cluster_evidence`, ``least`` the stability asked for.

    >>> evidence = pd.DataFrame({"n_clusters": [2, 3], "silhouette": [0.5, 0.3], "silhouette_chance": [0.3, 0.3],
    ...                          "stability": [0.9, 0.7], "chosen": [True, False]})
    >>> plot_cluster_evidence(evidence).get_xlabel()
    'Number of clusters (circled: chosen)'
    """
    ax = new_axes(ax, 4.2)
    styles = {"stability": (ORANGE, "-"), "silhouette": (BLUE, "-"), "silhouette_chance": (GREY, "--")}
    for name, (colour, line) in styles.items():
        label = text(f"plots.{name}", language)
        ax.plot(evidence["n_clusters"], evidence[name], line, color=colour, marker="o", markersize=4, label=label)
    ax.axhline(least, color=ORANGE, linewidth=0.9, linestyle=":", label=text("plots.stability_least", language))
    chosen = evidence[evidence["chosen"]]
    for name in ("stability", "silhouette"):
        ax.plot(chosen["n_clusters"], chosen[name], "o", markersize=13, fillstyle="none", color=INK)
    number_axis(ax.xaxis, "count", 8)
    ax.set_ylim(min(0, evidence[list(styles)].min().min()), 1.05)
    ax.set_title(text("plots.evidence_title", language))
    ax.set_xlabel(text("plots.evidence_number_none" if chosen.empty else "plots.evidence_number", language))
    legend_below(ax, 2)
    return ax


def _standardised(features: pd.DataFrame) -> pd.DataFrame:
    """Signed logarithms, as clusters are cut on, less their mean in standard deviations."""
    logs = np.sign(features) * np.log1p(features.abs())
    spread = logs.std(ddof=0)
    return ((logs - logs.mean()) / spread.where(spread > 0)).fillna(0.0)


def _cluster_names(centres: pd.DataFrame, language: str) -> list[str]:
    """The number of each cluster with its customers and, where told, what sets it apart."""
    names = words("cluster", centres["cluster"], language)
    if "n_customers" in centres:
        names = named_counts("cluster", centres["cluster"], centres["n_customers"], language)
    if "traits" not in centres:
        return names
    traits = [wrapped(phrase("trait", codes.split(), language), 28) for codes in centres["traits"]]
    return [f"{name}\n{trait}" for name, trait in zip(names, traits, strict=True)]


@chart("cluster")
def plot_clusters(centres: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """What tells the clusters apart: the median of each feature, coloured by its place among them.

    ``centres`` has one row per cluster: cluster, the features (numbers), perhaps n_customers and traits. The colour
    is the logarithm of the median less the mean of these logarithms, in their standard deviations; the median is
    written.

    >>> centres = pd.DataFrame({"cluster": ["1", "2"], "sales": [900.0, 50.0], "n_orders": [12, 1]})
    >>> len(plot_clusters(centres).texts)
    4
    """
    features = centres.drop(columns=["cluster", *_NOT_FEATURES], errors="ignore").select_dtypes("number")
    ax = new_axes(ax, 1.8 + (0.62 if "traits" in centres else 0.5) * max(len(centres), 2))
    if features.empty:
        return note(ax, text("plots.empty", language))
    written = features.apply(lambda column: values(column, unit_of(str(column.name)) or "number"))
    written.index = _cluster_names(centres, language)
    written.columns = [wrapped(heading(str(column), language, currency), 14) for column in features]
    heat(ax, _standardised(features), written, cmap="PuOr_r", vmin=-2.2, vmax=2.2)
    ax.set_title(text("plots.clusters_title", language))
    ax.set_xlabel(wrapped(text("plots.clusters_colour", language), 68), labelpad=8, linespacing=1.4)
    for name in ax.get_yticklabels():
        name.set_linespacing(1.4)
    return ax
