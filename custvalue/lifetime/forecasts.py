"""The forecast of every customer: orders, value and P(alive) over the coming calendar months and for life."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from custvalue.errors import DataError
from custvalue.lifetime.blend import Blend, Weights
from custvalue.lifetime.fitting import Fitted, model_inputs
from custvalue.lifetime.holdout import SCORE_COLUMNS
from custvalue.lifetime.learned import Learned, learn, shop_rates
from custvalue.lifetime.rules import BLEND, NAIVE_RULES, LifetimeRules
from custvalue.lifetime.spend import SpendModel, repeat_means, value_rate
from custvalue.lifetime.staying import orders_if_stays

__all__ = ["Forecast", "Histories", "active_years", "forecast", "histories", "orders_a_year"]

_YEAR = 12
#: Where life holds more than this share of the orders customers who never leave would place, leaving is hardly seen.
_ENDLESS = 0.8


@dataclass(frozen=True)
class Forecast:
    """What :func:`forecast` found.

    ``table``: one row per customer: customer_id, p_alive, expected_orders_12m, p_order_12m, expected_spend, clv_12m,
    clv_life, value_if_stays_12m (the value of the 12 months if the customer is active and stays so throughout) and, for
    another horizon than 12 months, expected_orders_horizon, p_order_horizon, clv_horizon.
    ``monthly``: one row per month of the horizon: month_end, expected_orders, expected_sales, clv. ``fitted``: model
    to :class:`Fitted`; ``chosen`` forecasts the orders, ``p_alive_model`` gives p_alive. ``value_is`` is ``"margin"``
    or ``"sales"``; ``scores`` the holdout table the choice rests on (empty when there was none); ``as_of`` and
    ``rules`` are what the forecast was asked for. ``orders_column`` and ``value_column`` name the columns of the table
    that hold orders and value over the horizon. ``parts``: one row per customer, how money becomes value over the
    horizon: sales_rate and value_rate (share of purchases), discount (mean factor), retention_cost (discounted).
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
    as_of: pd.Timestamp = pd.NaT
    rules: LifetimeRules = field(default_factory=LifetimeRules)
    parts: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)

    @property
    def weights(self) -> Weights | None:
        """The weights of the blend, to forecast another day alike; None where there is no blend."""
        return getattr(self.fitted.get(BLEND), "weights", None)

    def learned(self, customers: pd.DataFrame) -> Learned:
        """What it learned from ``customers``, the table it was made of; kept, a later month is forecast alike."""
        rates = shop_rates(customers, self.value_is)
        return Learned(self.fitted, self.chosen, self.p_alive_model, self.spend, self.value_is, rates, self.notes)

    @property
    def orders_column(self) -> str:
        return f"expected_orders_{_period(self.rules)}"

    @property
    def value_column(self) -> str:
        return f"clv_{_period(self.rules)}"


@dataclass(frozen=True)
class Histories:
    """The distinct histories ``x``, ``t_x``, ``T`` (weeks), ``n`` customers each; ``row`` tells each customer's."""

    x: np.ndarray
    t_x: np.ndarray
    T: np.ndarray
    n: np.ndarray
    row: np.ndarray

    def total(self, of_customers: np.ndarray) -> np.ndarray:
        """The sum over the customers of each history."""
        return np.bincount(self.row, weights=of_customers, minlength=len(self.n))


def histories(customers: pd.DataFrame) -> Histories:
    """The distinct histories of a customer table: forecasts are computed once for each."""
    inputs = model_inputs(customers)
    x = inputs["x"].to_numpy(dtype="int64")
    t_x, T = (np.rint(inputs[name].to_numpy(dtype=float) * 7).astype("int64") for name in ("t_x", "T"))
    days = max(T.max(initial=0), t_x.max(initial=0)) + 1
    codes, row, n = np.unique((x * days + t_x) * days + T, return_inverse=True, return_counts=True)
    rest, T = np.divmod(codes, days)
    x, t_x = np.divmod(rest, days)
    return Histories(x.astype(float), t_x / 7, T / 7, n, row)


def _period(rules: LifetimeRules) -> str:
    return "12m" if rules.horizon_months == _YEAR else "horizon"


def _check(customers: pd.DataFrame, as_of: pd.Timestamp) -> None:
    if customers.empty:
        raise DataError("no_customers_to_forecast")
    ends = customers["first_order"] + pd.to_timedelta(customers["tenure_days"], unit="D")
    if (ends.dt.normalize() != as_of).any():
        raise DataError("customers_of_other_day", got=as_of.date(), table=ends.max().date())


def month_ends(as_of: pd.Timestamp, months: int) -> pd.DatetimeIndex:
    """The ends of the coming calendar months: real ones after a month end, else the same day."""
    step = pd.offsets.MonthEnd if as_of.is_month_end else lambda i: pd.DateOffset(months=i)
    return pd.DatetimeIndex([as_of + step(i) for i in range(1, months + 1)])


