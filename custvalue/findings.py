"""The sentence that fits a result: browsing, the e-value, co-purchases, suggestions, the health check."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pandas as pd

from custvalue.crosssell import CrossSellRules
from custvalue.engagement import EngagementRules, EValueTest
from custvalue.labels import label
from custvalue.tables import Sentence, say

__all__ = [
    "browsing_finding",
    "e_value_finding",
    "health_finding",
    "pairs_finding",
    "suggestion_finding",
    "viewed_finding",
]

#: Fewest customers with a new category to say which way of suggesting is better.
_FEWEST = 30

Words = Mapping[str, Mapping[str, str]]


def _word(words: Words | None, code: str) -> str:
    return (words or {}).get("category", {}).get(code, code)


def browsing_finding(browsing: pd.DataFrame, by_chance: float, language: str = "en") -> Sentence:
    """How many have just changed what they look at, against the number chance alone would make look so (C19).

    ``browsing``: of :func:`custvalue.engagement.browsing_segments`; ``by_chance``: of
    :func:`custvalue.engagement.changed_by_chance`. They are singled out only where they are more than by chance, by two
    standard deviations of a count.

    >>> browsing_finding(pd.DataFrame({"browsing": ["unseen"]}), 0.0).text[:29]
    'No views of categories are kn'
    """
    if (browsing["browsing"] == "unseen").all():
        return say("findings.browsing_none", language)
    n = int((browsing["browsing"] == "just_changed").sum())
    if n == 0:
        return say("findings.browsing_changed_none", language)
    sure = n > by_chance + 2 * by_chance**0.5
    return say(f"findings.browsing_changed{'' if sure else '_noise'}", language, n=n, chance=by_chance)


def viewed_finding(wishes: pd.DataFrame, rules: EngagementRules, language: str = "en") -> Sentence:
    """How many looked at something again and again and have not bought it.

    >>> viewed_finding(pd.DataFrame({"customer_id": []}), EngagementRules()).text[:40]
    'Nobody looked at a category at least 2 t'
    """
    n, limits = wishes["customer_id"].nunique(), {"views": rules.wish_views, "days": rules.recent_days}
    return (
        say("findings.wish_list", language, n=n, **limits) if n else say("findings.wish_list_none", language, **limits)
    )


def e_value_finding(test: EValueTest, day: dt.date, rules: EngagementRules, language: str = "en") -> Sentence:
    """Whether a higher e-value of ``day`` was followed by more orders (C20)."""
    if test.levels.loc[test.levels["e_level"] != "none", "n_customers"].sum() == 0:
        return say("findings.e_value_no_events", language, day=day)
    share = test.levels.astype({"e_level": "str"}).set_index("e_level")["share_ordering"]
    values = {"day": day, "days": rules.outcome_days, "high": share["highest"], "none": share["none"]}
    return say(f"findings.e_value_{test.verdict}", language, **values)


def pairs_finding(
    pairs: pd.DataFrame, rules: CrossSellRules, language: str = "en", words: Words | None = None
) -> Sentence:
    """The pair of categories that goes together most, or that there is none (C18).

    ``pairs``: of :func:`custvalue.crosssell.co_purchases`; ``words``: words for the data's own codes.
    """
    if pairs["lift_beyond"].isna().all():
        return say("findings.pairs_no_categories", language)
    if pairs["n_both"].max() < rules.min_support:
        return say("findings.pairs_thin", language, least=rules.min_support)
    sure = pairs[pairs["sure_pair"]].sort_values(["lift_beyond", "confidence"], ascending=False, kind="stable")
    if sure.empty:
        return say("findings.pairs_none", language, lift=pairs["pair_lift"].median())
    best = sure.iloc[0]
    named = {"category": _word(words, best["category"]), "other": _word(words, best["other_category"])}
    values = {"n": len(sure) // 2, "confidence": best["confidence"], "lift": best["lift_beyond"]}
    return say("findings.pairs_sure", language, **named, **values)


def suggestion_finding(test: pd.DataFrame, day: dt.date, language: str = "en") -> Sentence:
    """Which way of suggesting the next category is used, with its hit rate since ``day``.

    ``test``: of :func:`custvalue.crosssell.suggestion_test`.
    """
    rates = test.set_index("suggestion")["hit_rate"]
    values = {"hit": rates["like_buyers"], "popular": rates["popular"], "chance": rates["chance"]}
    used = test.loc[test["preferred"], "suggestion"]
    n = int(test["n_customers"].max())
    if n < _FEWEST or used.empty:
        return say("findings.suggest_untested", language, day=day, n=n)
    return say(f"findings.suggest_{used.iloc[0]}", language, day=day, n=n, **values)


def health_finding(findings: pd.DataFrame, language: str = "en") -> Sentence:
    """How many checks found a fault, and the first of them (C23).

    >>> health_finding(pd.DataFrame({"check": ["frozen", "purpose"], "health": ["fail", "ok"]}))
    1 check of 2 found a fault; begin with: Done once and frozen.
    """
    known = findings[findings["health"] != "unknown"]
    if known.empty:
        return say("findings.health_nothing", language)
    for health, key in (("fail", "health_faults"), ("warn", "health_warnings")):
        found = known[known["health"] == health]
        if len(found):
            worst = label("check", found["check"].iloc[0], language)
            return say(f"findings.{key}", language, n=len(found), of=len(known), worst=worst)
    return say("findings.health_fine", language, of=len(known))
