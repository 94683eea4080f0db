"""The settings of the engagement analyses: event weights, windows of days, and how sure a change must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from custvalue.indices import check_weights
from custvalue.predicates import check_rule

__all__ = ["EVENT_WEIGHTS", "EngagementRules"]

#: Weight of each kind of event in the e-value. Purchases have none: the e-value is what comes besides orders.
EVENT_WEIGHTS: Mapping[str, float] = {
    "view": 1,
    "search": 2,
    "ad_click": 2,
    "favourite": 2,
    "cart": 3,
    "message": 3,
    "post": 4,
    "suggestion": 5,
    "purchase": 0,
}


@dataclass(frozen=True)
class EngagementRules:
    """How events are counted.

    ``weights``: weight of each kind of event in the e-value, 0 or more; a kind of weight 0 is not counted as looking
    around either. ``default_weight``: that of a kind not named. ``half_events``: so many recent events of a kind
    bring half of its weight. ``half_life_days``: after so many days an event counts half. ``recent_days``: the days
    whose views give the main group; ``before_days``: the days before them it is compared with. ``change_noise``:
    largest chance, were nothing to have changed, at which a new main group still counts as a change.
    ``wish_views``: fewest recent views of a category for it to be wished for. ``outcome_days``: days of orders
    against which scores of an earlier day are tested.

    Raises ``UsageError`` for a value out of range and for a weight that is no number.

    >>> EngagementRules(weights={"view": 1, "chat": 4}).recent_days
    60
    """

    weights: Mapping[str, Any] = field(default_factory=lambda: dict(EVENT_WEIGHTS))
    default_weight: float = 1.0
    half_events: float = 3.0
    half_life_days: float = 90.0
    recent_days: int = 60
    before_days: int = 180
    change_noise: float = 0.1
    wish_views: int = 2
    outcome_days: int = 90

    def __post_init__(self) -> None:
        check_weights("engagement.weights", self.weights, self.weights, self.weights)
        check_rule("default_weight", self.default_weight, 0 <= self.default_weight < float("inf"), ">= 0")
        for name in ("half_events", "half_life_days", "recent_days", "before_days", "outcome_days"):
            check_rule(name, getattr(self, name), 0 < getattr(self, name) < float("inf"), "> 0")
        check_rule("change_noise", self.change_noise, 0 < self.change_noise < 1, "0..1")
        check_rule("wish_views", self.wish_views, self.wish_views >= 1, ">= 1")
