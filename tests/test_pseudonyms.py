"""hash_ids: no page, table, notebook or log holds an original customer id, and the figures stay the same."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from report_notebooks import cell, write_notebook

from custvalue.beside import read_attributes, read_campaigns, read_events
from custvalue.config import load_settings
from custvalue.customers import customer_table
from custvalue.errors import UsageError
from custvalue.pipeline import read
from custvalue.pseudonyms import KEY, code_of
from custvalue.report import run_report

SECRET = "a key of more than 16 characters"
PEOPLE = [f"ZQ-{number:03}-person" for number in range(40)]
CODE = """
import custvalue as cv
settings = cv.load_settings(config, data, language=language, as_of=as_of)
orders = cv.read(data, settings)
customers = cv.customer_table(orders)
attributes = cv.read_attributes(data, settings)
events = cv.read_events(data, settings, orders)
campaigns = cv.read_campaigns(data, settings, orders)
cv.save(customers, output, "customers")
cv.save(attributes, output, "attributes")
cv.save(events.table, output, "events")
cv.save(campaigns.table, output, "campaigns")
cv.save(campaigns.quarantine, output, "set_aside")
cv.save(orders.quarantine.execute(), output, "quarantine")
orders.table.to_parquet(output + "/orders.parquet")
print(customers.to_string(), attributes.to_string(), orders.quarantine.execute().to_string())
"""


@pytest.fixture
def shop(tmp_path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    rows = [f"{who},2024-0{1 + n % 3}-1{n % 9},{10 + n}" for n, who in enumerate(PEOPLE * 3)]
    bad = [
        f"{PEOPLE[1]},no day,5",
        f"{PEOPLE[2]},2024-01-01,no money",
        f"{PEOPLE[3]},2024-03-31,1,too,many",
        ",2024-03-31,4",
    ]
    (folder / "orders.csv").write_text("\n".join(["customer_id,order_date,amount", *rows, *bad, ""]))
    people = [f" {who} ,{PEOPLE[0] if n else ''},x" for n, who in enumerate(PEOPLE)]
    (folder / "customers.csv").write_text("\n".join(["customer_id,referrer,city", *people, ""]))
    (folder / "events.csv").write_text(f"customer_id,event_date,event\n{PEOPLE[4]},2024-01-05,view\n")
    mailed = [f"{PEOPLE[5]},spring,2024-02-01", f"{PEOPLE[6]},spring,nonsense"]
    (folder / "campaigns.csv").write_text("\n".join(["customer_id,campaign,sent_date", *mailed, ""]))
    (folder / "custvalue.toml").write_text("hash_ids = true\n")
    return folder


def text_of(path: Path) -> str:
    """The content of a file as text; that of Parquet unpacked."""
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pandas().to_csv()
    return path.read_bytes().decode("utf-8", "replace")


def test_no_file_of_a_pack_holds_an_id(shop, tmp_path, monkeypatch):
    monkeypatch.setenv(KEY, SECRET)
    notebooks = write_notebook(tmp_path / "nb", "01_all", cell("code", CODE))
    run_report(shop, tmp_path / "out", notebooks=notebooks, progress=False)
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {"customers.csv", "orders.parquet", "01_all.html", "01_all.ipynb", "manifest.json", "custvalue.log"} <= {
        path.name for path in files
    }
    for path in files:
        found = text_of(path)
        assert not re.search(r"ZQ-\d{3}", found), path.name
        assert SECRET not in found, path.name
    written = next((tmp_path / "out").rglob("customers.csv")).read_text("utf-8-sig")
    assert code_of(PEOPLE[7], SECRET.encode()) in written


def test_only_the_names_change_and_the_tables_still_belong_together(shop, monkeypatch):
    monkeypatch.setenv(KEY, SECRET)
    hashed = load_settings(data=shop)
    plain = replace(hashed, hash_ids=False)
    known, unknown = read(shop, plain), read(shop, hashed)
    assert unknown.facts == known.facts
    table = customer_table(known)
    expected = table.assign(customer_id=[code_of(who, SECRET.encode()) for who in table["customer_id"]])
    expected = expected.sort_values("customer_id", ignore_index=True)
    pd.testing.assert_frame_equal(customer_table(unknown), expected)
    attributes = read_attributes(shop, hashed)
    assert set(attributes["customer_id"]) == set(expected["customer_id"])
    assert set(attributes["referrer"].dropna()) == {code_of(PEOPLE[0], SECRET.encode())}
    events, campaigns = read_events(shop, hashed, unknown), read_campaigns(shop, hashed, unknown)
    assert events.quality["reason"].tolist() == ["known_customer"]
    assert campaigns.quality["reason"].tolist() == ["known_customer", "bad_date"]
    assert campaigns.quarantine["customer_id"].tolist() == [code_of(PEOPLE[6], SECRET.encode())]


def test_numbers_are_hashed_as_they_are_understood(tmp_path, monkeypatch):
    """The id 7 of a workbook is 7.0 in a table beside it; both get one code, and lost digits stay lost."""
    monkeypatch.setenv(KEY, SECRET)
    (tmp_path / "custvalue.toml").write_text("hash_ids = true\n")
    (tmp_path / "orders.csv").write_text(
        "customer_id,order_date,amount\n7.0,2024-01-31,5\n７,2024-01-30,5\n1.2346E+18,2024-01-31,5\n,2024-01-31,5\n"
    )
    (tmp_path / "customers.csv").write_text("customer_id,city\n7,x\n")
    orders = read(tmp_path)
    assert customer_table(orders)["customer_id"].tolist() == [code_of("7", SECRET.encode())]
    assert read_attributes(tmp_path)["customer_id"].tolist() == [code_of("7", SECRET.encode())]
    assert set(orders.quarantine.execute()["reason"]) == {"broken_id", "no_customer"}


def test_other_keys_give_other_codes_and_the_same_key_the_same():
    assert code_of("1", b"a" * 16) == code_of("1", b"a" * 16) != code_of("1", b"b" * 16)
    assert len({code_of(str(number), b"a" * 16) for number in range(20_000)}) == 20_000


@pytest.mark.parametrize(("key", "said"), [("", "is not set"), ("short", "has 5 characters; it must have at least 16")])
def test_without_a_good_key_nothing_is_read(shop, key, said, monkeypatch):
    monkeypatch.setenv(KEY, key)
    with pytest.raises(UsageError, match=said):
        read(shop)
    with pytest.raises(UsageError, match=said):
        read_attributes(shop)
