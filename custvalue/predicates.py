"""Rules over customers as data: ordered predicates, of which the first that holds names the customer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from custvalue.errors import UsageError

__all__ = ["check_rule", "first_match"]


def check_rule(rule: str, got: Any, fits: bool, allowed: str) -> None:
    """Refuse a threshold that can not be: ``UsageError`` with the rule, what was given and what is allowed.

    >>> check_rule("gone_days", 30, 30 > 0, "> 0")
    """
    if not fits:
        raise UsageError("rule_out_of_range", rule=rule, got=got, allowed=allowed)


def first_match(
    table: pd.DataFrame,
    predicates: Sequence[tuple[str, Callable[..., pd.Series]]],
    categories: Sequence[str],
    *rules: Any,
) -> pd.Categorical:
    """One code a row: that of the first predicate that holds; the last one counts for everybody else.

    Each predicate is called with the table and ``rules``, and returns a truth value a row. The result is an ordered
    categorical of ``categories``.

    >>> table = pd.DataFrame({"x": [1, 5]})
    >>> rules = [("big", lambda t: t["x"] > 3), ("other", lambda t: t["x"] == t["x"])]
    >>> list(first_match(table, rules, ["big", "other"]))
    ['other', 'big']
    """
    place = {code: number for number, code in enumerate(categories)}
    codes = [np.int8(place.get(code, -1)) for code, _ in predicates]
    holds = [predicate(table, *rules).to_numpy(dtype=bool) for _, predicate in predicates]
    return pd.Categorical.from_codes(np.select(holds, codes, default=codes[-1]), categories=categories, ordered=True)
