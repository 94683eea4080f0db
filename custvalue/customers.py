"""The customer table: one row per customer as of a date, the only step that meets every order row.

It is one Ibis expression, so an engine that holds the orders computes it where they are.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from custvalue.columns import CUSTOMER_COLUMNS
from custvalue.errors import UsageError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from custvalue.transactions import Orders

__all__ = ["add_on_share", "cohort_table", "customer_expression", "customer_table", "orders_by_month", "purchase_days"]

_YEAR = 365
#: Histories of fewer days are shown in monthly, longer ones in quarterly cohorts.
_SHORT_HISTORY = 548
_COHORT_UNITS = {"quarter": "Q", "month": "M"}
#: What a cohort table can show, and the column it comes from.
_COHORT_MEASURES = {"buyers": "n_buyers", "sales": "sales", "margin": "margin"}


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
    """One row per customer: spread of the days between purchase days, and the sum of their logarithms."""
    import ibis

    bought = days.filter(days.n_bought > 0)
    before = bought.order_date.lag().over(ibis.window(group_by="customer_id", order_by="order_date"))
    gaps = bought.mutate(gap=bought.order_date.delta(before, unit="day").cast("float64"))
    return gaps.group_by("customer_id").aggregate(
        sd_gap_days=gaps.gap.std(how="sample"), sum_log_gaps=gaps.gap.ln().sum()
    )


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
        n_orders_prior_12m=days.n_orders.sum(where=year_before),
        squares_24m=(days.net.cast("float64") ** 2).sum(where=last_year | year_before),
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
        c: table[c].coalesce(0).cast("float64")
        for c in ("returns", "sales_12m", "sales_prior_12m", "purchases_12m", "squares_24m", "sum_log_gaps")
    }
    table = table.mutate(
        **(money | zero_filled),
        days_since_last=ibis.literal(as_of).delta(table.last_order, unit="day"),
        tenure_days=ibis.literal(as_of).delta(table.first_order, unit="day"),
        mean_order_value=table.bought.cast("float64") / table.n_orders,
        mean_gap_days=(table.n_repeats > 0).ifelse(between / table.n_repeats.nullif(0), None),
        n_orders_12m=table.n_orders_12m.coalesce(0),
        n_orders_prior_12m=table.n_orders_prior_12m.coalesce(0),
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
    sum_log_gaps
        Sum of the natural logarithms of the days between purchase days, 0 without a repeat: how regular they are.
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
    n_orders_prior_12m, squares_24m
        Orders of the 365 days before the last 365; sum over the days of both years of the squared net amount of a day.

    Attributes asked for follow, as they stood in the customer's latest row.
    """
    import pandas as pd

    expression = customer_expression(orders.table, as_of or orders.as_of, attributes)
    table = expression.execute()
    for column in ("first_order", "last_order"):
        table[column] = pd.to_datetime(table[column]).astype("datetime64[s]")
    counts = ["n_orders", "n_repeats", "days_since_last", "tenure_days", "n_returns", "n_orders_12m"]
    counts += ["n_orders_prior_12m"]
    floats = [
        "sales",
        "margin",
        "mean_order_value",
        "mean_gap_days",
        "sd_gap_days",
        "sum_log_gaps",
        "margin_12m",
        "repeat_sales",
    ]
    types = {**dict.fromkeys(counts, "int64"), **dict.fromkeys(floats, "float64"), "n_categories": "Int64"}
    return table.astype(types | {"customer_id": "str", "main_category": "str"})


def purchase_days(orders: Orders) -> pd.DataFrame:
    """One row per customer and day with a purchase, up to the end of ``as_of``: customer_id (text), order_date.

    >>> import pandas as pd
    >>> from custvalue.pipeline import read
    >>> days = ["2024-01-05", "2024-01-05", "2024-03-31"]
    >>> purchase_days(read(pd.DataFrame({"customer_id": "a", "order_date": days, "amount": [10, 20, -5]})))
      customer_id order_date
    0           a 2024-01-05
    """
    import pandas as pd

    bought = orders.table.filter((orders.table.amount >= 0) & (orders.table.order_date <= orders.as_of))
    table = bought.select("customer_id", "order_date").distinct().order_by("customer_id", "order_date").execute()
    dates = pd.to_datetime(table["order_date"]).astype("datetime64[s]")
    return table.assign(customer_id=table["customer_id"].astype("str"), order_date=dates)


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


