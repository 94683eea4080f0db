"""Rolling-origin backtests: every model and rule, scored at several days of the customers' own history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from custvalue.errors import DataError, UsageError
from custvalue.lifetime.blend import Fits, Weights, blended, learn_weights
from custvalue.lifetime.fitting import Fitted
from custvalue.lifetime.history import History, as_day, as_number, history
from custvalue.lifetime.holdout import (
    SCORE_COLUMNS,
    choose,
    fit_each,
    holdout_length,
    predicted,
    score_table,
    verdict,
)
from custvalue.lifetime.rules import ALIVE_MODELS, BLEND, MODELS, SHORTEST_HOLDOUT, LifetimeRules
from custvalue.lifetime.scores import MEASURES, by_frequency, lift_table, reliability_table
from custvalue.lifetime.tracking import frequency_recency, tracking

__all__ = ["MOST_CUTOFFS", "SAMPLE", "Backtest", "backtest", "cutoffs"]

#: At most so many cut-offs are tested.
MOST_CUTOFFS = 4
#: The cut-offs before the newest, and the weights of the blend, use so many customers, drawn with a fixed seed.
SAMPLE = 50_000
#: Measures that are summed over cut-offs; the others are averaged.
_SUMMED = ("n_customers", "n_new", "orders_new", "actual", "forecast")


@dataclass(frozen=True)
class Backtest:
    """What :func:`backtest` found.

    ``scores``: the newest cut-off, one row per model and rule (columns of
    :func:`~custvalue.lifetime.holdout.holdout_scores`); ``origins``: the same for every cut-off; ``pooled``: one row
    per model and rule over all cut-offs: n_cutoffs, sums of the counts, bias of the sums, abs_bias (mean of the
    absolute biases), means of the other measures, chosen. ``chosen`` and ``why`` as
    :func:`~custvalue.lifetime.holdout.choose` decides on ``pooled``. ``customers``: one row per customer at the newest
    cut-off: customer_id, n_repeats, and for the days held out actual, forecast (orders) and p_order of the chosen
    model. ``weights``: those of the blend for a forecast from today. All tables are empty, ``why`` is ``""`` and
    ``chosen`` too, where the history is too short to hold anything out.
    """

    scores: pd.DataFrame
    origins: pd.DataFrame
    pooled: pd.DataFrame
    chosen: str
    why: str
    customers: pd.DataFrame
    fitted: Mapping[str, Fitted]
    weights: Weights
    known: History
    as_of: dt.date
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> dict:
        """The verdict on the chosen forecast, see :func:`~custvalue.lifetime.holdout.verdict`."""
        return verdict(self.scores, pooled=self.pooled)

    @property
    def first_day(self) -> dt.date:
        """The day of the first purchase."""
        return as_day(self.known.first_day)

    @property
    def cutoff(self) -> dt.date | None:
        """The newest cut-off."""
        return self.scores["cutoff"].iloc[0].date() if len(self.scores) else None

    @cached_property
    def reliability(self) -> pd.DataFrame:
        """Forecast and observed shares of buyers, see :func:`~custvalue.lifetime.scores.reliability_table`."""
        return reliability_table(self.customers["actual"].to_numpy(), self.customers["p_order"].to_numpy())

    @cached_property
    def lift(self) -> pd.DataFrame:
        """What each tenth of the customers was to order and did, see :func:`~custvalue.lifetime.scores.lift_table`."""
        return lift_table(self.customers["actual"].to_numpy(), self.customers["forecast"].to_numpy())

    @cached_property
    def frequency(self) -> pd.DataFrame:
        """Orders by earlier repeat orders, see :func:`~custvalue.lifetime.scores.by_frequency`."""
        values = (self.customers[name].to_numpy() for name in ("n_repeats", "actual", "forecast"))
        return by_frequency(*values)

    @cached_property
    def tracking(self) -> pd.DataFrame:
        """Repeat orders week by week, see :func:`~custvalue.lifetime.tracking.tracking`."""
        return tracking(self._drawn_model, self.known, self.cutoff, self.as_of)

    @cached_property
    def heat(self) -> pd.DataFrame:
        """Expected orders by orders and silence, see :func:`~custvalue.lifetime.tracking.frequency_recency`."""
        days = (self.as_of - self.cutoff).days
        return frequency_recency(self.fitted[self.chosen], self.known, self.cutoff, days / 7)

    @property
    def _drawn_model(self) -> Fitted:
        """The model for customers without a history: that under the blend."""
        if self.chosen == BLEND:
            return self.fitted[next(code for code in ALIVE_MODELS if code in self.fitted)]
        return self.fitted[self.chosen]


def cutoffs(first: int, end: int, rules: LifetimeRules | None = None) -> list[int]:
    """The days to cut at, the newest first, as whole days like ``first`` (first purchase) and ``end``.

    The holdout of each is as long as that of the newest (:func:`~custvalue.lifetime.holdout.cutoff_day`); each is half
    a holdout before the next; there are up to 4, as long as the history before them is no shorter than the holdout.

    >>> cutoffs(0, 1095), cutoffs(0, 60), cutoffs(0, 40)
    ([730, 548, 365], [32], [])
    """
    days = holdout_length(end - first, rules)
    if days is None:
        return []
    newest = end - days
    older = (newest - round(i * days / 2) for i in range(1, MOST_CUTOFFS))
    return [newest, *(cut for cut in older if cut - first >= max(days, SHORTEST_HOLDOUT))]


def _sampled(known: History) -> tuple[History, bool]:
    n = len(known.ids)
    if n <= SAMPLE:
        return known, False
    drawn = np.zeros(n, dtype=bool)
    drawn[np.random.default_rng(1).choice(n, SAMPLE, replace=False)] = True
    return known.of(drawn), True


def _fit_at(known: History, lessons: History, cut: int, fits: Fits) -> tuple[pd.DataFrame, dict[str, Fitted]]:
    """The customers as of the cut-off and everything fitted to them; nothing after the cut-off is read."""
    customers = known.customers(cut)
    fitted = fit_each(customers)
    base = next((fitted[code] for code in ALIVE_MODELS if code in fitted), None)
    if base is not None and "nbd" in fitted:
        fitted[BLEND] = blended(base, fitted["nbd"], learn_weights(lessons, cut, fits))
        if known is lessons:
            fits[cut] = base, fitted["nbd"]
    return customers, fitted


def _origin(
    known: History, lessons: History, cut: int, end: int, fits: Fits
) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray, dict[str, Fitted]]:
    """Scores of one cut-off, its customers, their orders up to ``end`` and the fitted models."""
    customers, fitted = _fit_at(known, lessons, cut, fits)
    new = np.bincount(known.customer[known.day <= end], minlength=len(known.ids)) > 0
    new[customers["customer"]] = False
    actual = known.orders_between(customers["customer"].to_numpy(), cut, end)
    orders_new = int(known.orders_between(new, cut, end).sum())
    facts = {"cutoff": pd.Timestamp(as_day(cut)), "n_new": int(new.sum()), "orders_new": orders_new}
    return score_table(fitted, customers, actual, end - cut, **facts), customers, actual, fitted


def _pool(origins: pd.DataFrame) -> pd.DataFrame:
    """Over the cut-offs at which any model could be fitted; NaN for a model that could not be at one of them."""
    able = origins.groupby("cutoff")["rmse"].transform(
        lambda column: column[origins["model"].isin(MODELS)].notna().any()
    )
    used = origins[able] if able.any() else origins
    used = used.assign(abs_bias=used["bias"].abs(), n_cutoffs=1)
    grouped = used.groupby("model", observed=True, sort=True)
    sums = grouped[[*_SUMMED, "n_cutoffs"]].agg(lambda column: column.sum(skipna=False))
    means = grouped[[*MEASURES[2:], "abs_bias"]].agg(lambda column: column.mean(skipna=False))
    table = pd.concat([sums, means], axis=1).reset_index()
    table["bias"] = (table["forecast"] / table["actual"].where(table["actual"] > 0) - 1).astype(float)
    return table[["model", "n_cutoffs", *_SUMMED, "bias", "abs_bias", *MEASURES[2:]]]


def _check(cutoff: dt.date, first: int, end: int) -> int:
    cut = as_number(cutoff)
    if cut >= end:
        raise UsageError("cutoff_after_data", got=cutoff, last=as_day(end))
    if cut - first < SHORTEST_HOLDOUT:
        raise DataError("cutoff_too_early", got=cutoff, first=as_day(first), earliest=as_day(first + SHORTEST_HOLDOUT))
    return cut


def _nothing(known: History, end: dt.date) -> Backtest:
    scores = pd.DataFrame(columns=list(SCORE_COLUMNS))
    customers = pd.DataFrame(columns=["customer_id", "n_repeats", "actual", "forecast", "p_order"])
    pooled = pd.DataFrame(columns=["model", "n_cutoffs", *_SUMMED, "bias", "abs_bias", *MEASURES[2:], "chosen"])
    return Backtest(scores, scores, pooled, "", "", customers, {}, Weights(), known, end)


def backtest(
    days: pd.DataFrame,
    as_of: dt.date,
    rules: LifetimeRules | None = None,
    *,
    cutoff: dt.date | None = None,
) -> Backtest:
    """Forecast the past from what was known before it, and compare: every model, the blend and the naive rules.

    ``days`` has one row per customer and purchase day up to ``as_of``: customer_id, order_date
    (:func:`~custvalue.timelines.purchase_days`). By default the cut-offs of :func:`cutoffs` are tested, all with
    holdouts of the same length; with ``cutoff`` this one day, the holdout being the days after it. Customers first seen
    after a cut-off are not forecast; they are counted as n_new, their purchase days as orders_new. With more than
    ``SAMPLE`` customers the cut-offs before the newest are tested on so many (note ``backtest_sampled``).

    Calendar effects: with less than two years before a cut-off a season can not be told from a trend, so no forecast
    here knows of a season (note ``season_unknown``); a holdout of one season shows it as bias.

    Raises ``UsageError`` for a cut-off on or after ``as_of``, ``DataError`` for one less than 28 days after the first
    purchase.

    >>> days = pd.DataFrame({"customer_id": ["a", "b", "a"],
    ...                      "order_date": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-03-01"])})
    >>> found = backtest(days, dt.date(2024, 3, 31), cutoff=dt.date(2024, 2, 1))
    >>> found.chosen, found.why, found.scores["actual"].tolist()[-1]
    ('past_rate', 'no_model', 1.0)
    """
    known, end = history(days), as_number(as_of)
    known = known.until(end)
    if not len(known.day):
        raise DataError("no_customers_to_forecast")
    first = known.first_day
    cuts = [_check(cutoff, first, end)] if cutoff else cutoffs(first, end, rules)
    if not cuts:
        return _nothing(known, as_of)
    lessons, fewer = _sampled(known)
    fits: Fits = {}
    newest, customers, actual, fitted = _origin(known, lessons, cuts[0], end, fits)
    older = [_origin(lessons, lessons, cut, cut + end - cuts[0], fits)[0] for cut in cuts[1:]]
    origins = pd.concat([newest, *older], ignore_index=True)
    pooled = _pool(origins)
    chosen, why = choose(pooled, rules)
    forecast, p = predicted(fitted[chosen], customers, (end - cuts[0]) / 7)
    table = pd.DataFrame(
        {
            "customer_id": known.ids.to_numpy()[customers["customer"]],
            "n_repeats": customers["n_repeats"],
            "actual": actual,
            "forecast": forecast,
            "p_order": p,
        }
    )
    notes = (("backtest_sampled",) if fewer and older else ()) + (("season_unknown",) if cuts[0] - first < 730 else ())
    return Backtest(
        *(part.assign(chosen=part["model"] == chosen) for part in (newest, origins, pooled)),
        chosen, why, table, fitted, learn_weights(lessons, end, fits), known, as_of, notes,
    )  # fmt: skip
