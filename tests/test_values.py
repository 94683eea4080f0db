"""Single values: ids, money, numbers, days; each by its own form, the column deciding what one value can not."""

from __future__ import annotations

import datetime as dt

import ibis
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custvalue.days import as_date, date_reading
from custvalue.errors import DataError
from custvalue.values import as_id, as_money, as_number, decimal_mark, is_broken_id


def column(values, dtype="str"):
    return ibis.memtable(pd.DataFrame({"x": pd.array(values, dtype=dtype)})).x


def listed(expression):
    found = expression.name("v").as_table().execute()["v"]
    return [None if pd.isna(value) else value for value in found]


def money(values, decimal="."):
    return [None if value is None else float(value) for value in listed(as_money(column(values), decimal))]


def days(values, given="", zone="", day_one=None, dtype="str"):
    x = column(values, dtype)
    return [None if d is None else str(d)[:10] for d in listed(as_date(x, date_reading(x, given, zone, day_one)))]


MONEY = {
    "12.5": 12.5,
    " 1,234.50 ": 1234.5,
    "$90,000 ": 90000,
    "¥1,000": 1000,
    "￥１，０００．５": 1000.5,
    "1 234 567.89": 1234567.89,
    "1\u00a0234.5": 1234.5,
    "1\u202f234.5": 1234.5,
    "1'234.50": 1234.5,
    "1’234": 1234,
    "12,50,000": 1250000,
    "₹12,34,567.89": 1234567.89,
    "EUR 5": 5,
    "5 USD": 5,
    "US$ 3.20": 3.2,
    "R$ 3": 3,
    "12元": 12,
    "1.2万": 12000,
    "-3亿": -300000000,
    "(5.25)": -5.25,
    "($5.25)": -5.25,
    "7.5-": -7.5,
    "-3": -3,
    "−3": -3,
    "- ¥5": -5,
    "¥-5,000": -5000,
    "+4": 4,
    "1e3": 1000,
    ".5": 0.5,
    "0.00005": 0.0001,
    "12345678901234.5678": 12345678901234.5678,
    "abc": None,
    "": None,
    "1,23": None,
    "1.2.3": None,
    "1,2345": None,
    "(5": None,
    "5)": None,
    "--5": None,
    "(-5)": None,
    "1e300": None,
    "nan": None,
    "inf": None,
    "万": None,
    "5%": None,
    "=A1+2": None,
    "2024-01-05": None,
}


def test_money():
    assert dict(zip(MONEY, money(list(MONEY)), strict=True)) == MONEY


def test_money_with_decimal_commas():
    written = {"1.234,50": 1234.5, "12,5": 12.5, "1 234,5": 1234.5, "1'234,5": 1234.5, "-7": -7, "1.234.567": 1234567}
    wrong = {"1.23": None, "1,234,5": None, "1.5": None}
    assert dict(zip(written | wrong, money([*written, *wrong], ","), strict=True)) == written | wrong


def test_money_of_texts_is_exact():
    written = ["12345678901234.5678", "0.1", "1,234.56", "¥3,602,869,014,036.47-", ".5", "1.2万"]
    exact = ["12345678901234.5678", "0.1000", "1234.5600", "-3602869014036.4700", "0.5000", "12000.0000"]
    assert [str(v) for v in listed(as_money(column(written)))] == exact
    commas = as_money(column(["3.602.869.014.036,47", "(1.234)", "7"]), ",")
    assert [str(v) for v in listed(commas)] == ["3602869014036.4700", "-1234.0000", "7.0000"]


def test_typed_money_that_is_none():
    floats = column([1.5, float("inf"), float("nan"), 1e300], "float64")
    assert listed(as_money(floats))[1:] == [None, None, None]
    assert listed(as_money(column([2**62, 5], "int64")))[0] is None
    assert listed(as_number(floats)) == [1.5, None, None, None]


@given(st.decimals(-(10**13), 10**13, places=2))
@settings(max_examples=15, deadline=None)
def test_money_written_in_many_ways_is_the_same_money(value):
    ways = [f"{value}", f"{value:,}", f"¥{abs(value):,}-" if value < 0 else f"{value:,}元"]
    assert set(listed(as_money(column(ways)))) == {value}


def test_the_decimal_mark_is_that_of_all_numbers():
    def mark(*values):
        return decimal_mark(column(list(values)).name("x").as_table(), ["x"])

    assert mark("1.234,50", "7,25") == ","
    assert mark("1,234", "7.25") == "."
    assert mark("1 234,50") == ","
    assert mark("5", "6") == "."
    with pytest.raises(DataError, match=r"1,234 is 1\.234.*or 1234"):
        mark("1,234", "7,25")


DAYS = {
    "2024-02-29": "2024-02-29",
    "2023-02-29": None,
    "2024-13-01": None,
    "1900-02-29": None,
    "2000-02-29": "2000-02-29",
    "2024/1/5 10:30": "2024-01-05",
    "2024.1.5": "2024-01-05",
    "2024-1-5 上午10:30": "2024-01-05",
    "2024/1/5 下午 3:05:00": "2024-01-05",
    "2024年1月5日": "2024-01-05",
    "2024年1月5日10:30": "2024-01-05",
    "２０２４－０１－０５": "2024-01-05",
    "20240105": "2024-01-05",
    "20240105103000": "2024-01-05",
    "20241305": None,
    "2024-01-05T23:59:59Z": "2024-01-05",
    "2024-01-05T23:59:59.123+08:00": "2024-01-05",
    "2024-01-05 10:30 PM": "2024-01-05",
    "5-Jan-2024": "2024-01-05",
    "05 January 2024 10:00": "2024-01-05",
    "5-Jan-24": "2024-01-05",
    "Jan 5, 2024": "2024-01-05",
    "January 5th, 2024": "2024-01-05",
    "Fri, 05 Jan 2024 10:00:00 +0000": "2024-01-05",
    "2024-Jan-05": "2024-01-05",
    "30-Feb-2024": None,
    "5 Foo 2024": None,
    "31.12.2023": "2023-12-31",
    "31.12.23 08:15": "2023-12-31",
    "45292": "2024-01-01",
    "45292.5": "2024-01-01",
    "1704067200": "2024-01-01",
    "1704067200000": "2024-01-01",
    "2024-01-05 garbage": None,
    "garbage": None,
    "n/a": None,
    "": None,
    "12": None,
    "99999999": None,
}


