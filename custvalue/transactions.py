"""Cleaning: every row is accepted or set aside with a reason, and rows and money add up.

Money is exact decimals inside the engine, so sums do not depend on the order of the rows.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from custvalue.account import REASONS, facts_of, quality_table, quarantine_table, with_total
from custvalue.aliases import layout_of, per_order_columns, unfinished_words
from custvalue.days import DateReading, as_date, date_reading
from custvalue.errors import DataError, UsageError
from custvalue.refusals import check_attributes, refuse_no_purchases
from custvalue.returns import with_returns, without_returns
from custvalue.values import MONEY, as_id, as_money, as_number, as_text, decimal_mark, is_broken_id

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from custvalue.sources import ReadRules, Source

__all__ = ["REASONS", "CleanRules", "Orders", "clean", "last_complete_month", "mapping_table", "with_total"]

_EARLIEST = dt.date(1971, 1, 1)
_LATEST = dt.date(2099, 12, 31)
_LONGEST_SILENCE = 366
_NEEDED = ("customer_id", "order_date")
_OPTIONAL = ("category", "product", "channel", "region", "status")
_NUMBERS = ("amount", "quantity", "unit_price", "margin", "cost")


@dataclass(frozen=True)
class CleanRules:
    """What happens to doubtful rows (section ``[clean]`` of the config).

    duplicates
        ``keep`` (default: two equal lines are often two real purchases, and dropping them loses money unseen) or
        ``drop`` (all but the first are set aside).
    zero_price
        Rows whose unit price is 0, mostly write-offs and samples: ``set_aside`` (default) or ``keep``. An amount of 0
        without a unit price is an order paid by voucher, say, and is always kept.
    cancelled_orders
        ``net`` (default): a return counts against the order it came from, where that is found, and an order that came
        back as a whole is no purchase (see :mod:`custvalue.returns`); ``keep``: every row counts on its own day.
    not_completed
        Words of the column ``status`` whose rows are set aside. Empty: the known words for cancelled, refunded and
        unpaid orders.
    """

    duplicates: str = "keep"
    zero_price: str = "set_aside"
    cancelled_orders: str = "net"
    not_completed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for key, allowed in (
            ("duplicates", ("keep", "drop")),
            ("zero_price", ("set_aside", "keep")),
            ("cancelled_orders", ("net", "keep")),
        ):
            if getattr(self, key) not in allowed:
                raise UsageError("bad_choice", key=f"clean.{key}", got=getattr(self, key), allowed=", ".join(allowed))


@dataclass(frozen=True)
class Orders:
    """Cleaned order rows and the account of how they came about.

    table
        Accepted rows (Ibis): row_number, customer_id, order_id, order_date (a day), amount, margin, category, product,
        channel, region, status, quantity, the attributes asked for, and counts_on, counts_order, cancelled_on (see
        :func:`custvalue.returns.with_returns`). A return is a row with a negative amount. Columns the source lacks are
        empty.
    quarantine
        Rows set aside (Ibis): row_number, reason, then the columns as they came in. Where lines had more or fewer
        fields than the header, their text is in a further column ``line``.
    quality
        One row per status and reason: status, reason, rows, money. Rows and money of the source = accepted + set aside.
    mapping
        One row per canonical column found: column, source_column.
    as_of
        The last day that counts.
    margin_from
        ``margin``, ``cost``, ``margin_rate`` or empty when margin is not known.
    facts
        Counts and sums for machines, see ``custvalue check --json``.
    notes
        Codes of what a reader must know, some with a number: ``extreme_amounts:7``; see :func:`custvalue.tables.notes`.
    """

    table: ir.Table
    quarantine: ir.Table
    quality: pd.DataFrame
    mapping: pd.DataFrame
    as_of: dt.date
    margin_from: str
    facts: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def _month_end(day: dt.date) -> dt.date:
    return dt.date(day.year, day.month, calendar.monthrange(day.year, day.month)[1])


def mapping_table(source: Source) -> pd.DataFrame:
    """Which column of the source plays which part: column, source_column."""
    import pandas as pd

    return pd.DataFrame(list(source.mapping.items()), columns=["column", "source_column"])


def _require(source: Source) -> None:
    found = set(source.mapping)
    missing = [name for name in _NEEDED if name not in found]
    if "amount" not in found and not {"quantity", "unit_price"} <= found:
        missing.append("amount")
    if missing:
        columns = [c for c in source.table.columns if c != "row_number"]
        got = ", ".join(source.mapping.get(c, c) for c in columns)
        raise DataError("missing_columns", file=source.name, missing=", ".join(missing), got=got)


def _margin(raw: ir.Table, amount: ir.Value, margin_rate: float | None, decimal: str) -> tuple[ir.Value, str]:
    import ibis

    if "margin" in raw.columns:
        return as_money(raw.margin, decimal), "margin"
    if "cost" in raw.columns:
        return (amount - as_money(raw.cost, decimal)).cast(MONEY), "cost"
    if margin_rate is not None:
        return (amount * ibis.literal(margin_rate)).cast(MONEY), "margin_rate"
    return ibis.null(MONEY), ""


def _amount(raw: ir.Table, decimal: str) -> ir.Value:
    if "amount" in raw.columns:
        return as_money(raw.amount, decimal)
    return as_money(as_number(raw.quantity, decimal) * as_number(raw.unit_price, decimal))


def _columns_of(source: Source) -> list[str]:
    """The names of all columns as they stand in the source."""
    return [source.mapping.get(name, name) for name in source.table.columns]


def _filled(source: Source) -> ir.Table:
    """The raw table; where a system fills columns on the first line of an order only, the other lines get them too."""
    import ibis

    raw = source.table
    names = [name for name in per_order_columns(_columns_of(source)) if name in raw.columns]
    if not names or "order_id" not in raw.columns:
        return raw
    order = ibis.window(group_by="order_id")
    texts = {name: raw[name].nullif("") if raw[name].type().is_string() else raw[name] for name in names}
    return raw.mutate(**{name: text.coalesce(text.max().over(order)) for name, text in texts.items()})


def _parsed(
    source: Source, rules: ReadRules, margin_rate: float | None, attributes: tuple[str, ...], zone: str
) -> tuple[Any, str]:
    import ibis

    raw = _filled(source)
    decimal = decimal_mark(raw, list(_NUMBERS), rules.decimal)
    amount = _amount(raw, decimal)
    margin, margin_from = _margin(raw, amount, margin_rate, decimal)
    none = ibis.null("float64")
    reading = date_reading(raw.order_date, rules.date_order, zone, _day_one(rules))
    columns = {
        "customer_id": as_id(raw.customer_id),
        "order_id": _order_id(raw),
        "order_date": raw.order_date,
        "amount": amount,
        "margin": margin,
        "quantity": as_number(raw.quantity, decimal) if "quantity" in raw.columns else none,
        "unit_price": as_number(raw.unit_price, decimal) if "unit_price" in raw.columns else none,
        "broken": is_broken_id(raw.customer_id),
    }
    columns |= {c: as_text(raw[c]) if c in raw.columns else ibis.null("string") for c in (*_OPTIONAL, *attributes)}
    return _with_days(raw.select("row_number", **columns), reading).cache(), margin_from


def _with_days(rows: ir.Table, reading: DateReading) -> ir.Table:
    """Rows with their dates understood; a written date is taken apart once, however many rows it stands in."""
    if not rows.order_date.type().is_string():
        return rows.mutate(order_date=as_date(rows.order_date, reading))
    written = rows.select(written="order_date").distinct()
    days = written.mutate(day=as_date(written.written, reading)).cache()
    rows = rows.rename(written="order_date").left_join(days, "written")
    return rows.rename(order_date="day").drop("written", "written_right")


def _day_one(rules: ReadRules) -> dt.date | None:
    return dt.date.fromisoformat(rules.day_one) if rules.day_one else None


def _order_id(raw: ir.Table) -> ir.Value:
    """The number of the order; none where its digits are lost."""
    import ibis

    if "order_id" not in raw.columns:
        return ibis.null("string")
    return is_broken_id(raw.order_id).ifelse(ibis.null("string"), as_id(raw.order_id))


def _latest_plausible(dates: ir.Value) -> dt.date:
    """Dates far beyond all others are typing errors: at most 0.1% of the rows (or one), after a gap of more than five
    years that is also longer than the whole history before it."""
    month = dates.truncate("M")
    counts = (
        dates.as_table()
        .filter(dates.between(_EARLIEST, _LATEST))
        .group_by(month=month)
        .aggregate(n=dates.count())
        .order_by("month")
    )
    table = counts.execute()
    number = [day.year * 12 + day.month for day in table["month"]]
    rows = table["n"].to_numpy()
    for i in range(1, len(number)):
        gap, span, after = number[i] - number[i - 1], number[i - 1] - number[0], rows[i:].sum()
        if gap > max(60, span) and after <= max(1, 0.001 * rows.sum()):
            return _month_end(table["month"].iloc[i - 1])
    return _LATEST


def _contradicts(rows: ir.Table, raw: ir.Table) -> ir.Value:
    """Money and pieces of opposite sign: fewer than none were sold for money, or at a price below none."""
    import ibis

    if "quantity" not in raw.columns:
        return ibis.literal(False)
    return (rows.amount > 0) & (rows.quantity < 0)


def _reason(rows: ir.Table, raw: ir.Table, rules: CleanRules, latest: dt.date, as_of: dt.date | None) -> ir.Value:
    import ibis

    given_up = tuple(word.strip().casefold() for word in rules.not_completed) or unfinished_words()
    cases = [
        ((rows.order_date > as_of) & (rows.order_date <= latest) if as_of else ibis.literal(False), "after_as_of"),
        (rows.broken, "broken_id"),
        (rows.customer_id.isnull(), "no_customer"),
        (rows.order_date.isnull(), "bad_date"),
        ((rows.order_date < _EARLIEST) | (rows.order_date > latest), "impossible_date"),
        (rows.status.lower().isin(given_up) if "status" in raw.columns else ibis.literal(False), "not_completed"),
        (rows.amount.isnull(), "bad_amount"),
        (_contradicts(rows, raw), "sign_conflict"),
    ]
    if rules.zero_price == "set_aside":
        cases.append(((rows.amount == 0) & (rows.unit_price == 0), "zero_price"))
    return ibis.cases(*cases, else_=ibis.null("string"))


def _mark_duplicates(marked: ir.Table, raw: ir.Table) -> ir.Table:
    import ibis

    keys = [c for c in raw.columns if c not in ("row_number", "source_file")]
    window = ibis.window(group_by=keys, order_by="row_number")
    numbered = raw.select("row_number", nth=ibis.row_number().over(window))
    joined = marked.join(numbered, "row_number")
    again = joined.reason.isnull() & (joined.nth > 0)
    return joined.mutate(reason=again.ifelse("duplicate", joined.reason)).drop("nth")


def last_complete_month(last: dt.date, first: dt.date | None = None) -> dt.date:
    """The end of the last month that the data cover to its last day; the last day itself if there is no such month.

    >>> last_complete_month(dt.date(2011, 12, 9))
    datetime.date(2011, 11, 30)
    >>> last_complete_month(dt.date(1998, 6, 30))
    datetime.date(1998, 6, 30)
    """
    if last == _month_end(last):
        return last
    end = last.replace(day=1) - dt.timedelta(days=1)
    return last if first is not None and end < first else end


def _with_reasons(source: Source, rows: ir.Table, rules: CleanRules, as_of: dt.date | None) -> ir.Table:
    latest = _latest_plausible(rows.order_date)
    marked = rows.mutate(reason=_reason(rows, source.table, rules, latest, as_of))
    if rules.duplicates == "drop":
        marked = _mark_duplicates(marked, source.table)
    return marked.cache()


def clean(
    source: Source,
    rules: CleanRules | None = None,
    read_rules: ReadRules | None = None,
    *,
    as_of: dt.date | Callable[[dt.date, dt.date], dt.date] | None = None,
    margin_rate: float | None = None,
    attributes: tuple[str, ...] = (),
    timezone: str = "",
) -> Orders:
    """Parse the raw rows, set aside what can not be used, and account for every row.

    ``as_of`` is the last day that counts; a function is given the first and last plausible day and returns it (see
    :func:`last_complete_month`); None keeps all days. ``timezone`` (such as ``Asia/Shanghai``) is where the days are
    those of: times with an offset, and seconds since 1970, are put on the clocks there.

    Raises
    ------
    DataError
        A needed column is missing, the dates can be read in two ways, or no row is a purchase.
    """
    from custvalue.sources import ReadRules

    rules, read_rules = rules or CleanRules(), read_rules or ReadRules()
    _require(source)
    check_attributes(source, attributes)
    rows, margin_from = _parsed(source, read_rules, margin_rate, attributes, timezone)
    marked = _with_reasons(source, rows, rules, as_of if isinstance(as_of, dt.date) else None)
    if callable(as_of):
        first, last = _span(marked, source)
        as_of = as_of(last, first)
        if as_of < last:
            marked = _with_reasons(source, rows, rules, as_of)
    return _account(source, marked, as_of, margin_from, rules)


def _span(marked: ir.Table, source: Source) -> tuple[dt.date, dt.date]:
    accepted = marked.filter(marked.reason.isnull())
    row = accepted.aggregate(first=accepted.order_date.min(), last=accepted.order_date.max()).execute().iloc[0]
    if row.isna().any():
        refuse_no_purchases(source, marked, quality_table(marked, len(source.ragged)), None)
    return row["first"].date(), row["last"].date()


def _known_returns(accepted: ir.Table, quality: pd.DataFrame, rules: CleanRules) -> ir.Table:
    n_returns = quality.loc[quality["reason"] == "returned", "rows"].sum()
    return (
        with_returns(accepted).cache() if n_returns and rules.cancelled_orders == "net" else without_returns(accepted)
    )


def _notes(source: Source, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Codes of what a reader of the figures must know."""
    counts = {"extreme_amounts": facts["extreme_amounts"]["rows"]}
    counts |= {
        name: facts[name]
        for name in ("orders_cancelled", "customers_cancelled", "returns_matched", "returns_unmatched")
    }
    found = [f"{name}:{n:,}" for name, n in counts.items() if n]
    if layout_of(_columns_of(source)) and "amount" not in source.mapping:
        found.append("order_totals_unused")
    return tuple(found)


def _account(source: Source, marked: ir.Table, as_of: dt.date | None, margin_from: str, rules: CleanRules) -> Orders:
    quality = quality_table(marked, len(source.ragged))
    refuse_no_purchases(source, marked, quality, as_of)
    accepted = marked.filter(marked.reason.isnull()).drop("reason", "unit_price", "broken")
    accepted = _known_returns(accepted, quality, rules)
    facts = facts_of(quality, accepted, source)
    if facts["customers"] == facts["customers_cancelled"]:
        raise DataError("all_orders_returned", file=source.name, n=facts["orders_cancelled"])
    last = dt.date.fromisoformat(facts["last_date"])
    as_of = as_of or last
    if (as_of - last).days > _LONGEST_SILENCE:
        raise UsageError("as_of_far", got=as_of, last=last, n=(as_of - last).days)
    quarantine, notes = quarantine_table(source, marked), _notes(source, facts)
    return Orders(accepted, quarantine, quality, mapping_table(source), as_of, margin_from, facts, notes)
