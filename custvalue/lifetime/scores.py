"""How near a forecast came to what customers did: measures of all customers, and tables by what was forecast."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

__all__ = ["MEASURES", "by_frequency", "lift_table", "measures", "reliability_table"]

#: What :func:`measures` gives, in order.
MEASURES = ("forecast", "bias", "mae", "rmse", "brier", "base_rate", "auc", "spearman", "top_decile_share")

#: Customers with this many repeats or more stand in one row of :func:`by_frequency`.
_MANY_REPEATS = 7


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values share their mean rank."""
    from scipy.stats import rankdata

    return rankdata(values)


def _auc(happened: np.ndarray, ranks: np.ndarray) -> float:
    """The chance that a customer who bought again has a higher forecast than one who did not; ties count half."""
    n = float(happened.sum())
    others = len(happened) - n
    return float((ranks[happened].sum() - n * (n + 1) / 2) / (n * others)) if n and others else math.nan


def _spearman(actual: np.ndarray, ranks: np.ndarray) -> float:
    if np.ptp(actual) == 0 or np.ptp(ranks) == 0:
        return math.nan
    return float(np.corrcoef(_ranks(actual), ranks)[0, 1])


def _spread(actual: np.ndarray, forecast: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Actual orders from the highest forecast down, shared evenly among equal forecasts; and the order itself."""
    order = np.argsort(-forecast, kind="stable")
    ranked = forecast[order]
    first = np.flatnonzero(np.diff(ranked, prepend=np.inf))
    sizes = np.diff(first, append=len(ranked))
    return np.repeat(np.add.reduceat(actual[order], first) / sizes, sizes), order


def _top_share(actual: np.ndarray, forecast: np.ndarray, share: float = 0.1) -> float:
    """Share of the actual total of the ``share`` of customers with the highest forecast; ties share evenly."""
    if not actual.sum() > 0:
        return math.nan
    held, place = np.concatenate([[0.0], _spread(actual, forecast)[0].cumsum()]), share * len(actual)
    return float(np.interp(place, np.arange(len(held)), held) / actual.sum())


def measures(actual: np.ndarray, forecast: np.ndarray, p: np.ndarray) -> dict[str, float]:
    """The measures of one forecast; a number that can not be computed is NaN.

    ``actual`` and ``forecast`` are orders of each customer, ``p`` the forecast probability of at least one. forecast:
    their sum; bias: its sum over that of actual, less 1; mae, rmse: of orders a customer; brier: mean squared error of
    ``p``; base_rate: share of customers with an order; auc: chance that a customer with an order has the higher
    forecast; spearman: rank correlation of forecast and actual; top_decile_share: share of the orders made by the 10%
    with the highest forecast.

    >>> found = measures(np.array([0.0, 2.0]), np.array([0.5, 1.0]), np.array([0.4, 0.7]))
    >>> found["bias"], found["mae"], found["auc"], round(found["brier"], 3)
    (-0.25, 0.75, 1.0, 0.125)
    """
    error, total, again = forecast - actual, float(actual.sum()), actual > 0
    ranks = _ranks(forecast)
    found = (
        float(forecast.sum()),
        float(forecast.sum()) / total - 1 if total > 0 else math.nan,
        float(np.abs(error).mean()),
        float(np.sqrt((error**2).mean())),
        float(((p - again) ** 2).mean()),
        float(again.mean()),
        _auc(again, ranks),
        _spearman(actual, ranks),
        _top_share(actual, forecast),
    )
    return dict(zip(MEASURES, found, strict=True))


def reliability_table(actual: np.ndarray, p: np.ndarray, bins: int = 10) -> pd.DataFrame:
    """One row per range of the forecast probability of buying again that holds customers: did it come true?

    Columns: p_low, p_high (the range; its upper end belongs to it only in the last row), n_customers, mean_p (mean
    forecast probability), share_bought (share with an order) and its 95% range share_low, share_high (Wilson 1927).

    >>> table = reliability_table(np.array([0, 0, 1, 3]), np.array([0.11, 0.19, 0.85, 0.95]), bins=5)
    >>> table[["p_low", "n_customers", "mean_p", "share_bought"]].round(2).to_numpy().tolist()
    [[0.0, 2.0, 0.15, 0.0], [0.8, 2.0, 0.9, 1.0]]
    """
    place = np.minimum((np.asarray(p) * bins).astype(int), bins - 1)
    table = pd.DataFrame({"place": place, "mean_p": p, "share_bought": np.asarray(actual) > 0})
    found = table.groupby("place").agg(
        n_customers=("mean_p", "size"), mean_p=("mean_p", "mean"), share_bought=("share_bought", "mean")
    )
    found = found.reset_index()
    n, share, z = found["n_customers"], found["share_bought"], 1.959964
    middle, half = share + z**2 / (2 * n), z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)
    found = found.assign(p_low=found["place"] / bins, p_high=(found["place"] + 1) / bins)
    found = found.assign(share_low=low.clip(lower=0), share_high=high.clip(upper=1))
    return found[["p_low", "p_high", "n_customers", "mean_p", "share_bought", "share_low", "share_high"]]


def lift_table(actual: np.ndarray, forecast: np.ndarray, parts: int = 10) -> pd.DataFrame:
    """One row per tenth of the customers, from the highest forecast down: what they were to do and what they did.

    Columns: decile (1 the highest), n_customers, forecast and actual orders, share_orders of all actual orders,
    cumulative_share, lift (share_orders over the share of customers). Customers of equal forecast share their orders
    evenly. Fewer customers than tenths give a row each.

    >>> table = lift_table(np.array([4, 1, 0, 0]), np.array([2.0, 1.0, 0.5, 0.1]), parts=2)
    >>> table[["decile", "actual", "share_orders", "lift"]].to_numpy().tolist()
    [[1.0, 5.0, 1.0, 2.0], [2.0, 0.0, 0.0, 0.0]]
    """
    actual, forecast = np.asarray(actual, dtype=float), np.asarray(forecast, dtype=float)
    even, order = _spread(actual, forecast)
    parts = min(parts, len(actual))
    decile = np.arange(len(actual)) * parts // len(actual) + 1
    rows = pd.DataFrame({"decile": decile, "forecast": forecast[order], "actual": even})
    table = rows.groupby("decile").agg(
        n_customers=("actual", "size"), forecast=("forecast", "sum"), actual=("actual", "sum")
    )
    share = table["actual"] / actual.sum() if actual.sum() > 0 else table["actual"] * math.nan
    lift = share / (table["n_customers"] / len(actual))
    return table.assign(share_orders=share, cumulative_share=share.cumsum(), lift=lift).reset_index()


def by_frequency(x: np.ndarray, actual: np.ndarray, forecast: np.ndarray) -> pd.DataFrame:
    """One row per number of repeat orders before the cut-off: mean orders after it, forecast and actual.

    Columns: n_repeats (7 stands for 7 and more), n_customers, forecast_mean, actual_mean. Fader, Hardie & Lee (2005,
    figure 5) draw it so.

    >>> by_frequency(np.array([0, 0, 9]), np.array([0, 1, 4]), np.array([0.2, 0.4, 5.0])).to_numpy().round(2).tolist()
    [[0.0, 2.0, 0.3, 0.5], [7.0, 1.0, 5.0, 4.0]]
    """
    rows = pd.DataFrame({"n_repeats": np.minimum(x, _MANY_REPEATS).astype("int64"), "f": forecast, "a": actual})
    found = rows.groupby("n_repeats").agg(
        n_customers=("a", "size"), forecast_mean=("f", "mean"), actual_mean=("a", "mean")
    )
    return found.reset_index()
