"""Cleaning: every row accepted or set aside with a reason; rows and money add up."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from conftest import real_file
from hypothesis import given, settings
from hypothesis import strategies as st

from custvalue.customers import customer_table
from custvalue.errors import DataError, UsageError
from custvalue.returns import counted
from custvalue.sources import ReadRules, read_source
from custvalue.transactions import CleanRules, clean, last_complete_month


def cleaned(frame, rules=None, **kwargs):
    return clean(read_source(frame), rules, **kwargs)


def reasons(orders):
    table = orders.quality.query("rows > 0")
    return dict(zip(table["reason"], table["rows"], strict=True))


def test_given_date_order_decides(rows):
    frame = rows.assign(order_date=["01/02/2024"] * 6)
    orders = clean(read_source(frame), read_rules=ReadRules(date_order="mdy"))
    assert orders.facts["first_date"] == "2024-01-02"


def test_every_reason(rows):
    dirt = pd.DataFrame(
        {
            "customer_id": ["", "1", "1", "1", "1", "1"],
            "order_date": [
                "2024-01-01",
                "2024-13-01",
                "1970-01-01",
                "2099-01-01",
                "2024-03-09",
                "2024-01-01",
            ],
            "amount": ["1", "2", "3", "4", "5", "x"],
        }
    )
    orders = cleaned(pd.concat([rows, dirt]), as_of=dt.date(2024, 2, 29))
    assert reasons(orders) == {
        "purchased": 5,
        "returned": 1,
        "no_customer": 1,
        "bad_date": 1,
        "impossible_date": 2,
        "after_as_of": 1,
        "bad_amount": 1,
    }
    quarantine = orders.quarantine.execute()
    assert list(quarantine["row_number"]) == [7, 8, 9, 10, 11, 12]
    assert quarantine["amount"].iloc[-1] == "x"


def test_zero_price_is_set_aside_but_a_zero_amount_is_an_order():
    priced = pd.DataFrame({"customer_id": ["1", "1"], "date": ["2024-01-01"] * 2, "quantity": [2, 1], "price": [0, 5]})
    assert reasons(cleaned(priced)) == {"purchased": 1, "zero_price": 1}
    assert reasons(cleaned(priced, CleanRules(zero_price="keep"))) == {"purchased": 2}
    plain = pd.DataFrame({"customer_id": ["1", "1"], "date": ["2024-01-01"] * 2, "amount": [0, 5]})
    assert reasons(cleaned(plain)) == {"purchased": 2}


def test_duplicates_are_kept_unless_asked_and_all_but_the_first_dropped(rows):
    twice = pd.concat([rows, rows.iloc[[0, 0]]])
    assert reasons(cleaned(twice)) == {"purchased": 7, "returned": 1}
    dropped = cleaned(twice, CleanRules(duplicates="drop"))
    assert reasons(dropped) == {"purchased": 5, "returned": 1, "duplicate": 2}
    assert list(dropped.quarantine.execute()["row_number"]) == [7, 8]


def test_margin_comes_from_margin_else_cost_else_rate_else_nothing(rows):
    both = rows.assign(cost=["1"] * 6, margin=["2"] * 6)
    assert cleaned(both).table.margin.sum().execute() == 12
    assert cleaned(both.drop(columns="margin")).table.margin.sum().execute() == pytest.approx(62.5 - 6)
    rated = cleaned(rows, margin_rate=0.4)
    assert (rated.margin_from, float(rated.table.margin.sum().execute())) == (
        "margin_rate",
        pytest.approx(25),
    )
    assert cleaned(rows).margin_from == ""


def test_attributes_must_exist(rows):
    assert "tone" in cleaned(rows.assign(tone="hi"), attributes=("tone",)).table.columns
    with pytest.raises(UsageError, match="does not have: tone"):
        cleaned(rows, attributes=("tone",))


def test_missing_columns_name_what_is_there(rows):
    with pytest.raises(DataError, match=r"lacks: customer_id.*order_id, order_date, amount, category"):
        cleaned(rows.drop(columns="customer_id"))
    with pytest.raises(DataError, match="lacks: amount"):
        cleaned(rows.drop(columns="amount").assign(quantity=1))


def test_refunds_only_and_nothing_usable(rows):
    with pytest.raises(DataError, match="only returns: each of the 6"):
        cleaned(rows.assign(amount="-1"))
    with pytest.raises(DataError, match="is empty in 6 rows"):
        cleaned(rows.assign(customer_id=""), as_of=last_complete_month)


def test_bad_policy():
    with pytest.raises(UsageError, match="keep, drop"):
        CleanRules(duplicates="maybe")


DIRT = st.tuples(
    st.sampled_from(["1", "2", "", "nan", "007", "'007", "1.23E+18"]),
    st.sampled_from(["2024-01-05", "2024-02-30", "", "garbage", "1970-01-01", "5-Jan-2024", "2150-01-01", "45300"]),
    st.one_of(st.integers(-999, 9999).map(str), st.sampled_from(["", "x", "1,5", "(2)", "1e99", "0", "9.99", "-9.99"])),
    st.sampled_from(["", "1", "-1", "x"]),
    st.sampled_from(["", "paid", "Cancelled", "交易关闭"]),
)


@given(st.lists(DIRT, min_size=1, max_size=40))
@settings(max_examples=15, deadline=None)
def test_rows_and_money_always_add_up(dirt):
    names = ["customer_id", "date", "amount", "quantity", "status"]
    frame = pd.DataFrame([("1", "2024-01-01", "9.99", "", ""), *dirt], columns=names)
    orders = cleaned(frame)
    facts, quality = orders.facts, orders.quality
    assert facts["rows_in"] == len(frame) == facts["rows_accepted"] + facts["rows_quarantined"]
    assert facts["money_in"] == pytest.approx(facts["money_accepted"] + facts["money_quarantined"])
    assert orders.table.count().execute() == facts["rows_accepted"]
    assert orders.quarantine.count().execute() == facts["rows_quarantined"]
    assert quality["money"].sum() == pytest.approx(facts["money_in"], abs=0.005)
    assert float(orders.table.amount.sum().execute()) == pytest.approx(facts["money_accepted"], abs=0.005)


def test_orders_that_were_never_completed(rows):
    status = ["Paid", " cancelled ", "VOIDED", "交易关闭", "partially_refunded", ""]
    orders = cleaned(rows.assign(status=status))
    assert reasons(orders) == {"purchased": 2, "returned": 1, "not_completed": 3}
    own = cleaned(rows.assign(status=status), CleanRules(not_completed=("paid",)))
    assert list(own.quarantine.execute()["row_number"]) == [1]
    with pytest.raises(DataError, match=r"cancelled or not paid, for example \"Refunded\""):
        cleaned(rows.assign(status="Refunded"))


def test_ids_that_lost_their_digits_are_not_merged(rows):
    orders = cleaned(rows.assign(customer_id=["1.2346E+18"] * 2 + list(rows["customer_id"][2:])))
    assert reasons(orders)["broken_id"] == 2
    floats = rows.assign(customer_id=[1.2346e18] * 2 + [1.0, 2.0, 2.0, 3.0])
    assert reasons(cleaned(floats))["broken_id"] == 2
    with pytest.raises(DataError, match=r"digits of the customer number.*1\.2346E\+18"):
        cleaned(rows.assign(customer_id="1.2346E+18"))


def test_an_order_number_that_lost_its_digits_joins_no_orders(rows):
    orders = cleaned(rows.assign(order_id="1.2346E+18"))
    assert orders.table.order_id.notnull().sum().execute() == 0
    assert reasons(orders) == {"purchased": 5, "returned": 1}


def test_money_and_pieces_of_opposite_sign():
    frame = pd.DataFrame(
        {
            "customer_id": ["1", "1", "1", "1", "2"],
            "date": ["2024-01-01"] * 5,
            "quantity": [2, -2, -2, 2, 1],
            "price": [5.0, 5.0, -5.0, -5.0, 3.0],
        }
    )
    assert reasons(cleaned(frame)) == {"purchased": 2, "returned": 2, "sign_conflict": 1}
    assert list(cleaned(frame).quarantine.execute()["row_number"]) == [3]


def test_amounts_far_beyond_all_others_are_named_but_kept():
    amounts = [10, 12, 14, 15, 18, 20, 22, 25] * 5 + [80_000]
    frame = pd.DataFrame({"customer_id": "1", "date": "2024-01-05", "amount": amounts})
    orders = cleaned(frame)
    found = orders.facts["extreme_amounts"]
    assert (found["rows"], found["money"], found["largest"]) == (1, 80_000, 80_000)
    assert orders.facts["rows_accepted"] == 41
    assert orders.notes == ("extreme_amounts:1",)
    assert cleaned(frame.iloc[:40]).notes == ()
    assert cleaned(frame.iloc[30:]).facts["extreme_amounts"]["rows"] == 0


def test_the_time_zone_decides_on_which_day_an_instant_falls(rows):
    frame = rows.iloc[:2].assign(order_date=["2024-01-01T23:30:00Z", "2024-01-02T01:00:00Z"])
    assert cleaned(frame).facts["first_date"] == "2024-01-01"
    assert cleaned(frame, timezone="Asia/Shanghai").facts["first_date"] == "2024-01-02"


def test_last_complete_month_needs_the_last_day():
    assert last_complete_month(dt.date(2024, 2, 28)) == dt.date(2024, 1, 31)
    assert last_complete_month(dt.date(2024, 2, 29)) == dt.date(2024, 2, 29)
    assert last_complete_month(dt.date(2024, 2, 10), first=dt.date(2024, 2, 1)) == dt.date(2024, 2, 10)


@pytest.fixture(scope="module")
def online_retail():
    return clean(read_source(real_file("online_retail/online_retail.csv.gz")))


def test_online_retail_check_sums(online_retail):
    orders, facts = online_retail, online_retail.facts
    assert (facts["rows_in"], facts["money_in"]) == (541_909, 9_747_747.93)
    assert facts["money_accepted"] == 8_300_065.81
    assert facts["customers"] == 4_338
    assert reasons(orders) == {
        "purchased": 397_884,
        "returned": 8_905,
        "no_customer": 135_080,
        "zero_price": 40,
    }
    assert orders.quality.set_index("reason").loc["purchased", "money"] == pytest.approx(8_911_407.90, abs=0.005)


def test_online_retail_nets_the_80995_pieces(online_retail):
    orders = online_retail
    assert (orders.facts["rows_accepted"], orders.facts["money_accepted"]) == (406_789, 8_300_065.81)
    table = orders.table
    big = table.filter(table.quantity.abs() == 80_995).order_by("row_number").execute()
    assert big["cancelled_on"].astype(str).str[:10].tolist() == ["2011-12-09"] * 2
    assert float(counted(table, orders.as_of).amount.sum().execute()) == pytest.approx(8_300_065.81, abs=0.005)
    assert orders.facts["extreme_amounts"]["largest"] == 168_469.60
    assert "16446" in set(customer_table(orders)["customer_id"])


def test_cdnow_check_sums():
    facts = clean(read_source(real_file("cdnow/CDNOW_master.txt"), columns={"amount": "dollar_value"})).facts
    assert (facts["rows_accepted"], facts["customers"], facts["money_accepted"]) == (
        69_659,
        23_570,
        2_500_315.63,
    )
    assert (facts["first_date"], facts["last_date"]) == ("1997-01-01", "1998-06-30")
