"""Lesson 7, stages, P(alive) and the traps: rhythm, fixed rules, one-time buyers, value at risk."""

from __future__ import annotations

import pandas as pd

from custvalue.workshop.classroom import Classroom
from custvalue.workshop.question import Question, choice

__all__ = ["QUESTIONS"]

_SILENT = 180
_OLD = 5


def _with_truth(room: Classroom) -> pd.DataFrame:
    return room.known.merge(room.truth[["customer_id", "alive"]], on="customer_id")


def _one_timers(room: Classroom) -> pd.DataFrame:
    table = _with_truth(room)
    return table[table["n_repeats"] == 0]


def _wrongly_gone(room: Classroom) -> float:
    """Of the customers a fixed rule calls gone, the share that is active in truth."""
    table = _with_truth(room)
    return float(table.loc[table["days_since_last"] > _SILENT, "alive"].mean())


def _missed(room: Classroom) -> float:
    """Of the active customers, the share the fixed rule calls gone."""
    table = _with_truth(room)
    return float((table.loc[table["alive"] == 1, "days_since_last"] > _SILENT).mean())


def _old(room: Classroom) -> pd.DataFrame:
    """Customers with five orders or more."""
    return room.known[room.known["n_orders"] >= _OLD]


def _at_risk(room: Classroom, *codes: str, column: str = "value_at_risk") -> float:
    table = _old(room)
    return float(table.loc[table["stage"].isin(codes), column].sum())


QUESTIONS = {
    "overdue": Question(
        "number",
        lambda room: 75 / 30,
        {"days_late": lambda room: 75 - 30, "upside_down": lambda room: 30 / 75, "gaps_late": lambda room: 75 / 30 - 1},
    ),
    "one_timers": Question(
        "share",
        lambda room: float(_one_timers(room)["alive"].mean()),
        {
            "bg_nbd": lambda room: 1.0,
            "all_customers": lambda room: float(_with_truth(room)["alive"].mean()),
        },
        tolerance=0.002,
    ),
    "wrongly_gone": Question("share", _wrongly_gone, {"missed": _missed, "all_right": lambda room: 0.0}),
    "in_decline": Question(
        "count",
        lambda room: int((_old(room)["stage"] == "decline").sum()),
        {
            "everybody": lambda room: int((room.known["stage"] == "decline").sum()),
            "late": lambda room: int((_old(room)["overdue"] >= 2).sum()),
            "silent": lambda room: int((_old(room)["days_since_last"] > _SILENT).sum()),
        },
    ),
    "at_risk": Question(
        "money",
        lambda room: _at_risk(room, "decline"),
        {
            "everybody": lambda room: float(room.known.loc[room.known["stage"] == "decline", "value_at_risk"].sum()),
            "with_drop": lambda room: _at_risk(room, "decline", "drop"),
            "if_stays": lambda room: _at_risk(room, "decline", column="value_if_stays_12m"),
        },
    ),
    "quiz_1": choice("a"),
    "quiz_2": choice("c"),
    "quiz_3": choice("b"),
}
