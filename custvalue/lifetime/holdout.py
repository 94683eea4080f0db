"""How good the forecasts are: fit on the early history, forecast its end, compare with naive rules."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import pandas as pd

from custvalue.errors import AnalysisError, DataError
from custvalue.lifetime.fitting import fit, grouped_rows, model_inputs
from custvalue.lifetime.rules import FEWEST_REPEAT_BUYERS, MODELS, NAIVE_RULES, LifetimeRules, VerdictRules

__all__ = ["SCORE_COLUMNS", "cutoff_day", "holdout_scores", "verdict"]

#: Columns of :func:`holdout_scores`, in order.
SCORE_COLUMNS = (
    "model", "n_customers", "n_new", "actual", "forecast", "bias", "mae", "rmse", "brier", "base_rate", "auc",
    "spearman", "top_decile_share", "chosen",
)  # fmt: skip

_SHORTEST, _LONGEST = 28, 365
#: Models within this share of the smallest RMSE count as equal; among them the smaller bias decides.
_AS_GOOD = 0.01


def cutoff_day(customers: pd.DataFrame, as_of: dt.date, rules: LifetimeRules | None = None) -> dt.date | None:
    """The last day to fit on: ``holdout_days`` before ``as_of``.

    By default the holdout is a third of the history, 28 to 365 days. None when fewer than 28 days would
    remain to fit on; ``DataError`` when the days were set by hand.

    >>> table = pd.DataFrame({"first_order": [pd.Timestamp("2023-01-01")]})
    >>> cutoff_day(table, dt.date(2024, 6, 30))
    datetime.date(2023, 12, 31)
    """
    wished = (rules or LifetimeRules()).holdout_days
    history = (pd.Timestamp(as_of) - customers["first_order"].min()).days
    days = wished or min(max(round(history / 3), _SHORTEST), _LONGEST)
    if history - days >= _SHORTEST:
        return as_of - dt.timedelta(days=days)
    if wished:
        raise DataError("holdout_too_long", got=wished, history=history, longest=max(history - _SHORTEST, 0))
    return None


def _paired(early: pd.DataFrame, late: pd.DataFrame) -> pd.Series:
    """Orders of each early customer within the holdout."""
    now = early["customer_id"].map(late.set_index("customer_id")["n_repeats"])
    wrong = now.isna() | (now < early["n_repeats"])
    if wrong.any():
        example = early.loc[wrong, "customer_id"].iloc[0]
        raise DataError("holdout_tables_differ", n=int(wrong.sum()), example=example)
    return (now - early["n_repeats"]).astype(float)


def _top_share(actual: np.ndarray, score: np.ndarray, share: float = 0.1) -> float:
    """Share of the actual total of the ``share`` of customers with the highest score; ties share evenly."""
    groups = pd.Series(actual).groupby(score).agg(["sum", "size"])[::-1]
    room = share * len(actual) - groups["size"].cumsum() + groups["size"]
    taken = (room / groups["size"]).clip(0, 1)
    return float((groups["sum"] * taken).sum() / actual.sum()) if actual.sum() > 0 else math.nan


def _rank_scores(actual: np.ndarray, expected: np.ndarray, p: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import brier_score_loss, roc_auc_score

    again = actual > 0
    mixed = 0 < again.sum() < len(again)
    return {
        "brier": float(brier_score_loss(again, p, pos_label=True)),
        "base_rate": float(again.mean()),
        "auc": float(roc_auc_score(again, expected)) if mixed else math.nan,
        "spearman": float(pd.Series(actual).rank().corr(pd.Series(expected).rank()))
        if mixed and np.ptp(expected) > 0
        else math.nan,
        "top_decile_share": _top_share(actual, expected),
    }


def _score(actual: np.ndarray, expected: np.ndarray, p: np.ndarray) -> dict[str, float]:
    """The measures of one model."""
    error = expected - actual
    total = actual.sum()
    return {
        "forecast": float(expected.sum()),
        "bias": float(expected.sum() / total - 1) if total > 0 else math.nan,
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        **_rank_scores(actual, expected, p),
    }


def _forecast_scores(model: str, early: pd.DataFrame, actual: np.ndarray, weeks: float) -> dict[str, float]:
    """The measures of one model or rule; empty when the model could not be fitted or has too few to learn from."""
    if model in MODELS and (early["n_repeats"] > 0).sum() < FEWEST_REPEAT_BUYERS:
        return {}
    try:
        fitted = fit(grouped_rows(early), model)
    except AnalysisError:
        return {}
    x, t_x, T = (column.to_numpy(dtype=float) for _, column in model_inputs(early).items())
    return _score(actual, fitted.expected_orders(x, t_x, T, weeks), fitted.p_order(x, t_x, T, weeks))


def _chosen(scores: pd.DataFrame, rules: LifetimeRules) -> str:
    """The model asked for, else the least biased of those within 1% of the smallest RMSE."""
    able = scores[scores["model"].isin(MODELS) & scores["rmse"].notna()]
    if able.empty:
        return "past_rate"
    if rules.model in set(able["model"]):
        return rules.model
    near = able[able["rmse"] <= (1 + _AS_GOOD) * able["rmse"].min()]
    return str(near.loc[near["bias"].abs().fillna(0).idxmin(), "model"])


def holdout_scores(
    early: pd.DataFrame, late: pd.DataFrame, cutoff_days: int, rules: LifetimeRules | None = None
) -> pd.DataFrame:
    """One row per model and naive rule: its forecast of the holdout against what the customers did.

    ``early`` is the customer table as of the cut-off, ``late`` the one ``cutoff_days`` days later; customers
    new in ``late`` are left out and counted in ``n_new``. Columns: model; n_customers, n_new; actual and
    forecast orders of all; bias = forecast / actual - 1; mae and rmse per customer; brier and auc of "at
    least one order", with base_rate, the share of customers for whom that came true; spearman of forecast and
    actual orders; top_decile_share, the share of the orders made by the 10% with the highest forecast;
    chosen.

    Chosen is, of the models within 1% of the smallest rmse, the one with the smallest absolute bias; a naive
    rule only when no model could be fitted (its measures are then NaN). Raises ``DataError`` when the tables
    do not belong together.

    >>> day = pd.Timestamp("2024-01-01")
    >>> early = pd.DataFrame({"customer_id": ["a", "b"], "first_order": day, "last_order": day,
    ...                       "n_repeats": 0, "tenure_days": 70})
    >>> holdout_scores(early, early.assign(n_repeats=[1, 0]), 35).set_index("model").loc["zero", "mae"]
    np.float64(0.5)
    """
    rules = rules or LifetimeRules()
    actual = _paired(early, late).to_numpy()
    codes = (*MODELS, *NAIVE_RULES)
    rows = [{"model": code, **_forecast_scores(code, early, actual, cutoff_days / 7)} for code in codes]
    scores = pd.DataFrame(rows).assign(n_customers=len(early), n_new=len(late) - len(early), actual=actual.sum())
    scores["chosen"] = scores["model"] == _chosen(scores, rules)
    scores["model"] = pd.Categorical(scores["model"], categories=codes, ordered=True)
    return scores[list(SCORE_COLUMNS)]


def verdict(scores: pd.DataFrame, rules: VerdictRules | None = None) -> dict[str, Any]:
    """What the holdout says of the chosen forecast: ``good``, ``with_care`` or ``do_not_use``, and why.

    ``unknown`` where nothing could be held out, no order came in the holdout, or no model could be fitted.

    Keys: code, model, bias (of the sum), brier_skill = 1 - brier / (base (1 - base)) against the constant
    share of customers who bought again, mae_ratio = mae / that of the best naive rule, best_naive. All three
    numbers must be within the bounds of :class:`VerdictRules`; one that can not be computed is not.

    >>> rows = {"model": ["bg_nbd", "zero"], "chosen": [True, False], "bias": [-0.1, -1.0],
    ...         "mae": [0.75, 0.8], "brier": [0.16, 0.3], "base_rate": [0.3, 0.3]}
    >>> verdict(pd.DataFrame(rows))["code"]
    'good'
    """
    chosen = scores.loc[scores["chosen"].astype(bool), "model"].astype(str)
    if not chosen.isin(MODELS).any() or not (scores["bias"].notna() & scores["chosen"].astype(bool)).any():
        return dict.fromkeys(("bias", "brier_skill", "mae_ratio"), math.nan) | {"code": "unknown", "model": ""}
    rules = rules or VerdictRules()
    row = scores[scores["chosen"].astype(bool)].iloc[0]
    naive = scores[scores["model"].isin(NAIVE_RULES)].sort_values("mae", kind="stable").iloc[0]
    spread = row["base_rate"] * (1 - row["base_rate"])
    skill = 1 - row["brier"] / spread if spread > 0 else math.nan
    ratio = row["mae"] / naive["mae"] if naive["mae"] > 0 else math.nan

    def within(bias: float, least_skill: float, mae: float) -> bool:
        return bool(abs(row["bias"]) <= bias and skill >= least_skill and ratio <= mae)

    if within(rules.good_bias, rules.good_skill, rules.good_mae):
        code = "good"
    elif within(rules.care_bias, rules.care_skill, rules.care_mae):
        code = "with_care"
    else:
        code = "do_not_use"
    return {
        "code": code,
        "model": str(row["model"]),
        "bias": float(row["bias"]),
        "brier_skill": float(skill),
        "mae_ratio": float(ratio),
        "best_naive": str(naive["model"]),
    }
