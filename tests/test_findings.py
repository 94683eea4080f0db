"""The sentence fits the result, in both languages and with thin data; the health check as notebooks ask for it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from custvalue import crosssell, findings, valuefindings
from custvalue.beside import event_rows, read_attributes
from custvalue.confidence import stages_tested
from custvalue.config import load_settings
from custvalue.crosssell import CrossSellRules
from custvalue.customers import customer_table
from custvalue.engagement import E_LEVELS, EngagementRules, EValueTest
from custvalue.errors import UsageError
from custvalue.findings import cohort_finding, equity_finding, retention_finding, value_held_finding
from custvalue.grouphealth import segment_health
from custvalue.healthcheck import CHECKS, HealthRules
from custvalue.labels import LANGUAGES, label, text
from custvalue.matrix import sales_margin_matrix, value_potential_matrix
from custvalue.pipeline import read
from custvalue.profiles import profile
from custvalue.shown import Missing

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
    assert "Not known" in findings.pairs_finding(pairs_of(["a"] * 50), rules).text
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


@pytest.mark.parametrize(
    ("last", "said", "unsaid"),
    [
        ("2024-01-31", "Up to 2024-01-31, 2 of 4 rows (50.0%) can be used", "2 rows of later days"),
        ("2024-02-29", "4 of 6 rows (66.7%) can be used", "Set aside: 2 rows"),
    ],
)
def test_rows_of_later_days_are_no_faults(last, said, unsaid):
    """A month made again later has the same account as then: whatever the fault of a later row, its day is later."""
    frame = pd.DataFrame(
        {
            "customer_id": ["1", "2", "", "1", "2", "1"],
            "order_date": ["2024-01-05", "2024-01-06", "2024-01-07", "2024-01-09", "2024-02-03", "2024-02-04"],
            "amount": ["10", "20", "5", "x", "40", "50"],
        }
    )
    orders = read(frame, load_settings(as_of=last))
    said_of = {language: valuefindings.rows_finding(orders.facts, orders.as_of, language) for language in ("en", "zh")}
    assert said in said_of["en"].text
    assert unsaid in said_of["en"].text
    assert "%" in said_of["zh"].text


def test_a_later_row_without_a_customer_is_a_later_row():
    frame = pd.DataFrame(
        {"customer_id": ["1", ""], "order_date": ["2024-01-05", "2024-02-06"], "amount": ["10", "20"]},
    )
    orders = read(frame, load_settings(as_of="2024-01-31"))
    assert orders.facts["rows_after_as_of"] == orders.facts["rows_quarantined"] == 1
    assert "all 1 row can" in valuefindings.rows_finding(orders.facts, orders.as_of).text


def shop(**columns):
    """Forty customers who differ in everything, some columns replaced."""
    n = np.arange(40.0)
    table = pd.DataFrame(
        {
            "customer_id": [f"{i:02d}" for i in range(40)],
            "sales": 100 + 10 * n,
            "margin": (100 + 10 * n) * (0.2 + (n * 7 % 40) / 100),
            "sales_12m": 50 + n,
            "sales_prior_12m": 50.0,
            "margin_12m": 10 + n,
            "tenure_days": 200,
            "days_since_last": (n * 11 % 40).astype(int),
            "n_orders": 3,
            "mean_order_value": 50.0,
            "mean_gap_days": 20.0,
            "n_categories": 0,
        }
    )
    return table.assign(**columns)


def told_of(customers, language="en"):
    matrix = sales_margin_matrix(customers)
    by = profile(customers.merge(matrix.table[["customer_id", "quadrant"]], on="customer_id"), "quadrant")
    best = by.set_index("quadrant").loc["high_high"]
    return valuefindings.quadrant_finding(matrix, best, int(best["n_customers"]), language, "CNY").text


@pytest.mark.parametrize(
    ("customers", "said", "unsaid"),
    [
        (shop(), "are high in both sales and margin rate", "sales only"),
        (shop(margin=np.nan), "with sales above 295 CNY, brought", "of them bought"),
        (shop(sales=0.0, margin=0.0), "No customer stands above", "%"),
        (shop(margin=lambda t: t["sales"] * -t["margin"] / 300), "below zero", "discounts"),
    ],
)
def test_the_best_customers_are_told_by_what_can_be_compared(customers, said, unsaid):
    assert said in told_of(customers)
    assert unsaid not in told_of(customers)
    assert "{" not in told_of(customers, "zh")


@pytest.mark.parametrize(("n_categories", "said"), [(np.nan, "ask before you invest"), (3, "before a competitor does")])
def test_potential_that_rests_on_activity_alone_is_not_called_potential(n_categories, said):
    customers = shop(n_categories=n_categories)
    matrix = value_potential_matrix(customers)
    by = profile(customers.merge(matrix.table[["customer_id", "value_class"]], on="customer_id"), "value_class")
    latent = by.set_index("value_class").loc["latent_value"]
    assert latent["n_customers"] > 0
    assert said in valuefindings.latent_finding(matrix, latent, 365).text
    none = latent.mask(latent.index == "n_customers", 0)
    assert "No customer combines" in valuefindings.latent_finding(matrix, none, 365).text


def cohorts(*rows):
    """Cohorts of so many customers, with the share who bought in the next period."""
    table = pd.DataFrame(rows, columns=["n_customers", "1"])
    return table.assign(cohort=[f"p{place}" for place in range(len(table))])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([(500, 0.2)] * 4 + [(500, 0.4)] * 4, "better"),
        ([(500, 0.4)] * 4 + [(500, 0.2)] * 4, "worse"),
        ([(500, 0.4)] * 4 + [(500, 0.41)] * 4, "alike"),
        ([(500, 0.9)] * 4 + [(500, 0.4)] * 8, "alike"),  # the year before counts, not the oldest
        ([(500, 0.4), (500, 0.2), (300, np.nan)], "worse"),  # a period that has not ended does not count
        ([(3, 0.0), (3, 1.0)], "unknown"),
        ([(500, 0.4)], "unknown"),
        ([], "unknown"),
    ],
)
def test_whether_newer_customers_stay_as_well(rows, said, language):
    beginning = text(f"findings.cohorts_{said}", language, **dict.fromkeys(COHORT_VALUES, 0), since="")
    assert cohort_finding(cohorts(*rows), language).text[:9] == beginning[:9]


COHORT_VALUES = ("new", "old", "n", "n_old", "low", "high")


def test_cohorts_are_told_with_their_numbers():
    said = cohort_finding(cohorts(*[(500, 0.4)] * 4, *[(250, 0.2)] * 4)).text
    assert "20.0% of the 1,000 customers won since p4" in said
    assert "40.0% of the 2,000" in said


def equity(retention, total):
    parts = pd.Categorical(["retention", "all"])
    return pd.DataFrame({"equity_part": parts, "value": [retention, total], "share_value": [retention / total, 1.0]})


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_customers_are_worth_or_why_that_is_not_known(language):
    said = equity_finding(equity(60.0, 80.0), language, "CNY")
    assert "75.0%" in said.text
    assert not isinstance(said, Missing)
    assert isinstance(equity_finding(equity(np.nan, np.nan), language, "CNY"), Missing)


@pytest.mark.parametrize("language", LANGUAGES)
def test_parts_of_the_worth_that_are_not_known_are_named(language):
    parts = ["retention", "add_on", "acquisition", "all"]
    told = pd.DataFrame({"equity_part": parts, "value": [60.0, np.nan, np.nan, 60.0], "share_value": 1.0})
    said = equity_finding(told, language, "CNY").text
    assert [label("equity_part", code, language) in said for code in parts] == [False, True, True, False]


def test_the_smallest_rise_of_retention_is_told():
    changes = pd.DataFrame(
        {
            "retention_change": [-0.05, 0.0, 0.05, 0.10],
            "retention": [0.7, 0.75, 0.8, 0.85],
            "value_change": [-900.0, 0.0, 1000.0, 2500.0],
            "value_change_share": [-0.09, 0.0, 0.1, 0.25],
        }
    )
    assert "by 5 points, to 80.0%" in retention_finding(changes, "en", "CNY").text
    assert "1,000 CNY more for life (+10.0%)" in retention_finding(changes, "en", "CNY").text
    unknown = changes.assign(value_change=np.nan)
    assert retention_finding(unknown).text == text("findings.retention_worth_unknown")


def test_who_holds_no_value_is_not_told():
    nothing = pd.DataFrame({"clv_12m": [0.0, 0.0]})
    assert value_held_finding(nothing).text == text("findings.value_held_unknown")
