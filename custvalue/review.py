"""The monthly review: every analysis put together per customer, set against the month before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from custvalue import churn, lifetime, matrix, pyramid, segmentation
from custvalue.columns import SCORECARD_COLUMNS
from custvalue.ids import joined
from custvalue.labels import labels
from custvalue.pipeline import month_before
from custvalue.predicates import first_match
from custvalue.tables import save
from custvalue.yardsticks import Month, Yardsticks, frozen_scores, limits, score_limits, tier_limits

if TYPE_CHECKING:
    import pandas as pd

    from custvalue.config import Settings

__all__ = [
    "ACTIONS",
    "ACTION_RULES",
    "KINDS",
    "actions_summary",
    "empty_scorecard",
    "first_step",
    "labelled",
    "month",
    "month_before",
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

#: The kinds of group of a scorecard between which customers move.
KINDS = ("tier", "quadrant", "value_class", "segment", "rfm_group", "stage")
_FURTHER_COLUMNS = (
    "sales_12m",
    "margin_12m",
    "current_value",
    "potential",
    "value_at_risk",
    "rhythm_days",
    "overdue",
)
_FORECAST = ("p_alive", "p_order_12m", "expected_orders_12m", "clv_12m", "value_if_stays_12m")


def _segments(customers: pd.DataFrame, settings: Settings, yardsticks: Yardsticks | None) -> pd.DataFrame:
    """Segments and RFM groups, by this month's limits or by frozen ones."""
    rules = settings.segmentation
    if yardsticks is None:
        segments = segmentation.behaviour_segments(customers, rules)
        return joined(segments, segmentation.rfm_groups(segmentation.rfm_scores(customers, rules), rules))
    line = limits(yardsticks.cuts, "segment")["lower_line"]
    frozen = {"lower_line": lambda t, _: t["mean_order_value"] < line}
    predicates = [(code, frozen.get(code, when)) for code, when in segmentation.SEGMENT_PREDICATES]
    segment = first_match(customers, predicates, segmentation.SEGMENTS, rules)
    groups = segmentation.rfm_groups(frozen_scores(customers, yardsticks.cuts), rules)
    return groups.assign(segment=segment)


