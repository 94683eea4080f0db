"""Recency, frequency and money: scores, and the named group of every combination of scores."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pandas as pd

from custvalue.ids import named
from custvalue.predicates import first_match
from custvalue.ranking import equal_steps
from custvalue.segmentation.rules import SegmentationRules

__all__ = ["RFM_GROUPS", "RFM_LEAST", "rfm_grid", "rfm_groups", "rfm_map", "rfm_scores", "score_cuts"]

_MEASURES = (("r_score", "days_since_last"), ("f_score", "n_orders"), ("m_score", "sales"))


def _combinations(rules: SegmentationRules) -> pd.DataFrame:
    levels = range(1, rules.score_levels + 1)
    return pd.DataFrame(itertools.product(levels, repeat=3), columns=[score for score, _ in _MEASURES])


def _combination(scores: pd.DataFrame, rules: SegmentationRules) -> np.ndarray:
    """The row of each customer's scores among all combinations."""
    place = np.zeros(len(scores), dtype=int)
    for score, _ in _MEASURES:
        place = place * rules.score_levels + scores[score].to_numpy() - 1
    return place


def rfm_scores(customers: pd.DataFrame, rules: SegmentationRules | None = None) -> pd.DataFrame:
    """Recency, frequency and money scores, 1 to ``score_levels``, the highest for the best customers (C12).

    One row per customer: ``customer_id``, ``r_score`` (on ``days_since_last``, fewer is better),
    ``f_score`` (on ``n_orders``), ``m_score`` (on ``sales``), ``rfm`` (the three digits as text).

    score = 1 + floor(levels x share of customers strictly worse). Equal values have equal scores, so groups
    are not of equal size and a score may be left out where many customers are equal: if all are equal, all
    score 1. :func:`score_cuts` gives the cuts that result.

    >>> customers = pd.DataFrame({"customer_id": list("abcde"), "days_since_last": [1, 2, 3, 4, 5],
    ...                           "n_orders": [9, 1, 1, 1, 1], "sales": [50, 40, 30, 20, 10]})
    >>> rfm_scores(customers)["rfm"].tolist()
    ['555', '414', '313', '212', '111']
    """
    rules = rules or SegmentationRules()
    result = pd.DataFrame({"customer_id": customers["customer_id"].array})
    for score, measure in _MEASURES:
        worse = -customers[measure] if measure == "days_since_last" else customers[measure]
        result[score] = 1 + equal_steps(worse, rules.score_levels)
    names = _combinations(rules).astype(str).agg("".join, axis=1)
    return result.assign(rfm=named(_combination(result, rules), names))


def score_cuts(customers: pd.DataFrame, rules: SegmentationRules | None = None) -> pd.DataFrame:
    """The cuts behind :func:`rfm_scores`.

    One row per measure and score in use: ``measure`` (``days_since_last``, ``n_orders``, ``sales``),
    ``score``, ``lowest`` and ``highest`` value that has the score (unit of the measure), ``n_customers``.

    >>> customers = pd.DataFrame({"customer_id": list("ab"), "days_since_last": [1, 2], "n_orders": [1, 1],
    ...                           "sales": [5.0, 9.0]})
    >>> score_cuts(customers).tail(2)
      measure  score  lowest  highest  n_customers
    3   sales      1     5.0      5.0            1
    4   sales      3     9.0      9.0            1
    """
    scores = rfm_scores(customers, rules)
    blocks = []
    for score, measure in _MEASURES:
        values = customers[measure].reset_index(drop=True).groupby(scores[score].rename("score"))
        block = values.agg(lowest="min", highest="max", n_customers="size").reset_index()
        blocks.append(block.assign(measure=measure))
    cuts = pd.concat(blocks, ignore_index=True)
    return cuts[["measure", "score", "lowest", "highest", "n_customers"]]


#: The named groups, best first; asked in this order, the first whose least scores are all reached counts.
RFM_GROUPS = (
    "champions",
    "loyal",
    "potential_loyalists",
    "needs_attention",
    "promising",
    "new",
    "about_to_sleep",
    "cannot_lose",
    "at_risk",
    "hibernating",
    "lost",
)

_LOW, _SECOND, _MIDDLE, _HIGH = 1.0, 1.5, 2.5, 3.5

