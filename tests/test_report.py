"""The report on small real notebooks, run by real papermill."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from base64 import b64encode
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_notebook, new_output
from report_notebooks import METADATA, PARAMETERS, cell, write_notebook, write_orders

from custvalue.errors import AnalysisError, DataError, UsageError
from custvalue.labels import text
from custvalue.pages import PackFacts, notes, read_page, write_pages
from custvalue.pages.reading import Page
from custvalue.report import run_report

OUTSIDE = re.compile(r"""(?:(?:src|href)\s*=|url\()\s*["']?\s*(?:[a-z]+:)?//|@import""", re.IGNORECASE)
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360000002000154a24f5f0000000049454e44ae426082"
)
HEADLINE = 'from custvalue.tables import Sentence\nSentence("<script>alert(1)</script> buys most & often")'
WARNING = "import warnings\nwarnings.warn('few customers')"
TABLES = """from pathlib import Path
_ = (Path(output) / 'scorecard.csv').write_text('customer_id,data\\na,' + data)"""
LINKS = (
    "from IPython.display import HTML, Image, display\n"
    'display(HTML(\'<script src="https://example.org/x.js"></script><p onclick="x()">kept</p>\'))\n'
    "display(HTML('<table><tr><td>1</td></tr></table>'))\n"
    f"display(Image(data={DOT!r}, format='png'))"
)


