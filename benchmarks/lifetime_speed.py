"""Speed of BG/NBD with Gamma-Gamma on many customers: this package against ``lifetimes``.

``python benchmarks/lifetime_speed.py [CUSTOMERS] [--large CUSTOMERS]`` simulates customers of the BG/NBD over two years
(about five orders each), then prints seconds and the ratio of both, in one run, for fit, P(alive) and the discounted
value of 12 months, how far the parameters agree, and the time of the fit for ``--large`` customers against that for
CUSTOMERS. Seconds on the clock, or of the processors where ``BENCH_CPU`` is set.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import time
import warnings

import numpy as np
import pandas as pd

from custvalue.lifetime import fit, fit_spend, grouped_rows
from custvalue.lifetime.likelihood import Likelihood
from custvalue.lifetime.models import FAMILIES
from custvalue.lifetime.spend import repeat_means

TRUTH = {"r": 0.8, "alpha": 5.0, "a": 0.8, "b": 4.0}
MONTHS = np.arange(1, 13) * 365 / 12 / 7


def simulated(n: int, seed: int = 1) -> pd.DataFrame:
    """The columns of the customer table that the models read, drawn from the BG/NBD and Gamma-Gamma, by day."""
    rng = np.random.default_rng(seed)
    as_of = np.datetime64("2024-12-31", "s")
    tenure = rng.integers(0, 730, n)
    rate, leave = rng.gamma(TRUTH["r"], 1 / TRUTH["alpha"], n) / 7, rng.beta(TRUTH["a"], TRUTH["b"], n)
    last, day, x, active = np.zeros(n), np.zeros(n), np.zeros(n, dtype="int64"), np.arange(n)
    while len(active):
        day[active] += rng.standard_exponential(len(active)) / np.maximum(rate[active], 1e-12)
        active = active[day[active] <= tenure[active]]
        x[active] += np.ceil(day[active]) > last[active]
        last[active] = np.ceil(day[active])
        active = active[rng.random(len(active)) > leave[active]]
    mean = rng.gamma(6.0, 1.0, n) / rng.gamma(4.0, 1 / 15.0, n)
    first = as_of - tenure.astype("timedelta64[D]").astype("timedelta64[s]")
    return pd.DataFrame(
        {
            "first_order": first,
            "last_order": first + last.astype("int64").astype("timedelta64[D]").astype("timedelta64[s]"),
            "n_repeats": x,
            "tenure_days": tenure,
            "repeat_sales": np.round(x * mean, 2),
            "mean_order_value": mean,
        }
    )


def ours(customers: pd.DataFrame, seconds: dict[str, float]) -> tuple[dict[str, float], np.ndarray]:
    """Fit, P(alive) and the value of 12 months with this package."""
    with timed(seconds, "group"):
        rows = grouped_rows(customers)
    with timed(seconds, "fit orders"):
        model = fit(rows, "bg_nbd")
    x, t_x, T = _inputs(customers)
    with timed(seconds, "p_alive"):
        model.p_alive(x, t_x, T)
    with timed(seconds, "fit spend"):
        spend = fit_spend(customers)
        means = repeat_means(customers)
        money = spend.expected_spend(means["n"], means["mean"])
    with timed(seconds, "12 months"):
        value = model.weighted_orders(x, t_x, T, MONTHS, _weights()) * money
    return dict(model.parameters), value


def theirs(customers: pd.DataFrame, seconds: dict[str, float]) -> tuple[dict[str, float], np.ndarray]:
    """The same steps with ``lifetimes``."""
    import lifetimes

    x, t_x, T = _inputs(customers)
    with timed(seconds, "fit orders"):
        model = lifetimes.BetaGeoFitter().fit(x, t_x, T)
    with timed(seconds, "p_alive"):
        model.conditional_probability_alive(x, t_x, T)
    buyers = customers[customers["n_repeats"] > 0]
    own = buyers["repeat_sales"] / buyers["n_repeats"]
    with timed(seconds, "fit spend"):
        spend = lifetimes.GammaGammaFitter().fit(buyers["n_repeats"], own)
    mean = (customers["repeat_sales"] / customers["n_repeats"]).fillna(0.0)
    with timed(seconds, "12 months"):
        series = (pd.Series(x), pd.Series(t_x), pd.Series(T))
        value = spend.customer_lifetime_value(model, *series, mean, time=12, discount_rate=0.008, freq="W")
    return dict(model.params_), value.to_numpy()


def _weights() -> np.ndarray:
    """What each cumulative count of orders adds to the value: monthly orders discounted at .8% a month."""
    discount = 1.008 ** -np.arange(1, 13)
    return discount - np.append(discount[1:], 0.0)


def _inputs(customers: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    weeks = (customers["last_order"] - customers["first_order"]).to_numpy().astype("timedelta64[D]").astype(float) / 7
    return customers["n_repeats"].to_numpy(dtype=float), weeks, customers["tenure_days"].to_numpy(dtype=float) / 7


@contextlib.contextmanager
def timed(seconds: dict[str, float], step: str):
    clock = time.process_time if os.environ.get("BENCH_CPU") else time.perf_counter
    start = clock()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
    seconds[step] = clock() - start


def compare(customers: pd.DataFrame) -> dict[str, float]:
    """Print the table of seconds, and the agreement; return our seconds."""
    mine: dict[str, float] = {}
    other: dict[str, float] = {}
    q, value = ours(customers, mine)
    their_q, their_value = theirs(customers, other)
    table = pd.DataFrame({"custvalue": mine, "lifetimes": other}).reindex(list(mine))
    table.loc["all"] = table.sum()
    print(table.assign(ratio=table["lifetimes"] / table["custvalue"]).round(3).to_string(), "\n")
    both = pd.DataFrame({"truth": TRUTH, "custvalue": q, "lifetimes": their_q})
    print(both.assign(difference=both["custvalue"] / both["lifetimes"] - 1).to_string(), "\n")
    likelihood = Likelihood(FAMILIES["bg_nbd"], grouped_rows(customers))
    totals = [likelihood.total(np.log([found[name] for name in TRUTH])) for found in (q, their_q)]
    print(f"log-likelihood: custvalue {totals[0]:.3f}, lifetimes {totals[1]:.3f}")
    print(f"value of 12 months: custvalue {value.sum():,.0f}, lifetimes (30-day months) {their_value.sum():,.0f}\n")
    return mine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("customers", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--large", type=int, default=0)
    arguments = parser.parse_args()
    warm = simulated(6_000)
    fit(grouped_rows(warm), "bg_nbd"), fit_spend(warm)  # imports are not timed
    customers = simulated(arguments.customers)
    print(f"{len(customers):,} customers, {int(customers['n_repeats'].sum() + len(customers)):,} orders\n")
    small = compare(customers)
    if arguments.large:
        seconds: dict[str, float] = {}
        large = simulated(arguments.large)
        with timed(seconds, "group"):
            rows = grouped_rows(large)
        with timed(seconds, "fit orders"):
            fit(rows, "bg_nbd")
        print(f"{len(large):,} customers, {len(rows):,} distinct histories:")
        for step, value in seconds.items():
            print(f"{step}: {value:.2f} s, {value / small[step]:.1f} times that of {len(customers):,}")


if __name__ == "__main__":
    main()
