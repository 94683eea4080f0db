import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest

from custvalue.beside import read_attributes, read_cuts
from custvalue.config import adjusted, load_settings
from custvalue.customers import customer_table
from custvalue.errors import DataError, UsageError
from custvalue.indices import CURRENT_PARTS, JUDGED, POTENTIAL_PARTS, share_of_wallet
from custvalue.labels import LANGUAGES, catalogue, labels
from custvalue.matrix import (
    AXES,
    QUADRANTS,
    THRESHOLDS,
    VALUE_CLASSES,
    MatrixRules,
    cut_points,
    matrix_moves,
    sales_margin_matrix,
    value_potential_matrix,
)
from custvalue.pipeline import forecast_orders, read, two_months
from custvalue.pyramid import PyramidRules, pyramid, tier_cuts, with_profit
from custvalue.review import scorecard
from custvalue.tables import cut_words, notes


def members(n, **columns):
    """n equal customers of long standing, some columns replaced."""
    table = pd.DataFrame(
        {
            "customer_id": [f"{i:03d}" for i in range(n)],
            "sales": 100.0,
            "margin": 30.0,
            "sales_12m": 50.0,
            "sales_prior_12m": 50.0,
            "margin_12m": 15.0,
            "tenure_days": 900,
            "days_since_last": 10,
            "mean_gap_days": 20.0,
            "n_categories": pd.array([2] * n, dtype="Int64"),
        }
    )
    return table.assign(**columns)


def only(*parts):
    return MatrixRules(potential_weights=dict.fromkeys(parts, 1.0))


def test_codes_stand_in_the_order_of_the_labels():
    assert list(labels("quadrant")) == list(QUADRANTS)
    assert list(labels("value_class")) == list(VALUE_CLASSES)
    assert list(labels("part")) == list(dict.fromkeys((*CURRENT_PARTS, *POTENTIAL_PARTS)))
    assert set(JUDGED) <= {*CURRENT_PARTS, *POTENTIAL_PARTS}
    assert {f"cut_{kind}" for kind in THRESHOLDS} == {k for k in catalogue("findings") if k.startswith("cut_")}


def test_first_word_is_sales_second_is_margin():
    table = members(4, sales=[10.0, 20.0, 90.0, 80.0], margin=[5.0, 2.0, 45.0, 8.0])
    matrix = sales_margin_matrix(table)
    assert matrix.table["quadrant"].tolist() == ["low_high", "low_low", "high_high", "high_low"]
    assert (matrix.x, matrix.y, matrix.x_cut, matrix.notes) == ("sales", "margin_rate", 50.0, ())
    assert matrix.y_cut == pytest.approx(0.3)


@pytest.mark.parametrize("threshold", ["median", "mean", 0.8])
def test_equal_customers_are_all_low_and_never_split(threshold):
    rules = MatrixRules(threshold=threshold)
    assert set(sales_margin_matrix(members(7), rules).table["quadrant"]) == {"low_low"}
    assert value_potential_matrix(members(7), rules).table["value_class"].nunique() == 1


@pytest.mark.parametrize(("threshold", "n_high"), [("median", 5), ("mean", 1), (0.8, 2)])
def test_thresholds(threshold, n_high):
    table = members(10, sales=[1.0, 2, 3, 4, 5, 6, 7, 8, 9, 1000], margin=[0.1, *[3.0] * 9])
    quadrant = sales_margin_matrix(table, MatrixRules(threshold=threshold)).table["quadrant"]
    assert quadrant.str.startswith("high").sum() == n_high


def test_cuts_of_an_earlier_month_can_be_kept():
    table = members(3, sales=[10.0, 20.0, 30.0], margin=[1.0, 10.0, 3.0])
    matrix = sales_margin_matrix(table, cuts=(5.0, 0.4))
    assert matrix.table["quadrant"].tolist() == ["high_low", "high_high", "high_low"]
    assert (matrix.x_cut, matrix.y_cut) == (5.0, 0.4)


