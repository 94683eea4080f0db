"""Customers who bring customers: the value of a customer with all whom they brought, over the referrer network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from custvalue.errors import DataError
from custvalue.ids import places
from custvalue.predicates import check_rule

__all__ = ["Referrals", "among", "customer_ids", "referral_value"]


@dataclass(frozen=True)
class Referrals:
    """Who brought whom, and what that is worth.

    ``table``: one row per customer, see :func:`referral_value`; ``share``: what counts of each further
    generation; ``loops``: one row per customer on a loop (``customer_id``, ``referrer``), whose link is not
    counted; ``notes``: codes of what the reader must know.
    """

    table: pd.DataFrame
    share: float
    loops: pd.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def totals(self) -> dict[str, float]:
        """Customers brought (``n``, ``share`` of all), ``by`` how many others, their own ``value`` and its share."""
        brought = self._brought
        n, value = int(brought.sum()), float(self.table.loc[brought, "own_value"].sum())
        whole = float(self.table["own_value"].sum())
        share = n / len(self.table) if len(self.table) else float("nan")
        by = int((self.table["n_brought"] > 0).sum())
        return {
            "n": n,
            "share": share,
            "by": by,
            "value": value,
            "share_value": value / whole if whole > 0 else float("nan"),
        }

    @property
    def _brought(self) -> pd.Series:
        ids = self.table["customer_id"]
        return self.table["referrer"].isin(ids) & ~ids.isin(self.loops["customer_id"])


def among(values: pd.Series, ids: pd.Series) -> np.ndarray:
    """Whether each value is one of the ids, each of which may be there more than once; faster than ``isin``.

    >>> among(pd.Series(["a", "z", None]), pd.Series(["a", "b", "b"])).tolist()
    [True, False, False]
    """
    return places(values, ids if ids.dtype == "str" else ids.dropna().drop_duplicates()) >= 0


def customer_ids(values: pd.Series) -> pd.Series:
    """Ids as text, also where a column with gaps was read as numbers; empty ones are missing.

    >>> customer_ids(pd.Series([17.0, None, " 007 ", ""])).tolist()
    ['17', None, '007', None]
    """
    known = values.notna().to_numpy()
    words = values[known] if values.dtype == "str" else values[known].map(str).astype("str")
    words = words.str.strip()
    whole = words.str.endswith("0") & words.str.contains(".", regex=False)
    words[whole] = words[whole].str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    found = np.full(len(values), None, dtype="object")
    found[known] = words.astype("object").where(words != "", None).to_numpy()
    return pd.Series(found, index=values.index, dtype="object")


def _links(customers: pd.DataFrame, attributes: pd.DataFrame | None) -> tuple[pd.Series, np.ndarray, int]:
    """Each customer's referrer as named, his row (-1: none or not a customer), and how many are no customer."""
    ids, rows = customers["customer_id"], np.full(len(customers), -1)
    referrer = np.full(len(ids), None, dtype="object")
    if attributes is None or "referrer" not in attributes:
        return pd.Series(referrer, dtype="object"), rows, 0
    own = attributes["customer_id"]
    who = places(own, ids)
    if (np.bincount(who[who >= 0], minlength=1) > 1).any() or own[who < 0].duplicated().any():
        repeated = own[own.duplicated()].unique()
        raise DataError("attribute_ids_repeat", n=len(repeated), example=repeated[0])
    named = customer_ids(attributes["referrer"][who >= 0])
    named, who = named[named.notna()], who[who >= 0][named.notna()]
    referrer[who], rows[who] = named.to_numpy(), places(named, ids)
    return pd.Series(referrer), rows, int((rows[who] < 0).sum())


