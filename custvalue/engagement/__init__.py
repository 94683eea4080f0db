"""What customers do besides ordering: browsing segments, the e-value, and whether orders followed (C19, C20)."""

from custvalue.engagement.browsing import (
    BROWSING,
    browsing_segments,
    changed_by_chance,
    group_table,
    viewed_not_bought,
    views,
)
from custvalue.engagement.evalue import E_LEVELS, e_parts, e_value
from custvalue.engagement.outcomes import LINKS, EValueTest, e_value_test, followed_by, outcome_day
from custvalue.engagement.rules import EVENT_WEIGHTS, EngagementRules

__all__ = [
    "BROWSING",
    "EVENT_WEIGHTS",
    "E_LEVELS",
    "LINKS",
    "EValueTest",
    "EngagementRules",
    "browsing_segments",
    "changed_by_chance",
    "e_parts",
    "e_value",
    "e_value_test",
    "followed_by",
    "group_table",
    "outcome_day",
    "viewed_not_bought",
    "views",
]
