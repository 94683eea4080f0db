"""Names and texts of the data that attack: nothing of them runs, loads, computes or leaves its place, in any output."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from urllib.parse import unquote

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest
from attack_data import FOLDER, FORMULAS, HEADERS, MARKDOWN, MARKUP, PAYLOADS, write_attack
from browser import beyond, chromium, visit
from matplotlib.text import Text

from custvalue.config import load_settings
from custvalue.customers import customer_table
from custvalue.errors import DataError
from custvalue.labels import LANGUAGES, describe
from custvalue.pages.cleaning import clean, is_inside
from custvalue.pipeline import read
from custvalue.plots import plot_groups
from custvalue.report import run_report
from custvalue.tables import Sentence, Sentences, save, show

#: Elements no page of ours has; an attack that became one is found by them or by its own mark.
FOREIGN = (
    "[data-evil], x-evil, iframe, object, embed, form, svg, math, video, base, link, marquee, main style, main script"
)
STARTS_FORMULA = re.compile(r"[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*[=+\-@＝＋－＠]")


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    return write_attack(tmp_path_factory.mktemp("attacks"))


@pytest.fixture(scope="module", params=LANGUAGES)
def pack(request, shop) -> Path:
    """The whole report on the attacks, into a folder whose name is one too."""
    out = shop.parent / f"reports {{data}} <b> {request.param}"
    return run_report(shop, out, language=request.param, progress=False).folder


def known_customers(shop: Path) -> set[str]:
    return set(customer_table(read(shop, load_settings("", shop)))["customer_id"])


def test_there_are_sixty_attacks_of_every_kind():
    assert len(set(PAYLOADS)) >= 60
    assert min(map(len, (MARKUP, MARKDOWN, FORMULAS))) >= 10


def test_no_page_runs_loads_or_holds_anything_of_the_data(browser, pack):
    pages = sorted(pack.glob("*.html"))
    assert len(pages) >= 9
    for path in pages:
        with visit(browser, path.as_uri()) as seen:
            assert (path.name, seen.ran(), beyond(seen.asked), seen.said) == (path.name, 0, [], [])
            assert seen.page.locator(FOREIGN).count() == 0
            assert seen.page.evaluate("document.querySelectorAll('script').length") == 1
            assert seen.page.evaluate("[...document.querySelectorAll('*')].some(e => e.onclick || e.onerror)") is False
            links = seen.page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))")
            assert all(is_inside(link) for link in links)
            assert [link for link in links if not (pack / unquote(link.split("#")[0])).exists()] == []


def test_attacks_are_read_as_they_are_written(browser, pack):
    with visit(browser, (pack / "00_data_check.html").as_uri()) as seen:
        assert MARKUP[1] in seen.page.inner_text("body")  # the currency, in the headings of money
    with visit(browser, (pack / "index.html").as_uri()) as seen:
        assert FOLDER in seen.page.inner_text("dl")


def test_no_page_holds_letters_that_turn_the_reading_or_control_the_screen(pack):
    for path in pack.glob("*.html"):
        assert re.findall("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f\x7f]", path.read_text("utf-8")) == []


def outputs_as_page(path: Path, folder: Path) -> Path:
    """All a notebook displays, as a notebook program puts it into its window: without our pages' own cleaning."""
    from nbconvert import HTMLExporter

    body, _ = HTMLExporter(template_name="basic").from_filename(str(path))
    page = folder / f"{path.stem}.html"
    page.write_text(f"<!DOCTYPE html><meta charset=utf-8><body>{body}", "utf-8")
    return page


