"""The e-value: what a customer does besides ordering, as one weighted and saturating score (C20)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from custvalue.engagement.rules import EngagementRules
from custvalue.engagement.visitors import kinds_of, latest
from custvalue.ids import named, numbered
from custvalue.ranking import equal_steps

__all__ = ["E_LEVELS", "e_parts", "e_value"]

#: Codes of the levels of the e-value: nothing at all, then the fifths of those who do anything.
E_LEVELS = ("none", "lowest", "low", "middle", "high", "highest")


def _weight(kinds: pd.Series, rules: EngagementRules) -> pd.Series:
    known = {kind.strip().casefold(): float(weight) for kind, weight in rules.weights.items()}
    return kinds.map(known).astype("float64").fillna(float(rules.default_weight))


@dataclass(frozen=True)
class _Kind:
    """What one kind of event brings each customer, by number."""

    name: str
    weight: float
    n_events: np.ndarray
    points: np.ndarray


def _by_kind(seen: pd.DataFrame, who: np.ndarray, n: int, as_of: dt.date, rules: EngagementRules) -> Iterator[_Kind]:
    """The kinds that occur, in the order of their names; ``n``: customers in all.

    points = 100 x weight x fresh / (fresh + half_events) / all weights; fresh: the events, halved every half-life.
    """
    kinds = kinds_of(seen["event"])
    codes = kinds.cat.codes.to_numpy()
    age = (pd.Timestamp(as_of) - seen["event_date"]).dt.days.to_numpy()
    fresh = (0.5 ** (np.arange(age.max(initial=0) + 1) / rules.half_life_days))[age]
    names = pd.Series(kinds.cat.categories, dtype="str")
    weights = _weight(names, rules)
    scale = float(weights.sum()) or 1.0
    for code, (name, weight) in enumerate(zip(names, weights, strict=True)):
        rows = codes == code
        left = np.bincount(who[rows], fresh[rows], minlength=n)
        points = 100 * weight * left / (left + rules.half_events) / scale
        yield _Kind(name, weight, np.bincount(who[rows], minlength=n), points)


def _up_to(events: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    known = events["event_date"] <= pd.Timestamp(as_of)
    return events if known.all() else events.loc[known, ["customer_id", "event_date", "event"]]


def _levels(value: pd.Series) -> pd.Categorical:
    """*none* at 0; above it the fifths by rank, equal values together (the share of the others that is lower)."""
    fifth = equal_steps(value.where(value > 0), len(E_LEVELS) - 1)
    return pd.Categorical.from_codes(fifth + 1, categories=list(E_LEVELS), ordered=True)


def e_value(
    events: pd.DataFrame, as_of: dt.date, rules: EngagementRules | None = None, customers: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The e-value of each customer, 0 to 100: how much he does besides ordering (C20).

    One row per row of ``customers`` where given, then per other visitor up to ``as_of``: customer_id; e_value;
    e_level (one of ``E_LEVELS``: *none* at 0, else the fifth among those above 0; equal values share a level); n_events
    (count); main_event (the kind that brings most); last_event (day).

    e = 100 x sum of w n / (n + ``half_events``) over the kinds / sum of w over the kinds that occur. n counts an event
    of today as 1 and halves it every ``half_life_days``; so the score has diminishing returns, and 100 would be endless
    activity of every kind. There is no standard scale: compare customers and months under the same weights only. A kind
    not named has ``default_weight``; :func:`e_parts` lists them.

    >>> events = pd.DataFrame({"customer_id": ["a", "a", "b"], "event": ["view", "post", "view"],
    ...                        "event_date": pd.to_datetime(["2024-03-31", "2024-03-31", "2024-01-01"])})
    >>> e_value(events, dt.date(2024, 3, 31))[["customer_id", "e_value"]].round(1).values.tolist()
    [['a', 25.0], ['b', 2.9]]
    """
    rules = rules or EngagementRules()
    seen = _up_to(events, as_of)
    who, ids = numbered(seen["customer_id"], None if customers is None else customers["customer_id"])
    value, most, n_events = np.zeros(len(ids)), np.zeros(len(ids)), np.zeros(len(ids), dtype="int64")
    main, kinds = np.full(len(ids), -1), []
    for place, kind in enumerate(_by_kind(seen, who, len(ids), as_of, rules)):
        main[kind.points > most] = place
        most = np.maximum(most, kind.points)
        value += kind.points
        n_events += kind.n_events
        kinds.append(kind.name)
    value = pd.Series(value)
    return pd.DataFrame(
        {
            "customer_id": ids,
            "e_level": _levels(value),
            "e_value": value,
            "n_events": n_events,
            "main_event": named(main, pd.Index(kinds, dtype="str")),
            "last_event": latest(who, seen["event_date"], len(ids)),
        }
    )


def e_parts(events: pd.DataFrame, as_of: dt.date, rules: EngagementRules | None = None) -> pd.DataFrame:
    """What the e-values are made of: one row per kind of event, heaviest weight first.

    Columns: event, weight, named (whether the weights name it; else it has ``default_weight``), n_events, n_customers
    (counts), share_points (its share of all points given).

    >>> events = pd.DataFrame({"customer_id": ["a", "b"], "event": ["view", "poke"],
    ...                        "event_date": pd.to_datetime(["2024-03-31", "2024-03-31"])})
    >>> e_parts(events, dt.date(2024, 3, 31))[["event", "weight", "named"]].values.tolist()
    [['poke', 1.0, False], ['view', 1.0, True]]
    """
    rules = rules or EngagementRules()
    seen = _up_to(events, as_of)
    who, ids = numbered(seen["customer_id"])
    rows = [
        (kind.name, kind.weight, kind.n_events.sum(), np.count_nonzero(kind.n_events), kind.points.sum())
        for kind in _by_kind(seen, who, len(ids), as_of, rules)
    ]
    table = pd.DataFrame(rows, columns=["event", "weight", "n_events", "n_customers", "points"])
    table = table.astype(
        {"event": "str", "weight": float, "n_events": "int64", "n_customers": "int64", "points": float}
    )
    table = table.sort_values(["weight", "event"], ascending=[False, True], ignore_index=True)
    table.insert(2, "named", table["event"].isin([kind.strip().casefold() for kind in rules.weights]))
    total = table["points"].sum()
    return table.drop(columns="points").assign(share_points=table["points"] / total if total else np.nan)
