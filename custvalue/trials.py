"""How many customers a trial needs: written to and held out, before anything is sent, so that its result will tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from custvalue.predicates import check_rule

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["POWER", "list_needed", "rise_told", "trial_sizes"]

#: A rise that is there is told in so many of all trials.
POWER = 0.80
#: Where the search for the smallest rise begins; at 0 no rise at all would do where nobody responds.
_LEAST = 1e-9


def _told(rate: float, rise: float, parts: Sequence[float], level: float, power: float) -> float:
    """The rise that would be told where ``parts`` (customers, or shares of them) are written to and held out."""
    from scipy.stats import norm

    after = rate + rise
    mean = (parts[0] * after + parts[1] * rate) / sum(parts)
    by_chance = mean * (1 - mean) * (1 / parts[0] + 1 / parts[1])
    there = after * (1 - after) / parts[0] + rate * (1 - rate) / parts[1]
    return norm.ppf(0.5 + level / 2) * math.sqrt(by_chance) + norm.ppf(power) * math.sqrt(there)


def list_needed(rate: float, rise: float, share_out: float = 0.10, level: float = 0.95, power: float = POWER) -> int:
    """Customers a list must hold to tell a rise of the response rate from nothing, in 4 of 5 trials.

    ``rate``: response rate of those left alone; ``rise``: what the contact adds (0.02: two percentage points);
    ``share_out``: share of the list held out. Source: Fleiss, Levin and Paik, Statistical Methods for Rates and
    Proportions (2003), section 4.4, without correction for continuity.

    Raises ``UsageError`` for a rate, rise, share, level or power outside its range.

    >>> list_needed(0.10, 0.02), list_needed(0.10, 0.02, share_out=0.5)
    (21853, 7682)
    """
    check_rule("rate", rate, 0 <= rate < 1, "0 <= rate < 1")
    check_rule("rise", rise, 0 < rise <= 1 - rate, "0 < rise <= 1 - rate")
    for name, share in (("share_out", share_out), ("level", level), ("power", power)):
        check_rule(name, share, 0 < share < 1, f"0 < {name} < 1")
    return math.ceil((_told(rate, rise, (1 - share_out, share_out), level, power) / rise) ** 2)


def rise_told(rate: float, n_sent: int, n_out: int, level: float = 0.95, power: float = POWER) -> float:
    """The smallest rise of the response rate that so many written to and held out would tell, in 4 of 5 trials.

    The counterpart of :func:`list_needed`; NaN where not even a response of everybody would be told.

    >>> round(rise_told(0.10, 900, 100), 3)
    0.11
    >>> rise_told(0.10, 900, 0)
    nan
    """
    from scipy.optimize import brentq

    if not (0 <= rate < 1 and n_sent > 0 and n_out > 0):
        return math.nan

    def short(rise: float) -> float:
        return rise - _told(rate, rise, (n_sent, n_out), level, power)

    most = 1 - rate
    return float(brentq(short, _LEAST, most)) if short(most) > 0 else math.nan


def trial_sizes(results: pd.DataFrame, rise: float = 0.02, level: float = 0.95) -> dict[str, Any] | None:
    """What the trial with most held out can tell, and how many customers would tell a rise of the response rate.

    ``results`` are those of :func:`custvalue.uplift.campaign_results`; None where no row is open or has too few held
    out. Keys: row (its place in ``results``), held and size (its held-out, all its customers), told (the smallest
    uplift it tells; missing with too few held out), rate (of all its customers who responded), points (the rise in
    percentage points), n and n_out (customers of a list that tells it, and of them held out, with the share held out as
    it is), n_half and half (the same with half of them held out).

    >>> import pandas as pd
    >>> results = pd.DataFrame({"n_sent": [900], "n_held_out": [100], "n_responses": [90], "n_responses_out": [10],
    ...                         "uplift_told": [0.11], "worked": ["open"]})
    >>> found = trial_sizes(results)
    >>> found["n"], found["n_out"], found["n_half"]
    (21853, 2186, 7682)
    """
    tried = results[results["n_held_out"] > 0]
    if not tried["worked"].isin(["open", "too_few"]).any():
        return None
    best = tried.loc[tried["n_held_out"].idxmax()]
    held, size = int(best["n_held_out"]), int(best["n_sent"] + best["n_held_out"])
    share, responses = held / size, best["n_responses"] + best["n_responses_out"]
    rate = min(max(responses, 0.5) / size, 1 - rise)
    n, half = (list_needed(rate, rise, part, level) for part in (share, 0.5))
    told = {"row": best.name, "held": held, "size": size, "told": best["uplift_told"], "rate": rate}
    return told | {"points": 100 * rise, "n": n, "n_out": math.ceil(n * share), "n_half": half, "half": half // 2}
