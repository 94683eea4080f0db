"""What the orders say after the event: purchase days of customers, and the stages of an earlier day put to the test."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from custvalue import churn, lifetime
from custvalue.customers import customer_table
from custvalue.errors import DataError

if TYPE_CHECKING:
    from custvalue.config import Settings
    from custvalue.transactions import Orders

__all__ = ["GAP_SAMPLE", "purchase_days", "stage_calls"]

#: The most customers whose purchase days are taken out of the engine at once, drawn with a fixed seed.
GAP_SAMPLE = 50_000


def _purchases(orders: Orders):
    table = orders.table
    return table.filter((table.amount >= 0) & (table.order_date <= orders.as_of))


def purchase_days(orders: Orders, customer_ids: Iterable[str]) -> pd.DataFrame:
    """One row per customer and day with a purchase up to the as-of date: ``customer_id``, ``order_date``, ``n_orders``.

    Of more than :data:`GAP_SAMPLE` (50,000) customers that many are drawn at random, the same ones each time. Takes
    ``customer_id`` of a customer table, or a list of one.

    >>> from custvalue.pipeline import read
    >>> rows = pd.DataFrame({"customer_id": ["1", "1"], "order_date": ["2024-01-05", "2024-02-29"], "amount": [10, 20]})
    >>> purchase_days(read(rows), ["1"])["order_date"].dt.day.tolist()
    [5, 29]
    """
    import ibis

    ids = pd.Series(list(customer_ids), dtype="str").drop_duplicates()
    ids = ids.sample(GAP_SAMPLE, random_state=0) if len(ids) > GAP_SAMPLE else ids
    wanted = ibis.memtable(pd.DataFrame({"customer_id": ids}), schema={"customer_id": "string"})
    rows = _purchases(orders).semi_join(wanted, "customer_id")
    number = rows.order_id.coalesce("") if rows.order_id.type().is_string() else ibis.literal("")
    days = rows.group_by("customer_id", "order_date").aggregate(n_orders=number.nunique())
    table = days.order_by("customer_id", "order_date").execute()
    table["order_date"] = pd.to_datetime(table["order_date"]).astype("datetime64[s]")
    return table.astype({"customer_id": "str", "n_orders": "int64"})


def _after(orders: Orders, cutoff: dt.date) -> pd.DataFrame:
    """One row per customer with an order or return after the day: days_to_next, sales_after."""
    rows = orders.table.filter((orders.table.order_date > cutoff) & (orders.table.order_date <= orders.as_of))
    table = rows.group_by("customer_id").aggregate(
        first=rows.order_date.min(where=rows.amount >= 0), sales_after=rows.amount.sum().cast("float64")
    )
    found = table.execute().astype({"customer_id": "str"})
    days = (pd.to_datetime(found["first"]) - pd.Timestamp(cutoff)).dt.days.astype("Int64")
    return found.drop(columns="first").assign(days_to_next=days)


def stage_calls(orders: Orders, settings: Settings, days: int = 0) -> tuple[pd.DataFrame, dt.date]:
    """The stages as they would have been given ``days`` before the as-of date, and what the customers then did.

    The customer table, the models and the stages of that day see nothing that came later; which model forecasts is
    not taken from the test of today's forecast either. ``days`` 0: as many as the test of the forecast hides (a third
    of the history, 28 to 365 days). The table of :func:`custvalue.churn.judged_calls` and the day; pass the table to
    :func:`custvalue.churn.confirmed`.

    Raises ``DataError`` where the history is too short to go back so far.
    """
    cutoff = _cutoff(orders, settings, days)
    early = customer_table(orders, cutoff)
    expected = lifetime.forecast(early, cutoff, settings.lifetime)
    known = early.merge(expected.table, on="customer_id", validate="1:1")
    given = churn.stages(known, settings.churn)
    length = (orders.as_of - cutoff).days
    return churn.judged_calls(early, given, _after(orders, cutoff), length), cutoff


def _cutoff(orders: Orders, settings: Settings, days: int) -> dt.date:
    first = pd.Timestamp(_purchases(orders).order_date.min().execute())
    history = (pd.Timestamp(orders.as_of) - first).days
    if days:
        cutoff = orders.as_of - dt.timedelta(days=days)
    else:
        cutoff = lifetime.cutoff_day(pd.DataFrame({"first_order": [first]}), orders.as_of, settings.lifetime)
    if cutoff is None or (days and not 0 < days < history):
        raise DataError("stages_not_testable", got=days, history=history)
    return cutoff
