"""One customer's purchases and what the model thought of him from day to day."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from custvalue.churn.stages import require
from custvalue.errors import DataError

__all__ = ["history"]


def history(days: pd.DataFrame, fitted: Any, customer_id: str, as_of: dt.date | str) -> pd.DataFrame:
    """Purchases and P(alive) of one customer, day by day from his first purchase to ``as_of``.

    ``days`` has one row per customer and purchase day: ``customer_id``, ``order_date`` and ``n_orders`` where known.
    ``fitted`` has ``p_alive(x, t_x, T)`` in weeks; without it (None) P(alive) is missing. One row per day: ``day``;
    ``orders_of_day``, purchases of that day; ``p_alive`` at its end, from the purchases up to then. The parameters are
    those fitted on everybody's whole history: it is the model's view in hindsight, not what it would have said on the
    day.

    Raises ``DataError`` for a customer without a purchase up to ``as_of``.

    >>> from custvalue.lifetime import Fitted
    >>> days = pd.DataFrame({"customer_id": ["a", "a"], "order_date": pd.to_datetime(["2024-01-01", "2024-01-08"])})
    >>> model = Fitted("mbg_nbd", {"r": 0.5, "alpha": 6.0, "a": 0.9, "b": 1.6})
    >>> history(days, model, "a", "2024-01-15")["orders_of_day"].sum()
    np.int64(2)
    """
    require(days, "customer_id", "order_date")
    end = pd.Timestamp(as_of).normalize()
    own = days[(days["customer_id"] == customer_id) & (days["order_date"] <= end)]
    if own.empty:
        raise DataError("no_such_customer", got=customer_id, as_of=end.date())
    orders = own.assign(n=own.get("n_orders", 1)).groupby("order_date")["n"].sum()
    calendar = pd.date_range(orders.index.min(), end, freq="D", unit="s")
    orders = orders.reindex(calendar, fill_value=0).astype("int64")
    bought = orders.to_numpy() > 0
    age = np.arange(len(calendar), dtype=float)
    x, t_x = np.cumsum(bought) - 1.0, np.maximum.accumulate(np.where(bought, age, 0.0))
    p_alive = np.full(len(x), np.nan) if fitted is None else fitted.p_alive(x, t_x / 7, age / 7)
    return pd.DataFrame({"day": calendar, "orders_of_day": orders.to_numpy(), "p_alive": p_alive})
