"""Lesson 9, online behaviour: browsing groups, who has just changed, the e-value, activity before an order."""

from __future__ import annotations

import pandas as pd

from custvalue.engagement import EVENT_WEIGHTS, browsing_segments
from custvalue.workshop.classroom import Classroom
from custvalue.workshop.question import Question, choice

__all__ = ["QUESTIONS"]

_DAY = pd.Timestamp("2025-09-30")
_SEEN = {"view": 6, "search": 2, "message": 1, "suggestion": 1}


def _views(room: Classroom) -> pd.DataFrame:
    return room.events[room.events["event"] == "view"].dropna(subset=["category"])


def _shoe_visitors(room: Classroom) -> int:
    """Visitors who look at shoes more often than at anything else; of equal ones the first by name counts."""
    n = _views(room).groupby(["customer_id", "category"]).size().rename("n").reset_index()
    most = n.sort_values(["n", "category"], ascending=[False, True]).drop_duplicates("customer_id")
    return int((most["category"] == "shoes").sum())


def _browsing(room: Classroom, *codes: str) -> int:
    return int(browsing_segments(room.events, room.orders.as_of)["browsing"].isin(codes).sum())


def _active(events: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.Series:
    day = events["event_date"]
    return events.loc[(day > first) & (day <= last), "customer_id"].drop_duplicates()


def _lift(room: Classroom, leak: bool = False) -> float:
    """Share with an order in the 90 days after the day: of the active in the 90 days before, against all others.

    Customers are those with an order by the day. With the leak, being active is looked up in the days of the orders.
    """
    ninety = pd.Timedelta(90, "D")
    first, last = (_DAY, _DAY + ninety) if leak else (_DAY - ninety, _DAY)
    known = room.customers[room.customers["first_order"] <= _DAY]
    rows = room.orders.table.filter(room.orders.table.amount > 0).select("customer_id", "order_date").execute()
    day = pd.to_datetime(rows["order_date"])
    buyers = rows.loc[(day > _DAY) & (day <= _DAY + ninety), "customer_id"].unique()
    ordered = known["customer_id"].isin(buyers)
    active = known["customer_id"].isin(_active(room.events, first, last))
    return float(ordered[active].mean() / ordered[~active].mean())


QUESTIONS = {
    "visitors": Question(
        "count",
        _shoe_visitors,
        {
            "views": lambda room: int((_views(room)["category"] == "shoes").sum()),
            "ever": lambda room: int(_views(room).query("category == 'shoes'")["customer_id"].nunique()),
        },
    ),
    "just_changed": Question(
        "count",
        lambda room: _browsing(room, "just_changed"),
        {
            "exploring": lambda room: _browsing(room, "just_changed", "exploring"),
            "new": lambda room: _browsing(room, "just_changed", "new"),
        },
    ),
    "e_value": Question(
        "number",
        lambda room: sum(EVENT_WEIGHTS[kind] * n for kind, n in _SEEN.items()),
        {
            "unweighted": lambda room: sum(_SEEN.values()),
            "sum_of_weights": lambda room: sum(EVENT_WEIGHTS[kind] for kind in _SEEN),
        },
    ),
    "lift": Question("number", _lift, {"leak": lambda room: _lift(room, leak=True)}, tolerance=0.02),
    "quiz_1": choice("b"),
    "quiz_2": choice("a"),
    "quiz_3": choice("c"),
}
