"""Charts of the churn stages: customers and value at risk by stage, rhythm, movement between two months."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from custvalue.labels import label, text
from custvalue.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    STAGE_COLOURS,
    chart,
    heat,
    legend_below,
    new_axes,
    note,
    number_axis,
    panels,
    row_axis,
    shorten,
    values,
    with_currency,
    words,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_calls", "plot_history", "plot_movement", "plot_rhythm", "plot_stages", "plot_survival"]

_SHORTEST, _LONGEST = 0.05, 20.0
_RHYTHM_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)


def _draw_rows(ax: Axes, numbers: pd.Series, unit: str, colour: str, label: str) -> None:
    bars = ax.barh(range(len(numbers)), numbers.fillna(0), color=colour, height=0.65)
    ax.bar_label(bars, values(numbers, unit), padding=4, fontsize=9)
    number_axis(ax.xaxis, unit, parts=3)
    ax.margins(x=0.26)
    if not numbers.fillna(0).any():
        ax.set_xlim(0, 1)
    ax.set_xlabel(label)


@chart("stage", "n_customers")
def plot_stages(profile: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """Customers in each stage of the relation, and beside it the value at risk there, if that is known.

    ``profile`` has one row per stage, in their order: stage, n_customers and perhaps value_at_risk (money).
    The axes of the customers are returned.

    >>> profile = pd.DataFrame({"stage": ["stable", "decline"], "n_customers": [60, 40],
    ...                         "value_at_risk": [800.0, 9000.0]})
    >>> [tick.get_text() for tick in plot_stages(profile).get_yticklabels()]
    ['Stable', 'Decline']
    """
    names = words("stage", profile["stage"], language)
    risk_known = "value_at_risk" in profile and profile["value_at_risk"].notna().any()
    height = 1.4 + 0.42 * max(len(profile), 2)
    people, risk = panels(ax, height, stacked=False) if risk_known else (new_axes(ax, height), None)
    _draw_rows(people, profile["n_customers"], "count", BLUE, text("plots.n_customers", language))
    row_axis(people, names)
    people.set_title(text("plots.stages_title", language))
    if risk is not None:
        label = with_currency(text("plots.value_at_risk", language), language, currency)
        _draw_rows(risk, profile["value_at_risk"], "money", ORANGE, label)
        row_axis(risk, [""] * len(names))
        risk.set_title(text("plots.risk_title", language))
    return people


def _by_stage(overdue: pd.Series, stage: pd.Series) -> dict[str, pd.Series]:
    codes = (
        list(stage.cat.categories) if isinstance(stage.dtype, pd.CategoricalDtype) else list(stage.dropna().unique())
    )
    return {str(code): overdue[stage == code] for code in codes}


@chart("overdue")
def plot_rhythm(table: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """How long customers have been silent, in multiples of their own usual gap between orders.

    ``table`` has one row per customer: overdue (days since the last order / usual gap) and perhaps stage,
    which colours the bars. Values under 0.05 or over 20 are drawn at the edge.

    >>> table = pd.DataFrame({"overdue": [0.2, 0.9, 4.0], "stage": ["stable", "stable", "decline"]})
    >>> plot_rhythm(table).get_xlabel()
    'Days since the last order ÷ usual gap of the customer (log scale)'
    """
    known = table[table["overdue"].notna()]
    if known.empty:
        return note(new_axes(ax, 1.2), text("plots.empty", language))
    ax = new_axes(ax, 4.4)
    ax.set_title(text("plots.rhythm_title", language))
    overdue = known["overdue"].astype(float).clip(_SHORTEST, _LONGEST)
    bins = np.geomspace(_SHORTEST, _LONGEST, 41)
    if "stage" in known:
        parts = _by_stage(overdue, known["stage"])
        colours = [STAGE_COLOURS.get(code, BLUE) for code in parts]
        ax.hist(
            list(parts.values()),
            bins=bins,
            stacked=True,
            color=colours,
            label=words("stage", parts, language),
        )
        legend_below(ax, 6)
    else:
        ax.hist(overdue, bins=bins, color=BLUE)
    ax.axvline(1, color=INK, linestyle="--", linewidth=1)
    _rhythm_axis(ax)
    number_axis(ax.yaxis, "count")
    ax.set_xlabel(text("plots.rhythm", language))
    ax.set_ylabel(text("plots.n_customers", language))
    return ax


def _rhythm_axis(ax: Axes) -> None:
    ax.set_xscale("log")
    ax.set_xlim(_SHORTEST, _LONGEST)
    ax.set_xticks(_RHYTHM_TICKS, [f"{tick:g}×" for tick in _RHYTHM_TICKS])
    ax.minorticks_off()


@chart()
def plot_movement(
    matrix: pd.DataFrame, kind: str, *, ax: Axes | None = None, language: str = "en", currency: str = ""
) -> Axes:
    """Customers by class last month and this month; those who stayed are on the grey diagonal.

    ``matrix`` holds counts: rows are the codes of ``kind`` last month, columns those of this month.

    >>> tiers = ["gold", "lead"]
    >>> plot_movement(pd.DataFrame([[9, 1], [2, 88]], index=tiers, columns=tiers), "tier").get_xlabel()
    'Now'
    """
    ax = new_axes(ax, 1.9 + 0.5 * max(len(matrix), 3))
    counts = matrix.astype(float)
    stayed = np.array([[str(row) == str(column) for column in matrix.columns] for row in matrix.index])
    written = counts.map(lambda n: f"{n:,.0f}" if n else "")
    written.index = words(kind, matrix.index, language)
    written.columns = [wrapped(word, 12) for word in words(kind, matrix.columns, language)]
    shades = np.sqrt(counts.mask(stayed))
    heat(ax, shades, written, cmap="Blues", vmin=0, vmax=max(np.nan_to_num(shades.to_numpy()).max(), 1))
    ax.set_title(text("plots.movement_title", language, kind=label("kind", kind, language)))
    ax.set(xlabel=text("plots.movement_now", language), ylabel=text("plots.movement_before", language))
    return ax


#: Colour and dash of the curves, told apart without colour too; more than these are drawn in grey.
_CURVES = tuple(zip((BLUE, ORANGE, GREEN, PURPLE, SKY, INK), ("-", "--", "-.", ":", "-", "--"), strict=True))


@chart("within_days", "share_again")
def plot_survival(
    curves: pd.DataFrame, by: str = "", *, ax: Axes | None = None, language: str = "en", currency: str = ""
) -> Axes:
    """After a purchase, the share that has bought again by day, one curve for each group, with its 95% band.

    ``curves`` is the result of :func:`custvalue.churn.bought_again`, ``by`` its column of groups.

    >>> curves = pd.DataFrame({"within_days": [0, 30, 60], "share_again": [0.0, 0.4, 0.6]})
    >>> plot_survival(curves).get_xlabel()
    'Days since a purchase'
    """
    ax = new_axes(ax, 4.4)
    groups = curves.groupby(by, observed=True, sort=True) if by else [(None, curves)]
    codes = [code for code, _ in groups]
    names = words(by, codes, language) if by else [text("plots.all_customers", language)]
    for place, (_, curve) in enumerate(groups):
        colour, dash = _CURVES[place] if place < len(_CURVES) else (GREY, "-")
        ax.plot(curve["within_days"], curve["share_again"], dash, color=colour, label=names[place])
        if {"again_low", "again_high"} <= set(curve):
            band = curve[["again_low", "again_high"]].astype(float)
            ax.fill_between(curve["within_days"], *band.to_numpy().T, color=colour, alpha=0.15, linewidth=0)
    ax.set_ylim(0, 1)
    ax.set_xlim(0, max(float(curves["within_days"].max()), 1))
    number_axis(ax.xaxis, "count")
    number_axis(ax.yaxis, "share")
    ax.set(xlabel=text("plots.survival_days", language), ylabel=text("plots.survival_share", language))
    ax.set_title(text("plots.survival_title", language))
    if by:
        legend_below(ax, 4)
    return ax


@chart("day", "orders_of_day", "p_alive")
def plot_history(
    history: pd.DataFrame,
    customer: str = "",
    *,
    level: float = 0.6,
    ax: Axes | None = None,
    language: str = "en",
    currency: str = "",
) -> Axes:
    """One customer's purchases (dots) and the probability that he is still active, day by day.

    ``history`` is the result of :func:`custvalue.churn.history`; ``level`` is where the model alone speaks of decline.

    >>> history = pd.DataFrame({"day": pd.to_datetime(["2024-01-01", "2024-01-02"]), "orders_of_day": [1, 0],
    ...                         "p_alive": [1.0, 0.98]})
    >>> plot_history(history, "007").get_ylabel()
    'Still active (probability)'
    """
    ax = new_axes(ax, 3.8)
    ax.plot(history["day"], history["p_alive"], color=BLUE, linewidth=1.6, label=text("plots.history_alive", language))
    bought = history[history["orders_of_day"] > 0]
    ax.plot(
        bought["day"],
        np.full(len(bought), 1.06),
        "o",
        color=INK,
        markersize=4,
        label=text("plots.history_order", language),
    )
    doubt = text("plots.history_doubt", language, level=level)
    ax.axhline(level, color=ORANGE, linestyle="--", linewidth=1, label=doubt)
    ax.set_ylim(0, 1.12)
    ax.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    ax.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f}%")
    _day_axis(ax, history["day"])
    ax.set_ylabel(text("plots.history_alive", language))
    ax.set_title(text("plots.history_title", language, customer=shorten(customer)))
    legend_below(ax, 3)
    return ax


def _day_axis(ax: Axes, days: pd.Series) -> None:
    """Months as 2024-03, at most eight of them."""
    from matplotlib.dates import AutoDateLocator, DateFormatter

    edge = pd.Timedelta(max((days.max() - days.min()).days // 80, 1), "D")
    ax.set_xlim(days.min() - edge, days.max() + edge)
    ax.xaxis.set_major_locator(AutoDateLocator(minticks=2, maxticks=8))
    long = (days.max() - days.min()).days > 60
    ax.xaxis.set_major_formatter(DateFormatter("%Y-%m" if long else "%m-%d"))


@chart("stage", "share_confirmed", "share_of_all", "expectation")
def plot_calls(calls: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """The share of stage calls that came true (dot) against the same among all customers (line).

    ``calls`` is the result of :func:`custvalue.churn.confirmed`; stages without anybody to judge are left out.

    >>> calls = pd.DataFrame({"stage": ["drop"], "expectation": ["no_order"], "n_judged": [9],
    ...                       "share_confirmed": [0.95], "share_of_all": [0.6]})
    >>> plot_calls(calls).get_xlabel()
    'Share who did what the stage says'
    """
    shown = calls[calls["share_confirmed"].notna()].reset_index(drop=True)
    if shown.empty:
        return note(new_axes(ax, 1.2), text("plots.empty", language))
    ax = new_axes(ax, 1.6 + 0.58 * max(len(shown), 2))
    ax.set_title(text("plots.confirmed_title", language))
    rows = np.arange(len(shown))
    own, everybody = shown["share_confirmed"].astype(float), shown["share_of_all"].astype(float)
    colours = [STAGE_COLOURS.get(str(code), BLUE) for code in shown["stage"]]
    ax.barh(rows, own, color=colours, height=0.6)
    ax.plot(
        everybody, rows, "|", color=INK, markersize=15, markeredgewidth=2, label=text("plots.confirmed_all", language)
    )
    said = words("expectation", shown["expectation"], language)
    row_axis(ax, [f"{name}\n{says}" for name, says in zip(words("stage", shown["stage"], language), said, strict=True)])
    for name in ax.get_yticklabels():
        name.set_linespacing(1.35)
    for row, share in enumerate(own):
        ax.text(max(share, everybody[row]) + 0.02, row, values([share], "share")[0], va="center", fontsize=9)
    ax.set_xlim(0, 1.12)
    ax.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1], [f"{tick}%" for tick in (0, 20, 40, 60, 80, 100)])
    ax.set_xlabel(text("plots.confirmed_share", language))
    legend_below(ax, 2)
    return ax
