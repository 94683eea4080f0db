"""Uplift of a campaign: responses, cost and return of those written to against those left out at random."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from custvalue.economics import payback_months
from custvalue.errors import DataError, UsageError, nearest
from custvalue.predicates import check_rule
from custvalue.trials import POWER, rise_told

__all__ = [
    "AGAINST_MAIL",
    "WORKED",
    "CampaignRules",
    "campaign_results",
    "check_columns",
    "next_time",
    "uplift_interval",
]

#: What can be told of a campaign: it brought responses, cost some, is open, too few or none were left out, or no data.
WORKED = ("works", "harms", "open", "too_few", "no_hold_out", "unknown")
#: The response rate against that of plain direct mail.
AGAINST_MAIL = ("above", "like", "below", "unknown")

_NEEDED = ("customer_id", "campaign", "hold_out", "responded", "revenue")
#: More than so many times the customers of today to prove an effect: there is as good as none.
_FAR = 100


@dataclass(frozen=True)
class CampaignRules:
    """How campaigns are judged.

    ``response_days``: orders from the day of sending to so many days after it count as a response where the file does
    not say who responded. ``level``: that of the intervals. ``plain_mail``: response rate of plain direct mail, about
    2% (C18). ``least_held_out``: with fewer customers held out no verdict is given; ``least_responses``: with fewer in
    either group no interval of the revenue is given, because one more order would turn it. ``rise``: the rise of the
    response rate worth knowing of (0.02: two percentage points), for which the size of a trial is stated.

    >>> CampaignRules().plain_mail
    0.02
    """

    response_days: int = 30
    level: float = 0.95
    plain_mail: float = 0.02
    least_held_out: int = 20
    least_responses: int = 5
    rise: float = 0.02

    def __post_init__(self) -> None:
        check_rule("campaigns.response_days", self.response_days, 1 <= self.response_days <= 365, "1 .. 365")
        check_rule("campaigns.level", self.level, 0.5 <= self.level < 1, "0.5 <= level < 1")
        check_rule("campaigns.plain_mail", self.plain_mail, 0 < self.plain_mail < 1, "0 < rate < 1")
        check_rule("campaigns.least_held_out", self.least_held_out, self.least_held_out >= 1, ">= 1")
        check_rule("campaigns.least_responses", self.least_responses, self.least_responses >= 2, ">= 2")
        check_rule("campaigns.rise", self.rise, 0 < self.rise < 0.5, "0 < rise < 0.5")


def check_columns(table: pd.DataFrame, names: Iterable[str]) -> None:
    """``DataError`` where a table lacks columns."""
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise DataError("missing_columns_of_table", missing=", ".join(missing), got=", ".join(map(str, table.columns)))


def _wilson(k: int, n: int, level: float) -> tuple[float, float]:
    """Wilson's score interval of a share k / n."""
    from scipy.stats import binomtest

    found = binomtest(int(k), int(n)).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)


def uplift_interval(
    responses: int, n_sent: int, responses_out: int, n_out: int, level: float = 0.95
) -> tuple[float, float, float]:
    """Uplift (difference of two response rates) and its interval by Newcombe's hybrid of two score intervals.

    Source: Newcombe (1998), Statistics in Medicine 17, method 10; it stays sensible with few or no responses.

    >>> [round(x, 4) for x in uplift_interval(56, 70, 48, 80)]
    [0.2, 0.0524, 0.3339]
    """
    p1, p0 = responses / n_sent, responses_out / n_out
    (low1, high1), (low0, high0) = _wilson(responses, n_sent, level), _wilson(responses_out, n_out, level)
    return p1 - p0, p1 - p0 - math.hypot(p1 - low1, high0 - p0), p1 - p0 + math.hypot(high1 - p1, p0 - low0)


def _welch(sent: np.ndarray, out: np.ndarray, level: float) -> tuple[float, float, float]:
    """Difference of the means and its interval by Welch's t, for groups of unlike variance."""
    from scipy.stats import ttest_ind

    interval = ttest_ind(sent, out, equal_var=False).confidence_interval(level)
    return float(sent.mean() - out.mean()), float(interval.low), float(interval.high)


