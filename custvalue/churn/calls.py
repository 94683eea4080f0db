"""The stages scored on history: what the customers did after the day on which they were given."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from custvalue.churn.rules import STAGES
from custvalue.errors import DataError

__all__ = ["EXPECTATIONS", "confirmed", "judged_calls"]

#: What a stage says will happen next.
EXPECTATIONS = ("order", "higher_sales", "order_in_time", "no_order")
_SAYS = {
    "identify": "order",
    "cultivate": "order",
    "grow": "higher_sales",
    "stable": "order_in_time",
    "decline": "no_order",
    "drop": "no_order",
}
#: Usual gaps within which a stable customer is expected back.
_IN_TIME = 2


def _higher_sales(table: pd.DataFrame, days: int) -> pd.Series:
    """More money a day than in the year before the rise; missing where there is no such year."""
    known = table["trend"].notna()
    return (table["sales_after"] / days > table["sales_prior_12m"] / 365).astype("boolean").mask(~known)


def _order_in_time(table: pd.DataFrame, days: int) -> pd.Series:
    """The next order within two usual gaps of the last one; missing where these had passed or go beyond the test."""
    due = _IN_TIME * table["rhythm_days"]
    open_now = (table["days_since_last"] < due) & (due <= table["days_since_last"] + days)
    came = table["days_since_last"] + table["days_to_next"].astype("Float64") <= due
    return came.astype("boolean").fillna(False).mask(~open_now)


_EVENTS: dict[str, Callable[[pd.DataFrame, int], pd.Series]] = {
    "order": lambda table, days: table["days_to_next"].notna().astype("boolean"),
    "no_order": lambda table, days: table["days_to_next"].isna().astype("boolean"),
    "higher_sales": _higher_sales,
    "order_in_time": _order_in_time,
}


def no_calls() -> pd.DataFrame:
    """The table of :func:`judged_calls` without a row."""
    flags = {name: pd.array([], dtype="boolean") for name in EXPECTATIONS}
    table = pd.DataFrame({"customer_id": pd.Series([], dtype="str"), "stage": pd.Categorical([], STAGES, ordered=True)})
    return table.assign(days_to_next=pd.array([], dtype="Int64"), sales_after=0.0, **flags)


def judged_calls(customers: pd.DataFrame, stages: pd.DataFrame, after: pd.DataFrame, days: int) -> pd.DataFrame:
    """What each customer did in the ``days`` after the day his stage was given.

    ``customers`` and ``stages`` are the tables as of that day; ``after`` has one row for each customer with an order or
    return since: ``customer_id``, ``days_to_next`` (days to the first order, missing for a return only),
    ``sales_after`` (money). Customers first seen later have no stage and are left out.

    One row per customer: ``customer_id``, ``stage``, ``days_to_next``, ``sales_after`` and a column for each of
    :data:`EXPECTATIONS`, whether it came true (missing where that can not be said): ``order``: bought again;
    ``no_order``: did not; ``order_in_time``: bought within two usual gaps of the last order, asked where these had not
    passed on the day and end within the test; ``higher_sales``: spent more a day than in the year before
    the last, asked where ``trend`` is known. Raises ``DataError`` where ``days`` is not at least 1.
    """
    if days < 1:
        raise DataError("no_days_to_judge", got=days)
    table = customers.merge(stages[["customer_id", "stage", "rhythm_days", "trend"]], on="customer_id", validate="1:1")
    table = table.merge(after, on="customer_id", how="left", validate="1:1")
    table["sales_after"] = table["sales_after"].astype("float64").fillna(0.0)
    events = {name: _EVENTS[name](table, days) for name in EXPECTATIONS}
    return table[["customer_id", "stage", "days_to_next", "sales_after"]].assign(**events)


def confirmed(calls: pd.DataFrame) -> pd.DataFrame:
    """How many of the stages given were right: one row per stage, scored like a forecast (C24).

    ``calls`` is the result of :func:`judged_calls`. Columns: ``stage``; ``n_customers``; ``expectation``, what the
    stage says will happen: identify and cultivate an *order*, grow *higher_sales*, stable an *order_in_time*,
    decline and drop *no_order*; ``n_judged``, those of whom it can be said; ``share_confirmed`` of them;
    ``share_of_all``, the share of all customers, of whatever stage, of whom the same came true: a stage that says no
    more than this says nothing. Shares are NaN where nobody can be judged.

    >>> calls = pd.DataFrame({"customer_id": list("abc"), "stage": pd.Categorical(["drop", "drop", "stable"], STAGES),
    ...     "order": [False, True, True], "no_order": [True, False, False], "higher_sales": pd.NA,
    ...     "order_in_time": [pd.NA, pd.NA, True]})
    >>> confirmed(calls).set_index("stage").loc["drop", "share_confirmed"]
    np.float64(0.5)
    """
    rows = []
    for stage in STAGES:
        event = calls[_SAYS[stage]].astype("boolean").astype("Float64")
        own = event[calls["stage"] == stage]
        mean = [float(part.mean()) if part.notna().any() else np.nan for part in (own, event)]
        rows.append((stage, len(own), _SAYS[stage], int(own.notna().sum()), *mean))
    columns = ["stage", "n_customers", "expectation", "n_judged", "share_confirmed", "share_of_all"]
    table = pd.DataFrame(rows, columns=columns)
    kinds = {"stage": STAGES, "expectation": EXPECTATIONS}
    return table.assign(**{k: pd.Categorical(table[k], categories=c, ordered=True) for k, c in kinds.items()})
