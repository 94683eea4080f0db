"""The end of the history held out: which day to cut at, what came of each forecast, the choice, the verdict."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import pandas as pd

from custvalue.errors import AnalysisError, DataError
from custvalue.lifetime.fitting import Fitted, fit, grouped_rows, model_inputs
from custvalue.lifetime.rules import (
    BLEND,
    FEWEST_REPEAT_BUYERS,
    MODELS,
    NAIVE_RULES,
    SHORTEST_HOLDOUT,
    VERDICTS,
    LifetimeRules,
    VerdictRules,
    automatic_holdout,
)
from custvalue.lifetime.scores import MEASURES, measures

__all__ = ["SCORE_COLUMNS", "WHY", "choose", "cutoff_day", "holdout_scores", "verdict"]

#: Columns of :func:`holdout_scores`, in order.
SCORE_COLUMNS = ("model", "cutoff", "n_customers", "n_new", "orders_new", "actual", *MEASURES, "chosen")
#: Why a model was chosen: the codes of :func:`choose`.
WHY = (
    "asked_for", "only_one", "smallest_error", "least_bias_of_equals", "best_of_equals", "no_model",
)  # fmt: skip

_VERDICT_NUMBERS = ("bias", "brier_skill", "rmse_ratio", "mae_ratio", "mean_bias")
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
    days = holdout_length((pd.Timestamp(as_of) - customers["first_order"].min()).days, rules)
    return None if days is None else as_of - dt.timedelta(days=days)


def holdout_length(history: int, rules: LifetimeRules | None = None) -> int | None:
    """Days to hold out of ``history`` days, as :func:`cutoff_day` does; None where it is too short.

    >>> holdout_length(545), holdout_length(40)
    (182, None)
    """
    wished = (rules or LifetimeRules()).holdout_days
    days = wished or automatic_holdout(history)
    if history - days >= SHORTEST_HOLDOUT:
        return days
    if wished:
        longest = max(history - SHORTEST_HOLDOUT, 0)
        raise DataError("holdout_too_long", got=wished, history=history, longest=longest)
    return None


def _paired(early: pd.DataFrame, late: pd.DataFrame) -> pd.Series:
    """Orders of each early customer within the holdout."""
    now = early["customer_id"].map(late.set_index("customer_id")["n_repeats"])
    wrong = now.isna() | (now < early["n_repeats"])
    if wrong.any():
        example = early.loc[wrong, "customer_id"].iloc[0]
        raise DataError("holdout_tables_differ", n=int(wrong.sum()), example=example)
    return (now - early["n_repeats"]).astype(float)


def fit_each(customers: pd.DataFrame) -> dict[str, Fitted]:
    """Every model that fits and has enough repeat buyers to learn from, and every naive rule, by code."""
    rows, fitted = grouped_rows(customers), {}
    few = (customers["n_repeats"] > 0).sum() < FEWEST_REPEAT_BUYERS
    for code in (*(() if few else MODELS), *NAIVE_RULES):
        try:
            fitted[code] = fit(rows, code)
        except AnalysisError:
            continue
    return fitted


def predicted(fitted: Fitted, customers: pd.DataFrame, weeks: float) -> tuple[np.ndarray, np.ndarray]:
    """Expected orders and the probability of an order of each customer."""
    x, t_x, T = (column.to_numpy(dtype=float) for _, column in model_inputs(customers).items())
    return fitted.expected_orders(x, t_x, T, weeks), fitted.p_order(x, t_x, T, weeks)


def score_table(
    fitted: dict[str, Fitted], customers: pd.DataFrame, actual: np.ndarray, days: int, **facts: Any
) -> pd.DataFrame:
    """The columns of :func:`holdout_scores` but ``chosen``: one row per code; NaN for a model that is not fitted."""
    codes = [code for code in (*MODELS, BLEND, *NAIVE_RULES) if code in fitted or code != BLEND]
    rows = []
    for code in codes:
        found = measures(actual, *predicted(fitted[code], customers, days / 7)) if code in fitted else {}
        rows.append({"model": code, **dict.fromkeys(MEASURES, math.nan), **found})
    table = pd.DataFrame(rows).assign(n_customers=len(customers), actual=actual.sum(), **facts)
    table["model"] = pd.Categorical(table["model"], categories=codes, ordered=True)
    return table[list(SCORE_COLUMNS[:-1])]


def choose(scores: pd.DataFrame, rules: LifetimeRules | None = None) -> tuple[str, str]:
    """The model to forecast with, and why.

    ``scores`` has one row per model: model, rmse, mae, brier, bias (or ``abs_bias`` where it was pooled), n_customers
    and actual. Reasons: ``asked_for`` in the settings; ``only_one`` could be fitted; ``smallest_error``: its RMSE is
    more than 1% below that of any other; ``least_bias_of_equals``: of those within 1% it has the smallest absolute
    bias, by more than chance moves the sum (one standard error, RMSE x sqrt(customers) / orders); ``best_of_equals``:
    of those whose bias is equal so far it has the smallest sum of RMSE, MAE and Brier score, each over the smallest
    among them; ``no_model`` could be fitted, so the past rate goes on. Naive rules are never chosen before a model:
    they are what the verdict compares with.

    >>> choose(pd.DataFrame({"model": ["bg_nbd", "nbd"], "rmse": [1.6, 1.9], "bias": [-0.1, 0.5], "mae": 0.8,
    ...                      "brier": 0.16, "n_customers": 900, "actual": 400}))
    ('bg_nbd', 'smallest_error')
    """
    wish = (rules or LifetimeRules()).model
    able = scores[scores["model"].isin([*MODELS, BLEND]) & scores["rmse"].notna()]
    if able.empty:
        return "past_rate", "no_model"
    if wish in set(able["model"]):
        return wish, "asked_for"
    if len(able) == 1:
        return str(able["model"].iloc[0]), "only_one"
    return _best(able)


def _best(able: pd.DataFrame) -> tuple[str, str]:
    able = able.assign(off=able["abs_bias" if "abs_bias" in able else "bias"].abs().fillna(0.0))
    near = able[able["rmse"] <= (1 + _AS_GOOD) * able["rmse"].min()]
    if len(near) == 1:
        return str(near["model"].iloc[0]), "smallest_error"
    per_cutoff = near["n_customers"] / near.get("n_cutoffs", 1)
    orders = (near["actual"] / near.get("n_cutoffs", 1)).clip(lower=1)
    chance = (near["rmse"] * np.sqrt(per_cutoff) / orders).min()
    equal = near[near["off"] <= near["off"].min() + chance]
    if len(equal) == 1:
        return str(equal["model"].iloc[0]), "least_bias_of_equals"
    errors = equal[["rmse", "mae", "brier"]]
    return str(equal.loc[(errors / errors.min()).sum(axis=1).idxmin(), "model"]), "best_of_equals"


def holdout_scores(
    early: pd.DataFrame, late: pd.DataFrame, cutoff_days: int, rules: LifetimeRules | None = None
) -> pd.DataFrame:
    """One row per model and naive rule: its forecast of the holdout against what the customers did.

    ``early`` is the customer table as of the cut-off, ``late`` the one ``cutoff_days`` days later. Customers new in
    ``late`` are left out and counted in ``n_new``, their purchase days in ``orders_new``. Columns: model; cutoff;
    n_customers, n_new, orders_new; actual, the orders that came; the measures of
    :func:`~custvalue.lifetime.scores.measures`, NaN for a model that could not be fitted; chosen, as :func:`choose`
    does on this holdout. Raises ``DataError`` when the tables do not belong together.

    >>> day = pd.Timestamp("2024-01-01")
    >>> early = pd.DataFrame({"customer_id": ["a", "b"], "first_order": day, "last_order": day,
    ...                       "n_repeats": 0, "tenure_days": 70})
    >>> holdout_scores(early, early.assign(n_repeats=[1, 0]), 35).set_index("model").loc["zero", "mae"]
    np.float64(0.5)
    """
    actual = _paired(early, late).to_numpy()
    new = late.loc[~late["customer_id"].isin(early["customer_id"]), "n_repeats"]
    cutoff = (early["first_order"] + pd.to_timedelta(early["tenure_days"], unit="D")).max()
    facts = {"n_new": len(new), "orders_new": int((new + 1).sum()), "cutoff": cutoff}
    scores = score_table(fit_each(early), early, actual, cutoff_days, **facts)
    return scores.assign(chosen=scores["model"] == choose(scores, rules)[0])


def _ratio(a: float, b: float) -> float:
    return float(a / b) if b > 0 else math.nan


def _numbers(scores: pd.DataFrame) -> dict[str, Any]:
    """The numbers of the verdict, of the chosen row."""
    row = scores[scores["chosen"].astype(bool)].iloc[0]
    naive = scores[scores["model"].isin(NAIVE_RULES)]
    best = naive.loc[naive["rmse"].idxmin()]
    spread = row["base_rate"] * (1 - row["base_rate"])
    skill = 1 - row["brier"] / spread if spread > 0 else math.nan
    ratios = {f"{name}_ratio": _ratio(row[name], naive[name].min()) for name in ("rmse", "mae")}
    found = {"model": str(row["model"]), "bias": float(row["bias"]), "brier_skill": float(skill)}
    return found | ratios | {"best_naive": str(best["model"])}


def _code(bias: float, skill: float, ratio: float, orders: float, rules: VerdictRules) -> str:
    def within(most_bias: float, least_skill: float, most_error: float) -> bool:
        return bool(abs(bias) <= most_bias and skill >= least_skill and ratio <= most_error)

    if within(rules.good_bias, rules.good_skill, rules.good_error) and orders >= rules.good_orders:
        return "good"
    return "with_care" if within(rules.care_bias, rules.care_skill, rules.care_error) else "do_not_use"


def _tested(scores: pd.DataFrame) -> bool:
    chosen = scores[scores["chosen"].astype(bool)]
    return bool(len(chosen)) and chosen["model"].iloc[0] in (*MODELS, BLEND) and bool(chosen["bias"].notna().iloc[0])


def verdict(
    scores: pd.DataFrame, rules: VerdictRules | None = None, pooled: pd.DataFrame | None = None
) -> dict[str, Any]:
    """What the holdout says of the chosen forecast: ``good``, ``with_care`` or ``do_not_use``, and why.

    ``unknown`` where nothing could be held out, no order came in the holdout, or no model could be fitted.

    Keys: code, model, bias (of the sum), brier_skill = 1 - brier / (base (1 - base)) against the constant
    share of customers who bought again, rmse_ratio = rmse / that of the best naive rule, best_naive; also mae_ratio,
    which does not count (see :class:`VerdictRules`). Bias, brier_skill and rmse_ratio must be within the bounds of
    :class:`VerdictRules`; one that can not be computed is not. With ``pooled``,
    the table over all cut-offs, its numbers (the bias as ``abs_bias``, the mean of the absolute biases) must be within
    the bounds too: the worse of the two codes counts. The keys tell the newest cut-off, and mean_bias the pooled one.

    >>> rows = {"model": ["bg_nbd", "zero"], "chosen": [True, False], "bias": [-0.1, -1.0],
    ...         "mae": [0.75, 0.8], "rmse": [1.6, 2.2], "brier": [0.16, 0.3], "base_rate": [0.3, 0.3]}
    >>> verdict(pd.DataFrame(rows))["code"]
    'good'
    """
    rules, missing = rules or VerdictRules(), dict.fromkeys(_VERDICT_NUMBERS, math.nan)
    if not _tested(scores):
        return missing | {"code": "unknown", "model": "", "best_naive": ""}
    found = _numbers(scores)
    orders = float(scores["actual"].iloc[0]) if "actual" in scores else math.inf
    code = _code(found["bias"], found["brier_skill"], found["rmse_ratio"], orders, rules)
    mean_bias = abs(found["bias"])
    if pooled is not None and _tested(pooled):
        over = _numbers(pooled)
        mean_bias = float(pooled.loc[pooled["chosen"], "abs_bias"].iloc[0])
        pooled_code = _code(mean_bias, over["brier_skill"], over["rmse_ratio"], orders, rules)
        code = max(code, pooled_code, key=VERDICTS.index)
    return {"code": code, **found, "mean_bias": mean_bias}
