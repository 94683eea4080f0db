"""Enough data: the verdicts by hand, at every bound, and on real and simulated data."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pandas as pd
import pytest
from conftest import real_file

from custvalue.config import load_settings
from custvalue.customers import customer_table
from custvalue.errors import UsageError
from custvalue.labels import LANGUAGES, catalogue
from custvalue.lifetime import MODELS, LifetimeRules, cutoff_day
from custvalue.lifetime.rules import FEWEST_REPEAT_BUYERS
from custvalue.pipeline import read
from custvalue.sufficiency import (
    ANALYSES,
    FITNESS,
    SHORTFALLS,
    SufficiencyRules,
    fitness_sentence,
    is_fit,
    sufficiency,
)

AS_OF = dt.date(2024, 12, 31)


def customers(n=500, repeat=200, days=800, active=None, gap=30.0):
    """n customers of whom ``repeat`` bought again and ``active`` within the year; the first bought ``days`` ago."""
    active = n if active is None else active
    return pd.DataFrame(
        {
            "first_order": pd.Timestamp(AS_OF) - pd.Timedelta(days=days - 1),
            "n_repeats": [int(i < repeat) for i in range(n)],
            "days_since_last": [10 if i < active else 400 for i in range(n)],
            "mean_gap_days": [gap if i < repeat else float("nan") for i in range(n)],
        }
    )


def verdicts(table, **rules):
    found = sufficiency(table, AS_OF, SufficiencyRules(**rules)).set_index("analysis")
    return SimpleNamespace(
        **{
            name: (found.at[name, "fitness"], found.at[name, "shortfall"], found.at[name, "needed"])
            for name in ANALYSES
        }
    )


def test_plenty_is_fit_for_all():
    table = sufficiency(customers(), AS_OF)
    assert list(table["analysis"]) == list(ANALYSES)
    assert set(table["fitness"]) == {"fit"}
    assert table[["got", "needed"]].isna().all(axis=None)
    counts = table[["n_customers", "n_repeat_buyers", "n_active", "history_days"]]
    assert counts.drop_duplicates().to_numpy().tolist() == [[500, 200, 500, 800]]


@pytest.mark.parametrize(("n", "expected"), [(19, "not_fit"), (20, "with_care"), (99, "with_care"), (100, "fit")])
def test_customers(n, expected):
    found = verdicts(customers(n=n, repeat=n))
    assert (found.pyramid[0], found.segmentation[0], found.matrix[0]) == (expected,) * 3


@pytest.mark.parametrize(("repeat", "expected"), [(0, "not_fit"), (9, "not_fit"), (10, "with_care"), (100, "fit")])
def test_repeat_buyers_count_for_models_alone(repeat, expected):
    found = verdicts(customers(repeat=repeat))
    assert (found.lifetime[0], found.churn[0], found.pyramid[0]) == (expected, expected, "fit")


@pytest.mark.parametrize(
    ("days", "segmentation", "matrix", "lifetime", "churn"),
    [
        (55, "not_fit", "with_care", "not_fit", "not_fit"),
        (56, "not_fit", "with_care", "with_care", "not_fit"),
        (90, "with_care", "with_care", "with_care", "with_care"),
        (365, "fit", "with_care", "fit", "with_care"),
        (730, "fit", "fit", "fit", "fit"),
    ],
)
def test_length_of_history(days, segmentation, matrix, lifetime, churn):
    found = verdicts(customers(days=days))
    assert (found.segmentation[0], found.matrix[0]) == (segmentation, matrix)
    assert (found.lifetime[0], found.churn[0], found.pyramid[0]) == (lifetime, churn, "fit")


def test_history_is_measured_in_the_customers_own_gaps():
    assert verdicts(customers(gap=201)).churn == ("with_care", "short_for_rhythm", 804)
    assert verdicts(customers(gap=401)).churn == ("not_fit", "short_for_rhythm", 802)
    assert verdicts(customers(gap=401)).lifetime[0] == "fit"


def test_a_dead_shop_has_nobody_to_forecast():
    assert verdicts(customers(active=0)).lifetime == ("not_fit", "few_active", 1)
    assert verdicts(customers(active=19)).churn == ("with_care", "few_active", 20)
    assert verdicts(customers(active=0)).pyramid[0] == "fit"


def test_the_worst_is_named_and_not_the_first():
    assert verdicts(customers(n=50, repeat=5)).lifetime == ("not_fit", "few_repeat_buyers", 10)


def test_nobody_at_all():
    table = sufficiency(customers().head(0), AS_OF)
    assert set(table["fitness"]) == {"not_fit"}
    assert set(table["shortfall"]) == {"few_customers"}
    assert set(table["history_days"]) == {0}


def test_bounds_agree_with_what_the_analyses_do():
    rules = SufficiencyRules()
    assert rules.repeat_buyers[0] == FEWEST_REPEAT_BUYERS
    shortest = customers(days=int(rules.lifetime_days[0]) + 1)
    assert cutoff_day(shortest, AS_OF, LifetimeRules()) is not None
    assert cutoff_day(customers(days=int(rules.lifetime_days[0]) - 1), AS_OF, LifetimeRules()) is None
    assert MODELS


def test_bounds_out_of_order_are_refused():
    with pytest.raises(UsageError, match=r'"customers" is \(100, 20\)'):
        SufficiencyRules(customers=(100, 20))


def test_own_bounds():
    assert verdicts(customers(), customers=(501, 600)).pyramid == ("not_fit", "few_customers", 501)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("shortfall", SHORTFALLS)
def test_every_shortfall_has_a_sentence_with_its_numbers(language, shortfall):
    row = {"analysis": "churn", "fitness": "with_care", "shortfall": shortfall, "got": 77.9, "needed": 804.2}
    said = fitness_sentence(pd.DataFrame([row]), "churn", language)
    assert ("77" in said and "805" in said) == (shortfall != "none")
    assert "78" not in said


def test_what_may_show_numbers():
    table = sufficiency(customers(repeat=5, days=200), AS_OF)
    assert is_fit(table, "matrix")
    assert not is_fit(table, "lifetime")
    assert fitness_sentence(table, "lifetime").startswith("Lifetime value: Not enough data. 5 customers bought")
    with pytest.raises(UsageError, match="segmentation, matrix, pyramid"):
        is_fit(table, "quality")


def test_labels_are_the_codes_in_order():
    known = catalogue("labels")
    assert [tuple(known[kind]) for kind in ("analysis", "fitness", "shortfall")] == [ANALYSES, FITNESS, SHORTFALLS]


def test_the_sample_is_enough_for_all(sample):
    orders = read(sample)
    assert set(sufficiency(customer_table(orders), orders.as_of)["fitness"]) == {"fit"}


def test_cdnow_is_one_cohort_of_eighteen_months():
    settings = load_settings(columns={"customer_id": "id"}, read={"header": ["m", "id", "date", "quantity", "amount"]})
    orders = read(real_file("cdnow/CDNOW_sample.txt"), settings)
    found = sufficiency(customer_table(orders), orders.as_of).set_index("analysis")
    assert dict(found["fitness"]) == {
        "segmentation": "fit",
        "matrix": "with_care",
        "pyramid": "fit",
        "lifetime": "fit",
        "churn": "with_care",
    }
    assert found.at["churn", "shortfall"] == "short_history"
