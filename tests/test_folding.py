"""What a page folds away, what it leaves out for want of a column, and that paper shows everything."""

from __future__ import annotations

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from custvalue.findings import health_remedies
from custvalue.groupwords import category_finding
from custvalue.healthcheck import health_words
from custvalue.pages.folding import fold_details
from custvalue.pages.pdf import _one_document
from custvalue.pages.reading import notes as notes_of
from custvalue.pages.reading import read_page
from custvalue.pages.writing import PackFacts, write_pages
from custvalue.tables import Missing, Sentences, advise, notes, show

FACTS = PackFacts(
    as_of="2025-12-31",
    source="orders.csv",
    rows={"first_date": None, "last_date": None, "customers": 1, "rows_accepted": 1, "rows_quarantined": 0},
    version="1",
)

#: The parts of the page of segments with something below them, and how much.
PARTS = ((1, 8), (2, 4), (3, 4))


def text_cell(source: str, *tags: str):
    return new_markdown_cell(source, metadata={"tags": ["en", *tags]})


def result_cell(shown, *tags: str):
    output = new_output("display_data", {"text/html": shown._repr_html_(), "text/plain": repr(shown)})
    return new_code_cell("x", outputs=[output], metadata={"tags": list(tags)})


def page(*cells):
    return read_page(new_notebook(cells=list(cells)), "01_test")


def body(*cells) -> BeautifulSoup:
    return BeautifulSoup(page(*cells).body, "html.parser")


TABLE = show(pd.DataFrame({"tier": ["gold"], "sales": [9.0]}))


def test_a_run_of_details_is_folded_under_its_first_text_and_the_rest_stays_open():
    found = body(
        text_cell("# Page"),
        result_cell(TABLE),
        text_cell("How it is *made*", "detail"),
        result_cell(TABLE, "detail"),
        result_cell(TABLE, "detail"),
        text_cell("Where it comes from", "detail"),
        result_cell(TABLE, "detail"),
        result_cell(TABLE),
    )
    boxes = found("details")
    assert [box.summary.get_text() for box in boxes] == ["How it is made", "Where it comes from"]
    assert [len(box("table")) for box in boxes] == [2, 1]
    assert len(found("table")) == 5
    assert not any(box.has_attr("open") for box in boxes)


def test_a_fold_without_anything_in_it_is_left_out():
    empty = new_code_cell("x", metadata={"tags": ["detail"]})
    found = body(text_cell("# Page"), text_cell("How it is made", "detail"), empty, result_cell(TABLE))
    assert not found("details")
    assert "How it is made" not in found.get_text()


def test_a_detail_without_a_text_before_it_still_reads():
    soup = BeautifulSoup(
        '<div class="cell celltag_detail">a</div><div class="cell celltag_detail">b</div>', "html.parser"
    )
    fold_details(soup)
    assert soup.get_text() == "ab"


def test_a_part_without_its_column_keeps_its_heading_and_one_line():
    missing = Missing("No views are known. A file events.csv adds them.")
    cells = [
        text_cell("# Page"),
        text_cell("## 1. Part"),
        text_cell("### 1.1 Views\n\nMuch text."),
        result_cell(missing, "headline"),
        result_cell(TABLE),
        text_cell("More text."),
        text_cell("Figures", "detail"),
        result_cell(TABLE, "detail"),
        text_cell("### 1.2 Next\n\nStays."),
        result_cell(TABLE),
    ]
    found = body(*cells)
    said = found.get_text(" ")
    assert [heading.get_text() for heading in found(["h2", "h3"])] == ["1. Part", "1.1 Views", "1.2 Next"]
    assert "events.csv adds them" in said
    assert "Stays." in said
    assert ("Much text." in said, "More text." in said) == (False, False)
    assert (len(found("table")), len(found("details"))) == (1, 0)
    assert page(*cells).headline.strip() == ""
    assert notes_of(new_notebook(cells=cells)) == [missing.text]


def test_contents_list_the_parts_of_a_part():
    found = body(text_cell("# Page"), text_cell("## 1. One"), text_cell("### 1.1 Below"), text_cell("## 2. Two"))
    contents = found.find("nav")
    assert [link["href"] for link in contents("a")] == ["#part-1", "#part-1-1", "#part-2"]
    assert contents.ul.li.ul.get_text() == "1.1 Below"
    assert {heading["id"] for heading in found(["h2", "h3"])} == {"part-1", "part-1-1", "part-2"}


