"""Cleaning: every row accepted or set aside with a reason; rows and money add up."""

from __future__ import annotations

import datetime as dt

import ibis
import pandas as pd
import pytest
from conftest import real_file
from hypothesis import given, settings
from hypothesis import strategies as st

from custvalue.errors import DataError, UsageError
from custvalue.sources import ReadRules, read_source
from custvalue.transactions import CleanRules, clean, last_complete_month
from custvalue.values import as_date, as_id, as_money, date_reading


def cleaned(frame, rules=None, **kwargs):
    return clean(read_source(frame), rules, **kwargs)


def reasons(orders):
    table = orders.quality.query("rows > 0")
    return dict(zip(table["reason"], table["rows"], strict=True))


def column(values):
    return ibis.memtable(pd.DataFrame({"x": pd.array(values, dtype="str")})).x


@pytest.mark.parametrize(
    ("text", "money"),
    [
        ("12.5", 12.5),
        (" 1,234.50 ", 1234.5),
        ("$90,000 ", 90000),
        ("¥1,000", 1000),
        ("(5.25)", -5.25),
        ("7.5-", -7.5),
        ("-3", -3),
        ("1e3", 1000),
        (".5", 0.5),
        ("abc", None),
        ("", None),
        ("1,23", None),
        ("1.2.3", None),
        ("1e300", None),
        ("nan", None),
        ("inf", None),
        ("12,50,000", None),
    ],
)
def test_money(text, money):
    value = as_money(column([text])).as_table().execute().iloc[0, 0]
    assert (None if pd.isna(value) else float(value)) == money


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-02-29", "2024-02-29"),
        ("2023-02-29", None),
        ("2024/1/5 10:30", "2024-01-05"),
        ("20240105", "2024-01-05"),
        ("2024-01-05T23:59:59Z", "2024-01-05"),
        ("2024年1月5日", "2024-01-05"),
        ("2024-13-01", None),
        ("n/a", None),
        ("", None),
    ],
)
def test_dates(text, day):
    value = as_date(column([text]), "ymd").as_table().execute().iloc[0, 0]
    assert (None if pd.isna(value) else str(value)[:10]) == day


def test_day_and_month_are_told_apart_by_the_whole_column():
    assert date_reading(column(["03/04/2024", "25/04/2024"])) == "dmy"
    assert date_reading(column(["03/04/2024", "04/25/2024"])) == "mdy"
    assert date_reading(column(["2024-04-03"])) == "ymd"
    assert date_reading(column(["04/04/2024"])) == "dmy"
    with pytest.raises(DataError, match="2024-04-03 or 2024-03-04"):
        date_reading(column(["03/04/2024", "04/04/2024"]))


def test_two_digit_years():
    days = as_date(column(["13-01-97", "13-01-24"]), "dmy").as_table().execute().iloc[:, 0]
    assert [str(d)[:10] for d in days] == ["1997-01-13", "2024-01-13"]


def test_given_date_order_decides(rows):
    frame = rows.assign(order_date=["01/02/2024"] * 6)
    orders = clean(read_source(frame), read_rules=ReadRules(date_order="mdy"))
    assert orders.facts["first_date"] == "2024-01-02"


def test_ids_are_text():
    ids = as_id(column(["007", "17850.0", " 5 ", "1234567890123456789", "1.50"])).as_table().execute().iloc[:, 0]
    assert list(ids) == ["007", "17850", "5", "1234567890123456789", "1.50"]
    floats = ibis.memtable(pd.DataFrame({"x": [17850.0, None]})).x
    assert as_id(floats).as_table().execute().iloc[0, 0] == "17850"


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


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["1", "2", "", "nan", "007"]),
            st.sampled_from(["2024-01-05", "2024-02-30", "", "garbage", "1970-01-01", "2024-03-01", "2150-01-01"]),
            st.one_of(st.integers(-999, 9999).map(str), st.sampled_from(["", "x", "1,5", "(2)", "1e99", "0"])),
        ),
        min_size=1,
        max_size=40,
    )
)
@settings(max_examples=40, deadline=None)
def test_rows_and_money_always_add_up(dirt):
    frame = pd.DataFrame([("1", "2024-01-01", "9.99"), *dirt], columns=["customer_id", "date", "amount"])
    orders = cleaned(frame)
    facts, quality = orders.facts, orders.quality
    assert facts["rows_in"] == len(frame) == facts["rows_accepted"] + facts["rows_quarantined"]
    assert facts["money_in"] == pytest.approx(facts["money_accepted"] + facts["money_quarantined"])
    assert orders.table.count().execute() == facts["rows_accepted"]
    assert orders.quarantine.count().execute() == facts["rows_quarantined"]
    assert quality["money"].sum() == pytest.approx(facts["money_in"], abs=0.005)


def test_last_complete_month_needs_the_last_day():
    assert last_complete_month(dt.date(2024, 2, 28)) == dt.date(2024, 1, 31)
    assert last_complete_month(dt.date(2024, 2, 29)) == dt.date(2024, 2, 29)
    assert last_complete_month(dt.date(2024, 2, 10), first=dt.date(2024, 2, 1)) == dt.date(2024, 2, 10)


def test_online_retail_check_sums():
    orders = clean(read_source(real_file("online_retail/online_retail.csv.gz")))
    facts = orders.facts
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


def test_cdnow_check_sums():
    facts = clean(read_source(real_file("cdnow/CDNOW_master.txt"), columns={"amount": "dollar_value"})).facts
    assert (facts["rows_accepted"], facts["customers"], facts["money_accepted"]) == (
        69_659,
        23_570,
        2_500_315.63,
    )
    assert (facts["first_date"], facts["last_date"]) == ("1997-01-01", "1998-06-30")
