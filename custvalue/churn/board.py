"""The warning board: who is leaving, who spends less, whose basket misses its target."""

from __future__ import annotations

import numpy as np
import pandas as pd

from custvalue.churn.change import adjusted_p, change_p, trend_known
from custvalue.churn.stages import require

__all__ = ["basket_misses", "falling_spend", "leaving"]


def _top(table: pd.DataFrame, by: str, n: int) -> pd.DataFrame:
    """The first n rows, highest first; equal ones by customer."""
    if table[by].notna().sum() > n > 0:
        table = table[table[by] >= table[by].nlargest(n).iloc[-1]]
    ordered = table.sort_values([by, "customer_id"], ascending=[False, True])
    return ordered.head(n).reset_index(drop=True)


def leaving(table: pd.DataFrame, n: int = 20) -> pd.DataFrame:
    """Warning board: customers in decline with most to lose (C25).

    ``table`` is any table with ``customer_id``, ``stage`` and ``value_at_risk``. Its rows of customers in decline, at
    most ``n``, highest ``value_at_risk`` first. Customers already at *drop* are not listed.

    >>> table = pd.DataFrame({"customer_id": ["a", "b"], "stage": ["decline", "stable"], "value_at_risk": [4.0, 1.0]})
    >>> leaving(table)["customer_id"].tolist()
    ['a']
    """
    require(table, "customer_id", "stage", "value_at_risk")
    return _top(table[table["stage"] == "decline"], "value_at_risk", n)


def falling_spend(table: pd.DataFrame, n: int = 20, share: float = 0.5, false_share: float = 0.1) -> pd.DataFrame:
    """Warning board: customers who still buy, for much less than chance would explain (C25).

    Asked are customers of two years or more with sales in the 12 months before and an order in the last 12. Where
    ``table`` has a column ``stage``, those at *drop* are not listed: they are lost, not falling. Listed are those
    whose sales fell by ``share`` or more and whose ``q_value`` is at most ``false_share``: of all lists made so, on
    average at most that share are customers whose buying has not changed (Benjamini and Hochberg 1995, over all
    who were asked).

    ``table`` is the customer table. One row per customer, at most ``n``: ``customer_id``, ``stage`` and ``last_order``
    where there, ``n_orders_prior_12m``, ``n_orders_12m``, ``sales_prior_12m``, ``sales_12m``, ``fall_share`` (1 - now /
    before), ``lost_sales`` (money, before - now), ``p_value`` (the chance of such a fall at an unchanged rate, see
    :func:`change_p`), ``q_value``; most money lost first.

    >>> table = pd.DataFrame({"customer_id": ["a", "b"], "tenure_days": 900, "n_orders_12m": [3, 1],
    ...                       "n_orders_prior_12m": [20, 2], "sales_12m": [30.0, 10.0],
    ...                       "sales_prior_12m": [200.0, 20.0], "squares_24m": [2300.0, 300.0]})
    >>> falling_spend(table)[["customer_id", "fall_share", "lost_sales"]]
      customer_id  fall_share  lost_sales
    0           a        0.85       170.0
    """
    require(table, "squares_24m", "n_orders_prior_12m")
    asked = table[trend_known(table) & (table["n_orders_12m"] > 0) & (table["sales_prior_12m"] > 0)]
    p_value = change_p(asked)["p_fall"]
    lost = asked["sales_prior_12m"] - asked["sales_12m"]
    tested = asked.assign(
        fall_share=lost / asked["sales_prior_12m"], lost_sales=lost, p_value=p_value, q_value=adjusted_p(p_value)
    )
    fallen = tested[(tested["fall_share"] >= share) & (tested["q_value"] <= false_share)]
    if "stage" in fallen:
        fallen = fallen[fallen["stage"] != "drop"]
    known = [column for column in ("stage", "last_order") if column in fallen]
    counts = ["n_orders_prior_12m", "n_orders_12m", "sales_prior_12m", "sales_12m"]
    columns = ["customer_id", *known, *counts, "fall_share", "lost_sales", "p_value", "q_value"]
    return _top(fallen, "lost_sales", n)[columns]


def _interval(paid: pd.Series, target: pd.Series, level: float) -> pd.Series:
    """The ratio of two sums over customers and its t interval, customers being drawn independently."""
    from scipy.stats import t

    n, ratio = len(paid), paid.sum() / target.sum()
    spread = np.sqrt(((paid - ratio * target) ** 2).sum() * n / (n - 1)) / target.sum() if n > 1 else np.nan
    reach = t.ppf((1 + level) / 2, max(n - 1, 1)) * spread
    return pd.Series(
        {"n_customers": n, "miss_share": 1 - ratio, "miss_low": 1 - ratio - reach, "miss_high": 1 - ratio + reach}
    )


def basket_misses(
    table: pd.DataFrame, by: str = "segment", target_factor: float = 1.0, level: float = 0.95
) -> pd.DataFrame:
    """Warning board: whose basket misses its target (C25), and whether that is more than chance.

    ``table`` is the customer table with a column ``by``. One row per group whose customers have orders in the last
    12 months and earlier ones: ``by``; ``n_customers``, these customers; ``basket_12m`` = purchases / orders of the
    last 12 months (money); ``basket_target`` = ``target_factor`` x the value the same orders would have had at each
    customer's own mean order value before these 12 months, so that a change in who buys does not count as a miss;
    ``miss_share`` = 1 - basket / target: above 0 misses it, below 0 exceeds it; ``miss_low``, ``miss_high``: its
    interval at ``level`` (t interval of a ratio over customers; NaN for one customer); ``sure``: whether all of the
    interval is above 0, so that the miss is no accident. Both sides before returns.

    >>> table = pd.DataFrame({"segment": "monthly", "n_orders": 20, "n_orders_12m": 10,
    ...                       "purchases_12m": [80.0, 81.0, 82.0, 83.0], "mean_order_value": 9.0})
    >>> basket_misses(table)[["miss_share", "sure"]].round(2)
       miss_share  sure
    0        0.17  True
    """
    require(table, by)
    table = table[(table["n_orders"] > table["n_orders_12m"]) & (table["n_orders_12m"] > 0)]
    earlier = table["mean_order_value"] * table["n_orders"] - table["purchases_12m"]
    usual = earlier / (table["n_orders"] - table["n_orders_12m"]) * table["n_orders_12m"]
    table = table.assign(target=target_factor * usual)[usual > 0]
    columns = [by, "n_customers", "basket_12m", "basket_target", "miss_share", "miss_low", "miss_high", "sure"]
    if table.empty:
        return pd.DataFrame(columns=columns)
    groups = table.groupby(by, observed=True)
    result = groups[["purchases_12m", "target"]].apply(lambda g: _interval(g["purchases_12m"], g["target"], level))
    sums = groups[["purchases_12m", "target", "n_orders_12m"]].sum()
    result["basket_12m"] = sums["purchases_12m"] / sums["n_orders_12m"]
    result["basket_target"] = sums["target"] / sums["n_orders_12m"]
    result["sure"] = result["miss_low"] > 0
    return result.astype({"n_customers": "int64"}).reset_index()[columns]
