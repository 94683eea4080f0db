"""Browsing, e-value, co-purchases and the health check on invented customers: seconds each, and the largest memory.

Run: ``python benchmarks/engagement.py [customers]`` (1,000,000 if not said), with three events and 1.8 categories each.
"""

from __future__ import annotations

import datetime as dt
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import custvalue as cv

AS_OF = dt.date(2025, 12, 31)


def customers_of(n: int, rng: np.random.Generator) -> pd.DataFrame:
    ids = pd.Series(np.char.add("C", np.arange(n).astype(str)), dtype="str")
    n_orders, sales = rng.integers(1, 20, n), rng.lognormal(5, 1.3, n)
    return pd.DataFrame(
        {
            "customer_id": ids,
            "n_orders": n_orders,
            "n_orders_12m": n_orders // 2,
            "n_repeats": n_orders - 1,
            "n_categories": pd.array(rng.integers(1, 8, n), dtype="Int64"),
            "days_since_last": rng.integers(0, 900, n),
            "tenure_days": rng.integers(900, 1_500, n),
            "mean_gap_days": np.where(n_orders > 1, rng.lognormal(4, 0.7, n), np.nan),
            "mean_order_value": sales / n_orders,
            "main_category": pd.Series([f"k{i}" for i in range(9)], dtype="str").take(rng.integers(0, 9, n)).to_numpy(),
            "sales": sales,
            "margin": sales * 0.3,
        }
    )


def events_of(ids: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    n, who = 3 * len(ids), rng.integers(0, len(ids), 3 * len(ids))
    category = np.where(rng.random(n) < 0.8, who % 9, rng.integers(0, 9, n))
    words = {"event": ["view"] * 3 + ["search"], "price_band": ["low", "mid", "high"]}
    table = {name: pd.Series(kinds, dtype="str").take(rng.integers(0, len(kinds), n)) for name, kinds in words.items()}
    return pd.DataFrame(
        {
            "customer_id": ids.take(who).to_numpy(),
            "event_date": pd.Timestamp(AS_OF) - pd.to_timedelta(rng.integers(0, 1_000, n), unit="D"),
            "category": pd.Series([f"k{i}" for i in range(9)], dtype="str").take(category).to_numpy(),
            **{name: column.to_numpy() for name, column in table.items()},
        }
    )


def bought_of(ids: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    owned = rng.random((len(ids), 9)) < 0.2
    who, what = np.nonzero(owned)
    names = pd.Series([f"k{i}" for i in range(9)], dtype="str")
    table = pd.DataFrame({"customer_id": ids.take(who).to_numpy(), "category": names.take(what).to_numpy()})
    return table.assign(last_bought=pd.Timestamp(AS_OF) - pd.to_timedelta(rng.integers(0, 900, len(table)), unit="D"))


def timed(name: str, work: Callable[[], Any]) -> Any:
    start, busy = time.perf_counter(), time.process_time()
    result = work()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    spent, busy = time.perf_counter() - start, time.process_time() - busy
    print(f"{name:<42}{spent:8.2f} s ({busy:6.2f} s of a core)   largest memory so far {memory:5.2f} GB", flush=True)
    return result


def activity(customers: pd.DataFrame, events: pd.DataFrame, bought: pd.DataFrame) -> None:
    engagement = cv.engagement
    day = engagement.outcome_day(AS_OF)
    rng = np.random.default_rng(2)
    after = customers[["customer_id"]].assign(orders_after=rng.poisson(0.5, len(customers)), sales_after=9.0)
    browsing = timed("browsing segments", lambda: engagement.browsing_segments(events, AS_OF, customers=customers))
    timed("changed by chance", lambda: engagement.changed_by_chance(events, AS_OF))
    timed("groups", lambda: engagement.group_table(browsing))
    timed("viewed, not bought", lambda: engagement.viewed_not_bought(events, bought, AS_OF))
    scores = timed("e-value", lambda: engagement.e_value(events, day, customers=customers))
    timed("kinds of events", lambda: engagement.e_parts(events, AS_OF))
    timed("test of the e-value", lambda: engagement.e_value_test(scores, customers, after))


def cross_sell(customers: pd.DataFrame, bought: pd.DataFrame) -> None:
    segments = cv.segmentation.behaviour_segments(customers)
    timed("co-purchases", lambda: cv.crosssell.co_purchases(bought))
    timed("co-purchases by segment", lambda: cv.crosssell.co_purchases(bought, segments))
    early = bought[bought["last_bought"] < pd.Timestamp(AS_OF) - pd.Timedelta(365, "D")]
    timed("test of suggestions", lambda: cv.crosssell.suggestion_test(early, bought))
    timed("next category", lambda: cv.crosssell.next_category(customers, bought))


def health(customers: pd.DataFrame) -> None:
    segments = cv.segmentation.behaviour_segments(customers)
    table = customers.merge(segments, on="customer_id")
    again = cv.segmentation.behaviour_segments
    timed("health check", lambda: cv.healthcheck.health_check(table, "segment", before=segments, again=again))


def main() -> None:
    n, rng = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, np.random.default_rng(1)
    print(f"{n:,} customers, {3 * n:,} events")
    customers = timed("(inventing the customers)", lambda: customers_of(n, rng))
    events, bought = events_of(customers["customer_id"], rng), bought_of(customers["customer_id"], rng)
    timed("activity in all", lambda: activity(customers, events, bought))
    timed("cross-selling in all", lambda: cross_sell(customers, bought))
    timed("health in all", lambda: health(customers))


if __name__ == "__main__":
    main()
