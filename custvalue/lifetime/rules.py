"""Settings of the lifetime analysis: horizon, discount rate, model, holdout, bounds of the verdict."""

from __future__ import annotations

from dataclasses import dataclass

from custvalue.errors import UsageError

__all__ = [
    "ALIVE_MODELS",
    "BLEND",
    "FEWEST_REPEAT_BUYERS",
    "MODELS",
    "NAIVE_RULES",
    "VERDICTS",
    "LifetimeRules",
    "VerdictRules",
    "automatic_holdout",
]

#: The models of the family "buy at an own rate until an unseen drop-out"; the NBD knows no drop-out.
MODELS = ("bg_nbd", "mbg_nbd", "pareto_nbd", "nbd", "mbg_cnbd_k")
#: A model drawn towards simpler rules, scored beside the models.
BLEND = "blend"
#: P(alive), and the model that is blended, come from the first of these that fits: BG/NBD gives one-time buyers 1.
ALIVE_MODELS = ("pareto_nbd", "mbg_nbd")
#: Rules of thumb every model has to beat.
NAIVE_RULES = ("past_rate", "rate_if_active", "zero")
#: With fewer repeat buyers no model is tried: its parameters would say nothing.
FEWEST_REPEAT_BUYERS = 10
#: What a holdout can say of a forecast, best first.
VERDICTS = ("good", "with_care", "do_not_use", "unknown")
#: Days of the shortest and of the longest automatic holdout.
SHORTEST_HOLDOUT, LONGEST_HOLDOUT = 28, 365


def automatic_holdout(history_days: int) -> int:
    """Days held out of a history: a third of it, 28 to 365.

    >>> automatic_holdout(545), automatic_holdout(30), automatic_holdout(3000)
    (182, 28, 365)
    """
    return min(max(round(history_days / 3), SHORTEST_HOLDOUT), LONGEST_HOLDOUT)


def _in_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError("lifetime_rule_out_of_range", name=name, got=value, low=low, high=high)


@dataclass(frozen=True)
class LifetimeRules:
    """How lifetime value is forecast.

    ``horizon_months`` calendar months from the date of the table; ``discount_rate`` a year; ``model`` is
    ``"auto"``, ``"blend"`` or one of :data:`MODELS`; ``holdout_days`` 0 for a third of the history (28 to 365 days);
    ``retention_cost`` money a year for each customer who is still active, taken off the value.

    >>> LifetimeRules(model="bg_nbd").horizon_months
    12
    """

    horizon_months: int = 12
    discount_rate: float = 0.10
    model: str = "auto"
    holdout_days: int = 0
    retention_cost: float = 0.0

    def __post_init__(self) -> None:
        allowed = ("auto", *MODELS, BLEND)
        if self.model not in allowed:
            raise UsageError("bad_choice", key="lifetime.model", got=self.model, allowed=", ".join(allowed))
        _in_range("horizon_months", self.horizon_months, 1, 120)
        _in_range("discount_rate", self.discount_rate, 0, 10)
        _in_range("holdout_days", self.holdout_days, 0, 36_500)
        _in_range("retention_cost", self.retention_cost, 0, 1e12)


@dataclass(frozen=True)
class VerdictRules:
    """Bounds of the verdict on a forecast; all three must hold for a code, else the next one is tried.

    ``*_bias``: largest absolute error of the sum, relative; ``*_skill``: smallest Brier skill against the
    constant share of customers who bought again; ``*_error``: largest root mean squared error relative to that
    of the best naive rule. Not the mean absolute error: where most customers do not buy again, "zero" has a
    smaller one than even the true model. With fewer than ``good_orders``
    orders in the holdout chance alone can move the sum by 15%, so ``good`` is not said.
    """

    good_orders: int = 50
    good_bias: float = 0.15
    good_skill: float = 0.05
    good_error: float = 1.0
    care_bias: float = 0.35
    care_skill: float = 0.0
    care_error: float = 1.1
