"""Tables of what happened between orders: events (views, searches, messages) and campaigns, read like the orders.

Ids, days and money are understood by the same rules as those of the orders; every row is used or set aside with its
reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from custvalue.aliases import match_columns
from custvalue.columns import CAMPAIGN_COLUMNS, EVENT_COLUMNS, Column
from custvalue.days import as_date, date_reading
from custvalue.errors import DataError
from custvalue.pseudonyms import hashed_source
from custvalue.sources import ReadRules, read_source
from custvalue.values import as_id, as_money, as_text, decimal_mark, is_broken_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    import ibis.expr.types as ir
    import pandas as pd

__all__ = ["Contacts", "clean_campaigns", "clean_events", "flags"]

_YES = ("1", "yes", "y", "true", "t", "是", "1.0")
_NO = ("0", "no", "n", "false", "f", "否", "0.0")


@dataclass(frozen=True)
class Contacts:
    """Events or campaigns of customers.

    table
        Rows that can be used, by day and customer. Columns of the contract first (a column the file lacks is empty),
        then all others as text.
    quality
        One row per status and reason: status (``accepted``, ``quarantined``), reason, rows. All rows of the file.
        Rows of customers who never bought are used, and counted as ``unknown_customer``.
    quarantine
        Rows set aside: row_number, reason, then the columns as they came in.
    """

    table: pd.DataFrame
    quality: pd.DataFrame
    quarantine: pd.DataFrame


def _flag(column: ir.Value) -> ir.Value:
    import ibis

    word = as_text(column).lower()
    return ibis.cases((word.isin(_YES), True), (word.isin(_NO), False), else_=ibis.null("boolean"))


def flags(values: pd.Series) -> pd.Series:
    """Words for yes and no as truth values, missing where not understood; the words of the column of contacts.

    >>> import pandas as pd
    >>> flags(pd.Series(["Yes", "0", "是", "perhaps", None])).tolist()
    [True, False, True, <NA>, <NA>]
    """
    import pandas as pd

    words = values.map(str, na_action="ignore").astype("object").str.strip().str.lower()
    result = pd.Series(pd.NA, index=values.index, dtype="boolean")
    return result.mask(words.isin(_YES), True).mask(words.isin(_NO), False)


def _column(raw: ir.Table, column: Column, rules: ReadRules, decimal: str, zone: str) -> ir.Value:
    import ibis

    empty = {"id": "string", "date": "date", "number": "float64", "text": "string", "flag": "boolean"}
    if column.name not in raw.columns:
        return ibis.null(empty[column.kind])
    value = raw[column.name]
    if column.kind == "date":
        return as_date(value, date_reading(value, rules.date_order, zone))
    if column.kind == "number":
        return as_money(value, decimal).cast("float64")
    return {"id": as_id, "text": as_text, "flag": _flag}[column.kind](value)


def _unread(raw: ir.Table, numbers: dict[str, ir.Value]) -> ir.Value:
    """Whether a number is given in a row but can not be understood."""
    import ibis

    return ibis.or_(ibis.literal(False), *(as_text(raw[name]).notnull() & n.isnull() for name, n in numbers.items()))


def _reason(rows: ir.Table, date: str) -> ir.Value:
    import ibis

    return ibis.cases(
        (rows.broken, "broken_id"),
        (rows.customer_id.isnull(), "no_customer"),
        (rows[date].isnull(), "bad_date"),
        (rows.unread, "bad_amount"),
        else_=ibis.null("string"),
    )


def _quality(marked: pd.DataFrame, ragged: int, known: set[str]) -> pd.DataFrame:
    import pandas as pd

    good = marked[marked["reason"].isna()]
    strange = int((~good["customer_id"].isin(known)).sum()) if known else 0
    counts = [("accepted", "known_customer", len(good) - strange), ("accepted", "unknown_customer", strange)]
    aside = marked["reason"].value_counts()
    counts += [
        ("quarantined", reason, int(aside.get(reason, 0)))
        for reason in ("no_customer", "broken_id", "bad_date", "bad_amount")
    ]
    counts.append(("quarantined", "ragged", ragged))
    return pd.DataFrame([row for row in counts if row[2]], columns=["status", "reason", "rows"])


def _clean(
    path: Path,
    contract: tuple[Column, ...],
    needed: tuple[str, ...],
    rules: ReadRules,
    zone: str,
    known: Iterable[str],
    key: bytes,
) -> Contacts:
    import pandas as pd

    source = read_source(path, rules, {}, zone)
    names = [source.mapping.get(name, name) for name in source.table.columns if name != "row_number"]
    mapping = match_columns(names, None, contract)
    missing = [name for name in needed if name not in mapping]
    if missing:
        raise DataError("missing_beside", file=path.name, missing=", ".join(missing), got=", ".join(names))
    source = hashed_source(
        source, key, next(n for n in source.table.columns if source.mapping.get(n, n) == mapping["customer_id"])
    )
    here = {source.mapping.get(name, name): name for name in source.table.columns}
    raw = source.table.rename({new: here[old] for new, old in mapping.items() if new != here[old]})
    date = next(column.name for column in contract if column.kind == "date")
    numbers = [column.name for column in contract if column.kind == "number"]
    decimal = decimal_mark(raw, numbers, rules.decimal)
    others = [name for name in raw.columns if name not in {*mapping, "row_number"}]
    columns = {column.name: _column(raw, column, rules, decimal, zone) for column in contract}
    columns |= {name: as_text(raw[name]) for name in others}
    unread = _unread(raw, {name: columns[name] for name in numbers if name in raw.columns})
    rows = raw.select("row_number", **columns, broken=is_broken_id(raw.customer_id), unread=unread)
    marked = rows.mutate(reason=_reason(rows, date)).execute()
    quality = _quality(marked, len(source.ragged), set(known))
    table = marked[marked["reason"].isna()].sort_values([date, "customer_id", "row_number"])
    table = table.drop(columns=["row_number", "broken", "unread", "reason"]).reset_index(drop=True)
    table[date] = pd.to_datetime(table[date]).astype("datetime64[s]")
    aside = marked.loc[marked["reason"].notna(), ["row_number", "reason"]]
    quarantine = aside.merge(source.table.execute(), on="row_number", how="left").sort_values("row_number")
    return Contacts(table, quality, quarantine.reset_index(drop=True))


def clean_events(
    path: Path, rules: ReadRules | None = None, *, timezone: str = "", known: Iterable[str] = (), hash_key: bytes = b""
) -> Contacts:
    """Events of customers: customer_id, event_date (a day), event; category, price_band, channel where known.

    ``known`` are the ids of customers who bought; rows of others are used and counted apart. With a ``hash_key`` the
    ids are replaced, see :mod:`custvalue.pseudonyms`; ``known`` are then replaced ids.

    Raises
    ------
    DataError
        A needed column is missing, or the dates can be read in two ways.
    """
    needed = ("customer_id", "event_date", "event")
    return _clean(path, EVENT_COLUMNS, needed, rules or ReadRules(), timezone, known, hash_key)


def clean_campaigns(
    path: Path, rules: ReadRules | None = None, *, timezone: str = "", known: Iterable[str] = (), hash_key: bytes = b""
) -> Contacts:
    """Campaigns, one row per customer and mailing: customer_id, campaign, sent_date (a day); list, channel, cost and
    revenue (money), hold_out and responded (true, false or missing) where known.

    Raises
    ------
    DataError
        A needed column is missing, or the dates can be read in two ways.
    """
    needed = ("customer_id", "campaign", "sent_date")
    return _clean(path, CAMPAIGN_COLUMNS, needed, rules or ReadRules(), timezone, known, hash_key)
