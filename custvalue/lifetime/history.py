"""The purchase days of all customers, from which the customers can be counted as they stood on any day."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["History", "history"]


@dataclass(frozen=True)
class History:
    """Purchase days: ``customer`` (a whole number from 0) and ``day`` (days since 1970-01-01), sorted by both.

    ``ids`` are the customers' ids, ``customer`` their places in it.
    """

    customer: np.ndarray
    day: np.ndarray
    ids: pd.Series

    @property
    def first_day(self) -> int:
        """The day of the first purchase of all."""
        return int(self.day.min())

    def until(self, day: int) -> History:
        """The history as it was known at the end of ``day``."""
        known = self.day <= day
        return History(self.customer[known], self.day[known], self.ids)

    def of(self, customers: np.ndarray) -> History:
        """The history of some customers, given by a flag for each."""
        kept = customers[self.customer]
        return History(self.customer[kept], self.day[kept], self.ids)

    def customers(self, day: int) -> pd.DataFrame:
        """One row per customer who had bought by ``day``: what the models need of the customer table, as of that day.

        Columns: customer (the whole number), first_order, last_order, n_repeats, tenure_days and sum_log_gaps, the sum
        of the logarithms of the days between purchases.
        """
        known = self.until(day)
        first = np.flatnonzero(np.diff(known.customer, prepend=-1))
        n = np.diff(first, append=len(known.day))
        gaps = np.diff(known.day, prepend=0).astype(float)
        gaps[first] = 1.0
        days = {"first_order": known.day[first], "last_order": known.day[first + n - 1]}
        return pd.DataFrame(
            {
                "customer": known.customer[first],
                **{name: values.astype("datetime64[D]").astype("datetime64[s]") for name, values in days.items()},
                "n_repeats": n - 1,
                "tenure_days": day - known.day[first],
                "sum_log_gaps": np.add.reduceat(np.log(gaps), first) if len(first) else np.zeros(0),
            }
        )

    def orders_between(self, customers: np.ndarray, start: int, end: int) -> np.ndarray:
        """Purchase days after ``start`` up to ``end`` of each of ``customers``."""
        within = (self.day > start) & (self.day <= end)
        counts = np.bincount(self.customer[within], minlength=len(self.ids))
        return counts[customers].astype(float)


def as_number(day: dt.date) -> int:
    """Days since 1970-01-01.

    >>> as_number(dt.date(1970, 1, 3))
    2
    """
    return (pd.Timestamp(day).normalize() - pd.Timestamp(0)).days


def as_day(number: int) -> dt.date:
    """The day of a number of :func:`as_number`."""
    return dt.date(1970, 1, 1) + dt.timedelta(days=int(number))


def history(days: pd.DataFrame) -> History:
    """The history in a table of purchase days: customer_id, order_date; a day given twice counts once.

    >>> days = pd.DataFrame({"customer_id": ["b", "a", "b"], "order_date": pd.to_datetime(["1970-01-03"] * 3)})
    >>> history(days).day.tolist(), history(days).ids.tolist()
    ([2, 2], ['a', 'b'])
    """
    customer, ids = pd.factorize(days["customer_id"], sort=True)
    day = days["order_date"].to_numpy().astype("datetime64[D]").astype("int64")
    start, longest = (int(day.min()), int(np.ptp(day)) + 1) if len(day) else (0, 1)
    keys = np.sort(customer.astype("int64") * longest + day - start)
    keys = keys[np.diff(keys, prepend=-1) > 0]
    return History(keys // longest, keys % longest + start, pd.Series(ids, dtype="str"))
