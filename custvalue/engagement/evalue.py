"""The e-value: what a customer does besides ordering, as one weighted and saturating score (C20)."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from custvalue.engagement.rules import EngagementRules
from custvalue.engagement.visitors import kinds_of, latest, leading
from custvalue.ids import named, numbered

__all__ = ["E_LEVELS", "e_parts", "e_value"]

#: Codes of the levels of the e-value: nothing at all, then the fifths of those who do anything.
E_LEVELS = ("none", "lowest", "low", "middle", "high", "highest")


def _weight(kinds: pd.Series, rules: EngagementRules) -> pd.Series:
    known = {kind.strip().casefold(): float(weight) for kind, weight in rules.weights.items()}
    return kinds.map(known).astype("float64").fillna(float(rules.default_weight))


def _counted(seen: pd.DataFrame, who: np.ndarray, as_of: dt.date, rules: EngagementRules) -> pd.DataFrame:
    """One row per customer (``who``, rising) and kind: n_events, and ``fresh``, the events halved every half-life."""
    from scipy.sparse import csr_array

    kinds = kinds_of(seen["event"])
    codes = kinds.cat.codes.to_numpy()
    known = codes >= 0
    age = (pd.Timestamp(as_of) - seen["event_date"]).dt.days.to_numpy()
    fresh = (0.5 ** (np.arange(age.max(initial=0) + 1) / rules.half_life_days))[age]
    cells, shape = (who[known], codes[known]), (who.max(initial=-1) + 1, len(kinds.cat.categories))
    counts, fresh = (csr_array((values[known], cells), shape=shape) for values in (np.ones(len(age)), fresh))
    return pd.DataFrame(
        {
            "who": np.repeat(np.arange(shape[0]), np.diff(counts.indptr)),
            "event": pd.Categorical.from_codes(counts.indices, dtype=kinds.dtype),
            "fresh": fresh.data,
            "n_events": counts.data.astype("int64"),
        }
    )


def _points(counted: pd.DataFrame, rules: EngagementRules) -> pd.DataFrame:
    """The counts with weight and points: 100 x weight x fresh / (fresh + half_events) / all weights that occur."""
    codes, kinds = counted["event"].cat.codes.to_numpy(), pd.Series(counted["event"].cat.categories, dtype="str")
    weights = _weight(kinds, rules).to_numpy()
    scale = float(weights[np.bincount(codes, minlength=len(weights)) > 0].sum()) or 1.0
    weight = weights[codes]
    points = 100 * weight * counted["fresh"] / (counted["fresh"] + rules.half_events) / scale
    return counted.assign(weight=weight, points=points)


def _up_to(events: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    known = events["event_date"] <= pd.Timestamp(as_of)
    return events if known.all() else events.loc[known, ["customer_id", "event_date", "event"]]


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
    seen = _up_to(events, as_of)
    who, ids = numbered(seen["customer_id"], None if customers is None else customers["customer_id"])
    points = _points(_counted(seen, who, as_of, rules), rules)
    value, n_events = (
        pd.Series(np.bincount(points["who"], points[name], minlength=len(ids))) for name in ("points", "n_events")
    )
    some = points[points["points"] > 0]
    main = some.iloc[leading(some["who"].to_numpy(), some["points"].to_numpy())].set_index("who")["event"]
    return pd.DataFrame(
        {
            "customer_id": ids,
            "e_level": _levels(value),
            "e_value": value,
            "n_events": n_events.astype("int64"),
            "main_event": named(main.reindex(ids.index).cat.codes.to_numpy(), main.cat.categories),
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
    points = _points(_counted(seen, numbered(seen["customer_id"])[0], as_of, rules), rules)
    table = points.groupby("event", observed=True).agg(
        weight=("weight", "first"),
        n_events=("n_events", "sum"),
        n_customers=("points", "size"),
        points=("points", "sum"),
    )
    table = table.reset_index().astype({"event": "str"})
    table = table.sort_values(["weight", "event"], ascending=[False, True], ignore_index=True)
    table.insert(2, "named", table["event"].isin([kind.strip().casefold() for kind in rules.weights]))
    total = table["points"].sum()
    return table.drop(columns="points").assign(share_points=table["points"] / total if total else np.nan)
