"""The customer table: by hand, against pandas, and on real data."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from conftest import real_file

from custvalue.columns import CUSTOMER_COLUMNS
from custvalue.config import load_settings
from custvalue.customers import customer_expression, customer_table, day_rows
from custvalue.pipeline import read
from custvalue.returns import counted
from custvalue.timelines import orders_by_month


def test_by_hand(rows):
    table = customer_table(read(rows)).set_index("customer_id")
    one, two = table.loc["01"], table.loc["02"]
    assert (one["n_orders"], one["n_repeats"], one["days_since_last"], one["tenure_days"]) == (2, 1, 29, 59)
    assert (one["sales"], one["mean_order_value"], one["mean_gap_days"]) == (35.5, 17.75, 30)
    assert (one["main_category"], one["n_categories"], one["repeat_sales"]) == ("x", 2, 20)
    assert (two["n_orders"], two["n_repeats"], two["sales"], two["returns"], two["n_returns"]) == (
        1,
        0,
        20,
        10,
        1,
    )
    assert np.isnan(two["mean_gap_days"])
    assert np.isnan(one["sd_gap_days"])
    assert np.isnan(one["margin"])


def test_columns_are_the_contract(rows):
    assert tuple(customer_table(read(rows)).columns) == CUSTOMER_COLUMNS


def test_returns_alone_make_no_customer(rows):
    refund = pd.DataFrame({"customer_id": ["09"], "order_date": ["2024-02-01"], "amount": ["-5"]})
    assert "09" not in set(customer_table(read(pd.concat([rows, refund])))["customer_id"])


def test_as_of_cuts_the_history(rows):
    orders = read(rows)
    early = customer_table(orders, dt.date(2024, 1, 30)).set_index("customer_id")
    assert list(early.index) == ["01"]
    assert (early.loc["01", "n_repeats"], early.loc["01", "sales"]) == (0, 15.5)
    assert customer_table(orders, dt.date(2023, 1, 1)).empty


def test_without_order_ids_a_day_is_an_order(rows):
    table = customer_table(read(rows.drop(columns="order_id"))).set_index("customer_id")
    assert list(table["n_orders"]) == [2, 1, 1]


def test_last_twelve_months_and_the_ones_before():
    frame = pd.DataFrame(
        {
            "customer_id": "1",
            "order_date": ["2022-03-01", "2023-02-28", "2023-03-01", "2024-02-28"],
            "amount": [1, 2, 4, 8],
        }
    )
    table = customer_table(read(frame, load_settings(as_of="2024-02-28"))).iloc[0]
    assert (table["sales_12m"], table["sales_prior_12m"], table["n_orders_12m"]) == (12, 3, 2)


def test_leap_day_counts_as_a_day():
    frame = pd.DataFrame({"customer_id": "1", "order_date": ["2024-02-28", "2024-03-01"], "amount": [1, 1]})
    assert customer_table(read(frame, load_settings(as_of="2024-03-01"))).loc[0, "mean_gap_days"] == 2


def test_attributes_of_the_latest_row(rows):
    frame = rows.assign(city=["A", "A", "B", "C", "C", "D"])
    table = customer_table(read(frame, load_settings(attributes=["city"])), attributes=("city",))
    assert list(table["city"]) == ["B", "C", "D"]


def test_against_pandas_on_the_sample(sample):
    orders = read(sample)
    table = customer_table(orders).set_index("customer_id")
    rows = (
        counted(orders.table, orders.as_of)
        .execute()
        .assign(amount=lambda t: t["amount"].astype(float), margin=lambda t: t["margin"].astype(float))
    )
    bought = rows[rows["amount"] >= 0]
    by = bought.groupby("customer_id")
    assert (by["order_date"].nunique() - 1).equals(table["n_repeats"].rename("order_date"))
    expected = rows.groupby("customer_id")[["amount", "margin"]].sum().loc[table.index]
    np.testing.assert_allclose(table[["sales", "margin"]], expected, atol=1e-6)
    days = bought.drop_duplicates(["customer_id", "order_date"]).sort_values(["customer_id", "order_date"])
    gaps = pd.to_datetime(days["order_date"]).groupby(days["customer_id"]).diff().dt.days.groupby(days["customer_id"])
    np.testing.assert_allclose(table["mean_gap_days"], gaps.mean().loc[table.index])
    np.testing.assert_allclose(table["sd_gap_days"], gaps.std().loc[table.index])


def test_months_are_complete_and_add_up(rows):
    gap = pd.concat([rows, pd.DataFrame({"customer_id": ["5"], "order_date": ["2024-05-31"], "amount": ["3"]})])
    months = orders_by_month(read(gap))
    assert list(months["month"].dt.month) == [1, 2, 3, 4, 5]
    assert list(months["n_orders"]) == [2, 2, 0, 0, 1]
    assert months["sales"].sum() == pytest.approx(65.5)


def test_cdnow_worked_customer():
    settings = load_settings(columns={"customer_id": "id"}, read={"header": ["m", "id", "date", "quantity", "amount"]})
    orders = read(real_file("cdnow/CDNOW_sample.txt"), settings)
    table = customer_table(orders, dt.date(1997, 9, 30)).set_index("customer_id")
    assert len(table) == 2_357
    first = table.loc["0001"]
    assert first["n_repeats"] == 2
    assert (first["last_order"] - first["first_order"]).days / 7 == pytest.approx(30.43, abs=0.005)
    assert first["tenure_days"] / 7 == pytest.approx(38.86, abs=0.005)


def test_an_attribute_may_be_called_like_a_step_on_the_way(rows):
    orders = read(rows)
    steps = ("place", "gap", "returned_12m", "attribute_0")
    named = orders.table.mutate(**{name: orders.table.category for name in steps})
    table = customer_expression(named, orders.as_of, steps).execute()
    assert all(list(table[name]) == ["x", "x", "y"] for name in steps)


def test_the_sum_of_log_gaps_by_hand():
    days = ["2024-01-01", "2024-01-08", "2024-01-08", "2024-03-01", "2024-02-01"]
    frame = pd.DataFrame({"customer_id": ["1", "1", "1", "1", "2"], "order_date": days, "amount": 1})
    table = customer_table(read(frame, load_settings(as_of="2024-03-31"))).set_index("customer_id")
    assert table.loc["1", "sum_log_gaps"] == pytest.approx(np.log(7) + np.log(53))
    assert table.loc["2", "sum_log_gaps"] == 0


def test_sums_of_money_are_exact_whatever_the_order():
    """Ten thousand times 0.1 is 1,000, in doubles only where they hold whole numbers; small and large in any order."""
    rng = np.random.default_rng(4)
    large = ["99999999.99", "-0.01", "12345678.91"]
    amounts = np.array(["0.1"] * 10_000 + large)
    days = np.array(["2024-01-01", "2024-02-01"]).repeat([5_000, 5_003])
    found = []
    for _ in range(2):
        at = rng.permutation(len(amounts))
        frame = pd.DataFrame({"customer_id": "1", "order_date": days[at], "amount": amounts[at]})
        table = customer_table(read(frame, load_settings(as_of="2024-03-31")))
        assert table["sales"].item() == 112_346_678.89
        assert table["repeat_sales"].item() == 112_346_178.90
        assert table["returns"].item() == 0.01
        found.append(table)
    pd.testing.assert_frame_equal(*found, check_exact=True)


def test_days_of_a_customer_hold_exact_money():
    frame = pd.DataFrame({"customer_id": "1", "order_date": "2024-01-01", "amount": ["0.1", "0.2", "-0.7001"]})
    orders = read(frame, load_settings(as_of="2024-01-31"))
    row = day_rows(orders.table).execute().iloc[0]
    assert (row["bought"], row["returned"], row["n_returns"]) == (Decimal("0.3"), Decimal("0.7001"), 1)


def test_a_day_of_returns_does_not_break_the_gap_around_it():
    frame = pd.DataFrame(
        {
            "customer_id": "1",
            "order_date": ["2024-01-01", "2024-01-05", "2024-01-11", "2024-01-12", "2024-01-31"],
            "amount": [10, -2, 10, -2, 10],
        }
    )
    row = customer_table(read(frame, load_settings(as_of="2024-01-31"))).iloc[0]
    assert (row["n_repeats"], row["mean_gap_days"], row["n_returns"]) == (2, 15.0, 2)
    assert row["sum_log_gaps"] == pytest.approx(np.log(10) + np.log(20))
    assert row["sd_gap_days"] == pytest.approx(np.sqrt(50))
    assert (row["sales"], row["repeat_sales"]) == (26.0, 20.0)
