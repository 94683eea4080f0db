"""The sentence fits the result, in both languages and with thin data; the health check as notebooks ask for it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from custvalue import crosssell, findings
from custvalue.confidence import stages_tested
from custvalue.config import load_settings
from custvalue.crosssell import CrossSellRules
from custvalue.customers import customer_table
from custvalue.engagement import E_LEVELS, EngagementRules, EValueTest
from custvalue.errors import UsageError
from custvalue.grouphealth import segment_health
from custvalue.healthcheck import CHECKS, HealthRules
from custvalue.pipeline import event_rows, read, read_attributes

DAY = dt.date(2024, 3, 31)


def browsing(n_changed, n_steady):
    return pd.DataFrame({"browsing": ["just_changed"] * n_changed + ["steady"] * n_steady})


@pytest.mark.parametrize(
    ("changed", "chance", "said"),
    [
        (10, 3.4, "Talk to 10 customers"),
        (4, 3.4, "in 4 customers"),
        (0, 1.0, "Nobody's"),
        (1, 0.0, "Talk to 1 customer "),
    ],
)
def test_only_more_than_chance_are_singled_out(changed, chance, said):
    assert said in findings.browsing_finding(browsing(changed, 5), chance).text


def e_test(verdict, n=(5, 5, 5, 5, 5, 5)):
    levels = pd.DataFrame({"e_level": pd.Categorical(E_LEVELS, E_LEVELS), "n_customers": n})
    levels["share_ordering"] = np.linspace(0.1, 0.6, 6)
    return EValueTest(levels, pd.DataFrame(), verdict)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("verdict", ["adds", "follows_orders", "no_link", "too_thin"])
def test_every_verdict_states_both_shares(verdict, language):
    said = findings.e_value_finding(e_test(verdict), DAY, EngagementRules(), language).text
    assert "60.0%" in said
    assert "10.0%" in said


def test_without_events_the_e_value_asks_for_them():
    said = findings.e_value_finding(e_test("too_thin", (9, 0, 0, 0, 0, 0)), DAY, EngagementRules()).text
    assert "events.csv" in said


def pairs_of(sets, rules=None):
    rows = [(f"c{i}", category) for i, owned in enumerate(sets) for category in owned]
    return crosssell.co_purchases(pd.DataFrame(rows, columns=["customer_id", "category"]), rules=rules)


def test_pairs_are_told_only_where_there_is_enough():
    rules, words = CrossSellRules(), {"category": {"a": "Tea", "b": "Cups"}}
    assert "Fewer than two" in findings.pairs_finding(pairs_of(["a"] * 50), rules).text
    assert "20 buyers in common" in findings.pairs_finding(pairs_of(["ab", "ac", "b"]), rules).text
    assert "No two categories" in findings.pairs_finding(pairs_of(["ab", "ac", "bc", "a", "b", "c"] * 30), rules).text
    linked = pairs_of(["ab", "cd"] * 40 + ["a", "b", "c", "d", "ac", "bd"] * 10)
    said = findings.pairs_finding(linked, rules, "en", words | {"category": {"a": "Tea", "b": "Cups", "c": "Tea"}}).text
    assert said.startswith("2 pairs of categories")


@pytest.mark.parametrize(("n", "said"), [(0, "Only 0"), (29, "Only 29"), (30, "Suggest to each customer")])
def test_few_new_buyers_decide_nothing(n, said):
    test = pd.DataFrame(
        {"suggestion": ["chance", *crosssell.SUGGESTIONS], "n_customers": n, "hit_rate": [0.1, 0.3, 0.2]}
    )
    test["preferred"] = [False, n > 0, False]
    assert findings.suggestion_finding(test, DAY).text.startswith(said)


@pytest.mark.parametrize(
    ("health", "said"),
    [
        (["fail", "warn", "ok"], "1 check of 3 found a fault; begin with: No purpose."),
        (["ok", "warn", "unknown"], "No fault among 2 checks; look into 1, first: By product only."),
        (["ok", "ok", "unknown"], "The segmentation passes 2 checks, all that could be made: nothing wrong was found."),
        (["unknown"] * 3, "The data are too few for any check."),
    ],
)
def test_the_health_in_one_sentence(health, said):
    assert findings.health_finding(pd.DataFrame({"check": CHECKS[:3], "health": health})).text == said


def test_the_firms_own_groups_are_checked(sample):
    settings = load_settings(data=sample)
    orders = read(sample, settings)
    customers, known = customer_table(orders), read_attributes(sample, settings)
    own = load_settings(data=sample, health={"by": "age_band", "made_on": "2024-01-31"})
    found = segment_health(orders, customers, known, own).set_index("check")
    assert found.loc[["purpose", "no_behaviour", "frozen"], "health"].unique().tolist() == ["fail"]
    with pytest.raises(UsageError, match=r"age_bund.*age_band"):
        segment_health(orders, customers, known, load_settings(data=sample, health={"by": "age_bund"}))
    with pytest.raises(UsageError, match="grade"):
        segment_health(orders, customers, None, load_settings(data=sample, health={"by": "grade"}))
    assert HealthRules().by == ""


def test_without_an_events_file_there_are_no_rows(tmp_path, rows):
    rows.to_csv(tmp_path / "orders.csv", index=False)
    events = event_rows(tmp_path, load_settings(data=tmp_path))
    assert events.empty
    assert str(events["event_date"].dtype) == "datetime64[s]"


@pytest.mark.parametrize(("language", "said"), [("en", "in decline 60.0%"), ("zh", "判为衰退的为 60.0%")])
def test_the_test_of_the_stages_says_how_often_a_decline_was_right(language, said):
    calls = {"stage": ["decline", "drop"], "n_judged": 9, "share_confirmed": [0.6, 0.9], "share_of_all": 0.5}
    tested = stages_tested(pd.DataFrame(calls), DAY, DAY + dt.timedelta(days=365), language)
    assert said in tested.text
    assert "90.0%" in tested.text
