"""The whole forecast of many customers: backtests of all models, choice, forecast for 12 months and life, intervals.

``python benchmarks/lifetime_ladder.py [CUSTOMERS]`` simulates customers as ``lifetime_speed.py`` does (about five
orders each), makes their customer table in the engine, and prints the seconds of each step and the most memory held by
then. Seconds on the clock, or of the processors where ``BENCH_CPU`` is set.
"""

from __future__ import annotations

import datetime as dt
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from lifetime_speed import TRUTH

END = dt.date(2024, 12, 31)


def write_orders(path: Path, n: int, seed: int = 1) -> int:
    """Orders of BG/NBD customers with Gamma-Gamma spend as Parquet, one row a purchase day; how many rows."""
    rng = np.random.default_rng(seed)
    tenure, drop = rng.integers(0, 730, n), rng.beta(TRUTH["a"], TRUTH["b"], n)
    rate, scale = rng.gamma(TRUTH["r"], 1 / TRUTH["alpha"], n) / 7, rng.gamma(4.0, 1 / 90.0, n)
    who, when = [np.arange(n)], [np.zeros(n)]
    day, active = np.zeros(n), np.arange(n)
    while len(active):
        day[active] += rng.standard_exponential(len(active)) / np.maximum(rate[active], 1e-12)
        active = active[day[active] <= tenure[active]]
        who, when = [*who, active], [*when, np.ceil(day[active])]
        active = active[rng.random(len(active)) > drop[active]]
    customer, after = np.concatenate(who), np.concatenate(when)
    days = np.datetime64(END, "D") - (tenure[customer] - np.minimum(after, tenure[customer])).astype("timedelta64[D]")
    amount = np.round(rng.gamma(6.0, 1 / scale[customer]), 2)
    rows = pd.DataFrame({"customer_id": customer, "order_date": days.astype("datetime64[s]"), "amount": amount})
    rows["customer_id"] = "C" + rows["customer_id"].astype("str").str.zfill(8)
    rows.to_parquet(path, index=False)
    return len(rows)


def accepted(path: Path) -> Any:
    """The rows as cleaning hands them on."""
    import ibis

    from custvalue.engine import local_engine

    rows = local_engine().read_parquet(path)
    rows = rows.mutate(order_date=rows.order_date.date(), amount=rows.amount.cast("decimal(18, 4)"))
    empty = {"margin": ibis.null("decimal(18, 4)"), "category": ibis.null("string"), "order_id": ibis.null("string")}
    return SimpleNamespace(table=rows.mutate(row_number=ibis.literal(0), **empty), as_of=END)


def timed(step: str, run: Callable[[], Any]) -> tuple[Any, float]:
    clock = time.process_time if os.environ.get("BENCH_CPU") else time.perf_counter
    start = clock()
    found = run()
    seconds = clock() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{step}: {seconds:.1f} s, at most {peak:.1f} GB so far", flush=True)
    return found, seconds


def main(n: int = 1_000_000) -> None:
    from custvalue import lifetime
    from custvalue.customers import customer_table
    from custvalue.timelines import purchase_days

    with tempfile.TemporaryDirectory(prefix="custvalue-bench-") as folder:
        path = Path(folder) / "orders.parquet"
        print(f"{n:,} customers, {write_orders(path, n):,} orders")
        orders = accepted(path)
        customers, _ = timed("customer table", lambda: customer_table(orders))
        days, first = timed("purchase days", lambda: purchase_days(orders))
        tested, second = timed("backtests", lambda: lifetime.backtest(days, END))
    known = {"scores": tested.scores, "weights": tested.weights}
    forecast, third = timed("forecast", lambda: lifetime.forecast(customers, END, **known))
    print(f"chosen: {forecast.chosen}; purchase days, backtests and forecast: {first + second + third:.1f} s")
    timed("intervals", lambda: lifetime.forecast_intervals(customers, forecast))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