#: Group, and the least R, F and M on the scale from 1 to 5; the last one takes every other customer.
RFM_LEAST: tuple[tuple[str, float, float, float], ...] = (
    ("champions", _HIGH, _HIGH, _HIGH),
    ("loyal", _MIDDLE, _HIGH, _LOW),
    ("potential_loyalists", _HIGH, _MIDDLE, _LOW),
    ("needs_attention", _MIDDLE, _MIDDLE, _LOW),
    ("promising", _MIDDLE, _LOW, _HIGH),
    ("new", _HIGH, _LOW, _LOW),
    ("about_to_sleep", _MIDDLE, _LOW, _LOW),
    ("cannot_lose", _LOW, _HIGH, _HIGH),
    ("at_risk", _LOW, _MIDDLE, _LOW),
    ("at_risk", _LOW, _LOW, _MIDDLE),
    ("hibernating", _SECOND, _LOW, _LOW),
    ("lost", _LOW, _LOW, _LOW),
)


def _reached(scores: pd.DataFrame, rules: SegmentationRules, least: tuple[float, ...]) -> pd.Series:
    limits = [rules.least_score(level) for level in least]
    return (scores[[score for score, _ in _MEASURES]] >= limits).all(axis=1)


def rfm_grid(rules: SegmentationRules | None = None) -> pd.DataFrame:
    """The named group of every combination of scores.

    One row per combination, R, F, M counting up: ``r_score``, ``f_score``, ``m_score``, ``rfm_group`` (one of
    ``RFM_GROUPS``). With s levels a score stands at 1 + 4 (score - 1) / (s - 1) on a scale from 1 to 5;
    high is 3.5 and above there, middling 2.5 and above.

    >>> rfm_grid(SegmentationRules(score_levels=2))["rfm_group"].tolist()[:3]
    ['lost', 'at_risk', 'at_risk']
    """
    rules = rules or SegmentationRules()
    grid = _combinations(rules)
    predicates = [(code, partial(_reached, least=least)) for code, *least in RFM_LEAST]
    return grid.assign(rfm_group=first_match(grid, predicates, RFM_GROUPS, rules))


def rfm_groups(scores: pd.DataFrame, rules: SegmentationRules | None = None) -> pd.DataFrame:
    """The named group of each customer by R, F and M scores: every combination has exactly one (C12).

    ``scores`` as :func:`rfm_scores` gives them with the same ``rules``. One row per customer: ``customer_id``,
    ``rfm_group`` (one of ``RFM_GROUPS``). A name follows from the scores alone: *new* has bought lately and
    seldom, whether or not he joined lately.

    >>> scores = pd.DataFrame({"customer_id": ["a", "b"], "r_score": [5, 1], "f_score": [5, 5], "m_score": [5, 4]})
    >>> rfm_groups(scores)["rfm_group"].tolist()
    ['champions', 'cannot_lose']
    """
    rules = rules or SegmentationRules()
    group = rfm_grid(rules)["rfm_group"].array.take(_combination(scores, rules))
    return pd.DataFrame({"customer_id": scores["customer_id"].array, "rfm_group": group})


def rfm_map(scores: pd.DataFrame, rules: SegmentationRules | None = None) -> pd.DataFrame:
    """Which groups stand where, recency against frequency, and how many customers are there.

    One row per R score, F score and group that some M score leads to there: ``r_score``, ``f_score``,
    ``rfm_group``, ``n_customers`` (0 where nobody is).

    >>> scores = pd.DataFrame({"customer_id": ["a"], "r_score": [2], "f_score": [1], "m_score": [1]})
    >>> rfm_map(scores, SegmentationRules(score_levels=2)).head(2)
       r_score  f_score rfm_group  n_customers
    0        1        1   at_risk            0
    1        1        1      lost            0
    """
    rules = rules or SegmentationRules()
    rules, keys = rules or SegmentationRules(), ["r_score", "f_score", "rfm_group"]
    grid = rfm_grid(rules)
    counts = np.bincount(_combination(scores, rules), minlength=len(grid))
    return grid.assign(n_customers=counts).groupby(keys, observed=True)["n_customers"].sum().reset_index()