@pytest.mark.parametrize(
    ("margin", "note"), [([np.nan] * 4, "margin_unknown"), ([3.0, 6.0, 9.0, 0.0], "margin_rate_constant")]
)
def test_a_margin_that_tells_nothing_leaves_sales_on_both_axes(margin, note):
    matrix = sales_margin_matrix(members(4, sales=[10.0, 20.0, 30.0, 0.0], margin=margin))
    assert matrix.notes == (note,)
    assert (matrix.y, matrix.y_cut) == ("sales", matrix.x_cut)
    assert matrix.table["quadrant"].tolist() == ["low_low", "high_high", "high_high", "low_low"]


def test_customers_without_net_sales_have_rate_zero():
    table = members(4, sales=[0.0, -5.0, 10.0, 20.0], margin=[-3.0, -5.0, 1.0, 4.0])
    assert sales_margin_matrix(table).table["margin_rate"].tolist() == [0.0, 0.0, 0.1, 0.2]


def test_only_refunds_or_one_customer_or_none():
    assert sales_margin_matrix(members(2, sales=[-1.0, -2.0])).notes == ("margin_rate_constant",)
    assert sales_margin_matrix(members(1)).table["quadrant"].tolist() == ["low_low"]
    assert sales_margin_matrix(members(1).head(0)).table.empty


def test_current_value_is_the_percentile_of_the_margin_and_of_sales_without_one():
    table = members(4, margin_12m=[4.0, 3.0, 2.0, np.nan], sales_12m=[1.0, 2.0, 3.0, 0.0])
    assert value_potential_matrix(table).table["current_value"].tolist() == [87.5, 62.5, 37.5, 12.5]
    unknown = value_potential_matrix(table.assign(margin_12m=np.nan))
    assert unknown.table["current_value"].tolist() == [37.5, 62.5, 87.5, 12.5]


@pytest.mark.parametrize(
    ("part", "columns"),
    [
        ("growth", {"sales_12m": [10.0, 50.0, 90.0]}),
        ("breadth", {"n_categories": pd.array([5, 3, 1], dtype="Int64")}),
        ("activity", {"days_since_last": [60, 30, 3]}),
    ],
)
def test_each_part_ranks_customers_from_least_to_most_potential(part, columns):
    table = value_potential_matrix(members(3, **columns), only(part)).table
    assert table["potential"].tolist() == pytest.approx([100 / 6, 50, 500 / 6])


def test_wallet_ranks_the_spend_left_elsewhere_and_lacks_for_unknown_customers():
    attributes = pd.DataFrame({"customer_id": ["002", "000"], "category_spend_year": [60.0, 500.0]})
    table = value_potential_matrix(members(3), only("wallet"), attributes).table
    assert table["potential"].tolist() == [75.0, 50.0, 25.0]


def test_unknown_parts_are_named_and_left_out():
    table = members(3, tenure_days=400, n_categories=pd.array([None] * 3, dtype="Int64"))
    matrix = value_potential_matrix(table.assign(days_since_last=[1, 2, 3]))
    lacking = "service_cost;image;growth;wallet;breadth;referrals;knowledge"
    assert matrix.notes == (f"parts_missing:{lacking}",)
    said = str(notes("matrix", matrix.notes))
    assert said.startswith("Not known from these data, so left out of the indices: cost of serving")
    assert "; spending elsewhere (needs category_spend_year" in said
    activity = value_potential_matrix(table.assign(days_since_last=[1, 2, 3]), only("activity"))
    pd.testing.assert_frame_equal(matrix.table, activity.table)
    known = matrix.parts.set_index("part")["n_known"]
    assert known[known > 0].to_dict() == {"purchase": 3, "activity": 3}


def test_a_part_without_weight_is_not_reported_missing():
    rules = MatrixRules(current_weights={"purchase": 1}, potential_weights={"growth": 1, "activity": 1})
    assert value_potential_matrix(members(3), rules).notes == ()


def test_weights_shift_the_index():
    table = members(2, sales_12m=[90.0, 10.0], n_categories=pd.array([9, 1], dtype="Int64"))
    heavy = MatrixRules(potential_weights={"growth": 3.0, "breadth": 1.0})
    assert value_potential_matrix(table, heavy).table["potential"].tolist() == [62.5, 37.5]


def test_a_customer_silent_for_over_a_year_has_no_potential():
    table = members(4, days_since_last=[365, 366, 900, 1], margin_12m=[1.0, 9.0, 9.0, 1.0])
    result = value_potential_matrix(table, only("growth")).table
    assert result["potential"].tolist()[1:3] == [0.0, 0.0]
    assert result["value_class"].tolist()[1:3] == ["secondary_value", "secondary_value"]


