"""The monthly review: every analysis put together per customer, set against the month before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from custvalue import churn, lifetime, matrix, pyramid, segmentation
from custvalue.columns import SCORECARD_COLUMNS
from custvalue.customers import customer_table
from custvalue.labels import labels
from custvalue.pipeline import month_before
from custvalue.predicates import first_match
from custvalue.tables import save

if TYPE_CHECKING:
    import pandas as pd

    from custvalue.config import Settings
    from custvalue.transactions import Orders

__all__ = [
    "ACTIONS",
    "ACTION_RULES",
    "actions_summary",
    "empty_scorecard",
    "first_step",
    "labelled",
    "month_before",
    "movement",
    "moves",
    "previous_scorecard",
    "save_scorecard",
    "scorecard",
    "totals",
]

#: What to do next with a customer: (code, when), first match wins, the last one is for everybody else.
ACTION_RULES: tuple[tuple[str, Callable[[pd.DataFrame], pd.Series]], ...] = (
    ("rescue_personally", lambda t: t["tier"].isin(["platinum", "gold"]) & (t["stage"] == "decline")),
    ("last_offer", lambda t: t["tier"].isin(["platinum", "gold", "iron"]) & (t["stage"] == "drop")),
    ("let_rest", lambda t: t["stage"] == "drop"),
    ("keep_personally", lambda t: t["tier"].isin(["platinum", "gold"])),
    ("win_back", lambda t: t["stage"] == "decline"),
    ("second_order", lambda t: t["stage"] == "identify"),
    ("develop", lambda t: t["value_class"] == "latent_value"),
    ("intensify", lambda t: t["segment"] == "quarterly"),
    ("raise_margin", lambda t: t["quadrant"] == "high_low"),
    ("cross_sell", lambda t: t["segment"] == "one_category"),
    ("up_sell", lambda t: t["segment"] == "lower_line"),
    ("serve_simply", lambda t: t["stage"].notna()),
)
ACTIONS = tuple(labels("action"))

_KINDS = ("tier", "quadrant", "value_class", "segment", "stage")
_FURTHER_COLUMNS = ("value_at_risk", "rhythm_days", "overdue")


def scorecard(
    customers: pd.DataFrame,
    as_of: dt.date,
    settings: Settings,
    attributes: pd.DataFrame | None = None,
    forecast: lifetime.Forecast | None = None,
    cuts: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per customer with every code and forecast of the pack, and the next action.

    Columns
    -------
    ``SCORECARD_COLUMNS``, then value_at_risk, rhythm_days and overdue of the churn stages. Codes are ordered
    categoricals; :func:`labelled` adds the words. ``cuts`` are frozen limits of the matrices and the pyramid.
    """
    forecast = forecast or lifetime.forecast(customers, as_of, settings.lifetime)
    expected = forecast.table[["customer_id", *forecast.table.columns.difference(customers.columns, sort=False)]]
    valued = pyramid.with_profit(customers.merge(expected, on="customer_id"), settings.pyramid, attributes)
    parts = [
        segmentation.behaviour_segments(customers, settings.segmentation),
        matrix.sales_margin_matrix(valued, settings.matrix, cuts).table[["customer_id", "quadrant"]],
        matrix.value_potential_matrix(valued, settings.matrix, attributes, cuts).table[["customer_id", "value_class"]],
        pyramid.pyramid(valued, settings.pyramid, cuts)[["customer_id", "tier"]],
        forecast.table[
            ["customer_id", "p_alive", "p_order_12m", "expected_orders_12m", "clv_12m", "value_if_stays_12m"]
        ],
    ]
    table = customers
    for part in parts:
        table = table.merge(part, on="customer_id", how="left", validate="1:1")
    stage = churn.stages(table, settings.churn)
    table = table.merge(stage.drop(columns="trend"), on="customer_id", how="left", validate="1:1")
    table = table.assign(action=first_match(table, ACTION_RULES, ACTIONS))
    return table[[*SCORECARD_COLUMNS, *_FURTHER_COLUMNS]]


def labelled(table: pd.DataFrame, language: str = "en") -> pd.DataFrame:
    """The scorecard as written to file: after each code column a ``_label`` column in the language.

    Where margins are not known or all alike, the labels of the quadrant speak of sales only.
    """
    kinds = [c for c in (*_KINDS, "action") if c in table.columns]
    sales_only = {"quadrant": "quadrant_sales_only"} if matrix.margin_note(table) else {}
    words = {
        f"{kind}_label": table[kind].map(labels(sales_only.get(kind, kind), language)).astype("str") for kind in kinds
    }
    order = [name for c in table.columns for name in ((c, f"{c}_label") if c in kinds else (c,))]
    return table.assign(**words)[order]


