"""What a customer bought on the first day: known of everybody, and before anything that came later."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from custvalue.returns import counted

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from custvalue.transactions import Orders

__all__ = ["first_baskets"]


def _first_lines(table: ir.Table) -> ir.Table:
    """The purchase lines of each customer's first day with a purchase."""
    bought = table.filter(table.amount >= 0)
    firsts = bought.group_by("customer_id").aggregate(first_order=bought.order_date.min())
    joined = bought.inner_join(firsts, "customer_id")
    return joined.filter(joined.order_date == joined.first_order)


def _largest(lines: ir.Table, column: str) -> ir.Table:
    """One row per customer: the value of a column with most money on the lines; ties: first by name."""
    known = lines.filter(lines[column].notnull())
    spend = known.group_by("customer_id", column).aggregate(spend=known.amount.sum())
    most = spend.group_by("customer_id").aggregate(spend=spend.spend.max())
    best = spend.join(most, ["customer_id", "spend"])
    return best.group_by("customer_id").aggregate(**{f"first_{column}": best[column].min()})


def first_baskets(orders: Orders, as_of: dt.date | None = None) -> pd.DataFrame:
    """The first purchase day of each customer, from the lines known by the end of ``as_of`` (default: the orders').

    One row per customer: ``customer_id``, ``first_amount`` (money of that day before returns), ``first_category`` and
    ``first_channel`` (where most of that money went; missing where the data do not tell it).

    >>> import pandas as pd
    >>> from custvalue.pipeline import read
    >>> rows = pd.DataFrame({"customer_id": ["a", "a", "a"], "order_date": ["2024-01-05", "2024-01-05", "2024-03-31"],
    ...                      "amount": [10, 20, 90], "category": ["tea", "silk", "tea"]})
    >>> first_baskets(read(rows))[["customer_id", "first_amount", "first_category"]].values.tolist()
    [['a', 30.0, 'silk']]
    """
    lines = _first_lines(counted(orders.table, as_of or orders.as_of))
    table = lines.group_by("customer_id").aggregate(first_amount=lines.amount.sum().cast("float64"))
    for column in ("category", "channel"):
        table = table.left_join(_largest(lines, column), "customer_id").drop("customer_id_right")
    result = table.order_by("customer_id").to_pyarrow().to_pandas()
    return result.astype({"customer_id": "str", "first_category": "str", "first_channel": "str"})