def _cohort_rows(orders: Orders, unit: str) -> pd.DataFrame:
    """One row per cohort and period with a purchase or return: cohort, period, n_buyers, sales, margin."""
    import pandas as pd

    days = _days(orders.table.filter(orders.table.order_date <= orders.as_of))
    firsts = days.group_by("customer_id").aggregate(first_order=days.order_date.min(where=days.n_bought > 0))
    joined = days.inner_join(firsts, "customer_id")
    joined = joined.filter(joined.order_date >= joined.first_order)
    grouped = joined.group_by(cohort=joined.first_order.truncate(unit), period=joined.order_date.truncate(unit))
    rows = grouped.aggregate(
        n_buyers=joined.customer_id.nunique(where=joined.n_bought > 0),
        sales=joined.net.sum().cast("float64"),
        margin=joined.margin.sum().cast("float64"),
    ).execute()
    for column in ("cohort", "period"):
        rows[column] = pd.to_datetime(rows[column]).dt.to_period(unit)
    return rows


def _cohort_cells(rows: pd.DataFrame, column: str, unended: pd.Period) -> pd.DataFrame:
    """Cohorts by periods since: 0 where nothing happened, missing from the first period that has not ended on."""
    rows = rows.assign(since=[(late - first).n for late, first in zip(rows["period"], rows["cohort"], strict=True)])
    periods = range((unended - rows["cohort"].min()).n)
    values, happened = (
        rows.pivot(index="cohort", columns="since", values=name).reindex(columns=periods)
        for name in (column, "n_buyers")
    )
    ended = [[cohort + k < unended for k in periods] for cohort in values.index]
    return values.where(happened.notna(), 0.0).where(ended).astype("float64")


def cohort_table(orders: Orders, measure: str = "buyers", period: str = "") -> pd.DataFrame:
    """One row per cohort (customers with their first order in the same quarter or month) and what it did since.

    Columns: cohort (text, 2024Q1 or 2024-01); n_customers; then "0", "1", ...: quarters or months since the one of
    the first order. A cell is, for ``measure`` ``"buyers"``, the share of the cohort that bought in that period; for
    ``"sales"`` and ``"margin"`` money per customer of the cohort, net of returns. A period nobody bought in is 0; one
    that had not ended by the as-of date is missing, never 0. ``period`` is ``"quarter"`` or ``"month"``; by default
    quarters, months where the history is shorter than a year and a half.

    Raises ``UsageError`` for another measure or period.

    >>> import pandas as pd
    >>> from custvalue.pipeline import read
    >>> days = ["2024-01-05", "2024-02-10", "2024-02-20", "2024-03-31"]
    >>> rows = pd.DataFrame({"customer_id": ["a", "a", "b", "b"], "order_date": days, "amount": [10, 20, 30, 40]})
    >>> cohort_table(read(rows))
        cohort  n_customers    0    1    2
    0  2024-01            1  1.0  1.0  0.0
    1  2024-02            1  1.0  1.0  NaN
    """
    import pandas as pd

    for key, got, allowed in (("measure", measure, _COHORT_MEASURES), ("period", period, ("", *_COHORT_UNITS))):
        if got not in allowed:
            raise UsageError("bad_choice", key=key, got=got, allowed=", ".join(filter(None, allowed)))
    as_of, rows = pd.Timestamp(orders.as_of), _cohort_rows(orders, "M")
    short = (as_of - rows["cohort"].min().start_time).days < _SHORT_HISTORY
    unit = _COHORT_UNITS.get(period, "M" if short else "Q")
    rows = rows if unit == "M" else _cohort_rows(orders, unit)
    sizes = rows[rows["cohort"] == rows["period"]].set_index("cohort")["n_buyers"].sort_index()
    cells = _cohort_cells(rows, _COHORT_MEASURES[measure], (as_of + pd.Timedelta(1, "D")).to_period(unit))
    table = cells.div(sizes, axis=0).rename(columns=str)
    table.insert(0, "n_customers", sizes.astype("int64"))
    return table.rename_axis(columns=None).reset_index().assign(cohort=lambda t: t["cohort"].astype(str))


def add_on_share(orders: Orders) -> float:
    """Share of the repeat purchases (money) made in categories the customer did not buy on his first day (C4).

    Purchases up to the as-of date, before returns, in a known category. NaN where there is no category or no repeat
    purchase.
    """
    table = orders.table
    rows = table.filter((table.order_date <= orders.as_of) & (table.amount >= 0) & table.category.notnull())
    firsts = rows.group_by("customer_id").aggregate(first_order=rows.order_date.min())
    rows = rows.inner_join(firsts, "customer_id")
    on_first = rows.filter(rows.order_date == rows.first_order).select("customer_id", "category").distinct()
    known = rows.filter(rows.order_date > rows.first_order).semi_join(on_first, ["customer_id", "category"])
    later = rows.filter(rows.order_date > rows.first_order).amount.sum().cast("float64").execute()
    same = known.amount.sum().cast("float64").execute()
    return 1 - (float(same) if same == same and same is not None else 0.0) / float(later) if later else float("nan")
