"""Where each customer stands in the life of the relation, by rhythm, trend and model."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from custvalue.churn.change import change_p, trend
from custvalue.churn.rules import STAGES, ChurnRules, short_form
from custvalue.errors import UsageError
from custvalue.predicates import first_match

__all__ = ["STAGE_PREDICATES", "require", "stages", "typical_gaps"]

#: The least usual gap to assume, in days, where nobody has shown one.
_UNKNOWN_GAP = 90
#: A group of fewer repeat buyers has no spacing of its own and lends that of all.
_FEWEST_LENDERS = 20


def require(table: pd.DataFrame, *columns: str) -> None:
    """Raise ``UsageError`` for the first column the table does not have."""
    for column in columns:
        if column not in table:
            raise UsageError("column_missing", column=column, got=", ".join(map(str, table)))


def _alive(table: pd.DataFrame) -> pd.Series:
    """P(alive) as evidence; 1 for a one-time buyer is what BG/NBD says of all of them, so it is none."""
    return table["p_alive"].mask((table["n_repeats"] == 0) & (table["p_alive"] >= 1))


def _drop(table: pd.DataFrame, rules: ChurnRules) -> pd.Series:
    """One strong sign, the other sign at least pointing the same way, and no order to be hoped for."""
    alive = _alive(table)
    given_up = (alive < rules.alive_drop) & (table["overdue"] >= rules.overdue_decline)
    doubted = alive.isna() | (alive < rules.alive_decline)
    expected = alive.notna() & (table["p_order_12m"] >= rules.order_drop)
    return (given_up | ((table["overdue"] >= rules.overdue_drop) & doubted)) & ~expected


def _decline(table: pd.DataFrame, rules: ChurnRules) -> pd.Series:
    doubted = _alive(table) < rules.alive_decline
    falling = (table["n_repeats"] > rules.cultivate_repeats) & (table["trend"] <= -rules.fall)
    falling &= ~(table["p_fall"] > rules.trend_noise)
    return doubted | (table["overdue"] >= rules.overdue_decline) | falling


def _identify(table: pd.DataFrame, rules: ChurnRules) -> pd.Series:
    return table["n_repeats"] == 0


def _cultivate(table: pd.DataFrame, rules: ChurnRules) -> pd.Series:
    return table["n_repeats"] <= rules.cultivate_repeats


def _grow(table: pd.DataFrame, rules: ChurnRules) -> pd.Series:
    return (table["trend"] >= rules.growth) & ~(table["p_rise"] > rules.trend_noise)


def _always(table: pd.DataFrame, rules: ChurnRules) -> pd.Series:
    return pd.Series(True, index=table.index)


Predicate = Callable[[pd.DataFrame, ChurnRules], pd.Series]

#: The stages as (code, predicate): the first that holds names the customer, the last always holds.
STAGE_PREDICATES: tuple[tuple[str, Predicate], ...] = (
    ("drop", _drop),
    ("decline", _decline),
    ("identify", _identify),
    ("cultivate", _cultivate),
    ("grow", _grow),
    ("stable", _always),
)


def typical_gaps(customers: pd.DataFrame, rules: ChurnRules | None = None) -> dict[str, float]:
    """The usual gap lent to customers with few purchases, in days: of all (key ``""``) and of each group that has one.

    The mean over repeat buyers of their mean gaps; the median tenure, at least 90 days, where nobody repeats. A group
    (``rhythm_group``) has one of its own from 20 repeat buyers on. Kept, they tell :func:`stages` of later months.

    >>> typical_gaps(pd.DataFrame({"mean_gap_days": [30.0, 50.0, None], "tenure_days": 400}))
    {'': 40.0}
    """
    gaps, group = customers["mean_gap_days"], (rules or ChurnRules()).rhythm_group
    nobody = gaps.notna().sum() == 0
    everybody = {"": float(np.nanmax([customers["tenure_days"].median(), _UNKNOWN_GAP]) if nobody else gaps.mean())}
    if not group:
        return everybody
    lenders = gaps.groupby(customers[group], observed=True)
    own = lenders.mean()[lenders.count() >= _FEWEST_LENDERS]
    return everybody | {str(name): float(gap) for name, gap in own.items()}


def _rhythm(customers: pd.DataFrame, group: str, typical: Mapping[str, float]) -> pd.Series:
    own_sum = (customers["mean_gap_days"] * customers["n_repeats"]).fillna(0.0)
    lent = customers[group].astype(str).map(typical).fillna(typical[""]) if group else typical[""]
    return ((own_sum + lent) / (customers["n_repeats"] + 1)).clip(lower=1.0)


def _evidence(customers: pd.DataFrame, rules: ChurnRules, typical: Mapping[str, float]) -> pd.DataFrame:
    """What the predicates ask for; without ``squares_24m`` no change of sales can be called noise."""
    rhythm = _rhythm(customers, rules.rhythm_group, typical)
    tested = "squares_24m" in customers
    chances = change_p(customers) if tested else pd.DataFrame(np.nan, customers.index, ["p_fall", "p_rise"])
    return customers[["customer_id", "n_repeats", "p_alive"]].assign(
        p_order_12m=customers.get("p_order_12m", np.nan),
        rhythm_days=rhythm,
        overdue=customers["days_since_last"] / rhythm,
        trend=trend(customers),
        p_fall=chances["p_fall"],
        p_rise=chances["p_rise"],
    )


def _at_risk(customers: pd.DataFrame) -> pd.Series:
    unknown = pd.Series(np.nan, customers.index)
    stays, expected = (customers.get(name, unknown) for name in ("value_if_stays_12m", "clv_12m"))
    return (stays - expected).clip(lower=0)


def stages(
    customers: pd.DataFrame, rules: ChurnRules | None = None, typical: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """The lifecycle stage of each customer (C24): every customer has exactly one.

    ``customers`` is the customer table with the forecast joined: ``p_alive``, and ``p_order_12m``, ``clv_12m``,
    ``value_if_stays_12m`` where known. ``typical`` are gaps of another month, see :func:`typical_gaps`.

    One row per customer:

    - ``customer_id``;
    - ``rhythm_days`` = (sum of own gaps + one typical gap) / (n_repeats + 1): a customer with few purchases borrows
      from the others. The typical gap is the mean over repeat buyers of their mean gaps, within ``rhythm_group``
      where that has 20 of them. Where nobody repeats the median tenure stands for it, at least 90 days. At least 1
      day. The median of the gaps would be a third shorter: what is seen of slow buyers are their short gaps;
    - ``overdue`` = days_since_last / rhythm_days;
    - ``trend`` = (a - b) / (a + b), sales of the last 12 months a, of the 12 months before b; NaN below two
      years of tenure or without sales in both years;
    - ``stage`` (one of ``STAGES``) and ``stage_short``, its short form;
    - ``value_at_risk`` = value_if_stays_12m - clv_12m, money: what the next 12 months would bring if the customer
      stayed, times the share of it expected to be lost because he has left or leaves within them. The whole value
      where P(alive) is 0; 0 where nobody leaves; 0 for a customer who costs more than he brings; NaN where not
      known.

    Asked in this order, first match wins:

    - *drop*: P(alive) < ``alive_drop`` and overdue >= ``overdue_decline``, or overdue >= ``overdue_drop``
      and P(alive) < ``alive_decline``; in both cases only if p_order_12m < ``order_drop``;
    - *decline*: P(alive) < ``alive_decline``, or overdue >= ``overdue_decline``, or a customer past
      cultivation with trend <= -``fall``, unless the chance of such a fall at an unchanged rate
      (:func:`change_p`) is above ``trend_noise``;
    - *identify*: bought on one day only; *cultivate*: at most ``cultivate_repeats`` repeats;
    - *grow*: trend >= ``growth``, unless the chance of such a rise is above ``trend_noise``;
      *stable*: everybody else.

    So a customer is dropped only if rhythm and model point the same way; a strong sign the other
    contradicts is a decline, to be looked at. Where P(alive) is missing the stage follows the rhythm alone, and
    so it does for a one-time buyer whose P(alive) is 1: BG/NBD says that of every one of them. A model that sees
    nobody leave drops nobody: silence alone is then a decline, as customers come back from it.

    Raises ``UsageError`` if ``p_alive`` is not joined or the column ``rhythm_group`` is not there.

    >>> customers = pd.DataFrame({"customer_id": ["a", "b"], "n_repeats": [9, 0],
    ...     "mean_gap_days": [30.0, None], "days_since_last": [20, 200], "tenure_days": [290, 200],
    ...     "sales_12m": [90.0, 5.0], "sales_prior_12m": [0.0, 0.0], "p_alive": [0.95, 1.0]})
    >>> stages(customers)[["customer_id", "rhythm_days", "stage", "stage_short"]]
      customer_id  rhythm_days   stage stage_short
    0           a         30.0  stable   formation
    1           b         30.0    drop     decline
    """
    rules = rules or ChurnRules()
    require(customers, "p_alive", *filter(None, [rules.rhythm_group]))
    evidence = _evidence(customers, rules, typical_gaps(customers, rules) if typical is None else typical)
    stage = first_match(evidence, STAGE_PREDICATES, STAGES, rules)
    result = evidence[["customer_id", "rhythm_days", "overdue", "trend"]].assign(
        stage=stage, stage_short=short_form(stage), value_at_risk=_at_risk(customers)
    )
    return result.reset_index(drop=True)
