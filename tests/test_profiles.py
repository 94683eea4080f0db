import pandas as pd
import pytest

from custvalue.errors import UsageError
from custvalue.profiles import profile


@pytest.fixture
def customers():
    return pd.DataFrame(
        {
            "customer_id": list("abcde"),
            "group": pd.Categorical(["y", "x", "y", "y", None], ["z", "y", "x"], ordered=True),
            "sales": [10.0, 60.0, 20.0, -10.0, 20.0],
            "margin": [1.0, 6.0, 2.0, -1.0, 2.0],
            "n_orders": [1, 9, 3, 8, 2],
            "days_since_last": [5, 1, 7, 9, 3],
            "mean_order_value": [10.0, 6.0, 8.0, 3.0, 10.0],
        }
    )


def test_every_category_has_a_row_in_its_order_and_nobody_is_lost(customers):
    result = profile(customers, "group")
    assert result["group"].tolist()[:3] == ["z", "y", "x"]
    assert result["group"].isna().tolist() == [False, False, False, True]
    assert result["n_customers"].tolist() == [0, 3, 1, 1]


def test_figures_of_a_group(customers):
    row = profile(customers, "group").set_index("group").loc["y"]
    assert row["sales"] == 20
    assert row["share_sales"] == pytest.approx(0.2)
    assert row["share_margin"] == pytest.approx(0.2)
    assert row["median_orders"] == 3
    assert row["median_days_since_last"] == 7
    assert row["mean_order_value"] == 7


def test_empty_group_has_no_customers_no_sales_and_no_median(customers):
    row = profile(customers, "group").set_index("group").loc["z"]
    assert (row["share_customers"], row["share_sales"]) == (0, 0)
    assert pd.isna(row["median_orders"])


@pytest.mark.parametrize("column", ["customers", "sales", "margin"])
def test_shares_add_up_to_one(customers, column):
    assert profile(customers, "group")[f"share_{column}"].sum() == pytest.approx(1)


def test_shares_of_a_zero_total_are_unknown(customers):
    zero = customers.assign(sales=[10.0, -10.0, 0.0, 0.0, 0.0])
    assert profile(zero, "group")["share_sales"].isna().all()


def test_unknown_margin_has_no_columns(customers):
    columns = profile(customers.assign(margin=float("nan")), "group").columns
    assert not {"margin", "share_margin"} & set(columns)


def test_lifetime_columns_are_summed_where_present(customers):
    result = profile(customers.assign(clv_12m=2.0), "group").set_index("group")
    assert result.loc["y", "clv_12m"] == 6
    assert "value_at_risk" not in result


def test_an_attribute_that_is_no_category_is_sorted(customers):
    result = profile(customers.assign(region=["n", "s", "n", "e", "e"]), "region")
    assert result["region"].tolist() == ["e", "n", "s"]


def test_unknown_column_names_the_nearest(customers):
    with pytest.raises(UsageError) as caught:
        profile(customers, "grop")
    assert (caught.value.code, caught.value.values["nearest"]) == ("unknown_column", "group")
