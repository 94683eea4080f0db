"""The pages of the sample's pack in a real browser without a network: what they ask for, how they work and look."""

from __future__ import annotations

import base64
import io
import re
import shutil
from pathlib import Path

import pytest
from browser import beyond, chromium, visit
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont

from custvalue.errors import AnalysisError
from custvalue.labels import describe, text
from custvalue.pages import write_pdf
from custvalue.pages.font import FAMILY
from custvalue.report import run_report

PAGES = 9
PHONE, WIDE = 375, 1100
FONT = re.compile(r"url\(data:font/woff;base64,([\w+/=]+)\)")
FACES = """async () => {
  await document.fonts.load('16px "%s"', '客户');
  return [...document.fonts].map(face => face.family.replaceAll('"', '') + ' ' + face.status);
}"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
#: Texts whose letters stand out too little from their ground (WCAG 2, 4.5 : 1), as far as the ground is one colour.
FAINT = """() => {
  const light = ([r, g, b]) => {
    const part = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const ground = e => {
    for (; e; e = e.parentElement) {
      const found = parts(getComputedStyle(e).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const e of document.querySelectorAll('main *, header *, footer *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.offsetParent) continue;
    const [a, b] = [light(parts(getComputedStyle(e).color)), light(ground(e))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.push(e.tagName + ' ' + e.className + ' ' + contrast.toFixed(2));
  }
  return faint;
}"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def pack(sample, tmp_path_factory) -> Path:
    return run_report(sample, tmp_path_factory.mktemp("packs"), language="zh", progress=False).folder


@pytest.fixture(scope="module")
def pages(pack) -> list[Path]:
    found = sorted(pack.glob("*.html"))
    assert len(found) >= PAGES
    return found


def test_a_page_that_asks_for_something_is_found_out(browser, tmp_path):
    page = tmp_path / "bad.html"
    page.write_text('<img src="http://pictures.example/x.png"><script>console.error("oh")</script>', "utf-8")
    with visit(browser, page.as_uri()) as seen:
        assert beyond(seen.asked) == ["http://pictures.example/x.png"]
        assert "oh" in seen.said


def test_the_pages_ask_for_nothing_but_themselves_and_complain_of_nothing(browser, pack, pages):
    for path in pages:
        with visit(browser, path.as_uri()) as seen:
            files = [url for url in seen.asked if url.startswith("file:")]
            assert (path.name, seen.said, beyond(seen.asked), files) == (path.name, [], [], [path.as_uri()])


def test_every_page_is_built_for_all_readers(pages):
    for path in pages:
        page = BeautifulSoup(path.read_text("utf-8"), "html.parser")
        assert page.html["lang"].startswith("zh")
        assert [len(page(tag)) for tag in ("h1", "main", "header", "footer")] == [1, 1, 1, 1]
        assert page.body.a["href"] == f"#{page.main['id']}"
        assert all(len(image["alt"]) > 15 and "No description" not in image["alt"] for image in page("img"))
        assert all(image["src"].startswith("data:image/") for image in page("img"))
        assert all(head.get("scope") for table in page.select(".cv-table") for head in table("th"))
        assert all(box["aria-label"] for box in page.select(".cv-scroll"))
        assert all(nav["aria-label"] for nav in page("nav"))
        levels = [int(tag.name[1]) for tag in page.main(re.compile("h[1-6]"))]
        assert levels[0] == 1


def test_every_link_leads_to_something(pack, pages):
    anchors = {
        p.name: {tag["id"] for tag in BeautifulSoup(p.read_text("utf-8"), "html.parser")(id=True)} for p in pages
    }
    for path in pages:
        for link in BeautifulSoup(path.read_text("utf-8"), "html.parser")("a", href=True):
            name, _, place = link["href"].partition("#")
            assert (pack / (name or path.name)).is_file(), (path.name, link["href"])
            assert not place or place in anchors[name or path.name], (path.name, link["href"])


def test_each_page_has_its_contents_and_the_index_the_first_things_first(pages):
    for path in pages:
        page = BeautifulSoup(path.read_text("utf-8"), "html.parser")
        if path.stem[0].isdigit():
            assert len(page.select(".cv-toc a")) == len(page.select("main h2, main h3")) > 1
        if path.stem == "index":
            assert page.main("h2")[0].get_text() == text("pages.to_know", "zh")
            assert page.select(".cv-first .cv-say")


def test_every_heading_that_has_a_meaning_is_in_the_glossary(pack, pages):
    glossary = BeautifulSoup((pack / "glossary.html").read_text("utf-8"), "html.parser")
    rows = {row["id"]: row for row in glossary("tr", id=True)}
    linked = {
        link["href"].partition("#")[2]
        for path in pages
        for link in BeautifulSoup(path.read_text("utf-8"), "html.parser").select("a.cv-term")
    }
    assert len(linked) > 30
    assert set(rows) == linked
    assert all(row.td.get_text() == describe(name, "zh") for name, row in rows.items())


def test_the_chinese_font_travels_in_the_page_and_draws_every_character(browser, pack):
    for name in ("index.html", "06_monthly_review.html", "glossary.html"):
        with visit(browser, (pack / name).as_uri()) as seen:
            assert seen.page.evaluate(FACES % FAMILY) == [f"{FAMILY} loaded"]
            said = seen.page.inner_text("body")
        data = FONT.search((pack / name).read_text("utf-8")).group(1)
        drawn = set(TTFont(io.BytesIO(base64.b64decode(data))).getBestCmap())
        needed = {ord(letter) for letter in said if ord(letter) >= 0x2E80}
        assert len(needed) > 50
        assert needed - drawn == set()


@pytest.mark.parametrize("width", [PHONE, 768, WIDE])
def test_no_page_is_wider_than_the_screen_and_no_chart_wider_than_the_page(browser, pages, width):
    for path in pages:
        with visit(browser, path.as_uri(), width=width) as seen:
            assert (path.name, seen.page.evaluate(SIDEWAYS)) == (path.name, 0)
            charts = seen.page.evaluate("[...document.images].map(i => i.getBoundingClientRect().right)")
            assert all(right <= width for right in charts)


def test_the_letters_stand_out_from_their_ground(browser, pages):
    for path in pages:
        with visit(browser, path.as_uri()) as seen:
            assert (path.name, seen.page.evaluate(FAINT)) == (path.name, [])


def test_on_a_phone_the_navigation_folds_and_charts_can_be_enlarged(browser, pack):
    with visit(browser, (pack / "06_monthly_review.html").as_uri(), width=PHONE) as seen:
        page = seen.page
        assert not page.locator(".cv-nav").is_visible()
        page.locator(".cv-menu").press("Enter")
        assert page.locator(".cv-nav").is_visible()
        assert page.locator(".cv-menu").get_attribute("aria-expanded") == "true"
        before = page.locator("main img").first.bounding_box()["width"]
        page.locator(".cv-enlarge").first.click()
        assert page.locator("main img").first.bounding_box()["width"] > 1.5 * before
        assert page.evaluate(SIDEWAYS) == 0


LIST = """<table class="cv-table cv-list"><thead><tr><th scope="col">Name</th><th scope="col">Sales</th></tr></thead>
<tbody>%s</tbody></table>
<p class="cv-note cv-rows" data-rest="rest">note</p>"""


def a_list(pack: Path, folder: Path) -> Path:
    """A page of the pack whose only content is a table of 40 rows, 10 of them shown; one has no number."""
    row = "<tr{}><td>客户 {}</td><td data-sort='{}'>same</td></tr>"
    rows = [row.format(" hidden" if place >= 10 else "", place, place * 7 % 40 + 0.25) for place in range(39)]
    page = BeautifulSoup((pack / "index.html").read_text("utf-8"), "html.parser")
    page.main.clear()
    page.main.append(BeautifulSoup(LIST % "".join([*rows, "<tr hidden><td>none</td><td>–</td></tr>"]), "html.parser"))
    (folder / "list.html").write_text(str(page).replace("&lt;", "<"), "utf-8")
    return folder / "list.html"


def names(page) -> list[str]:
    return [cell.strip() for cell in page.locator("tbody tr:visible td:first-child").all_inner_texts()]


def test_a_long_table_is_searched_sorted_and_unfolded_with_the_keyboard(browser, pack, tmp_path):
    with visit(browser, a_list(pack, tmp_path).as_uri()) as seen:
        page = seen.page
        assert len(names(page)) == 10
        head = page.locator("th").nth(1)
        head.locator("button").press("Enter")
        assert head.get_attribute("aria-sort") == "descending"
        assert names(page)[:2] == ["客户 17", "客户 34"]
        head.locator("button").press("Enter")
        assert head.get_attribute("aria-sort") == "ascending"
        assert names(page)[:2] == ["客户 0", "客户 23"]
        page.locator(".cv-more").press("Enter")
        assert len(names(page)) == 40
        assert names(page)[-1] == "none"
        assert page.locator(".cv-rows").inner_text() == "rest"
        page.get_by_label(text("pages.filter", "zh")).fill("客户 3")
        assert len(names(page)) == 10
        assert "10" in page.locator(".cv-found").inner_text()
        page.locator("th").first.locator("button").press("Enter")
        assert names(page)[:3] == ["客户 3", "客户 30", "客户 31"]
        assert seen.said == []


def test_rows_that_the_button_counts_are_not_counted_again_below_it(browser, pack, tmp_path):
    page = a_list(pack, tmp_path)
    page.write_text(page.read_text("utf-8").replace('data-rest="rest"', 'data-rest=""'), "utf-8")
    with visit(browser, page.as_uri()) as seen:
        assert "30" in seen.page.locator(".cv-more").inner_text()
        assert not seen.page.locator(".cv-rows").is_visible()


def test_without_scripts_a_page_shows_all_its_rows(browser, pack, tmp_path):
    with visit(browser, a_list(pack, tmp_path).as_uri(), java_script_enabled=False) as seen:
        assert seen.page.locator("tbody tr:visible").count() == 40
        assert seen.page.locator(".cv-nav").is_visible()
        assert seen.page.locator("main button").count() == 0


def test_on_paper_there_is_nothing_to_click_and_nothing_is_cut(browser, pages):
    for path in pages:
        with visit(browser, path.as_uri(), width=690) as seen:
            seen.page.emulate_media(media="print")
            for part in (".cv-nav", ".cv-toc", ".cv-sort", ".cv-tools", ".cv-enlarge"):
                assert not any(found.is_visible() for found in seen.page.locator(part).all())
            wide = "[...document.querySelectorAll('main table, main img')].map(e => e.getBoundingClientRect().right)"
            assert max([0, *seen.page.evaluate(wide)]) <= 690


def test_the_pdf_holds_every_page_and_is_the_same_each_time(browser, pack, tmp_path):
    copy = tmp_path / "pack"
    shutil.copytree(pack, copy)
    first = write_pdf(copy).read_bytes()
    assert first.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", first)) >= PAGES
    assert write_pdf(copy, "again.pdf").read_bytes() == first


def test_without_a_browser_there_is_no_pdf_and_a_broken_one_is_told(tmp_path, pack):
    assert write_pdf(pack, browser="no-such-browser") is None
    broken = tmp_path / "browser"
    broken.write_text("#!/bin/sh\necho 'out of paper' >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(AnalysisError, match="out of paper"):
        write_pdf(pack, browser=str(broken))
    assert not (pack / "report.pdf").exists()
