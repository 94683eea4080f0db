"""The customer table, all columns, against a bare GROUP BY over the same Parquet file in the same DuckDB.

    python benchmarks/customer_table.py --rows 5000000 --lifetimes
    python benchmarks/customer_table.py --rows 5000000 50000000

Each figure is measured in a process of its own, so that its peak memory is its own; every one is the best of some runs.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from generate import generate

AS_OF = dt.date(2023, 12, 31)
_BARE = """create or replace temp table bare as
select customer_id, count(*) as n, sum(amount) as amount, min(order_date) as first, max(order_date) as last
from {source} group by customer_id"""


def best(run: Callable[[], object], runs: int) -> float:
    """The shortest of some runs, in seconds on the clock, or of all processors together where ``BENCH_CPU`` is set.

    On a machine that others use, the seconds of the processors tell more.
    """
    clock = time.process_time if os.environ.get("BENCH_CPU") else time.perf_counter
    seconds = []
    for _ in range(runs):
        start = clock()
        run()
        seconds.append(clock() - start)
    return min(seconds)


def _bare(path: str, runs: int) -> dict[str, float]:
    from custvalue.engine import local_engine

    engine = local_engine()
    query = _BARE.format(source=engine.read_parquet(path).get_name())
    return {"bare": best(lambda: engine.raw_sql(query), runs)}


def _in_engine(path: str, runs: int) -> dict[str, float]:
    """Table and bare group-by in turn on one connection, both into a table of the engine."""
    from custvalue.customers import customer_expression
    from custvalue.engine import local_engine

    engine = local_engine()
    source = engine.read_parquet(path)
    bare = _BARE.format(source=source.get_name())
    query = engine.compile(customer_expression(numbered(source), AS_OF))
    table = f"create or replace temp table customers as {query}"
    pairs = [(best(lambda: engine.raw_sql(bare), 1), best(lambda: engine.raw_sql(table), 1)) for _ in range(runs)]
    return {"bare": min(a for a, _ in pairs), "table": min(b for _, b in pairs)}


def _in_pandas(path: str, runs: int) -> dict[str, float]:
    """The whole way from the file to the data frame that an analysis takes."""
    from types import SimpleNamespace

    from custvalue.customers import customer_table
    from custvalue.engine import local_engine

    orders = SimpleNamespace(table=numbered(local_engine().read_parquet(path)), as_of=AS_OF)
    return {"frame": best(lambda: customer_table(orders), runs)}


def _lifetimes(path: str, runs: int) -> dict[str, float]:
    """What the package lifetimes needs for its three columns and the mean, on the frame already loaded."""
    import pandas as pd
    from lifetimes.utils import summary_data_from_transaction_data

    frame = pd.read_parquet(path, columns=["customer_id", "order_date", "amount"])
    frame["order_date"] = pd.to_datetime(frame["order_date"])
    frame["amount"] = frame["amount"].astype(float)
    run = lambda: summary_data_from_transaction_data(frame, "customer_id", "order_date", "amount")  # noqa: E731
    return {"lifetimes": best(run, min(runs, 2))}


def numbered(source):
    """Rows of the file as cleaning hands them on; the attributes of this file need no row number."""
    import ibis

    return source.mutate(row_number=ibis.literal(0))


PARTS = {"bare": _bare, "engine": _in_engine, "frame": _in_pandas, "lifetimes": _lifetimes}


def measured(part: str, path: Path, runs: int) -> dict[str, float]:
    """One part in a process of its own: its seconds and the most memory it held, in GB."""
    command = [sys.executable, __file__, "--part", part, "--path", str(path), "--runs", str(runs)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def compared(path: Path, rows: int, runs: int, with_lifetimes: bool) -> float:
    """Print the figures of one file; the seconds of the table."""
    engine, frame = measured("engine", path, runs), measured("frame", path, runs)
    bare, table, pandas = engine["bare"], engine["table"], frame["frame"]
    print(f"{rows:,} rows: bare {bare:.2f} s, table {table:.2f} s = {table / bare:.1f} times the bare one", flush=True)
    print(f"  peak memory {engine['peak_gb']:.1f} GB; as a data frame {pandas:.2f} s, {frame['peak_gb']:.1f} GB")
    if with_lifetimes:
        other = measured("lifetimes", path, runs)["lifetimes"]
        print(f"  lifetimes {other:.2f} s on the loaded frame = {other / table:.1f} times the table")
    return table


def _part(name: str, path: str, runs: int) -> None:
    seconds = PARTS[name](path, runs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps(seconds | {"peak_gb": peak}))


def _all(given: argparse.Namespace) -> None:
    seconds = []
    with tempfile.TemporaryDirectory(prefix="custvalue-bench-", dir=given.folder) as folder:
        for rows in given.rows:
            shape = {"rows_per_customer": given.rows_per_customer, "rows_per_order": given.rows_per_order}
            path = generate(Path(folder) / f"{rows}.parquet", rows, ids=given.ids, **shape)
            seconds.append(compared(path, rows, given.runs, given.lifetimes))
            path.unlink()
    for i in range(1, len(seconds)):
        print(f"{given.rows[i - 1]:,} -> {given.rows[i]:,} rows: {seconds[i] / seconds[i - 1]:.1f} times the time")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, nargs="+", default=[5_000_000])
    arguments.add_argument("--rows-per-customer", type=int, default=10)
    arguments.add_argument("--rows-per-order", type=int, default=2)
    arguments.add_argument("--ids", choices=("text", "int"), default="text")
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--lifetimes", action="store_true", help="also the summary of the package lifetimes")
    arguments.add_argument("--folder", default=None, help="where the files are written (default: the temporary folder)")
    arguments.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    arguments.add_argument("--path", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.part:
        _part(given.part, given.path, given.runs)
    else:
        _all(given)
