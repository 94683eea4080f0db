"""JupyterLab in a real browser without a network, as ``custvalue init`` and ``lab`` give it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from browser import chromium
from jupyter_lab import Desk, at_desk, lab

import custvalue as cv
from custvalue.labels import LANGUAGES, text
from custvalue.workshop import write_workshop
from custvalue.workspace import make_workspace

PYRAMID = "notebooks/03_customer_pyramid.ipynb"
LESSON = "course/01_cost_and_return.ipynb"
SMALLEST_SHARE, STEPS = 0.005, 4


CHART_IS_OTHER = "before => document.querySelector('.cv-explore-chart').getAttribute('src') !== before"
TABLE_IS_OTHER = "before => !document.querySelector('.cv-explore-table tbody').innerText.includes(before)"
LIST_IS_OF = "rows => document.querySelectorAll('.cv-explore-list tbody tr').length === rows"
#: Where JupyterLab asks whether to fetch news, or tells of updates.
NOTICE = ".Toastify__toast"
#: A file as a shop might have it: name, headings and encoding.
OWN = {
    "en": ("my shop.csv", "Customer ID", "Order number", "Date", "Total", "utf-8"),
    "zh": ("我的订单.csv", "会员编号", "订单号", "下单时间", "实付金额", "gb18030"),
}


class Shop:
    """A folder of the user's with JupyterLab open in it, and a browser."""

    def __init__(self, folder: Path, address: str, browser, language: str) -> None:
        self.folder, self.address, self.browser, self.language = folder, address, browser, language


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module", params=LANGUAGES)
def shop(browser, request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    make_workspace(folder, request.param)
    write_workshop(folder / "course", request.param)
    with lab(folder, tmp_path_factory.mktemp("home") / "me") as address:
        yield Shop(folder, address, browser, request.param)


@pytest.fixture
def desk(shop, tmp_path):
    with at_desk(shop.browser, shop.address, tmp_path / "end.png") as opened:
        yield opened


def rows(desk: Desk) -> list[str]:
    return desk.page.locator(".cv-explore .cv-explore-table tbody tr").all_inner_texts()


def test_a_slider_moves_chart_and_table_the_choice_is_kept_and_a_list_is_filtered(shop, desk):
    desk.open(PYRAMID)
    desk.run_all()
    assert desk.complaints() == []
    assert desk.page.locator(NOTICE).count() == 0
    desk.show(desk.place("cv.explore_pyramid("))
    chart = desk.page.locator(".cv-explore-chart")
    assert chart.evaluate("image => image.decode().then(() => image.naturalWidth)") > 400
    assert desk.page.locator(".cv-explore .dt-button").count() == 1
    before, picture = rows(desk), chart.get_attribute("src")
    assert len(before) == 4

    slider = desk.page.locator(".cv-explore-cut-gold .noUi-handle")
    for _ in range(STEPS):
        slider.press("ArrowRight")
    desk.page.wait_for_function(CHART_IS_OTHER, arg=picture)
    desk.page.wait_for_function(TABLE_IS_OTHER, arg=before[1])
    after = rows(desk)
    assert after[0] == before[0]
    assert after[1] != before[1]

    desk.page.locator(".cv-explore-save").click()
    desk.page.wait_for_selector(".cv-explore-said:has-text('custvalue.toml')")
    settings = tomllib.loads((shop.folder / "data" / "sample" / "custvalue.toml").read_text("utf-8"))
    assert settings["pyramid"]["cuts"] == pytest.approx([0.01, 0.05 + STEPS * SMALLEST_SHARE, 0.20])

    desk.show(desk.place("cv.explore_table("))
    found = desk.page.locator(".cv-explore-list .dt-info")
    assert "4,978" in found.inner_text()
    desk.page.locator(".cv-explore-list input[type=search]").fill("C00007")
    desk.page.wait_for_function(LIST_IS_OF, arg=1)
    assert desk.page.locator(".cv-explore-list tbody tr").inner_text().startswith("C00007")
    with desk.page.expect_download() as download:
        desk.page.locator(".cv-explore-list .dt-button").click()
    saved = pd.read_csv(download.value.path())
    assert saved.iloc[:, 0].tolist() == ["C00007"]


def test_a_lesson_explains_a_wrong_answer_and_confirms_the_right_one(shop, desk):
    desk.open(LESSON)
    desk.run_all()
    assert desk.complaints() == []
    check = desk.place('check("cost_per_customer"')

    def replied(answer: str) -> str:
        desk.write(check - 1, f"answer = {answer}")
        desk.run(check - 1)
        return desk.run(check)

    replies = [replied(answer) for answer in ("...", "182_500 / 365", "no_such_name", "182_500 / 365 * 4")]
    reasons = ("blank", "costs_cost_per_customer_one_visit", "cell_failed", "costs_cost_per_customer_right")
    for said, reason in zip(replies, reasons, strict=True):
        assert text(f"workshop.{reason}", shop.language, got=500) in said
    states = [re.search("✓|✗|…", said)[0] for said in replies]
    assert states == ["…", "✗", "…", "✓"]
    assert "1" in desk.run(desk.place("check.summary()"))


def test_a_file_of_ones_own_is_uploaded_named_and_analysed(shop, desk, sample, tmp_path):
    """With headings and, in Chinese, an encoding as a shop's system writes them."""
    orders = pd.read_csv(sample / "orders.csv", dtype=str)
    orders = orders[orders["customer_id"] < "C00400"]
    file = tmp_path / OWN[shop.language][0]
    own = orders[["customer_id", "order_id", "order_date", "amount"]]
    own.set_axis(OWN[shop.language][1:5], axis="columns").to_csv(file, index=False, encoding=OWN[shop.language][5])
    desk.open(PYRAMID)
    with desk.page.expect_file_chooser() as chosen:
        desk.page.locator(".jp-FileBrowser [data-jp-item-name='uploader'] jp-button").click()
    chosen.value.set_files(file)
    desk.page.locator(f".jp-DirListing-item:has-text('{file.name}')").wait_for()
    desk.write(desk.place("data = "), f'data = "{file.name}"', first_line=True)
    desk.run_all()
    assert desk.complaints() == []
    assert desk.page.locator(".cv-explore .cv-explore-table").count() == 1
    n = len(cv.customer_table(cv.read(file)))
    assert n > 390
    assert f" {n} " in desk.page.locator(".cv-explore-list .dt-info").inner_text() + " "

    desk.show(desk.place("cv.explore_pyramid("))
    desk.page.locator(".cv-explore-cut-gold .noUi-handle").press("ArrowRight")
    desk.page.locator(".cv-explore-save").click()
    desk.page.wait_for_selector(".cv-explore-said:has-text('custvalue.toml')")
    kept = tomllib.loads((shop.folder / "custvalue.toml").read_text("utf-8"))
    assert cv.load_settings("", shop.folder / "notebooks" / file.name).pyramid.cuts == tuple(kept["pyramid"]["cuts"])
