"""The customer table: one row per customer as of a date, the only step that meets every order row.

It is one Ibis expression, so an engine that holds the orders computes it where they are.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from custvalue.columns import CUSTOMER_COLUMNS

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from custvalue.transactions import Orders

__all__ = ["customer_expression", "customer_table", "orders_by_month"]

_YEAR = 365


def _days(orders: ir.Table) -> ir.Table:
    """One row per customer and day with what was bought and what came back."""
    import ibis

    bought = orders.amount >= 0
    order = orders.order_id.coalesce("") if orders.order_id.type().is_string() else ibis.literal("")
    return orders.group_by("customer_id", "order_date").aggregate(
        net=orders.amount.sum(),
        margin=orders.margin.sum(),
        bought=orders.amount.sum(where=bought),
        n_bought=bought.sum(),
        n_orders=order.nunique(where=bought),
        returned=-orders.amount.sum(where=~bought),
        n_returned=(~bought).sum(),
    )


def _gaps(days: ir.Table) -> ir.Table:
    """One row per customer: spread of the days between purchase days."""
    import ibis

    bought = days.filter(days.n_bought > 0)
    before = bought.order_date.lag().over(ibis.window(group_by="customer_id", order_by="order_date"))
    gaps = bought.mutate(gap=bought.order_date.delta(before, unit="day").cast("float64"))
    return gaps.group_by("customer_id").aggregate(sd_gap_days=gaps.gap.std(how="sample"))


def _totals(days: ir.Table, as_of: dt.date) -> ir.Table:
    """One row per customer with at least one purchase: dates, counts and sums."""
    last_year = days.order_date > as_of - dt.timedelta(days=_YEAR)
    year_before = (days.order_date > as_of - dt.timedelta(days=2 * _YEAR)) & ~last_year
    purchase = days.n_bought > 0
    totals = days.group_by("customer_id").aggregate(
        first_order=days.order_date.min(where=purchase),
        last_order=days.order_date.max(where=purchase),
        n_orders=days.n_orders.sum(),
        n_repeats=purchase.sum() - 1,
        sales=days.net.sum(),
        margin=days.margin.sum(),
        bought=days.bought.sum(),
        first_bought=days.bought.argmin(days.order_date, where=purchase),
        returns=days.returned.sum(),
        n_returns=days.n_returned.sum(),
        sales_12m=days.net.sum(where=last_year),
        sales_prior_12m=days.net.sum(where=year_before),
        margin_12m=days.margin.sum(where=last_year),
        n_orders_12m=days.n_orders.sum(where=last_year),
        purchases_12m=days.bought.sum(where=last_year),
    )
    return totals.filter(totals.first_order.notnull())


def _categories(orders: ir.Table) -> ir.Table:
    """One row per customer: the category with the largest sales (ties: first by name) and how many there are."""
    import ibis

    bought = orders.filter((orders.amount >= 0) & orders.category.notnull())
    spend = bought.group_by("customer_id", "category").aggregate(spend=bought.amount.sum())
    best = ibis.window(group_by="customer_id", order_by=[ibis.desc("spend"), "category"])
    ranked = spend.mutate(place=ibis.row_number().over(best), n_categories=spend.count().over(group_by="customer_id"))
    return ranked.filter(ranked.place == 0).select("customer_id", "n_categories", main_category="category")


def _attributes(orders: ir.Table, names: tuple[str, ...]) -> ir.Table:
    """One row per customer: each attribute as it stood in the latest row."""
    latest = {name: orders[name].argmax(orders.order_date) for name in names}
    return orders.group_by("customer_id").aggregate(**latest)


def customer_expression(orders: ir.Table, as_of: dt.date, attributes: tuple[str, ...] = ()) -> ir.Table:
    """The customer table as an Ibis expression over accepted order rows, see :func:`customer_table`."""
    import ibis

    orders = orders.filter(orders.order_date <= as_of)
    days = _days(orders)
    table = _totals(days, as_of).left_join(_gaps(days), "customer_id").drop("customer_id_right")
    table = table.left_join(_categories(orders), "customer_id").drop("customer_id_right")
    if attributes:
        table = table.left_join(_attributes(orders, attributes), "customer_id").drop("customer_id_right")
    between = table.last_order.delta(table.first_order, unit="day")
    money = {c: table[c].cast("float64") for c in ("sales", "margin", "returns", "margin_12m")}
    zero_filled = {
        c: table[c].coalesce(0).cast("float64") for c in ("returns", "sales_12m", "sales_prior_12m", "purchases_12m")
    }
    table = table.mutate(
        **(money | zero_filled),
        days_since_last=ibis.literal(as_of).delta(table.last_order, unit="day"),
        tenure_days=ibis.literal(as_of).delta(table.first_order, unit="day"),
        mean_order_value=table.bought.cast("float64") / table.n_orders,
        mean_gap_days=(table.n_repeats > 0).ifelse(between / table.n_repeats.nullif(0), None),
        n_orders_12m=table.n_orders_12m.coalesce(0),
        repeat_sales=(table.bought - table.first_bought).cast("float64"),
    )
    return table.select(*CUSTOMER_COLUMNS, *attributes).order_by("customer_id")


def customer_table(orders: Orders, as_of: dt.date | None = None, attributes: tuple[str, ...] = ()) -> pd.DataFrame:
    """One row per customer with at least one purchase up to the end of ``as_of`` (default: that of the orders).

    Columns
    -------
    customer_id
        Text.
    first_order, last_order
        First and last day with a purchase.
    n_orders
        Orders with a purchase: distinct order numbers a day, one a day where there are none.
    n_repeats
        Days with a purchase after the first such day (the models' x).
    days_since_last, tenure_days
        Days from the last and from the first purchase day to ``as_of``.
    sales, margin
        Money net of returns; margin is missing where the data do not tell it.
    mean_order_value
        Purchases before returns, per order.
    mean_gap_days, sd_gap_days
        Mean and sample standard deviation of the days between purchase days (from 1 and 2 repeats on).
    main_category, n_categories
        The category with the largest purchases, and how many the customer bought from.
    returns, n_returns
        Money given back, positive, and rows with a return. A return is never counted as a purchase.
    sales_12m, sales_prior_12m, margin_12m, n_orders_12m
        The last 365 days and the 365 days before.
    purchases_12m
        Purchases of the last 365 days before returns.
    repeat_sales
        Purchases on the repeat days.

    Attributes asked for follow, as they stood in the customer's latest row.
    """
    import pandas as pd

    expression = customer_expression(orders.table, as_of or orders.as_of, attributes)
    table = expression.execute()
    for column in ("first_order", "last_order"):
        table[column] = pd.to_datetime(table[column]).astype("datetime64[s]")
    counts = ["n_orders", "n_repeats", "days_since_last", "tenure_days", "n_returns", "n_orders_12m"]
    floats = [
        "sales",
        "margin",
        "mean_order_value",
        "mean_gap_days",
        "sd_gap_days",
        "margin_12m",
        "repeat_sales",
    ]
    types = {**dict.fromkeys(counts, "int64"), **dict.fromkeys(floats, "float64"), "n_categories": "Int64"}
    return table.astype(types | {"customer_id": "str", "main_category": "str"})


def orders_by_month(orders: Orders) -> pd.DataFrame:
    """One row per calendar month up to ``as_of``: month (its first day), sales, n_customers, n_orders.

    Sales are net of returns, customers and orders those with a purchase; months without an order are not left out,
    nor are those between the last order and ``as_of``.
    """
    import pandas as pd

    rows = orders.table.filter(orders.table.order_date <= orders.as_of)
    days = _days(rows)
    purchase = days.n_bought > 0
    month = days.order_date.truncate("M")
    table = (
        days.group_by(month=month)
        .aggregate(
            sales=days.net.sum().cast("float64"),
            n_customers=days.customer_id.nunique(where=purchase),
            n_orders=days.n_orders.sum(),
        )
        .execute()
    )
    table["month"] = pd.to_datetime(table["month"]).astype("datetime64[s]")
    table = table.set_index("month").sort_index()
    full = pd.date_range(table.index.min(), pd.Timestamp(orders.as_of), freq="MS", unit="s")
    table = table.reindex(full, fill_value=0).rename_axis("month").reset_index()
    return table.astype({"sales": "float64", "n_customers": "int64", "n_orders": "int64"})
