"""The forecast of every customer: orders, value and P(alive) over the coming calendar months."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from custvalue.errors import AnalysisError, DataError
from custvalue.lifetime.fitting import Fitted, fit, grouped_rows, model_inputs
from custvalue.lifetime.holdout import SCORE_COLUMNS
from custvalue.lifetime.rules import FEWEST_REPEAT_BUYERS, MODELS, LifetimeRules
from custvalue.lifetime.spend import SpendModel, fit_spend, repeat_means, value_rate

__all__ = ["Forecast", "forecast"]

#: P(alive) comes from the first of these that fits: BG/NBD gives every one-time buyer 1.
_ALIVE_MODELS = ("pareto_nbd", "mbg_nbd")


@dataclass(frozen=True)
class Forecast:
    """What :func:`forecast` found.

    ``table``: one row per customer: customer_id, p_alive, expected_orders_12m, p_order_12m, expected_spend,
    clv_12m. ``monthly``: one row per month: month_end, expected_orders, expected_sales, clv. ``fitted``:
    model to :class:`Fitted`; ``chosen`` forecasts the orders, ``p_alive_model`` gives p_alive. ``value_is``
    is ``"margin"`` or ``"sales"``; ``scores`` the holdout table the choice rests on (empty when there was
    none).
    """

    table: pd.DataFrame
    monthly: pd.DataFrame
    fitted: Mapping[str, Fitted]
    chosen: str
    p_alive_model: str
    scores: pd.DataFrame
    spend: SpendModel
    value_is: str
    notes: tuple[str, ...] = ()


def _check(customers: pd.DataFrame, as_of: pd.Timestamp) -> None:
    if customers.empty:
        raise DataError("no_customers_to_forecast")
    ends = customers["first_order"] + pd.to_timedelta(customers["tenure_days"], unit="D")
    if (ends.dt.normalize() != as_of).any():
        raise DataError("customers_of_other_day", got=as_of.date(), table=ends.max().date())


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


def _choose(fitted: Mapping[str, Fitted], rules: LifetimeRules, scores: pd.DataFrame) -> str:
    """The model asked for, else the best in the holdout, else the most likely one."""
    evidence = [str(code) for code in scores.loc[scores["chosen"].astype(bool), "model"]]
    for wish in (rules.model, *evidence):
        if wish in fitted:
            return wish
    return max(fitted, key=lambda model: np.nan_to_num(fitted[model].log_likelihood, nan=-np.inf))


def month_ends(as_of: pd.Timestamp, months: int) -> pd.DatetimeIndex:
    """The ends of the coming calendar months: real ones after a month end, else the same day."""
    step = pd.offsets.MonthEnd if as_of.is_month_end else lambda i: pd.DateOffset(months=i)
    return pd.DatetimeIndex([as_of + step(i) for i in range(1, months + 1)])


def _orders_by_month(model: Fitted, inputs: pd.DataFrame, days: np.ndarray) -> np.ndarray:
    """Expected orders, customers by months."""
    x, t_x, T = (inputs[name].to_numpy(dtype=float) for name in ("x", "t_x", "T"))
    alive = model.p_alive(x, t_x, T)
    until = [alive * model.orders_if_alive(x, T, end / 7) for end in days]
    return np.diff(np.column_stack([np.zeros(len(x)), *until]), axis=1).clip(min=0)


def _discount(days: np.ndarray, rate: float) -> np.ndarray:
    """Present value of 1 received in the middle of each month."""
    middle = (np.concatenate([[0], days[:-1]]) + days) / 2
    return (1 + rate) ** (-middle / 365)


def _customer_table(customers, inputs, alive, model, orders, clv, spend, weeks) -> pd.DataFrame:
    x, t_x, T = (inputs[name].to_numpy(dtype=float) for name in ("x", "t_x", "T"))
    return pd.DataFrame(
        {
            "customer_id": customers["customer_id"].to_numpy(),
            "p_alive": alive.p_alive(x, t_x, T) if alive else np.nan,
            "expected_orders_12m": orders.sum(axis=1),
            "p_order_12m": model.p_order(x, t_x, T, weeks),
            "expected_spend": spend,
            "clv_12m": clv.sum(axis=1),
        }
    )


def forecast(
    customers: pd.DataFrame,
    as_of: dt.date | str,
    rules: LifetimeRules | None = None,
    scores: pd.DataFrame | None = None,
) -> Forecast:
    """Forecast orders and value of every customer over the coming calendar months (C2, C3, C4).

    clv_12m is the sum over months of expected orders x expected spend x the customer's margin rate (the share
    left after returns where there is no margin), each month discounted from its middle by (1 + rate)^(days /
    365). The horizon is ``rules.horizon_months``, 12 unless set. ``scores`` (:func:`holdout_scores`) chooses
    the model; without them the most likely one forecasts. p_alive is always that of Pareto/NBD, else MBG/NBD;
    it is missing where neither fits. With fewer than ten repeat buyers no model is tried and the past rate
    goes on (note ``too_few_repeat_buyers``).

    Raises ``DataError`` for an empty table or one made as of another day.

    >>> day = pd.Timestamp("2024-06-30")
    >>> start = day - pd.Timedelta(70, "D")
    >>> one = pd.DataFrame({"customer_id": ["a"], "first_order": start, "last_order": start, "n_orders": 1,
    ...                     "n_repeats": 0, "tenure_days": 70, "sales": 12.0, "returns": 0.0,
    ...                     "repeat_sales": 0.0, "margin": float("nan"), "mean_order_value": 12.0})
    >>> result = forecast(one, day)
    >>> result.chosen, result.table["clv_12m"].tolist(), str(result.monthly["month_end"].max().date())
    ('past_rate', [0.0], '2025-06-30')
    """
    rules, as_of = rules or LifetimeRules(), pd.Timestamp(as_of).normalize()
    _check(customers, as_of)
    scores = pd.DataFrame(columns=list(SCORE_COLUMNS)) if scores is None else scores
    models = MODELS if rules.model == "auto" else tuple(dict.fromkeys([rules.model, *_ALIVE_MODELS]))
    fitted, notes = _fit_all(grouped_rows(customers), models)
    chosen = _choose(fitted, rules, scores)
    alive = next((model for model in _ALIVE_MODELS if model in fitted), "")

    spend_model, value_is = fit_spend(customers), "margin" if customers["margin"].notna().any() else "sales"
    means, inputs = repeat_means(customers), model_inputs(customers)
    spend = spend_model.expected_spend(means["n"], means["mean"])
    ends = month_ends(as_of, rules.horizon_months)
    days = (ends - as_of).days.to_numpy(dtype=float)
    orders = _orders_by_month(fitted[chosen], inputs, days)
    value = spend * value_rate(customers, value_is).to_numpy()
    sales = spend * value_rate(customers, "sales").to_numpy()
    clv = orders * value[:, None] * _discount(days, rules.discount_rate)

    table = _customer_table(
        customers, inputs, fitted.get(alive), fitted[chosen], orders, clv, spend, weeks=days[-1] / 7
    )
    monthly = pd.DataFrame(
        {
            "month_end": ends,
            "expected_orders": orders.sum(axis=0),
            "expected_sales": sales @ orders,
            "clv": clv.sum(axis=0),
        }
    )
    notes += spend_model.notes
    return Forecast(table, monthly, fitted, chosen, alive, scores, spend_model, value_is, notes)
