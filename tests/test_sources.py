"""Reading: formats, encodings, delimiters, column names."""

from __future__ import annotations

import gzip

import pandas as pd
import pytest

from custvalue.errors import DataError, UsageError
from custvalue.sources import ReadRules, match_columns, read_source
from custvalue.textfiles import find_delimiter

LINES = [
    "customer_id{d}order_date{d}amount",
    "007{d}2024-01-05{d}12.50",
    "1234567890123456789{d}2024-01-06{d}3",
]


def write(path, text, encoding="utf-8"):
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "  "])
@pytest.mark.parametrize("name", ["o.csv", "o.txt.gz"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_delimiters_compression_and_line_ends(tmp_path, delimiter, name, newline):
    path = write(tmp_path / name, newline.join(line.format(d=delimiter) for line in LINES) + newline)
    table = read_source(path).table.order_by("row_number").execute()
    assert list(table["customer_id"]) == ["007", "1234567890123456789"]
    assert list(table["amount"]) == ["12.50", "3"]
    assert list(table["row_number"]) == [1, 2]


@pytest.mark.parametrize(
    ("encoding", "found"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("gb18030", "gb18030"), ("utf-16", "utf-16")],
)
def test_chinese_file_in_its_usual_encodings(tmp_path, encoding, found):
    rows = "".join(f"会员{i},2024/1/{i % 28 + 1},12.5,女装外套\n" for i in range(200))
    source = read_source(write(tmp_path / "o.csv", "客户编号,订单日期,销售额,商品类别\n" + rows, encoding))
    assert source.encoding == found
    assert source.table.execute()["category"].iloc[0] == "女装外套"
    assert source.mapping["customer_id"] == "客户编号"


def test_quoted_delimiters_and_line_breaks_stay_in_their_field(tmp_path):
    text = 'customer_id,order_date,amount,product\n1,2024-01-05,5,"a, ""b""\nc"\n2,2024-01-06,6,d\n'
    table = read_source(write(tmp_path / "o.csv", text)).table.order_by("row_number").execute()
    assert list(table["product"]) == ['a, "b"\nc', "d"]


def test_ragged_lines_are_kept_apart_with_their_row_number(tmp_path):
    text = "customer_id,order_date,amount\n1,2024-01-05,5\n2,2024-01-06\n3,2024-01-07,7,extra\n4,2024-01-08,8\n"
    source = read_source(write(tmp_path / "o.csv", text))
    assert source.ragged == ((2, "2,2024-01-06"), (3, "3,2024-01-07,7,extra"))
    assert list(source.table.order_by("row_number").execute()["row_number"]) == [1, 4]


def test_file_without_header(tmp_path):
    path = write(tmp_path / "o.txt", " 01 19970101 5\n 02 19970102 6\n")
    source = read_source(path, ReadRules(header=("customer_id", "date", "amount")))
    assert source.table.count().execute() == 2
    assert source.mapping["order_date"] == "date"


def test_excel_and_parquet_give_the_same_ids(tmp_path, rows):
    rows.to_excel(tmp_path / "o.xlsx", index=False)
    rows.to_parquet(tmp_path / "o.parquet")
    for name in ("o.xlsx", "o.parquet"):
        table = read_source(tmp_path / name).table.order_by("row_number").execute()
        assert list(table["customer_id"]) == list(rows["customer_id"])


def test_blank_padded_header(tmp_path):
    source = read_source(write(tmp_path / "o.csv", " Customer ID , Order Date , Sales \n1,2024-01-05,5\n"))
    assert dict(source.mapping) == {
        "customer_id": "Customer ID",
        "order_date": "Order Date",
        "amount": "Sales",
    }


def test_a_column_that_is_replaced_keeps_its_values_under_another_name():
    frame = pd.DataFrame({"customer_id": ["1"], "date": ["2024-01-05"], "amount": [1], "net": [2]})
    source = read_source(frame, columns={"amount": "net"})
    row = source.table.execute().iloc[0]
    assert (row["amount"], row["amount (source)"]) == (2, 1)


def test_two_candidates_are_an_error_that_names_both():
    with pytest.raises(DataError, match="client id, member id"):
        match_columns(["client id", "member id", "date", "amount"])


def test_wrong_name_in_the_config_names_the_nearest():
    with pytest.raises(UsageError, match='Did you mean "CustomerID"'):
        match_columns(["CustomerID", "date"], {"customer_id": "CustmerID"})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("o.csv", b"", "holds no rows"),
        ("o.csv", b"customer_id,order_date,amount\n", "holds no rows"),
        ("o.pdf", b"x", "no known format"),
        ("o.csv", bytes(range(256)) * 40, "not a text file"),
        ("o.xlsx", b"not a workbook", "can not be read"),
        ("o.parquet", b"not parquet", "can not be read"),
        ("o.csv.gz", b"not gzip", "can not be read"),
        ("o.csv", b"a,a,b\n1,2,3\n", "same name"),
    ],
)
def test_unreadable_files_say_so(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_source(tmp_path / name)


def test_missing_file_and_empty_folder(tmp_path):
    with pytest.raises(DataError, match="no file or folder"):
        read_source(tmp_path / "none.csv")
    with pytest.raises(DataError, match="no orders file"):
        read_source(tmp_path)


def test_delimiter_is_not_fooled_by_commas_in_text():
    assert find_delimiter(["id;name;x", "1;a, b;2", "2;c;3", "3;d, e, f;4"]) == ";"