def test_paper_shows_what_is_folded(tmp_path):
    folded = page(text_cell("# Page"), text_cell("How", "detail"), result_cell(TABLE, "detail"))
    write_pages(tmp_path, [folded], FACTS)
    printed = BeautifulSoup(_one_document(tmp_path), "html.parser")
    assert [box.has_attr("open") for box in printed("details")] == [True]
    on_screen = BeautifulSoup((tmp_path / "01_test.html").read_text("utf-8"), "html.parser")
    assert [box.has_attr("open") for box in on_screen("details")] == [False]


def test_folded_advice_shows_a_line_a_group_and_keeps_every_text():
    whole, folded = advise("segment", codes=["monthly"]), advise("segment", codes=["monthly"], folded=True)
    assert whole.groups == folded.groups
    soup = BeautifulSoup(folded._repr_html_(), "html.parser")
    (name, items), line = whole.groups[0], soup.summary.get_text(" ", strip=True)
    assert (name in line, items[0][1] in line) == (True, True)
    assert all(said in soup.get_text() for _, said in items)
    assert soup.get_text().count(items[0][1]) == 1


@pytest.mark.parametrize(("texts", "kind", "n"), [((), "p", 0), (("a",), "p", 1), (("a", "<b>"), "li", 2)])
def test_findings_stand_out_and_notes_do_not(texts, kind, n):
    soup = BeautifulSoup(Sentences(texts, findings=True)._repr_html_(), "html.parser")
    assert [tag.get_text() for tag in soup(kind)] == list(texts)
    assert len(soup.select(".cv-say")) == min(n, 1)
    assert len(BeautifulSoup(Sentences(texts)._repr_html_(), "html.parser").select(".cv-note")) == n


def test_notes_on_what_is_lacking_are_told_from_the_others():
    codes = ("missing:unknown_criterion/reach", "growth_by_cut")
    lacking, others = (notes("targeting", codes, lacking=which).texts for which in (True, False))
    assert "consent" in lacking[0]
    assert notes("targeting", codes).texts == lacking + others
    assert len(others) == 1


def categories(**columns) -> pd.DataFrame:
    return pd.DataFrame({"main_category": ["tea", "cup"], **columns})


def test_the_main_categories_are_told_by_number_and_by_what_they_bring():
    table = categories(n_customers=[6, 4], share_customers=[0.6, 0.4], share_sales=[0.3, 0.7])
    said = category_finding(table, words={"category": {"cup": "Cups"}})
    assert said.text.startswith("The most common main category is tea: 60.0% of customers, 30.0% of sales.")
    assert "Per head, customers of Cups bring most: 40.0% of customers, 70.0% of sales" in said.text
    even = category_finding(table.assign(share_sales=[0.6, 0.4]), "zh")
    assert "按人均计算贡献也最大" in even.text
    unsold = category_finding(table.assign(share_sales=float("nan")))
    assert "60.0% of customers, – of sales" in unsold.text
    assert isinstance(category_finding(table.head(1)), Missing)
    assert isinstance(category_finding(table.head(0), "zh"), Missing)


def test_only_checks_that_were_not_passed_get_a_remedy():
    found = pd.DataFrame(
        {
            "check": ["too_small", "one_holds_all", "frozen"],
            "health": ["fail", "ok", "unknown"],
            "number": [3.0, 0.4, 0.0],
        }
    ).assign(reason=["smallest", "largest", "age_missing"], limit=30.0)
    told = health_words(found)
    assert [said.partition(":")[0] for said in health_remedies(told).texts] == [
        "Groups too small",
        "Done once and frozen",
    ]
    assert health_remedies(told[told["health"] == "ok"]).texts == ()


def test_the_page_of_segments_is_ordered_as_the_course_is():
    import nbformat

    path = next((ROOT / "notebooks").glob("01_*.ipynb"))
    for language in ("en", "zh"):
        soup = BeautifulSoup(read_page(nbformat.read(path, as_version=4), "01", language).body, "html.parser")
        numbers = [heading.get_text().split(" ")[0] for heading in soup(["h2", "h3"])]
        steps = [[f"{part}.", *(f"{part}.{below}" for below in range(1, n + 1))] for part, n in PARTS]
        assert numbers == [*steps[0], *steps[1], *steps[2], "4."]
        assert len(soup("details")) > 20
