"""The words on a list of customers: its title, why each customer is on it, and what is to be done."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from custvalue.labels import catalogue, format_value, heading, labels, unit_of
from custvalue.strategy import strategy_for

__all__ = ["title_of", "what_to_do", "why"]


def _one_said(value: Any, words: Mapping[str, str], unit: str, language: str) -> str:
    if isinstance(value, (bool, np.bool_)):
        return labels("yes_no", language)["yes" if value else "no"]
    if isinstance(value, (dt.date, np.datetime64)):
        return format_value(pd.Timestamp(value), "date")
    if isinstance(value, (int, float, np.number)):
        return format_value(value, unit if unit not in ("text", "date", "") else "plain")
    return " ".join(words.get(str(value), str(value)).split())


def _said(column: pd.Series, language: str, words: Mapping[str, str]) -> np.ndarray:
    """The values of a column in words, each different one worded once; empty where missing."""
    name = str(column.name)
    known = labels(name, language) if name in catalogue("labels") else words
    codes, different = pd.factorize(column)
    spoken = [_one_said(value, known, unit_of(name), language) for value in different]
    return np.array([*spoken, ""], dtype=object)[codes]


def why(rows: pd.DataFrame, columns: Iterable[str], language: str, currency: str, words: Any) -> pd.Series:
    """Which figures qualify each customer: the columns of the condition and of the order, with their values.

    ``words`` are those of the data's own codes, {column: {code: word}}; a missing value is left out.

    >>> why(pd.DataFrame({"sales": [500.0], "days_since_last": [30]}), ["sales", "days_since_last"], "en", "CNY", {})[0]
    'Sales (CNY): 500; Days since last order: 30'
    """
    colon, comma = ("：", "；") if language == "zh" else (": ", "; ")
    result = pd.Series("", index=rows.index, dtype=object)
    for name in columns:
        said = pd.Series(_said(rows[name], language, words.get(name, {})), index=rows.index, dtype=object)
        part = heading(name, language, currency) + colon + said
        between = pd.Series(np.where(result == "", "", comma), index=rows.index, dtype=object)
        result = result + (between + part).where(said != "", "")
    return result


def title_of(name: str, titles: Mapping[str, str], language: str) -> str:
    """The title of a list: its own in the language or in another, that of a standard list, or its name.

    >>> title_of("vip", {"zh": "贵宾"}, "en"), title_of("vip", {}, "en")
    ('贵宾', 'vip')
    """
    own = titles.get(language) or next(iter(titles.values()), "")
    return own or labels("audience", language).get(name, name)


def what_to_do(name: str, action: str, language: str, texts: Mapping[str, Any] | None = None) -> str:
    """The action in words: of the strategy catalogue where it is a code, as written otherwise.

    >>> what_to_do("vip", "Call them", "en")
    'Call them'
    """
    if action in labels("action"):
        found = strategy_for("action", action, language, texts)
        return found.label + ("：" if language == "zh" else ": ") + found.offer
    return action or catalogue("audiences").get(name, {}).get("action", {}).get(language, "")
