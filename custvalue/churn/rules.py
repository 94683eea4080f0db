"""Codes and thresholds of the churn stages."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from custvalue.predicates import check_rule

__all__ = ["BONDS", "SHORT_STAGES", "STAGES", "ChurnRules", "stage_forms"]

#: Codes of the lifecycle stages, in the order a customer passes through them.
STAGES = ("identify", "cultivate", "grow", "stable", "decline", "drop")
#: The short form for high-value customers, and the four steps of a bond.
SHORT_STAGES = ("contact", "formation", "decline")
BONDS = ("met", "liked", "trusted", "allied")

_SHORT = {
    "identify": "contact",
    "cultivate": "formation",
    "grow": "formation",
    "stable": "formation",
    "decline": "decline",
    "drop": "decline",
}
_BOND = {"identify": "met", "cultivate": "liked", "grow": "trusted", "stable": "allied"}


@dataclass(frozen=True)
class ChurnRules:
    """Thresholds of the lifecycle stages.

    ``overdue_decline``, ``overdue_drop``: silence as a multiple of the customer's rhythm;
    ``alive_decline``, ``alive_drop``: P(alive) below which the model doubts or gives up a customer;
    ``order_drop``: nobody is dropped whose probability of an order in the next 12 months is as high as this;
    ``growth``, ``fall``: change of the yearly sales, from -1 to 1 (-0.5: to a third), that counts as
    growing or falling; ``trend_noise``: the chance of such a change at an unchanged rate up to which it counts;
    ``cultivate_repeats``: repeat purchases up to which a customer is still being
    cultivated; ``rhythm_group``: column of the groups that lend their spacing to customers who have shown little of
    their own (empty: all customers are one group).

    Raises ``UsageError`` for thresholds out of order.

    >>> ChurnRules(overdue_drop=6).overdue_decline
    2.0
    """

    overdue_decline: float = 2.0
    overdue_drop: float = 4.0
    alive_decline: float = 0.6
    alive_drop: float = 0.2
    order_drop: float = 0.15
    growth: float = 0.2
    fall: float = 0.5
    trend_noise: float = 0.1
    cultivate_repeats: int = 2
    rhythm_group: str = ""

    @property
    def falls_to(self) -> float:
        """The share of the year before's sales that ``fall`` leaves.

        >>> round(ChurnRules(fall=0.5).falls_to, 3)
        0.333
        """
        return (1 - self.fall) / (1 + self.fall)

    @property
    def grows_by(self) -> float:
        """The rise on the year before's sales that ``growth`` asks for; infinite for 1.

        >>> round(ChurnRules(growth=0.2).grows_by, 3)
        0.5
        """
        return (1 + self.growth) / (1 - self.growth) - 1 if self.growth < 1 else float("inf")

    def __post_init__(self) -> None:
        later = self.overdue_drop >= self.overdue_decline
        check_rule("overdue_decline", self.overdue_decline, self.overdue_decline > 0, "> 0")
        check_rule("overdue_drop", self.overdue_drop, later, ">= overdue_decline")
        check_rule("alive_decline", self.alive_decline, 0 <= self.alive_decline <= 1, "0..1")
        check_rule("alive_drop", self.alive_drop, 0 <= self.alive_drop <= self.alive_decline, "0..alive_decline")
        check_rule("order_drop", self.order_drop, 0 < self.order_drop <= 1, "0 < order_drop <= 1")
        check_rule("growth", self.growth, 0 < self.growth <= 1, "0 < growth <= 1")
        check_rule("fall", self.fall, 0 < self.fall <= 1, "0 < fall <= 1")
        check_rule("trend_noise", self.trend_noise, 0 < self.trend_noise <= 1, "0 < trend_noise <= 1")
        check_rule("cultivate_repeats", self.cultivate_repeats, self.cultivate_repeats >= 0, ">= 0")


def short_form(stage: pd.Series | pd.Categorical) -> pd.Categorical:
    """The short form of stages (C24): identify is contact; cultivate, grow, stable are formation; the rest decline.

    >>> list(short_form(pd.Series(["identify", "stable", "drop"])))
    ['contact', 'formation', 'decline']
    """
    codes = pd.Series(stage).astype(object).map(_SHORT)
    return pd.Categorical(codes, categories=SHORT_STAGES, ordered=True)


def stage_forms() -> pd.DataFrame:
    """The three ways to name a stage (C24): one row per stage with ``stage``, ``stage_short`` and ``bond``.

    ``bond`` is how far the relation has come (met, liked, trusted, allied), missing where it is ending.

    >>> stage_forms().set_index("stage").loc["grow"].tolist()
    ['formation', 'trusted']
    """
    stage = pd.Categorical(STAGES, categories=STAGES, ordered=True)
    bond = pd.Categorical([_BOND.get(code) for code in STAGES], categories=BONDS, ordered=True)
    return pd.DataFrame({"stage": stage, "stage_short": short_form(stage), "bond": bond})
