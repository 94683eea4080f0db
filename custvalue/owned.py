"""Who bought from which categories, as numbers: a customer a row, a category a column, and the sets of categories."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from custvalue.ids import begins, numbered

__all__ = ["Bought", "numbers", "owned_by", "rows_of", "sets_of"]


@dataclass(frozen=True)
class Bought:
    """Who bought from what, as numbers: a row per customer and category, the ids and the categories by number."""

    who: np.ndarray
    what: np.ndarray
    ids: pd.Series
    names: pd.Series


def numbers(bought: pd.DataFrame) -> Bought:
    """The rows of :func:`custvalue.timelines.category_purchases` as numbers; categories in the order of their names.

    >>> numbers(pd.DataFrame({"customer_id": ["a", "a"], "category": ["tea", "cup"]})).what.tolist()
    [1, 0]
    """
    known = bought["customer_id"].notna() & bought["category"].notna()
    bought = bought if known.all() else bought[known]
    (who, ids), words = numbered(bought["customer_id"]), pd.Categorical(bought["category"])
    return Bought(who, words.codes.astype("int64"), ids, pd.Series(words.categories, dtype="str"))


def owned_by(bought: Bought, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Customers x categories (True where bought), the customers and the categories, those with most buyers first.

    At most ``most`` categories; customers who bought from none of them have no row.

    >>> owned_by(numbers(pd.DataFrame({"customer_id": list("aab"), "category": ["cup", "tea", "tea"]})), 30)[0].tolist()
    [[True, True], [True, False]]
    """
    n_names = max(len(bought.names), 1)
    pairs = np.sort(bought.who * n_names + bought.what)
    pairs = pairs[begins(pairs)]
    who, what = pairs // n_names, pairs % n_names
    n_buyers = np.bincount(what, minlength=len(bought.names))
    kept = np.argsort(-n_buyers, kind="stable")[: min(most, (n_buyers > 0).sum())]
    column = rows_of(kept, len(bought.names))[what]
    who, column = who[column >= 0], column[column >= 0]
    people = who[begins(who)]
    owned = np.zeros((len(people), len(kept)), dtype=bool)
    owned[rows_of(people, len(bought.ids))[who], column] = True
    return owned, people, kept


def rows_of(numbers: np.ndarray, n: int) -> np.ndarray:
    """Where each number below ``n`` stands among the numbers; -1 where it does not, and at the end.

    >>> rows_of(np.array([2, 0]), 3).tolist()
    [1, -1, 0, -1]
    """
    rows = np.full(n + 1, -1)
    rows[numbers] = np.arange(len(numbers))
    return rows


def sets_of(owned: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct sets of categories, which one each customer has, and how many have it.

    >>> [found.tolist() for found in sets_of(np.array([[True, False], [True, True], [True, False]]))]
    [[[True, False], [True, True]], [0, 1, 0], [2, 1]]
    """
    packed = np.packbits(owned, axis=1)
    which = np.zeros(len(owned), dtype="int64")
    for place in range(packed.shape[1]):
        which = pd.factorize(which * 256 + packed[:, place])[0]
    first = np.zeros(which.max(initial=-1) + 1, dtype="int64")
    first[which[::-1]] = np.arange(len(which))[::-1]
    return owned[first], which, np.bincount(which)
