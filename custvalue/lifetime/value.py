"""What the customers are worth in all: lifetime value, return on acquisition, customer equity, better retention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from custvalue.economics import payback_months
from custvalue.errors import DataError
from custvalue.lifetime.blend import Blend
from custvalue.lifetime.fitting import Fitted
from custvalue.lifetime.forecasts import Forecast, Histories, active_years, histories, orders_a_year
from custvalue.lifetime.rules import NAIVE_RULES, LifetimeRules

__all__ = [
    "EQUITY_PARTS",
    "acquisition_return",
    "customer_equity",
    "lifetime_values",
    "new_customer_value",
    "retention_what_if",
    "value_what_if",
]

#: The parts of customer equity, in the order they are shown.
EQUITY_PARTS = ("retention", "add_on", "acquisition", "all")

_YEAR = 365
_TEN_YEARS = 120
_POINTS = (-0.05, 0.0, 0.05, 0.10)
#: Smallest and largest factor on the rate of leaving that is tried.
_SCALES = (0.01, 100.0)


def _attribute(customers: pd.DataFrame, attributes: pd.DataFrame | None, name: str) -> np.ndarray | None:
    """A column of the attributes in the order of the customers; None where nobody knows it."""
    if attributes is None or name not in attributes.columns:
        return None
    return customers["customer_id"].map(attributes.set_index("customer_id")[name]).to_numpy()


def _costs(customers: pd.DataFrame, attributes: pd.DataFrame | None) -> np.ndarray:
    known = _attribute(customers, attributes, "acquisition_cost")
    return np.full(len(customers), np.nan) if known is None else pd.to_numeric(pd.Series(known)).to_numpy(dtype=float)


def lifetime_values(
    customers: pd.DataFrame, forecast: Forecast, attributes: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One row per customer: his value over the whole relation, past and future, net of what winning him cost (C3).

    Columns, all money: customer_id; value_to_date (margin where known, else sales net of returns, not discounted);
    clv_life; acquisition_cost (column of ``attributes``, a table with customer_id; missing where not known);
    lifetime_value = value_to_date + clv_life - acquisition_cost, missing where a part is. ``forecast`` is that of the
    same customer table.

    >>> import custvalue as cv
    >>> from custvalue.share import sample_folder
    >>> orders = cv.read(sample_folder())
    >>> customers = cv.customer_table(orders)
    >>> forecast = cv.lifetime.forecast(customers, orders.as_of, cv.lifetime.LifetimeRules(model="pareto_nbd"))
    >>> lifetime_values(customers, forecast).columns.tolist()
    ['customer_id', 'value_to_date', 'clv_life', 'acquisition_cost', 'lifetime_value']
    """
    table = pd.DataFrame(
        {
            "customer_id": customers["customer_id"].to_numpy(),
            "value_to_date": customers[forecast.value_is].to_numpy(dtype=float),
            "clv_life": forecast.table["clv_life"].to_numpy(),
            "acquisition_cost": _costs(customers, attributes),
        }
    )
    return table.assign(lifetime_value=table["value_to_date"] + table["clv_life"] - table["acquisition_cost"])


def acquisition_return(
    customers: pd.DataFrame, forecast: Forecast, attributes: pd.DataFrame, by: str = "acquisition_channel"
) -> pd.DataFrame:
    """One row per way customers were won (column ``by`` of the attributes): cost and return of a customer (C1, C26).

    Only customers whose cost is known count. Columns: ``by``; n_customers; acquisition_cost, value_to_date, clv_life,
    lifetime_value (money, mean of a customer); value_per_cost = (value_to_date + clv_life) / acquisition_cost. Ways are
    compared fairly only between customers won at like times: tenure_days is the mean time since the first order.

    Raises ``DataError`` when a column is missing.
    """
    missing = [name for name in (by, "acquisition_cost") if name not in attributes.columns]
    if missing:
        raise DataError("missing_columns_of_table", missing=", ".join(missing), got=", ".join(attributes.columns))
    table = lifetime_values(customers, forecast, attributes)
    table = table.assign(
        **{by: _attribute(customers, attributes, by), "tenure_days": customers["tenure_days"].to_numpy()}
    )
    groups = table[table["acquisition_cost"].notna()].groupby(by, sort=True)
    names = ["tenure_days", "acquisition_cost", "value_to_date", "clv_life", "lifetime_value"]
    means = groups[names].mean()
    brought = means["value_to_date"] + means["clv_life"]
    means.insert(0, "n_customers", groups.size())
    return means.assign(
        value_per_cost=brought / means["acquisition_cost"].where(means["acquisition_cost"] > 0)
    ).reset_index()


