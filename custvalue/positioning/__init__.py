"""Where each group stands: the perceptual map, the relation ladder, and what each group buys by."""

from custvalue.positioning.factors import FACTORS, BuyingFactors, buying_factors, factor_table
from custvalue.positioning.ladder import RUNGS, conversion, relation_ladder
from custvalue.positioning.maps import PerceptualMap, perceptual_map
from custvalue.positioning.rules import PositioningRules

__all__ = [
    "FACTORS",
    "RUNGS",
    "BuyingFactors",
    "PerceptualMap",
    "PositioningRules",
    "buying_factors",
    "conversion",
    "factor_table",
    "perceptual_map",
    "relation_ladder",
]
