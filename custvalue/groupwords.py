"""Words for what sets groups of customers apart: names of clusters, distinguishing attributes, reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from custvalue.labels import catalogue, heading, label, labels, phrase, text
from custvalue.tables import Missing, Sentence, Sentences, say

__all__ = ["category_finding", "cluster_words", "level_word", "level_words", "reason_words", "sets_apart"]

Words = Mapping[str, Mapping[str, str]]

#: Kinds whose words are looked up for a level that the data give no word for, and the column that names its codes.
_KINDS = ("yes_no", "band")
_SAME_CODES = {"first_category": "category", "main_category": "category", "first_channel": "channel"}


def level_word(attribute: str, level: str, language: str = "en", words: Words | None = None) -> str:
    """The word for a level of an attribute: the data's own (``labels.csv``), that of a band, else the level itself.

    >>> level_word("first_amount", "high", "zh"), level_word("region", "north")
    ('高', 'north')
    """
    own = words or {}
    given = {**own.get(_SAME_CODES.get(attribute, attribute), {}), **own.get(attribute, {})}
    known = [labels(kind, language) for kind in _KINDS]
    return given.get(level) or next((table[level] for table in known if level in table), level)


def level_words(rows: pd.DataFrame, language: str = "en", words: Words | None = None) -> dict[str, dict[str, str]]:
    """Words for the columns ``attribute`` and ``level`` of :func:`custvalue.profiles.distinguishing`, to be shown.

    As ``tables.show`` takes them in ``labels``: {column: {code: word}}. A level that two attributes call by different
    words keeps its code.

    >>> level_words(pd.DataFrame({"attribute": ["first_amount"], "level": ["high"]}))
    {'attribute': {'first_amount': 'First purchase'}, 'level': {'high': 'high'}}
    """
    pairs = rows[["attribute", "level"]].drop_duplicates()
    said = [level_word(*pair, language, words) for pair in pairs.itertuples(index=False)]
    alike = pairs.assign(word=said).drop_duplicates(["level", "word"])
    alike = alike[~alike["level"].duplicated(keep=False)]
    attributes = {name: heading(name, language) for name in pairs["attribute"].unique()}
    return {"attribute": attributes, "level": dict(zip(alike["level"], alike["word"], strict=True))}


def _category(row: Mapping[str, Any], words: Words | None) -> str:
    own = words or {}
    return {**own.get("category", {}), **own.get("main_category", {})}.get(row["main_category"], row["main_category"])


def category_finding(by_category: pd.DataFrame, language: str = "en", words: Words | None = None) -> Sentence:
    """Which category is the main one of most customers, and whose customers bring most for their number.

    ``by_category``: a profile (:func:`custvalue.profiles.profile`) by ``main_category``; ``words``: the data's own.

    >>> category_finding(pd.DataFrame({"main_category": [], "n_customers": []})).text[:29]
    'Not known: what customers mai'
    """
    known = by_category[by_category["n_customers"] > 0]
    if known.empty:
        return Missing(text("findings.category_none", language))
    most = known.loc[known["n_customers"].idxmax()]
    if len(known) == 1:
        return Missing(text("findings.category_one", language, category=_category(most, words)))
    rich = known.loc[(known["share_sales"] / known["share_customers"]).fillna(0.0).idxmax()]
    return say(
        "findings.category_both" if rich.name == most.name else "findings.category",
        language,
        category=_category(most, words),
        share=most["share_customers"],
        share_sales=most["share_sales"],
        rich=_category(rich, words),
        rich_customers=rich["share_customers"],
        rich_sales=rich["share_sales"],
    )


def cluster_words(centres: pd.DataFrame, language: str = "en") -> dict[str, str]:
    """The name of each cluster: its number and what sets it apart (``cluster`` and ``traits`` of ``cluster_centres``).

    >>> cluster_words(pd.DataFrame({"cluster": ["1", "2"], "traits": ["recent high_spend", "middling"]}))
    {'1': '1 · recent, high spend', '2': '2 · in the middle'}
    """
    named = zip(centres["cluster"].astype(str), centres["traits"], strict=True)
    return {number: f"{number} · {phrase('trait', traits.split(), language)}" for number, traits in named}


def reason_words(scored: pd.DataFrame, language: str = "en", words: Words | None = None) -> dict[str, dict[str, str]]:
    """Words for the reasons of :class:`custvalue.segmentation.LookAlikes`, as ``tables.show`` takes them in ``labels``.

    >>> scored = pd.DataFrame({"reason_1": ["first_amount=high"], "reason_2": ["region=north"]})
    >>> reason_words(scored)["reason_1"]["first_amount=high"]
    'First purchase: high'
    """
    codes = pd.unique(scored[["reason_1", "reason_2"]].astype(object).to_numpy().ravel())
    pairs = {code: code.split("=", 1) for code in codes if isinstance(code, str)}
    colon = "：" if language == "zh" else ": "
    said = {code: heading(a, language) + colon + level_word(a, b, language, words) for code, (a, b) in pairs.items()}
    return {"reason_1": said, "reason_2": said}


def _group(by: str, code: Any, language: str, names: Mapping[str, str]) -> str:
    known = by in catalogue("labels") and str(code) in catalogue("labels")[by]
    return names.get(str(code)) or (label(by, code, language) if known else str(code))


def _piece(row: Any, language: str, words: Words | None) -> str:
    side = "only_here" if pd.isna(row.lift) else "more" if row.lift > 1 else "less"
    return text(
        f"findings.sets_apart_{side}",
        language,
        attribute=heading(row.attribute, language),
        level=level_word(row.attribute, row.level, language, words),
        here=row.share_here,
        others=row.share_others,
        **({"lift": row.lift} if side == "more" else {}),
    )


def sets_apart(
    rows: pd.DataFrame,
    by: str,
    language: str = "en",
    words: Words | None = None,
    names: Mapping[str, str] | None = None,
) -> Sentences:
    """What sets each group apart, a sentence a group, from the rows of :func:`custvalue.profiles.most_distinguishing`.

    ``words`` are the data's own words, ``names`` those of the groups where they are no codes of ``labels.toml``. One
    sentence says so where there are no rows.

    >>> rows = pd.DataFrame({"tier": ["gold"], "attribute": ["region"], "level": ["north"], "lift": [1.8],
    ...                      "share_here": [0.36], "share_others": [0.2]})
    >>> sets_apart(rows, "tier")
    B · Gold: Region "north" 1.80 times as common as among the others (36.0% against 20.0%).
    """
    if rows.empty:
        return Sentences((text("findings.sets_apart_none", language),), findings=True)
    comma = "；" if language == "zh" else "; "
    pieces = pd.Series([_piece(row, language, words) for row in rows.itertuples()], index=rows.index)
    joined = pieces.groupby(rows[by].to_numpy(), observed=True, sort=False).agg(comma.join)
    said = [
        text("findings.sets_apart", language, group=_group(by, code, language, names or {}), pieces=joined[code])
        for code in joined.index
    ]
    return Sentences(tuple(said), findings=True)
