"""Lesson 1, what a customer costs and brings: cost of winning, payback, value with referrals."""

from __future__ import annotations

from custvalue.economics import acquisition_cost, campaign_costs, contact_cost
from custvalue.referrals import referral_value
from custvalue.workshop.classroom import Classroom
from custvalue.workshop.question import Question, choice

__all__ = ["QUESTIONS"]

_COST, _VISITS, _PER_WIN = 182_500, 365, 4
_MAILING, _CHANNEL = "spring_mailing", "search_ad"


def _class_cost(room: Classroom, cost: float, contacts: float, per_win: float) -> float:
    return acquisition_cost(contact_cost(cost, contacts), per_win)


def _mailing(room: Classroom, column: str = "cost_per_response") -> float:
    table = campaign_costs(room.campaigns).set_index("campaign")
    return float(table.loc[_MAILING, column])


def _with_hold_outs(room: Classroom) -> float:
    """The cost over all who responded, also those nobody wrote to."""
    rows = room.campaigns[room.campaigns["campaign"] == _MAILING]
    return float(rows["cost"].sum() / rows["responded"].sum())


def _channel_cost(room: Classroom) -> float:
    rows = room.attributes[room.attributes["acquisition_channel"] == _CHANNEL]
    return float(rows["acquisition_cost"].mean())


def _per_order(room: Classroom, column: str) -> float:
    """Money of an order of the customers who came this way."""
    ways = room.attributes[["customer_id", "acquisition_channel"]]
    rows = room.customers.merge(ways, on="customer_id")
    rows = rows[rows["acquisition_channel"] == _CHANNEL]
    return float(rows[column].sum() / rows["n_orders"].sum())


def _orders_to_pay_back(room: Classroom, column: str = "margin") -> float:
    return _channel_cost(room) / _per_order(room, column)


def _best_referrer(room: Classroom, column: str = "network_value") -> float:
    """The customer whose network of referrals brought most: his value with all of it, or one column of it."""
    table = referral_value(room.customers, room.attributes, "margin").table
    return float(table.loc[table["brought_value"].idxmax(), column])


def _direct_only(room: Classroom) -> float:
    """His own value and that of the customers he brought himself, without the next generations."""
    table = referral_value(room.customers, room.attributes, "margin").table
    best = table.loc[table["brought_value"].idxmax()]
    return float(best["own_value"] + table.loc[table["referrer"] == best["customer_id"], "own_value"].sum())


QUESTIONS = {
    "cost_per_customer": Question(
        "money",
        lambda room: _class_cost(room, _COST, _VISITS, _PER_WIN),
        {
            "one_visit": lambda room: contact_cost(_COST, _VISITS),
            "divided": lambda room: contact_cost(_COST, _VISITS) / _PER_WIN,
            "no_visits": lambda room: _COST / _PER_WIN,
        },
    ),
    "own_cost": Question(
        "money",
        _class_cost,
        {
            "one_contact": lambda room, cost, contacts, per_win: contact_cost(cost, contacts),
            "divided": lambda room, cost, contacts, per_win: contact_cost(cost, contacts) / per_win,
        },
    ),
    "per_response": Question(
        "money",
        _mailing,
        {"one_letter": lambda room: _mailing(room, "cost_per_contact"), "hold_outs": _with_hold_outs},
    ),
    "orders_to_pay_back": Question(
        "number",
        _orders_to_pay_back,
        {"sales": lambda room: _orders_to_pay_back(room, "sales")},
        tolerance=0.02,
    ),
    "network_value": Question(
        "money",
        _best_referrer,
        {
            "own_only": lambda room: _best_referrer(room, "own_value"),
            "brought_only": lambda room: _best_referrer(room, "brought_value"),
            "direct_only": _direct_only,
        },
    ),
    "quiz_1": choice("b"),
    "quiz_2": choice("c"),
    "quiz_3": choice("a"),
}
