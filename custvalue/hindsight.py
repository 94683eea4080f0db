"""The stages of an earlier day put to the test by what the customers did after it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pandas as pd

from custvalue import churn, lifetime
from custvalue.customers import customer_table
from custvalue.errors import DataError
from custvalue.ids import joined
from custvalue.returns import counted

if TYPE_CHECKING:
    from custvalue.config import Settings
    from custvalue.transactions import Orders

__all__ = ["stage_calls"]


def _purchases(orders: Orders):
    table = counted(orders.table, orders.as_of)
    return table.filter(table.amount >= 0)


def _after(orders: Orders, cutoff: dt.date) -> pd.DataFrame:
    """One row per customer with an order or return after the day: days_to_next, sales_after."""
    rows = counted(orders.table, orders.as_of)
    rows = rows.filter(rows.order_date > cutoff)
    table = rows.group_by("customer_id").aggregate(
        first=rows.order_date.min(where=rows.amount >= 0), sales_after=rows.amount.sum().cast("float64")
    )
    found = table.execute().astype({"customer_id": "str"})
    days = (pd.to_datetime(found["first"]) - pd.Timestamp(cutoff)).dt.days.astype("Int64")
    return found.drop(columns="first").assign(days_to_next=days)


def stage_calls(orders: Orders, settings: Settings, days: int = 0) -> tuple[pd.DataFrame, dt.date | None]:
    """The stages as they would have been given ``days`` before the as-of date, and what the customers then did.

    The customer table, the models and the stages of that day see nothing that came later; which model forecasts is
    not taken from the test of today's forecast either. ``days`` 0: as many as the test of the forecast hides (a third
    of the history, 28 to 365 days). The table of :func:`custvalue.churn.judged_calls` and the day; pass the table to
    :func:`custvalue.churn.confirmed`.

    Where the history is too short to hide anything, no rows and None; ``DataError`` where it has fewer ``days``.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> stage_calls(orders, cv.load_settings())[1] is None  # too short a history to look back
    True
    """
    cutoff = _cutoff(orders, settings, days)
    if cutoff is None:
        return churn.no_calls(), None
    early = customer_table(orders, cutoff)
    expected = lifetime.forecast(early, cutoff, settings.lifetime)
    given = churn.stages(joined(early, expected.table), settings.churn)
    length = (orders.as_of - cutoff).days
    return churn.judged_calls(early, given, _after(orders, cutoff), length), cutoff


def _cutoff(orders: Orders, settings: Settings, days: int) -> dt.date | None:
    first = pd.Timestamp(_purchases(orders).order_date.min().execute())
    history = (pd.Timestamp(orders.as_of) - first).days
    if not days:
        return lifetime.cutoff_day(pd.DataFrame({"first_order": [first]}), orders.as_of, settings.lifetime)
    if not 0 < days < history:
        raise DataError("stages_not_testable", got=days, history=history)
    return orders.as_of - dt.timedelta(days=days)