def test_each_day_by_its_own_form():
    assert dict(zip(DAYS, days(list(DAYS)), strict=True)) == DAYS


def test_day_and_month_are_told_apart_by_the_whole_column():
    def order(*values):
        return date_reading(column(list(values))).order

    assert order("03/04/2024", "25/04/2024") == "dmy"
    assert order("03/04/2024", "04/25/2024") == "mdy"
    assert order("04/04/2024") == "dmy"
    assert date_reading(column(["2024-04-03"])).forms == ("ymd",)
    with pytest.raises(DataError, match="2024-04-03 or 2024-03-04"):
        order("03/04/2024", "04/04/2024")


def test_dots_stand_between_day_and_month():
    """No country writes month.day.year with dots."""
    assert days(["03.04.2024", "01.02.24"]) == ["2024-04-03", "2024-02-01"]


def test_years_of_two_digits():
    assert days(["13-01-97", "13-01-24"], "dmy") == ["1997-01-13", "2024-01-13"]
    assert days(["24/1/5"], "ymd") == ["2024-01-05"]
    assert days(["24/1/5", "24/11/30 08:00"]) == ["2024-01-05", "2024-11-30"]
    year_first = [f"{year}/{month}/{day}" for year in (23, 24) for month in (1, 2) for day in range(1, 29)]
    assert days(year_first)[:2] == ["2023-01-01", "2023-01-02"]
    assert days(year_first)[-1] == "2024-02-28"


def test_numbers_in_typed_columns():
    assert days([45292, 45351], dtype="int64") == ["2024-01-01", "2024-02-29"]
    assert days([45292.75, float("nan")], dtype="float64") == ["2024-01-01", None]
    assert days([20240105.0, 20240229.0], dtype="float64") == ["2024-01-05", "2024-02-29"]
    assert days([1704067200.0], dtype="float64") == ["2024-01-01"]


def test_counts_of_days_need_their_first_day():
    assert days(["1", "711"], day_one=dt.date(2014, 1, 1)) == ["2014-01-01", "2015-12-12"]
    with pytest.raises(DataError, match=r"counts of days, from 1 to 711.*day_one"):
        days(["1", "711"])


INSTANTS = [
    ("2024-01-01T16:00:00Z", "Asia/Shanghai", "2024-01-02"),
    ("2024-01-01T15:59:59Z", "Asia/Shanghai", "2024-01-01"),
    ("2024-01-01 23:30:00 +0800", "Asia/Shanghai", "2024-01-01"),
    ("2024-01-01 11:30 PM +0000", "Asia/Shanghai", "2024-01-02"),
    ("2024-07-01T16:30:00-07:00", "Asia/Shanghai", "2024-07-02"),
    ("2024-01-01 23:30:00", "Asia/Shanghai", "2024-01-01"),
    ("1704067199", "America/New_York", "2023-12-31"),
    ("1704067199000", "Asia/Shanghai", "2024-01-01"),
    ("2024-03-30T22:59:59Z", "Europe/Berlin", "2024-03-30"),
    ("2024-03-31T21:59:59Z", "Europe/Berlin", "2024-03-31"),
    ("2024-03-31T22:00:00Z", "Europe/Berlin", "2024-04-01"),
]


@pytest.mark.parametrize("zone", sorted({zone for _, zone, _ in INSTANTS}))
def test_an_instant_falls_on_the_day_of_the_zone(zone):
    cases = [(text, day) for text, place, day in INSTANTS if place == zone]
    assert days([text for text, _ in cases], zone=zone) == [day for _, day in cases]


@given(st.lists(st.datetimes(dt.datetime(2022, 1, 1), dt.datetime(2024, 12, 30)), min_size=1, max_size=8))
@settings(max_examples=8, deadline=None)
def test_local_days_agree_with_the_time_zone_database(instants):
    from zoneinfo import ZoneInfo

    zone = ZoneInfo("Europe/Berlin")
    written = [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in instants]
    assert days(written, zone="Europe/Berlin") == [
        str(at.replace(tzinfo=dt.UTC).astimezone(zone).date()) for at in instants
    ]


def test_ids_are_text():
    ids = {
        "007": "007",
        "17850.0": "17850",
        " 5 ": "5",
        "1234567890123456789": "1234567890123456789",
        "1.50": "1.50",
        "'007": "007",
        '="0012"': "0012",
        "００７": "007",
        "A-1": "A-1",
        "": None,
        "NaN": None,
    }
    assert dict(zip(ids, listed(as_id(column(list(ids)))), strict=True)) == ids
    assert listed(as_id(column([17850.0, None, 1.5], "float64"))) == ["17850", None, "1.5"]
    assert listed(as_id(column([1234567890123456789], "int64"))) == ["1234567890123456789"]


def test_ids_whose_digits_are_lost():
    texts = ["1.2346E+18", "1,23E+15", "2E+15", "1E5", "12E+18", "17850", "", None]
    assert listed(is_broken_id(column(texts))) == [True, True, True, False, False, False, False, False]
    assert listed(is_broken_id(column([1.2346e18, 17850.0, None], "float64"))) == [True, False, False]
