"""Rows that hold no purchase and attributes that can not be kept: refused with the reason and an example."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from custvalue.errors import DataError, UsageError
from custvalue.labels import catalogue
from custvalue.shapes import no_rows

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from custvalue.sources import Source

__all__ = ["check_attributes", "refuse_no_purchases"]

_INNER = ("broken", "reason", "line", "nth", "net", "bought", "first_bought", "returned", "n_bought")
_KEPT = ("category", "product", "channel", "region")

#: The error where most rows were set aside for a reason, and the column to show a value of.
_NO_PURCHASES = {
    "no_customer": ("no_purchases_no_customer", "customer_id"),
    "broken_id": ("no_purchases_broken_id", "customer_id"),
    "not_completed": ("no_purchases_not_completed", "status"),
    "bad_date": ("no_purchases_bad_date", "order_date"),
    "impossible_date": ("no_purchases_impossible_date", "order_date"),
    "bad_amount": ("no_purchases_bad_amount", "amount"),
}


def refuse_no_purchases(source: Source, marked: ir.Table, quality: pd.DataFrame, as_of: dt.date | None) -> None:
    """Where no row is a purchase, say why, with an example of the reason most rows have.

    ``marked`` holds the parsed rows with their ``reason``, ``quality`` the rows by reason.
    """
    rows = quality.set_index("reason")["rows"]
    if rows["purchased"]:
        return
    main = rows.drop("duplicate", errors="ignore").idxmax()
    told = {"file": source.name, "n": int(rows[main])}
    if main in _NO_PURCHASES:
        code, name = _NO_PURCHASES[main]
        name = name if name in source.mapping else "unit_price"
        got = _example(source, marked, main, name)
        raise DataError(code, column=source.mapping[name], got=got, **told)
    if main == "after_as_of":
        first = str(marked.order_date.min().execute())[:10]
        raise DataError("no_purchases_after_as_of", as_of=as_of, got=first, **told)
    if main == "returned":
        raise DataError("no_purchases_returned", column=source.mapping.get("amount", "quantity"), **told)
    if main == "ragged":
        raise no_rows(source.name, len(source.table.columns) - 1, list(source.ragged))
    raise DataError("no_purchases", **told)


def _example(source: Source, marked: ir.Table, reason: str, column: str) -> str:
    raw = source.table.select("row_number", got=column)
    first = marked.filter(marked.reason == reason).join(raw, "row_number").order_by("row_number").limit(1)
    return str(first.execute()["got"].iloc[0])[:100]


def check_attributes(source: Source, attributes: tuple[str, ...]) -> None:
    """Attributes must be in the file, and must not be called like a column of the package."""
    allowed = [c for c in source.table.columns if c != "row_number"]
    unknown = [name for name in attributes if name not in allowed]
    if unknown:
        raise UsageError("unknown_attributes", got=", ".join(unknown), allowed=", ".join(allowed))
    taken = ({*catalogue("columns"), *_INNER} - {*_KEPT}) & set(attributes)
    if taken or len(set(attributes)) < len(attributes):
        raise UsageError("attribute_name_taken", got=", ".join(sorted(taken) or attributes))
