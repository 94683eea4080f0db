"""Lesson 3, the 20/80 law and the pyramid: shares, tiers, typical customers, who costs more than he brings."""

from __future__ import annotations

import pandas as pd

from custvalue import pyramid as tiers
from custvalue.workshop.classroom import Classroom
from custvalue.workshop.question import Question, choice

__all__ = ["QUESTIONS"]

_PER_ORDER = 60.0


def _share(room: Classroom, by: str = "sales", share: float = 0.20) -> float:
    return tiers.top_share(room.customers[by], share)


def _tier(room: Classroom, *codes: str, by: str = "sales") -> pd.Series:
    table = tiers.pyramid(room.customers, tiers.PyramidRules(by=by))
    return table.loc[table["tier"].isin(codes), "value"]


def _top_of_orders(room: Classroom) -> float:
    """The share that the largest fifth of the orders holds."""
    rows = room.orders.table.filter(room.orders.table.amount > 0).select("order_id", "amount").execute()
    return tiers.top_share(rows.groupby("order_id")["amount"].sum().astype(float), 0.20)


def _loss_makers(room: Classroom, *codes: str) -> int:
    rules = tiers.PyramidRules(cost_per_order=_PER_ORDER)
    served = tiers.with_profit(room.customers, rules)
    found = tiers.loss_makers(tiers.pyramid(room.customers, rules), served)
    return int(found["tier"].isin(codes).sum())


def _cheap_orders(room: Classroom) -> int:
    """Customers of the lead tier whose sales, not margin, are below the cost of serving them."""
    customers = room.customers
    lead = (tiers.pyramid(customers)["tier"] == "lead").to_numpy()
    return int((lead & (customers["sales_12m"] < _PER_ORDER * customers["n_orders_12m"]).to_numpy()).sum())


QUESTIONS = {
    "top_share": Question(
        "share",
        _share,
        {
            "assumed": lambda room: 0.80,
            "orders": _top_of_orders,
            "bottom": lambda room: 1 - _share(room, share=0.80),
            "rest": lambda room: 1 - _share(room),
        },
    ),
    "by_margin": Question(
        "share",
        lambda room: _share(room, "margin"),
        {"sales": _share, "last_year": lambda room: _share(room, "margin_12m")},
        tolerance=0.0008,
    ),
    "platinum_from": Question(
        "money",
        lambda room: float(_tier(room, "platinum").min()),
        {
            "gold": lambda room: float(_tier(room, "gold").min()),
            "mean": lambda room: float(_tier(room, "platinum").mean()),
            "last_year": lambda room: float(_tier(room, "platinum", by="sales_12m").min()),
        },
    ),
    "typical_lead": Question(
        "money",
        lambda room: float(_tier(room, "lead").median()),
        {
            "mean": lambda room: float(_tier(room, "lead").mean()),
            "everybody": lambda room: float(room.customers["sales"].median()),
        },
    ),
    "loss_makers": Question(
        "count",
        lambda room: _loss_makers(room, "lead"),
        {"all_tiers": lambda room: _loss_makers(room, *tiers.TIERS), "sales": _cheap_orders},
    ),
    "quiz_1": choice("b"),
    "quiz_2": choice("a"),
    "quiz_3": choice("c"),
}
