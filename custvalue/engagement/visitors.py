"""Who did what: customers and kinds of events as whole numbers, so that millions of rows group fast."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["kinds_of", "numbered"]


def numbered(ids: pd.Series, customers: pd.DataFrame | None = None) -> tuple[np.ndarray, pd.Index]:
    """A number for each of ``ids`` and the ids by number: those of ``customers`` first, then as they appear.

    >>> numbered(pd.Series(["b", "z"]), pd.DataFrame({"customer_id": ["a", "b"]}))[0].tolist()
    [1, 2]
    """
    known = ids if customers is None else pd.concat([customers["customer_id"], ids], ignore_index=True)
    numbers, names = pd.factorize(known.astype("str"))
    return numbers[len(known) - len(ids) :], pd.Index(names)


def kinds_of(events: pd.Series) -> pd.Series:
    """The kinds of events without blanks around them and in small letters, as a categorical.

    >>> kinds_of(pd.Series([" View", "view", None])).tolist()
    ['view', 'view', nan]
    """
    numbers, kinds = pd.factorize(events)
    clean, names = pd.factorize(pd.Series(kinds, dtype="str").str.strip().str.casefold(), sort=True)
    codes = np.append(clean, -1)[numbers]
    return pd.Series(pd.Categorical.from_codes(codes, categories=names), index=events.index)
