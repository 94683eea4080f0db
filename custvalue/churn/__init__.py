"""Where each customer stands in the life of the relation, when he is next due, the warning board."""

from custvalue.churn.board import basket_misses, falling_spend, leaving
from custvalue.churn.calls import EXPECTATIONS, confirmed, judged_calls, no_calls
from custvalue.churn.change import adjusted_p, change_p
from custvalue.churn.history import history
from custvalue.churn.rules import BONDS, SHORT_STAGES, STAGES, ChurnRules, stage_forms
from custvalue.churn.stages import STAGE_PREDICATES, stages, typical_gaps
from custvalue.churn.survival import bought_again, order_gaps
from custvalue.churn.timing import ACT_CODES, ACT_LEVEL, next_order

__all__ = [
    "ACT_CODES",
    "ACT_LEVEL",
    "BONDS",
    "EXPECTATIONS",
    "SHORT_STAGES",
    "STAGES",
    "STAGE_PREDICATES",
    "ChurnRules",
    "adjusted_p",
    "basket_misses",
    "bought_again",
    "change_p",
    "confirmed",
    "falling_spend",
    "history",
    "judged_calls",
    "leaving",
    "next_order",
    "no_calls",
    "order_gaps",
    "stage_forms",
    "stages",
    "typical_gaps",
]
