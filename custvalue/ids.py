"""Customer ids as whole numbers: looked up or numbered once, so that a million of them take a moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["begins", "in_order_of", "joined", "named", "numbered", "places"]


def _words(values: pd.Series) -> pa.ChunkedArray | None:
    """The Arrow text behind a column; None where it holds anything else."""
    import pyarrow as pa

    if values.dtype == "object" and pd.api.types.infer_dtype(values, skipna=True) == "string":
        values = values.astype("str")
    if values.dtype != "str":
        return None
    array = pa.array(values.array)
    chunks = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
    return chunks.cast(pa.large_string())


@dataclass(frozen=True)
class _Column:
    """A column of text as a key: equal to another where both are the same memory, which nobody writes to."""

    words: pa.ChunkedArray = field(compare=False)
    memory: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, words: pa.ChunkedArray) -> _Column:
        memory = []
        for chunk in words.chunks:
            addresses = (part.address if part else 0 for part in chunk.buffers())
            memory.append((*addresses, chunk.offset, len(chunk)))
        return cls(words, tuple(memory))


def _searched(values: _Column, ids: _Column) -> np.ndarray:
    import pyarrow.compute as pc

    found = pc.index_in(values.words, value_set=ids.words, skip_nulls=True)
    return pc.fill_null(found, -1).to_numpy().astype("int64")


#: The last searches among many ids: several analyses ask the same of the same columns.
_MANY = 10_000
_remembered = lru_cache(maxsize=4)(_searched)


def places(values: pd.Series, ids: pd.Series) -> np.ndarray:
    """The place of each value among the ids, each of which is there once; -1 where it is not one of them.

    Equal columns, and one that is the beginning of the other, need no search.

    >>> places(pd.Series(["b", "z", None]), pd.Series(["a", "b"])).tolist()
    [1, -1, -1]
    """
    if not len(values):
        return np.empty(0, dtype="int64")
    if values.reset_index(drop=True).equals(ids.iloc[: len(values)].reset_index(drop=True)):
        return np.where(values.isna(), -1, np.arange(len(values)))
    searched, known = _words(values), _words(ids)
    if searched is not None and known is not None:
        search = _remembered if len(values) >= _MANY else _searched
        return search(_Column.of(searched), _Column.of(known)).copy()
    found = pd.Index(ids.astype("object")).get_indexer(values.astype("object"))
    return np.where(values.isna(), -1, found)


def _rising(words: pd.Series) -> bool:
    import pyarrow.compute as pc

    array = _words(words)
    if array is None or len(array) < 2 or array.null_count:
        return False
    return bool(pc.all(pc.less_equal(array.slice(0, len(array) - 1), array.slice(1))).as_py())


def _coded(ids: pd.Series) -> tuple[np.ndarray, pd.Series]:
    """A number for each id (-1 where missing), and the different ids by number."""
    if isinstance(ids.dtype, pd.CategoricalDtype):
        return ids.cat.codes.to_numpy(dtype="int64"), pd.Series(ids.cat.categories).astype("str")
    words = ids.astype("str").reset_index(drop=True)
    if _rising(words):
        begins = (words != words.shift()).to_numpy()
        return np.cumsum(begins) - 1, words[begins].reset_index(drop=True)
    numbers, names = pd.factorize(words)
    return numbers, pd.Series(names, dtype="str")


def numbered(ids: pd.Series, known: pd.Series | None = None) -> tuple[np.ndarray, pd.Series]:
    """A number for each of ``ids`` and the ids by number: the ``known`` ones first, then others as they appear.

    A missing id has -1. Text in rising order and categoricals are numbered without looking at every text.

    >>> numbers, names = numbered(pd.Series(["b", "z"]), pd.Series(["a", "b"]))
    >>> numbers.tolist(), names.tolist()
    ([1, 2], ['a', 'b', 'z'])
    """
    codes, names = _coded(ids)
    if known is None and not isinstance(ids.dtype, pd.CategoricalDtype):
        return codes, names
    first = pd.Series([], dtype="str") if known is None else known.astype("str").reset_index(drop=True)
    number = np.append(places(names, first), -2)
    further = pd.unique(codes[number[codes] == -1])
    number[further] = len(first) + np.arange(len(further))
    number[-1] = -1
    return number[codes], pd.concat([first, names.iloc[further]], ignore_index=True)


def named(numbers: np.ndarray, names: pd.Series | pd.Index) -> pd.Series:
    """The name of each number as text; missing for -1.

    >>> named(np.array([1, -1]), pd.Index(["tea", "cup"])).tolist()
    ['cup', nan]
    """
    words = pd.array(names, dtype="str")
    if not len(words):
        return pd.Series(np.nan, index=range(len(numbers)), dtype="str")
    return pd.Series(words.take(np.asarray(numbers), allow_fill=True))


def begins(numbers: np.ndarray) -> np.ndarray:
    """The places at which a new number begins, of numbers in rising order from 0 on.

    >>> begins(np.array([0, 0, 3])).tolist()
    [0, 2]
    """
    return np.flatnonzero(np.diff(numbers, prepend=-1))


def joined(table: pd.DataFrame, *others: pd.DataFrame) -> pd.DataFrame:
    """Tables of one row per customer side by side: the customers of the first that are in all others, in its order.

    A column that several have is that of the first of them.

    >>> codes = pd.DataFrame({"customer_id": ["b", "a"], "tier": ["gold", "lead"]})
    >>> joined(pd.DataFrame({"customer_id": ["a", "b", "c"], "sales": [1, 2, 3]}), codes).values.tolist()
    [['a', 1, 'lead'], ['b', 2, 'gold']]
    """
    result = table.reset_index(drop=True)
    for other in others:
        rows = places(result["customer_id"], other["customer_id"])
        if (rows < 0).any():
            result, rows = result[rows >= 0].reset_index(drop=True), rows[rows >= 0]
        further = other[other.columns.difference(result.columns, sort=False)]
        same = len(rows) == len(other) and bool((rows == np.arange(len(rows))).all())
        further = further.reset_index(drop=True) if same else further.take(rows).reset_index(drop=True)
        result = pd.concat([result, further], axis=1)
    return result


def in_order_of(ids: pd.Series) -> np.ndarray:
    """The places of the ids in their order; those of a customer table stand in it already.

    >>> in_order_of(pd.Series(["b", "c", "a"])).tolist()
    [2, 0, 1]
    """
    return np.arange(len(ids)) if _rising(ids) else ids.argsort(kind="stable").to_numpy()
