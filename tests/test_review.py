"""The monthly review: scorecard, movement, totals, next actions; against known truth on the sample."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools

import numpy as np
import pandas as pd
import pytest

from custvalue import pyramid, review
from custvalue.beside import read_attributes, with_contact_cost
from custvalue.columns import SCORECARD_COLUMNS
from custvalue.config import adjusted, load_settings
from custvalue.customers import customer_table
from custvalue.history import earlier_month
from custvalue.labels import labels
from custvalue.movement import movement_matrix, moves
from custvalue.pipeline import forecast_orders, read
from custvalue.review import (
    ACTION_RULES,
    ACTIONS,
    actions_summary,
    first_step,
    labelled,
    month_before,
    save_scorecard,
    scorecard,
    totals,
)
from custvalue.timelines import orders_by_month


@pytest.fixture(scope="module")
def month(sample):
    """Orders, forecast and the two scorecards of the sample's last month."""
    settings = load_settings(data=sample)
    orders = read(sample, settings)
    customers = customer_table(orders)
    attributes = read_attributes(sample, settings)
    forecast = forecast_orders(orders, customers, settings)
    now = review.month(customers, orders.as_of, settings, attributes, forecast)
    before = earlier_month(orders, settings, attributes, forecast)
    return orders, customers, before, now, now.scorecard


@pytest.fixture(scope="module")
def truth(sample):
    return pd.read_csv(sample / "truth.csv", dtype={"customer_id": "str"}).set_index("customer_id")


def test_scorecard_has_the_columns_and_every_customer_once(month):
    _, customers, _, _, now = month
    assert tuple(now.columns[: len(SCORECARD_COLUMNS)]) == SCORECARD_COLUMNS
    assert list(now["customer_id"]) == list(customers["customer_id"])
    assert not now[list(SCORECARD_COLUMNS)].isna().any(axis=None)


def test_forecast_of_the_sample_meets_the_truth(month, truth):
    """The simulated shop knows what each customer will do: total within 5 %, P(alive) calibrated."""
    now = month[4].set_index("customer_id")
    expected = truth.loc[now.index]
    assert now["expected_orders_12m"].sum() == pytest.approx(expected["expected_orders_12m"].sum(), rel=0.05)
    bins = (now["p_alive"] * 5).clip(upper=4.999).astype(int)
    gap = (now["p_alive"] - expected["alive"]).groupby(bins).mean().abs()
    assert bins.value_counts().min() > 100
    assert gap.max() < 0.05


def test_stages_of_the_sample_agree_with_who_is_alive(month, truth):
    now = month[4].set_index("customer_id")
    alive = truth["alive"].groupby(now["stage"].astype(str)).mean()
    assert alive["drop"] < 0.2 < alive["decline"] < 0.8 < alive[["cultivate", "grow", "stable", "identify"]].min()


def test_labelled_puts_the_words_behind_each_code(month):
    table = labelled(month[4].head(50), "zh")
    assert list(table.columns[:10])[7:] == ["segment", "segment_label", "rfm_group"]
    assert set(table["tier_label"]) <= set(labels("tier", "zh").values())


def test_saved_scorecard_reads_back_alike_from_both_files(month, tmp_path):
    now = month[4].head(200)
    save_scorecard(now, tmp_path, "zh")
    csv = pd.read_csv(tmp_path / "scorecard.csv", dtype={"customer_id": "str"}, encoding="utf-8-sig")
    parquet = pd.read_parquet(tmp_path / "scorecard.parquet")
    assert list(csv.columns) == list(parquet.columns)
    assert list(csv["stage_label"]) == list(parquet["stage_label"])
    np.testing.assert_allclose(csv["clv_12m"], now["clv_12m"])
    save_scorecard(now, "")


def test_movement_counts_every_customer_known_before(month):
    before, now = month[2].scorecard, month[4]
    for kind in ("tier", "stage", "segment"):
        counts = movement_matrix(before, now, kind)
        assert list(counts.index) == list(counts.columns) == list(labels(kind))
        assert counts.to_numpy().sum() == len(before)
    table = moves(before, now).set_index("kind")
    assert (table["n_same"] + table["n_moved"] == len(before)).all()
    assert (table["n_new"] == len(now) - len(before)).all()


def test_movement_by_hand():
    before = pd.DataFrame({"customer_id": ["a", "b", "c"], "tier": ["gold", "lead", "lead"]})
    now = pd.DataFrame({"customer_id": ["a", "b", "c", "d"], "tier": ["gold", "iron", "lead", "lead"]})
    assert movement_matrix(before, now, "tier").loc["lead", "iron"] == 1
    assert moves(before, now, ("tier",)).iloc[0, 1:].tolist() == pytest.approx([2, 1, 1, 1 / 3])