def _discount(days: np.ndarray, rate: float) -> np.ndarray:
    """Present value of 1 received in the middle of each month."""
    middle = (np.concatenate([[0], days[:-1]]) + days) / 2
    return (1 + rate) ** (-middle / 365)


def orders_a_year(model: Fitted, h: Histories) -> np.ndarray:
    """Expected orders a year of each history while the customer is active: his own rate, drawn to that of all."""
    q = model.parameters
    if "alpha" not in q:
        return np.divide(h.x, h.T, out=np.zeros(len(h.x)), where=h.T > 0) * 365 / 7
    k = q.get("k", 1.0)
    return (q["r"] + k * h.x) / (q["alpha"] + h.T) / k * 365 / 7


def _by_month(model: Fitted, h: Histories, days: np.ndarray) -> Iterator[np.ndarray]:
    """Expected orders of each history, month by month; computed a year of months at a time."""
    before = np.zeros(len(h.x))
    for year in range(0, len(days), _YEAR):
        until = model.expected_orders(h.x, h.t_x, h.T, days[year : year + _YEAR] / 7)
        for month in until.T:
            yield (month - before).clip(min=0)
            before = month


def active_years(orders: np.ndarray, yearly: np.ndarray, at_most: np.ndarray) -> np.ndarray:
    """Years of being active that go with the expected orders; none where nothing is expected."""
    years = np.divide(orders, yearly, out=np.zeros(len(orders)), where=yearly > 0)
    return np.minimum(years, at_most)


@dataclass(frozen=True)
class _Worth:
    """Money of one order of each customer, the shares of it that are sales after returns and value, and the rules."""

    spend: np.ndarray
    sales_rate: np.ndarray
    value_rate: np.ndarray
    rules: LifetimeRules

    @property
    def value(self) -> np.ndarray:
        return self.spend * self.value_rate


def _worth(customers: pd.DataFrame, learned: Learned, rules: LifetimeRules) -> _Worth:
    means = repeat_means(customers)
    money = learned.spend.expected_spend(means["n"], means["mean"])
    kinds = ("sales", learned.value_is)
    return _Worth(money, *(value_rate(customers, kind, learned.rates[kind]).to_numpy() for kind in kinds), rules)


def _months(model: Fitted, h: Histories, alive: np.ndarray, days: np.ndarray, worth: _Worth):
    """Sums over the first 12 months and over the horizon, by history; totals of each month of the horizon.

    The sums are expected orders, discounted orders and discounted years of being active.
    """
    sums = {months: np.zeros((3, len(h.x))) for months in (_YEAR, worth.rules.horizon_months)}
    sales, value = h.total(worth.spend * worth.sales_rate), h.total(worth.value)
    yearly = orders_a_year(model, h)
    lengths, factors, totals = np.diff(days, prepend=0) / 365, _discount(days, worth.rules.discount_rate), []
    for month, orders in enumerate(_by_month(model, h, days)):
        active = active_years(orders, yearly, alive * lengths[month])
        for months, kept in sums.items():
            if month < months:
                kept += [orders, orders * factors[month], active * factors[month]]
        paid = value @ orders - worth.rules.retention_cost * (h.n @ active)
        totals.append((h.n @ orders, sales @ orders, paid * factors[month]))
    return sums, totals[: worth.rules.horizon_months]


def _period_columns(name: str, model, h: Histories, sums: np.ndarray, worth: _Worth, weeks: float) -> dict:
    """Expected orders, P(an order) and value of each customer over one period."""
    orders, discounted, active = sums[:, h.row]
    return {
        f"expected_orders_{name}": orders,
        f"p_order_{name}": model.p_order(h.x, h.t_x, h.T, weeks)[h.row],
        f"clv_{name}": worth.value * discounted - worth.rules.retention_cost * active,
    }


def _parts(h: Histories, sums: np.ndarray, worth: _Worth) -> pd.DataFrame:
    """How money becomes value over a period, see :class:`Forecast`."""
    orders, discounted, active = sums
    factor = np.divide(discounted, orders, out=np.ones(len(orders)), where=orders > 0)[h.row]
    cost = worth.rules.retention_cost * active[h.row]
    return pd.DataFrame(
        {"sales_rate": worth.sales_rate, "value_rate": worth.value_rate, "discount": factor, "retention_cost": cost}
    )


def _discounted_year(model: Fitted, h: Histories, days: np.ndarray, rate: float) -> np.ndarray:
    """Discounted expected orders of each history over the first 12 months."""
    factors = _discount(days[:_YEAR], rate)
    return sum(orders * factor for orders, factor in zip(_by_month(model, h, days[:_YEAR]), factors, strict=True))


def _life_orders(model: Fitted, h: Histories, days: np.ndarray, rate: float) -> np.ndarray:
    """Discounted expected orders for ever; a blend differs from its model in the first 12 months only."""
    weekly = np.log1p(rate) * 7 / 365
    if not isinstance(model, Blend):
        return model.life_orders(h.x, h.t_x, h.T, weekly)
    first = _discounted_year(model, h, days, rate) - _discounted_year(model.base, h, days, rate)
    return model.base.life_orders(h.x, h.t_x, h.T, weekly) + first


