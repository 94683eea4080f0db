"""Customer tables with known truth for the lifetime tests."""

import numpy as np
import pandas as pd

AS_OF = pd.Timestamp("2024-06-30")


def customers_of(x, t_x_days, tenure_days, order_value=20.0, margin=np.nan):
    """A customer table from day counts, every order of the same value."""
    table = pd.DataFrame({"n_repeats": x, "tenure_days": tenure_days}).reset_index(drop=True)
    table["customer_id"] = table.index.astype(str)
    table["first_order"] = AS_OF - pd.to_timedelta(table["tenure_days"], unit="D")
    table["last_order"] = table["first_order"] + pd.to_timedelta(np.asarray(t_x_days), unit="D")
    table["n_orders"] = table["n_repeats"] + 1
    table["sales"] = table["n_orders"] * order_value
    table["repeat_sales"] = table["n_repeats"] * order_value
    return table.assign(returns=0.0, mean_order_value=order_value, margin=margin)


def simulated(n, seed, days=730, churn=True, r=0.6, alpha=8.0):
    """Pareto/NBD customers: purchase days and first days; r, alpha, s = 0.9, beta = 20 weeks."""
    rng = np.random.default_rng(seed)
    rate, tenure = rng.gamma(r, 1 / alpha, n), rng.integers(1, days, n)
    life = rng.exponential(1 / rng.gamma(0.9, 1 / 20, n)) if churn else np.full(n, np.inf)
    weeks = np.minimum(life, tenure / 7)
    orders = [np.unique(np.ceil(7 * w * rng.random(rng.poisson(k * w)))) for k, w in zip(rate, weeks, strict=True)]
    return tenure, orders


def table_as_of(tenure, orders, day=0):
    """The customer table ``day`` days before the end."""
    seen = [o[o <= t - day] for t, o in zip(tenure, orders, strict=True)]
    table = customers_of([len(o) for o in seen], [o.max() if len(o) else 0 for o in seen], tenure - day)
    return table[table["tenure_days"] >= 0]


def odd_customers(name):
    rng = np.random.default_rng(1)
    if name == "one customer":
        return customers_of([3], [100], [200])
    if name == "three customers":
        return customers_of([0, 2, 5], [0, 70, 210], [280, 266, 245])
    if name == "all one-timers":
        return customers_of([0] * 30, [0] * 30, rng.integers(0, 400, 30))
    if name == "identical":
        return customers_of([4] * 40, [280] * 40, [364] * 40)
    if name == "no churn":
        return table_as_of(*simulated(300, 2, churn=False))
    x = rng.integers(0, 401, 60)
    return customers_of(x, np.where(x > 0, rng.integers(400, 460, 60), 0), [460] * 60)
