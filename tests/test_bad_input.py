"""Odd and broken input: a sentence that says what to do, or every row and every amount accounted for."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import re

import pandas as pd
import pytest
from odd_orders import HEAD, ROWS, accounted, put, reasons, run, set_aside

from custvalue.beside import read_attributes, read_labels
from custvalue.config import load_settings
from custvalue.customers import customer_table
from custvalue.errors import DataError, UsageError
from custvalue.pipeline import read
from custvalue.timelines import orders_by_month

PACKED = gzip.compress((HEAD + ROWS * 2000).encode())


WRONG = {
    "missing_column": ("customer_id,amount\n1,2\n", "missing_columns", "lacks: order_date"),
    "empty": ("", "no_rows", "no rows"),
    "blank": ("\n \n\n", "no_rows", "no rows"),
    "header_only": (HEAD, "no_rows", "no rows"),
    "header_without_line_end": (HEAD.strip(), "no_rows", "no rows"),
    "text_dates": (
        HEAD + "1,yesterday,1\n2,soon,2\n",
        "no_purchases_bad_date",
        '"yesterday".*Write dates as 2024-01-31',
    ),
    "text_amounts": (HEAD + "1,2024-01-05,ten\n", "no_purchases_bad_amount", '"ten".*Write amounts as'),
    "no_customers": (HEAD + ",2024-01-05,1\n", "no_purchases_no_customer", "is empty in 1 rows"),
    "ancient": (HEAD + "1,1899-12-31,1\n", "no_purchases_impossible_date", "1899-12-31"),
    "refunds": (HEAD + "1,2024-01-05,-1\n2,2024-01-06,-2\n", "no_purchases_returned", "each of the 2.*negative"),
    "samples": ("customer_id,date,quantity,unit_price\n1,2024-01-05,2,0\n", "no_purchases", "zero_price"),
    "two_amounts": (
        "customer_id,order_date,amount,amount\n1,2024-01-05,1,2\n",
        "duplicate_header",
        "same name: amount",
    ),
    "two_cases": ("customer_id,order_date,amount,Amount\n1,2024-01-05,1,2\n", "two_candidates", "amount, Amount"),
    "transposed": ("customer_id,1,1\norder_date,2024-01-05,2024-01-06\namount,1,2\n", "transposed", "transpose"),
    "junk_above": (
        "Sales report\nprinted\n\n" + HEAD + ROWS,
        "header_below",
        'is "Sales report".*further down: customer_id',
    ),
    "junk_in_cells": ("Report,,\n,2024-04-01,\n" + HEAD + ROWS, "header_below", "customer_id, order_date, amount"),
    "wider_rows": (HEAD + "1,2024-01-05,10,\n2,2024-01-06,20,\n", "all_ragged", "has 3 fields, but 2 lines"),
    "open_quote": (HEAD + '1,2024-01-05,1\n"2,2024-01-06,2\n3,2024-01-07,3\n', "open_quote", "quotation mark"),
    "open_quote_at_end": (HEAD + '1,2024-01-05,1\n2,2024-01-06,"2\n3,2024-01-07,3\n', "open_quote", "never closed"),
    "quote_over_rows": (
        HEAD + '1,2024-01-05,1\n2,2024-01-06,"2\n3,2024-01-07,"3\n4,2024-01-08,4\n',
        "open_quote",
        "closed",
    ),
    "binary": (bytes(range(256)) * 40, "not_text", "not a text file"),
    "zipped_twice": (gzip.compress(b"x"), "not_text", "not a text file"),
    "no_unicode_mark": ((HEAD + ROWS).encode("utf-16-le"), "not_text", "not a text file"),
    "both_marks": (HEAD + '1,2024-01-05,"1,5"\n2,2024-01-06,"1,234"\n', "ambiguous_numbers", "1.234.*or 1234"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_can_not_be_used(name, tmp_path):
    content, code, said = WRONG[name]
    with pytest.raises(DataError) as caught:
        read(put(tmp_path / "o.csv", content))
    assert caught.value.code == code
    assert re.search(said, caught.value.text("en"), re.DOTALL)
    assert re.search("[\u4e00-\u9fff]{4}", caught.value.text("zh"))


@pytest.mark.parametrize("name", ["text_dates", "transposed", "junk_above", "empty", "refunds"])
@pytest.mark.parametrize(("language", "advice"), [("en", r"\. (Write|Delete|If|Check)|transpose"), ("zh", "请")])
def test_check_ends_with_3_and_advice_in_the_language_asked_for(name, language, advice, tmp_path):
    done = run("check", put(tmp_path / "o.csv", WRONG[name][0]), "--language", language)
    assert done.exit_code == 3
    assert re.search(advice, done.stderr)
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("o.csv.gz", PACKED[: len(PACKED) // 2], "unreadable_file"),
        ("o.csv.gz", PACKED[:40] + b"xxxx" + PACKED[44:], "unreadable_file"),
        ("o.xlsx", b"PK\x03\x04rubbish", "unreadable_file"),
        ("o.parquet", b"PAR1rubbish", "unreadable_file"),
        ("o.xls", b"\xd0\xcf\x11\xe0", "unreadable_file"),
        ("orders", HEAD + ROWS, "unknown_format"),
    ],
)
def test_a_damaged_or_unknown_file(name, content, code, tmp_path):
    with pytest.raises(DataError) as caught:
        read(put(tmp_path / name, content))
    assert caught.value.code == code


@pytest.mark.parametrize("data", ["", "no such.csv", "a\0b.csv", "x" * 5000 + ".csv", "https://shop.example/o.csv"])
def test_no_such_path(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("check", data)
    assert done.exit_code == 3
    assert "Traceback" not in done.stderr


def test_folders(tmp_path):
    put(tmp_path / "upper" / "Orders.CSV", HEAD + ROWS)
    assert read(tmp_path / "upper").facts["rows_in"] == 3
    put(tmp_path / "two" / "orders.csv", HEAD + ROWS)
    put(tmp_path / "two" / "orders.csv.gz", PACKED)
    with pytest.raises(DataError, match=r"orders\.csv, orders\.csv\.gz"):
        read(tmp_path / "two")
    (tmp_path / "inside" / "orders.csv").mkdir(parents=True)
    with pytest.raises(DataError, match="no orders file"):
        read(tmp_path / "inside")


@pytest.mark.parametrize(
    ("encoding", "end", "above"),
    [
        ("utf-8", "\n", ""),
        ("utf-8", "\r", "\n\n"),
        ("utf-8", "\r\n", "sep=,\n"),
        ("utf-8-sig", "\r\n", "\n"),
        ("utf-8-sig", "\r", "sep=,\n"),
        ("utf-16", "\r\n", ""),
        ("utf-16", "\n", "\nsep=,\n"),
        ("utf-32", "\r", ""),
    ],
)
def test_marks_line_ends_and_lines_above(encoding, end, above, tmp_path):
    text = (above + HEAD + "\n" + ROWS + "3,2024-01-01\n\n").replace("\n", end)
    orders = read(put(tmp_path / "我的 'o' \"1\".csv", text, encoding))
    assert accounted(orders)["money_in"] == 45
    assert reasons(orders) == {"purchased": 3, "ragged": 1}
    assert set_aside(orders)[["row_number", "line"]].to_numpy().tolist() == [[4, "3,2024-01-01"]]


def test_every_row_set_aside_is_kept_with_its_reason_and_text(tmp_path):
    text = HEAD + "1,2024-01-05,10\n2,2024-01-06\n\n3,,4\n4,2024-01-08,1,2\n5,2024-01-31,7\n"
    orders = read(put(tmp_path / "o.csv", text))
    assert accounted(orders)["money_in"] == 21
    held = set_aside(orders)
    assert list(held["row_number"]) == [2, 3, 4]
    assert list(held["reason"]) == ["ragged", "bad_date", "ragged"]
    assert list(held["line"].dropna()) == ["2,2024-01-06", "4,2024-01-08,1,2"]
    assert held.loc[1, "amount"] == "4"


def test_a_header_in_the_middle_is_set_aside(tmp_path):
    orders = read(put(tmp_path / "o.csv", HEAD + ROWS + HEAD + ROWS))
    assert accounted(orders)["money_accepted"] == 90
    assert reasons(orders) == {"purchased": 6, "bad_date": 1}


def test_columns_named_like_those_of_the_package(tmp_path):
    inner = "row_number,Reason,line,nth,value,tier,stage,sales,x,X,net,bought"
    values = "9,b,c,d,e,f,g,99,i,j,k,l"
    text = f"customer_id,order_date,amount,{inner}\n1,2024-01-05,10,{values}\n,2024-01-06,20,{values}\n"
    orders = read(put(tmp_path / "o.csv", text))
    assert accounted(orders)["money_accepted"] == 10
    held = set_aside(orders).iloc[0]
    assert (held["row_number"], held["reason"]) == (2, "no_customer")
    assert (held["row_number (source)"], held["Reason (source)"], held["X (source)"]) == ("9", "b", "j")
    for name in ("sales", "tier", "net", "bought", "amount"):
        with pytest.raises(UsageError, match=f"can not be used: {name}"):
            read(tmp_path / "o.csv", load_settings(attributes=[name]))


IDS = [
    'a"b',
    "a;b",
    "a\nb",
    "<script>alert(1)</script>",
    "x'; DROP TABLE raw;--",
    "=1+1",
    "@SUM(A1)",
    "中文客户",
    "😀👍",
]
IDS += ["L" * 10_000, "-5", "{n}", "%s", "$x_1^2$", "a,b", "`x`", "007", "&amp;"]


def test_customers_with_hostile_names(tmp_path):
    rows = [(name, f"2023-{month:02d}-01", 10 + i) for i, name in enumerate(IDS) for month in (1, 5)]
    buffer = io.StringIO()
    pd.DataFrame(rows, columns=["customer_id", "order_date", "amount"]).to_csv(buffer, index=False)
    orders = read(put(tmp_path / "o.csv", buffer.getvalue()), load_settings(as_of="2023-05-31"))
    assert accounted(orders)["money_in"] == sum(row[2] for row in rows)
    customers = customer_table(orders).set_index("customer_id")
    assert set(customers.index) == set(IDS)
    assert (customers["n_orders"] == 2).all()


@pytest.mark.parametrize(
    ("amount", "money"),
    [
        ("1e12", 1e12),
        ("0.0001", 0.0001),
        ("1000000000000.55", 1000000000000.55),
        ('"1,234.50"', 1234.5),
        ('"1.234,50"', 1234.5),
        ('"10,5"', 10.5),
        ("0", 0),
    ],
)
def test_amounts(amount, money, tmp_path):
    orders = read(put(tmp_path / "o.csv", f"{HEAD}1,2024-01-05,{amount}\n2,2024-01-06,5\n3,2024-01-06,1e15\n"))
    assert accounted(orders)["money_accepted"] == round(money + 5, 2)
    assert customer_table(orders)["sales"].sum() == pytest.approx(money + 5, abs=1e-4)
    assert reasons(orders)["bad_amount"] == 1


def test_the_decimal_mark_can_be_told(tmp_path):
    path = put(tmp_path / "o.csv", WRONG["both_marks"][0])
    sums = {mark: read(path, load_settings(read={"decimal": mark})).facts["money_accepted"] for mark in (",", ".")}
    assert sums == {",": 2.73, ".": 1234}


def test_strange_days(tmp_path):
    days = ["1899-12-31", "2262-04-12", "9999-12-31", "0000-01-01", "99999-01-01", "2024-01-05 24:00", "2024-01-06"]
    text = HEAD + "".join(f"{i},{day},1\n" for i, day in enumerate(days))
    orders = read(put(tmp_path / "o.csv", text))
    assert accounted(orders)["first_date"] == "2024-01-05"
    assert orders.as_of == dt.date(2024, 1, 6)
    assert reasons(orders) == {"purchased": 2, "bad_date": 2, "impossible_date": 3}  # no year 0, none of five digits


def test_one_customer_with_very_many_rows(tmp_path):
    orders = read(put(tmp_path / "o.csv", HEAD + "1,2024-01-05,10.25\n" * 100_000))
    assert accounted(orders)["money_accepted"] == 1_025_000
    assert customer_table(orders)[["n_orders", "n_repeats"]].to_numpy().tolist() == [[1, 0]]


def test_encodings_are_found_where_the_file_needs_them(tmp_path):
    late = (HEAD + ROWS * 10_000).encode() + b"caf\xe9,2024-01-05,10\n"
    orders = read(put(tmp_path / "o.csv", late))
    assert accounted(orders)["customers"] == 3
    assert orders.facts["encoding"] == "cp1252"
    assert orders.facts["rows_in"] == 30_001
    with pytest.raises(DataError, match="can not be decoded"):
        read(tmp_path / "o.csv", load_settings(read={"encoding": "ascii"}))


def test_a_field_of_a_megabyte_and_a_thousand_columns(tmp_path):
    wide = ",".join(f"c{i}" for i in range(1000))
    text = f"customer_id,order_date,amount,{wide}\n{'x' * 2_000_000},2024-01-05,1{',1' * 1000}\n"
    assert accounted(read(put(tmp_path / "o.csv", text)))["money_in"] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello world", "TOML"),
        ("langauge = 'zh'", "nearest valid one is language"),
        ("as_of = '2999-01-01'", "days after the last order of 2024-03-31"),
        ("as_of = '31.01.2024'", "YYYY-MM-DD"),
        ("as_of = '20240131'", "YYYY-MM-DD"),
        ("as_of = 'today'", "YYYY-MM-DD"),
        ("[columns]\namount = 'amount'\nmargin = 'amount'", "amount, margin"),
        ("[read]\nencoding = 'martian'", "utf-8, gb18030"),
        ("[read]\ndelimiter = ';;'", "single character"),
        ("[read]\ndelimiter = '，'", "single character"),
        ("[read]\ndecimal = ';'", "can be one of"),
        ("attributes = ['shoe']", "does not have: shoe"),
    ],
)
def test_configs_that_can_not_be_used(text, said, tmp_path):
    done = run("check", put(tmp_path / "o.csv", HEAD + ROWS), "--config", put(tmp_path / "c.toml", text))
    assert done.exit_code == 2
    assert said in done.stderr


def test_configs_of_another_kind(tmp_path):
    orders = put(tmp_path / "o.csv", HEAD + ROWS)
    assert "is a folder" in run("check", orders, "--config", tmp_path).stderr
    assert run("check", orders, "--config", "a\0b").exit_code == 2
    marked = put(tmp_path / "c.toml", "language = 'zh'\n", "utf-8-sig")
    assert "读入 3 行" in run("check", orders, "--config", marked).stdout
    early = run("check", orders, "--as-of", "2020-01-01")
    assert early.exit_code == 3
    assert "its first order is of 2024-01-05" in early.stderr


def test_tables_beside_the_orders(tmp_path):
    put(tmp_path / "orders.csv", HEAD + ROWS)
    put(tmp_path / "customers.csv", "customer_id,city\n 1.0 ,Wien\n,Rom\n")
    assert list(read_attributes(tmp_path)["customer_id"]) == ["1"]
    put(tmp_path / "customers.csv", "customer_id,city\n1,Wien\n2,Rom, Italy\n")
    with pytest.raises(DataError, match=r"Row 2 of customers\.csv"):
        read_attributes(tmp_path)
    put(tmp_path / "labels.csv", "column,code\ncategory,x\n")
    with pytest.raises(DataError, match=r"labels\.csv lacks the column en"):
        read_labels(tmp_path)


def test_months_reach_to_the_as_of_date(tmp_path):
    orders = read(put(tmp_path / "o.csv", HEAD + ROWS), load_settings(as_of="2024-06-30"))
    months = orders_by_month(orders)
    assert [str(month)[:7] for month in months["month"]] == [f"2024-{m:02d}" for m in range(1, 7)]
    assert months["sales"].tolist() == [10, 20, 15, 0, 0, 0]


def test_an_output_that_can_not_be_written(tmp_path):
    orders = put(tmp_path / "o.csv", HEAD + ROWS)
    done = run("report", orders, "--out", orders / "pack")
    assert done.exit_code == 2
    assert "Can not write" in done.stderr
    failed = run("report", put(tmp_path / "bad.csv", HEAD + "1,soon,1\n"), "--out", tmp_path / "out")
    assert failed.exit_code == 3
    assert [path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")] == ["custvalue.log"]


SMALL = {
    "one_customer": (HEAD + "=1+1,2024-01-05,10\n=1+1,2024-02-10,20\n=1+1,2024-03-31,15\n", "en", "2024-03"),
    "nobody_came_back": (
        HEAD + "".join(f"c{i},2024-0{i % 3 + 1}-01,{i}\n" for i in range(30)) + "x,2024-03-31,5\n",
        "zh",
        "2024-03",
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_whole_pack_of_very_little_data(name, tmp_path):
    text, language, month = SMALL[name]
    done = run(
        "report", put(tmp_path / "客户 1" / "orders.csv", text), "--out", tmp_path, "--language", language, "--quiet"
    )
    assert done.exit_code == 0, done.stderr
    pages = sorted((tmp_path / month).glob("*.html"))
    assert len(pages) == 9
    for page in pages:
        words = re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", page.read_text("utf-8"))
        assert not re.search(r"\b(nan|NaN|NaT|inf|None|Traceback)\b", words), page.name


@pytest.mark.parametrize("options", [{"sep": ";"}, {"sep": "\t", "quoting": 1}, {"sep": "|", "lineterminator": "\r\n"}])
def test_rows_and_money_agree_with_an_independent_reading(options, tmp_path):
    texts = ["a;b", 'a "b" c', "a\nb", "a,b", "中\t文", "a|b", ""]
    made = pd.DataFrame(
        {
            "customer_id": [f"{i % 23:03d}" for i in range(500)],
            "order_date": [f"2024-{i % 3 + 1:02d}-{i % 28 + 1:02d}" for i in range(500)],
            "amount": [f"{(i * 37 % 1000) / 8:.3f}" for i in range(500)],
            "product": [texts[i % len(texts)] for i in range(500)],
        }
    )
    made.to_csv(tmp_path / "o.csv", index=False, **options)
    there = pd.read_csv(tmp_path / "o.csv", sep=options["sep"], dtype={"customer_id": "str"})
    customers = customer_table(read(tmp_path / "o.csv", load_settings(as_of="2024-03-31")))
    expected = there.groupby("customer_id")["amount"].agg(["sum", "size"])
    assert customers["customer_id"].tolist() == expected.index.tolist()
    assert customers["sales"].to_numpy() == pytest.approx(expected["sum"].to_numpy())
    assert len(there) == 500


def test_repeated_returns_are_still_returns(tmp_path):
    path = put(tmp_path / "o.csv", HEAD + "1,2024-01-05,-10\n" * 5)
    with pytest.raises(DataError, match="only returns"):
        read(path, load_settings(clean={"duplicates": "drop"}))
