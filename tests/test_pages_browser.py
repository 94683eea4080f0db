"""The pages of the sample's pack in a real browser without a network: they ask for nothing, and Chinese is drawn."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont

from custvalue.pages.font import FAMILY
from custvalue.report import run_report

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--v=0",
    "--virtual-time-budget=10000",
    "--window-size=1280,900",
]
NO_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND"
PAGES = 8
PROBE = """<script>
document.fonts.load('16px "%(family)s"', '客户').then(() => document.fonts.ready).then(() => {
  const faces = [...document.fonts].map(face => face.family.replaceAll('"', '') + ' ' + face.status);
  document.body.dataset.fonts = faces.join();
  document.body.dataset.wider = document.documentElement.scrollWidth - document.documentElement.clientWidth;
});
</script>"""
FONT = re.compile(r"url\(data:font/woff;base64,([\w+/=]+)\)")


class Visit(NamedTuple):
    """What a page became in the browser, what it said on its console, and the addresses it asked for."""

    dom: BeautifulSoup
    console: list[str]
    asked: list[str]


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("continuous integration needs chromium")
    return found or pytest.skip("no chromium on this machine")


@pytest.fixture(scope="module")
def pack(sample, tmp_path_factory) -> Path:
    return run_report(sample, tmp_path_factory.mktemp("packs"), language="zh", progress=False).folder


def addresses(log: Path) -> list[str]:
    """The addresses beyond this machine that a page asked for; the browser's own requests are not a page's."""
    told = [event.get("params", {}) for event in json.loads(log.read_text("utf-8"))["events"]]
    asked = [entry["url"] for entry in told if str(entry.get("network_isolation_key")).startswith("file:")]
    return sorted({url for url in asked if not re.match("(file|data|blob|about):", url)})


def visit(browser: str, page: Path, folder: Path) -> Visit:
    """Open a page with every host name unknown, in a profile of its own."""
    log = folder / "network.json"
    own = (f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", NO_NETWORK)
    done = subprocess.run(
        [browser, *FLAGS, *own, "--dump-dom", page.as_uri()], capture_output=True, timeout=120, check=True
    )
    said = done.stderr.decode("utf-8", "replace").splitlines()
    console = [line for line in said if ":CONSOLE" in line]
    return Visit(BeautifulSoup(done.stdout.decode("utf-8"), "html.parser"), console, addresses(log))


def probed(page: Path, folder: Path) -> Path:
    """A copy of a page that is allowed one script: it writes into the page what the browser made of its fonts."""
    content = page.read_text("utf-8")
    content = content.replace("default-src 'none';", "default-src 'none'; script-src 'unsafe-inline';", 1)
    copy = folder / page.name
    copy.write_text(content.replace("</body>", PROBE % {"family": FAMILY} + "</body>"), "utf-8")
    return copy


def test_a_page_that_asks_for_something_is_found_out(browser, tmp_path):
    page = tmp_path / "bad.html"
    page.write_text('<img src="http://pictures.example/x.png"><script>console.error("oh")</script>', "utf-8")
    seen = visit(browser, page, tmp_path)
    assert seen.asked == ["http://pictures.example/x.png"]
    assert any("oh" in line for line in seen.console)


def broken_links(dom: BeautifulSoup, pack: Path) -> list[str]:
    links = [link["href"] for link in dom.find_all("a")]
    assert len(links) >= PAGES
    return [link for link in links if "://" not in link and not (pack / link.split("#")[0]).is_file()]


def test_the_pages_ask_for_nothing_and_complain_of_nothing(browser, pack, tmp_path):
    pages = sorted(pack.glob("*.html"))
    assert len(pages) == PAGES
    for page in pages:
        folder = tmp_path / page.stem
        folder.mkdir()
        seen = visit(browser, page, folder)
        assert (page.name, seen.console, seen.asked) == (page.name, [], [])
        assert seen.dom.h1.get_text().strip()
        assert seen.dom.html["lang"].startswith("zh")
        assert all(picture["src"].startswith("data:image/") for picture in seen.dom.find_all("img"))
        assert broken_links(seen.dom, pack) == []


def test_the_chinese_font_travels_in_the_page_and_draws_every_character(browser, pack, tmp_path):
    for name in ("index.html", "06_monthly_review.html"):
        folder = tmp_path / name
        folder.mkdir()
        seen = visit(browser, probed(pack / name, folder), folder)
        assert seen.console == []
        assert seen.dom.body["data-fonts"] == f"{FAMILY} loaded"
        assert int(seen.dom.body["data-wider"]) <= 0
        data = FONT.search((pack / name).read_text("utf-8")).group(1)
        drawn = set(TTFont(io.BytesIO(base64.b64decode(data))).getBestCmap())
        needed = {ord(letter) for letter in seen.dom.body.get_text() if ord(letter) >= 0x2E80}
        assert len(needed) > 50
        assert needed - drawn == set()
