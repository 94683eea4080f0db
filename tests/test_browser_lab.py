"""JupyterLab in a real browser without a network, as ``custvalue init`` and ``lab`` give it: explore, learn, own data."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from browser import chromium
from jupyter_lab import Desk, at_desk, lab

from custvalue.labels import LANGUAGES, text
from custvalue.workshop import write_workshop
from custvalue.workspace import make_workspace

PYRAMID = "notebooks/03_customer_pyramid.ipynb"
LESSON = "course/01_cost_and_return.ipynb"
SMALLEST_SHARE, STEPS = 0.005, 4


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
    with at_desk(shop.browser, shop.address, tmp_path / "failed.png") as opened:
        yield opened


def rows(desk: Desk) -> list[str]:
    return desk.page.locator(".cv-explore-table tbody tr").all_inner_texts()


def test_a_slider_moves_chart_and_table_a_filter_finds_and_the_button_keeps_the_choice(shop, desk):
    desk.open(PYRAMID)
    desk.run_all()
    assert desk.complaints() == []
    desk.to("cv.explore_pyramid(")
    chart = desk.page.locator(".cv-explore-chart")
    assert chart.evaluate("image => image.decode().then(() => image.naturalWidth)") > 400
    before, picture = rows(desk), chart.get_attribute("src")
    assert len(before) == 4

    slider = desk.page.locator(".cv-explore-cut-gold .noUi-handle")
    for _ in range(STEPS):
        slider.press("ArrowRight")
    desk.until_other(".cv-explore-chart", "src", picture)
    desk.page.wait_for_function("(rows) => document.querySelector('.cv-explore-table tbody').innerText !== rows", arg="\n".join(before))
    after = rows(desk)
    assert after[0] == before[0]
    assert after[1] != before[1]

    desk.page.locator(".cv-explore-table input[type=search]").fill(after[1].split("\t")[0])
    desk.page.wait_for_function("() => document.querySelectorAll('.cv-explore-table tbody tr').length === 1")
    assert rows(desk) == [after[1]]

    desk.page.locator(".cv-explore-save").click()
    desk.page.wait_for_selector(".cv-explore-said:has-text('custvalue.toml')")
    settings = tomllib.loads((shop.folder / "data" / "sample" / "custvalue.toml").read_text("utf-8"))
    assert settings["pyramid"]["cuts"] == pytest.approx([0.01, 0.05 + STEPS * SMALLEST_SHARE, 0.20])


def test_a_lesson_explains_a_wrong_answer_and_praises_the_right_one(shop, desk):
    desk.open(LESSON)
    desk.run_all()
    assert desk.complaints() == []
    replies = desk.page.locator(".cv-check")

    def answered(words: str) -> str:
        desk.write("answer = ...", words)
        desk.run_cell()
        desk.to('check("cost_per_customer"')
        return desk.run_cell()

    assert text("workshop.state_open", shop.language) in replies.first.inner_text()
    wrong = answered("answer = 182_500 / 365")
    assert text("workshop.costs_cost_per_customer_one_visit", shop.language) in wrong
