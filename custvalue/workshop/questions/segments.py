"""Lesson 4, segmentation and its seven errors: first match, movement between years, what a grouping tells."""

from __future__ import annotations

import pandas as pd

from custvalue.segmentation import behaviour_segments
from custvalue.workshop.classroom import Classroom
from custvalue.workshop.question import Question, choice

__all__ = ["QUESTIONS"]

#: The seven ways to segment badly (C23).
_ERRORS = ("purpose", "product", "assets", "joining", "behaviour", "money", "frozen")


def _segment(customers: pd.DataFrame) -> pd.DataFrame:
    return behaviour_segments(customers)


def _n(room: Classroom, code: str) -> int:
    return int((_segment(room.customers)["segment"] == code).sum())


def _one_order(room: Classroom) -> int:
    return int((room.customers["n_repeats"] == 0).sum())


def _next_year(room: Classroom) -> pd.DataFrame:
    """The segment of each customer of a year ago, and his orders in the year after: segment, later."""
    before = _segment(room.year_ago)
    later = room.customers.set_index("customer_id")["n_orders_12m"]
    return before.assign(later=before["customer_id"].map(later).fillna(0))


def _back(room: Classroom, code: str = "dormant") -> float:
    """The share of a segment of a year ago that ordered in the year after."""
    table = _next_year(room)
    return float((table.loc[table["segment"] == code, "later"] > 0).mean())


def _back_of_today(room: Classroom) -> float:
    """The leak: the segments of today, the orders of the year that made them."""
    table = _segment(room.customers)
    ordered = (room.customers["n_orders_12m"] > 0).to_numpy()
    return float(ordered[(table["segment"] == "dormant").to_numpy()].mean())


def _moved(room: Classroom) -> float:
    """The share of the customers of a year ago whose segment is another today."""
    both = _segment(room.year_ago).merge(_segment(room.customers), on="customer_id", suffixes=("_before", "_now"))
    return float((both["segment_before"].astype(str) != both["segment_now"].astype(str)).mean())


def _moved_of_all(room: Classroom) -> float:
    """Newcomers counted as if they had moved."""
    both = _segment(room.customers).merge(_segment(room.year_ago), on="customer_id", how="left", suffixes=("", "_old"))
    return float((both["segment"].astype(str) != both["segment_old"].astype(str)).mean())


def _spread(room: Classroom, by: str) -> float:
    """Orders of the following year: the group with most against the one with fewest, by mean."""
    means = _groups(room, by)["later"].mean()
    return float(means.max() / means.min())


def _groups(room: Classroom, by: str):
    table = _next_year(room)
    if by == "quarter_joined":
        joined = room.year_ago.set_index("customer_id")["first_order"].dt.to_period("Q")
        table = table.assign(quarter_joined=table["customer_id"].map(joined).astype(str))
    elif by == "main_category":
        table = table.assign(main_category=room.year_ago["main_category"].to_numpy())
    return table.groupby(by, observed=True)


QUESTIONS = {
    "first_time": Question(
        "count",
        lambda room: _n(room, "first_time"),
        {
            "with_dormant": _one_order,
            "one_order_number": lambda room: int((room.customers["n_orders"] == 1).sum()),
        },
    ),
    "came_back": Question(
        "share",
        _back,
        {
            "leak": _back_of_today,
            "everybody": lambda room: float((_next_year(room)["later"] > 0).mean()),
        },
        tolerance=0.002,
    ),
    "moved": Question(
        "share",
        _moved,
        {"newcomers": _moved_of_all, "stayed": lambda room: 1 - _moved(room)},
    ),
    "by_segment": Question(
        "number",
        lambda room: _spread(room, "segment"),
        {
            "by_category": lambda room: _spread(room, "main_category"),
            "by_quarter": lambda room: _spread(room, "quarter_joined"),
        },
        tolerance=0.02,
    ),
    "error_a": choice("joining", _ERRORS, ("frozen",)),
    "error_b": choice("product", _ERRORS, ("joining",)),
    "error_c": choice("money", _ERRORS, ("assets",)),
    "quiz_1": choice("a"),
    "quiz_2": choice("c"),
    "quiz_3": choice("b"),
}
