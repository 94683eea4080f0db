"""How far the forecast can be off: intervals for each customer and for all of them together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from custvalue.lifetime.blend import Blend
from custvalue.lifetime.fitting import Fitted
from custvalue.lifetime.forecasts import Forecast, Histories, histories, month_ends
from custvalue.lifetime.models import FAMILIES
from custvalue.lifetime.rules import NAIVE_RULES
from custvalue.lifetime.spend import SpendModel, repeat_means

__all__ = ["Intervals", "forecast_intervals", "model_error"]

#: Bounds by the ending of their columns, as they are shown.
_BOUNDS = {"low_80": 0.1, "high_80": 0.9, "low_95": 0.025, "high_95": 0.975}
#: What has bounds for all customers together.
_MEASURES = ("n_orders", "sales", "value")
#: Futures simulated of each customer: as many as keep their number in all below the budget, within these limits.
_FEWEST, _MOST, _BUDGET = 200, 1_000, 10_000_000
#: Sets of parameters the futures are drawn with: at most so many, and so many P(alive) in all.
_SETS, _ALIVE_BUDGET = 40, 4_000_000
#: Sets of parameters the total is computed with, for so many customers drawn at random.
_TOTAL_SETS, _TOTAL_SAMPLE = 200, 2_000
#: Futures held in memory at a time.
_CHUNK = 2_000_000


@dataclass(frozen=True)
class Intervals:
    """What :func:`forecast_intervals` found, over the horizon of the forecast.

    ``table``: one row per customer: customer_id, then the bounds of his orders (orders_low_80, orders_high_80,
    orders_low_95, orders_high_95) and of his value (value_low_80, ...). ``portfolio``: one row per measure (n_orders,
    sales, value): measure, expected, low_80, high_80, low_95, high_95, of all customers together. ``model_error`` is
    the relative error the backtest showed beyond what the model admits (0 without a backtest); ``n_futures`` the number
    of futures simulated of each customer.
    """

    table: pd.DataFrame
    portfolio: pd.DataFrame
    model_error: float
    n_futures: int

    @property
    def kind(self) -> str:
        """What can be said of the total: ``range``, ``no_range`` (a naive rule forecasts) or ``none`` (no orders)."""
        orders = self.portfolio.set_index("measure").loc["n_orders"]
        if not orders["expected"] > 0:
            return "none"
        return "range" if orders[list(_BOUNDS)].notna().all() else "no_range"


@dataclass(frozen=True)
class _Futures:
    """Draws the future of some customers: orders and money, under several sets of parameters."""

    models: list[Fitted]
    alive: np.ndarray
    h: Histories
    means: pd.DataFrame
    spend: SpendModel
    weeks: float
    times: int

    def draw(self, these: slice, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Orders and money of the customers ``these``, customers by futures."""
        row = self.h.row[these]
        orders = np.hstack([self._orders(model, p, row, rng) for model, p in zip(self.models, self.alive, strict=True)])
        bought = orders > 0
        who = np.repeat(np.arange(len(row)), bought.sum(axis=1))
        n, mean = (self.means[name].to_numpy()[these] for name in ("n", "mean"))
        money = np.zeros(orders.shape)
        money[bought] = self.spend.simulate_spend(n, mean, orders[bought], rng, who)
        return orders, money

    def _orders(self, model: Fitted, p: np.ndarray, row: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Orders drawn from one set of parameters; a blend draws each future from one of its two parts."""
        base = model.base if isinstance(model, Blend) else model
        alive = rng.random((len(row), self.times)) < p[row][:, None]
        one = np.repeat(row, alive.sum(axis=1))
        orders = np.zeros(alive.shape, dtype="int32")
        history = (self.h.x[one], self.h.t_x[one], self.h.T[one])
        orders[alive] = FAMILIES[base.model].draw_if_alive(base.parameters, *history, self.weeks, rng)
        if isinstance(model, Blend) and model.weights.orders > 0:
            rate = Fitted("past_rate").expected_orders(self.h.x, self.h.t_x, self.h.T, self.weeks)[row]
            past = rng.random(alive.shape) < model.weights.orders
            orders[past] = rng.poisson(np.repeat(rate, past.sum(axis=1)))
        return orders


def _futures(customers: pd.DataFrame, forecast: Forecast, weeks: float, rng: np.random.Generator) -> _Futures:
    h, model = histories(customers), forecast.fitted[forecast.chosen]
    n_futures = int(np.clip(_BUDGET // len(customers), _FEWEST, _MOST))
    n_sets = int(np.clip(_ALIVE_BUDGET // len(h.x), 4, _SETS))
    models = model.draws(n_sets, rng)
    alive = np.array([each.p_alive(h.x, h.t_x, h.T) for each in models])
    return _Futures(models, alive, h, repeat_means(customers), forecast.spend, weeks, n_futures // n_sets)


def _quantiles(futures: np.ndarray) -> np.ndarray:
    """The bounds of each row: the smallest simulated number that at least so many futures do not exceed."""
    ordered = np.sort(futures, axis=1)
    places = [max(int(np.ceil(p * futures.shape[1] - 1e-9)) - 1, 0) for p in _BOUNDS.values()]
    return ordered[:, places]


def _rates(parts: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """Sales and discounted value of one unit of purchases, and the cost of each customer."""
    sales_rate, value_rate, discount, cost = parts.to_numpy().T
    return sales_rate, value_rate * discount, cost


def _simulated(futures: _Futures, parts: pd.DataFrame, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, ...]]:
    """A chunk of customers at a time: bounds of orders, bounds of value, totals (measures by futures)."""
    size = max(_CHUNK // (futures.times * len(futures.models)), 1)
    for start in range(0, len(parts), size):
        these = slice(start, start + size)
        sales_rate, value_rate, cost = _rates(parts.iloc[these])
        orders, money = futures.draw(these, rng)
        value = money * value_rate[:, None] - cost[:, None]
        totals = np.array([orders.sum(axis=0), sales_rate @ money, value.sum(axis=0)])
        yield _quantiles(orders), _quantiles(value), totals


def _noise(totals: np.ndarray, n_sets: int) -> np.ndarray:
    """Deviations of the simulated totals from the mean of those with the same parameters, measures by futures."""
    sets = totals.reshape(len(totals), n_sets, -1)
    lost = sets.shape[2] / max(sets.shape[2] - 1, 1)
    return ((sets - sets.mean(axis=2, keepdims=True)) * np.sqrt(lost)).reshape(len(totals), -1)


def _ratios(model: Fitted, h: Histories, weights: np.ndarray, weeks: float, rng: np.random.Generator) -> np.ndarray:
    """Expected totals under drawn parameters, relative to those under the fitted ones: measures by draws."""
    some = np.arange(len(h.row))
    if len(some) > _TOTAL_SAMPLE:
        some = rng.choice(some, _TOTAL_SAMPLE, replace=False)
    rows, where = np.unique(h.row[some], return_inverse=True)
    grouped = np.array([np.bincount(where, weights=weight[some], minlength=len(rows)) for weight in weights])
    history = h.x[rows], h.t_x[rows], h.T[rows]
    fitted = grouped @ model.expected_orders(*history, weeks)
    drawn = [grouped @ each.expected_orders(*history, weeks) for each in model.draws(_TOTAL_SETS, rng)]
    return np.divide(drawn, fitted, out=np.ones((_TOTAL_SETS, len(fitted))), where=fitted > 0).T


def model_error(scores: pd.DataFrame, model: str, admitted: float) -> float:
    """The relative error a backtest shows beyond what the model admits of the total, 0 without a backtest.

    sqrt(mean e^2 - a^2), at least 0, where e = ln(forecast / actual) of the total orders of ``model`` at each cut-off
    and a is the relative standard deviation the model itself gives to the total.

    >>> scores = pd.DataFrame({"model": ["bg_nbd", "bg_nbd"], "bias": [0.1, -0.1]})
    >>> round(model_error(scores, "bg_nbd", 0.06), 2), model_error(scores, "bg_nbd", 0.2)
    (0.08, 0.0)
    """
    bias = scores.loc[scores["model"].astype(str) == model, "bias"].astype(float)
    errors = np.log1p(bias[np.isfinite(bias)].clip(lower=-0.95))
    return float(np.sqrt(max((errors**2).mean() - admitted**2, 0.0))) if len(errors) else 0.0


def _spend_error(means: pd.DataFrame, spend: SpendModel, weights: np.ndarray) -> float:
    """Relative standard error of the money of all from that of the mean spend customers are drawn to.

    ``weights`` is each customer's expected money. Each group of the spend model has a mean of its own, with the
    standard error of a mean of its buyers.
    """
    models, n, own = spend.groups or (spend,), means["n"].to_numpy(), means["mean"].to_numpy()
    group = np.maximum(np.searchsorted([model.fewest for model in models], n, side="right") - 1, 0)
    centre = np.array([model.population_mean for model in models])[group]
    pull = np.array([model.weight_orders for model in models])[group]
    money = spend.expected_spend(n, own)
    share = np.divide(pull / (n + pull) * centre, money, out=np.zeros(len(money)), where=money > 0)
    buyers = n > 0
    counts = np.bincount(group[buyers], minlength=len(models))
    if counts.sum() < 2 or weights.sum() <= 0:
        return 0.0
    relative = np.std(own[buyers] / centre[buyers]) / np.sqrt(np.maximum(counts, 1))
    return float(np.hypot.reduce(np.bincount(group, weights * share, minlength=len(models)) * relative) / weights.sum())


def _portfolio(expected, ratios, noise, error: float, money_error: float, rng) -> np.ndarray:
    """Bounds of the totals: expected x effect of the parameters x error of the model + noise of the customers."""
    factors = ratios * np.exp(error * rng.standard_normal(ratios.shape[1]))
    factors[1:] *= np.exp(money_error * rng.standard_normal(ratios.shape[1]))
    totals = (expected[:, None] * factors)[:, :, None] + noise[:, None, :]
    return np.quantile(totals.reshape(len(expected), -1), list(_BOUNDS.values()), axis=1).T


def _tables(ids: pd.Series, orders: np.ndarray, value: np.ndarray, expected: np.ndarray, bounds: np.ndarray):
    columns = {"customer_id": ids.to_numpy()}
    for name, found in (("orders", orders), ("value", value)):
        columns |= {f"{name}_{bound}": found[:, place] for place, bound in enumerate(_BOUNDS)}
    portfolio = pd.DataFrame({"measure": _MEASURES, "expected": expected})
    return pd.DataFrame(columns), portfolio.assign(**dict(zip(_BOUNDS, bounds.T, strict=True)))


def _expected(forecast: Forecast) -> tuple[np.ndarray, ...]:
    """Of each measure the expected total before retention cost, that cost, and what an order of each customer adds."""
    orders, spend = forecast.table[forecast.orders_column].to_numpy(), forecast.table["expected_spend"].to_numpy()
    sales_rate, value_rate, cost = _rates(forecast.parts)
    weights = np.array([np.ones(len(orders)), spend * sales_rate, spend * value_rate])
    return weights @ orders, np.array([0, 0, cost.sum()]), weights


def forecast_intervals(
    customers: pd.DataFrame, forecast: Forecast, origins: pd.DataFrame | None = None, seed: int = 1
) -> Intervals:
    """Intervals of orders and value over the horizon of the forecast, for each customer and for all together.

    Futures of every customer are simulated from the chosen model: still alive or not, rate, leaving, orders, the money
    of each order; under many sets of parameters, drawn from their uncertainty. His bounds are quantiles of these
    futures: of orders, the smallest number of orders that 10% (90%, ...) of the futures do not exceed, so that an
    interval holds at least its share. For all customers together the noise of their futures is added to the effect of
    drawn parameters on the expected total (for money also that of the mean spend), widened by :func:`model_error` where
    the backtest showed larger errors than the model admits. The margin rate and the retention cost are taken as known.
    ``origins`` has the scores of every cut-off (:class:`custvalue.lifetime.Backtest`); without it those of the forecast
    count. With a naive rule in place of a model all bounds are missing. Same input and ``seed``, same numbers.

    Memory stays bounded: customers are simulated in chunks, in 200 futures each where they are many, else up to 1,000.
    """
    customers, rng = customers.reset_index(drop=True), np.random.default_rng(seed)
    expected, cost, weights = _expected(forecast)
    if forecast.chosen in NAIVE_RULES:
        unknown = np.full((len(customers), len(_BOUNDS)), np.nan)
        tables = _tables(
            customers["customer_id"], unknown, unknown, expected - cost, np.full((3, len(_BOUNDS)), np.nan)
        )
        return Intervals(*tables, 0.0, 0)
    days = (month_ends(forecast.as_of, forecast.rules.horizon_months)[-1] - forecast.as_of).days
    futures = _futures(customers, forecast, days / 7, rng)
    orders, value, totals = zip(*_simulated(futures, forecast.parts, rng), strict=True)
    noise = _noise(sum(totals), len(futures.models))
    ratios = _ratios(forecast.fitted[forecast.chosen], futures.h, weights, days / 7, rng)
    admitted = np.hypot(ratios[0].std(), noise[0].std() / max(expected[0], 1e-12))
    error = model_error(forecast.scores if origins is None else origins, forecast.chosen, float(admitted))
    money_error = _spend_error(futures.means, forecast.spend, weights[1] * forecast.table[forecast.orders_column])
    bounds = _portfolio(expected, ratios, noise, error, money_error, rng) - cost[:, None]
    tables = _tables(customers["customer_id"], np.vstack(orders), np.vstack(value), expected - cost, bounds)
    return Intervals(*tables, error, futures.times * len(futures.models))
