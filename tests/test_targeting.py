"""Targets, tasks and key accounts: closed forms, limits, degenerate sets, what is said where the data are silent."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from custvalue import customer_table, load_settings, read, read_attributes
from custvalue.columns import CUSTOMER_COLUMNS
from custvalue.errors import DataError, UsageError
from custvalue.keyaccounts import FIRST_STEPS, key_accounts
from custvalue.reasons import account_reasons, accounts_sentence, target_reasons
from custvalue.segmentation import behaviour_segments
from custvalue.tables import notes
from custvalue.targeting import (
    CRITERIA,
    TARGET_CLASSES,
    TASKS,
    TargetingRules,
    attractiveness,
    customer_tasks,
    reachable,
)


def customers(n: int, **columns) -> pd.DataFrame:
    """Customers alike in everything but the columns given."""
    alike = {"sales": 100.0, "sales_12m": 50.0, "sales_prior_12m": 50.0, "margin": 30.0, "margin_12m": 15.0}
    alike |= {"n_orders": 4, "n_repeats": 3, "days_since_last": 10, "mean_gap_days": 30.0, "tenure_days": 900}
    table = pd.DataFrame({"customer_id": [f"{i:03}" for i in range(n)], "n_categories": 2, **alike})
    return table.assign(**columns)


def groups(*sizes: int, **columns) -> pd.DataFrame:
    names = np.repeat([chr(97 + i) for i in range(len(sizes))], sizes)
    return customers(len(names), **columns).assign(segment=names)


@pytest.fixture(scope="module")
def shop(sample):
    settings = load_settings("", sample)
    orders = read(sample, settings)
    table = customer_table(orders)
    return table.merge(behaviour_segments(table), on="customer_id"), read_attributes(sample, settings)


# ---- attractiveness


def test_one_criterion_is_the_part_of_the_best_group():
    found = attractiveness(groups(40, 10, 20), rules=TargetingRules(weights={"size": 2})).table
    assert found["attractiveness"].tolist() == [100.0, 25.0, 50.0]
    assert found["target"].tolist() == ["better", "poor", "poor"]


def test_the_total_is_the_weighted_mean_of_the_parts():
    table = groups(10, 10, margin=[40.0] * 10 + [20.0] * 10)
    found = attractiveness(table, rules=TargetingRules(weights={"size": 1, "margin": 3})).table
    assert found["attractiveness"].tolist() == [100.0, pytest.approx((1 + 3 * 0.5) / 4 * 100)]
    assert found["margin_rate"].tolist() == [0.4, 0.2]
    assert found["strongest"].tolist()[0] == "margin"
    assert found["weakest"].tolist()[1] == "margin"


def test_equal_groups_are_all_good_and_nothing_stands_out():
    found = attractiveness(groups(10, 10, 10))
    assert found.table["target"].tolist() == ["good"] * 3
    assert found.table[["strongest", "weakest"]].isna().all(axis=None)
    assert "equal:criterion/size;criterion/growth;criterion/margin;criterion/value" in found.notes
    assert target_reasons(found)["why"].unique().tolist() == ["as the others in every respect"]


def test_small_differences_stay_small():
    attributes = pd.DataFrame(
        {"customer_id": customers(200)["customer_id"], "consent": [1] * 87 + [0] * 13 + [1] * 100}
    )
    found = attractiveness(groups(100, 100), attributes=attributes).table
    assert found["share_reachable"].tolist() == [0.87, 1.0]
    assert found["target"].tolist() == ["good", "good"]


def test_missing_criteria_are_left_out_and_said():
    table = groups(5, 10, margin=np.nan, margin_12m=np.nan)
    found = attractiveness(table)
    assert found.used == ("size", "growth", "value")
    assert {"missing:unknown_criterion/margin;unknown_criterion/reach", "value_past_sales"} <= set(found.notes)
    assert found.table["margin_rate"].isna().all()
    said = str(notes("targeting", found.notes))
    assert "not counted: margin rate (needs margin or cost in the orders); reachability (needs" in said


def test_expected_value_counts_before_past_margin():
    table = groups(2, 2, clv_12m=[10.0, 20.0, 30.0, 40.0])
    found = attractiveness(table)
    assert found.table["value_per_customer"].tolist() == [15.0, 35.0]
    assert not {"value_past_margin", "value_past_sales"} & set(found.notes)


def test_a_customer_without_margin_in_a_year_without_orders_is_worth_nothing():
    table = groups(2, 2, margin_12m=[10.0, 20.0, np.nan, np.nan])
    assert attractiveness(table).table["value_per_customer"].tolist() == [15.0, 0.0]


def test_negative_margins_count_as_nothing_and_are_shown():
    found = attractiveness(groups(5, 5, margin=[-10.0] * 5 + [20.0] * 5), rules=TargetingRules(weights={"margin": 1}))
    assert found.table["margin_rate"].tolist() == [-0.1, 0.2]
    assert found.table["attractiveness"].tolist() == [0.0, 100.0]


def test_growth_that_comes_from_the_cut_is_said():
    table = groups(3, 3, sales_12m=[0.0] * 3 + [9.0] * 3)
    found = attractiveness(table)
    assert found.table["growth"].iloc[0] == -1
    assert "growth_by_cut" in found.notes
    assert "no sales in 12 months" in " ".join(target_reasons(found)["why"])


def test_growth_is_told_as_a_change():
    table = groups(3, 3, sales_12m=[150.0] * 3 + [50.0] * 3, sales_prior_12m=100.0)
    why = target_reasons(attractiveness(table, rules=TargetingRules(weights={"growth": 1})))["why"]
    assert why.tolist()[0].startswith("strongest in growth (+50.0%)")


def test_an_empty_group_has_no_total_and_one_group_is_said():
    table = customers(4).assign(segment=pd.Categorical(["a"] * 4, categories=["a", "b"]))
    found = attractiveness(table)
    assert found.table["n_customers"].tolist() == [4, 0]
    assert found.table[["attractiveness", "target"]].iloc[1].isna().all()
    assert "one_group" in found.notes
    assert target_reasons(found)["segment"].tolist() == ["a"]


def test_one_customer_and_none():
    assert attractiveness(groups(1)).table["target"].tolist() == ["good"]
    assert attractiveness(groups(1).head(0)).table.empty


def test_the_table_given_is_not_changed():
    table = groups(3, 4)
    before = table.copy()
    attractiveness(table)
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize("column", ["no_such", "sales_12m"])
def test_a_missing_column_is_named(column):
    with pytest.raises(UsageError, match=column):
        attractiveness(groups(3).drop(columns=column, errors="ignore"), column if column == "no_such" else "segment")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"size": "much"}, "size"),
        ({"size": -1}, "-1"),
        ({"size": 0, "growth": 0}, "sum > 0"),
        ({"grwth": 1}, "growth"),
        ({"size": float("nan")}, "nan"),
        ({"size": True}, "True"),
    ],
)
def test_weights_that_can_not_be(weights, message):
    with pytest.raises(UsageError, match=message):
        TargetingRules(weights=weights)


@pytest.mark.parametrize(
    "wrong", [{"better_from": 0.9}, {"poor_below": 1.1}, {"means": 0}, {"accounts": 0}, {"care_gaps": 0}]
)
def test_limits_that_can_not_be(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        TargetingRules(**wrong)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([1, 0, 1], [1, 0, 1]),
        ([True, False, True], [1, 0, 1]),
        (["是", "否", None], [1, 0, 0]),
        (["a@example.org", "", "138 0000"], [1, 0, 1]),
        ([1.0, np.nan, 2.0], [1, 0, 1]),
    ],
)
def test_who_may_be_written_to(given, expected):
    people = customers(4)
    attributes = pd.DataFrame({"customer_id": people["customer_id"].head(3), "consent": given})
    found = reachable(people, attributes)
    assert found.head(3).tolist() == expected
    assert np.isnan(found.iloc[3])


# ---- acquire, build, care


def test_every_customer_has_one_task():
    grid = [(r, d, g) for r in (0, 1, 9) for d in (0, 60, 61, 999) for g in (30.0, np.nan)]
    repeats, days, gaps = map(list, zip(*grid, strict=True))
    tasks = customer_tasks(customers(len(grid), n_repeats=repeats, days_since_last=days, mean_gap_days=gaps))["task"]
    assert tasks.notna().all()
    assert set(tasks) == set(TASKS)
    for (repeat, silent, gap), task in zip(grid, tasks, strict=True):
        assert task == ("acquire" if repeat == 0 else "care" if silent <= 2 * gap else "build")


# ---- key accounts


def test_the_best_customer_comes_first_and_the_poor_are_not_looked_at():
    people = customers(100, sales_12m=np.arange(100.0))
    found = key_accounts(people, rules=TargetingRules(accounts=5))
    assert found.table["customer_id"].tolist() == ["099", "098", "097", "096", "095"]
    assert found.looked_at == 19  # a fifth of the 99 who bought
    assert found.table["rank"].tolist() == [1, 2, 3, 4, 5]


def test_equal_customers_at_the_limit_are_not_split():
    found = key_accounts(customers(100), rules=TargetingRules(accounts=5, means=0.1))
    assert found.looked_at == 100
    assert found.table["account_index"].unique().tolist() == [50.0]
    assert set(account_reasons(found)["why"]) == {"good in all, outstanding in none"}


def test_judgement_takes_the_place_of_the_data():
    people = customers(10)
    scores = pd.DataFrame({"customer_id": people["customer_id"], "money": np.arange(10, 0, -1), "authority": 1})
    found = key_accounts(people, scores, TargetingRules(means=0.3, accounts=3))
    assert found.table["customer_id"].tolist() == ["000", "001", "002"]
    assert "accounts_money_from_data" not in found.notes
    assert (
        "accounts_missing:account_part/authority;account_part/need;account_part/wallet;account_part/network"
        in found.notes
    )


def test_a_column_somebody_named_must_be_there_and_hold_numbers():
    people = customers(3)
    with pytest.raises(UsageError, match="budget"):
        key_accounts(people, None, TargetingRules(money="budget"))
    scores = pd.DataFrame({"customer_id": people["customer_id"], "need": ["high", "low", "low"]})
    with pytest.raises(DataError, match="need"):
        key_accounts(people, scores)


def test_first_steps_and_reasons_in_words():
    people = customers(5, sales_12m=[900.0, 800, 700, 600, 500], days_since_last=[10, 10, 10, 99, 10])
    attributes = pd.DataFrame(
        {
            "customer_id": people["customer_id"],
            "referrer": ["004", None, None, "004", None],
            "category_spend_year": [1000, 8000, 710, 700, 510],
        }
    )
    found = key_accounts(people, attributes, TargetingRules(means=1))
    steps = found.table.set_index("customer_id")["first_step"].to_dict()
    assert steps == {
        "000": "through_referrer",
        "001": "ask_wallet",
        "002": "ask_plans",
        "003": "ask_why",
        "004": "thank_network",
    }
    assert set(steps.values()) == set(FIRST_STEPS)
    said = account_reasons(found, currency="CNY").set_index("customer_id")
    assert said.loc["000", "first_step"] == "Ask for an introduction by 004"
    assert "90.0% of the spend goes elsewhere" in said.loc["001", "why"]
    assert "one of the largest buyers" in said.loc["000", "why"]
    assert "brought 2 customers" in said.loc["004", "why"]
    assert account_reasons(found, "zh").set_index("customer_id").loc["000", "first_step"] == "请介绍人引荐：004"
    assert "Start with" in str(accounts_sentence(found, people))


def test_nobody_introduces_himself_and_strangers_do_not_count():
    people = customers(3, sales_12m=[3.0, 2, 1])
    attributes = pd.DataFrame({"customer_id": ["000", "001", "002"], "referrer": ["000", "stranger", ""]})
    found = key_accounts(people, attributes, TargetingRules(means=1))
    assert found.table["referrer"].isna().all()
    assert "through_referrer" not in set(found.table["first_step"])


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_customers(n):
    found = key_accounts(customers(n))
    assert len(found.table) == min(n, 3)
    assert "accounts_few" in found.notes
    assert len(account_reasons(found)) == len(found.table)


def test_nobody_bought_in_the_last_year():
    found = key_accounts(customers(50, sales_12m=0.0))
    assert found.table.empty
    assert str(accounts_sentence(found, customers(50, sales_12m=0.0))) == ""


def test_the_sample(shop):
    table, attributes = shop
    found = attractiveness(table, attributes=attributes)
    assert found.used == CRITERIA
    assert set(found.table["target"]) <= set(TARGET_CLASSES)
    assert found.table["attractiveness"].between(0, 100).all()
    assert found.table.set_index("segment")["attractiveness"].idxmax() == "monthly"
    accounts = key_accounts(table[list(CUSTOMER_COLUMNS)], attributes)
    assert len(accounts.table) == 20
    sales = table.set_index("customer_id")["sales_12m"]
    assert accounts.table["sales_12m"].min() >= sales[sales > 0].quantile(0.79)
    real = attributes.set_index("customer_id")["referrer"].reindex(accounts.table["customer_id"]).to_numpy()
    named = accounts.table["referrer"].notna().to_numpy()
    assert (accounts.table["referrer"].to_numpy()[named] == real[named]).all()
