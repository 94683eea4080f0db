"""How fast each explorer answers: computing and drawing, median and slowest of several different settings.

Run: ``python benchmarks/explore.py [customers]`` (100,000 if not said; the goal is half a second).
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from generate import generate

import custvalue as cv
from custvalue.explore import answers
from custvalue.explore.panel import Control, Explorer, drawn, worded

TIMES = 7


def explorers(folder: Path, customers: int) -> Iterator[Explorer]:
    settings = cv.adjusted(cv.load_settings(), margin_rate=0.3)
    orders = cv.read(generate(folder / "orders.parquet", 10 * customers), settings)
    table = cv.customer_table(orders)
    forecast = cv.lifetime.forecast(table, orders.as_of, cv.adjusted(settings.lifetime, model="pareto_nbd"))
    full = table.merge(forecast.table, on="customer_id")
    full = full.merge(cv.churn.stages(full, settings.churn), on="customer_id")
    print(f"{len(table):,} customers")
    yield answers.pyramid_explorer(table, settings, settings.pyramid)
    yield answers.matrix_explorer(table, settings, settings.matrix)
    yield answers.clusters_explorer(table, settings, settings.segmentation)
    yield answers.lifetime_explorer(table, forecast, settings)
    yield answers.stages_explorer(full, settings)
    yield answers.customer_explorer(orders, full, forecast, settings)


def turned(control: Control, share: float) -> Any:
    """The control's value moved a little, so that no answer is the one before."""
    if control.options or control.unit == "text":
        return control.value
    value = control.value + share * min(0.02, control.high - control.value)
    return round(control.low + share * (control.high - control.low)) if control.unit == "count" else value


def answer(explorer: Explorer, values: Mapping[str, Any]) -> None:
    found = explorer.answer(values)
    drawn(found)
    worded(found.table)


def seconds(explorer: Explorer) -> list[float]:
    spent = []
    for share in np.linspace(0.1, 0.9, TIMES):
        values = {control.name: turned(control, share) for control in explorer.controls}
        start = time.perf_counter()
        answer(explorer, values)
        spent.append(time.perf_counter() - start)
    return spent


def main(customers: int = 100_000) -> None:
    matplotlib.use("agg")
    with tempfile.TemporaryDirectory() as folder:
        for explorer in explorers(Path(folder), customers):
            answer(explorer, explorer.start)
            spent = seconds(explorer)
            print(f"{explorer.name:<12}{np.median(spent):6.2f} s   slowest {max(spent):5.2f} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
