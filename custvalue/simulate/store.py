"""The whole simulated store: one call, one seed, all tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from custvalue.errors import UsageError
from custvalue.labels import LANGUAGES, catalogue
from custvalue.simulate.contacts import campaign_table, customer_table, event_table
from custvalue.simulate.draw import names, stream
from custvalue.simulate.purchases import draw_lines, draw_orders, draw_people, order_table, with_returns
from custvalue.simulate.rules import PROCESS, SEED, Process

__all__ = ["Shop", "simulate"]


@dataclass(frozen=True)
class Shop:
    """The tables of a simulated store; ``data/sample/README.md`` tells their columns and units."""

    orders: pd.DataFrame
    customers: pd.DataFrame
    events: pd.DataFrame
    campaigns: pd.DataFrame
    truth: pd.DataFrame
    labels: pd.DataFrame


def _truth_table(people: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    weeks = 365 / 7
    expected = people["alive"] * people["rate"] / people["churn"] * -np.expm1(-people["churn"] * weeks)
    return pd.DataFrame(
        {
            "customer_id": ids,
            "alive": people["alive"],
            "rate_per_week": people["rate"],
            "churn_per_week": people["churn"],
            "mean_order_value": people["mean_value"],
            "expected_orders_12m": expected,
            "expected_value_12m": expected * people["mean_value"],
        }
    )


def _label_table() -> pd.DataFrame:
    rows = [
        (column, code, *(words[language] for language in LANGUAGES))
        for column, codes in catalogue("sample").items()
        for code, words in codes.items()
    ]
    return pd.DataFrame(rows, columns=["column", "code", *LANGUAGES])


def simulate(n_customers: int = 5000, seed: int = SEED, process: Process = PROCESS) -> Shop:
    """A department store with known truth, 2023-01-01 to 2025-12-31.

    Every customer places a first order, further ones at his own constant rate, and is lost after an
    exponential time; rates and losses vary over customers as in the Pareto/NBD (Schmittlein, Morrison and
    Colombo 1987), the mean order value independently of them as in the Gamma-Gamma model (Fader and Hardie
    2013).

    ``orders`` has one row per order line without dirty rows (``amount`` and ``cost`` in CNY, negative for
    returns), ``customers`` and ``truth`` one per customer, ``events`` one per event, ``campaigns`` one per
    customer written to or held out, ``labels`` one per code. In ``truth``, with lambda = ``rate_per_week``
    and mu = ``churn_per_week``, ``expected_orders_12m`` = alive * lambda / mu * (1 - exp(-mu * 365 / 7)).

    Raises ``UsageError`` (``simulated_customers``) for a number of customers that is not a positive integer.

    >>> shop = simulate(200, seed=1)
    >>> len(shop.truth), list(shop.orders.columns)[:3]
    (200, ['order_id', 'customer_id', 'order_date'])
    """
    if not isinstance(n_customers, int | np.integer) or n_customers < 1:
        raise UsageError("simulated_customers", got=n_customers)
    people = draw_people(stream(seed, "people"), n_customers, process)
    ids = names("C", np.arange(n_customers), 5)
    orders = draw_orders(stream(seed, "orders"), people, process)
    lines = draw_lines(stream(seed, "lines"), people, orders)
    customers = customer_table(stream(seed, "customers"), people, orders, ids)
    return Shop(
        orders=order_table(with_returns(stream(seed, "returns"), lines), ids),
        customers=customers,
        events=event_table(stream(seed, "events"), people, lines, ids),
        campaigns=campaign_table(stream(seed, "campaigns"), people, orders, customers),
        truth=_truth_table(people, ids),
        labels=_label_table(),
    )
