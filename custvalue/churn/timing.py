"""When each customer is next due, and when to act if he does not come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from custvalue.churn.rules import ChurnRules

__all__ = ["ACT_CODES", "ACT_LEVEL", "next_order"]

#: Of customers still active with the same rhythm, the share that would have come back by ``act_from``.
ACT_LEVEL = 0.8
#: What the calendar says of speaking to a customer: not yet, now, or the best time has passed.
ACT_CODES = ("wait", "now", "late")
#: No day further away than this is looked for, in days.
_LONGEST = 3650


def _model_days(customers: pd.DataFrame, fitted: Any, level: float) -> np.ndarray:
    """Days from the last purchase until P(alive) falls below the level if no order comes; the longest if never."""
    x = customers["n_repeats"].to_numpy(dtype=float)
    t_x = (customers["tenure_days"] - customers["days_since_last"]).to_numpy(dtype=float)
    low, high = np.zeros(len(x)), np.full(len(x), _LONGEST)

    def below(days: np.ndarray) -> np.ndarray:
        return fitted.p_alive(x, t_x / 7, (t_x + days) / 7) < level

    for _ in range(int(np.ceil(np.log2(_LONGEST)))):
        middle = np.floor((low + high) / 2)
        passed = below(middle)
        low, high = np.where(passed, low, middle), np.where(passed, middle, high)
    return np.where(below(low), low, high)


def _whole(days: pd.Series | np.ndarray) -> np.ndarray:
    return np.floor(np.asarray(days) + 0.5).astype("int64")


def next_order(
    customers: pd.DataFrame, stages: pd.DataFrame, fitted: Any = None, rules: ChurnRules | None = None
) -> pd.DataFrame:
    """When each customer is next expected, by his own rhythm, and when to act (C18, the rice seller's rule).

    One row per customer of both tables: ``customer_id``; ``next_from``, ``next_to``: last purchase + half a
    rhythm, + one and a half (whole days); ``overdue_days``: days by which the window has passed, 0 while it
    is open; ``act_from``, ``act_by``: the best time to speak to him if no order comes; ``act``: ``wait`` before
    act_from, ``now`` up to act_by, ``late`` after it.

    ``act_by`` is the day on which silence alone would make him a decline: rhythm x ``overdue_decline`` after
    the last purchase or, with the ``fitted`` model, the first day with P(alive) < ``alive_decline`` if that is
    earlier. ``act_from`` is the day by which :data:`ACT_LEVEL` (80%) of customers who are still active and buy
    at random at this rhythm would have come back, rhythm x ln 5, so that few are reminded who were coming anyway; never
    after act_by. ``fitted`` has ``p_alive(x, t_x, T)`` in weeks; P(alive) of a one-time buyer counts as in
    :func:`stages`.

    >>> customers = pd.DataFrame({"customer_id": ["a"], "last_order": pd.to_datetime(["2024-01-01"]),
    ...                           "days_since_last": [20]})
    >>> due = next_order(customers, pd.DataFrame({"customer_id": ["a"], "rhythm_days": [10.0]}))
    >>> due[["next_from", "next_to", "overdue_days", "act_from", "act_by", "act"]]
       next_from    next_to  overdue_days   act_from     act_by  act
    0 2024-01-06 2024-01-16             5 2024-01-17 2024-01-21  now
    """
    rules = rules or ChurnRules()
    table = customers.merge(stages[["customer_id", "rhythm_days"]], on="customer_id", validate="one_to_one")
    rhythm = table["rhythm_days"]
    until = np.ceil(rhythm * rules.overdue_decline).to_numpy()
    if fitted is not None:
        until = np.minimum(until, _model_days(table, fitted, rules.alive_decline))
    since = np.minimum(_whole(-rhythm * np.log1p(-ACT_LEVEL)), until)
    silent = table["days_since_last"]
    day = {name: pd.to_timedelta(_whole(n), unit="D") for name, n in _spans(rhythm, since, until).items()}
    act = np.select([silent < since, silent <= until], ACT_CODES[:2], ACT_CODES[2])
    return pd.DataFrame(
        {
            "customer_id": table["customer_id"],
            "next_from": table["last_order"] + day["next_from"],
            "next_to": table["last_order"] + day["next_to"],
            "overdue_days": (silent - day["next_to"].days).clip(lower=0),
            "act_from": table["last_order"] + day["act_from"],
            "act_by": table["last_order"] + day["act_by"],
            "act": pd.Categorical(act, categories=ACT_CODES, ordered=True),
        }
    )


def _spans(rhythm: pd.Series, since: np.ndarray, until: np.ndarray) -> dict[str, Any]:
    return {"next_from": rhythm * 0.5, "next_to": rhythm * 1.5, "act_from": since, "act_by": until}
