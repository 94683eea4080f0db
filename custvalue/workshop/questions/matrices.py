"""Lesson 5, the value matrices: margin as a rate, cuts, share of wallet and what can still be won."""

from __future__ import annotations

import pandas as pd

from custvalue.indices import share_of_wallet
from custvalue.matrix import MatrixRules, sales_margin_matrix, value_potential_matrix
from custvalue.workshop.classroom import Classroom
from custvalue.workshop.question import Question, choice

__all__ = ["QUESTIONS"]

_POINTS = 0.05


def _quadrant(room: Classroom, code: str, rules: MatrixRules | None = None) -> int:
    return int((sales_margin_matrix(room.customers, rules).table["quadrant"] == code).sum())


def _margin_amount(room: Classroom) -> int:
    """High sales and low margin, where margin is the amount and not the rate."""
    sales, margin = room.customers["sales"], room.customers["margin"]
    return int(((sales > sales.median()) & (margin <= margin.median())).sum())


def _wallet(room: Classroom) -> pd.DataFrame:
    return room.customers.assign(everybody="all")


def _share_of_wallet(room: Classroom) -> float:
    return float(share_of_wallet(_wallet(room), "everybody", room.attributes)["share_of_wallet"].iloc[0])


def _beside(room: Classroom) -> pd.DataFrame:
    spend = room.attributes[["customer_id", "category_spend_year"]]
    return room.customers.merge(spend, on="customer_id")


def _mean_of_shares(room: Classroom, column: str = "sales_12m") -> float:
    table = _beside(room)
    return float((table[column] / table["category_spend_year"]).mean())


def _all_years(room: Classroom) -> float:
    table = _beside(room)
    return float(table["sales"].sum() / table["category_spend_year"].sum())


def _classes(room: Classroom) -> pd.DataFrame:
    table = value_potential_matrix(room.customers, room.settings.matrix, room.attributes).table
    return table[["customer_id", "value_class"]].merge(_beside(room), on="customer_id")


def _to_win(room: Classroom, *codes: str) -> float:
    """What five points more of the wallet would bring a year in sales."""
    table = _classes(room)
    return _POINTS * float(table.loc[table["value_class"].isin(codes), "category_spend_year"].sum())


def _five_percent_of_sales(room: Classroom) -> float:
    table = _classes(room)
    return _POINTS * float(table.loc[table["value_class"] == "latent_value", "sales_12m"].sum())


QUESTIONS = {
    "high_low": Question(
        "count",
        lambda room: _quadrant(room, "high_low"),
        {
            "margin_amount": _margin_amount,
            "high_sales": lambda room: int((room.customers["sales"] > room.customers["sales"].median()).sum()),
        },
    ),
    "mean_cut": Question(
        "count",
        lambda room: int((room.customers["sales"] > room.customers["sales"].mean()).sum()),
        {
            "median": lambda room: int((room.customers["sales"] > room.customers["sales"].median()).sum()),
            "below": lambda room: int((room.customers["sales"] <= room.customers["sales"].mean()).sum()),
        },
    ),
    "wallet": Question(
        "share",
        _share_of_wallet,
        {"mean_of_shares": _mean_of_shares, "all_years": _all_years},
    ),
    "to_win": Question(
        "money",
        lambda room: _to_win(room, "latent_value"),
        {
            "of_sales": _five_percent_of_sales,
            "everybody": lambda room: _to_win(room, "high_value", "latent_value", "secondary_value", "low_value"),
        },
    ),
    "quiz_1": choice("b"),
    "quiz_2": choice("c"),
    "quiz_3": choice("a"),
}
