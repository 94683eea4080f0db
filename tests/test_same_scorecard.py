"""The sample saved in other formats and databases gives the same scorecard; a password in a URL is written nowhere."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import ibis
import pandas as pd
import pytest
from click.testing import CliRunner
from report_notebooks import cell, write_notebook, write_orders

from custvalue import cli, lifetime
from custvalue.beside import read_attributes
from custvalue.config import Settings, load_settings
from custvalue.customers import customer_table
from custvalue.pipeline import read
from custvalue.report import run_report
from custvalue.review import scorecard


@pytest.fixture(scope="module")
def frame(sample) -> pd.DataFrame:
    """The order file of the sample as a program reads it; a column with any odd value in it is text."""
    texts = {"customer_id": str, "order_id": str}
    return pd.read_csv(sample / "orders.csv", dtype=texts)


def _gb18030(frame: pd.DataFrame, folder: Path, _: str) -> str:
    frame.to_csv(folder / "orders.csv", index=False, encoding="gb18030")
    return str(folder / "orders.csv")


def _xlsx(frame: pd.DataFrame, folder: Path, _: str) -> str:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("订单")
    for row in [list(frame), *frame.astype(object).values.tolist()]:
        sheet.append(row)
    book.save(folder / "orders.xlsx")
    return str(folder / "orders.xlsx")


def _parquet(frame: pd.DataFrame, folder: Path, _: str) -> str:
    for i, start in enumerate(range(0, len(frame), 15_000)):
        frame.iloc[start : start + 15_000].to_parquet(folder / f"part-{i}.parquet", index=False)
    return str(folder)


def _sqlite(frame: pd.DataFrame, folder: Path, _: str) -> str:
    with sqlite3.connect(folder / "shop.sqlite") as there:
        frame.to_sql("orders", there, index=False)
    return f"sqlite:///{folder / 'shop.sqlite'}?table=orders"


def _duckdb(frame: pd.DataFrame, folder: Path, _: str) -> str:
    ibis.duckdb.connect(folder / "shop.duckdb").create_table("orders", frame)
    return f"duckdb:///{folder / 'shop.duckdb'}?table=orders"


def _postgres(frame: pd.DataFrame, _: Path, url: str) -> str:
    ibis.connect(url).create_table("sample_orders", frame, overwrite=True)
    return f"{url}?table=sample_orders"


SAVED = {
    "gb18030": _gb18030, "xlsx": _xlsx, "parquet": _parquet, "sqlite": _sqlite, "duckdb": _duckdb,
    "postgres": _postgres,
}  # fmt: skip


@pytest.fixture(scope="module")
def expected(sample):
    """What the folder itself gives: orders, customer table, attributes and the forecast they share."""
    settings = load_settings(data=sample)
    orders = read(sample, settings)
    customers = customer_table(orders)
    return orders, customers, read_attributes(sample), lifetime.forecast(customers, orders.as_of, settings.lifetime)


@pytest.mark.parametrize("form", SAVED)
def test_the_sample_gives_the_same_scorecard(form, frame, sample, expected, tmp_path, request):
    url = request.getfixturevalue("postgres_url") if form == "postgres" else ""
    settings = load_settings(data=sample)
    there = read(SAVED[form](frame, tmp_path, url), settings)
    orders, customers, attributes, forecast = expected
    assert there.as_of == orders.as_of
    assert there.notes == orders.notes
    assert {**there.facts, "encoding": ""} == {**orders.facts, "encoding": ""}
    pd.testing.assert_frame_equal(there.quality, orders.quality)
    # Other engines add floats in another order; a forecast is made of the customer table and nothing else.
    exact = {"rtol": 1e-12} if form == "postgres" else {"check_exact": True}
    table = customer_table(there)
    pd.testing.assert_frame_equal(table, customers, **exact)
    cards = [scorecard(t, orders.as_of, settings, attributes, forecast) for t in (table, customers)]
    pd.testing.assert_frame_equal(*cards, **exact)
    assert len(cards[0]) > 4_000


def _with_password(url: str, password: str) -> str:
    return url.replace("shop@", f"shop:{password}@")


@pytest.fixture(scope="module")
def small_shop(postgres_url, tmp_path_factory) -> tuple[Path, str]:
    """An order file, and the URL, with a password, of a table with the same rows."""
    path = write_orders(tmp_path_factory.mktemp("shop"))
    ibis.connect(postgres_url).create_table("small_orders", pd.read_csv(path, dtype=str), overwrite=True)
    return path, f"{_with_password(postgres_url, 'pa55%2Fw%40rd')}?table=small_orders"


def test_check_says_the_same_of_a_database(small_shop):
    of_file, of_table = (
        json.loads(CliRunner().invoke(cli.main, ["check", str(data), "--json"]).stdout) for data in small_shop
    )
    assert of_file.pop("encoding") == "utf-8"
    assert of_table.pop("encoding") == ""
    assert of_table == of_file
    assert of_table["reasons"] == {"no_customer": {"rows": 1, "money": 70.0}}


CODE = """import os
import custvalue as cv
print(len(os.environ["CUSTVALUE_PASSWORD"]), cv.customer_table(cv.read(data))["sales"].sum())"""


def test_a_password_is_in_no_file_of_a_pack(small_shop, tmp_path, monkeypatch):
    monkeypatch.delenv("CUSTVALUE_PASSWORD", raising=False)
    notebooks = write_notebook(tmp_path / "notebooks", "01_look", cell("markdown", "# Look"), cell("code", CODE))
    pack = run_report(small_shop[1], tmp_path / "out", notebooks=notebooks, progress=False)
    assert pack.manifest["parameters"]["data"].startswith("postgres://shop:$CUSTVALUE_PASSWORD@127.0.0.1:")
    files = [path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) >= 4
    assert not [text for text in files if b"pa55" in text]
    assert sum(b"9 200.5" in text for text in files) >= 2


def test_a_failed_notebook_is_kept_without_the_password(small_shop, tmp_path):
    from custvalue.errors import AnalysisError

    notebooks = write_notebook(tmp_path / "notebooks", "01_look", cell("markdown", "# Look"), cell("code", "1 / 0"))
    with pytest.raises(AnalysisError, match="ZeroDivisionError"):
        run_report(small_shop[1], tmp_path / "out", notebooks=notebooks, progress=False)
    kept = list((tmp_path / "out").rglob("*.ipynb"))
    assert len(kept) == 1
    assert b"pa55" not in kept[0].read_bytes()
    assert b"$CUSTVALUE_PASSWORD" in kept[0].read_bytes()


def test_a_file_database_is_found_from_the_folder_of_the_notebooks(tmp_path, monkeypatch):
    rows = pd.read_csv(write_orders(tmp_path))
    with sqlite3.connect(tmp_path / "shop.sqlite") as there:
        rows.to_sql("orders", there, index=False)
    code = cell("code", 'import custvalue as cv\nprint(cv.customer_table(cv.read(data))["sales"].sum())')
    notebooks = write_notebook(tmp_path / "notebooks", "01_look", cell("markdown", "# Look"), code)
    monkeypatch.chdir(tmp_path)
    pack = run_report("sqlite:///shop.sqlite", tmp_path / "out", notebooks=notebooks, progress=False)
    assert "200.5" in (pack.folder / "notebooks" / "01_look.ipynb").read_text("utf-8")


def test_the_scorecard_is_of_the_settings_given(expected):
    """The guard of the test above: other settings give another scorecard."""
    orders, customers, attributes, forecast = expected
    plain, other = (
        scorecard(customers, orders.as_of, settings, attributes, forecast)
        for settings in (Settings(), load_settings(data=None, pyramid={"by": "sales", "cuts": [0.2, 0.5, 0.8]}))
    )
    assert not plain.equals(other)
