"""Scores and segments of an earlier day against the orders that followed: did the active ones buy more?"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from custvalue.engagement.rules import EngagementRules
from custvalue.ids import joined, places
from custvalue.ranking import mean_ranks

__all__ = ["LINKS", "EValueTest", "e_value_test", "followed_by", "outcome_day"]

#: What a test of the e-value can say.
LINKS = ("adds", "follows_orders", "no_link", "too_thin")
#: Columns of the customer table that a correlation "beyond" is taken after.
_KNOWN_BY_ORDERS = ("n_orders", "n_orders_12m", "days_since_last")
#: Fewest customers, with activity and with later orders, to say anything.
_FEWEST = 30


def outcome_day(as_of: dt.date, rules: EngagementRules | None = None) -> dt.date:
    """The earlier day whose scores are tested: ``outcome_days`` before ``as_of``.

    >>> outcome_day(dt.date(2024, 3, 31))
    datetime.date(2024, 1, 1)
    """
    return as_of - dt.timedelta(days=(rules or EngagementRules()).outcome_days)


def _wilson(k: float, n: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    return tuple(binomtest(int(k), int(n)).proportion_ci(method="wilson")) if n else (float("nan"), float("nan"))


def _with_orders(table: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """The customers with their later orders beside them; 0 where there are none."""
    rows = places(table["customer_id"], after["customer_id"])
    later = {name: np.append(after[name].fillna(0), 0.0)[rows] for name in ("orders_after", "sales_after")}
    return table.assign(**later)


def _outcomes(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """The outcomes of customers whose later orders stand beside their codes."""
    rows = rows[[by, "orders_after", "sales_after"]].assign(again=rows["orders_after"] > 0)
    groups = rows.groupby(by, observed=False)
    found = groups.agg(
        n_customers=("again", "size"),
        share_ordering=("again", "mean"),
        orders_per_customer=("orders_after", "mean"),
        sales_per_head=("sales_after", "mean"),
    )
    bounds = [_wilson(k, n) for k, n in zip(groups["again"].sum(), found["n_customers"], strict=True)]
    found.insert(2, "ordering_low", [low for low, _ in bounds])
    found.insert(3, "ordering_high", [high for _, high in bounds])
    return found.reset_index()


def followed_by(table: pd.DataFrame, by: str, after: pd.DataFrame) -> pd.DataFrame:
    """What the customers of each group of an earlier day ordered after it.

    ``table`` has customer_id and the codes ``by`` of that day; ``after`` is the table of
    :func:`custvalue.timelines.orders_between`. One row per code, empty ones too: ``by``, n_customers, share_ordering
    (the share who ordered), ordering_low and ordering_high (its 95% interval; Wilson 1927), orders_per_customer
    (count), sales_per_head (money).

    >>> table = pd.DataFrame({"customer_id": ["a", "b"], "e_level": ["low", "low"]})
    >>> after = pd.DataFrame({"customer_id": ["a"], "orders_after": [3], "sales_after": [90.0]})
    >>> followed_by(table, "e_level", after)[["e_level", "share_ordering", "orders_per_customer"]].values.tolist()
    [['low', 0.5, 1.5]]
    """
    return _outcomes(_with_orders(table[["customer_id", by]], after), by)


@dataclass(frozen=True)
class EValueTest:
    """Whether the e-value of an earlier day told who would order.

    ``levels``: see :func:`followed_by`. ``table``: one row per measure (*spearman*: rank correlation of e-value and
    later orders; *spearman_beyond*: the same after taking out what the orders up to that day already tell), with
    correlation, correlation_low, correlation_high. ``verdict``: one of ``LINKS``.
    """

    levels: pd.DataFrame
    table: pd.DataFrame
    verdict: str


def _interval(r: float, n: int) -> tuple[float, float]:
    """95% interval of a rank correlation (Bonett and Wright 2000)."""
    if n < 4 or np.isnan(r):
        return float("nan"), float("nan")
    half = 1.959964 * np.sqrt((1 + r**2 / 2) / (n - 3))
    middle = np.arctanh(np.clip(r, -0.999999, 0.999999))
    return float(np.tanh(middle - half)), float(np.tanh(middle + half))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation; NaN where one of both does not vary."""
    varies = len(a) > 1 and a.std() > 1e-9 and b.std() > 1e-9
    return float(np.corrcoef(a, b)[0, 1]) if varies else float("nan")


def _without(ranks: np.ndarray, known: np.ndarray) -> np.ndarray:
    """What is left of ranks after a straight line through the known ones."""
    design = np.column_stack([np.ones(len(known)), known])
    return ranks - design @ np.linalg.lstsq(design, ranks, rcond=None)[0]


def _verdict(rows: pd.DataFrame, table: pd.DataFrame) -> str:
    active, ordering = (rows["e_value"] > 0).sum(), (rows["orders_after"] > 0).sum()
    if len(rows) < _FEWEST or min(active, ordering) < _FEWEST or rows["e_value"].min() == rows["e_value"].max():
        return "too_thin"
    plain, beyond = table["correlation_low"]
    return "adds" if beyond > 0 and plain > 0 else "follows_orders" if plain > 0 else "no_link"


def e_value_test(scores: pd.DataFrame, customers: pd.DataFrame, after: pd.DataFrame) -> EValueTest:
    """Was a higher e-value followed by more orders?

    ``scores`` (of :func:`custvalue.engagement.e_value`) and ``customers`` (the customer table) are those of an earlier
    day, so that they know nothing of what came after it; ``after`` is the table of
    :func:`custvalue.timelines.orders_between` from that day on. Judged are the customers of ``customers``.

    The verdict is *adds* where e-value and later orders go together also among customers with equal orders so far
    (number, number of the last year, days since the last): partial rank correlation, 95% interval above 0;
    *follows_orders* where only the plain correlation is above 0: orders already tell as much; *no_link* where that is
    not; *too_thin* with fewer than 30 customers, active ones or later buyers.

    >>> few = pd.DataFrame({"customer_id": ["a"], "n_orders": [1], "n_orders_12m": [1], "days_since_last": [3]})
    >>> scores = pd.DataFrame({"customer_id": ["a"], "e_value": [1.0], "e_level": ["low"]})
    >>> later = pd.DataFrame({"customer_id": ["a"], "orders_after": [1], "sales_after": [9.0]})
    >>> e_value_test(scores, few, later).verdict
    'too_thin'
    """
    scored = scores[["customer_id", "e_level", "e_value"]]
    rows = _with_orders(joined(customers[["customer_id", *_KNOWN_BY_ORDERS]], scored), after)
    ranks = np.column_stack([mean_ranks(rows[name]) for name in ("e_value", "orders_after", *_KNOWN_BY_ORDERS)])
    known = ranks[:, 2:]
    estimates = {
        "spearman": _correlation(ranks[:, 0], ranks[:, 1]) if len(rows) else float("nan"),
        "spearman_beyond": _correlation(*_without(ranks[:, :2], known).T)
        if len(rows) > known.shape[1] + 3
        else float("nan"),
    }
    bounds = [_interval(r, len(rows) - (0 if name == "spearman" else 3)) for name, r in estimates.items()]
    table = pd.DataFrame({"link_measure": list(estimates), "correlation": list(estimates.values())})
    table[["correlation_low", "correlation_high"]] = bounds
    return EValueTest(_outcomes(rows, "e_level"), table, _verdict(rows, table))
