"""How customers buy, from the order lines: price level, new products, variety, sticking to a product or a channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from custvalue.returns import counted

if TYPE_CHECKING:
    import datetime as dt

    import ibis.expr.types as ir
    import pandas as pd

    from custvalue.transactions import Orders

__all__ = ["HABITS", "buying_habits"]

#: What :func:`buying_habits` tells of each customer.
HABITS = ("price_level", "share_new", "same_category", "same_product", "same_channel")


def _priced(lines: ir.Table) -> ir.Table:
    """The lines with the logarithm of the price of one piece over the geometric mean price in their category."""
    pieces = lines.quantity.coalesce(1.0)
    price = (lines.amount.cast("float64") / (pieces > 0).ifelse(pieces, 1.0)).ln()
    lines = lines.mutate(price=price, kind=lines.category.coalesce(""))
    usual = lines.group_by("kind").aggregate(usual=lines.price.mean())
    return lines.inner_join(usual, "kind").mutate(level=lambda t: t.price - t.usual)


def _launched(lines: ir.Table, new_days: int) -> ir.Table:
    """The lines with ``is_new``: bought within ``new_days`` of the product's first sale; empty where unknown."""
    import ibis

    start = lines.order_date.min().as_scalar()
    firsts = lines.filter(lines.product.notnull()).group_by("product").aggregate(launched=lines.order_date.min())
    joined = lines.left_join(firsts, "product", rname="{name}_right")
    known = start + ibis.interval(days=new_days)
    is_new = (joined.launched > known) & (joined.order_date <= joined.launched + ibis.interval(days=new_days))
    told = (joined.order_date > known) & joined.launched.notnull()
    return joined.mutate(is_new=told.ifelse(is_new.cast("float64"), None))


def _again(lines: ir.Table, column: str) -> ir.Table:
    """Per customer: how likely two purchases of different days, drawn at random, are of the same ``column``.

    A purchase is a day with that code; of n_c days with the code c and n_d codes on the day d, sum n_c(n_c - 1) of
    N^2 - sum n_d^2 pairs are of one code. Empty for customers of one day.
    """
    known = lines.filter(lines[column].notnull()).select("customer_id", "order_date", column).distinct()
    codes = known.group_by(["customer_id", column]).aggregate(n=known.count())
    same = codes.group_by("customer_id").aggregate(n=codes.n.sum(), same=(codes.n * (codes.n - 1)).sum())
    days = known.group_by(["customer_id", "order_date"]).aggregate(n=known.count())
    within = days.group_by("customer_id").aggregate(within=(days.n * days.n).sum())
    pairs = same.inner_join(within, "customer_id").mutate(pairs=lambda t: t.n * t.n - t.within)
    chance = (pairs.pairs > 0).ifelse(pairs.same / pairs.pairs.cast("float64"), None)
    return pairs.select("customer_id", **{f"same_{column}": chance})


def buying_habits(orders: Orders, new_days: int = 90, as_of: dt.date | None = None) -> pd.DataFrame:
    """One row per customer with a purchase: how he buys (C15), from all purchases up to ``as_of``.

    ``price_level``: geometric mean over his lines of the price of a piece (the amount, where there are no quantities)
    over the geometric mean price in the same category: 1 is usual, 0.8 is 20% below. ``share_new``: share of his lines
    that are products first sold at most ``new_days`` before; products of the first ``new_days`` of the data are not
    counted as new, and lines of those days not at all. ``same_category``, ``same_product``, ``same_channel``: the
    chance that two of his purchases of different days are of the same one, which does not grow or fall with their
    number (Simpson 1949). Missing where a customer bought on one day only, or the data hold no such column.

    >>> import pandas as pd
    >>> from custvalue.pipeline import read
    >>> days = ["2024-01-05", "2024-01-31", "2024-01-31"]
    >>> rows = pd.DataFrame({"customer_id": ["a", "a", "b"], "order_date": days, "amount": [10, 10, 40]})
    >>> buying_habits(read(rows.assign(category="tea")))[["price_level", "same_category"]].round(2).values.tolist()
    [[0.63, 1.0], [2.52, nan]]
    """
    table = counted(orders.table, as_of or orders.as_of)
    lines = table.filter(table.amount > 0)
    lines = lines.select("customer_id", "order_date", "amount", "quantity", "category", "product", "channel")
    rows = _launched(_priced(lines), new_days)
    found = rows.group_by("customer_id").aggregate(price_level=rows.level.mean().exp(), share_new=rows.is_new.mean())
    for column in ("category", "product", "channel"):
        found = found.left_join(_again(lines, column), "customer_id").drop("customer_id_right")
    result = found.order_by("customer_id").execute()
    return result.astype({"customer_id": "str", **dict.fromkeys(HABITS, "float64")})
