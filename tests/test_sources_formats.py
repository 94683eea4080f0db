"""Every door gives the same orders: packed text, JSON, workbooks, Parquet, folders, databases and frames."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import zipfile

import duckdb
import ibis
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from odd_orders import put

from custvalue.config import load_settings
from custvalue.databases import masked
from custvalue.errors import DataError, UsageError
from custvalue.pipeline import read
from custvalue.sources import ReadRules, read_frame, read_source

HEAD = ["customer_id", "order_date", "amount"]
ROWS = [("007", "2024-01-05", 10.5), ("1234567890123456789", "2024-02-10", 20.0), ("a", "2024-03-31", 15.25)]
FRAME = pd.DataFrame(ROWS, columns=HEAD)


def orders(data, **options):
    table = read_source(data, **options).table.order_by("row_number").execute()
    days = [str(day)[:10] for day in table["order_date"]]
    return list(zip(table["customer_id"].astype(str), days, table["amount"].astype(float), strict=True))


def xls(path):
    import xlwt

    book = xlwt.Workbook()
    sheet = book.add_sheet("A")
    for y, row in enumerate([HEAD, *ROWS]):
        for x, value in enumerate(row):
            sheet.write(y, x, value)
    book.save(str(path))


def sqlite(path):
    with sqlite3.connect(path) as there:
        FRAME.to_sql("orders", there, index=False)
        there.execute("CREATE TABLE other (x)")


def duck(path):
    with duckdb.connect(str(path)) as there:
        there.execute("CREATE TABLE orders (customer_id TEXT, order_date DATE, amount DECIMAL(9, 2))")
        there.executemany("INSERT INTO orders VALUES (?, ?, ?)", ROWS)
        there.execute("CREATE TABLE other (x INTEGER)")


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__MACOSX/._o.csv", "x")
        archive.writestr("shop/o.csv", FRAME.to_csv(index=False))


WRITERS = {
    "o.csv.bz2": lambda path: FRAME.to_csv(path, index=False),
    "o.csv.xz": lambda path: FRAME.to_csv(path, index=False),
    "o.csv.zip": zipped,
    "o.zip": zipped,
    "o.jsonl": lambda path: FRAME.to_json(path, orient="records", lines=True),
    "o.ndjson.gz": lambda path: FRAME.to_json(path, orient="records", lines=True),
    "o.json": lambda path: FRAME.to_json(path, orient="records", indent=1),
    "o.xlsx": lambda path: FRAME.to_excel(path, index=False),
    "o.xls": xls,
    "tab.xls": lambda path: FRAME.to_csv(path, sep="\t", index=False),
    "o.parquet": lambda path: FRAME.to_parquet(path),
    "o.sqlite": sqlite,
    "o.duckdb": duck,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_orders(name, tmp_path):
    WRITERS[name](tmp_path / name)
    before = (tmp_path / name).read_bytes()
    assert orders(tmp_path / name) == ROWS
    assert (tmp_path / name).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_frames_of_other_libraries():
    import polars

    table = pa.Table.from_pandas(FRAME)
    own = ibis.duckdb.connect().create_table("mine", table)
    for data in (polars.from_arrow(table), polars.from_arrow(table).lazy(), table, table.to_reader(), own):
        assert orders(data) == ROWS
    with pytest.raises(DataError, match="Give a path"):
        read_source(polars.Series([1]))


def test_parts_of_a_table_count_on_and_keep_their_file(tmp_path):
    FRAME.to_csv(tmp_path / "b.csv", index=False)
    FRAME[HEAD[::-1]].to_csv(tmp_path / "a.csv.gz", index=False)
    put(tmp_path / "c.csv", "customer_id,order_date,amount\nx,2024-01-01\nfaçade,2024-01-01,5\n", "cp1252")
    put(tmp_path / "customers.csv", "customer_id,city\n007,Rome\n")
    put(tmp_path / ".hidden.csv", "x")
    for data in (tmp_path, str(tmp_path / "[abc].csv*")):
        source = read_source(data)
        table = source.table.order_by("row_number").execute()
        assert list(table["row_number"]) == [1, 2, 3, 4, 5, 6, 8]
        assert list(table["source_file"]) == ["a.csv.gz"] * 3 + ["b.csv"] * 3 + ["c.csv"]
        assert source.ragged == ((7, "x,2024-01-01"),)
        assert source.file_of(7) == "c.csv"
        assert source.encoding == "utf-8, cp1252"
        assert orders(data)[:6] == ROWS * 2


def test_parts_with_other_columns_are_refused_by_name(tmp_path):
    FRAME.to_csv(tmp_path / "a.csv", index=False)
    FRAME.assign(more=1).to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(DataError, match=r"b\.csv has other columns.*more"):
        read_source(tmp_path)
    FRAME.to_parquet(tmp_path / "b.csv.parquet")
    with pytest.raises(DataError, match="different formats"):
        read_source(tmp_path)


def test_parts_of_other_types_become_text(tmp_path):
    FRAME.iloc[2:].to_excel(tmp_path / "a.xlsx", index=False)
    FRAME.iloc[:2].to_csv(tmp_path / "b.csv", index=False)
    assert orders(tmp_path) == [ROWS[2], *ROWS[:2]]


@pytest.mark.parametrize("inner", ["_delta_log", ".hoodie", "metadata"])
def test_a_folder_with_deleted_versions_is_refused(inner, tmp_path):
    FRAME.to_parquet(tmp_path / "part-0.parquet")
    (tmp_path / inner).mkdir()
    with pytest.raises(DataError, match=r"(Delta|Hudi|Iceberg) table"):
        read_source(tmp_path)


def test_a_folder_of_parquet_parts_is_not_loaded(tmp_path):
    for month in ("2024-01", "2024-02"):
        (tmp_path / "orders" / f"month={month}").mkdir(parents=True)
        FRAME.to_parquet(tmp_path / "orders" / f"month={month}" / "part [1].parquet")
    put(tmp_path / "customers.csv", "customer_id,city\n007,Rome\n")
    source = read_source(tmp_path)
    loaded = "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'raw'"
    assert source.table.get_backend().con.execute(loaded).fetchall() == [(0,)]
    table = source.table.order_by("row_number").execute()
    assert list(table["row_number"]) == [1, 2, 3, 4, 5, 6]
    assert list(table["month"]) == ["2024-01"] * 3 + ["2024-02"] * 3
    assert table["source_file"].iloc[3] == "orders/month=2024-02/part [1].parquet"
    assert orders(tmp_path) == ROWS * 2


def test_columns_of_parquet_called_like_ours_keep_their_values(tmp_path):
    FRAME.assign(row_number=9, source_file="mine", first_row=8).to_parquet(tmp_path / "o.parquet")
    row = read_source(tmp_path / "o.parquet").table.order_by("row_number").execute().iloc[1]
    assert (row["row_number"], row["row_number (source)"], row["source_file (source)"], row["first_row"]) == (
        2,
        9,
        "mine",
        8,
    )


@pytest.mark.parametrize(("zone", "hour"), [("", "23:30"), ("Asia/Shanghai", "06:30"), ("+05:30", "04:00")])
@pytest.mark.parametrize("as_file", [True, False])
def test_instants_are_told_by_the_clocks_of_a_zone(zone, hour, as_file, tmp_path):
    instant = dt.datetime(2024, 1, 5, 22, 30, tzinfo=dt.UTC)
    table = pa.table(
        {"customer_id": ["a"], "order_date": pa.array([instant], pa.timestamp("us", "Europe/Berlin")), "amount": [1]}
    )
    pq.write_table(table, tmp_path / "o.parquet")
    source = read_source(tmp_path / "o.parquet" if as_file else table, timezone=zone)
    assert f"{source.table.execute()['order_date'].iloc[0]:%H:%M}" == hour


def workbook(path, sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)


def test_sheets_of_one_shape_are_one_table(tmp_path):
    path = tmp_path / "o.xlsx"
    workbook(path, {"empty": [], "2023": [HEAD, ROWS[0]], "2024": [HEAD, *ROWS[1:]], "notes": [["a note"]]})
    source = read_source(path)
    assert source.files == (("o.xlsx[2023]", 1), ("o.xlsx[2024]", 2))
    assert orders(path) == ROWS
    assert orders(path, rules=ReadRules(sheet="2024")) == ROWS[1:]
    with pytest.raises(DataError, match=r"o\.xlsx\[notes\] has other columns"):
        read_source(path, ReadRules(sheet="*"))
    with pytest.raises(UsageError, match="its sheets are: empty, 2023, 2024, notes"):
        read_source(path, ReadRules(sheet="May"))


def test_cells_keep_their_type_and_blank_rows_their_number(tmp_path):
    days = [dt.datetime(2024, 1, 5), None, dt.datetime(2024, 1, 6, 10, 30)]
    rows = [["007", days[0], 12], [None, None, None], [17850, days[2], 0.1], [1.2345e18, days[2], 3]]
    workbook(tmp_path / "o.xlsx", {"A": [HEAD, *rows]})
    table = read_source(tmp_path / "o.xlsx").table.order_by("row_number").execute()
    assert list(table["customer_id"]) == ["007", "17850", "1.2345e+18"]
    assert list(table["row_number"]) == [1, 3, 4]
    assert table["order_date"].iloc[1] == pd.Timestamp("2024-01-06 10:30")
    assert list(table["amount"]) == [12, 0.1, 3]
    assert list(read_frame(tmp_path / "o.xlsx")["amount"]) == ["12", "0.1", "3"]


def test_json_keeps_digits_and_sets_broken_lines_aside(tmp_path):
    lines = [
        '{"customer_id": 12345678901234567890, "order_date": "2024-01-05", "amount": 0.10}',
        '{"customer_id": "a", "order_date": "2024-01-06", "amount": 1e2, "tags": ["x", {"y": true}], "vip": false}',
        "",
        '{"customer_id": "b", "order_d',
        '["c"]',
        '{"customer_id": null, "order_date": "2024-01-07", "amount": 3}',
    ]
    source = read_source(put(tmp_path / "o.jsonl", "\n".join(lines)))
    table = source.table.order_by("row_number").execute()
    assert list(table["customer_id"])[:2] == ["12345678901234567890", "a"]
    assert list(table["amount"]) == ["0.10", "1e2", "3"]
    assert json.loads(table["tags"].iloc[1]) == ["x", {"y": True}]
    assert table["vip"].iloc[1] == "false"
    assert source.ragged == ((3, '{"customer_id": "b", "order_d'), (4, '["c"]'))
    assert list(table["row_number"]) == [1, 2, 5]


@pytest.mark.parametrize("content", ["[" * 100_000, "[1, 2]", "{}", "null", "plain words", '{"a": '])
def test_json_without_orders_is_refused(content, tmp_path):
    with pytest.raises(DataError, match=r"holds no JSON object|can not be read"):
        read_source(put(tmp_path / "o.json", content))


def test_tables_and_queries_of_databases(tmp_path):
    sqlite(tmp_path / "s.sqlite")
    duck(tmp_path / "d.duckdb")
    for url in (f"sqlite:///{tmp_path}/s.sqlite", f"duckdb:///{tmp_path}/d.duckdb"):
        assert orders(f"{url}?table=orders") == orders(url) == ROWS
        query = "SELECT customer_id, order_date, amount+1 AS amount FROM orders WHERE amount > 12"
        assert orders(f"{url}?query={query}") == [(who, day, money + 1) for who, day, money in ROWS[1:]]
        with pytest.raises(DataError, match=r'no table "sales".*other'):
            read_source(f"{url}?table=sales")
    assert orders(f"duckdb:///{tmp_path}/d.duckdb?table=main.orders") == ROWS
    with pytest.raises(DataError, match="can not be read"):
        read_source(f"duckdb:///{tmp_path}/d.duckdb?query=DROP TABLE orders")


def test_a_password_is_never_shown(monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", "pa55/w@rd")
    for url in (
        "postgres://me:pa55word@localhost:1/shop?table=x",
        "postgres://me:pa55word@localhost:1/shop?table=x&password=pa55word",
        "foo://me:pa55word@host/db",
        "postgres://me:${SHOP_PASSWORD}@localhost:1/shop?table=x",
        "postgres://me:pa55/w@rd@localhost:1/shop?table=x",
    ):
        with pytest.raises(DataError) as caught:
            read_source(url)
        for language in ("en", "zh"):
            assert "pa55" not in caught.value.text(language)
    assert masked("x://u:a:b@c@host/db?token=1&table=t") == "x://u:***@host/db?token=***&table=t"


def test_archives_with_several_files_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "o.zip", "w") as archive:
        archive.writestr("a.csv", "1")
        archive.writestr("b.csv", "2")
    with pytest.raises(DataError, match=r"holds 2 files.*a\.csv, b\.csv"):
        read_source(tmp_path / "o.zip")


def test_long_files_are_read_in_pieces_like_short_ones(tmp_path, monkeypatch):
    monkeypatch.setattr("custvalue.textfiles._PIECE", 1000)
    rows = [(f"{i:05d}", f"2024-01-{i % 28 + 1:02d}", i / 4, "Müller" if i % 2 else "x") for i in range(900)]
    lines = [",".join(map(str, row)) for row in rows]
    lines[500] += ",more"
    lines[700:700] = ["", "", "short,line"]
    lines[-3] = lines[-3].replace("Müller", '"two\nlines"').replace("x", '"two\nlines"')
    text = "\n".join(["customer_id,order_date,amount,name", *lines])
    for encoding, end in (("utf-8", "\n"), ("cp1252", "\r\n"), ("utf-16", "\n"), ("utf-8", "\r")):
        source = read_source(put(tmp_path / "o.csv", text.replace("\n", end), encoding))
        table = source.table.order_by("row_number").execute()
        assert [number for number, _ in source.ragged] == [501, 701]
        assert list(table["row_number"]) == [n for n in range(1, 902) if n not in (501, 701)]
        assert table["amount"].astype(float).sum() == sum(row[2] for row in rows) - 125
        assert table["name"].str.contains("two").sum() == 1


def test_a_line_set_aside_keeps_its_file_and_overlapping_exports_their_duplicates(tmp_path):
    put(tmp_path / "a.csv", "customer_id,order_date,amount\n1,2024-01-05,5\n1,2024-01-31\n")
    put(tmp_path / "b.csv", "customer_id,order_date,amount\n1,2024-01-05,5\n,2024-01-31,7\n")
    found = read(tmp_path, load_settings(clean={"duplicates": "drop"})).quarantine.execute()
    assert list(found["row_number"]) == [2, 3, 4]
    assert list(found["reason"]) == ["ragged", "duplicate", "no_customer"]
    assert list(found["source_file"]) == ["a.csv", "b.csv", "b.csv"]
