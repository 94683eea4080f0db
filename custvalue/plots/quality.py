"""Charts of the data check: what was set aside and why, and how sales went month by month."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from custvalue.labels import text
from custvalue.plots.style import (
    BLUE,
    GREEN,
    ORANGE,
    chart,
    legend_below,
    new_axes,
    note,
    number_axis,
    panels,
    row_axis,
    values,
    with_currency,
    words,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BAR_DAYS", "month_axis", "plot_months", "plot_quality"]

#: Width of a monthly bar in days of the date axis.
BAR_DAYS = 22
_MOST_DATES = 10


def month_axis(ax: Axes, months: pd.Series) -> None:
    """Dates under a chart by month: as many of the months as can be read, as 2025-01."""
    first = months.dt.year * 12 + months.dt.month
    step = next((step for step in (1, 2, 3, 6, 12, 24, 60) if len(months) <= step * _MOST_DATES), 120)
    shown = months[(first - first.iloc[0]) % step == 0]
    ax.set_xticks(shown, list(shown.dt.strftime("%Y-%m")))
    space = pd.Timedelta(days=20 + 15 * max(0, 6 - len(months)))
    ax.set_xlim(months.min() - space, months.max() + space)
    ax.grid(False, axis="x")


@chart("status", "reason", "rows")
def plot_quality(quality: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """Rows set aside by reason, as bars; the rows accepted, which dwarf them, stand in the title.

    ``quality`` has one row per status and reason: status (``accepted`` or ``quarantined``), reason, rows. Rows of days
    after the as-of date have no fault and are not drawn.

    >>> quality = pd.DataFrame({"status": ["accepted", "quarantined"], "reason": ["purchased", "duplicate"],
    ...                         "rows": [980, 20]})
    >>> plot_quality(quality).get_title(loc="left")
    '980 rows accepted, 20 set aside'
    """
    accepted = quality.loc[quality["status"] == "accepted", "rows"].sum()
    at_fault = (quality["status"] == "quarantined") & (quality["reason"] != "after_as_of")
    aside = quality[at_fault & (quality["rows"] > 0)].sort_values("rows", ascending=False)
    title = text("plots.quality_title", language, accepted=accepted, aside=aside["rows"].sum())
    ax = new_axes(ax, 1.5 + 0.35 * max(len(aside), 2))
    ax.set_title(title)
    if aside.empty:
        return note(ax, text("plots.quality_none", language))
    bars = ax.barh(range(len(aside)), aside["rows"], color=ORANGE, height=0.65)
    ax.bar_label(bars, values(aside["rows"], "count"), padding=4)
    row_axis(ax, words("reason", aside["reason"], language))
    number_axis(ax.xaxis, "count")
    ax.margins(x=0.12)
    ax.set_xlabel(text("plots.rows_aside", language))
    return ax


@chart("month", "sales", "n_customers", "n_orders")
def plot_months(months: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """Sales of each month as bars, and below, on the same months, the orders and the customers who bought.

    ``months`` has one row per month: month (its first day), sales, n_customers, n_orders. The axes of the
    sales are returned.

    >>> months = pd.DataFrame({"month": pd.to_datetime(["2025-01-01", "2025-02-01"]),
    ...                        "sales": [900.0, 1200.0], "n_customers": [30, 36], "n_orders": [31, 44]})
    >>> plot_months(months, currency="CNY").get_ylabel()
    'Sales (CNY)'
    """
    money, people = panels(ax, 5.6, stacked=True, first=0.55)
    money.bar(months["month"], months["sales"], width=BAR_DAYS, color=BLUE)
    money.set(
        title=text("plots.months_title", language),
        ylabel=with_currency(text("plots.sales", language), language, currency),
    )
    for column, colour, marker in (("n_orders", GREEN, "s"), ("n_customers", ORANGE, "o")):
        label = text(f"plots.{column}", language)
        people.plot(months["month"], months[column], color=colour, marker=marker, markersize=3.5, label=label)
    people.set(ylabel=text("plots.number", language), xlabel=text("plots.month", language), ylim=(0, None))
    number_axis(money.yaxis, "money")
    number_axis(people.yaxis, "count")
    legend_below(people)
    for panel in (money, people):
        month_axis(panel, months["month"])
    return money
