"""Canonical column names and the contract of each table: which columns, which kind, which unit.

Names are fixed inside the package; foreign names are renamed once, when a table is read.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

__all__ = [
    "CAMPAIGN_COLUMNS",
    "CUSTOMER_COLUMNS",
    "EVENT_COLUMNS",
    "ORDER_COLUMNS",
    "SCORECARD_COLUMNS",
    "Column",
    "is_day",
]


@dataclass(frozen=True)
class Column:
    """One column of an input table: its canonical name and its kind (``id``, ``date``, ``number``, ``text``
    or ``flag``)."""

    name: str
    kind: str


def is_day(text: str) -> bool:
    """Whether a text is a day written YYYY-MM-DD.

    >>> is_day("2024-02-30")
    False
    """
    try:
        return len(text) == 10 and bool(dt.date.fromisoformat(text))
    except ValueError:
        return False


#: Columns of the order file that have a meaning; any other column is kept as an attribute of the row.
ORDER_COLUMNS = (
    Column("customer_id", "id"),
    Column("order_date", "date"),
    Column("amount", "number"),
    Column("quantity", "number"),
    Column("unit_price", "number"),
    Column("order_id", "id"),
    Column("margin", "number"),
    Column("cost", "number"),
    Column("category", "text"),
    Column("product", "text"),
    Column("channel", "text"),
    Column("region", "text"),
    Column("status", "text"),
)

#: Columns of the table of events (views, searches, messages); ``customer_id``, ``event_date`` and ``event`` are needed.
EVENT_COLUMNS = (
    Column("customer_id", "id"),
    Column("event_date", "date"),
    Column("event", "text"),
    Column("category", "text"),
    Column("price_band", "text"),
    Column("channel", "text"),
)

#: Columns of the table of campaigns, one row per customer and mailing; the first three are needed.
CAMPAIGN_COLUMNS = (
    Column("customer_id", "id"),
    Column("campaign", "text"),
    Column("sent_date", "date"),
    Column("list", "text"),
    Column("channel", "text"),
    Column("cost", "number"),
    Column("hold_out", "flag"),
    Column("responded", "flag"),
    Column("revenue", "number"),
)

#: Columns of the customer table, in order; see :func:`custvalue.customers.customer_table`.
CUSTOMER_COLUMNS = (
    "customer_id",
    "first_order",
    "last_order",
    "n_orders",
    "n_repeats",
    "days_since_last",
    "tenure_days",
    "sales",
    "margin",
    "mean_order_value",
    "mean_gap_days",
    "sd_gap_days",
    "sum_log_gaps",
    "main_category",
    "n_categories",
    "returns",
    "n_returns",
    "sales_12m",
    "sales_prior_12m",
    "margin_12m",
    "n_orders_12m",
    "purchases_12m",
    "repeat_sales",
    "n_orders_prior_12m",
    "squares_24m",
)

#: Columns of the scorecard, in order; each code column is followed by its ``_label`` in the written file.
SCORECARD_COLUMNS = (
    "customer_id",
    "first_order",
    "last_order",
    "n_orders",
    "days_since_last",
    "sales",
    "margin",
    "segment",
    "rfm_group",
    "quadrant",
    "value_class",
    "tier",
    "stage",
    "p_alive",
    "expected_orders_12m",
    "clv_12m",
    "action",
)
