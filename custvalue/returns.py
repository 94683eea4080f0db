"""Returns and cancellations: which purchase came back, and which orders came back as a whole.

A return is matched with a purchase of the same customer on or before its day, in this order:

1. the order of the same number;
2. the latest purchase of the same goods for the same money that has not come back yet: two equal purchases and one
   return leave one purchase, and the second return matches the first purchase;
3. the latest purchase of the same product for more money (a part came back).

A return that fits none counts against its own day. Only earlier rows decide, so the table of an earlier day does not
know of later returns.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["counted", "with_returns", "without_returns"]

_FOUND = ("row_number", "counts_on", "counts_order", "purchase_row")


def without_returns(orders: ir.Table) -> ir.Table:
    """Order rows where every row counts on its own day: counts_on, counts_order and cancelled_on are empty."""
    import ibis

    return orders.mutate(counts_on=ibis.null("date"), counts_order=ibis.null("string"), cancelled_on=ibis.null("date"))


def _by_number(returns: ir.Table, bought: ir.Table) -> ir.Table:
    """Returns with the order of the same number."""
    import ibis

    orders = bought.filter(bought.order_id.notnull()).select("customer_id", "order_id", day="order_date").distinct()
    pairs = returns.inner_join(orders, ["customer_id", "order_id"])
    pairs = pairs.filter(pairs.day <= pairs.order_date)
    latest = pairs.group_by("row_number", "order_id").aggregate(counts_on=pairs.day.max())
    none = ibis.null(latest.row_number.type())
    return latest.select("row_number", "counts_on", counts_order=latest.order_id, purchase_row=none)


def _equal_goods(returns: ir.Table, bought: ir.Table) -> ir.Table:
    """Returns with the latest equal purchase that has not come back yet.

    Purchases are opening and returns closing brackets of a row in time: with their running balance as the level, the
    mate of a return is the row before it on its level.
    """
    import ibis

    key = ["customer_id", "goods", "size"]
    both = returns.mutate(step=-1).union(bought.semi_join(returns, key).mutate(step=1))
    in_time = [both.order_date, ibis.desc(both.step), both.row_number]
    balance = both.step.sum().over(ibis.window(group_by=key, order_by=in_time, preceding=None, following=0))
    levels = both.mutate(level=(both.step < 0).ifelse(balance + 1, balance))
    in_time = [levels.order_date, ibis.desc(levels.step), levels.row_number]
    window = ibis.window(group_by=[*key, "level"], order_by=in_time)
    mates = levels.mutate(
        before=levels.step.lag().over(window),
        counts_on=levels.order_date.lag().over(window),
        counts_order=levels.order_id.lag().over(window),
        purchase_row=levels.row_number.lag().over(window),
    )
    return mates.filter((mates.step < 0) & (mates.before > 0)).select(_FOUND)


def _parts(returns: ir.Table, bought: ir.Table, gone: ir.Table) -> ir.Table:
    """Returns with the latest dearer purchase of the same product; ``gone`` are returns with a whole purchase."""
    import ibis

    back = gone.inner_join(returns.select("row_number", back_on="order_date"), "row_number")
    back = back.filter(back.purchase_row.notnull()).select("purchase_row", "back_on")
    open_ = bought.filter(bought.product.notnull()).left_join(back, bought.row_number == back.purchase_row)
    open_ = open_.select(
        "customer_id", "product", "back_on", day="order_date", order="order_id", worth="size", purchase_row="row_number"
    )
    left = returns.anti_join(gone, "row_number")
    pairs = left.inner_join(open_, ["customer_id", "product"])
    pairs = pairs.filter(
        (pairs.day <= pairs.order_date)
        & (pairs.worth > pairs.size)
        & (pairs.back_on.isnull() | (pairs.back_on > pairs.order_date))
    )
    latest = ibis.window(group_by="row_number", order_by=[ibis.desc(pairs.day), ibis.desc(pairs.purchase_row)])
    pairs = pairs.mutate(place=ibis.row_number().over(latest))
    pairs = pairs.filter(pairs.place == 0)
    return pairs.select("row_number", "purchase_row", counts_on="day", counts_order="order").select(_FOUND)


def _matches(orders: ir.Table) -> ir.Table:
    """One row per return whose purchase is known: row_number, counts_on, counts_order."""
    goods = orders.product.coalesce(orders.category, "")
    rows = orders.select(
        "row_number", "customer_id", "order_id", "order_date", "product", goods=goods, size=orders.amount.abs(),
        back=orders.amount < 0,
    )  # fmt: skip
    returns, bought = rows.filter(rows.back).drop("back").cache(), rows.filter(~rows.back).drop("back")
    bought = bought.semi_join(returns, "customer_id").cache()
    found = _by_number(returns, bought)
    found = found.union(_equal_goods(returns.anti_join(found, "row_number"), bought)).cache()
    return found.union(_parts(returns, bought, found)).drop("purchase_row").cache()


def _cancelled(orders: ir.Table) -> ir.Table:
    """One row per order that came back as a whole: customer_id, day, number, and cancelled_on, its last return."""
    day, number = orders.counts_on.coalesce(orders.order_date), orders.counts_order.coalesce(orders.order_id, "")
    known = orders.filter((orders.amount >= 0) | orders.counts_on.notnull())
    back = known.amount < 0
    sums = known.group_by("customer_id", day=day, number=number).aggregate(
        net=known.amount.sum(),
        bought=known.amount.sum(where=~back),
        cancelled_on=known.order_date.max(where=back),
    )
    whole = (sums.net == 0) & (sums.bought > 0) & sums.cancelled_on.notnull()
    return sums.filter(whole).select("customer_id", "day", "number", "cancelled_on")


def with_returns(orders: ir.Table) -> ir.Table:
    """Order rows with what their returns mean; no row and no money changes.

    counts_on, counts_order
        Of a return whose purchase is known: day and number of that order. Empty for all other rows.
    cancelled_on
        Of the rows of an order that came back as a whole, and of the returns that did it: the day of the last return.
    """
    matches = _matches(orders)
    rows = orders.left_join(matches, "row_number").drop("row_number_right")
    whole = _cancelled(rows).cache()
    day, number = rows.counts_on.coalesce(rows.order_date), rows.counts_order.coalesce(rows.order_id, "")
    rows = rows.mutate(own_day=day, own_number=number)
    rows = rows.left_join(
        whole,
        [rows.customer_id == whole.customer_id, rows.own_day == whole.day, rows.own_number == whole.number],
    )
    loose = (rows.amount < 0) & rows.counts_on.isnull()
    rows = rows.mutate(cancelled_on=loose.ifelse(None, rows.cancelled_on))
    return rows.select(*orders.columns, "counts_on", "counts_order", "cancelled_on")


def counted(orders: ir.Table, as_of: dt.date) -> ir.Table:
    """The order rows that count at the end of a day.

    Rows after it are left out; so are orders that had come back as a whole by then, with their returns. A return whose
    purchase is known stands on the day and under the number of that order.
    """
    rows = orders.filter(orders.order_date <= as_of)
    if "counts_on" not in rows.columns:
        return rows
    rows = rows.filter(rows.cancelled_on.isnull() | (rows.cancelled_on > as_of))
    return rows.mutate(
        order_date=rows.counts_on.coalesce(rows.order_date), order_id=rows.counts_order.coalesce(rows.order_id)
    )