def _stratum(rows: pd.DataFrame, rules: CampaignRules) -> dict[str, float]:
    """Uplift of responses and revenue within one campaign, each with its interval; missing where not to be told."""
    sent, out = rows[~rows["hold_out"]], rows[rows["hold_out"]]
    found = dict.fromkeys(("uplift", "low", "high", "money", "money_low", "money_high"), math.nan)
    found["weight"] = len(sent)
    if sent.empty or out.empty:
        return found
    k1, k0 = int(sent["responded"].sum()), int(out["responded"].sum())
    interval = uplift_interval(k1, len(sent), k0, len(out), rules.level)
    found |= dict(zip(("uplift", "low", "high"), interval, strict=True))
    spent = [part["revenue"].to_numpy(float) for part in (sent, out)]
    if not np.isnan(np.concatenate(spent)).any():
        found["money"] = spent[0].mean() - spent[1].mean()
        if min(k1, k0) >= rules.least_responses and all(np.ptp(part) > 0 for part in spent):
            found |= dict(zip(("money", "money_low", "money_high"), _welch(*spent, rules.level), strict=True))
    return found


def _pooled(strata: pd.DataFrame, name: str, low: str, high: str) -> tuple[float, float, float]:
    """A mean over campaigns by customers written to, with its interval (MOVER: distances to the limits add in squares).

    Source: Donner and Zou (2012), Statistical Methods in Medical Research 21.
    """
    known = strata[strata[name].notna()]
    if known.empty:
        return math.nan, math.nan, math.nan
    share = known["weight"] / known["weight"].sum()
    mean = float((share * known[name]).sum())
    below = math.sqrt(((share * (known[name] - known[low])) ** 2).sum(skipna=False))
    above = math.sqrt(((share * (known[high] - known[name])) ** 2).sum(skipna=False))
    return mean, mean - below, mean + above


def _n_needed(n: int, uplift: float, low: float, level: float) -> float:
    """Customers on the list that would tell an uplift of this size from nothing, in 4 of 5 cases.

    The distance from the uplift to its lower limit shrinks with the root of the number of customers.
    """
    from scipy.stats import norm

    if not uplift > 0:
        return math.nan
    z = norm.ppf(0.5 + level / 2)
    needed = math.ceil(n * ((uplift - low) / uplift * (z + norm.ppf(POWER)) / z) ** 2)
    return needed if needed <= _FAR * n else math.nan


def _least_told(result: dict[str, Any], n: int, rules: CampaignRules) -> float:
    """The smallest uplift that so many customers would tell; missing with so few held out that no verdict is given."""
    if result["n_held_out"] < rules.least_held_out or n == 0:
        return math.nan
    rate = max(result["n_responses"] + result["n_responses_out"], 0.5) / n
    return rise_told(rate, result["n_sent"], result["n_held_out"], rules.level)


def _verdict(n_out: int, low: float, high: float, rules: CampaignRules) -> str:
    if n_out == 0:
        return "no_hold_out"
    if math.isnan(low):
        return "unknown"
    if n_out < rules.least_held_out:
        return "too_few"
    return "works" if low > 0 else "harms" if high < 0 else "open"


def _against_mail(low: float, high: float, plain: float) -> str:
    if math.isnan(low):
        return "unknown"
    return "above" if low > plain else "below" if high < plain else "like"


def _money(result: dict[str, Any], sent: pd.DataFrame, margin_rate: float, days: int) -> dict[str, float]:
    """What it cost, and what the extra responses brought at the mean margin of a response."""
    cost = sent["cost"].sum(min_count=1) if "cost" in sent else math.nan
    n, works = len(sent), result["worked"] == "works"
    per_contact = cost / n if n else math.nan
    each = sent.loc[sent["responded"].fillna(False).astype(bool), "revenue"].mean() * margin_rate
    brought = {name: result[name] * n * each for name in ("uplift", "uplift_low", "uplift_high")}
    months = payback_months(per_contact, [brought["uplift"] / n]) if works and cost >= 0 and each > 0 else math.nan
    return {
        "cost": cost,
        "cost_per_contact": per_contact,
        "cost_per_response": cost / result["n_responses"] if result["n_responses"] else math.nan,
        "cost_per_win": cost / (result["uplift"] * n) if works else math.nan,
        "break_even": per_contact / each if each > 0 else math.nan,
        "gain": brought["uplift"] - cost,
        "gain_low": brought["uplift_low"] - cost,
        "gain_high": brought["uplift_high"] - cost,
        "return_rate": (brought["uplift"] - cost) / cost if works and cost > 0 else math.nan,
        "payback_days": months * days,
    }


