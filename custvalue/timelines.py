"""The orders along time: purchase days, calendar months, cohorts of customers, and what they came back for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING

from custvalue.customers import day_rows
from custvalue.errors import UsageError
from custvalue.returns import counted

if TYPE_CHECKING:
    import pandas as pd

    from custvalue.transactions import Orders

__all__ = [
    "GAP_SAMPLE",
    "add_on_share",
    "category_purchases",
    "cohort_table",
    "orders_between",
    "orders_by_month",
    "purchase_days",
    "purchases_since",
]

#: The most customers whose purchase days are taken out of the engine when some are asked for, drawn with a fixed seed.
GAP_SAMPLE = 50_000
#: Histories of fewer days are shown in monthly, longer ones in quarterly cohorts.
_SHORT_HISTORY = 548
_COHORT_UNITS = {"quarter": "Q", "month": "M"}
#: What a cohort table can show, and the column it comes from.
_COHORT_MEASURES = {"buyers": "n_buyers", "sales": "sales", "margin": "margin"}


def purchase_days(orders: Orders, customer_ids: Iterable[str] | None = None) -> pd.DataFrame:
    """One row per customer and day with a purchase up to the as-of date: customer_id, order_date, n_orders.

    ``customer_ids``: the customers asked for, everybody when not given. Of more than :data:`GAP_SAMPLE` (50,000) ids
    that many are drawn at random, the same ones each time.

    >>> import pandas as pd
    >>> from custvalue.pipeline import read
    >>> days = ["2024-01-05", "2024-01-05", "2024-03-31"]
    >>> purchase_days(read(pd.DataFrame({"customer_id": "a", "order_date": days, "amount": [10, 20, -5]})))
      customer_id order_date  n_orders
    0           a 2024-01-05         1
    """
    import ibis
    import pandas as pd

    rows = counted(orders.table, orders.as_of)
    if customer_ids is not None:
        ids = pd.Series(list(customer_ids), dtype="str").drop_duplicates()
        ids = ids.sample(GAP_SAMPLE, random_state=0) if len(ids) > GAP_SAMPLE else ids
        wanted = ibis.memtable(pd.DataFrame({"customer_id": ids}), schema={"customer_id": "string"})
        rows = rows.semi_join(wanted, "customer_id")
    days = day_rows(rows)
    days = days.filter(days.bought.notnull()).select("customer_id", "order_date", "n_orders")
    table = days.order_by("customer_id", "order_date").execute()
    dates = pd.to_datetime(table["order_date"]).astype("datetime64[s]")
    return table.assign(order_date=dates).astype({"customer_id": "str", "n_orders": "int64"})


def category_purchases(orders: Orders, as_of: dt.date | None = None) -> pd.DataFrame:
    """One row per customer and category bought up to the end of ``as_of`` (default: that of the orders).

    Columns: customer_id, category, first_bought, last_bought (days), purchases (money, before returns). Rows without a
    category are left out; so are orders that had come back as a whole by then. No row where there are no categories.

    >>> import pandas as pd
    >>> from custvalue.pipeline import read
    >>> rows = pd.DataFrame({"customer_id": "a", "order_date": ["2024-01-05", "2024-02-29"], "amount": [10, 20],
    ...                      "category": ["tea", "tea"]})
    >>> category_purchases(read(rows))[["category", "purchases"]].values.tolist()
    [['tea', 30.0]]
    """
    import pandas as pd

    rows = counted(orders.table, as_of or orders.as_of)
    rows = rows.filter((rows.amount >= 0) & rows.category.notnull())
    sums = rows.group_by("customer_id", "category").aggregate(
        first_bought=rows.order_date.min(),
        last_bought=rows.order_date.max(),
        purchases=rows.amount.sum().cast("float64"),
    )
    table = sums.order_by("customer_id", "category").to_pyarrow().to_pandas(date_as_object=False)
    days = {day: pd.to_datetime(table[day]).astype("datetime64[s]") for day in ("first_bought", "last_bought")}
    return table.assign(**days).astype({"customer_id": "str", "category": "str", "purchases": "float64"})


def orders_between(orders: Orders, after: dt.date, until: dt.date | None = None) -> pd.DataFrame:
    """One row per customer with a purchase after the day ``after``, up to ``until`` (default: the as-of date).

    Columns: customer_id, orders_after (count), sales_after (money, net of returns).

    >>> import pandas as pd
    >>> from custvalue.pipeline import read
    >>> rows = pd.DataFrame({"customer_id": "a", "order_date": ["2024-01-05", "2024-02-29"], "amount": [10, 20]})
    >>> orders_between(read(rows), dt.date(2024, 1, 31)).values.tolist()
    [['a', 1, 20.0]]
    """
    days = day_rows(counted(orders.table, until or orders.as_of))
    days = days.filter(days.order_date > after)
    sums = days.group_by("customer_id").aggregate(
        orders_after=days.n_orders.sum(),
        sales_after=(days.bought.coalesce(0) - days.returned.coalesce(0)).sum().cast("float64"),
    )
    table = sums.filter(sums.orders_after > 0).order_by("customer_id").to_pyarrow().to_pandas()
    return table.astype({"customer_id": "str", "orders_after": "int64", "sales_after": "float64"})


def purchases_since(orders: Orders, first_day: dt.date) -> pd.DataFrame:
    """One row per customer and day with a purchase from ``first_day`` on: customer_id, order_date, sales.

    ``sales`` is what was bought on that day, before returns of other orders.

    >>> import pandas as pd
    >>> from custvalue.pipeline import read
    >>> days = ["2024-01-05", "2024-03-31"]
    >>> orders = read(pd.DataFrame({"customer_id": "a", "order_date": days, "amount": [10, 20]}))
    >>> purchases_since(orders, dt.date(2024, 2, 1))["sales"].tolist()
    [20.0]
    """
    import ibis
    import pandas as pd

    days = day_rows(counted(orders.table, orders.as_of))
    days = days.filter(days.bought.notnull(), days.order_date >= ibis.literal(first_day))
    table = days.select("customer_id", "order_date", sales=days.bought.cast("float64"))
    table = table.order_by("customer_id", "order_date").execute()
    dates = pd.to_datetime(table["order_date"]).astype("datetime64[s]")
    return table.assign(order_date=dates).astype({"customer_id": "str"})


def orders_by_month(orders: Orders) -> pd.DataFrame:
    """One row per calendar month up to ``as_of``: month (its first day), sales, n_customers, n_orders.

    Sales are net of returns, customers and orders those with a purchase; months without an order are not left out,
    nor are those between the last order and ``as_of``.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> orders_by_month(orders)
           month  sales  n_customers  n_orders
    0 2025-01-01   55.0            2         3
    """
    import pandas as pd

    days = day_rows(counted(orders.table, orders.as_of))
    purchase = days.bought.notnull()
    month = days.order_date.truncate("M")
    table = (
        days.group_by(month=month)
        .aggregate(
            sales=(days.bought.sum().coalesce(0) - days.returned.sum().coalesce(0)).cast("float64"),
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

    days = day_rows(counted(orders.table, orders.as_of))
    days = days.mutate(net=days.bought.coalesce(0) - days.returned.coalesce(0))
    firsts = days.group_by("customer_id").aggregate(first_order=days.order_date.min(where=days.bought.notnull()))
    joined = days.inner_join(firsts, "customer_id")
    joined = joined.filter(joined.order_date >= joined.first_order)
    grouped = joined.group_by(cohort=joined.first_order.truncate(unit), period=joined.order_date.truncate(unit))
    rows = grouped.aggregate(
        n_buyers=joined.customer_id.nunique(where=joined.bought.notnull()),
        sales=joined.net.sum().cast("float64"),
        margin=joined.margin.sum().cast("float64"),
    ).execute()
    for column in ("cohort", "period"):
        rows[column] = pd.to_datetime(rows[column]).dt.to_period(unit)
    return rows


def _first_purchase(orders: Orders) -> pd.Timestamp:
    import pandas as pd

    rows = counted(orders.table, orders.as_of)
    return pd.Timestamp(rows.order_date.min(where=rows.amount >= 0).execute())


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
    as_of = pd.Timestamp(orders.as_of)
    short = (as_of - _first_purchase(orders).to_period("M").start_time).days < _SHORT_HISTORY
    unit = _COHORT_UNITS.get(period, "M" if short else "Q")
    rows = _cohort_rows(orders, unit)
    sizes = rows[rows["cohort"] == rows["period"]].set_index("cohort")["n_buyers"].sort_index()
    cells = _cohort_cells(rows, _COHORT_MEASURES[measure], (as_of + pd.Timedelta(1, "D")).to_period(unit))
    table = cells.div(sizes, axis=0).rename(columns=str)
    table.insert(0, "n_customers", sizes.astype("int64"))
    return table.rename_axis(columns=None).reset_index().assign(cohort=lambda t: t["cohort"].astype(str))


def add_on_share(orders: Orders) -> float:
    """Share of the repeat purchases (money) made in categories the customer did not buy on his first day (C4).

    Purchases up to the as-of date, before returns, in a known category. NaN where there is no category or no repeat
    purchase.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts, goods = ["2025-01-05", "2025-01-30", "2025-01-31"], [20, 30, 10], ["tea", "cups", "tea"]
    >>> basket = pd.DataFrame({"customer_id": "a", "order_date": days, "amount": amounts, "category": goods})
    >>> add_on_share(cv.read(basket))  # cups, 30 of the 40 bought later
    0.75
    """
    table = counted(orders.table, orders.as_of)
    rows = table.filter((table.amount >= 0) & table.category.notnull())
    firsts = rows.group_by("customer_id").aggregate(first_order=rows.order_date.min())
    rows = rows.inner_join(firsts, "customer_id")
    on_first = rows.filter(rows.order_date == rows.first_order).select("customer_id", "category").distinct()
    known = rows.filter(rows.order_date > rows.first_order).semi_join(on_first, ["customer_id", "category"])
    later = rows.filter(rows.order_date > rows.first_order).amount.sum().cast("float64").execute()
    same = known.amount.sum().cast("float64").execute()
    return 1 - (float(same) if same == same and same is not None else 0.0) / float(later) if later else float("nan")
