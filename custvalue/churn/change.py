"""Whether a change of yearly sales is more than the noise of a customer's own orders and amounts."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["TWO_YEARS", "adjusted_p", "change_p", "spread_factor", "trend", "trend_known"]

#: Days as a customer from which two full years can be compared.
TWO_YEARS = 2 * 365
#: The fewest even orders of a customer, and the fewest such customers, from which clumping can be judged.
_EVEN_ORDERS, _JUDGES = 10, 30
#: Median of a chi-square with one degree of freedom.
_MEDIAN_CHI2 = 0.4549


def _years(customers: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    return customers["sales_12m"].clip(lower=0), customers["sales_prior_12m"].clip(lower=0)


def trend_known(customers: pd.DataFrame) -> pd.Series:
    """Whether a customer can be compared with the year before: two years a customer, sales in at least one."""
    now, before = _years(customers)
    return (customers["tenure_days"] >= TWO_YEARS) & (now + before > 0)


def trend(customers: pd.DataFrame) -> pd.Series:
    """(a - b) / (a + b), sales of the last 12 months a, of the 12 months before b; NaN where not known."""
    now, before = _years(customers)
    return (now - before) / (now + before).where(trend_known(customers))


def _even_orders(customers: pd.DataFrame) -> pd.Series:
    """How many orders of equal size would vary as much as those of the two years: (sum)^2 / sum of squares."""
    now, before = _years(customers)
    known = trend_known(customers) & (customers["squares_24m"] > 0)
    return (now + before) ** 2 / customers["squares_24m"].where(known)


def spread_factor(customers: pd.DataFrame) -> float:
    """How much more the yearly sales of these customers vary than those of unclumped orders; at least 1.

    The median of (a - b)^2 / (sum of squares) against that of a chi-square, over customers whose sales rose: leaving,
    which is no noise, only makes them fall. 1 where fewer than 30 such customers have the equal of 10 orders in two
    years.
    """
    even = _even_orders(customers)
    judges = (even >= _EVEN_ORDERS) & (trend(customers) > 0)
    if judges.sum() < _JUDGES:
        return 1.0
    squared = trend(customers)[judges] ** 2 * even[judges]
    return max(1.0, float(squared.median()) / _MEDIAN_CHI2)


def _tail(n: np.ndarray, k: np.ndarray) -> np.ndarray:
    """P(fewer than k) + P(k) / 2 of a binomial of n fair coins, n and k any numbers."""
    from scipy.special import betainc

    least = 1e-12
    below = betainc(np.maximum(n - k + 1, least), np.maximum(k, least), 0.5)
    return (below + betainc(np.maximum(n - k, least), k + 1, 0.5)) / 2


def change_p(customers: pd.DataFrame) -> pd.DataFrame:
    """The chance that sales at an unchanged rate come out so much lower, or higher, than in the year before.

    At an unchanged rate each order of the two years falls into either year with probability 1/2. The sales of the
    last year are then a sum over orders of amount x coin, with the mean and variance of a binomial of n = (sum)^2 /
    (sum of squared amounts of a day) orders of equal size. Its tail is the incomplete beta function, an outcome
    itself counted by half (Lancaster's mid-p). Where the customers of the table vary more than that
    (:func:`spread_factor`), n is that much smaller.

    Takes the customer table with ``squares_24m``. One row per customer in the order of the table: ``p_fall``,
    ``p_rise``, NaN where ``trend`` is.

    >>> five_none = pd.DataFrame({"tenure_days": [800], "sales_12m": [0.0], "sales_prior_12m": [50.0],
    ...                           "squares_24m": [500.0]})
    >>> change_p(five_none)["p_fall"].round(5).tolist() == [round(0.5**6, 5)]
    True
    """
    now, before = _years(customers)
    n = (_even_orders(customers) / spread_factor(customers)).to_numpy(dtype=float)
    share = (now / (now + before)).to_numpy(dtype=float)
    known = np.isfinite(n) & np.isfinite(share)
    k = np.where(known, np.clip(share, 0, 1) * n, 0.0)
    n = np.where(known, n, 1.0)
    tails = {"p_fall": _tail(n, k), "p_rise": _tail(n, n - k)}
    return pd.DataFrame(
        {name: np.where(known, tail, np.nan).round(12) for name, tail in tails.items()}, customers.index
    )


def adjusted_p(p: pd.Series) -> pd.Series:
    """Benjamini and Hochberg (1995): listing those with at most q keeps the expected share of false ones at q.

    >>> adjusted_p(pd.Series([0.01, 0.04, 0.5])).round(2).tolist()
    [0.03, 0.06, 0.5]
    """
    from scipy.stats import false_discovery_control

    known = p.dropna()
    q = false_discovery_control(known) if len(known) else known.to_numpy()
    return pd.Series(q, known.index, dtype="float64").reindex(p.index)