def previous_scorecard(
    orders: Orders,
    settings: Settings,
    attributes: pd.DataFrame | None = None,
    forecast: lifetime.Forecast | None = None,
    cuts: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The scorecard at the end of the month before, from the same orders; no rows if nobody had bought by then.

    With this month's ``forecast`` its choice of model is kept, so that a move is the customer's and not the model's.
    """
    day = month_before(orders.as_of)
    customers = customer_table(orders, day)
    if customers.empty:
        return empty_scorecard()
    scores = forecast.scores if forecast is not None else None
    weights = forecast.weights if forecast is not None else None
    earlier = lifetime.forecast(customers, day, settings.lifetime, scores=scores, weights=weights)
    return scorecard(customers, day, settings, attributes, earlier, cuts)


def empty_scorecard() -> pd.DataFrame:
    """A scorecard of nobody."""
    import pandas as pd

    return pd.DataFrame(columns=[*SCORECARD_COLUMNS, *_FURTHER_COLUMNS])


def save_scorecard(table: pd.DataFrame, folder: str | Path, language: str = "en") -> None:
    """Write the scorecard with its labels as ``scorecard.csv`` and ``.parquet``; an empty ``folder`` writes nothing."""
    if not str(folder):
        return
    written = labelled(table, language)
    save(written, folder, "scorecard")
    texts = {c: "str" for c in written.columns if written[c].dtype == "category"}
    written.astype(texts).to_parquet(Path(folder) / "scorecard.parquet", index=False)


def movement(before: pd.DataFrame, now: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Who moved: counts of customers by their code the month before (rows) and now (columns).

    Customers who had not bought by the month before are not counted here; see ``n_new`` of :func:`moves`.
    """
    import pandas as pd

    both = before[["customer_id", kind]].merge(now[["customer_id", kind]], on="customer_id", suffixes=("_from", "_to"))
    codes = list(labels(kind))
    counts = pd.crosstab(both[f"{kind}_from"], both[f"{kind}_to"])
    counts = counts.reindex(index=codes, columns=codes, fill_value=0).astype(int)
    return counts.rename_axis(index="from_code", columns="to_code")


def moves(before: pd.DataFrame, now: pd.DataFrame, kinds: tuple[str, ...] = _KINDS) -> pd.DataFrame:
    """One row per kind of group: kind, n_same, n_moved, n_new, share_moved (of those known the month before)."""
    import numpy as np
    import pandas as pd

    rows = []
    for kind in kinds:
        counts = movement(before, now, kind)
        same, known = int(np.trace(counts)), int(counts.to_numpy().sum())
        rows.append((kind, same, known - same, len(now) - known, (known - same) / known if known else np.nan))
    return pd.DataFrame(rows, columns=["kind", "n_same", "n_moved", "n_new", "share_moved"])


def totals(months: pd.DataFrame, before: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """The month in numbers: one row per measure with month_before, this_month and change (relative).

    ``months`` is :func:`custvalue.timelines.orders_by_month`, ``before`` and ``now`` the two scorecards.
    """
    import numpy as np
    import pandas as pd

    this, last = (months.iloc[-i] if len(months) >= i else None for i in (1, 2))
    month = this["month"]
    new = [
        int((t["first_order"] >= start).sum()) if len(t) else 0
        for t, start in ((before, month - pd.DateOffset(months=1)), (now, month))
    ]
    rows = [(name, last[name] if last is not None else np.nan, this[name]) for name in ("sales", "n_orders")]
    rows += [
        ("buyers", last["n_customers"] if last is not None else np.nan, this["n_customers"]),
        ("new_customers", *new),
    ]
    rows += [("n_customers", len(before), len(now))]
    for name in ("clv_12m", "value_at_risk"):
        rows.append((name, before[name].sum() if len(before) else np.nan, now[name].sum()))
    table = pd.DataFrame(rows, columns=["total", "month_before", "this_month"]).astype({"month_before": "float64"})
    change = table["this_month"].astype(float) / table["month_before"].where(table["month_before"] != 0) - 1
    return table.assign(this_month=table["this_month"].astype(float), change=change)


def first_step(steps: pd.DataFrame) -> pd.Series:
    """The action to begin with: of those that do something, the one with most value at risk per customer.

    ``steps`` is the result of :func:`actions_summary`; the row has ``each`` = value at risk per customer.
    """
    steps = steps.assign(each=steps["value_at_risk"] / steps["n_customers"])
    active = steps[~steps["action"].isin(["let_rest", "serve_simply", "last_offer"])]
    chosen = active if len(active) else steps
    return chosen.loc[chosen["each"].fillna(0).idxmax()]


def actions_summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row per action taken by anybody, most urgent first: action, n_customers, clv_12m, value_at_risk."""
    grouped = table.groupby("action", observed=True)
    sums = grouped[["clv_12m", "value_at_risk"]].sum()
    sums.insert(0, "n_customers", grouped.size())
    return sums.sort_index().reset_index()