def _value_share(customers: pd.DataFrame, value_is: str) -> float:
    """The share of all purchases that stays as value, of the customers whose value is known."""
    known = customers[customers[value_is].notna()]
    purchases = (known["sales"] + known["returns"].fillna(0)).clip(lower=0).sum()
    return float(known[value_is].sum() / purchases) if purchases > 0 else np.nan


def _newcomers(customers: pd.DataFrame) -> pd.DataFrame:
    """The customers won in the last 365 days, all where nobody was."""
    new = customers[customers["tenure_days"] < _YEAR]
    return new if len(new) else customers


def _new_months(forecast: Forecast, share: float, months: int) -> np.ndarray:
    """Value of each month (365 / 12 days) after the first order of a customer, not discounted."""
    model, zero = forecast.fitted[forecast.chosen], np.zeros(1)
    weeks = np.arange(1, months + 1) * _YEAR / 12 / 7
    orders = np.array([model.expected_orders(zero, zero, zero, week)[0] for week in weeks])
    value = np.diff(orders, prepend=0) * _new_spend(forecast) * share
    return value - forecast.rules.retention_cost * _new_active(forecast, np.diff(orders, prepend=0), 1 / 12)


def _new_spend(forecast: Forecast) -> float:
    return float(forecast.spend.expected_spend([0.0], [np.nan])[0])


def _new_active(forecast: Forecast, orders: np.ndarray, at_most: float) -> np.ndarray:
    """Years a new customer is active that go with the expected orders."""
    zero = np.zeros(1)
    yearly = orders_a_year(forecast.fitted[forecast.chosen], Histories(zero, zero, zero, zero, zero))[0]
    return np.minimum(orders / yearly, at_most) if yearly > 0 else np.zeros(len(orders))