def test_where_most_customers_are_gone_the_cuts_divide_those_who_are_left():
    table = members(11, days_since_last=[400] * 7 + [1, 2, 3, 4], margin_12m=[0.0] * 7 + [4.0, 3.0, 2.0, 1.0])
    classes = value_potential_matrix(table).table["value_class"].tolist()
    assert classes == ["low_value"] * 7 + ["high_value"] * 2 + ["low_value"] * 2


def test_where_everybody_is_gone_the_cuts_divide_them_all():
    table = members(4, days_since_last=[400] * 4, margin_12m=[4.0, 3.0, 2.0, 1.0])
    classes = value_potential_matrix(table).table["value_class"].tolist()
    assert classes == ["secondary_value"] * 2 + ["low_value"] * 2


def test_all_one_time_buyers_still_differ_in_activity():
    table = members(3, mean_gap_days=np.nan, days_since_last=[9, 4, 1])
    assert value_potential_matrix(table, only("activity")).table["potential"].is_monotonic_increasing


def test_indices_stay_between_0_and_100_and_the_input_is_left_alone():
    rng = np.random.default_rng(2)
    table = members(
        200,
        margin_12m=np.nan,
        sales_12m=rng.normal(20, 40, 200),
        sales_prior_12m=rng.normal(20, 40, 200),
        days_since_last=rng.integers(0, 800, 200),
    )
    before = table.copy()
    result = value_potential_matrix(table).table
    assert result[["current_value", "potential"]].apply(lambda index: index.between(0, 100)).all(axis=None)
    assert set(result["value_class"]) == set(VALUE_CLASSES)
    pd.testing.assert_frame_equal(table, before)


def test_attributes_with_a_customer_twice_are_refused():
    attributes = pd.DataFrame({"customer_id": ["000", "000"], "category_spend_year": [1.0, 2.0]})
    with pytest.raises(DataError) as caught:
        value_potential_matrix(members(2), attributes=attributes)
    assert caught.value.values == {"n": 1, "example": "000"}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"potential_weights": {"walet": 1.0}}, "unknown_weight"),
        ({"potential_weights": {"wallet": 0.0}}, "rule_out_of_range"),
        ({"potential_weights": {"wallet": 2.0, "growth": -1.0}}, "weight_not_number"),
        ({"potential_weights": {"wallet": "much"}}, "weight_not_number"),
        ({"potential_weights": {"wallet": float("nan")}}, "weight_not_number"),
        ({"potential_weights": {"wallet": True}}, "weight_not_number"),
        ({"current_weights": {"service_cost": 1.0}}, "rule_out_of_range"),
        ({"current_weights": {"growth": 1.0}}, "unknown_weight"),
        ({"thresholds": {"margin": "mean"}}, "unknown_axis"),
        ({"thresholds": {"potential": "share:0.8"}}, "rule_out_of_range"),
        ({"thresholds": {"sales": "share:80"}}, "rule_out_of_range"),
        ({"thresholds": {"sales": "amount:much"}}, "rule_out_of_range"),
        ({"thresholds": {"sales": "amount:nan"}}, "rule_out_of_range"),
        ({"thresholds": {"sales": None}}, "rule_out_of_range"),
        ({"referral_share": 1.5}, "rule_out_of_range"),
        ({"threshold": "middle"}, "rule_out_of_range"),
        ({"threshold": 80}, "rule_out_of_range"),
        ({"gone_days": 0}, "rule_out_of_range"),
    ],
)
def test_wrong_rules_are_refused(wrong, code):
    with pytest.raises(UsageError) as caught:
        MatrixRules(**wrong)
    assert caught.value.code == code


def test_a_weight_that_is_no_number_says_what_to_write():
    with pytest.raises(UsageError, match=r'weight of "wallet" in potential_weights is \'much\'.*wallet = 1'):
        adjusted(MatrixRules(), potential_weights={"wallet": "much"})


