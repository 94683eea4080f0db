"""Lesson 8, acting: audiences, hold-outs, what a message really added, opinion leaders."""

from __future__ import annotations

import pandas as pd

from custvalue.workshop.classroom import Classroom
from custvalue.workshop.question import Question, choice

__all__ = ["QUESTIONS"]

_CAMPAIGN = "vip_evening"


def _arms(room: Classroom) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Who was written to, and who was held out."""
    rows = room.campaigns[room.campaigns["campaign"] == _CAMPAIGN]
    held = rows["hold_out"].astype(bool)
    return rows[~held], rows[held]


def _rate(rows: pd.DataFrame) -> float:
    return float(rows["responded"].astype(float).mean())


def _uplift(room: Classroom) -> float:
    written_to, held = _arms(room)
    return _rate(written_to) - _rate(held)


def _half_width(room: Classroom, times: float = 1.96) -> float:
    """How far the measured uplift can be off by chance, 19 times in 20."""
    p, n = zip(*((_rate(rows), len(rows)) for rows in _arms(room)), strict=True)
    return times * (p[0] * (1 - p[0]) / n[0] + p[1] * (1 - p[1]) / n[1]) ** 0.5


def _margin_rate(room: Classroom) -> float:
    return float(room.customers["margin"].sum() / room.customers["sales"].sum())


def _profit(room: Classroom, rate: float | None = None, additional: bool = True) -> float:
    """Margin of the revenue on top (that of a customer written to less that of one held out), less the cost."""
    written_to, held = _arms(room)
    each = written_to["revenue"].mean() - (held["revenue"].mean() if additional else 0.0)
    margin = _margin_rate(room) if rate is None else rate
    return float(each * len(written_to) * margin - written_to["cost"].sum())


def _audience(room: Classroom, consent: bool = True) -> int:
    table = room.known.merge(room.attributes[["customer_id", "consent"]], on="customer_id")
    top = table["sales"] > table["sales"].quantile(0.8)
    wanted = (table["stage"] == "decline") & top
    return int((wanted & (table["consent"] == 1)).sum() if consent else wanted.sum())


def _leaders(room: Classroom, referral: bool = True, region: bool = True) -> frozenset[str]:
    """Two product suggestions or more, brought somebody who bought, lives where the event is."""
    events = room.events[room.events["event"] == "suggestion"]
    n = events.groupby("customer_id").size()
    table = room.customers.merge(room.attributes, on="customer_id")
    brought = table["customer_id"].isin(table["referrer"].dropna())
    chosen = table["customer_id"].map(n).fillna(0) >= 2
    chosen &= brought if referral else True
    chosen &= (table["region"] == "east") if region else True
    return frozenset(table.loc[chosen, "customer_id"])


QUESTIONS = {
    "audience": Question("count", _audience, {"no_consent": lambda room: _audience(room, consent=False)}),
    "uplift": Question(
        "share",
        _uplift,
        {
            "written_to": lambda room: _rate(_arms(room)[0]),
            "everybody": lambda room: _rate(pd.concat(_arms(room))),
            "ratio": lambda room: _uplift(room) / _rate(_arms(room)[1]),
        },
        tolerance=0.0005,
    ),
    "off_by": Question("share", _half_width, {"one_error": lambda room: _half_width(room, 1.0)}, tolerance=0.002),
    "profit": Question(
        "money",
        _profit,
        {
            "sales": lambda room: _profit(room, rate=1.0),
            "no_hold_out": lambda room: _profit(room, additional=False),
            "both": lambda room: _profit(room, rate=1.0, additional=False),
        },
        tolerance=0.01,
    ),
    "leaders": Question(
        "count",
        lambda room: len(_leaders(room)),
        {
            "no_referral": lambda room: len(_leaders(room, referral=False)),
            "everywhere": lambda room: len(_leaders(room, region=False)),
        },
    ),
    "quiz_1": choice("b"),
    "quiz_2": choice("a"),
    "quiz_3": choice("c"),
}