def new_customer_value(
    customers: pd.DataFrame, forecast: Forecast, attributes: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One row: what a customer is worth on the day he is won, and when he has paid back what winning him cost (C1, C4).

    Columns, money unless said: n_new_12m (customers won in the last 365 days; missing below two years of history, where
    old customers look new); first_value, of the first order (mean of those customers); later_value, of the orders
    expected of a new customer for life, discounted; acquisition_cost (mean of those customers whose cost is known);
    net_value = first_value + later_value - acquisition_cost; payback_months (not discounted, 0 where the first order
    does; missing where ten years do not pay it back). All missing where a naive rule stands in for a model.
    """
    new, rules = _newcomers(customers), forecast.rules
    share = _value_share(customers, forecast.value_is)
    n_new = float(len(new)) if customers["tenure_days"].max() >= 2 * _YEAR else np.nan
    columns = ["n_new_12m", "first_value", "later_value", "acquisition_cost", "net_value", "payback_months"]
    if forecast.chosen in NAIVE_RULES or rules.discount_rate <= 0:
        return pd.DataFrame([[n_new, *[np.nan] * 5]], columns=columns)
    first = share * float((new["sales"] + new["returns"].fillna(0) - new["repeat_sales"]).clip(lower=0).mean())
    zero, yearly = np.zeros(1), np.log1p(rules.discount_rate)
    orders = forecast.fitted[forecast.chosen].life_orders(zero, zero, zero, yearly * 7 / _YEAR)
    later = orders[0] * _new_spend(forecast) * share
    later -= rules.retention_cost * _new_active(forecast, orders, 1 / yearly)[0]
    costs = pd.Series(_costs(new, attributes)).dropna()
    cost = float(costs.mean()) if len(costs) else np.nan
    left = max(cost - first, 0.0)
    months = np.nan if np.isnan(left) else payback_months(left, _new_months(forecast, share, _TEN_YEARS))
    return pd.DataFrame([[n_new, first, later, cost, first + later - cost, months]], columns=columns)


def customer_equity(
    customers: pd.DataFrame,
    forecast: Forecast,
    attributes: pd.DataFrame | None = None,
    add_on_share: float = np.nan,
) -> pd.DataFrame:
    """One row per part of customer equity: the present value of today's customers and of a year's new ones (C4).

    - ``retention`` and ``add_on``: the sum of clv_life of today's customers, divided as their repeat purchases were:
      ``add_on_share`` (:func:`custvalue.timelines.add_on_share`) of it is bought in categories new to the customer.
      Where the share is not known, it all stands in ``retention``.
    - ``acquisition``: the customers won in one year, as many as in the last 365 days, each worth net_value of
      :func:`new_customer_value`, discounted by half a year. Missing where their number or cost is not known. Customers
      won in later years are not in it.
    - ``all``: the sum of the parts that are known.

    Columns: equity_part (ordered codes of :data:`EQUITY_PARTS`), n_customers, value (money), share_value.

    Source: Blattberg, Getz & Thomas (2001), Customer Equity.

    >>> import custvalue as cv
    >>> from custvalue.share import sample_folder
    >>> orders = cv.read(sample_folder())
    >>> customers = cv.customer_table(orders)
    >>> forecast = cv.lifetime.forecast(customers, orders.as_of, cv.lifetime.LifetimeRules(model="pareto_nbd"))
    >>> customer_equity(customers, forecast).iloc[:, :3].round(0)
       equity_part  n_customers      value
    0    retention         4978  6188460.0
    1       add_on         4978        NaN
    2  acquisition         1253        NaN
    3          all         <NA>  6188460.0
    """
    base = float(forecast.table["clv_life"].sum(skipna=False))
    extra = base * add_on_share
    new = new_customer_value(customers, forecast, attributes).iloc[0]
    won = new["n_new_12m"] * new["net_value"] / np.sqrt(1 + forecast.rules.discount_rate)
    value = np.array([base - np.nan_to_num(extra), extra, won])
    whole = np.nansum(value) if np.isfinite(base) else np.nan
    heads = [len(customers), len(customers), new["n_new_12m"], np.nan]
    table = pd.DataFrame({"equity_part": EQUITY_PARTS, "n_customers": heads, "value": [*value, whole]})
    table["equity_part"] = pd.Categorical(table["equity_part"], EQUITY_PARTS, ordered=True)
    table["n_customers"] = table["n_customers"].astype("Int64")
    return table.assign(share_value=table["value"] / whole if whole > 0 else np.nan)


@dataclass(frozen=True)
class _Base:
    """Today's customers: distinct histories, value per order summed over each, and the model without its blend."""

    model: Fitted
    h: Histories
    alive: np.ndarray
    worth: np.ndarray
    rules: LifetimeRules

    def retention(self, scale: float) -> float:
        """Share of the value of today's orders a year that still comes a year from now, drop-out times ``scale``."""
        week = _YEAR / 7 * scale
        later = np.diff(self.model.orders_if_alive(self.h.x, self.h.t_x, self.h.T, np.array([week, week + 1])))[:, 0]
        now = orders_a_year(self.model, self.h) * 7 / _YEAR
        return float(self.worth @ (self.alive * later) / (self.worth @ (self.alive * now)))

    def value(self, scale: float) -> float:
        """Value for life, drop-out times ``scale``: customers then stay for t weeks as they now do for scale x t."""
        yearly = np.log1p(self.rules.discount_rate)
        orders = self.model.life_orders(self.h.x, self.h.t_x, self.h.T, yearly * 7 / _YEAR / scale) / scale
        active = active_years(orders, orders_a_year(self.model, self.h), self.alive / yearly)
        return float(self.worth @ orders - self.rules.retention_cost * (self.h.n @ active))

    def scale_for(self, retention: float) -> float:
        """The factor on drop-out that brings this retention; NaN where none does."""
        from scipy.optimize import brentq

        low, high = (np.log(bound) for bound in _SCALES)
        miss = [self.retention(scale) - retention for scale in _SCALES]
        if not miss[0] >= 0 >= miss[1] or miss[0] == miss[1]:
            return np.nan
        return float(np.exp(brentq(lambda log: self.retention(np.exp(log)) - retention, low, high, xtol=1e-6)))


def _base(customers: pd.DataFrame, forecast: Forecast) -> _Base | None:
    """Today's customers; None where a value for life can not be told."""
    model, rules = forecast.fitted[forecast.chosen], forecast.rules
    if model.model in NAIVE_RULES or rules.discount_rate <= 0:
        return None
    model, h = model.base if isinstance(model, Blend) else model, histories(customers)
    worth = h.total((forecast.table["expected_spend"] * forecast.parts["value_rate"]).to_numpy())
    return _Base(model, h, model.p_alive(h.x, h.t_x, h.T), worth, rules)


def _changed(base: _Base, discount_rate: float | None, retention_cost: float | None, margin_factor: float) -> _Base:
    given = {"discount_rate": discount_rate, "retention_cost": retention_cost}
    rules = replace(base.rules, **{name: value for name, value in given.items() if value is not None})
    return replace(base, worth=base.worth * margin_factor, rules=rules)


def value_what_if(
    customers: pd.DataFrame,
    forecast: Forecast,
    points: Sequence[float] = _POINTS,
    *,
    discount_rate: float | None = None,
    retention_cost: float | None = None,
    margin_factor: float = 1.0,
) -> pd.DataFrame:
    """The table of :func:`retention_what_if` at another discount rate, yearly cost of keeping a customer or margin.

    ``margin_factor`` multiplies what each order brings (1.1: a tenth more); what is not given stays as forecast.
    ``value_change`` and ``value_change_share`` compare with today's value, nothing changed.

    Raises ``UsageError`` for a rate or cost that the settings would not allow either.

    >>> import custvalue as cv
    >>> from custvalue.share import sample_folder
    >>> orders = cv.read(sample_folder())
    >>> customers = cv.customer_table(orders)
    >>> forecast = cv.lifetime.forecast(customers, orders.as_of, cv.lifetime.LifetimeRules(model="pareto_nbd"))
    >>> table = value_what_if(customers, forecast, [-0.05, 0.05])
    >>> table[["retention_change", "value_change_share"]].round(2).values.tolist()  # five points of retention
    [[-0.05, -0.1], [0.05, 0.12]]
    """
    before, changes = _base(customers, forecast), np.asarray(points, dtype=float)
    columns = ("retention", "value", "value_change", "value_change_share")
    table = pd.DataFrame({"retention_change": changes} | dict.fromkeys(columns, np.nan))
    today = float(forecast.table["clv_life"].sum(skipna=False))
    if before is None or not (before.worth @ before.alive > 0 and today > 0):
        return table
    after = _changed(before, discount_rate, retention_cost, margin_factor)
    stays, modelled = before.retention(1.0) + changes, before.value(1.0)
    scales = [1.0 if change == 0 else before.scale_for(stay) for change, stay in zip(changes, stays, strict=True)]
    value = np.array([today * (after.value(c) / modelled) if np.isfinite(c) else np.nan for c in scales])
    table["retention"], table["value"] = np.where(np.isfinite(scales), stays, np.nan), value
    table["value_change"], table["value_change_share"] = value - today, value / today - 1
    return table


def retention_what_if(customers: pd.DataFrame, forecast: Forecast, points: Sequence[float] = _POINTS) -> pd.DataFrame:
    """One row per change of the yearly retention: what today's customers would be worth for life.

    Retention is the share of the value bought per year by today's active customers that would still be bought a year
    from now, computed with the model that forecasts. Each customer's rate of leaving is multiplied by the one factor c
    that moves it by the points wished; the value for life is then that of a time c times slower, with discounted orders
    L(d / c) / c where L(d) are today's. Customers who hardly leave gain little, so the change is smaller than by the
    closed form for equal customers, :func:`custvalue.economics.retention_value`.

    Columns: retention_change (points: 0.05 is five more of a hundred), retention, value (money), value_change (money
    against no change), value_change_share. Missing where no factor between 1/100 and 100 brings the retention, and
    where clv_life is not known.
    """
    return value_what_if(customers, forecast, points)
