"""How unequal customers are: the Lorenz curve, the Gini coefficient and the observed 20/80 law, from one sort."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from custvalue.predicates import check_rule

__all__ = ["Concentration", "concentration", "gini", "head_count", "law_of_20_80", "lorenz", "top_share"]

#: With fewer customers a share of the top 20% says nothing.
_FEWEST_FOR_SHARES = 20


def head_count(share: float, n: int) -> int:
    """The nearest whole number of customers, halves up (nine decimals keep 0.29 x 50 at 14.5).

    >>> head_count(0.01, 60), head_count(0.01, 40)
    (1, 0)
    """
    return math.floor(round(share * n, 9) + 0.5)


def _known(values: object) -> np.ndarray:
    """The values in ascending order, missing ones left out."""
    array = np.sort(np.asarray(values, dtype=float))
    return array[~np.isnan(array)]


def lorenz(values: object) -> pd.DataFrame:
    """The Lorenz curve, from the smallest customer to the largest.

    One row per customer after a first row of zeros: ``share_customers`` (the smallest so many),
    ``share_value`` (what they hold together). Negative values count as they are, so the curve may start
    below zero; NaN where the total is not above zero. Missing values are left out.
    :func:`concentration` gives a shorter one for many customers.

    >>> lorenz([1, 3])["share_value"].tolist()
    [0.0, 0.25, 1.0]
    """
    return _curve(_known(values))


def _curve(ordered: np.ndarray) -> pd.DataFrame:
    held = np.concatenate([[0.0], np.cumsum(ordered)])
    total = held[-1]
    share_value = held / total if total > 0 else np.full(len(held), np.nan)
    return pd.DataFrame({"share_customers": np.linspace(0, 1, len(held)), "share_value": share_value})


def gini(values: object) -> float:
    """The Gini coefficient: 0 if all customers are worth the same, (n - 1) / n if one of n holds everything.

    G = sum((2 i - n - 1) x_i) / (n sum(x)), x ascending. Negative values count as zero, so that the result
    stays between 0 and 1; NaN where nobody has a value above zero. Missing values are left out.

    >>> gini([0, 0, 0, 8])
    0.75
    """
    return _gini(_known(values))


def _gini(ordered: np.ndarray) -> float:
    x = np.clip(ordered, 0, None)
    n = len(x)
    if x.sum() == 0:
        return float("nan")
    return float(np.sum((2 * np.arange(1, n + 1) - n - 1) * x) / (n * x.sum()))


def top_share(values: object, share: float) -> float:
    """The share of all value that the top ``share`` of customers hold: the observed 20/80 law (C7).

    The number of customers is share x n rounded to the nearest, halves up; among equals it does not matter
    who is counted. Negative values count as they are, so the result may exceed 1. NaN where the total is
    not above zero.

    >>> top_share([60, 10, 10, 10, 10], 0.20)
    0.6
    """
    check_rule("share", share, 0 <= share <= 1, "0..1")
    return _top_share(_known(values), share)


def _top_share(x: np.ndarray, share: float) -> float:
    if x.sum() <= 0:
        return float("nan")
    return float(x[len(x) - head_count(share, len(x)) :].sum() / x.sum())


def law_of_20_80(values: object) -> str:
    """How the observed share of the top 20% compares with the 20/80 law (C7).

    ``steeper`` above 85%, ``flatter`` below 70%, ``holds`` between; ``few`` with fewer than 20 customers, ``unknown``
    where the total is not above zero.

    >>> law_of_20_80([1] * 100), law_of_20_80([5, 1])
    ('flatter', 'few')
    """
    ordered = _known(values)
    return _law(_top_share(ordered, 0.20), len(ordered))


def _law(top20: float, n: int) -> str:
    if n < _FEWEST_FOR_SHARES:
        return "few"
    if not top20 >= 0:
        return "unknown"
    return "steeper" if top20 > 0.85 else "flatter" if top20 < 0.70 else "holds"


@dataclass(frozen=True)
class Concentration:
    """How unequal customers are: ``n`` customers with a value, ``gini``, ``top`` ({share of customers: share of value
    that the best hold}), ``law`` (see :func:`law_of_20_80`) and the Lorenz ``curve``.
    """

    n: int
    gini: float
    top: Mapping[float, float]
    law: str
    curve: pd.DataFrame


def concentration(values: object, shares: tuple[float, ...] = (0.01, 0.05, 0.20), points: int = 2_000) -> Concentration:
    """Everything about how unequal customers are, from one sort (C7).

    ``shares``: shares of customers of whom to tell what they hold, see :func:`top_share`. The curve is that of
    :func:`lorenz`, of more than ``points`` customers thinned to about so many, evenly, with the first and the last.

    >>> found = concentration([60, 10, 10, 10, 10], shares=(0.2,))
    >>> found.gini, found.top
    (0.4, {0.2: 0.6})
    """
    ordered = _known(values)
    top = {share: _top_share(ordered, share) for share in shares}
    curve = _curve(ordered)
    if len(ordered) > points:
        curve = curve.iloc[np.linspace(0, len(ordered), points + 1).round().astype(int)].reset_index(drop=True)
    law = _law(top.get(0.20, _top_share(ordered, 0.20)), len(ordered))
    return Concentration(len(ordered), round(_gini(ordered), 12), top, law, curve)
