"""Drawing and naming: small helpers over numpy's frozen ``RandomState`` stream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from custvalue.simulate.rules import FIRST_DAY

__all__ = ["code_of", "column_of", "dates", "names", "pick", "pick_each", "stream"]


def stream(seed: int, part: str) -> np.random.RandomState:
    """A random stream of its own for each table, so that a change in one leaves the others as they are."""
    return np.random.RandomState([seed, *part.encode()])


def pick_each(rng: np.random.RandomState, odds: np.ndarray) -> np.ndarray:
    """One position for each row of a table of odds."""
    edges = np.cumsum(odds, axis=1) / odds.sum(axis=1, keepdims=True)
    return (rng.uniform(size=len(odds))[:, None] > edges[:, :-1]).sum(axis=1)


def pick(rng: np.random.RandomState, odds: Mapping | Iterable[float], size: int) -> np.ndarray:
    """Positions drawn with the same odds for all.

    >>> pick(stream(1, "example"), {"never": 0, "always": 1}, 3)
    array([1, 1, 1])
    """
    odds = np.array(list(odds.values() if isinstance(odds, Mapping) else odds), dtype=float)
    edges = np.cumsum(odds)[:-1] / odds.sum()
    return np.searchsorted(edges, rng.uniform(size=size), side="right")


def code_of(codes: Iterable[str], positions: np.ndarray) -> np.ndarray:
    """The codes at positions.

    >>> code_of({"low": 1, "high": 2}, np.array([1, 0]))
    array(['high', 'low'], dtype=object)
    """
    return np.array(list(codes), dtype=object)[positions]


def column_of(rules: Mapping[str, tuple], position: int) -> np.ndarray:
    """One number of each rule.

    >>> column_of({"a": (1, 2), "b": (3, 4)}, 1)
    array([2., 4.])
    """
    return np.array([values[position] for values in rules.values()], dtype=float)


def names(letter: str | pd.Series, numbers: np.ndarray, width: int) -> pd.Series:
    """Names counted from 1, with leading zeros; ``letter`` stands in front.

    >>> list(names("C", np.array([0, 41]), 5))
    ['C00001', 'C00042']
    """
    return letter + pd.Series(np.asarray(numbers) + 1).astype("str").str.zfill(width)


def dates(days: np.ndarray) -> np.ndarray:
    """Days since the first day of the store as dates.

    >>> str(dates(np.array([31]))[0])
    '2023-02-01'
    """
    return FIRST_DAY + np.asarray(days).astype("timedelta64[D]")
