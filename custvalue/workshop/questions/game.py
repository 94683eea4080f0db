"""Lesson 10, the frame as a business game: what actions bring, what a plan costs, luck and skill."""

from __future__ import annotations

import pandas as pd

from custvalue.simulate.game import Game, GameRules, choose
from custvalue.workshop.classroom import Classroom
from custvalue.workshop.question import Question, choice

__all__ = ["QUESTIONS"]

_MARGIN_RATE = 0.35


def _known(room: Classroom) -> pd.DataFrame:
    known = room.known
    return known.assign(perhaps_gone=(1 - known["p_alive"]) * known["value_if_stays_12m"])


def _game(room: Classroom) -> Game:
    return Game(room.truth, _MARGIN_RATE)


def _value(room: Classroom, action: str, by: str = "", gross: bool = False) -> float:
    """The expected value created by a plan that spends the whole budget on one action."""
    plan, game = choose(_known(room), action, by), _game(room)
    brought = game.expected.set_index("customer_id").loc[plan["customer_id"], action].sum()
    return float(brought) if gross else float(brought - game.spent(plan))


def _best(room: Classroom) -> str:
    plans = {"a": ("care", "clv_12m"), "b": ("win_back", "perhaps_gone"), "c": ("win_back", "")}
    return max(plans, key=lambda letter: _value(room, *plans[letter]))


def _beats(room: Classroom, first: str = "sales", second: str = "value_at_risk") -> float:
    plans = {by: choose(room.known, "care", by) for by in ("sales", "value_at_risk")}
    return _game(room).play(plans).beats(first, second)


QUESTIONS = {
    "break_even": Question(
        "money",
        lambda room: GameRules().win_back_cost / GameRules().win_back_chance,
        {
            "cost_only": lambda room: GameRules().win_back_cost,
            "times": lambda room: GameRules().win_back_cost * GameRules().win_back_chance,
        },
    ),
    "equal": Question(
        "money",
        lambda room: _value(room, "letter"),
        {"gross": lambda room: _value(room, "letter", gross=True)},
        tolerance=0.01,
    ),
    "luck": Question(
        "share",
        _beats,
        {"reversed": lambda room: _beats(room, "value_at_risk", "sales")},
        tolerance=0.08,
    ),
    "best": Question("code", _best, {"a": lambda room: "a", "c": lambda room: "c"}, options=("a", "b", "c")),
    "quiz_1": choice("a"),
    "quiz_2": choice("c"),
    "quiz_3": choice("b"),
}
