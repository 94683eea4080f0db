"""Where each customer stands in the life of the relation, when he is next due, and the warning board."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from custvalue.errors import UsageError
from custvalue.predicates import check_rule, first_match

__all__ = [
    "STAGES",
    "STAGE_PREDICATES",
    "ChurnRules",
    "basket_misses",
    "falling_spend",
    "leaving",
    "next_order",
    "stages",
]

#: Codes of the lifecycle stages, in the order a customer passes through them.
STAGES = ("identify", "cultivate", "grow", "stable", "decline", "drop")

_TWO_YEARS = 2 * 365
#: The least usual gap to assume, in days, where nobody has shown one.
_UNKNOWN_GAP = 90


@dataclass(frozen=True)
class ChurnRules:
    """Thresholds of the lifecycle stages.

    ``overdue_decline``, ``overdue_drop``: silence as a multiple of the customer's rhythm;
    ``alive_decline``, ``alive_drop``: P(alive) below which the model doubts or gives up a customer;
    ``growth``, ``fall``: change of the yearly sales, from -1 to 1 (-0.5: to a third), that counts as
    growing or falling; ``cultivate_repeats``: repeat purchases up to which a customer is still being
    cultivated.

    Raises ``UsageError`` for thresholds out of order.

    >>> ChurnRules(overdue_drop=6).overdue_decline
    2.0
    """

    overdue_decline: float = 2.0
    overdue_drop: float = 4.0
    alive_decline: float = 0.6
    alive_drop: float = 0.2
    growth: float = 0.2
    fall: float = 0.5
    cultivate_repeats: int = 2

    def __post_init__(self) -> None:
        later = self.overdue_drop >= self.overdue_decline
        check_rule("overdue_decline", self.overdue_decline, self.overdue_decline > 0, "> 0")
        check_rule("overdue_drop", self.overdue_drop, later, ">= overdue_decline")
        check_rule("alive_decline", self.alive_decline, 0 <= self.alive_decline <= 1, "0..1")
        check_rule("alive_drop", self.alive_drop, 0 <= self.alive_drop <= self.alive_decline, "0..alive_decline")
        check_rule("growth", self.growth, 0 < self.growth <= 1, "0 < growth <= 1")
        check_rule("fall", self.fall, 0 < self.fall <= 1, "0 < fall <= 1")
        check_rule("cultivate_repeats", self.cultivate_repeats, self.cultivate_repeats >= 0, ">= 0")


def _alive(table: pd.DataFrame) -> pd.Series:
    """P(alive) as evidence; 1 for a one-time buyer is what BG/NBD says of all of them, so it is none."""
    return table["p_alive"].mask((table["n_repeats"] == 0) & (table["p_alive"] >= 1))


def _drop(table: pd.DataFrame, rules: ChurnRules) -> pd.Series:
    """One strong sign, and the other sign at least pointing the same way."""
    alive = _alive(table)
    given_up = (alive < rules.alive_drop) & (table["overdue"] >= rules.overdue_decline)
    doubted = alive.isna() | (alive < rules.alive_decline)
    return given_up | ((table["overdue"] >= rules.overdue_drop) & doubted)


def _decline(table: pd.DataFrame, rules: ChurnRules) -> pd.Series:
    doubted = _alive(table) < rules.alive_decline
    falling = (table["n_repeats"] > rules.cultivate_repeats) & (table["trend"] <= -rules.fall)
    return doubted | (table["overdue"] >= rules.overdue_decline) | falling


def _identify(table: pd.DataFrame, rules: ChurnRules) -> pd.Series:
    return table["n_repeats"] == 0


def _cultivate(table: pd.DataFrame, rules: ChurnRules) -> pd.Series:
    return table["n_repeats"] <= rules.cultivate_repeats


def _grow(table: pd.DataFrame, rules: ChurnRules) -> pd.Series:
    return table["trend"] >= rules.growth


def _always(table: pd.DataFrame, rules: ChurnRules) -> pd.Series:
    return pd.Series(True, index=table.index)


Predicate = Callable[[pd.DataFrame, ChurnRules], pd.Series]

#: The stages as (code, predicate): the first that holds names the customer, the last always holds.
STAGE_PREDICATES: tuple[tuple[str, Predicate], ...] = (
    ("drop", _drop),
    ("decline", _decline),
    ("identify", _identify),
    ("cultivate", _cultivate),
    ("grow", _grow),
    ("stable", _always),
)


def _rhythm(customers: pd.DataFrame) -> pd.Series:
    gaps = customers["mean_gap_days"]
    typical = gaps.median() if gaps.notna().any() else max(customers["tenure_days"].median(), _UNKNOWN_GAP)
    own_sum = (gaps * customers["n_repeats"]).fillna(0.0)
    return ((own_sum + typical) / (customers["n_repeats"] + 1)).clip(lower=1.0)


def _trend(customers: pd.DataFrame) -> pd.Series:
    now, before = customers["sales_12m"].clip(lower=0), customers["sales_prior_12m"].clip(lower=0)
    known = (customers["tenure_days"] >= _TWO_YEARS) & (now + before > 0)
    return (now - before) / (now + before).where(known)


def _require(table: pd.DataFrame, *columns: str) -> None:
    for column in columns:
        if column not in table:
            raise UsageError("column_missing", column=column, got=", ".join(map(str, table)))


def stages(customers: pd.DataFrame, rules: ChurnRules | None = None) -> pd.DataFrame:
    """The lifecycle stage of each customer (C24): every customer has exactly one.

    ``customers`` is the customer table with ``p_alive`` joined from a lifetime model, and ``clv_12m`` where
    known.

    One row per customer:

    - ``customer_id``;
    - ``rhythm_days`` = (sum of own gaps + one gap of the median repeat buyer) / (n_repeats + 1): a customer
      with few purchases borrows from the others. Where nobody repeats the median tenure stands for the gap, at
      least 90 days. At least 1 day;
    - ``overdue`` = days_since_last / rhythm_days;
    - ``trend`` = (a - b) / (a + b), sales of the last 12 months a, of the 12 months before b; NaN below two
      years of tenure or without sales in both years;
    - ``stage`` (one of ``STAGES``);
    - ``value_at_risk`` = clv_12m x (1 - p_alive), money, 0 for a customer who costs more than he brings; NaN
      without ``clv_12m`` or ``p_alive``.

    Asked in this order, first match wins:

    - *drop*: P(alive) < ``alive_drop`` and overdue >= ``overdue_decline``, or overdue >= ``overdue_drop``
      and P(alive) < ``alive_decline``;
    - *decline*: P(alive) < ``alive_decline``, or overdue >= ``overdue_decline``, or a customer past
      cultivation with trend <= -``fall``;
    - *identify*: bought on one day only; *cultivate*: at most ``cultivate_repeats`` repeats;
    - *grow*: trend >= ``growth``; *stable*: everybody else.

    So a customer is dropped only if rhythm and model point the same way; a strong sign the other
    contradicts is a decline, to be looked at. Where P(alive) is missing the stage follows the rhythm alone, and
    so it does for a one-time buyer whose P(alive) is 1: BG/NBD says that of every one of them.

    Raises ``UsageError`` if ``p_alive`` is not joined.

    >>> customers = pd.DataFrame({"customer_id": ["a", "b"], "n_repeats": [9, 0],
    ...     "mean_gap_days": [30.0, None], "days_since_last": [20, 200], "tenure_days": [290, 200],
    ...     "sales_12m": [90.0, 5.0],
    ...     "sales_prior_12m": [0.0, 0.0], "p_alive": [0.95, 1.0], "clv_12m": [80.0, 2.0]})
    >>> stages(customers)[["customer_id", "rhythm_days", "stage"]]
      customer_id  rhythm_days   stage
    0           a         30.0  stable
    1           b         30.0    drop
    """
    _require(customers, "p_alive")
    rhythm = _rhythm(customers)
    evidence = customers[["customer_id", "n_repeats", "p_alive"]].assign(
        rhythm_days=rhythm, overdue=customers["days_since_last"] / rhythm, trend=_trend(customers)
    )
    clv = customers.get("clv_12m", np.nan)
    evidence["stage"] = first_match(evidence, STAGE_PREDICATES, STAGES, rules or ChurnRules())
    evidence["value_at_risk"] = (clv * (1 - evidence["p_alive"])).clip(lower=0)
    return evidence.drop(columns=["n_repeats", "p_alive"]).reset_index(drop=True)


def next_order(customers: pd.DataFrame, stages: pd.DataFrame) -> pd.DataFrame:
    """When each customer is next expected, by his own rhythm (C18, the rice seller's rule).

    One row per customer of both tables: ``customer_id``; ``next_from``, ``next_to``: last purchase + half a
    rhythm, + one and a half (whole days); ``overdue_days``: days by which the window has passed, 0 while it
    is open.

    >>> customers = pd.DataFrame({"customer_id": ["a"], "last_order": pd.to_datetime(["2024-01-01"]),
    ...                           "days_since_last": [20]})
    >>> next_order(customers, pd.DataFrame({"customer_id": ["a"], "rhythm_days": [10.0]}))
      customer_id  next_from    next_to  overdue_days
    0           a 2024-01-06 2024-01-16             5
    """
    table = customers.merge(stages[["customer_id", "rhythm_days"]], on="customer_id", validate="one_to_one")
    first, last = (np.floor(table["rhythm_days"] * part + 0.5).astype("int64") for part in (0.5, 1.5))
    return pd.DataFrame(
        {
            "customer_id": table["customer_id"],
            "next_from": table["last_order"] + pd.to_timedelta(first, unit="D"),
            "next_to": table["last_order"] + pd.to_timedelta(last, unit="D"),
            "overdue_days": (table["days_since_last"] - last).clip(lower=0),
        }
    )


def _top(table: pd.DataFrame, by: str, n: int) -> pd.DataFrame:
    """The first n rows, highest first; equal ones by customer."""
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
    _require(table, "customer_id", "stage", "value_at_risk")
    return _top(table[table["stage"] == "decline"], "value_at_risk", n)


def falling_spend(table: pd.DataFrame, n: int = 20, share: float = 0.5) -> pd.DataFrame:
    """Warning board: customers who still buy, for much less (C25).

    Customers with an order in the last 12 months whose sales fell by ``share`` or more against the 12
    months before. Where ``table`` has a column ``stage``, those at *drop* are not listed: they are lost, not
    falling. One row per customer, at most ``n``: ``customer_id``, ``stage`` and ``last_order`` where there,
    ``sales_prior_12m``, ``sales_12m``, ``fall_share`` (1 - now / before), ``lost_sales`` (money, before -
    now), most money lost first.

    >>> table = pd.DataFrame({"customer_id": ["a", "b"], "n_orders_12m": [1, 0], "sales_12m": [40.0, 0.0],
    ...                       "sales_prior_12m": [100.0, 900.0]})
    >>> falling_spend(table)["lost_sales"].tolist()
    [60.0]
    """
    active = table[(table["n_orders_12m"] > 0) & (table["sales_prior_12m"] > 0)]
    if "stage" in active:
        active = active[active["stage"] != "drop"]
    lost = active["sales_prior_12m"] - active["sales_12m"]
    fallen = active.assign(fall_share=lost / active["sales_prior_12m"], lost_sales=lost)
    known = [column for column in ("stage", "last_order") if column in active]
    columns = ["customer_id", *known, "sales_prior_12m", "sales_12m", "fall_share", "lost_sales"]
    return _top(fallen[fallen["fall_share"] >= share], "lost_sales", n)[columns]


def basket_misses(table: pd.DataFrame, by: str = "segment", target_factor: float = 1.0) -> pd.DataFrame:
    """Warning board: whose basket misses its target (C25).

    ``table`` is the customer table with a column ``by``. One row per group with an order in the last 12
    months: ``by``; ``basket_12m`` = purchases / orders of the last 12 months (money); ``basket_target`` =
    ``target_factor`` x the value the same orders would have had at each customer's own long-run mean order
    value, so that a change in who buys does not count as a miss; ``miss_share`` = 1 - basket / target: above
    0 misses it, below 0 exceeds it. Both sides before returns. Customers who bought on one day only have
    nothing to be compared with and are left out.

    >>> table = pd.DataFrame({"segment": ["monthly"], "n_repeats": [9], "purchases_12m": [80.0],
    ...                       "n_orders_12m": [10], "mean_order_value": [10.0]})
    >>> basket_misses(table)["miss_share"].round(2).tolist()
    [0.2]
    """
    _require(table, by)
    table = table[(table["n_repeats"] > 0) & (table["n_orders_12m"] > 0)]
    usual = table["mean_order_value"] * table["n_orders_12m"]
    sums = table.assign(usual=usual).groupby(by, observed=True)[["purchases_12m", "n_orders_12m", "usual"]].sum()
    orders = sums["n_orders_12m"]
    result = pd.DataFrame({"basket_12m": sums["purchases_12m"] / orders})
    result["basket_target"] = target_factor * sums["usual"] / orders
    result["miss_share"] = 1 - result["basket_12m"] / result["basket_target"]
    return result.reset_index()
