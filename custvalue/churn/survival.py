"""How soon customers buy again: survival curves of the gaps between purchases, by any grouping."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from custvalue.churn.stages import require

__all__ = ["bought_again", "order_gaps"]

#: Points of the curve at most; the longest gap drawn leaves this share of the closed gaps beyond it.
_POINTS, _BEYOND = 120, 0.02
#: Two-sided 95 %.
_Z = 1.959964


def order_gaps(days: pd.DataFrame, as_of: dt.date | str) -> pd.DataFrame:
    """The gaps between purchase days, the last one of each customer still open.

    ``days`` has one row per customer and purchase day: ``customer_id``, ``order_date``. One row per purchase day up to
    ``as_of``: ``customer_id``; ``order_date``; ``place``, 1 for the first purchase day; ``gap_days`` to the next
    purchase day, or to ``as_of`` where none has come; ``observed``: whether it has come.

    >>> days = pd.DataFrame({"customer_id": ["a", "a"], "order_date": pd.to_datetime(["2024-01-01", "2024-01-11"])})
    >>> order_gaps(days, "2024-01-31")[["place", "gap_days", "observed"]]
       place  gap_days  observed
    0      1        10      True
    1      2        20     False
    """
    require(days, "customer_id", "order_date")
    end = pd.Timestamp(as_of)
    table = days.loc[days["order_date"] <= end, ["customer_id", "order_date"]].drop_duplicates()
    table = table.sort_values(["customer_id", "order_date"], ignore_index=True)
    customers = table.groupby("customer_id", sort=False)["order_date"]
    following = customers.shift(-1)
    gap = (following.fillna(end) - table["order_date"]).dt.days.astype("int64")
    return table.assign(place=customers.cumcount() + 1, gap_days=gap, observed=following.notna())


def _spread(gaps: pd.DataFrame, at: np.ndarray) -> np.ndarray:
    """Standard error of ln S at each day, gaps of one customer counted as one observation.

    The infinitesimal jackknife of the cumulative hazard: each gap contributes its martingale part, the parts are
    summed by customer (Lin and Wei 1989; the bootstrap over customers gives the same).
    """
    time, seen = gaps["gap_days"].to_numpy(), gaps["observed"].to_numpy()
    who = pd.factorize(gaps["customer_id"])[0]
    distinct, place = np.unique(time, return_inverse=True)
    ended = np.bincount(place, seen, len(distinct))
    at_risk = np.bincount(place, minlength=len(distinct))[::-1].cumsum()[::-1]
    left = np.maximum(at_risk - ended, 1e-9)  # the step of ln S is ln(1 - d / n), not d / n
    compensator = np.concatenate([[0], np.cumsum(ended / at_risk / left)])
    result = []
    for day in at:
        until = np.searchsorted(distinct, np.minimum(time, day), side="right")
        parts = np.where(seen & (time <= day), 1 / left[place], 0.0) - compensator[until]
        result.append(np.sqrt((np.bincount(who, parts) ** 2).sum()))
    return np.array(result)


def _curve(gaps: pd.DataFrame, at: np.ndarray) -> pd.DataFrame:
    """Share that has bought again by each day, with a 95 % interval on the log-log scale, up to the longest gap."""
    from scipy.stats import CensoredData, ecdf

    at = at[at <= gaps["gap_days"].max()]
    observed = gaps["observed"].to_numpy(dtype=bool)
    watched = CensoredData.right_censored(gaps["gap_days"].to_numpy(dtype=float), ~observed)
    still = ecdf(watched).sf.evaluate(at)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = _Z * _spread(gaps, at) / np.abs(np.log(still))
        low, high = 1 - still ** np.exp(-reach), 1 - still ** np.exp(reach)
    inside = (still > 0) & (still < 1)
    return pd.DataFrame(
        {
            "within_days": at,
            "n_gaps": len(gaps),
            "share_again": 1 - still,
            "again_low": np.where(inside, low, np.nan),
            "again_high": np.where(inside, high, np.nan),
        }
    )


def bought_again(
    gaps: pd.DataFrame, table: pd.DataFrame | None = None, by: str = "", days: tuple[int, ...] = ()
) -> pd.DataFrame:
    """After a purchase, the share that has bought again within so many days (Kaplan and Meier 1958).

    ``gaps`` is the result of :func:`order_gaps`; open gaps count as long as they have been watched. With ``table`` (one
    row per customer) and its column ``by``, one curve for each group, in the order of its categories; customers without
    a value are left out. ``days`` are the days asked for; none: a grid for a picture, up to the day by which 98% of the
    closed gaps had ended.

    One row per group and day: ``by`` where given, ``within_days``, ``n_gaps``, ``share_again`` (share), ``again_low``,
    ``again_high``: 95% interval, NaN where the share is 0 or 1. Several gaps of one customer count as one observation
    for it. Days beyond the longest gap watched in a group have no row.

    A frequent buyer brings many gaps: all of them describe purchases, not customers. For customers, pass
    ``gaps[gaps["place"] == 1]``: from the first purchase to the second. A group made from the same purchases
    (pyramid, segments) says how its customers have bought, not what made them so; what was known beforehand
    (region, way in) can be compared.

    >>> gaps = pd.DataFrame({"customer_id": list("abcd"), "gap_days": [10, 20, 30, 30],
    ...                      "observed": [True, True, False, False]})
    >>> bought_again(gaps, days=(15, 25))["share_again"].round(4).tolist()
    [0.25, 0.5]
    """
    require(gaps, "customer_id", "gap_days", "observed")
    at = np.array(sorted(days), dtype="int64") if days else _grid(gaps.loc[gaps["observed"], "gap_days"])
    if not by:
        return (
            _curve(gaps, at)
            if len(gaps)
            else pd.DataFrame(columns=["within_days", "n_gaps", "share_again", "again_low", "again_high"])
        )
    require(table, "customer_id", by)
    joined = gaps.merge(table[["customer_id", by]], on="customer_id", validate="m:1")
    curves = [_curve(part, at).assign(**{by: code}) for code, part in joined.groupby(by, observed=True)]
    columns = [by, "within_days", "n_gaps", "share_again", "again_low", "again_high"]
    result = pd.concat(curves, ignore_index=True)[columns] if curves else pd.DataFrame(columns=columns)
    if isinstance(table[by].dtype, pd.CategoricalDtype):
        result[by] = pd.Categorical(result[by], categories=table[by].cat.categories, ordered=table[by].cat.ordered)
    return result


def _grid(gap_days: pd.Series) -> np.ndarray:
    longest = int(np.ceil(gap_days.quantile(1 - _BEYOND))) if len(gap_days) else 0
    return np.unique(np.linspace(0, max(longest, 1), _POINTS).round()).astype("int64")
