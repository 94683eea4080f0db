"""The account of a cleaned file: rows and money by reason, what was set aside, and what a reader must know."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from custvalue.values import how_many

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from custvalue.sources import Source

__all__ = ["REASONS", "extreme_amounts", "facts_of", "quality_table", "quarantine_table", "with_total"]

#: Why a row is set aside, in the order in which it is asked: the first that holds is the reason.
REASONS = (
    "ragged",
    "after_as_of",
    "broken_id",
    "no_customer",
    "bad_date",
    "impossible_date",
    "not_completed",
    "bad_amount",
    "sign_conflict",
    "zero_price",
    "duplicate",
)

_STEPS = 20  #: steps of the logarithm in which amounts are counted
_FEWEST = 20  #: fewer purchases tell nothing of what is usual


def with_total(quality: pd.DataFrame) -> pd.DataFrame:
    """The quality table with a last row for all of the file: status ``total``, no reason.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> with_total(orders.quality)[["status", "reason", "rows", "money"]]
         status     reason  rows  money
    0  accepted  purchased     3   55.0
    1  accepted   returned     0    0.0
    2     total       None     3   55.0
    """
    import pandas as pd

    total = {"status": "total", "reason": None, "rows": quality["rows"].sum(), "money": quality["money"].sum()}
    return pd.concat([quality, pd.DataFrame([total])], ignore_index=True)


def quality_table(marked: ir.Table, ragged: int) -> pd.DataFrame:
    """One row per status and reason: status, reason, rows, money; ``marked`` are parsed rows with their reason."""
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


def quarantine_table(source: Source, marked: ir.Table) -> ir.Table:
    """Every row set aside as it came in, ragged lines as their text."""
    import ibis

    raw = source.table
    rows = marked.filter(marked.reason.notnull()).select("row_number", "reason").join(raw, "row_number")
    if source.ragged:
        empty = {name: ibis.null(kind) for name, kind in raw.schema().items() if name != "row_number"}
        lines = ibis.memtable(
            {
                "row_number": [n for n, _ in source.ragged],
                "line": [text.rstrip("\r\n") for _, text in source.ragged],
                "file_of_line": [source.file_of(n) for n, _ in source.ragged],
            },
            schema={"row_number": "int64", "line": "string", "file_of_line": "string"},
        )
        if source.files:
            empty["source_file"] = lines.file_of_line
        lines = lines.mutate(reason=ibis.literal("ragged"), **empty)
        rows = rows.mutate(line=ibis.null("string"))
        order = ["row_number", "reason", "line", *empty]
        rows = rows.select(order).union(lines.select(order))
    return rows.order_by("row_number")


def _far_out(counts: pd.DataFrame) -> float:
    """The upper outer fence of amounts counted by steps of their logarithm; infinite for too few."""
    n = counts["n"].sum()
    if n < _FEWEST:
        return math.inf
    below = counts["n"].cumsum()
    first, third = (float(counts.loc[below >= share * n, "step"].iloc[0]) for share in (0.25, 0.75))
    return math.exp((third + 1 + max(3 * (third - first), _STEPS * math.log(10))) / _STEPS)


def extreme_amounts(accepted: ir.Table) -> dict[str, Any]:
    """Purchases far larger than all others: rows, money, the amount they lie above and the largest one.

    Far larger is beyond the outer fence of the logarithms, Q3 + 3 (Q3 - Q1) (Tukey, Exploratory Data Analysis, 1977),
    and more than ten times the third quartile Q3. Nothing is far out among fewer than 20 purchases.
    """
    bought = accepted.filter(accepted.amount > 0).select("amount")
    step = (bought.amount.cast("float64").ln() * _STEPS).floor().cast("int64")
    counts = bought.group_by(step=step).aggregate(n=bought.count()).execute().sort_values("step")
    fence = _far_out(counts)
    if math.isinf(fence):
        return {"rows": 0, "money": 0.0, "above": None, "largest": None}
    far = bought.amount.cast("float64") > fence
    row = bought.aggregate(n=how_many(far), money=bought.amount.sum(where=far), top=bought.amount.max())
    found = row.execute().iloc[0]
    money = round(float(found["money"]), 2) if found["n"] else 0.0
    return {"rows": int(found["n"]), "money": money, "above": round(fence, 2), "largest": round(float(found["top"]), 2)}


def _returns(accepted: ir.Table) -> dict[str, int]:
    """Returns with and without a purchase, orders that came back as a whole, customers who bought nothing else."""
    back = accepted.amount < 0
    number = accepted.order_id.coalesce("").concat(" ", accepted.order_date.cast("string"), " ", accepted.customer_id)
    gone = accepted.cancelled_on.notnull() & ~back
    row = accepted.aggregate(
        matched=how_many(back & accepted.counts_on.notnull()),
        unmatched=how_many(back & accepted.counts_on.isnull()),
        cancelled=number.nunique(where=gone),
        bought=accepted.customer_id.nunique(where=~back),
        kept=accepted.customer_id.nunique(where=~back & accepted.cancelled_on.isnull()),
    )
    found = row.execute().iloc[0].fillna(0)
    return {
        "returns_matched": int(found["matched"]),
        "returns_unmatched": int(found["unmatched"]),
        "orders_cancelled": int(found["cancelled"]),
        "customers_cancelled": int(found["bought"] - found["kept"]),
    }


def facts_of(quality: pd.DataFrame, accepted: ir.Table, source: Source) -> dict[str, Any]:
    """Counts and sums for machines, see ``custvalue check --json``.

    ``rows_after_as_of``, a part of ``rows_quarantined``, are those of days that do not count yet.
    """
    row = accepted.aggregate(
        customers=accepted.customer_id.nunique(where=accepted.amount >= 0),
        first=accepted.order_date.min(),
        last=accepted.order_date.max(),
    )
    row = row.execute().iloc[0]
    by = quality.groupby("status")[["rows", "money"]].sum().reindex(["accepted", "quarantined"], fill_value=0)
    later = quality.loc[quality["reason"] == "after_as_of", "rows"].sum()
    has_returns = bool((quality.loc[quality["reason"] == "returned", "rows"] > 0).any())
    none = {"returns_matched": 0, "returns_unmatched": 0, "orders_cancelled": 0, "customers_cancelled": 0}
    return {
        "rows_in": int(quality["rows"].sum()),
        "rows_accepted": int(by.loc["accepted", "rows"]),
        "rows_quarantined": int(by.loc["quarantined", "rows"]),
        "rows_after_as_of": int(later),
        "money_in": round(float(quality["money"].sum()), 2),
        "money_accepted": round(float(by.loc["accepted", "money"]), 2),
        "money_quarantined": round(float(by.loc["quarantined", "money"]), 2),
        "customers": int(row["customers"]),
        "first_date": str(row["first"])[:10],
        "last_date": str(row["last"])[:10],
        "encoding": source.encoding,
        **(_returns(accepted) if has_returns else none),
        "extreme_amounts": extreme_amounts(accepted),
    }
