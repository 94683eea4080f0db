"""The sentence that fits a result: browsing, the e-value, co-purchases, suggestions, the health check, campaigns."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pandas as pd

from custvalue.concentration import concentration
from custvalue.crosssell import CrossSellRules
from custvalue.engagement import EngagementRules, EValueTest
from custvalue.labels import label, text
from custvalue.shown import Missing
from custvalue.tables import Sentence, Sentences, say
from custvalue.trials import trial_sizes
from custvalue.uplift import CampaignRules, next_time, uplift_interval

__all__ = [
    "browsing_finding",
    "campaign_finding",
    "cohort_finding",
    "e_value_finding",
    "equity_finding",
    "health_finding",
    "health_remedies",
    "pairs_finding",
    "retention_finding",
    "suggestion_finding",
    "trial_finding",
    "value_held_finding",
    "viewed_finding",
]

#: Fewest customers of a group to say which is better: ways of suggesting, newer customers or older ones.
_FEWEST = 30
#: So many of the newest cohorts are set against as many before them: four quarters are a year.
_COHORTS = 4

Words = Mapping[str, Mapping[str, str]]


def _word(words: Words | None, code: str) -> str:
    return (words or {}).get("category", {}).get(code, code)


def browsing_finding(browsing: pd.DataFrame, by_chance: float, language: str = "en") -> Sentence:
    """How many have just changed what they look at, against the number chance alone would make look so (C19).

    ``browsing``: of :func:`custvalue.engagement.browsing_segments`; ``by_chance``: of
    :func:`custvalue.engagement.changed_by_chance`. They are singled out only where they are more than by chance, by two
    standard deviations of a count.

    >>> browsing_finding(pd.DataFrame({"browsing": ["unseen"]}), 0.0).text[:29]
    'Not known: what customers loo'
    """
    if (browsing["browsing"] == "unseen").all():
        return Missing(text("findings.browsing_none", language))
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
        return Missing(text("findings.e_value_no_events", language, day=day))
    share = test.levels.astype({"e_level": "str"}).set_index("e_level")["share_ordering"]
    values = {"day": day, "days": rules.outcome_days, "high": share["highest"], "none": share["none"]}
    return say(f"findings.e_value_{test.verdict}", language, **values)


def pairs_finding(
    pairs: pd.DataFrame, rules: CrossSellRules, language: str = "en", words: Words | None = None
) -> Sentence:
    """The pair of categories that goes together most, or that there is none (C18).

    ``pairs``: of :func:`custvalue.crosssell.co_purchases`; ``words``: words for the data's own codes.
    """
    if pairs["category"].nunique() < 2:
        return Missing(text("findings.pairs_no_categories", language))
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


def campaign_finding(
    results: pd.DataFrame, by: str, language: str = "en", words: Mapping[str, str] | None = None
) -> Sentence | Sentences:
    """Which campaign, list or channel to use next time (C26), or why that can not be told yet.

    ``results``: of :func:`custvalue.uplift.campaign_results` by ``by``; ``words``: words for its codes. Of other
    groupings than campaigns and lists nothing is said where there are none: a page then shows one line of that part.

    >>> campaign_finding(pd.DataFrame(), "channel").texts
    ()
    """
    if results.empty and by not in ("campaign", "list"):
        return Sentences(())
    key, values = next_time(results, by, words)
    said = say(key, language, **values)
    return Missing(said.text) if results.empty else said


def trial_finding(
    results: pd.DataFrame,
    rules: CampaignRules | None = None,
    language: str = "en",
    words: Mapping[str, str] | None = None,
) -> Sentence | Sentences:
    """What the trial with most held out can tell, and how many would have to be; nothing where all is told.

    ``results``: of :func:`custvalue.uplift.campaign_results`, by its first column; ``words``: words for its codes. See
    :func:`custvalue.trials.trial_sizes`.
    """
    rules = rules or CampaignRules()
    found = trial_sizes(results, rules.rise, rules.level)
    if found is None:
        return Sentences(())
    code = str(results.iloc[:, 0][found["row"]])
    key = "trial" if found["told"] == found["told"] else "trial_tiny"
    return say(f"findings.{key}", language, name=(words or {}).get(code, code), **found)


def value_held_finding(forecast: pd.DataFrame, language: str = "en") -> Sentence:
    """How much of the expected value the best fifth of the customers holds.

    ``forecast``: one row per customer with clv_12m, the table of :func:`custvalue.lifetime.forecast`.

    >>> value_held_finding(pd.DataFrame({"clv_12m": [80.0, 5.0, 5.0, 5.0, 5.0]})).text[:48]
    'The best 20% of the customers hold 80.0% of the '
    """
    held = concentration(forecast["clv_12m"]).top[0.20]
    return say(f"findings.value_held{'' if held == held else '_unknown'}", language, share=held)


def equity_finding(equity: pd.DataFrame, language: str = "en", currency: str = "") -> Sentence:
    """What the customers are worth as an asset; of data that do not tell, a page shows the line that says so.

    ``equity``: of :func:`custvalue.lifetime.customer_equity`.
    """
    parts = equity.astype({"equity_part": "str"}).set_index("equity_part")
    total = parts.loc["all", "value"]
    if pd.isna(total):
        return Missing(say("findings.equity_unknown", language).text)
    lacking = [code for code in parts.index if pd.isna(parts.loc[code, "value"])]
    if lacking:
        comma = "、" if language == "zh" else ", "
        named = comma.join(label("equity_part", code, language) for code in lacking)
        return say("findings.equity_in_part", language, value=total, missing=named, currency=currency)
    share = parts.loc["retention", "share_value"]
    return say("findings.equity", language, value=total, share=share, currency=currency)


def retention_finding(changes: pd.DataFrame, language: str = "en", currency: str = "") -> Sentence:
    """What it would be worth to keep more customers: the largest change of the yearly retention that can be told.

    ``changes``: of :func:`custvalue.lifetime.retention_what_if`.
    """
    known = changes[(changes["retention_change"] > 0) & changes["value_change"].notna()]
    if known.empty:
        return say("findings.retention_worth_unknown", language)
    first = known.loc[known["retention_change"].idxmin()]
    values = {"points": 100 * first["retention_change"], "value": first["value_change"]}
    values |= {"share": first["value_change_share"], "currency": currency}
    return say("findings.retention_worth", language, retention=first["retention"], **values)


def cohort_finding(cohorts: pd.DataFrame, language: str = "en") -> Sentence:
    """Whether the customers won last came back as those won before: in the period after that of their first order.

    ``cohorts``: of :func:`custvalue.timelines.cohort_table`, shares of buyers. The newest four periods are set against
    the four before, fewer where there are fewer, as many on both sides, so that a season stands against the same one;
    the difference has a range by Newcombe's method.

    >>> cohort_finding(pd.DataFrame({"cohort": ["2024Q1"], "n_customers": [50], "1": [0.4]})).text[:40]
    'Too few periods have passed, or too few '
    """
    known = cohorts[cohorts["1"].notna()] if "1" in cohorts else cohorts.head(0)
    each = min(_COHORTS, len(known) // 2)
    new, old = known.tail(each), known.iloc[len(known) - 2 * each : len(known) - each]
    counts = [round((part["1"] * part["n_customers"]).sum()) for part in (new, old)]
    sizes = [int(part["n_customers"].sum()) for part in (new, old)]
    if min(sizes) < _FEWEST:
        return say("findings.cohorts_unknown", language)
    _, low, high = uplift_interval(counts[0], sizes[0], counts[1], sizes[1])
    verdict = "better" if low > 0 else "worse" if high < 0 else "alike"
    shares = {"new": counts[0] / sizes[0], "old": counts[1] / sizes[1], "n": sizes[0], "n_old": sizes[1]}
    return say(f"findings.cohorts_{verdict}", language, since=new["cohort"].iloc[0], low=low, high=high, **shares)


def health_remedies(told: pd.DataFrame, language: str = "en") -> Sentences:
    """What to do about each check that was not passed, and what those lack that could not be made.

    ``told``: of :func:`custvalue.healthcheck.health_words`. Nothing where all are passed.

    >>> health_remedies(pd.DataFrame({"check": ["too_small"], "health": ["fail"], "to_do": ["Merge it."]}))
    Groups too small: Merge it.
    """
    rows = told[told["to_do"] != ""]
    said = [
        text("findings.health_to_do", language, check=label("check", check, language), to_do=to_do)
        for check, to_do in zip(rows["check"], rows["to_do"], strict=True)
    ]
    return Sentences(tuple(said))