def _result(rows: pd.DataFrame, rules: CampaignRules, margin_rate: float) -> dict[str, Any]:
    """All figures of one group of campaign rows."""
    known = rows[rows["responded"].notna()]
    sent, out = known[~known["hold_out"]], known[known["hold_out"]]
    n, k = len(sent), int(sent["responded"].sum())
    rate_low, rate_high = _wilson(k, n, rules.level) if n else (math.nan, math.nan)
    strata = pd.DataFrame([_stratum(part, rules) for _, part in known.groupby("campaign")])
    strata = strata.reindex(columns=["weight", "uplift", "low", "high", "money", "money_low", "money_high"])
    uplift, low, high = _pooled(strata, "uplift", "low", "high")
    money, money_low, money_high = _pooled(strata, "money", "money_low", "money_high")
    result = {
        "n_sent": int((~rows["hold_out"]).sum()),
        "n_held_out": int(rows["hold_out"].sum()),
        "n_responses": k,
        "n_responses_out": int(out["responded"].sum()),
        "response_rate": k / n if n else math.nan,
        "response_low": rate_low,
        "response_high": rate_high,
        "against_mail": _against_mail(rate_low, rate_high, rules.plain_mail),
        "response_rate_out": out["responded"].astype(float).mean() if len(out) else math.nan,
        "uplift": uplift,
        "uplift_low": low,
        "uplift_high": high,
        "worked": _verdict(int(rows["hold_out"].sum()), low, high, rules),
        "revenue_uplift": money,
        "revenue_low": money_low,
        "revenue_high": money_high,
    }
    seeking = result["worked"] in ("open", "too_few")
    result["uplift_told"] = _least_told(result, len(known), rules)
    result["n_needed"] = _n_needed(len(known), uplift, low, rules.level) if seeking else math.nan
    return result | _money(result, sent, margin_rate, rules.response_days)


def _margin_rate(rows: pd.DataFrame, stated: float | None) -> float:
    """Margin of the customers of these rows as a share of their sales, where known; else the stated rate."""
    if {"sales", "margin"} <= set(rows):
        people = rows.drop_duplicates("customer_id")
        sales = people["sales"].sum()
        if people["margin"].notna().any() and sales > 0:
            return float(people["margin"].sum() / sales)
    return math.nan if stated is None else float(stated)


def campaign_results(
    sent: pd.DataFrame,
    by: str = "campaign",
    rules: CampaignRules | None = None,
    *,
    customers: pd.DataFrame | None = None,
    margin_rate: float | None = None,
) -> pd.DataFrame:
    """Did it work (C26)? One row per campaign, list, channel or segment, against those held out at random.

    ``sent`` is the result of :func:`custvalue.campaigns.with_responses`; ``by`` one of its columns or of ``customers``
    (a scorecard: the segment is then that of today; see :func:`custvalue.campaigns.with_segments`). The margin rate is
    that of these customers where known, else ``margin_rate``.

    Columns: ``by``; n_sent, n_held_out, n_responses, n_responses_out; response_rate of those written to with its Wilson
    interval (response_low, response_high), against_mail (above, like or below the 2% of plain direct mail, C18);
    response_rate_out of those held out; uplift (difference of the rates), uplift_low, uplift_high (Newcombe); worked
    (one of ``WORKED``); revenue_uplift (money more per customer written to), revenue_low, revenue_high (Welch; missing
    with fewer than ``rules.least_responses`` responses in a group); uplift_told (the smallest uplift that so many
    would tell in 4 of 5 cases, at the response rate of all of them); n_needed (customers on the list that would tell an
    uplift of this size, where the interval includes 0; missing above 100 times today's: there is as good as no effect);
    cost (money), cost_per_contact, cost_per_response (by all who responded, C1), cost_per_win (by those who would not
    have without; only where it works), break_even (uplift that pays the cost), gain (extra responses at the mean margin
    of a response, less cost), gain_low, gain_high (at the limits of the uplift), return_rate (gain / cost) and
    payback_days (at an even pace within the response window; missing where that window does not pay it back), both only
    where it works.

    Over several campaigns the differences are taken within each one and averaged by customers written to, so that a
    list with another base rate or hold-out share does not pass for an effect.

    Raises ``UsageError`` for a column that is not there.

    >>> sent = pd.DataFrame({"customer_id": [str(i) for i in range(200)], "campaign": "m", "hold_out": [0, 1] * 100,
    ...                      "responded": [1, 0] * 50 + [0, 0] * 50, "revenue": 0.0, "cost": [1.0, 0.0] * 100})
    >>> found = campaign_results(sent.assign(sent_date=pd.Timestamp("2024-03-01")))
    >>> found[["n_sent", "response_rate", "uplift", "worked", "cost_per_win"]].values.tolist()
    [[100, 0.5, 0.5, 'works', 2.0]]
    """
    rules = rules or CampaignRules()
    check_columns(sent, _NEEDED)
    if customers is not None:
        extra = [c for c in dict.fromkeys([by, "sales", "margin"]) if c in customers and c not in sent]
        sent = sent.merge(customers[["customer_id", *extra]], on="customer_id", how="left", validate="m:1")
    if by not in sent:
        allowed = [str(column) for column in sent]
        raise UsageError("unknown_column", got=by, nearest=nearest(by, allowed), allowed=", ".join(allowed))
    sent = sent.assign(hold_out=sent["hold_out"].astype(bool), responded=sent["responded"].astype("boolean"))
    groups = sent.groupby(by, observed=True, sort=True)
    found = [{by: code, **_result(rows, rules, _margin_rate(rows, margin_rate))} for code, rows in groups]
    return _typed(pd.DataFrame(found), by)