def test_the_fewest_customers_who_hold_a_share_of_the_total_are_high():
    table = members(5, sales=[50.0, 30.0, 10.0, 6.0, 4.0], margin=[9.0, 9.0, 1.0, 1.0, 1.0])
    for share, n_high in ((0.5, 1), (0.51, 2), (0.8, 2), (0.9, 3), (0.97, 5)):
        matrix = sales_margin_matrix(table, MatrixRules(thresholds={"sales": f"share:{share}"}))
        high = matrix.table["sales"] > matrix.x_cut
        assert high.sum() == n_high, share
        assert table["sales"][high.to_numpy()].sum() >= share * 100


def test_a_share_of_a_total_below_zero_is_cut_at_the_median():
    table = members(3, sales=[-50.0, 30.0, 10.0], margin=[9.0, 9.0, 1.0])
    assert sales_margin_matrix(table, MatrixRules(threshold="share:0.8")).x_cut == 10.0


def test_each_axis_can_have_its_own_threshold():
    table = members(4, sales=[10.0, 20.0, 90.0, 80.0], margin=[5.0, 2.0, 45.0, 8.0])
    rules = MatrixRules(threshold="mean", thresholds={"sales": "amount:15", "margin_rate": 0.9})
    matrix = sales_margin_matrix(table, rules)
    assert (matrix.x_cut, matrix.y_cut) == (15.0, 0.5)
    assert matrix.table["quadrant"].tolist() == ["low_low", "high_low", "high_low", "high_low"]
    assert set(rules.thresholds) < set(AXES)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("threshold", ["median", "mean", 0.8, "share:0.8", "amount:30"])
def test_the_page_states_the_limits_that_were_used(threshold, language):
    table = members(4, sales=[10.0, 20.0, 90.0, 80.0], margin=[5.0, 2.0, 45.0, 8.0])
    matrix = sales_margin_matrix(table, MatrixRules(thresholds={"sales": threshold}))
    said = cut_words(matrix, language, "CNY").text
    kind = {"median": "median", "mean": "mean", 0.8: "quantile", "share:0.8": "share", "amount:30": "amount"}[threshold]
    words = {"median": "median", "mean": "mean", "quantile": "80%", "share": "80%", "amount": "config"}
    chinese = {"median": "中位数", "mean": "平均数", "quantile": "80%", "share": "80%", "amount": "配置"}
    sales, rate = said.split("Margin rate: " if language == "en" else "毛利率：")
    assert (words if language == "en" else chinese)[kind] in sales
    assert f"{matrix.x_cut:.2f}" in sales
    assert "30.0%" in rate
    assert words["median"] in rate or chinese["median"] in rate


def test_cuts_are_saved_and_read_back_as_text():
    table = members(4, sales=[10.0, 20.0, 90.0, 80.0], margin=[5.0, 2.0, 45.0, 8.0])
    first = sales_margin_matrix(table)
    kept = pd.concat([cut_points(first), cut_points(value_potential_matrix(table))]).astype(str)
    richer = table.assign(sales=table["sales"] * 3, margin=table["margin"] * 3)
    again = sales_margin_matrix(richer, cuts=kept)
    assert (again.x_cut, again.y_cut, again.x_rule) == (first.x_cut, first.y_cut, "frozen")
    assert again.table["quadrant"].str.startswith("high").sum() == 3
    assert "kept from another month" in str(cut_words(again))
    assert value_potential_matrix(table, cuts=kept).y_rule == "frozen"


def test_frozen_limits_that_are_no_table_of_limits_are_refused():
    table = members(4, sales=[10.0, 20.0, 90.0, 80.0], margin=[5.0, 2.0, 45.0, 8.0])
    with pytest.raises(DataError, match=r"frozen limits lacks: cut, kind"):
        sales_margin_matrix(table, cuts=pd.DataFrame({"cut_of": ["sales"]}))
    wrong = pd.DataFrame({"kind": ["quadrant"], "cut_of": ["sales"], "cut": ["high"]})
    with pytest.raises(DataError, match=r'"high", which is no number'):
        sales_margin_matrix(table, cuts=wrong)


def test_the_cost_of_serving_lowers_the_current_value_as_money():
    table = members(3, margin_12m=[100.0, 90.0, 10.0])
    cost = pd.DataFrame({"customer_id": ["000"], "service_cost": [50]})
    current = value_potential_matrix(table, attributes=cost).table["current_value"]
    assert current.tolist() == pytest.approx([50, 500 / 6, 100 / 6])
    free = MatrixRules(current_weights={"purchase": 1})
    assert value_potential_matrix(table, free, cost).table["current_value"].iloc[0] == pytest.approx(500 / 6)


