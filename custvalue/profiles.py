"""What each group of customers is worth: one row per code of any grouping, in the order of its categories."""

from __future__ import annotations

import pandas as pd

from custvalue.errors import UsageError, nearest

__all__ = ["profile"]

#: Money columns summed where the table has them; they come from the lifetime and churn analyses.
_FURTHER_SUMS = ("clv_12m", "value_if_stays_12m", "value_at_risk")


def profile(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Size and value of each group of customers (C12, step "evaluate").

    ``table`` is a customer table with a column ``by``: a categorical of codes (every category gets a row,
    also an empty one) or any attribute (its values in sorted order). Customers without a value of ``by``
    have the last row.

    One row per group: ``by``; ``n_customers``, ``share_customers``; ``sales``, ``share_sales`` (money,
    share); ``margin``, ``share_margin`` where margin is known; ``sales_12m``, ``share_sales_12m`` where the table has
    them; ``median_orders`` (count);
    ``median_days_since_last`` (days); ``mean_order_value`` (money, the mean over customers of their own
    mean order value); the sums ``clv_12m``, ``value_if_stays_12m`` and ``value_at_risk`` where the table has
    them. Shares are of
    the total of the table, NaN where that total is zero.

    Raises ``UsageError`` for a column the table does not have.

    >>> customers = pd.DataFrame({"tier": ["lead", "gold", "lead"], "sales": [1.0, 8.0, 1.0],
    ...                           "n_orders": [1, 4, 2], "days_since_last": [9, 2, 7],
    ...                           "mean_order_value": [1.0, 2.0, 0.5]})
    >>> profile(customers, "tier")[["tier", "n_customers", "share_sales"]]
       tier  n_customers  share_sales
    0  gold            1          0.8
    1  lead            2          0.2
    """
    if by not in table:
        allowed = [str(column) for column in table]
        raise UsageError("unknown_column", got=by, nearest=nearest(by, allowed), allowed=", ".join(allowed))
    groups = table.groupby(by, observed=False, dropna=False)
    result = pd.DataFrame({"n_customers": groups.size()})
    result["share_customers"] = _shares(result["n_customers"])
    for column in _value_columns(table):
        result[column] = groups[column].sum()
        result[f"share_{column}"] = _shares(result[column])
    result["median_orders"] = groups["n_orders"].median()
    result["median_days_since_last"] = groups["days_since_last"].median()
    result["mean_order_value"] = groups["mean_order_value"].mean()
    for column in _FURTHER_SUMS:
        if column in table:
            result[column] = groups[column].sum(min_count=1)
    return result.reset_index()


def _value_columns(table: pd.DataFrame) -> list[str]:
    known = "margin" in table and table["margin"].notna().any()
    recent = ["sales_12m"] if "sales_12m" in table else []
    return ["sales", "margin", *recent] if known else ["sales", *recent]


def _shares(amounts: pd.Series) -> pd.Series:
    total = amounts.sum()
    return amounts / total if total != 0 else amounts * float("nan")
