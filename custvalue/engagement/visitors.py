"""Who did what: customers and kinds of events as whole numbers, so that millions of rows group fast."""

from __future__ import annotations

import numpy as np
import pandas as pd

from custvalue.ids import begins

__all__ = ["in_order", "kinds_of", "latest", "leading"]


def in_order(names: pd.Series) -> pd.Categorical:
    """A column of words as a categorical whose categories stand in the order of their names.

    >>> in_order(pd.Series(["tea", "cup", None])).codes.tolist()
    [1, 0, -1]
    """
    if not isinstance(names.dtype, pd.CategoricalDtype):
        return pd.Categorical(names)
    return pd.Categorical(names.cat.set_categories(sorted(names.cat.categories), ordered=False))


def leading(who: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """The place of the highest rank of each customer, of equal ones the first; ``who`` rises from 0 on.

    >>> leading(np.array([0, 0, 3, 3]), np.array([1, 5, 7, 7])).tolist()
    [1, 2]
    """
    first = begins(who)
    highest = np.maximum.reduceat(rank, first) if len(first) else rank
    at_top = np.flatnonzero(rank == np.repeat(highest, np.diff(np.append(first, len(who)))))
    return at_top[begins(who[at_top])]


def latest(who: np.ndarray, days: pd.Series, n: int) -> pd.Series:
    """The last of the days of each customer from 0 to ``n``; missing for one who has none.

    >>> latest(np.array([1, 1]), pd.Series(pd.to_datetime(["2024-01-05", "2024-01-02"])), 2).dt.day.tolist()
    [nan, 5.0]
    """
    found = np.full(n, np.iinfo("int64").min)
    np.maximum.at(found, who, days.to_numpy().astype("datetime64[s]").astype("int64"))
    return pd.Series(found.astype("datetime64[s]"))


def kinds_of(events: pd.Series) -> pd.Series:
    """The kinds of events without blanks around them and in small letters, as a categorical.

    >>> kinds_of(pd.Series([" View", "view", None])).tolist()
    ['view', 'view', nan]
    """
    numbers, kinds = pd.factorize(events)
    clean, names = pd.factorize(pd.Series(kinds, dtype="str").str.strip().str.casefold(), sort=True)
    codes = np.append(clean, -1)[numbers]
    return pd.Series(pd.Categorical.from_codes(codes, categories=names), index=events.index)
