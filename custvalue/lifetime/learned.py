"""What a forecast learns from all customers, and its text form: kept, it forecasts a later month alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from custvalue.errors import AnalysisError
from custvalue.lifetime.blend import Blend, Weights, blended
from custvalue.lifetime.fitting import Fitted, fit, grouped_rows
from custvalue.lifetime.models import FAMILIES
from custvalue.lifetime.rules import ALIVE_MODELS, BLEND, FEWEST_REPEAT_BUYERS, MODELS, LifetimeRules
from custvalue.lifetime.spend import SpendModel, fit_spend, rate_base

__all__ = ["Learned", "learn"]


@dataclass(frozen=True)
class Learned:
    """The models and means of one month's customers; a forecast with them moves only with the customer's own history.

    ``fitted``: models by code; ``chosen`` forecasts orders, ``p_alive_model`` gives P(alive), empty where none can.
    ``rates``: for ``sales`` and the value, the shop's share of purchases that stays and the money of one order, see
    :func:`custvalue.lifetime.spend.value_rate`.
    """

    fitted: Mapping[str, Fitted]
    chosen: str
    p_alive_model: str
    spend: SpendModel
    value_is: str
    rates: Mapping[str, tuple[float, float]]
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Texts, numbers, lists and mappings only, with the models that forecast; :meth:`from_dict` reads them.

        >>> import json
        >>> spend = SpendModel("shrunk_mean", 12.0, 1.0)
        >>> kept = Learned({"past_rate": Fitted("past_rate")}, "past_rate", "", spend, "sales", {"sales": (1.0, 12.0)})
        >>> Learned.from_dict(json.loads(json.dumps(kept.as_dict()))).spend.population_mean
        12.0
        """
        used = [code for code in dict.fromkeys([self.chosen, self.p_alive_model]) if code]
        return {
            "chosen": self.chosen,
            "p_alive_model": self.p_alive_model,
            "value_is": self.value_is,
            "models": {code: _model_dict(self.fitted[code]) for code in used},
            "spend": _finite(asdict(self.spend)),
            "rates": {kind: list(rate) for kind, rate in self.rates.items()},
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Learned:
        """Back from :meth:`as_dict`. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for anything else."""
        fitted = {str(code): _model_of(entry) for code, entry in kept["models"].items()}
        chosen, alive, value_is = (str(kept[key]) for key in ("chosen", "p_alive_model", "value_is"))
        if chosen not in fitted or (alive and alive not in fitted) or value_is not in ("sales", "margin"):
            raise ValueError(chosen)
        rates = {kind: (_number(kept["rates"][kind][0]), _number(kept["rates"][kind][1])) for kind in kept["rates"]}
        if not {"sales", value_is} <= set(rates):
            raise ValueError(value_is)
        return cls(fitted, chosen, alive, _spend_of(kept["spend"]), value_is, rates)


def _number(value: Any) -> float:
    """A finite number; text and truth values are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(repr(value))
    return float(value)


def _finite(value: Any) -> Any:
    """The value with missing numbers as None, for JSON knows none."""
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _model_dict(model: Fitted) -> dict[str, Any]:
    kept = {"model": model.model, "parameters": dict(model.parameters), "n_customers": model.n_customers}
    if not isinstance(model, Blend):
        return kept
    return kept | {
        "base": _model_dict(model.base), "nbd": _model_dict(model.nbd), "weights": asdict(model.weights)
    }  # fmt: skip


def _model_of(kept: Mapping[str, Any]) -> Fitted:
    if kept["model"] == BLEND:
        weights = Weights(**{name: _number(value) for name, value in kept["weights"].items()})
        weights = replace(weights, n_customers=int(weights.n_customers), n_cutoffs=int(weights.n_cutoffs))
        return blended(_model_of(kept["base"]), _model_of(kept["nbd"]), weights)
    family = FAMILIES[kept["model"]]
    parameters = {str(name): _number(value) for name, value in kept["parameters"].items()}
    if not set(family.names) <= set(parameters) or any(parameters[name] <= 0 for name in family.names):
        raise ValueError(kept["model"])
    return Fitted(str(kept["model"]), parameters, n_customers=int(kept["n_customers"]))


def _spend_of(kept: Mapping[str, Any]) -> SpendModel:
    given = {key: math.nan if value is None else value for key, value in kept.items()}
    for key in ("population_mean", "weight_orders", "spread"):
        given[key] = _number(given[key])
    parameters = {str(name): _number(value) for name, value in given["parameters"].items()}
    groups = tuple(_spend_of(group) for group in given["groups"])
    return SpendModel(**{**given, "parameters": parameters, "notes": tuple(given["notes"]), "groups": groups})


def _fit_all(rows: pd.DataFrame, models: tuple[str, ...]) -> tuple[dict[str, Fitted], tuple[str, ...]]:
    """Every model that fits, and notes; the rule ``past_rate`` alone when none does."""
    fitted, notes = {}, ()
    few = rows.loc[rows["x"] > 0, "n_customers"].sum() < FEWEST_REPEAT_BUYERS
    if few:
        notes = ("too_few_repeat_buyers",)
    for model in () if few else models:
        try:
            fitted[model] = fit(rows, model)
        except AnalysisError:
            notes += (f"failed:{model}",)
        else:
            notes += fitted[model].notes
    return fitted or {"past_rate": fit(rows, "past_rate")}, notes


def _wanted(rules: LifetimeRules) -> tuple[str, ...]:
    """The models to fit: all, or the one asked for and what P(alive) needs."""
    if rules.model == "auto":
        return MODELS
    return tuple(dict.fromkeys(["nbd" if rules.model == BLEND else rules.model, *ALIVE_MODELS]))


def _with_blend(fitted: dict[str, Fitted], rules: LifetimeRules, weights: Weights | None) -> dict[str, Fitted]:
    """The fitted models and, where it is asked for or weights are known, their blend."""
    base = next((model for model in ALIVE_MODELS if model in fitted), None)
    if base is None or "nbd" not in fitted or (weights is None and rules.model != BLEND):
        return fitted
    return fitted | {BLEND: blended(fitted[base], fitted["nbd"], weights or Weights())}


def _choose(fitted: Mapping[str, Fitted], rules: LifetimeRules, scores: pd.DataFrame) -> str:
    """The model asked for, else the best in the holdout, else the most likely one."""
    evidence = [str(code) for code in scores.loc[scores["chosen"].astype(bool), "model"]]
    for wish in (rules.model, *evidence):
        if wish in fitted:
            return wish
    return max(fitted, key=lambda model: np.nan_to_num(fitted[model].log_likelihood, nan=-np.inf))


def _alive_model(fitted: Mapping[str, Fitted], chosen: str) -> str:
    """Which model gives P(alive): the chosen one if it lets customers leave after any purchase, else the likeliest.

    A blend takes that of the model under it; empty where none is fitted.
    """
    able = [model for model in (*ALIVE_MODELS, "mbg_cnbd_k") if model in fitted]
    if chosen in able or not able:
        return chosen if able else ""
    return able[0] if chosen == BLEND else max(able, key=lambda model: fitted[model].log_likelihood)


def learn(customers: pd.DataFrame, rules: LifetimeRules, scores: pd.DataFrame, weights: Weights | None) -> Learned:
    """Fit what :func:`custvalue.lifetime.forecast` needs on these customers; its ``scores`` and ``weights``."""
    fitted, notes = _fit_all(grouped_rows(customers), _wanted(rules))
    fitted = _with_blend(fitted, rules, weights)
    chosen = _choose(fitted, rules, scores)
    spend, value_is = fit_spend(customers), "margin" if customers["margin"].notna().any() else "sales"
    alive_model = _alive_model(fitted, chosen)
    idle = {f"no_churn_seen:{model}" for model in fitted if model not in (chosen, alive_model)}
    notes = tuple(code for code in notes if code not in idle) + spend.notes
    return Learned(fitted, chosen, alive_model, spend, value_is, shop_rates(customers, value_is), notes)


def shop_rates(customers: pd.DataFrame, value_is: str) -> dict[str, tuple[float, float]]:
    """The shop's rates of a customer table, see :class:`Learned`."""
    return {kind: rate_base(customers, kind) for kind in dict.fromkeys(("sales", value_is))}