def test_judgement_counts_beside_the_data():
    table = members(2, margin_12m=[9.0, 1.0])
    judged = pd.DataFrame({"customer_id": ["000", "001"], "image_score": [1, 5], "payment": [2, 4]})
    assert value_potential_matrix(table, attributes=judged).table["current_value"].tolist() == [50.0, 50.0]
    rules = MatrixRules(judgement={"payment": "payment"}, current_weights={"purchase": 1, "payment": 3})
    matrix = value_potential_matrix(table, rules, judged)
    assert matrix.table["current_value"].tolist() == [37.5, 62.5]
    assert matrix.parts["part"].tolist()[:2] == ["purchase", "payment"]


def test_a_judgement_that_is_not_in_the_file_or_no_number_is_refused():
    rules = MatrixRules(judgement={"image": "fame"})
    with pytest.raises(UsageError, match=r'"image" from the column "fame".*It has: customer_id'):
        value_potential_matrix(members(2), rules, pd.DataFrame({"customer_id": ["000"]}))
    words = pd.DataFrame({"customer_id": ["000", "001"], "image_score": ["good", "3"]})
    with pytest.raises(DataError, match=r'"image_score".*1 values are none, for example "good"'):
        value_potential_matrix(members(2), attributes=words)


def test_expected_value_and_customers_brought_are_parts_of_the_potential():
    table = members(3, clv_12m=[1.0, 3.0, 2.0], margin_12m=[5.0, 7.0, 9.0])
    assert MatrixRules().needs == ()
    future = only("future")
    assert future.needs == ("clv_12m",)
    assert value_potential_matrix(table, future).table["potential"].tolist() == pytest.approx([100 / 6, 500 / 6, 50])
    brought = pd.DataFrame({"customer_id": ["001", "002"], "referrer": ["000", "001"]})
    result = value_potential_matrix(table, only("referrals"), brought).table["potential"]
    assert result.tolist() == pytest.approx([500 / 6, 50, 100 / 6])


def test_share_of_wallet_of_the_course_example():
    table = members(2, sales_12m=[100.0, 300.0]).assign(tier=["x", "y"])
    spend = pd.DataFrame({"customer_id": ["000", "001"], "category_spend_year": [1000, 0]})
    found = share_of_wallet(table, "tier", spend)
    assert found["share_of_wallet"].tolist() == [0.10]
    assert share_of_wallet(table, "tier", None).empty


@pytest.mark.parametrize("cuts", [(1e9, 0.0), (0.0, -1.0)])
def test_limits_that_leave_cells_empty_are_told(cuts):
    table = members(5, sales=[10.0, 20.0, 30.0, 90.0, 80.0], margin=[5.0, 2.0, 3.0, 45.0, 8.0])
    matrix = sales_margin_matrix(table, cuts=cuts)
    assert matrix.notes[0] == "one_cell"
    assert "All customers stand in one cell" in str(notes("matrix", matrix.notes))
    half = sales_margin_matrix(table, cuts=(25.0, 0.9))
    assert half.notes == ("cell_empty:high_high", "cell_empty:low_high")
    assert '"Low sales, high margin rate"' in str(notes("matrix", half.notes))


def test_moves_are_counted_between_equal_limits_only():
    table = members(4, sales=[10.0, 20.0, 90.0, 80.0], margin=[5.0, 2.0, 45.0, 8.0])
    before = sales_margin_matrix(table)
    later = pd.concat([table.assign(sales=[95.0, 20.0, 90.0, 80.0], margin=[50.0, 2.0, 45.0, 8.0]), members(5).tail(1)])
    now = sales_margin_matrix(later, cuts=cut_points(before))
    moves = matrix_moves(before, now)
    assert moves["n_customers"].sum() == 4
    gone = moves.set_index(["from_code", "to_code"]).loc[("low_high", "high_high")]
    assert (gone["n_customers"], gone["x_from"], gone["x_to"]) == (1, 10.0, 95.0)
    with pytest.raises(UsageError, match=r"can not be compared: one is cut at sales 50, margin_rate 0\.3, the other"):
        matrix_moves(before, sales_margin_matrix(later))


