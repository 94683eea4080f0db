"""All computations of the notebooks on the value matrix and the pyramid, on invented customers: seconds and memory.

Run: ``python benchmarks/matrix_pyramid.py [customers]`` (1,000,000 if not said). Everything is computed once for 500
customers before, so that the libraries are loaded. Seconds are of the clock and of the cores used. Reading the files
and the customer tables are not counted.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd

import custvalue as cv
from custvalue.config import Settings

_QUADRANT = ["customer_id", "quadrant"]


def customers_of(n: int, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A customer table and the attributes beside it: half bought this year, a fifth were brought by others."""
    rng = np.random.default_rng(seed)
    ids = np.char.add("C", np.arange(n).astype(str)).astype(object)
    sales, active = rng.lognormal(5, 1.3, n), rng.random(n) < 0.5
    table = pd.DataFrame({"customer_id": pd.Series(ids, dtype="str"), "sales": sales})
    table = table.assign(
        margin=sales * rng.normal(0.3, 0.08, n),
        sales_12m=sales * active * 0.4,
        sales_prior_12m=sales * 0.3,
        margin_12m=sales * active * 0.12,
        n_orders_12m=active * rng.integers(1, 9, n),
        n_orders=rng.integers(1, 20, n),
        mean_order_value=sales / 5,
        tenure_days=rng.integers(0, 1_500, n),
        days_since_last=np.where(active, rng.integers(0, 365, n), rng.integers(366, 1_500, n)),
        mean_gap_days=np.where(rng.random(n) < 0.6, rng.lognormal(4, 0.7, n), np.nan),
        n_categories=pd.array(rng.integers(1, 8, n), dtype="Int64"),
    )
    above = (rng.random(n) * np.arange(n)).astype(int)
    referrer = np.where(rng.random(n) < 0.2, ids[above], None)
    spend = {
        "category_spend_year": sales * 2,
        "service_cost": rng.lognormal(2, 1, n),
        "image_score": rng.integers(1, 6, n),
    }
    return table, pd.DataFrame({"customer_id": table["customer_id"], "referrer": referrer, **spend})


def earlier_of(table: pd.DataFrame) -> pd.DataFrame:
    """The customers a month before: one of 50 was not there yet, sales of the year were a little other."""
    there = np.random.default_rng(3).random(len(table)) < 0.98
    return table[there].assign(sales_12m=table["sales_12m"] * 0.97).reset_index(drop=True)


def timed(name: str, work: Callable[[], Any]) -> Any:
    start, busy = time.perf_counter(), time.process_time()
    result = work()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    spent, busy = time.perf_counter() - start, time.process_time() - busy
    print(f"{name:<42}{spent:8.2f} s ({busy:6.2f} s of a core)   largest memory so far {memory:5.2f} GB")
    return result


def matrices(table: pd.DataFrame, attributes: pd.DataFrame) -> None:
    matrix, settings, before = cv.matrix, Settings(), earlier_of(table)
    money = timed("sales x margin", lambda: matrix.sales_margin_matrix(table))
    value = timed("value x potential", lambda: matrix.value_potential_matrix(table, settings.matrix, attributes))
    classed = cv.joined(table, value.table[["customer_id", "value_class"]])
    timed("profile of the quadrants", lambda: cv.profile(cv.joined(table, money.table[_QUADRANT]), "quadrant"))
    timed("profile of the classes", lambda: cv.profile(classed, "value_class"))
    timed("share of wallet", lambda: cv.share_of_wallet(classed, "value_class", attributes))
    timed("referral value", lambda: cv.referral_value(table, attributes))
    earlier = timed("the month before", lambda: matrix.value_potential_matrix(before, settings.matrix, attributes))
    limits = matrix.cut_points(earlier)
    later = timed("in its limits", lambda: matrix.value_potential_matrix(table, settings.matrix, attributes, limits))
    timed("moves", lambda: matrix.matrix_moves(earlier, later))


def pyramids(table: pd.DataFrame, attributes: pd.DataFrame) -> None:
    served = timed("profit after service", lambda: cv.pyramid.with_profit(table, None, attributes))
    tiers = timed("pyramid", lambda: cv.pyramid.pyramid(served))
    timed("summary, notes, limits", lambda: (cv.pyramid.tier_summary(tiers), cv.pyramid.tier_notes(tiers)))
    timed("profit per tier", lambda: cv.pyramid.tier_profit(tiers, served))
    timed("loss makers", lambda: cv.pyramid.loss_makers(tiers, served))
    timed("just under", lambda: cv.joined(cv.pyramid.just_under(tiers), served[["customer_id", "sales_12m"]]))
    months = timed("two months", lambda: cv.pyramid.two_pyramids(earlier_of(served), served))
    timed("moves", lambda: cv.movement_matrix(*months, "tier"))
    timed("the list", lambda: cv.joined(tiers, served).sort_values(["value", "customer_id"], ascending=[False, True]))
    timed("Lorenz, Gini, shares", lambda: cv.pyramid.concentration(tiers["value"]))


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with redirect_stdout(StringIO()):
        few = customers_of(500)
        matrices(*few), pyramids(*few)
    print(f"{n:,} customers; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    table, attributes = timed("(inventing the customers)", lambda: customers_of(n))
    timed("value matrix in all", lambda: matrices(table, attributes))
    timed("pyramid in all", lambda: pyramids(table, attributes))
    many = np.random.default_rng(2).lognormal(5, 1.3, 10 * n)
    timed(f"Lorenz, Gini, shares of {10 * n:,}", lambda: cv.pyramid.concentration(many))


if __name__ == "__main__":
    main()
