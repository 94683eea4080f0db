"""Actual against expected orders as the field draws them: week by week, and by orders and silence."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from custvalue.lifetime.fitting import Fitted
from custvalue.lifetime.history import History, as_day, as_number

__all__ = ["PERIODS", "frequency_recency", "tracking"]

#: Weeks the model was fitted to, and weeks held out.
PERIODS = ("fitted", "held_out")
#: Rows and columns of :func:`frequency_recency` at most.
_CELLS = 12


def _expected_by_day(model: Fitted, known: History, cut: int, last: int) -> np.ndarray:
    """Expected repeat orders up to the end of each day, of all customers who came by the cut-off, from day one on."""
    first = known.first_day
    came = np.bincount(known.customers(cut)["tenure_days"].to_numpy())[::-1]
    started = np.pad(came, (cut - first + 1 - len(came), last - cut))
    ages = np.arange(1, last - first + 1)
    zero = np.zeros(1)
    per_customer = np.concatenate([zero, [model.expected_orders(0, 0, 0, age / 7)[0] for age in ages]])
    return np.convolve(started, per_customer)[: len(started)]


def tracking(model: Fitted, known: History, cutoff: dt.date, as_of: dt.date) -> pd.DataFrame:
    """One row per week: repeat orders of the customers who came by the cut-off, actual and expected.

    Columns: week (from 1), week_end, period (``fitted`` up to the cut-off, ``held_out`` after it), actual and
    expected_orders of the week, actual_total and expected_total so far. Weeks are counted back from the cut-off, so
    that none lies on both sides; days after the last full week are left out, those before the first are in the totals.
    Expected is what the model says of a new customer, summed over the days customers came (Fader, Hardie & Lee 2005,
    figure 4): it is fitted to the weeks before the cut-off, but knows nobody's own orders. A naive rule says nothing
    of new customers: 0.
    """
    cut, last, first = as_number(cutoff), as_number(as_of), known.first_day
    early = known.of(np.isin(np.arange(len(known.ids)), known.customers(cut)["customer"])).until(last)
    repeat = early.day[np.diff(early.customer, prepend=-1) == 0]
    actual = np.bincount(repeat - first, minlength=last - first + 1).cumsum()
    expected = _expected_by_day(model, known, cut, last)
    ends = np.arange(cut - (cut - first) // 7 * 7, last + 1, 7)
    at = ends - first
    table = pd.DataFrame(
        {
            "week": np.arange(len(ends)),
            "week_end": pd.to_datetime([as_day(end) for end in ends]).astype("datetime64[s]"),
            "period": pd.Categorical(np.where(ends <= cut, *PERIODS), categories=PERIODS),
            "actual": np.diff(actual[at], prepend=0),
            "expected_orders": np.diff(expected[at], prepend=0.0),
            "actual_total": actual[at],
            "expected_total": expected[at],
        }
    )
    return table[1:].reset_index(drop=True)


def frequency_recency(model: Fitted, known: History, cutoff: dt.date, weeks: float) -> pd.DataFrame:
    """One row per number of repeat orders and weeks without one: the orders expected of such a customer.

    Columns: n_repeats (0 to 11 at most), weeks_since_last, expected_orders in the ``weeks`` after the cut-off,
    n_customers who stood near there. The customer's first order lies as many weeks back as that of the customers in the
    middle; one who never came back has only that silence, so his other cells are missing.
    """
    customers = known.customers(as_number(cutoff))
    T = float(customers["tenure_days"].median()) / 7
    most = int(min(customers["n_repeats"].max(), _CELLS - 1))
    steps = np.linspace(0, T, _CELLS)
    x, silence = (grid.ravel() for grid in np.meshgrid(np.arange(most + 1), steps, indexing="ij"))
    possible = np.where(x == 0, silence == T, silence < T)
    t_x = np.where(x > 0, T - silence, 0.0)
    expected = np.where(possible, model.expected_orders(x, t_x, T, weeks), np.nan)
    table = pd.DataFrame({"n_repeats": x.astype("int64"), "weeks_since_last": silence, "expected_orders": expected})
    return table.assign(n_customers=_near(customers, cutoff, steps, table))


def _near(customers: pd.DataFrame, cutoff: dt.date, steps: np.ndarray, table: pd.DataFrame) -> np.ndarray:
    """Customers whose repeats and silence are nearest to each row of the table."""
    silent = (pd.Timestamp(cutoff) - customers["last_order"]).dt.days.to_numpy() / 7
    width = steps[1] - steps[0] if steps[-1] > 0 else 1.0
    place = np.clip(np.rint(silent / width), 0, len(steps) - 1).astype(int)
    place = np.where(customers["n_repeats"] == 0, len(steps) - 1, place)
    x = np.minimum(customers["n_repeats"].to_numpy(), table["n_repeats"].max())
    return np.bincount(x * len(steps) + place, minlength=len(table))
