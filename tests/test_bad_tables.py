"""Odd data frames, Parquet files and workbooks: refused with a reason, or every row and amount accounted for."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from odd_orders import HEAD, accounted, set_aside

from custvalue.config import load_settings
from custvalue.customers import customer_table
from custvalue.errors import DataError, UsageError
from custvalue.pipeline import read

DAYS = ["2024-01-05", "2024-02-10", "2024-03-31"]


def frame(**columns):
    return pd.DataFrame({"customer_id": ["a", "a", "b"], "order_date": DAYS, "amount": [10.0, 20.0, 15.5]} | columns)


def mixed_objects():
    columns = {
        "customer_id": [1, "a", None, 2.0, float("nan"), b"z"],
        "order_date": [dt.date(2024, 1, 5), "2024-01-06", pd.Timestamp("2024-01-31 10:00"), None, pd.NaT, DAYS[0]],
        "amount": [1, "2", 3.5, Decimal("4"), None, np.float32(0.5)],
    }
    return pd.DataFrame(columns, dtype=object)


FRAMES = {
    "mixed": (mixed_objects, 6, 3.5),
    "times": (lambda: frame(order_date=pd.to_datetime(DAYS)), 3, 45.5),
    "zone_east": (lambda: frame(order_date=pd.to_datetime(DAYS).tz_localize("Asia/Shanghai")), 3, 45.5),
    "zone_west": (
        lambda: frame(order_date=(pd.to_datetime(DAYS) + pd.Timedelta("23h")).tz_localize("America/New_York")),
        3,
        45.5,
    ),
    "missing": (lambda: frame(order_date=[pd.NaT, *pd.to_datetime(DAYS[1:])], amount=[1, np.nan, 3]), 3, 3),
    "categories": (lambda: frame().astype({"customer_id": "category", "order_date": "category"}), 3, 45.5),
    "whole_numbers": (lambda: frame(customer_id=[1, 1, 2], order_date=[20240105, 20240210, 20240331]), 3, 45.5),
    "float_ids": (lambda: frame(customer_id=[1.0, np.nan, 2.0]), 3, 25.5),
    "decimals": (lambda: frame(amount=[Decimal("10.123456"), Decimal("20"), None]), 3, 30.1235),
    "sparse": (lambda: frame(amount=pd.arrays.SparseArray([1.0, 2, 3])), 3, 6),
    "intervals": (lambda: frame(x=pd.interval_range(0, 3), y=[[1], {}, None]), 3, 45.5),
    "repeated_index": (lambda: frame().set_axis([0, 0, 0]), 3, 45.5),
    "far_times": (lambda: frame(order_date=np.array(["1899-01-01", *DAYS[:2]], dtype="datetime64[s]")), 3, 35.5),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_of_every_kind(name):
    make, rows, money = FRAMES[name]
    data = make()
    before = data.copy()
    orders = read(data, load_settings(as_of="2024-03-31"))
    pd.testing.assert_frame_equal(data, before)
    assert accounted(orders)["rows_in"] == rows
    assert customer_table(orders)["sales"].sum() == pytest.approx(money, abs=1e-4)
    assert orders.facts["last_date"] <= "2024-03-31"


def test_times_with_a_zone_keep_the_day_of_their_clocks():
    for name in ("zone_east", "zone_west"):
        days = read(FRAMES[name][0]()).table.order_by("row_number").order_date.execute()
        assert [str(day)[:10] for day in days] == DAYS


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame().set_index(["customer_id", "order_date"]), "index_not_read"),
        (pd.concat([frame(), frame()[["amount"]]], axis=1), "duplicate_header"),
        (pd.concat({"x": frame()}, axis=1), "missing_columns"),
        (frame().iloc[:0], "no_rows"),
        (pd.DataFrame(), "no_rows"),
        (frame(amount=[True, False, True]), "no_purchases_bad_amount"),
        (frame(amount=[1j, 2, 3]), "no_purchases_bad_amount"),
        (frame(order_date=pd.PeriodIndex(DAYS, freq="M")), "no_purchases_bad_date"),
        (frame()["amount"], "unknown_data"),
        (None, "unknown_data"),
    ],
)
def test_frames_that_can_not_be_used(data, code):
    with pytest.raises(DataError) as caught:
        read(data)
    assert caught.value.code == code


TABLES = {
    "dates": {"order_date": pa.array([dt.date.fromisoformat(day) for day in DAYS])},
    "zone": {
        "order_date": pa.array([dt.datetime(2024, 3, 30, 20, tzinfo=dt.UTC)] * 3, pa.timestamp("us", "Asia/Tokyo"))
    },
    "numbers": {"customer_id": pa.array([7, 7, 8], pa.int32()), "amount": pa.array([10, 20, 15], pa.uint64())},
    "decimals": {"amount": pa.array([Decimal("10.12")] * 3, pa.decimal128(38, 2))},
    "wide_decimals": {"amount": pa.array([Decimal("10.12")] * 3, pa.decimal256(50, 2))},
    "half": {"amount": pa.array(np.array([1, 2, 3], dtype="float16"))},
    "codes": {"customer_id": pa.array(["x", "y", "x"]).dictionary_encode()},
    "nothing": {"category": pa.nulls(3)},
}


@pytest.mark.parametrize("name", TABLES)
def test_typed_parquet_agrees_with_pandas(name, tmp_path):
    columns = {
        "customer_id": pa.array(["a", "a", "b"]),
        "order_date": pa.array(DAYS),
        "amount": pa.array([10.0, 20, 15.5]),
    }
    pq.write_table(pa.table(columns | TABLES[name]), tmp_path / "o.parquet")
    orders = read(tmp_path / "o.parquet")
    there = pd.read_parquet(tmp_path / "o.parquet")
    assert accounted(orders)["rows_accepted"] == len(there)
    assert orders.facts["money_accepted"] == pytest.approx(there["amount"].astype(float).sum())
    assert orders.facts["customers"] == there["customer_id"].nunique()
    assert orders.facts["last_date"] == "2024-03-31"


def test_workbooks(tmp_path):
    path = tmp_path / "o.xlsx"
    frame(order_date=pd.to_datetime(DAYS), customer_id=["007", "NA", "7"]).to_excel(path, index=False)
    orders = read(path)
    assert accounted(orders)["money_accepted"] == 25.5
    assert list(set_aside(orders)["customer_id"]) == ["NA"]
    with pytest.raises(UsageError, match="its sheets are: Sheet1"):
        read(path, load_settings(read={"sheet": "May"}))
    frame().assign(extra=1).rename(columns={"extra": "amount"}).to_excel(path, index=False)
    with pytest.raises(DataError, match="same name: amount"):
        read(path)
    pd.DataFrame([["Report", None, None], HEAD.strip().split(","), ["1", "2024-01-05", 5]]).to_excel(
        path, index=False, header=False
    )
    with pytest.raises(DataError, match="further down: customer_id"):
        read(path)