@pytest.fixture(scope="module")
def orders(tmp_path_factory) -> Path:
    return write_orders(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("notebooks {x}")
    write_notebook(
        folder,
        "01_first",
        cell("markdown", "# Who buys: a *first* look\n\nSee [the paper](https://example.org/paper).", "en"),
        cell("markdown", "# 谁在买：初步观察\n\n正文。", "zh"),
        cell("markdown", "## One & all"),
        cell("code", LINKS),
        cell("code", WARNING),
        cell("code", "print('only when exploring')", "explore"),
    )
    review = (cell("markdown", "# Review", "en"), cell("markdown", "# 月度回顾", "zh"))
    code = (cell("code", HEADLINE, "headline"), cell("code", TABLES))
    return write_notebook(folder, "06_monthly_review", *review, *code)


@pytest.fixture(scope="module")
def pack(orders, folder, tmp_path_factory):
    return run_report(orders, tmp_path_factory.mktemp("out"), notebooks=folder, progress=False)


def page_of(pack, name: str) -> str:
    return (pack.folder / name).read_text("utf-8")


def leftovers(out: Path) -> list[str]:
    """What a run left beside packs: its log and the locks of months are meant to stay."""
    hidden = out / ".custvalue"
    return [path.name for path in hidden.glob("*") if not re.fullmatch(r"\d{4}-\d\d\.lock", path.name)]


def test_the_pack_is_in_the_folder_of_its_month_and_nothing_is_left_beside_it(pack):
    assert pack.folder.name == "2024-03"
    assert pack.index == pack.folder / "index.html"
    assert sorted(path.name for path in pack.folder.parent.iterdir()) == [".custvalue", "2024-03", "custvalue.log"]
    assert not leftovers(pack.folder.parent)


def test_the_manifest_lists_every_file_with_its_sum(pack, orders):
    assert json.loads(page_of(pack, "manifest.json")) == pack.manifest
    files = {path.relative_to(pack.folder).as_posix() for path in pack.folder.rglob("*") if path.is_file()}
    assert {entry["file"] for entry in pack.manifest["files"]} == files - {"manifest.json"}
    for entry in pack.manifest["files"]:
        content = (pack.folder / entry["file"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["bytes"], entry["sha256"])
    assert pack.manifest["input_sha256"] == {"orders.csv": hashlib.sha256(orders.read_bytes()).hexdigest()}
    assert pack.manifest["rows"]["rows_accepted"] + pack.manifest["rows"]["rows_quarantined"] == 5
    assert set(pack.manifest["timings"]["notebook_seconds"]) == {"01_first", "06_monthly_review"}
    assert pack.manifest["libraries"]["papermill"]


def test_notebooks_get_absolute_data_and_write_their_tables_into_the_pack(pack, orders):
    with (pack.folder / "tables" / "scorecard.csv").open(encoding="utf-8") as file:
        assert next(csv.DictReader(file))["data"] == str(orders)
    assert 'href="tables/scorecard.csv"' in page_of(pack, "index.html")


def test_a_page_keeps_its_language_only_and_drops_what_is_for_exploring(pack):
    page = page_of(pack, "01_first.html")
    assert '<html lang="en">' in page
    assert "<title>Who buys: a first look</title>" in page
    assert "谁在买" not in page
    assert "only when exploring" not in page
    assert "06_monthly_review.html" in page
    assert ">Who buys</a>" in page


def test_code_and_warnings_stay_off_the_page_and_warnings_are_in_the_manifest(pack):
    page = page_of(pack, "01_first.html")
    assert "few customers" not in page
    assert "import warnings" not in page
    said = pack.manifest["warnings"]["01_first"]
    assert any("UserWarning: few customers" in line for line in said)
    assert not any("ipykernel_" in line for line in said)


def test_the_index_shows_the_headline_of_the_review_first_and_escaped(pack):
    index = page_of(pack, "index.html")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; buys most &amp; often" in index
    cards = index[index.index("<main") :]
    assert cards.index("06_monthly_review.html") < cards.index("01_first.html")


@pytest.mark.parametrize("name", ["index.html", "01_first.html", "06_monthly_review.html"])
def test_pages_load_nothing_from_outside_and_run_nothing(pack, name):
    page = page_of(pack, name)
    assert not OUTSIDE.findall(page)
    assert page.count("<script") == 1  # the page's own, which its policy knows by its sum
    assert "script-src 'sha256-" in page
    assert "onclick" not in page
    assert "default-src 'none'" in page


def test_links_keep_their_words_images_get_the_heading_and_tables_scroll(pack):
    page = page_of(pack, "01_first.html")
    assert "the paper" in page
    assert "<p>kept</p>" in page
    assert 'alt="One &amp; all"' in page
    assert re.search(r'<div[^>]* class="cv-scroll"[^>]*><table>', page)
    assert page.count("¶") == 0


def test_the_same_input_gives_the_same_pack_in_the_place_of_the_older_one(pack, orders, folder):
    (pack.folder / "stale.txt").write_text("from an older run")
    again = run_report(orders, pack.folder.parent, notebooks=folder, progress=False)
    assert {**again.manifest, "timings": 0} == {**pack.manifest, "timings": 0}
    assert not (again.folder / "stale.txt").exists()
    assert not leftovers(again.folder.parent)


def test_a_dataframe_in_chinese(tmp_path):
    frame = pd.DataFrame({"客户编号": ["a", 7], "订单日期": ["2024-01-05", "2024-01-31"], "金额": [10, 20]})
    source = "from custvalue.pipeline import read\nread(data).facts['rows_accepted']"
    cells = (cell("markdown", "# 谁在买", "zh"), cell("code", source))
    notebooks = write_notebook(tmp_path / "nb", "01_first", *cells)
    pack = run_report(frame, tmp_path / "out", language="zh", notebooks=notebooks, progress=False)
    assert pack.manifest["input_sha256"] is None
    assert not list(pack.folder.glob("*.parquet"))
    index = page_of(pack, "index.html")
    assert '<html lang="zh-Hans">' in index
    for words in ("no_files", "customers", "quarantined", "home"):
        assert text(f"pages.{words}", "zh") in index
    assert re.search(r"<pre>2</pre>", page_of(pack, "01_first.html"))


def test_a_failing_cell_keeps_the_notebook_publishes_nothing_and_leaves_the_older_pack(tmp_path):
    orders = write_orders(tmp_path)
    older = tmp_path / "out" / "2024-03"
    older.mkdir(parents=True)
    (older / "index.html").write_text("older")
    failing = "# the ratio\nprint('so far')\n1 / 0"
    notebooks = write_notebook(tmp_path / "nb", "01_ratio", cell("code", failing))
    with pytest.raises(AnalysisError) as caught:
        run_report(orders, tmp_path / "out", notebooks=notebooks, progress=False)
    kept = tmp_path / "out" / "failed-2024-03" / "01_ratio.ipynb"
    assert caught.value.code == "notebook_failed"
    for part in ("01_ratio", "# the ratio", "ZeroDivisionError: division by zero", str(kept)):
        assert part in str(caught.value)
    assert "so far" in kept.read_text("utf-8")
    assert [path.name for path in older.iterdir()] == ["index.html"]
    assert not leftovers(tmp_path / "out")


def test_a_notebook_over_its_time_is_stopped(tmp_path):
    notebooks = write_notebook(tmp_path / "nb", "01_slow", cell("code", "import time\ntime.sleep(300)"))
    orders = write_orders(tmp_path)
    with pytest.raises(AnalysisError) as caught:
        run_report(orders, tmp_path / "out", notebooks=notebooks, progress=False, time_limit=4)
    assert caught.value.code == "notebook_too_slow"
    assert not leftovers(tmp_path / "out")


def test_a_kernel_that_dies_is_an_error_with_the_cell(tmp_path):
    notebooks = write_notebook(tmp_path / "nb", "01_dies", cell("code", "import os\nos._exit(9)"))
    with pytest.raises(AnalysisError) as caught:
        run_report(write_orders(tmp_path), tmp_path / "out", notebooks=notebooks, progress=False)
    assert caught.value.code == "notebook_stopped"
    assert caught.value.values["cell"] == "import os"


def test_a_misspelt_parameter_is_an_error_that_names_the_nearest(tmp_path):
    misspelt = PARAMETERS.replace("language", "langauge")
    notebooks = write_notebook(tmp_path / "nb", "01_first", parameters=misspelt)
    with pytest.raises(UsageError) as caught:
        run_report(write_orders(tmp_path), tmp_path / "out", notebooks=notebooks, progress=False)
    assert caught.value.code == "unknown_parameter"
    assert caught.value.values == {"notebook": "01_first", "got": "language", "nearest": "langauge"}
    assert not leftovers(tmp_path / "out")


def test_cheap_checks_come_before_slow_work(tmp_path, folder):
    orders = write_orders(tmp_path)
    with pytest.raises(UsageError, match="Can not write into the folder"):
        run_report(orders, orders / "out", notebooks=folder)
    with pytest.raises(UsageError, match="No notebooks in"):
        run_report(orders, tmp_path / "out", notebooks=tmp_path)
    with pytest.raises(UsageError, match="language is fr"):
        run_report(orders, tmp_path / "out", language="fr", notebooks=folder)
    with pytest.raises(DataError, match="nowhere"):
        run_report(tmp_path / "nowhere.csv", tmp_path / "out", notebooks=folder)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "01_x.ipynb").write_text("{not json")
    with pytest.raises(UsageError, match="can not be read"):
        run_report(orders, tmp_path / "out", notebooks=broken)
    nbformat.write(new_notebook(metadata=METADATA), broken / "01_x.ipynb")
    with pytest.raises(UsageError, match="has no parameters"):
        run_report(orders, tmp_path / "out", notebooks=broken)
    assert not leftovers(tmp_path / "out")


def test_pages_of_hostile_names_and_outputs(tmp_path):
    hostile = cell("code", "x", "headline")
    style = "<p style=\"background:url('//example.org/a.png')\">t</p><a href=' JavaScript:x()'>l</a>"
    hostile.outputs = [
        new_output("display_data", {"text/plain": "<b>&"}),
        new_output("display_data", {"text/html": style}),
        new_output("display_data", {"image/png": b64encode(DOT).decode()}),
        new_output("display_data", {"text/html": '<p class="cv-note">take care</p>'}),
        new_output("display_data", {"text/html": '<table></table><p class="cv-note cv-rows">… more rows</p>'}),
    ]
    notebook = new_notebook(cells=[cell("markdown", "# A <i>b</i>"), hostile])
    page = read_page(notebook, "01_x")
    facts = dict.fromkeys(("rows_accepted", "rows_quarantined"), 0) | {"customers": 1234}
    facts |= {"first_date": None, "last_date": None}
    index = write_pages(tmp_path, [page], PackFacts("2024-03-31", "<b>.csv", facts, "1.0"))
    written = index.read_text("utf-8")
    assert "&lt;b&gt;&amp;" in written
    assert "&lt;b&gt;.csv" in written
    assert "A &lt;i&gt;b&lt;/i&gt;" in written
    assert "1,234" in written
    assert not OUTSIDE.findall(written)
    assert "javascript:" not in written.lower()
    assert notes(notebook) == ["take care"]


def test_a_notebook_that_asks_for_the_history_is_given_the_folder_of_the_packs(tmp_path):
    asking = PARAMETERS + '\nhistory = ""'
    write_notebook(tmp_path / "nb", "01_asks", cell("code", "print('packs in', history)"), parameters=asking)
    notebooks = write_notebook(tmp_path / "nb", "02_does_not", cell("code", "print('history' in globals())"))
    pack = run_report(write_orders(tmp_path), tmp_path / "out", notebooks=notebooks, progress=False)
    assert f"packs in {tmp_path / 'out'}" in (pack.folder / "01_asks.html").read_text("utf-8")
    assert "False" in (pack.folder / "02_does_not.html").read_text("utf-8")


@pytest.mark.parametrize(("language", "title"), [("en", "Key accounts"), ("zh", "大客户")])
def test_workbook_and_lists_stand_first_among_the_tables(tmp_path, language, title):
    """They are what sales works with; each says in words what it is, a list of the user's own by its name."""
    from custvalue.pages.writing import _files

    (tmp_path / "tables").mkdir()
    names = ["audiences.parquet", "audience_key_accounts.csv", "audience_mine.csv", "backtest.csv", "scorecard.csv"]
    for name in (*names, "custvalue-2025-12.xlsx"):
        (tmp_path / "tables" / name).write_text("x")
    files = _files(tmp_path, language)
    first = ["custvalue-2025-12.xlsx", "audience_key_accounts.csv", "audience_mine.csv", "scorecard.csv"]
    assert [file["name"] for file in files][:4] == first
    assert title in files[1]["content"]
    assert "mine" in files[2]["content"]
    assert [file["content"] for file in files[4:]] == ["", ""]


@pytest.mark.parametrize(
    ("language", "order"), [("en", ["margin", "sales", "tier"]), ("zh", ["tier", "margin", "sales"])]
)
def test_the_glossary_is_in_the_order_of_a_dictionary(tmp_path, language, order):
    """Of the Chinese words kèhù, máolì, xiāoshòu."""
    page = Page("01_x", "X", "X", "", "", terms=("sales", "tier", "margin"))
    facts = dict.fromkeys(("rows_accepted", "customers"), 9) | {"first_date": None, "last_date": None}
    facts |= {"rows_quarantined": 1007, "rows_after_as_of": 1000}
    index = write_pages(tmp_path, [page], PackFacts("2024-03-31", "x.csv", facts, "1.0"), language)
    soup = BeautifulSoup((tmp_path / "glossary.html").read_text("utf-8"), "html.parser")
    assert [row["id"] for row in soup("tr", id=True)] == order
    told = BeautifulSoup(index.read_text("utf-8"), "html.parser")
    assert [value.text for value in told("dd")][-2:] == ["7", "1,000"]
