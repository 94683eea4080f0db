import numpy as np
import pandas as pd
import pytest

from custvalue.errors import DataError, UsageError
from custvalue.labels import labels
from custvalue.matrix import (
    QUADRANTS,
    VALUE_CLASSES,
    MatrixRules,
    sales_margin_matrix,
    value_potential_matrix,
)


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
    assert matrix.notes == ("part_missing:growth", "part_missing:wallet", "part_missing:breadth")
    activity = value_potential_matrix(table.assign(days_since_last=[1, 2, 3]), only("activity"))
    pd.testing.assert_frame_equal(matrix.table, activity.table)


def test_a_part_without_weight_is_not_reported_missing():
    assert value_potential_matrix(members(3), only("growth", "activity")).notes == ()


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
        ({"potential_weights": {"wallet": 2.0, "growth": -1.0}}, "rule_out_of_range"),
        ({"threshold": "middle"}, "rule_out_of_range"),
        ({"threshold": 80}, "rule_out_of_range"),
        ({"gone_days": 0}, "rule_out_of_range"),
    ],
)
def test_wrong_rules_are_refused(wrong, code):
    with pytest.raises(UsageError) as caught:
        MatrixRules(**wrong)
    assert caught.value.code == code
