"""From the customer table to what the models read: x, t_x, T, and one row for all customers of the same history."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["grouped_rows", "model_inputs"]

_LARGEST_KEY = 2**62


def _days(customers: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Repeats, days from the first to the last purchase, days from the first purchase to the date of the table."""
    x = customers["n_repeats"].to_numpy(dtype="int64")
    span = customers["last_order"].to_numpy() - customers["first_order"].to_numpy()
    seen = span.astype("timedelta64[D]").astype("int64")
    return x, np.where(x > 0, seen, 0), customers["tenure_days"].to_numpy(dtype="int64")


def model_inputs(customers: pd.DataFrame) -> pd.DataFrame:
    """One row per customer: x, t_x and T in weeks, without rounding."""
    x, seen, tenure = _days(customers)
    return pd.DataFrame({"x": x, "t_x": seen / 7, "T": tenure / 7}, index=customers.index)


def _codes(x: np.ndarray, seen: np.ndarray, tenure: np.ndarray) -> np.ndarray:
    """One whole number for each history; equal histories have equal numbers, sorted as (x, t_x, T)."""
    longest = int(tenure.max()) + 1
    if (int(x.max()) + 1) * longest**2 < _LARGEST_KEY and tenure.min() >= 0 and seen.min() >= 0:
        return (x * longest + seen) * longest + tenure
    return pd.DataFrame({"x": x, "t": seen, "T": tenure}).groupby(["x", "t", "T"]).ngroup().to_numpy()


def grouped_rows(customers: pd.DataFrame) -> pd.DataFrame:
    """One row per distinct history: ``x`` repeats, ``t_x`` and ``T`` weeks, ``n_customers`` who share it.

    Where the table has ``sum_log_gaps``, the row has the sum of it over its customers: what tells how regular they buy.
    Fitting on these rows with weights gives the same answer as one row per customer.

    >>> days = pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-01"])
    >>> grouped_rows(pd.DataFrame({"first_order": days, "last_order": days + pd.to_timedelta([0, 0, 7], "D"),
    ...                            "n_repeats": [0, 0, 1], "tenure_days": [70, 70, 70]}))
       x  t_x     T  n_customers
    0  0  0.0  10.0            2
    1  1  1.0  10.0            1
    """
    x, seen, tenure = _days(customers)
    if not len(x):
        return pd.DataFrame({"x": x, "t_x": seen / 7, "T": tenure / 7, "n_customers": x})
    codes = _codes(x, seen, tenure)
    order = np.argsort(codes)
    first = np.flatnonzero(np.diff(codes[order], prepend=codes.min() - 1))
    one, n = order[first], np.diff(first, append=len(codes))
    rows = pd.DataFrame({"x": x[one], "t_x": seen[one] / 7, "T": tenure[one] / 7, "n_customers": n})
    if "sum_log_gaps" in customers:
        logs = customers["sum_log_gaps"].to_numpy(dtype=float)
        rows["sum_log_gaps"] = np.add.reduceat(np.nan_to_num(logs[order]), first)
    return rows