def _typed(found: pd.DataFrame, by: str) -> pd.DataFrame:
    """The results with their codes as ordered categoricals; all columns also where there is no row."""
    if found.empty:
        empty = pd.DataFrame({"responded": pd.Series(dtype="boolean"), "hold_out": pd.Series(dtype=bool)})
        columns = _result(empty.assign(campaign="", revenue=0.0), CampaignRules(), math.nan)
        found = pd.DataFrame(columns=[by, *columns])
    return found.assign(
        worked=pd.Categorical(found["worked"], WORKED, ordered=True),
        against_mail=pd.Categorical(found["against_mail"], AGAINST_MAIL, ordered=True),
    )


def _ranked(results: pd.DataFrame) -> pd.DataFrame:
    """Results that work, the best first: by gain per customer where all of them have one, else by uplift."""
    good = results[results["worked"] == "works"]
    each = good["gain"] / good["n_sent"]
    return good.assign(each=each if each.notna().all() else good["uplift"]).sort_values("each", ascending=False)


def _surely_better(best: pd.Series, second: pd.Series) -> bool:
    apart = best["uplift"] - second["uplift"]
    return apart > math.hypot(best["uplift"] - best["uplift_low"], second["uplift_high"] - second["uplift"])


def next_time(results: pd.DataFrame, by: str, words: Mapping[str, str] | None = None) -> tuple[str, dict[str, Any]]:
    """Which campaign, list or channel to use next time, as the key of a sentence and its values.

    ``results`` are those of :func:`campaign_results` by the same column; ``words`` those of its codes. Nothing is
    recommended whose uplift could be 0; and where the second best may be as good, the sentence says so.

    >>> next_time(pd.DataFrame(), "campaign")
    ('findings.next_time_nothing', {})
    """
    if results.empty:
        return f"findings.next_time_{'no_list' if by == 'list' else 'nothing'}", {}
    said = words or {}
    ranked = _ranked(results)
    if len(ranked):
        best = ranked.iloc[0]
        values = {"best": said.get(str(best[by]), str(best[by]))}
        values |= best[["uplift", "uplift_low", "uplift_high"]].to_dict()
        if len(ranked) == 1:
            return "findings.next_time_only", values
        second = ranked.iloc[1]
        sure = "sure" if _surely_better(best, second) else "unsure"
        return f"findings.next_time_{sure}", values | {"second": said.get(str(second[by]), str(second[by]))}
    if (results["worked"] == "no_hold_out").all():
        return "findings.next_time_no_hold_out", {}
    hopeful = results[results["n_needed"].notna()].sort_values("n_needed")
    if hopeful.empty:
        return "findings.next_time_none", {}
    nearest_one = hopeful.iloc[0]
    name = said.get(str(nearest_one[by]), str(nearest_one[by]))
    return "findings.next_time_open", {"name": name, "n": nearest_one["n_needed"]}