def _brought_first(rows: list[int], n_brought: np.ndarray) -> list[int]:
    """Rows in an order in which all whom a customer brought stand before them; who is on a loop never comes.

    Who was brought by nobody and brought nobody has no place in it.
    """
    waiting = n_brought.tolist()
    order = np.flatnonzero((n_brought == 0) & (np.asarray(rows) >= 0)).tolist()
    for row in order:  # grows while it is read
        above = rows[row]
        if above >= 0:
            waiting[above] -= 1
            if waiting[above] == 0:
                order.append(above)
    return order


def _add_up(order: list[int], rows: list[int], own: np.ndarray, share: float) -> list[float]:
    """Each one's own number and, from below upwards, ``share`` of that of each customer they brought."""
    total = own.tolist()
    for row in order:
        if rows[row] >= 0:
            total[rows[row]] += share * total[row]
    return total


def _notes(rows: np.ndarray, unknown: int, n_loops: int) -> tuple[str, ...]:
    found = {"unknown": unknown, "loops": n_loops}
    none = () if (rows >= 0).any() else ("none",)
    return none + tuple(f"{code}:{n:,}" for code, n in found.items() if n)


def referral_value(
    customers: pd.DataFrame, attributes: pd.DataFrame | None = None, by: str = "sales", share: float = 1.0
) -> Referrals:
    """Own value and the value of the customers brought (C5): V(i) = v(i) + share x sum of V(j) over whom i brought.

    ``attributes`` holds ``customer_id`` and ``referrer``, the id of the customer who brought this one; ``by`` is the
    column of ``customers`` that is the value (a missing one counts 0). ``share`` is what counts of each generation: 1
    counts the whole network in full, 0.5 half of those brought, a quarter of those whom these brought, and so on.

    The table has one row per customer: ``customer_id``, ``referrer``, ``own_value`` (money), ``n_brought`` (customers
    brought directly), ``n_network`` (with all generations), ``brought_value`` (money: what counts of them),
    ``network_value`` (own and brought). Within a network each customer counts once; networks lie within each other, so
    the column is not to be added up over customers. Customers who brought each other in a circle have no first one:
    the links of the circle are not counted, and ``loops`` lists them.

    Notes: ``none`` (nobody has a referrer among the customers), ``unknown:n`` (referrers who are no customers),
    ``loops:n`` (customers on a loop).

    Raises ``UsageError`` for a share outside 0..1, ``DataError`` if ``attributes`` holds a customer twice.

    >>> customers = pd.DataFrame({"customer_id": ["a", "b", "c"], "sales": [10.0, 20.0, 40.0]})
    >>> attributes = pd.DataFrame({"customer_id": ["b", "c"], "referrer": ["a", "b"]})
    >>> referral_value(customers, attributes).table["network_value"].tolist()
    [70.0, 60.0, 40.0]
    >>> referral_value(customers, attributes, share=0.5).table["network_value"].tolist()
    [30.0, 40.0, 40.0]
    """
    check_rule("referral_share", share, 0 <= share <= 1, "0..1")
    referrer, rows, unknown = _links(customers, attributes)
    n = len(customers)
    n_brought = np.bincount(rows[rows >= 0], minlength=n)
    order = _brought_first(rows.tolist(), n_brought)
    looped = n_brought > 0
    looped[order] = False
    circle = np.flatnonzero(looped)
    loops = pd.DataFrame({"customer_id": customers["customer_id"].to_numpy()[circle], "referrer": referrer[circle]})
    rows[circle] = -1
    order, links = order + circle.tolist(), rows.tolist()
    own = customers[by].fillna(0.0).to_numpy(dtype=float)
    total = np.array(_add_up(order, links, own, share))
    network = np.array(_add_up(order, links, np.ones(n), 1.0)) - 1
    table = pd.DataFrame({"customer_id": customers["customer_id"].array, "referrer": referrer.array})
    table = table.assign(
        own_value=own,
        n_brought=np.bincount(rows[rows >= 0], minlength=n),
        n_network=network.astype("int64"),
        brought_value=total - own,
        network_value=total,
    )
    return Referrals(table, share, loops.reset_index(drop=True), _notes(rows, unknown, len(circle)))
