"""What a customer costs and brings, in formulas: acquisition cost, payback, simple lifetime revenue, retention."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from custvalue.errors import DataError, UsageError

__all__ = [
    "acquisition_cost",
    "campaign_costs",
    "contact_cost",
    "lifetime_revenue",
    "payback_months",
    "retention_of",
    "retention_value",
]


def _at_least(name: str, value: float, low: float, high: float = float("inf")) -> float:
    """``value`` as a number within its bounds; ``UsageError`` otherwise (also for NaN)."""
    if not low <= float(value) <= high:
        allowed = f">= {low:g}" if high == float("inf") else f"{low:g} .. {high:g}"
        raise UsageError("rule_out_of_range", rule=name, got=value, allowed=allowed)
    return float(value)


def contact_cost(cost: float, contacts: float) -> float:
    """Cost of one contact: cost of the people or the channel / contacts they make in the same time (C1).

    >>> contact_cost(182_500, 365)
    500.0
    """
    return _at_least("cost", cost, 0) / _at_least("contacts", contacts, 1)


def acquisition_cost(cost_per_contact: float, contacts_per_win: float) -> float:
    """Cost of one new customer: cost per contact x contacts it takes on average to win one (C1).

    >>> acquisition_cost(contact_cost(182_500, 365), 4)
    2000.0
    """
    return _at_least("cost_per_contact", cost_per_contact, 0) * _at_least("contacts_per_win", contacts_per_win, 1)


def campaign_costs(campaigns: pd.DataFrame, by: str = "campaign") -> pd.DataFrame:
    """One row per campaign (or channel): what a contact and what a response cost (C1, C26).

    ``campaigns`` has one row per customer on a list: the column ``by``, cost (money), responded (1 or 0) and, where
    some were held out on purpose, hold_out (1 or 0); these are not counted as contacts. Columns: ``by``, n_contacts,
    n_responses, cost (sum, money), cost_per_contact, cost_per_response (missing without a response: nothing was won
    at any price).

    Raises ``DataError`` when a column is missing.

    >>> rows = pd.DataFrame({"campaign": ["mail", "mail", "mail", "visit"], "cost": [2.0, 2.0, 2.0, 500.0],
    ...                      "responded": [1, 0, 1, 0]})
    >>> campaign_costs(rows)[["campaign", "n_contacts", "n_responses", "cost_per_response"]].values.tolist()
    [['mail', 3, 2, 3.0], ['visit', 1, 0, nan]]
    """
    missing = [name for name in (by, "cost", "responded") if name not in campaigns.columns]
    if missing:
        raise DataError("missing_columns_of_table", missing=", ".join(missing), got=", ".join(campaigns.columns))
    sent = campaigns
    if "hold_out" in campaigns.columns:
        sent = campaigns[campaigns["hold_out"].fillna(0).astype(float) == 0]
    sums = sent.groupby(by, sort=True).agg(
        n_contacts=("cost", "size"), n_responses=("responded", "sum"), cost=("cost", "sum")
    )
    sums["n_responses"] = sums["n_responses"].astype("int64")
    return sums.assign(
        cost_per_contact=sums["cost"] / sums["n_contacts"],
        cost_per_response=sums["cost"] / sums["n_responses"].where(sums["n_responses"] > 0),
    ).reset_index()


def lifetime_revenue(revenue_per_year: float, years: float, profit_rate: float = 1.0) -> float:
    """Simple lifetime revenue: revenue a year x years of loyalty x profit rate, not discounted (C2).

    With ``profit_rate`` 1 it is the spend over the years. For a shop, revenue per year is orders x amount per order.

    >>> lifetime_revenue(1_000, 5, 0.3)
    1500.0
    """
    revenue, time = _at_least("revenue_per_year", revenue_per_year, 0), _at_least("years", years, 0)
    return revenue * time * _at_least("profit_rate", profit_rate, -1, 1)


def payback_months(cost: float, margins: Iterable[float]) -> float:
    """Months until the margins of the first, second, ... month have paid back the acquisition cost (C1).

    Within the month of payback the margin is taken to come evenly. NaN where the months given do not pay it back.

    >>> payback_months(100, [60, 30, 20]), payback_months(0, [5]), payback_months(500, [60, 30])
    (2.5, 0.0, nan)
    """
    left = _at_least("cost", cost, 0)
    if left == 0:
        return 0.0
    for month, margin in enumerate(margins):
        if margin >= left > 0:
            return month + left / float(margin)
        left -= float(margin)
    return float("nan")


def retention_value(margin: float, retention: float, discount: float) -> float:
    """Value for life of a customer with a constant yearly margin and retention: m r / (1 + d - r) (C3, C4).

    The first margin comes after one year, from the share ``retention`` who stayed; source: Gupta & Lehmann (2003),
    Journal of Interactive Marketing 17(1).

    >>> round(retention_value(100, 0.8, 0.1), 2), round(retention_value(100, 0.85, 0.1), 2)
    (266.67, 340.0)
    """
    stays, rate = _at_least("retention", retention, 0, 1), _at_least("discount", discount, 0)
    if stays >= 1 + rate:
        raise UsageError("endless_value", retention=retention, discount=discount)
    return float(margin) * stays / (1 + rate - stays)


def retention_of(value: float, margin: float, discount: float) -> float:
    """The constant yearly retention that makes :func:`retention_value` equal to ``value``, at most 1.

    r = V (1 + d) / (m + V). NaN where there is neither margin nor value, or one is negative.

    >>> round(retention_of(retention_value(100, 0.8, 0.1), 100, 0.1), 12)
    0.8
    """
    if not (margin >= 0 and value >= 0 and margin + value > 0):
        return float("nan")
    return float(np.minimum(value * (1 + _at_least("discount", discount, 0)) / (margin + value), 1.0))
