"""Lesson 6, lifetime value from the simple formula to the model: formulas, the leak, forecast against the truth."""

from __future__ import annotations

import pandas as pd

from custvalue.economics import lifetime_revenue, retention_value
from custvalue.workshop.classroom import Classroom
from custvalue.workshop.question import Question, choice

__all__ = ["QUESTIONS"]

_YEARS = 3


def _active(room: Classroom) -> pd.DataFrame:
    return room.customers[room.customers["n_orders_12m"] > 0]


def _simple(room: Classroom, profit: bool = True, everybody: bool = False) -> float:
    """Sales a year of an active customer x years x margin rate of the shop."""
    table = room.customers if everybody else _active(room)
    rate = room.customers["margin"].sum() / room.customers["sales"].sum()
    return lifetime_revenue(float(table["sales_12m"].mean()), _YEARS, float(rate) if profit else 1.0)


def _expected(room: Classroom, column: str) -> float:
    return float(room.truth[column].sum())


def _off(room: Classroom) -> float:
    """The forecast of all orders of the next 12 months against the known truth, as a share of the truth."""
    forecast = float(room.forecast.table["expected_orders_12m"].sum())
    return forecast / _expected(room, "expected_orders_12m") - 1


def _last_year_off(room: Classroom) -> float:
    return float(room.customers["n_orders_12m"].sum()) / _expected(room, "expected_orders_12m") - 1


def _best_tenth(customers: pd.DataFrame, room: Classroom) -> float:
    """The share of the last year's orders placed by the tenth of ``customers`` with most orders, of all in it."""
    later = room.customers.set_index("customer_id")["n_orders_12m"]
    ranked = customers.sort_values(["n_orders", "customer_id"], ascending=[False, True])["customer_id"]
    bought = ranked.map(later).fillna(0)
    return float(bought.head(len(ranked) // 10).sum() / bought.sum())


def _leaked(room: Classroom) -> float:
    """The same ranked by the orders of today's table, which holds the year to be forecast."""
    known = room.customers[room.customers["customer_id"].isin(room.year_ago["customer_id"])]
    return _best_tenth(known, room)


QUESTIONS = {
    "simple": Question(
        "money",
        _simple,
        {
            "no_margin": lambda room: _simple(room, profit=False),
            "everybody": lambda room: _simple(room, everybody=True),
            "one_year": lambda room: _simple(room) / _YEARS,
        },
    ),
    "retention": Question(
        "money",
        lambda room: retention_value(100, 0.8, 0.1),
        {
            "no_discount": lambda room: retention_value(100, 0.8, 0),
            "years_of_loyalty": lambda room: 100 / (1 - 0.8),
            "at_once": lambda room: 100 + retention_value(100, 0.8, 0.1),
        },
    ),
    "best_tenth": Question(
        "share",
        lambda room: _best_tenth(room.year_ago, room),
        {"leak": _leaked},
        tolerance=0.01,
    ),
    "off": Question(
        "share",
        _off,
        {"last_year": _last_year_off, "other_sign": lambda room: -_off(room)},
        tolerance=0.0008,
    ),
    "quiz_1": choice("c"),
    "quiz_2": choice("b"),
    "quiz_3": choice("a"),
}
