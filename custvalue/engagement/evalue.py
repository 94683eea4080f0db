"""The e-value: what a customer does besides ordering, as one weighted and saturating score (C20)."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from custvalue.engagement.rules import EngagementRules
from custvalue.engagement.visitors import kinds_of, numbered

__all__ = ["E_LEVELS", "e_parts", "e_value"]

#: Codes of the levels of the e-value: nothing at all, then the fifths of those who do anything.
E_LEVELS = ("none", "lowest", "low", "middle", "high", "highest")


def _weight(kinds: pd.Series, rules: EngagementRules) -> pd.Series:
    known = {kind.strip().casefold(): float(weight) for kind, weight in rules.weights.items()}
    return kinds.map(known).astype("float64").fillna(float(rules.default_weight))


def _counted(events: pd.DataFrame, who: np.ndarray, as_of: dt.date, rules: EngagementRules) -> pd.DataFrame:
    """One row per customer (``who``) and kind: n_events, and ``fresh``, the events each halved every half-life."""
    age = (pd.Timestamp(as_of) - events["event_date"]).dt.days.to_numpy()
    rows = pd.DataFrame(
        {"who": who, "event": kinds_of(events["event"]).array, "fresh": 0.5 ** (age / rules.half_life_days)}
    )
    return rows.groupby(["who", "event"], observed=True)["fresh"].agg(n_events="size", fresh="sum").reset_index()


def _points(counted: pd.DataFrame, rules: EngagementRules) -> pd.DataFrame:
    """The counts with weight and points: 100 x weight x fresh / (fresh + half_events) / all weights that occur."""
    kinds = counted["event"].drop_duplicates().astype("str")
    weights = _weight(kinds, rules)
    scale = float(weights.sum()) or 1.0
    weight = counted["event"].map(dict(zip(kinds, weights, strict=True))).astype("float64")
    points = 100 * weight * counted["fresh"] / (counted["fresh"] + rules.half_events) / scale
    return counted.assign(weight=weight, points=points)


def _levels(value: pd.Series) -> pd.Categorical:
    """*none* at 0; above it the fifths by rank, equal values together (the share of the others that is lower)."""
    ranks = value.where(value > 0).rank(method="min")
    fifth = np.floor(5 * (ranks - 1) / max((value > 0).sum(), 1)).fillna(-1).astype(int) + 1
    return pd.Categorical.from_codes(fifth, categories=list(E_LEVELS), ordered=True)


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
    seen = events[events["event_date"] <= pd.Timestamp(as_of)]
    who, ids = numbered(seen["customer_id"], customers)
    points = _points(_counted(seen, who, as_of, rules), rules)
    sums = points.groupby("who").agg(e_value=("points", "sum"), n_events=("n_events", "sum")).reindex(range(len(ids)))
    value = sums["e_value"].fillna(0.0)
    some = points[points["points"] > 0]
    main = some.loc[some.groupby("who", sort=False)["points"].idxmax()].set_index("who")["event"]
    last = seen["event_date"].groupby(who).max()
    return pd.DataFrame(
        {
            "customer_id": pd.Series(ids, dtype="str"),
            "e_level": _levels(value),
            "e_value": value,
            "n_events": sums["n_events"].fillna(0).astype("int64"),
            "main_event": main.astype("str").reindex(sums.index),
            "last_event": last.reindex(sums.index).astype("datetime64[s]"),
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
    seen = events[events["event_date"] <= pd.Timestamp(as_of)]
    points = _points(_counted(seen, numbered(seen["customer_id"])[0], as_of, rules), rules)
    table = (
        points.assign(event=points["event"].astype("str"))
        .groupby("event")
        .agg(
            weight=("weight", "first"),
            n_events=("n_events", "sum"),
            n_customers=("points", "size"),
            points=("points", "sum"),
        )
    )
    table = table.reset_index().sort_values(["weight", "event"], ascending=[False, True], ignore_index=True)
    table.insert(2, "named", table["event"].isin([kind.strip().casefold() for kind in rules.weights]))
    total = table["points"].sum()
    return table.drop(columns="points").assign(share_points=table["points"] / total if total else np.nan)
