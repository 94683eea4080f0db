"""The customer table: one row per customer as of a date, the only step that meets every order row.

It is one Ibis expression, so an engine that holds the orders computes it where they are.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from custvalue.columns import CUSTOMER_COLUMNS
from custvalue.prepared import shared_by
from custvalue.returns import counted

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from custvalue.transactions import Orders

__all__ = ["customer_expression", "customer_table", "day_rows", "grouped_counts"]

_YEAR = 365
#: Money is summed in ten-thousandths, as whole numbers in doubles: as exact as decimals up to 2^53 of them (900 billion
#: a customer), the same in any order, and faster to sum.
_PARTS = 10_000
_SUM = "decimal(38, 4)"


def _in_parts(money: ir.Value) -> ir.Value:
    return (money.cast("float64") * _PARTS).round().cast("float64")


def _lines(orders: ir.Table) -> ir.Table:
    """The order rows with what was bought and what came back side by side, in ten-thousandths; where orders have no
    number, none."""
    import ibis

    nothing, parts = ibis.null("float64"), _in_parts(orders.amount)
    numbered = orders.order_id.type().is_string()
    return orders.select(
        "customer_id",
        "order_date",
        "category",
        margin=_in_parts(orders.margin),
        order_id=orders.order_id if numbered else ibis.literal(""),
        bought=(orders.amount >= 0).ifelse(parts, nothing),
        returned=(orders.amount < 0).ifelse(-parts, nothing),
    )


def _days(lines: ir.Table) -> ir.Table:
    """One row per customer and day; ``bought`` is empty on days with returns only.

    Orders are summed first: two group-bys cost a third of a distinct count.
    """
    orders = lines.group_by("customer_id", "order_date", "order_id").aggregate(
        bought=lines.bought.sum(),
        returned=lines.returned.sum(),
        margin=lines.margin.sum(),
        n_returns=lines.returned.count(),
    )
    return orders.group_by("customer_id", "order_date").aggregate(
        bought=orders.bought.sum(),
        returned=orders.returned.sum(),
        margin=orders.margin.sum(),
        n_returns=orders.n_returns.sum(),
        n_orders=orders.bought.count(),
    )


def _gaps(days: ir.Table) -> ir.Table:
    """The days with ``gap``, the days since the purchase day before; empty on the first one and on days of returns.

    Days with returns only stand in a partition of their own, so that the row before a purchase day is a purchase day.
    """
    import ibis

    in_time = ibis.window(group_by=["customer_id", days.bought.isnull()], order_by="order_date")
    gaps = days.mutate(before=days.order_date.lag().over(in_time))
    gap = gaps.order_date.delta(gaps.before, unit="day").cast("float64")
    return gaps.mutate(gap=gaps.bought.notnull().ifelse(gap, ibis.null("float64")))


def _totals(gaps: ir.Table, as_of: dt.date) -> ir.Table:
    """One row per customer with at least one purchase: dates, counts, sums and the spread of the gaps."""
    last_year = gaps.order_date > as_of - dt.timedelta(days=_YEAR)
    year_before = (gaps.order_date > as_of - dt.timedelta(days=2 * _YEAR)) & ~last_year
    purchase = gaps.bought.notnull()
    net = (gaps.bought.coalesce(0.0) - gaps.returned.coalesce(0.0)) / _PARTS
    totals = gaps.group_by("customer_id").aggregate(
        first_order=gaps.order_date.min(where=purchase),
        last_order=gaps.order_date.max(where=purchase),
        n_orders=gaps.n_orders.sum(),
        n_repeats=gaps.bought.count() - 1,
        sd_gap_days=gaps.gap.std(how="sample"),
        sum_log_gaps=gaps.gap.ln().sum(),
        bought=gaps.bought.sum(),
        first_bought=gaps.bought.sum(where=gaps.gap.isnull()),
        returned=gaps.returned.sum(),
        n_returns=gaps.n_returns.sum(),
        margin=gaps.margin.sum(),
        bought_12m=gaps.bought.sum(where=last_year),
        returned_12m=gaps.returned.sum(where=last_year),
        bought_prior_12m=gaps.bought.sum(where=year_before),
        returned_prior_12m=gaps.returned.sum(where=year_before),
        margin_12m=gaps.margin.sum(where=last_year),
        n_orders_12m=gaps.n_orders.sum(where=last_year),
        n_orders_prior_12m=gaps.n_orders.sum(where=year_before),
        squares_24m=(net * net).sum(where=last_year | year_before),
    )
    return totals.filter(totals.first_order.notnull())


def _categories(lines: ir.Table) -> ir.Table:
    """One row per customer: the category with the largest sales (ties: first by name) and how many there are."""
    bought = lines.filter(lines.bought.notnull() & lines.category.notnull())
    spend = bought.group_by("customer_id", "category").aggregate(spend=bought.bought.sum())
    most = spend.group_by("customer_id").aggregate(n_categories=spend.count(), spend=spend.spend.max())
    best = spend.join(most, ["customer_id", "spend"])
    return best.group_by("customer_id").aggregate(
        n_categories=best.n_categories.max(), main_category=best.category.min()
    )


def _attributes(orders: ir.Table, names: tuple[str, ...]) -> ir.Table:
    """One row per customer: each attribute as it stood in the latest row, under a name no other column has."""
    import ibis

    rows = orders.select("customer_id", "order_date", "row_number", **_renamed(orders, names))
    latest = ibis.window(group_by="customer_id", order_by=[ibis.desc("order_date"), ibis.desc("row_number")])
    ranked = rows.mutate(place=ibis.row_number().over(latest))
    return ranked.filter(ranked.place == 0).drop("order_date", "row_number", "place")


def _renamed(table: ir.Table, names: tuple[str, ...]) -> dict[str, ir.Value]:
    return {f"attribute_{i}": table[name] for i, name in enumerate(names)}


def _joined(left: ir.Table, right: ir.Table) -> ir.Table:
    return left.left_join(right, "customer_id").drop("customer_id_right")


def _shown(table: ir.Table, as_of: dt.date) -> ir.Table:
    """The totals as the columns of the customer table."""
    import ibis

    between = table.last_order.delta(table.first_order, unit="day")
    returned = {c: table[c].coalesce(0.0) for c in ("returned", "returned_12m", "returned_prior_12m")}
    last_year, year_before = table.bought_12m.coalesce(0.0), table.bought_prior_12m.coalesce(0.0)
    money = {
        "sales": table.bought - returned["returned"],
        "margin": table.margin,
        "returns": returned["returned"],
        "sales_12m": last_year - returned["returned_12m"],
        "sales_prior_12m": year_before - returned["returned_prior_12m"],
        "margin_12m": table.margin_12m,
        "purchases_12m": last_year,
        "repeat_sales": table.bought - table.first_bought,
    }
    return table.mutate(
        **{name: value / _PARTS for name, value in money.items()},
        days_since_last=ibis.literal(as_of).delta(table.last_order, unit="day"),
        tenure_days=ibis.literal(as_of).delta(table.first_order, unit="day"),
        mean_order_value=table.bought / _PARTS / table.n_orders,
        mean_gap_days=between / table.n_repeats.nullif(0),
        sum_log_gaps=table.sum_log_gaps.coalesce(0.0),
        n_orders_12m=table.n_orders_12m.coalesce(0),
        n_orders_prior_12m=table.n_orders_prior_12m.coalesce(0),
        squares_24m=table.squares_24m.coalesce(0.0),
    )


def day_rows(orders: ir.Table) -> ir.Table:
    """One row per customer and day (Ibis): customer_id, order_date, bought, returned, margin, n_returns, n_orders.

    ``bought`` is empty on days with returns only, ``returned`` is positive and empty on days without a return.
    """
    days = _days(_lines(orders))
    return days.mutate(**{name: (days[name] / _PARTS).cast(_SUM) for name in ("bought", "returned", "margin")})


def customer_expression(orders: ir.Table, as_of: dt.date, attributes: tuple[str, ...] = ()) -> ir.Table:
    """The customer table as an Ibis expression over accepted order rows, see :func:`customer_table`."""
    orders = counted(orders, as_of)
    lines = _lines(orders)
    table = _joined(_totals(_gaps(_days(lines)), as_of), _categories(lines))
    if attributes:
        table = _joined(table, _attributes(orders, attributes))
    shown = _shown(table, as_of)
    named = {name: shown[f"attribute_{i}"] for i, name in enumerate(attributes)}
    return shown.select(*CUSTOMER_COLUMNS, **named).order_by("customer_id")


def grouped_counts(orders: ir.Table, as_of: dt.date) -> ir.Table:
    """What the models are fitted on, as an Ibis expression over accepted order rows: one row per distinct history.

    Columns: ``x`` (repeat purchase days), ``t_x_days`` (days from the first to the last purchase day), ``T_days`` (days
    from the first purchase day to ``as_of``), ``n_customers`` who share them, and ``sum_log_gaps``, the sum over these
    customers of the logarithms of the days between their purchase days. Divided by 7 the days are the weeks of
    :func:`custvalue.lifetime.grouped_rows`. The number of rows is bounded by the days of the history, not by the
    customers, so an engine can send them where the whole customer table would be too much.

    >>> import ibis
    >>> orders = {"customer_id": ["1", "1", "2"], "order_id": ["a", "b", "c"], "category": ["x", "x", "y"],
    ...           "order_date": [dt.date(2024, 1, 1), dt.date(2024, 1, 8), dt.date(2024, 1, 1)],
    ...           "amount": [1.0, 2.0, 3.0], "margin": [0.1, 0.2, 0.3]}
    >>> counts = grouped_counts(ibis.memtable(orders), dt.date(2024, 1, 31)).order_by("x").execute()
    >>> list(counts[["x", "t_x_days", "T_days", "n_customers"]].itertuples(index=False, name=None))
    [(0, 0, 30, 1), (1, 7, 30, 1)]
    """
    import ibis

    totals = _totals(_gaps(_days(_lines(counted(orders, as_of)))), as_of)
    histories = totals.select(
        x=totals.n_repeats,
        t_x_days=totals.last_order.delta(totals.first_order, unit="day"),
        T_days=ibis.literal(as_of).delta(totals.first_order, unit="day"),
        sum_log_gaps=totals.sum_log_gaps.coalesce(0.0),
    )
    return histories.group_by("x", "t_x_days", "T_days").aggregate(
        n_customers=histories.count(), sum_log_gaps=histories.sum_log_gaps.sum()
    )


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
        Sum of the natural logarithms of the days between consecutive purchase days; 0 where there are none.
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

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> customer_table(orders)[["customer_id", "n_orders", "sales", "days_since_last"]]
      customer_id  n_orders  sales  days_since_last
    0           a         2   50.0                0
    1           b         1    5.0               11
    """
    day, names = as_of or orders.as_of, tuple(attributes)
    return shared_by(orders, "customers", (day, names), lambda: _made_table(orders, day, names))


def _made_table(orders: Orders, as_of: dt.date, attributes: tuple[str, ...]) -> pd.DataFrame:
    """The customer table as a frame with its column types."""
    import pandas as pd

    expression = customer_expression(orders.table, as_of, attributes)
    table = expression.to_pyarrow().to_pandas(date_as_object=False)
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
