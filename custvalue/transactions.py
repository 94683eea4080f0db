"""Cleaning: every row is accepted or set aside with a reason, and rows and money add up.

Money is exact decimals inside the engine, so sums do not depend on the order of the rows.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from custvalue.errors import DataError, UsageError
from custvalue.refusals import check_attributes, refuse_no_purchases
from custvalue.values import as_date, as_id, as_money, as_number, as_text, date_reading, decimal_mark

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from custvalue.sources import ReadRules, Source

__all__ = ["REASONS", "CleanRules", "Orders", "clean", "last_complete_month", "mapping_table", "with_total"]

#: Why a row is set aside, in the order in which it is asked: the first that holds is the reason.
REASONS = (
    "ragged",
    "no_customer",
    "bad_date",
    "impossible_date",
    "after_as_of",
    "bad_amount",
    "zero_price",
    "duplicate",
)

_EARLIEST = dt.date(1971, 1, 1)
_LATEST = dt.date(2099, 12, 31)
_LONGEST_SILENCE = 366
_NEEDED = ("customer_id", "order_date")
_OPTIONAL = ("category", "product", "channel", "region")
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
    """

    duplicates: str = "keep"
    zero_price: str = "set_aside"

    def __post_init__(self) -> None:
        for key, allowed in (("duplicates", ("keep", "drop")), ("zero_price", ("set_aside", "keep"))):
            if getattr(self, key) not in allowed:
                raise UsageError("bad_choice", key=f"clean.{key}", got=getattr(self, key), allowed=", ".join(allowed))


@dataclass(frozen=True)
class Orders:
    """Cleaned order rows and the account of how they came about.

    table
        Accepted rows (Ibis): row_number, customer_id, order_id, order_date (a day), amount, margin, category, product,
        channel, region, quantity, and the attributes asked for. A return is a row with a negative amount. Columns the
        source lacks are empty.
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
    """

    table: ir.Table
    quarantine: ir.Table
    quality: pd.DataFrame
    mapping: pd.DataFrame
    as_of: dt.date
    margin_from: str
    facts: Mapping[str, Any]


def with_total(quality: pd.DataFrame) -> pd.DataFrame:
    """The quality table with a last row for all of the file: status ``total``, no reason."""
    import pandas as pd

    total = {"status": "total", "reason": None, "rows": quality["rows"].sum(), "money": quality["money"].sum()}
    return pd.concat([quality, pd.DataFrame([total])], ignore_index=True)


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
        return amount - as_money(raw.cost, decimal), "cost"
    if margin_rate is not None:
        return (amount * ibis.literal(margin_rate)).cast("decimal(18, 4)"), "margin_rate"
    return ibis.null("decimal(18, 4)"), ""


def _amount(raw: ir.Table, decimal: str) -> ir.Value:
    if "amount" in raw.columns:
        return as_money(raw.amount, decimal)
    return (as_number(raw.quantity, decimal) * as_number(raw.unit_price, decimal)).try_cast("decimal(18, 4)")


def _parsed(
    source: Source, rules: ReadRules, margin_rate: float | None, attributes: tuple[str, ...]
) -> tuple[Any, str]:
    import ibis

    raw = source.table
    decimal = decimal_mark([raw[name] for name in _NUMBERS if name in raw.columns], rules.decimal)
    amount = _amount(raw, decimal)
    margin, margin_from = _margin(raw, amount, margin_rate, decimal)
    none = ibis.null("float64")
    columns = {
        "customer_id": as_id(raw.customer_id),
        "order_id": as_id(raw.order_id) if "order_id" in raw.columns else ibis.null("string"),
        "order_date": as_date(raw.order_date, date_reading(raw.order_date, rules.date_order)),
        "amount": amount,
        "margin": margin,
        "quantity": as_number(raw.quantity, decimal) if "quantity" in raw.columns else none,
        "unit_price": as_number(raw.unit_price, decimal) if "unit_price" in raw.columns else none,
    }
    columns |= {c: as_text(raw[c]) if c in raw.columns else ibis.null("string") for c in (*_OPTIONAL, *attributes)}
    return raw.select("row_number", **columns).cache(), margin_from


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


def _reason(rows: ir.Table, raw: ir.Table, rules: CleanRules, latest: dt.date, as_of: dt.date | None) -> ir.Value:
    import ibis

    cases = [
        (rows.customer_id.isnull(), "no_customer"),
        (rows.order_date.isnull(), "bad_date"),
        ((rows.order_date < _EARLIEST) | (rows.order_date > latest), "impossible_date"),
        (rows.order_date > as_of if as_of else ibis.literal(False), "after_as_of"),
        (rows.amount.isnull(), "bad_amount"),
    ]
    if rules.zero_price == "set_aside":
        cases.append(((rows.amount == 0) & (rows.unit_price == 0), "zero_price"))
    return ibis.cases(*cases, else_=ibis.null("string"))


def _mark_duplicates(marked: ir.Table, raw: ir.Table) -> ir.Table:
    import ibis

    keys = [c for c in raw.columns if c != "row_number"]
    window = ibis.window(group_by=keys, order_by="row_number")
    numbered = raw.select("row_number", nth=ibis.row_number().over(window))
    joined = marked.join(numbered, "row_number")
    again = joined.reason.isnull() & (joined.nth > 0)
    return joined.mutate(reason=again.ifelse("duplicate", joined.reason)).drop("nth")


