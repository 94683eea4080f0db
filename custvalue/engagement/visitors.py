"""Who did what: customers and kinds of events as whole numbers, so that millions of rows group fast."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from custvalue.ids import begins

__all__ = ["grouped", "in_order", "kinds_of", "latest", "leading"]


#: So many bits hold the age of an event in days.
_AGE_BITS = 20


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


def grouped(who: np.ndarray, codes: np.ndarray, flags: Mapping[str, np.ndarray], age: np.ndarray) -> pd.DataFrame:
    """One row per customer and code, in their order: who, code, how many rows have each flag, least and highest age.

    ``age`` in days, not negative. Each row is packed into one whole number (customer and code, then age, then flags),
    so that one sort does it all.

    >>> who, codes, late = np.array([1, 0, 1]), np.array([2, 0, 2]), np.array([True, False, True])
    >>> grouped(who, codes, {"n_late": late}, np.array([9, 5, 30])).values.tolist()
    [[0, 0, 0, 5, 5], [1, 2, 2, 9, 30]]
    """
    width, shift = int(codes.max(initial=0)) + 1, _AGE_BITS + len(flags)
    packed = (who.astype("int64") * width + codes) << _AGE_BITS | age
    for flag in flags.values():
        packed = packed << 1 | flag
    packed.sort()
    cell, ages = packed >> shift, packed >> len(flags) & (1 << _AGE_BITS) - 1
    first = begins(cell)
    found, last = cell[first], np.append(first[1:], len(cell))[: len(first)] - 1
    bits = {name: packed >> place & 1 for place, name in enumerate(reversed(flags))}
    totals = {name: np.add.reduceat(bits[name], first) if len(first) else first for name in flags}
    columns = {"who": found // width, "code": found % width, **totals, "age": ages[first], "oldest": ages[last]}
    return pd.DataFrame(columns, copy=False)