def test_nothing_runs_when_the_notebooks_themselves_are_opened(browser, pack, tmp_path):
    for path in sorted((pack / "notebooks").glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        shown = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
        assert {kind for data in shown for kind in data} <= {"text/plain", "text/html", "image/png"}
        with visit(browser, outputs_as_page(path, tmp_path).as_uri()) as seen:
            assert (path.name, seen.ran(), beyond(seen.asked)) == (path.name, 0, [])
            assert seen.page.locator("[data-evil], x-evil, iframe, object, embed, form, svg, math").count() == 0


def test_no_cell_of_a_written_table_begins_a_formula(pack):
    tables = sorted((pack / "tables").glob("*.csv"))
    assert len(tables) > 10
    for path in tables:
        with path.open(encoding="utf-8-sig", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert [cell for cell in cells if STARTS_FORMULA.match(cell) and not is_number(cell)] == []


def is_number(cell: str) -> bool:
    try:
        return bool(re.fullmatch(r"[-\d.e+]+", cell)) and isinstance(float(cell), float)
    except ValueError:
        return False


def test_no_sheet_of_a_workbook_computes_or_links(pack):
    openpyxl = pytest.importorskip("openpyxl")
    for path in (pack / "tables").glob("*.xlsx"):
        for sheet in openpyxl.load_workbook(path).worksheets:
            cells = [cell for row in sheet.iter_rows() for cell in row]
            assert [cell.coordinate for cell in cells if cell.data_type == "f" or cell.hyperlink] == []


def test_the_scorecard_holds_the_customers_letter_by_letter(pack, shop):
    scorecard = pd.read_parquet(pack / "tables" / "scorecard.parquet")
    assert set(scorecard["customer_id"]) == known_customers(shop)
    assert {*FORMULAS[:3], *MARKUP[:3]} <= set(scorecard["customer_id"])


def test_nothing_was_written_outside_the_pack(pack, shop):
    assert not list(shop.parent.rglob("*pwned*"))
    assert {path.name for path in shop.parent.iterdir()} <= {FOLDER, *(p.name for p in shop.parent.glob("reports *"))}
    listed = {entry["file"] for entry in json.loads((pack / "manifest.json").read_text("utf-8"))["files"]}
    assert {path.relative_to(pack).as_posix() for path in pack.rglob("*") if path.is_file()} - listed == {
        "manifest.json"
    }


@pytest.mark.parametrize("words", [*PAYLOADS, *HEADERS])
def test_a_shown_table_and_a_sentence_hold_an_attack_as_text(words):
    from bs4 import BeautifulSoup

    table = show(pd.DataFrame({"category": [words], words: [1]}), title=words, labels={"category": {words: words}})
    for html in (table._repr_html_(), Sentence(words)._repr_html_(), Sentences((words,))._repr_html_()):
        tags = {tag.name for tag in BeautifulSoup(html, "html.parser")(True)}
        assert tags <= {"table", "caption", "thead", "tbody", "tr", "th", "td", "p"}


@pytest.mark.parametrize(
    "href", ["javascript:pwn()", "//evil.example", "https://evil.example/x.html", "../x.html", "a b.html"]
)
def test_a_sentence_links_to_pages_of_the_pack_only(href):
    assert "href" not in Sentence("words", href)._repr_html_()
    assert (
        'href="03_customer_pyramid.html#part-2"' in Sentence("words", "03_customer_pyramid.html#part-2")._repr_html_()
    )


@pytest.mark.parametrize("words", PAYLOADS)
def test_the_cleaning_leaves_nothing_of_an_attack_that_got_into_a_page(words):
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(f"<p>before {words} after</p>", "html.parser")
    clean(soup)
    again = BeautifulSoup(str(soup), "html.parser")
    assert not again.select("script, svg, math, iframe, object, embed, form, base, link, meta, input, video, [onclick]")
    attributes = {name for tag in again(True) for name in tag.attrs}
    assert not [name for name in attributes if name.startswith("on") or name in ("data-evil", "srcdoc", "action")]
    assert all(is_inside(tag["href"]) for tag in again(href=True))
    assert "//evil.example" not in "".join(str(value) for tag in again(True) for value in tag.attrs.values())


def test_the_cleaned_attacks_do_nothing_in_a_browser_without_our_policy(browser, tmp_path):
    from bs4 import BeautifulSoup

    page = tmp_path / "cleaned.html"
    parts = [BeautifulSoup(f"<div>{words}</div>", "html.parser") for words in PAYLOADS]
    for part in parts:
        clean(part)
    page.write_text("<!DOCTYPE html><meta charset=utf-8>" + "\n".join(map(str, parts)), "utf-8")
    with visit(browser, page.as_uri()) as seen:
        assert (seen.ran(), beyond(seen.asked)) == (0, [])


def test_the_trap_catches_an_attack_that_is_not_cleaned(browser, tmp_path):
    page = tmp_path / "raw.html"
    page.write_text("<!DOCTYPE html><meta charset=utf-8>" + "\n".join(MARKUP[:3]), "utf-8")
    with visit(browser, page.as_uri()) as seen:
        assert seen.ran() >= 2


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("words", [*MARKDOWN, MARKUP[0], FORMULAS[0], "L" * 5000, "invoice\u202efdp.exe", "a\x00b"])
def test_a_chart_draws_an_attack_letter_by_letter(words, language, tmp_path):
    profile = pd.DataFrame({"category": [words, "plain"], "n_customers": [5, 5]})
    profile = profile.assign(share_customers=0.5, share_sales=0.5)
    ax = plot_groups(profile, "category", language=language, currency=words)
    ax.figure.savefig(tmp_path / "chart.png")
    drawn = ax.figure.findobj(Text)
    assert not any(artist.get_parse_math() for artist in drawn if "$" in artist.get_text())
    start = "".join(letter for letter in words if letter.isprintable())[:8]
    assert any(start.split()[0] in artist.get_text() for artist in drawn)
    assert start.split()[0] in repr(ax.figure)
    plt.close(ax.figure)


@pytest.mark.parametrize("words", [*FORMULAS, "\r=1", "\n=1", "\ufeff=1", "a\t-1", " " * 60 + "=1"])
def test_a_spreadsheet_sees_no_formula_wherever_it_begins_a_cell(words, tmp_path):
    save(pd.DataFrame({"text": [words, "plain"], "n": [1, -2]}), tmp_path, "table")
    lines = (tmp_path / "table.csv").read_text("utf-8-sig").replace('"', "")
    cells = [cell for line in lines.split("\n") for cell in re.split(r"[,;\t]", line)]
    assert [cell for cell in cells if STARTS_FORMULA.match(cell)] == ["-2"]


def test_saving_a_very_long_text_of_blanks_is_quick(tmp_path):
    save(pd.DataFrame({"text": ["\n\t " * 200_000]}), tmp_path, "table")
    assert (tmp_path / "table.csv").stat().st_size > 600_000


def test_the_columns_of_the_data_are_not_taken_for_terms_of_the_glossary(shop):
    assert not any(describe(name) for name in HEADERS)


def test_a_nul_in_the_data_is_refused_in_words(tmp_path):
    (tmp_path / "orders.csv").write_bytes(b"customer_id,order_date,amount\na\x00b,2024-01-05,10\nc,2024-01-31,20\n")
    with pytest.raises(DataError) as caught:
        read(tmp_path / "orders.csv")
    assert "\x00" not in str(caught.value)