def _for_life(
    model: Fitted, h: Histories, alive: np.ndarray, days: np.ndarray, worth: _Worth
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Value of each customer for life, and a note where it can not be told (all values are then missing)."""
    rate = worth.rules.discount_rate
    if model.model in NAIVE_RULES or rate <= 0:
        note = "life_needs_model" if model.model in NAIVE_RULES else "life_needs_discount"
        return np.full(len(h.row), np.nan), (note,)
    orders, longest = _life_orders(model, h, days, rate), alive / np.log1p(rate)
    yearly = orders_a_year(model, h)
    active = active_years(orders, yearly, longest)
    life = worth.value * orders[h.row] - worth.rules.retention_cost * active[h.row]
    endless = h.n @ orders > _ENDLESS * (h.n @ (yearly * longest))
    return (np.full(len(life), np.nan), ("life_without_churn",)) if endless else (life, ())


def _if_stays(model: Fitted, h: Histories, days: np.ndarray, worth: _Worth) -> np.ndarray:
    """Value of the next 12 months of each customer who is active and stays so throughout; missing for a naive rule."""
    months = days[:_YEAR]
    orders = orders_if_stays(model, h.x, h.t_x, h.T, months[-1] / 7)[h.row]
    years = (np.diff(months, prepend=0) / 365 * _discount(months, worth.rules.discount_rate)).sum()
    return worth.value * orders * years * 365 / months[-1] - worth.rules.retention_cost * years


def _monthly(ends: pd.DatetimeIndex, totals: list[tuple[float, ...]]) -> pd.DataFrame:
    table = pd.DataFrame(totals, columns=["expected_orders", "expected_sales", "clv"], dtype=float)
    table.insert(0, "month_end", ends[: len(table)])
    return table


def forecast(
    customers: pd.DataFrame,
    as_of: dt.date | str,
    rules: LifetimeRules | None = None,
    scores: pd.DataFrame | None = None,
    weights: Weights | None = None,
    learned: Learned | None = None,
) -> Forecast:
    """Forecast orders and value of every customer over the coming calendar months and for life (C2, C3, C4).

    clv_12m is the sum over 12 months of expected orders x expected spend x the customer's margin rate (the share left
    after returns where there is no margin), each month discounted from its middle by (1 + rate)^(days / 365), less
    ``rules.retention_cost`` for the time the customer is expected to be active. A horizon other than 12 months adds
    columns of its own. clv_life is the same for ever, each order discounted from the moment it is expected (Fader,
    Hardie & Lee 2005, JMR 42(4)); it is missing for a naive rule (note ``life_needs_model``), at a discount rate of 0
    (``life_needs_discount``) and where hardly anybody is seen to leave (``life_without_churn``). Time active is
    expected orders / orders a year while active, at most P(alive) x the time.

    ``scores`` (:func:`holdout_scores`) chooses the model; without them the most likely one forecasts. With ``weights``
    a :class:`Blend` stands beside the models; for life it differs from its model in the first 12 months only. p_alive
    is that of the chosen model where it lets customers leave after any purchase (not BG/NBD, not NBD), else of the most
    likely such model; it is missing where none fits. With fewer than ten repeat buyers no
    model is tried and the past rate goes on (note ``too_few_repeat_buyers``). With ``learned``
    (:meth:`Forecast.learned`, of an earlier month for one) nothing is fitted: what changes is the customer's doing.

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
    learned = learned or learn(customers, rules, scores, weights)
    fitted, chosen, alive_model = learned.fitted, learned.chosen, learned.p_alive_model

    worth = _worth(customers, learned, rules)
    model, h = fitted[chosen], histories(customers)
    ends = month_ends(as_of, max(_YEAR, rules.horizon_months))
    days = (ends - as_of).days.to_numpy(dtype=float)
    alive = model.p_alive(h.x, h.t_x, h.T)
    sums, totals = _months(model, h, alive, days, worth)
    life, life_notes = _for_life(model, h, alive, days, worth)

    shown = alive if alive_model == chosen else alive_model and fitted[alive_model].p_alive(h.x, h.t_x, h.T)
    year = _period_columns("12m", model, h, sums[_YEAR], worth, days[_YEAR - 1] / 7)
    columns = {"customer_id": customers["customer_id"].to_numpy(), "p_alive": shown[h.row] if alive_model else np.nan}
    columns |= {**year, "expected_spend": worth.spend, "clv_12m": year["clv_12m"], "clv_life": life}
    columns["value_if_stays_12m"] = _if_stays(model, h, days, worth)
    if rules.horizon_months != _YEAR:
        months = rules.horizon_months
        columns |= _period_columns("horizon", model, h, sums[months], worth, days[months - 1] / 7)
    return Forecast(
        pd.DataFrame(columns), _monthly(ends, totals), fitted, chosen, alive_model, scores, learned.spend,
        learned.value_is, learned.notes + life_notes, as_of, rules, _parts(h, sums[rules.horizon_months], worth),
    )  # fmt: skip
