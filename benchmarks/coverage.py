"""How often the intervals hold the truth: simulated portfolios whose next year is known.

Usage: python benchmarks/coverage.py [portfolios] [customers] [model ...]

Prints, for each world, the share of portfolios whose total lies within the interval of 80 and 95 %, and the share of
customers whose own orders and value do. Worlds: customers who leave as Pareto/NBD or as BG/NBD says, forecast with the
model of their own kind; spend as Gamma-Gamma says, but each order known only from the history.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd

from custvalue.lifetime import LifetimeRules, fitting, forecast, forecast_intervals

AS_OF = pd.Timestamp("2024-06-30")
AHEAD = 365


def _purchase_days(rng: np.random.Generator, rate: float, life: float, drop: float, weeks: float) -> np.ndarray:
    """Days of the repeat purchases within ``weeks`` after the first; ``life`` and ``drop`` end them."""
    times = np.sort(rng.uniform(0, weeks, rng.poisson(rate * weeks)))
    times = times[times < life]
    left = np.flatnonzero(rng.random(len(times)) < drop)
    return np.unique(np.ceil(7 * times[: left[0] + 1] if len(left) else 7 * times)).astype(int)


def world(model: str, n: int, rng: np.random.Generator, days: int = 730) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The customer table of a portfolio, and what each customer does in the year after: orders, money."""
    tenure = rng.integers(1, days, n)
    rate = rng.gamma(0.6, 1 / 8, n)
    life = rng.exponential(1 / rng.gamma(0.9, 1 / 20, n)) if model == "pareto_nbd" else np.full(n, np.inf)
    drop = rng.beta(0.8, 2.4, n) if model == "bg_nbd" else np.zeros(n)
    scale = rng.gamma(4.0, 1 / 15, n)
    rows, future = [], []
    for i in range(n):
        bought = _purchase_days(rng, rate[i], life[i], drop[i], (tenure[i] + AHEAD) / 7)
        seen = bought <= tenure[i]
        money = rng.gamma(6.0, 1 / scale[i], len(bought) + 1)
        past = money[:-1][seen]
        rows.append((seen.sum(), bought[seen].max(initial=0), past.sum(), past.sum() + money[-1]))
        future.append(((~seen).sum(), money[:-1][~seen].sum()))
    table = pd.DataFrame(rows, columns=["n_repeats", "seen", "repeat_sales", "sales"])
    table["customer_id"], table["tenure_days"] = table.index.astype(str), tenure
    table["first_order"] = AS_OF - pd.to_timedelta(table["tenure_days"], unit="D")
    table["last_order"] = table["first_order"] + pd.to_timedelta(table.pop("seen"), unit="D")
    table["n_orders"] = table["n_repeats"] + 1
    table["mean_order_value"] = table["sales"] / table["n_orders"]
    return table.assign(returns=0.0, margin=np.nan), pd.DataFrame(future, columns=["orders", "money"])


def _held(truth, low, high) -> np.ndarray:
    return (np.asarray(low) <= truth) & (truth <= np.asarray(high))


def one(model: str, n: int, seed: int) -> dict[str, float]:
    """Whether the intervals of one portfolio hold the truth (1 or 0; shares for customers)."""
    table, truth = world(model, n, np.random.default_rng(seed))
    found = forecast(table, AS_OF, LifetimeRules(model=model, discount_rate=0.0))
    bounds = forecast_intervals(table, found, seed=seed)
    totals = bounds.portfolio.set_index("measure")
    result = {
        "forecast": float(found.chosen == model),
        "ratio": totals.loc["n_orders", "expected"] / truth["orders"].sum(),
    }
    for share in (80, 95):
        for measure, column in (("n_orders", "orders"), ("value", "money")):
            row = totals.loc[measure]
            result[f"{column} {share}"] = _held(truth[column].sum(), row[f"low_{share}"], row[f"high_{share}"]).mean()
            name = "orders" if column == "orders" else "value"
            low, high = (bounds.table[f"{name}_{side}_{share}"] for side in ("low", "high"))
            result[f"customer {column} {share}"] = _held(truth[column].to_numpy(), low, high + 1e-9).mean()
    return result


def main(portfolios: int = 200, customers: int = 500, models: tuple[str, ...] = ("pareto_nbd", "bg_nbd")) -> None:
    fitting.LIFETIMES_UP_TO = 0  # our own search finds the same maximum sooner
    for model in models:
        start = time.perf_counter()
        found = pd.DataFrame([one(model, customers, seed) for seed in range(portfolios)])
        seconds = time.perf_counter() - start
        print(f"\n{model}: {portfolios} portfolios of {customers} customers, {seconds / portfolios:.2f} s each")
        print(found.mean().round(3).to_string())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *([tuple(sys.argv[3:])] if sys.argv[3:] else []))
