"""The limits of the map, the relation ladder and the buying factors."""

from __future__ import annotations

from dataclasses import dataclass

from custvalue.predicates import check_rule

__all__ = ["PositioningRules"]


@dataclass(frozen=True)
class PositioningRules:
    """Limits of positioning.

    ``chance``: an association or a difference counts if its p-value is at most this; ``map_points``: the most
    categories drawn one by one, the others are one point; ``natural_share``: share of wallet from which a customer's
    choice of us is natural; ``natural_orders``: orders in the last 12 months that say so where the wallet is not known;
    ``smallest_difference``: a buying factor counts from this many standard deviations on; ``new_days``: how long after
    its first sale a product is new.

    >>> PositioningRules(natural_share=0.6).natural_orders
    6
    """

    chance: float = 0.05
    map_points: int = 9
    natural_share: float = 0.5
    natural_orders: int = 6
    smallest_difference: float = 0.2
    new_days: int = 90

    def __post_init__(self) -> None:
        check_rule("chance", self.chance, 0 < self.chance < 1, "0..1")
        check_rule("map_points", self.map_points, 3 <= self.map_points <= 20, "3..20")
        check_rule("natural_share", self.natural_share, 0 < self.natural_share <= 1, "> 0, <= 1")
        check_rule("natural_orders", self.natural_orders, self.natural_orders >= 2, ">= 2")
        check_rule("smallest_difference", self.smallest_difference, self.smallest_difference >= 0, ">= 0")
        check_rule("new_days", self.new_days, self.new_days >= 1, ">= 1")
