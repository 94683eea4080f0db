"""Charts of the churn stages: customers and value at risk by stage, rhythm, movement between two months."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from custvalue.labels import label, text
from custvalue.plots.style import (
    BLUE,
    INK,
    ORANGE,
    STAGE_COLOURS,
    chart,
    heat,
    legend_below,
    new_axes,
    note,
    number_axis,
    panels,
    row_axis,
    values,
    with_currency,
    words,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_movement", "plot_rhythm", "plot_stages"]

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
    ax = new_axes(ax, 4.4)
    ax.set_title(text("plots.rhythm_title", language))
    known = table[table["overdue"].notna()]
    if known.empty:
        return note(ax, text("plots.empty", language))
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
    'This month'
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
    ax.set(xlabel=text("plots.this_month", language), ylabel=text("plots.last_month", language))
    return ax