def _quality(marked: ir.Table, ragged: int) -> pd.DataFrame:
    import pandas as pd

    is_return = marked.reason.isnull() & (marked.amount < 0)
    kind = is_return.ifelse("returned", marked.reason.coalesce("purchased"))
    got = marked.group_by(reason=kind).aggregate(rows=marked.count(), money=marked.amount.sum()).execute()
    got = got.set_index("reason")
    order = ["purchased", "returned", *REASONS]
    table = got.reindex(order).assign(rows=lambda t: t["rows"].fillna(0).astype(int))
    table.loc["ragged", "rows"] += ragged
    table["money"] = table["money"].astype(float).fillna(0.0)
    status = ["accepted", "accepted", *["quarantined"] * len(REASONS)]
    table = table.reset_index(names="reason").assign(status=status)
    keep = (table["rows"] > 0) | (table["status"] == "accepted")
    return pd.DataFrame(table.loc[keep, ["status", "reason", "rows", "money"]]).reset_index(drop=True)


def _facts(quality: pd.DataFrame, accepted: ir.Table, source: Source) -> dict[str, Any]:
    row = (
        accepted.aggregate(
            customers=accepted.customer_id.nunique(where=accepted.amount >= 0),
            first=accepted.order_date.min(),
            last=accepted.order_date.max(),
        )
        .execute()
        .iloc[0]
    )
    by = quality.groupby("status")[["rows", "money"]].sum().reindex(["accepted", "quarantined"], fill_value=0)
    return {
        "rows_in": int(quality["rows"].sum()),
        "rows_accepted": int(by.loc["accepted", "rows"]),
        "rows_quarantined": int(by.loc["quarantined", "rows"]),
        "money_in": round(float(quality["money"].sum()), 2),
        "money_accepted": round(float(by.loc["accepted", "money"]), 2),
        "money_quarantined": round(float(by.loc["quarantined", "money"]), 2),
        "customers": int(row["customers"]),
        "first_date": str(row["first"])[:10],
        "last_date": str(row["last"])[:10],
        "encoding": source.encoding,
    }


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
) -> Orders:
    """Parse the raw rows, set aside what can not be used, and account for every row.

    ``as_of`` is the last day that counts; a function is given the first and last plausible day and returns it (see
    :func:`last_complete_month`); None keeps all days.

    Raises
    ------
    DataError
        A needed column is missing, the dates can be read in two ways, or no row is a purchase.
    """
    from custvalue.sources import ReadRules

    rules, read_rules = rules or CleanRules(), read_rules or ReadRules()
    _require(source)
    check_attributes(source, attributes)
    rows, margin_from = _parsed(source, read_rules, margin_rate, attributes)
    marked = _with_reasons(source, rows, rules, as_of if isinstance(as_of, dt.date) else None)
    if callable(as_of):
        first, last = _span(marked, source)
        as_of = as_of(last, first)
        marked = _with_reasons(source, rows, rules, as_of)
    return _account(source, marked, as_of, margin_from)


def _span(marked: ir.Table, source: Source) -> tuple[dt.date, dt.date]:
    accepted = marked.filter(marked.reason.isnull())
    row = accepted.aggregate(first=accepted.order_date.min(), last=accepted.order_date.max()).execute().iloc[0]
    if row.isna().any():
        refuse_no_purchases(source, marked, _quality(marked, len(source.ragged)), None)
    return row["first"].date(), row["last"].date()


def _quarantine(source: Source, marked: ir.Table) -> ir.Table:
    """Every row set aside as it came in, ragged lines as their text."""
    import ibis

    raw = source.table
    rows = marked.filter(marked.reason.notnull()).select("row_number", "reason").join(raw, "row_number")
    if source.ragged:
        empty = {name: ibis.null(kind) for name, kind in raw.schema().items() if name != "row_number"}
        lines = ibis.memtable(
            {"row_number": [n for n, _ in source.ragged], "line": [text.rstrip("\r\n") for _, text in source.ragged]},
            schema={"row_number": "int64", "line": "string"},
        )
        lines = lines.mutate(reason=ibis.literal("ragged"), **empty)
        rows = rows.mutate(line=ibis.null("string"))
        order = ["row_number", "reason", "line", *empty]
        rows = rows.select(order).union(lines.select(order))
    return rows.order_by("row_number")


def _account(source: Source, marked: ir.Table, as_of: dt.date | None, margin_from: str) -> Orders:
    quality = _quality(marked, len(source.ragged))
    refuse_no_purchases(source, marked, quality, as_of)
    accepted = marked.filter(marked.reason.isnull()).drop("reason", "unit_price")
    facts = _facts(quality, accepted, source)
    last = dt.date.fromisoformat(facts["last_date"])
    as_of = as_of or last
    if (as_of - last).days > _LONGEST_SILENCE:
        raise UsageError("as_of_far", got=as_of, last=last, n=(as_of - last).days)
    return Orders(accepted, _quarantine(source, marked), quality, mapping_table(source), as_of, margin_from, facts)