@pytest.mark.parametrize("n", [0, 1, 3, 50, 500])
def test_small_shops(n):
    rng = np.random.default_rng(n)
    table = members(n, sales=rng.lognormal(5, 1, n), margin=rng.lognormal(3, 1, n), margin_12m=rng.lognormal(3, 1, n))
    for make in (sales_margin_matrix, value_potential_matrix):
        matrix = make(table)
        assert len(matrix.table) == n
        assert matrix.table[matrix.kind].notna().all()
        assert matrix_moves(matrix, matrix)["n_customers"].sum() == n


def test_negative_margins_and_one_category():
    table = members(4, margin=[-5.0, 10.0, 20.0, 30.0], margin_12m=[-5.0, 1.0, 2.0, 3.0])
    matrix = value_potential_matrix(table)
    assert matrix.table["current_value"].tolist() == [12.5, 37.5, 62.5, 87.5]
    assert sales_margin_matrix(table).table["margin_rate"].iloc[0] == -0.05
    assert sales_margin_matrix(table).notes == ("cell_empty:high_high", "cell_empty:high_low")


def test_a_margin_limit_below_zero_is_told():
    table = members(4, sales=[10.0, 20.0, 30.0, 40.0], margin=[-5.0, -1.0, -2.0, -9.0])
    matrix = sales_margin_matrix(table)
    assert matrix.notes[-1] == "loss_is_high"
    assert "below zero" in str(notes("matrix", matrix.notes))


def test_rates_that_differ_by_the_rounding_of_costs_only_are_the_same():
    sales = np.array([33.33, 47.11, 95.21])
    table = members(3, sales=sales, margin=(sales * 0.3).round(2))
    assert sales_margin_matrix(table).notes == ("margin_rate_constant",)


def test_limits_kept_in_the_data_folder_hold_for_the_scorecard(sample, tmp_path):
    orders, settings = read(sample), load_settings(data=sample)
    customers = customer_table(orders)
    kept = pd.concat([cut_points(sales_margin_matrix(customers, cuts=(2_000.0, 0.3))), tier_cuts(pyramid(customers))])
    kept.to_csv(tmp_path / "cuts.csv", index=False)
    cuts = read_cuts(tmp_path)
    early = customer_table(orders, dt.date(2024, 6, 30))
    card = scorecard(early, dt.date(2024, 6, 30), settings, read_attributes(sample), cuts=cuts)
    high = card["quadrant"].isin(["high_high", "high_low"])
    assert (high == (card["sales"] > 2_000)).all()
    platinum = float(kept.loc[kept["cut_of"] == "platinum", "cut"].iloc[0])
    assert ((card["tier"] == "platinum") == (card["sales"] >= platinum)).all()


def test_the_scorecard_and_the_page_agree_where_expected_value_and_profit_count(sample):
    settings = load_settings(data=sample)
    rules = MatrixRules(potential_weights={"future": 1, "activity": 1})
    settings = dataclasses.replace(settings, matrix=rules, pyramid=PyramidRules(by="profit_12m", cost_per_order=20.0))
    orders, attributes = read(sample, settings), read_attributes(sample)
    now, before = two_months(orders, settings, rules.needs)
    assert len(before) < len(now)
    card = scorecard(
        now.drop(columns="clv_12m"), orders.as_of, settings, attributes, forecast_orders(orders, now, settings)
    )
    page = value_potential_matrix(now, rules, attributes).table
    assert card["value_class"].tolist() == page["value_class"].tolist()
    served = with_profit(now, settings.pyramid, attributes)
    assert card["tier"].tolist() == pyramid(served, settings.pyramid)["tier"].tolist()


def test_the_month_before_the_first_order_is_empty(rows):
    early = rows.assign(order_date="2024-02-10")
    now, before = two_months(read(early), load_settings(as_of="2024-02-29"), ["clv_12m"])
    assert len(now) == 3
    assert before.empty
    assert "clv_12m" in before
    earlier = value_potential_matrix(before)
    assert earlier.table.empty
    assert matrix_moves(earlier, value_potential_matrix(now, cuts=cut_points(earlier))).empty
