"""The models of repeat purchases and the naive rules by code: likelihood, P(alive) and forecasts from parameters."""

from __future__ import annotations

from collections.abc import Mapping

from custvalue.lifetime.beta_dropout import BgNbd, MbgNbd
from custvalue.lifetime.family import Family, Nbd
from custvalue.lifetime.naive import SILENT_DAYS, PastRate, RateIfActive, Zero
from custvalue.lifetime.pareto import ParetoNbd
from custvalue.lifetime.regular import MbgCnbd

__all__ = ["FAMILIES", "SILENT_DAYS", "Family"]

#: The models and naive rules by code.
FAMILIES: Mapping[str, Family] = {
    "bg_nbd": BgNbd(),
    "mbg_nbd": MbgNbd(),
    "pareto_nbd": ParetoNbd(),
    "nbd": Nbd(),
    "mbg_cnbd_k": MbgCnbd(),
    "past_rate": PastRate(),
    "rate_if_active": RateIfActive(),
    "zero": Zero(),
}
