"""Enough data? A verdict for each analysis, from counts of customers, repeat buyers, days of history and activity."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from custvalue.errors import UsageError
from custvalue.labels import label, text

__all__ = ["ANALYSES", "FITNESS", "SHORTFALLS", "SufficiencyRules", "fitness_sentence", "is_fit", "sufficiency"]

#: The analyses that are judged, in the order of the notebooks.
ANALYSES = ("segmentation", "matrix", "pyramid", "lifetime", "churn")
#: What the data allow, best first.
FITNESS = ("fit", "with_care", "not_fit")
#: What is missing, in the order in which it is asked; among equally bad ones the first is named.
SHORTFALLS = ("none", "few_customers", "few_repeat_buyers", "short_history", "short_for_rhythm", "few_active")

_COUNTS = ("n_customers", "n_repeat_buyers", "n_active", "history_days")
_COLUMNS = ("analysis", "fitness", "shortfall", "got", "needed", *_COUNTS)


@dataclass(frozen=True)
class SufficiencyRules:
    """The least data for each analysis: below the first number it is not fit, below the second it needs care.

    customers
        A share among n customers is known to about 1 / sqrt(n) on either side (95%): 22 percentage points with 20,
        10 with 100. With 100 the top 1% of the pyramid is one customer, with fewer it is nobody or a mere rounding.
    repeat_buyers
        Asked of lifetime and churn. Below 10 no model is fitted (:data:`custvalue.lifetime.FEWEST_REPEAT_BUYERS`);
        with 100 a mean rate has a standard error of some 10%.
    segment_days
        Two gaps of a monthly buyer (45 days) must fit in; only after a year can anyone be dormant (365 days).
    matrix_days
        No lower bound (both axes of sales and margin stand on any history); growth compares two years of 365 days.
    lifetime_days
        28 days to fit on and 28 to test on; a forecast of a year asks for a year.
    churn_days
        As ``lifetime_days`` below; the fall in sales compares two years of 365 days.
    rhythms
        Asked of churn: the history in median gaps between purchases. With fewer than two, silence can not be told from
        the usual wait; four are the silence after which a customer counts as gone.
    active
        Asked of lifetime and churn: customers with a purchase in the last ``active_days``. Without any there is nobody
        left whose future could be forecast; below 20 a share of them is known to 22 percentage points at best.

    Raises ``UsageError`` for bounds out of order.

    >>> SufficiencyRules(customers=(30, 200)).repeat_buyers
    (10, 100)
    """

    customers: tuple[float, float] = (20, 100)
    repeat_buyers: tuple[float, float] = (10, 100)
    segment_days: tuple[float, float] = (90, 365)
    matrix_days: tuple[float, float] = (0, 730)
    lifetime_days: tuple[float, float] = (56, 365)
    churn_days: tuple[float, float] = (56, 730)
    rhythms: tuple[float, float] = (2, 4)
    active: tuple[float, float] = (1, 20)
    active_days: int = 365

    def __post_init__(self) -> None:
        for field in fields(self):
            got = getattr(self, field.name)
            low, high = got if isinstance(got, tuple) else (1, got)
            if not 0 <= low <= high:
                raise UsageError("rule_out_of_range", rule=field.name, got=got, allowed="0 <= a <= b")


def _facts(customers: pd.DataFrame, as_of: dt.date, rules: SufficiencyRules) -> dict[str, float]:
    """The counts the verdicts stand on, and the median over repeat buyers of their mean gap in days."""
    bought_again = customers["n_repeats"] > 0
    first = customers["first_order"].min()
    return {
        "n_customers": len(customers),
        "n_repeat_buyers": int(bought_again.sum()),
        "n_active": int((customers["days_since_last"] < rules.active_days).sum()),
        "history_days": 0 if pd.isna(first) else (pd.Timestamp(as_of) - first).days + 1,
        "median_gap": customers.loc[bought_again, "mean_gap_days"].median(),
    }


def _asked(analysis: str, facts: Mapping[str, float], rules: SufficiencyRules) -> list[tuple[str, float, Any]]:
    """What an analysis asks for: (shortfall, got, bounds), in the order of :data:`SHORTFALLS`."""
    days = {
        "segmentation": rules.segment_days,
        "matrix": rules.matrix_days,
        "pyramid": (0, 0),
        "lifetime": rules.lifetime_days,
        "churn": rules.churn_days,
    }
    asked = [("few_customers", facts["n_customers"], rules.customers)]
    asked.append(("short_history", facts["history_days"], days[analysis]))
    if analysis in ("lifetime", "churn"):
        asked.insert(1, ("few_repeat_buyers", facts["n_repeat_buyers"], rules.repeat_buyers))
        asked.append(("few_active", facts["n_active"], rules.active))
    if analysis == "churn" and facts["median_gap"] > 0:
        bounds = tuple(bound * facts["median_gap"] for bound in rules.rhythms)
        asked.insert(3, ("short_for_rhythm", facts["history_days"], bounds))
    return asked


def _verdict(asked: list[tuple[str, float, Any]]) -> tuple[str, str, float, float]:
    """The worst of what was asked: fitness, shortfall, got, and the least that would have been enough."""
    for fitness, at in (("not_fit", 0), ("with_care", 1)):
        for shortfall, got, bounds in asked:
            if got < bounds[at]:
                return fitness, shortfall, got, bounds[at]
    return "fit", "none", float("nan"), float("nan")


def sufficiency(customers: pd.DataFrame, as_of: dt.date, rules: SufficiencyRules | None = None) -> pd.DataFrame:
    """Whether the data are enough for each analysis: one row per analysis, in the order of :data:`ANALYSES`.

    ``customers`` is the customer table as of ``as_of``. Columns: ``analysis``; ``fitness`` (one of :data:`FITNESS`);
    ``shortfall`` (one of :data:`SHORTFALLS`: the worst lack, ``none`` where there is none); ``got`` and ``needed``, the
    number that fell short and the least one that does not (customers, or days for ``short_history`` and
    ``short_for_rhythm``; missing where nothing fell short); and the counts all verdicts stand on: ``n_customers``,
    ``n_repeat_buyers`` (customers with a purchase on a second day), ``n_active`` (customers who bought in the last
    ``active_days``), ``history_days`` (from the first purchase to ``as_of``, both counted).

    >>> few = pd.DataFrame({"first_order": pd.to_datetime(["2024-01-01"] * 30), "n_repeats": [0] * 30,
    ...                     "days_since_last": [90] * 30, "mean_gap_days": [float("nan")] * 30})
    >>> sufficiency(few, dt.date(2024, 3, 31))[["analysis", "fitness", "shortfall", "got", "needed"]]
           analysis    fitness          shortfall   got  needed
    0  segmentation  with_care      few_customers  30.0   100.0
    1        matrix  with_care      few_customers  30.0   100.0
    2       pyramid  with_care      few_customers  30.0   100.0
    3      lifetime    not_fit  few_repeat_buyers   0.0    10.0
    4         churn    not_fit  few_repeat_buyers   0.0    10.0
    """
    rules = rules or SufficiencyRules()
    facts = _facts(customers, as_of, rules)
    counts = [facts[name] for name in _COUNTS]
    rows = [(name, *_verdict(_asked(name, facts, rules)), *counts) for name in ANALYSES]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    table["fitness"] = pd.Categorical(table["fitness"], FITNESS, ordered=True)
    table["shortfall"] = pd.Categorical(table["shortfall"], SHORTFALLS)
    return table.astype({"got": "float64", "needed": "float64"} | dict.fromkeys(_COUNTS, "int64"))


def _row(table: pd.DataFrame, analysis: str) -> Any:
    if analysis not in ANALYSES:
        raise UsageError("bad_choice", key="analysis", got=analysis, allowed=", ".join(ANALYSES))
    return table.set_index("analysis").loc[analysis]


def is_fit(table: pd.DataFrame, analysis: str) -> bool:
    """Whether an analysis may show numbers (``fit`` or ``with_care``); ``table`` is that of :func:`sufficiency`.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> settings = cv.load_settings()
    >>> customers = cv.customer_table(orders)
    >>> table = sufficiency(customers, orders.as_of)
    >>> is_fit(table, "lifetime")
    False
    """
    return bool(_row(table, analysis)["fitness"] != "not_fit")


def fitness_sentence(table: pd.DataFrame, analysis: str, language: str = "en") -> str:
    """The verdict on one analysis as a sentence with its numbers; ``table`` is that of :func:`sufficiency`.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> settings = cv.load_settings()
    >>> customers = cv.customer_table(orders)
    >>> table = sufficiency(customers, orders.as_of)
    >>> fitness_sentence(table, "lifetime")
    'Lifetime value: Not enough data. There are 2 customers; below 20 a handful of customers decides every share.'
    """
    row = _row(table, analysis)
    named = {"analysis": label("analysis", analysis, language), "fitness": label("fitness", row["fitness"], language)}
    # What was got is rounded down and what is needed up, so that both stay on their side of the bound.
    numbers = {} if row["shortfall"] == "none" else {"got": int(row["got"]), "needed": -int(-row["needed"] // 1)}
    return text(f"findings.enough_{row['shortfall']}", language, **named, **numbers)