def test_totals_compare_the_month_with_the_one_before(month):
    orders, _, before, now, _ = month
    months = orders_by_month(orders)
    table = totals(months, before, now).set_index("total")
    assert table.loc["sales", "this_month"] == months["sales"].iloc[-1]
    assert table.loc["n_customers", "month_before"] == len(before.scorecard)
    assert table.loc["new_customers", "this_month"] == len(now.scorecard) - len(before.scorecard)
    assert table.loc["sales", "change"] == pytest.approx(months["sales"].iloc[-1] / months["sales"].iloc[-2] - 1)


def test_totals_know_the_same_month_a_year_before_where_it_is_whole(month):
    orders, _, before, now, _ = month
    months = orders_by_month(orders)
    table = totals(months, before, now).set_index("total")
    assert table.loc["sales", "year_before"] == months["sales"].iloc[-13]
    assert table.loc["buyers", "change_year"] == pytest.approx(
        months["n_customers"].iloc[-1] / months["n_customers"].iloc[-13] - 1
    )
    assert table.loc[["n_customers", "clv_12m"], "year_before"].isna().all()
    first_may_be_cut = totals(months.tail(13).reset_index(drop=True), before, now).set_index("total")
    assert first_may_be_cut[["year_before", "change_year"]].isna().all(axis=None)


def test_the_first_month_of_a_shop_has_nothing_to_compare_with(rows):
    settings = load_settings(as_of="2024-01-31")
    orders = read(rows, settings)
    now = review.month(customer_table(orders), orders.as_of, settings)
    before = earlier_month(orders, settings)
    table = totals(orders_by_month(orders), before, now).set_index("total")
    assert before.scorecard.empty
    assert before.notes == ("first",)
    assert np.isnan(table.loc["sales", "month_before"])
    assert moves(before.scorecard, now.scorecard)["share_moved"].isna().all()


def test_totals_say_nothing_of_a_month_that_is_not_the_one_before(month):
    orders, _, before, now, _ = month
    older = dataclasses.replace(before, as_of=dt.date(2025, 9, 30))
    table = totals(orders_by_month(orders), older, now).set_index("total")["month_before"]
    assert table[["new_customers", "n_customers", "clv_12m", "value_at_risk"]].isna().all()
    assert table["sales"] > 0


def test_every_kind_of_customer_has_one_action():
    kinds = ("tier", "quadrant", "value_class", "segment", "stage")
    assert set(kinds) < set(review.KINDS)
    grid = pd.DataFrame(list(itertools.product(*(labels(kind) for kind in kinds))), columns=kinds)
    hits = pd.DataFrame({code: when(grid).to_numpy(dtype=bool) for code, when in ACTION_RULES})
    assert hits.any(axis=1).all()
    assert set(hits.idxmax(axis=1)) == set(ACTIONS) == {code for code, _ in ACTION_RULES}


def test_first_step_is_never_to_do_less():
    steps = pd.DataFrame({"action": ["let_rest", "win_back"], "n_customers": [9, 1], "value_at_risk": [99.0, 1.0]})
    assert first_step(steps)["action"] == "win_back"
    assert first_step(steps.head(1))["action"] == "let_rest"


def test_actions_add_up(month):
    now = month[4]
    steps = actions_summary(now)
    assert steps["n_customers"].sum() == len(now)
    assert steps["clv_12m"].sum() == pytest.approx(now["clv_12m"].sum())


def test_month_before_crosses_the_year():
    assert month_before(dt.date(2024, 1, 31)) == dt.date(2023, 12, 31)


def test_without_margins_the_labels_claim_nothing_about_them(rows):
    orders = read(rows)
    now = scorecard(customer_table(orders), orders.as_of, load_settings())
    assert set(now["quadrant"]) <= {"high_high", "low_low"}
    assert set(labelled(now)["quadrant_label"]) == set(labels("quadrant_sales_only").values())


def test_tiers_by_profit_are_those_of_the_pyramid(month, sample):
    """Messages count as a cost on every page: with them some customers stand in another tier than without."""
    orders, customers, _, _, _ = month
    settings = load_settings(data=sample)
    settings = adjusted(settings, pyramid=adjusted(settings.pyramid, by="profit_12m"))
    attributes = read_attributes(sample, settings)
    served = with_contact_cost(attributes, sample, orders.as_of, settings)
    forecast = forecast_orders(orders, customers, settings)
    valued = pyramid.with_profit(customers, settings.pyramid, served)
    expected = pyramid.pyramid(valued, settings.pyramid)["tier"].tolist()
    found, without = (
        scorecard(customers, orders.as_of, settings, table, forecast)["tier"].tolist() for table in (served, attributes)
    )
    assert found == expected
    assert found != without
