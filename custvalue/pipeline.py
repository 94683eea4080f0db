"""From a file and the settings to clean orders and to the forecasts made from them: what every notebook starts with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from custvalue import lifetime
from custvalue.config import Settings, load_settings, parse_day
from custvalue.customers import customer_table
from custvalue.files import still_readable
from custvalue.prepared import digest, is_shared, shared_by, shared_orders
from custvalue.pseudonyms import hash_key, hashed_source
from custvalue.sources import read_source
from custvalue.timelines import purchase_days
from custvalue.transactions import clean, last_complete_month

if TYPE_CHECKING:
    import pandas as pd

    from custvalue.lifetime import Backtest
    from custvalue.transactions import Orders

__all__ = [
    "backtest_orders",
    "earlier_forecast",
    "forecast_orders",
    "month_before",
    "read",
    "two_months",
]

#: Columns of the forecast that an analysis may ask for, see :func:`two_months`.
_FORECASTS = ("clv_12m", "clv_life", "expected_orders_12m", "p_alive")


def read(data: Any, settings: Settings | None = None, *, whole_file: bool = False) -> Orders:
    """Read and clean an order file: CSV, Excel, Parquet, a data folder, or a data frame.

    Rows after the as-of date of the settings are set aside; where they give none, it is the end of the last month that
    the data cover to its last day. ``whole_file`` keeps all days instead.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"customer_id": ["1", "1"], "order_date": ["2024-01-05", "2024-02-29"], "amount": [10, 20]})
    >>> read(rows).as_of
    datetime.date(2024, 2, 29)

    Raises
    ------
    UsageError, DataError
        The settings or the data can not be used; the message says what to change.
    """
    settings = settings or load_settings(data=data)
    how = {"whole_file": whole_file}
    return shared_orders(data, settings, how, lambda: _read(data, settings, whole_file))


def _read(data: Any, settings: Settings, whole_file: bool) -> Orders:
    key = hash_key(settings.hash_ids)
    source = read_source(data, settings.read, settings.columns, settings.timezone)
    as_of = parse_day(settings.as_of) or (None if whole_file else last_complete_month)
    with still_readable(source.name):
        source = hashed_source(source, key)
        return clean(
            source,
            settings.clean,
            settings.read,
            as_of=as_of,
            margin_rate=settings.margin_rate,
            attributes=settings.attributes,
            timezone=settings.timezone,
        )


def backtest_orders(orders: Orders, settings: Settings, *, cutoff: dt.date | None = None) -> Backtest:
    """Forecasts of the past against what came, at several days of the customers' own history or at one ``cutoff``.

    See :func:`custvalue.lifetime.backtest`; its tables are empty where the history is too short to hold anything out.

    >>> from custvalue.share import sample_folder
    >>> orders = read(sample_folder())
    >>> scores = backtest_orders(orders, Settings(), cutoff=dt.date(2025, 6, 30)).scores  # one row per model
    >>> scores.loc[scores["chosen"], "model"].tolist()
    ['pareto_nbd']
    """
    rules = settings.lifetime
    return shared_by(
        orders,
        "backtest",
        (rules, cutoff),
        lambda: lifetime.backtest(purchase_days(orders), orders.as_of, rules, cutoff=cutoff),
    )


def forecast_orders(
    orders: Orders, customers: pd.DataFrame, settings: Settings, backtest: Backtest | None = None
) -> lifetime.Forecast:
    """Forecast with the model that did best in a ``backtest`` of the customers' own history (made here if not given).

    Its ``table`` has one row per customer: the chance of still being active (``p_alive``), the orders and the money to
    expect in the next 12 months and for life. Where the history is too short to hold anything out, the forecast is
    made all the same and its ``scores`` are empty.

    >>> from custvalue.share import sample_folder
    >>> orders = read(sample_folder())
    >>> test = backtest_orders(orders, Settings(), cutoff=dt.date(2025, 6, 30))  # left out: at up to four days
    >>> forecast = forecast_orders(orders, customer_table(orders), Settings(), test)
    >>> forecast.chosen, forecast.table.columns[:5].tolist()
    ('pareto_nbd', ['customer_id', 'p_alive', 'expected_orders_12m', 'p_order_12m', 'clv_12m'])
    """
    backtest = backtest or backtest_orders(orders, settings)
    return _shared_forecast(orders, customers, orders.as_of, settings, backtest.scores, backtest.weights)


def _shared_forecast(
    orders: Orders, customers: pd.DataFrame, day: dt.date, settings: Settings, scores: pd.DataFrame, weights: Any
) -> lifetime.Forecast:
    """A forecast from scores and weights of a backtest; shared where the customers are those that were shared."""
    rules = settings.lifetime

    def make() -> lifetime.Forecast:
        return lifetime.forecast(customers, day, rules, scores=scores, weights=weights)

    if not is_shared(orders, "customers", (day, ()), customers):
        return make()
    return shared_by(orders, "forecast", (day, rules, digest(scores), weights), make)


def earlier_forecast(
    orders: Orders, customers: pd.DataFrame, day: dt.date, settings: Settings, forecast: lifetime.Forecast
) -> lifetime.Forecast:
    """The forecast as of an earlier ``day``, whose customer table is given, by the model and weights of a later one.

    So a move between the two days is the customer's and not the model's.
    """
    return _shared_forecast(orders, customers, day, settings, forecast.scores, forecast.weights)


def month_before(as_of: dt.date) -> dt.date:
    """The end of the calendar month before the month of ``as_of``.

    >>> month_before(dt.date(2024, 3, 31))
    datetime.date(2024, 2, 29)
    """
    return as_of.replace(day=1) - dt.timedelta(days=1)


def two_months(orders: Orders, settings: Settings, needs: Collection[str] = ()) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The customer tables as of the orders' date and of the end of the month before.

    Columns of the forecast that an analysis ``needs`` (such as ``clv_12m``) are joined to both, from the same model, so
    that a move is the customer's and not the model's; other names in ``needs`` are passed over.

    >>> from custvalue.share import sample_folder
    >>> orders = read(sample_folder())
    >>> now, before = two_months(orders, Settings())
    >>> len(now), len(before)
    (4978, 4869)
    """
    day = month_before(orders.as_of)
    now, before = customer_table(orders), customer_table(orders, day)
    wanted = [column for column in _FORECASTS if column in needs]
    if not wanted:
        return now, before
    forecast = forecast_orders(orders, now, settings)
    wanted = [column for column in wanted if column in forecast.table]
    now = now.merge(forecast.table[["customer_id", *wanted]], on="customer_id", validate="1:1")
    if len(before):
        earlier = earlier_forecast(orders, before, day, settings, forecast)
        return now, before.merge(earlier.table[["customer_id", *wanted]], on="customer_id", validate="1:1")
    return now, before.assign(**dict.fromkeys(wanted, 0.0))
