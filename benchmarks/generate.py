"""Write order lines as Parquet of any size, the same rows for the same arguments, in bounded memory.

python benchmarks/generate.py orders.parquet --rows 5000000
"""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["DAYS", "FIRST_DAY", "generate"]

#: The lines fall into these days, in the order of time, as in a shop's export.
FIRST_DAY, DAYS = "2021-01-01", 1095

# An order k of even and one of odd number have 2 m lines together: one of them m // 2, the other the rest.
_LINES = """
with numbered as (
  select i, 2 * (i // (2 * {m})) + (i % (2 * {m}) >= greatest(1, {m} // 2))::bigint as o, hash(i) as h
  from range({rows}) as t(i)),
placed as (
  select *, floor({customers} * pow((hash(o, 7) % 1000003) / 1000003.0, 2))::bigint as c,
         (1 + (h % 20000) / 100.0)::decimal(18, 4) as price, hash(i, 11) % 50 = 0 as is_return
  from numbered)
select {id} as customer_id,
       {order_id} as order_id,
       date '{first}' + (i * {days} // {rows})::integer as order_date,
       (case when is_return then -price else price end)::decimal(18, 4) as amount,
       (price * 0.3 * (case when is_return then -1 else 1 end))::decimal(18, 4) as margin,
       'category ' || (hash(i, 3) % 12) as category
from placed
"""


def generate(path: Path, rows: int, *, rows_per_customer: int = 10, rows_per_order: int = 2, ids: str = "text") -> Path:
    """Write ``rows`` order lines; ``ids`` is ``text`` (C000000017) or ``int``.

    Some customers have many more orders than others; an order has one customer and, but for those around midnight, one
    day; orders are small and large in turn; 2% of the lines are returns; the lines fall into twelve categories.
    """
    import duckdb

    text = ids == "text"
    query = _LINES.format(
        m=rows_per_order,
        rows=rows,
        customers=max(1, rows // rows_per_customer),
        id="'C' || lpad(c::varchar, 9, '0')" if text else "c",
        order_id="'N' || lpad(o::varchar, 10, '0')" if text else "o",
        first=FIRST_DAY,
        days=DAYS,
    )
    with duckdb.connect(config={"memory_limit": "2GB"}) as engine:
        engine.execute(f"copy ({query}) to '{path}' (format parquet, row_group_size 122880)")
    return path


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("path", type=Path)
    arguments.add_argument("--rows", type=int, default=5_000_000)
    arguments.add_argument("--rows-per-customer", type=int, default=10)
    arguments.add_argument("--rows-per-order", type=int, default=2)
    arguments.add_argument("--ids", choices=("text", "int"), default="text")
    given = arguments.parse_args()
    shape = {"rows_per_customer": given.rows_per_customer, "rows_per_order": given.rows_per_order}
    generate(given.path, given.rows, ids=given.ids, **shape)