def _kept_cuts(parts: tuple[pd.DataFrame, ...], customers: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """The limits of a month in one table."""
    import pandas as pd

    line = customers["mean_order_value"].quantile(settings.segmentation.lower_line_quantile)
    gaps = churn.typical_gaps(customers, settings.churn)
    further = [("segment", "lower_line", float(line))]
    further += [("stage", f"typical_gap:{group}", gap) for group, gap in gaps.items()]
    limits_of_groups = pd.DataFrame(further, columns=["kind", "cut_of", "cut"])
    return pd.concat([*parts, limits_of_groups, score_limits(customers, settings)], ignore_index=True)


def _frozen_gaps(yardsticks: Yardsticks | None) -> dict[str, float] | None:
    if yardsticks is None:
        return None
    return {name.removeprefix("typical_gap:"): gap for name, gap in limits(yardsticks.cuts, "stage").items()}


def month(
    customers: pd.DataFrame,
    as_of: dt.date,
    settings: Settings,
    attributes: pd.DataFrame | None = None,
    forecast: lifetime.Forecast | None = None,
    cuts: pd.DataFrame | None = None,
    yardsticks: Yardsticks | None = None,
) -> Month:
    """The month of a customer table: its :func:`scorecard`, and the yardsticks it was measured with.

    ``cuts`` are frozen limits of the matrices and the pyramid. With ``yardsticks`` of another month everything is
    measured as it was then, and ``forecast`` and ``cuts`` are not asked.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> settings = cv.load_settings()
    >>> customers = cv.customer_table(orders)
    >>> month(customers, orders.as_of, settings).scorecard["customer_id"].tolist()
    ['a', 'b']
    """
    if yardsticks is not None:
        cuts, learned = yardsticks.cuts, yardsticks.learned
        forecast = lifetime.forecast(customers, as_of, settings.lifetime, learned=learned)
    forecast = forecast or lifetime.forecast(customers, as_of, settings.lifetime)
    valued = pyramid.with_profit(joined(customers, forecast.table), settings.pyramid, attributes)
    scales = yardsticks.scales if yardsticks else matrix.index_scales(valued, settings.matrix, attributes)
    quadrants = matrix.sales_margin_matrix(valued, settings.matrix, cuts)
    classes = matrix.value_potential_matrix(valued, settings.matrix, attributes, cuts, scales if yardsticks else None)
    tiers = pyramid.pyramid(valued, settings.pyramid, cuts)
    parts = [
        _segments(customers, settings, yardsticks),
        quadrants.table[["customer_id", "quadrant"]],
        classes.table[["customer_id", "current_value", "potential", "value_class"]],
        tiers[["customer_id", "tier"]],
        forecast.table[["customer_id", *_FORECAST]],
    ]
    table = _joined(customers, parts, settings, _frozen_gaps(yardsticks))
    if yardsticks is None:
        limits_now = (tier_limits(tiers, cuts), matrix.cut_points(quadrants), matrix.cut_points(classes))
        learned = forecast.learned(customers)
        yardsticks = Yardsticks(_kept_cuts(limits_now, customers, settings), scales, learned)
    return Month(as_of, table, yardsticks)


def _joined(
    customers: pd.DataFrame, parts: list[pd.DataFrame], settings: Settings, gaps: dict[str, float] | None
) -> pd.DataFrame:
    """The parts side by side, with the stage that follows from them and the next action."""
    table = joined(customers, *parts)
    table = joined(table, churn.stages(table, settings.churn, gaps))
    table = table.assign(action=first_match(table, ACTION_RULES, ACTIONS))
    return table[[*SCORECARD_COLUMNS, *_FURTHER_COLUMNS]]


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
    ``SCORECARD_COLUMNS``, then sales_12m, margin_12m, current_value and potential (the indices of the value matrix),
    value_at_risk, rhythm_days and overdue of the churn stages. Codes are ordered categoricals; :func:`labelled` adds
    the words. ``cuts`` are frozen limits of the matrices and the pyramid.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> table = scorecard(cv.customer_table(orders), orders.as_of, cv.load_settings())
    >>> table[["customer_id", "segment", "stage", "action"]]
      customer_id     segment      stage        action
    0           a     monthly  cultivate  serve_simply
    1           b  first_time   identify  second_order
    """
    return month(customers, as_of, settings, attributes, forecast, cuts).scorecard


def labelled(table: pd.DataFrame, language: str = "en") -> pd.DataFrame:
    """The scorecard as written to file: after each code column a ``_label`` column in the language.

    Where margins are not known or all alike, the labels of the quadrant speak of sales only.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"customer_id": ["a"], "sales": [20.0], "margin": [9.0], "tier": ["gold"]})
    >>> labelled(table, "zh").iloc[0].to_dict()
    {'customer_id': 'a', 'sales': 20.0, 'margin': 9.0, 'tier': 'gold', 'tier_label': 'B 黄金客户'}
    """
    kinds = [c for c in (*KINDS, "action") if c in table.columns]
    sales_only = {"quadrant": "quadrant_sales_only"} if matrix.margin_note(table) else {}
    words = {
        f"{kind}_label": table[kind].map(labels(sales_only.get(kind, kind), language)).astype("str") for kind in kinds
    }
    order = [name for c in table.columns for name in ((c, f"{c}_label") if c in kinds else (c,))]
    return table.assign(**words)[order]


def empty_scorecard() -> pd.DataFrame:
    """A scorecard of nobody."""
    import pandas as pd

    return pd.DataFrame(columns=[*SCORECARD_COLUMNS, *_FURTHER_COLUMNS])


def save_scorecard(table: pd.DataFrame, folder: str | Path, language: str = "en") -> None:
    """Write the scorecard with its labels as ``scorecard.csv`` and ``.parquet``; an empty ``folder`` writes nothing.

    >>> import pandas as pd
    >>> save_scorecard(pd.DataFrame({"customer_id": ["a"]}), "")  # writes nothing
    """
    if not str(folder):
        return
    written = labelled(table, language)
    save(written, folder, "scorecard")
    texts = {c: "str" for c in written.columns if written[c].dtype == "category"}
    written.astype(texts).to_parquet(Path(folder) / "scorecard.parquet", index=False)


def _known_totals(month: Month, start: pd.Timestamp) -> dict[str, float]:
    """What a scorecard says of its month, which began at ``start``; nothing is known of nobody."""
    import numpy as np

    table = month.scorecard
    if table.empty:
        return {"new_customers": 0, "n_customers": 0, "clv_12m": np.nan, "value_at_risk": np.nan}
    sums = {name: table[name].sum(min_count=1) for name in ("clv_12m", "value_at_risk")}
    return {"new_customers": int((table["first_order"] >= start).sum()), "n_customers": len(table), **sums}


def _year_before(months: pd.DataFrame, start: pd.Timestamp) -> pd.Series | None:
    """The same month a year before; none where it is the first of the data, which may have begun within it."""
    import pandas as pd

    found = months[months["month"] == start - pd.DateOffset(years=1)]
    return found.iloc[0] if len(found) and found.index[0] > months.index[0] else None


def _relative(now: pd.Series, then: pd.Series) -> pd.Series:
    return now / then.where(then != 0) - 1


def totals(months: pd.DataFrame, before: Month, now: Month) -> pd.DataFrame:
    """The month in numbers: one row per measure (``total``) with month_before, this_month and change (relative), then
    year_before and change_year, which tell a season from a change.

    ``months`` is :func:`custvalue.timelines.orders_by_month`, ``before`` and ``now`` the two months. Where ``before``
    is not the month just before, what only its scorecard tells is missing; so is a year ago where the data do not hold
    the whole of that month, and what only a scorecard of then would tell.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> settings = cv.load_settings()
    >>> customers = cv.customer_table(orders)
    >>> before, now = cv.earlier_month(orders, settings), cv.month(customers, orders.as_of, settings)
    >>> totals(cv.orders_by_month(orders), before, now).columns.tolist()
    ['total', 'month_before', 'this_month', 'change', 'year_before', 'change_year']
    """
    import pandas as pd

    this, last = (months.iloc[-i] if len(months) >= i else None for i in (1, 2))
    start = this["month"]
    told = {"sales": "sales", "n_orders": "n_orders", "buyers": "n_customers"}
    today = {name: this[column] for name, column in told.items()} | _known_totals(now, start)
    earlier = {name: last[column] for name, column in told.items()} if last is not None else {}
    if before.as_of == month_before(now.as_of):
        earlier |= _known_totals(before, start - pd.DateOffset(months=1))
    table = pd.DataFrame({"total": list(today), "this_month": list(today.values())}).astype({"this_month": "float64"})
    table.insert(1, "month_before", table["total"].map(earlier).astype("float64"))
    then = _year_before(months, start)
    ago = {name: then[column] for name, column in told.items()} if then is not None else {}
    table["change"] = _relative(table["this_month"], table["month_before"])
    table["year_before"] = table["total"].map(ago).astype("float64")
    return table.assign(change_year=_relative(table["this_month"], table["year_before"]))


def first_step(steps: pd.DataFrame) -> pd.Series:
    """The action to begin with: of those that do something, the one with most value at risk per customer.

    ``steps`` is the result of :func:`actions_summary`; the row has ``each`` = value at risk per customer.

    >>> import pandas as pd
    >>> steps = {"action": ["rescue_personally", "second_order"], "n_customers": [2, 6], "value_at_risk": [60.0, 90.0]}
    >>> first_step(pd.DataFrame(steps))["action"]
    'rescue_personally'
    """
    steps = steps.assign(each=steps["value_at_risk"] / steps["n_customers"])
    active = steps[~steps["action"].isin(["let_rest", "serve_simply", "last_offer"])]
    chosen = active if len(active) else steps
    return chosen.loc[chosen["each"].fillna(0).idxmax()]


def actions_summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row per action taken by anybody, most urgent first: action, n_customers, clv_12m, value_at_risk.

    >>> import pandas as pd
    >>> actions = ["second_order", "rescue_personally", "second_order"]
    >>> table = pd.DataFrame({"action": actions, "clv_12m": [9.0, 50.0, 8.0], "value_at_risk": [1.0, 30.0, 1.0]})
    >>> actions_summary(table.astype({"action": pd.CategoricalDtype(ACTIONS, ordered=True)}))
                  action  n_customers  clv_12m  value_at_risk
    0  rescue_personally            1     50.0           30.0
    1       second_order            2     17.0            2.0
    """
    grouped = table.groupby("action", observed=True)
    sums = grouped[["clv_12m", "value_at_risk"]].sum()
    sums.insert(0, "n_customers", grouped.size())
    return sums.sort_index().reset_index()
