"""The computations of the segments on invented customers: seconds each, and the largest memory.

Run: ``python benchmarks/segmentation.py [customers]`` (1,000,000 if not said).
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
from matrix_pyramid import timed

import custvalue as cv
from custvalue import segmentation as sg


def customers_of(n: int, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """A customer table, the attributes beside it, and the first baskets: orders are counts with a long tail."""
    rng = np.random.default_rng(seed)
    ids = pd.Series(np.char.add("C", np.arange(n).astype(str)), dtype="str")
    orders, value = rng.geometric(0.35, n) + rng.poisson(rng.lognormal(0, 1.2, n)), rng.lognormal(4, 0.6, n)
    silent, tenure = rng.integers(0, 900, n), rng.integers(0, 1_500, n)
    table = pd.DataFrame({"customer_id": ids, "n_orders": orders, "sales": orders * value, "mean_order_value": value})
    table = table.assign(
        n_repeats=orders - 1,
        days_since_last=np.minimum(silent, tenure),
        tenure_days=tenure,
        margin=table["sales"] * 0.3,
        sales_12m=table["sales"] * (silent < 365) * rng.random(n),
        mean_gap_days=np.where(orders > 1, rng.lognormal(4, 0.7, n), np.nan),
        n_categories=pd.array(rng.integers(1, 9, n), dtype="Int64"),
    )
    words = {"age_band": 6, "region": 30, "acquisition_channel": 5, "membership": 3}
    attributes = pd.DataFrame({name: rng.choice([f"{name} {i}" for i in range(k)], n) for name, k in words.items()})
    attributes = attributes.assign(customer_id=ids, consent=rng.integers(0, 2, n))
    first = {"first_amount": value * rng.lognormal(0, 0.3, n), "first_category": rng.choice(list("abcdefgh"), n)}
    return (
        table,
        attributes,
        pd.DataFrame({"customer_id": ids, **first, "first_channel": rng.choice(["web", "shop"], n)}),
    )


def scores(table: pd.DataFrame) -> Any:
    found = timed("R, F, M scores", lambda: sg.rfm_scores(table))
    timed("cuts of the scores", lambda: sg.score_cuts(table))
    groups = timed("named groups", lambda: sg.rfm_groups(found))
    timed("map of the groups", lambda: sg.rfm_map(found))
    timed("profile of the groups", lambda: cv.profile(table.merge(groups, on="customer_id"), "rfm_group"))


def clusters(table: pd.DataFrame) -> None:
    evidence = timed("how many clusters", lambda: sg.cluster_evidence(table))
    model = timed("clusters fitted", lambda: sg.cluster_model(table, evidence=evidence))
    found = timed("everybody assigned", lambda: sg.assign_clusters(table, model))
    timed("typical customers", lambda: sg.cluster_centres(table, found, model))


def apart(table: pd.DataFrame, attributes: pd.DataFrame, baskets: pd.DataFrame) -> None:
    segments = timed("behaviour segments", lambda: sg.behaviour_segments(table))
    levels = timed("attributes as levels", lambda: sg.early_levels(table, attributes, baskets))
    joined = segments.merge(levels, on="customer_id")
    timed("what sets the segments apart", lambda: cv.distinguishing(joined, "segment"))
    best = timed("best of last year", lambda: sg.best_customers(table))
    timed("look-alikes", lambda: sg.look_alikes(table, levels, best))


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"{n:,} customers")
    table, attributes, baskets = timed("(inventing the customers)", lambda: customers_of(n))
    timed("scores and named groups in all", lambda: scores(table))
    timed("clusters in all", lambda: clusters(table))
    timed("segments, attributes, look-alikes in all", lambda: apart(table, attributes, baskets))


if __name__ == "__main__":
    main()
