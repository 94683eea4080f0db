"""Lesson 2, data first: what is set aside, returns, customers who bought nothing in the end, equal lines."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pandas as pd

from custvalue.simulate.rules import DIRTY_ROWS
from custvalue.workshop.classroom import Classroom
from custvalue.workshop.question import Question, choice

__all__ = ["QUESTIONS"]


def _quality(room: Classroom, column: str, **where: str) -> float:
    table = room.orders.quality
    for name, wanted in where.items():
        table = table[table[name] == wanted]
    return float(table[column].sum())


def _accepted(room: Classroom, column: str) -> float:
    return _quality(room, column, status="accepted")


@cache
def _without_equal_lines(room: Classroom) -> pd.DataFrame:
    """The quality table where all but the first of equal lines are dropped."""
    from custvalue.pipeline import read
    from custvalue.transactions import CleanRules

    return read(room.folder, replace(room.settings, clean=CleanRules(duplicates="drop"))).quality


def _equal_lines(room: Classroom, column: str = "money") -> float:
    """What is lost when all but the first of equal lines are dropped: sales, or the number of lines."""
    quality = _without_equal_lines(room)
    return float(quality.loc[quality["reason"] == "duplicate", column].sum())


QUESTIONS = {
    "rows_aside": Question(
        "count",
        lambda room: _quality(room, "rows", status="quarantined"),
        {
            "with_zero": lambda room: sum(DIRTY_ROWS.values()),
            "returns": lambda room: _quality(room, "rows", reason="returned"),
            "no_customer": lambda room: _quality(room, "rows", reason="no_customer"),
        },
    ),
    "net_sales": Question(
        "money",
        lambda room: _accepted(room, "money"),
        {
            "before_returns": lambda room: _quality(room, "money", reason="purchased"),
            "everything": lambda room: float(room.orders.quality["money"].sum()),
        },
        tolerance=0.0002,
    ),
    "n_customers": Question(
        "count",
        lambda room: len(room.customers),
        {
            "cancelled": lambda room: room.orders.facts["customers"],
            "rows": lambda room: _accepted(room, "rows"),
        },
    ),
    "equal_lines": Question(
        "money",
        _equal_lines,
        {"rows": lambda room: _equal_lines(room, "rows")},
    ),
    "quiz_1": choice("c"),
    "quiz_2": choice("a"),
    "quiz_3": choice("b"),
}
