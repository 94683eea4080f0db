"""A real browser without a network, and what a page does in it: what ran, what it asked for, what it said."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from custvalue.pages.pdf import find_browser

FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
#: Whatever an attack calls leaves a trace.
TRAP = "window.ran = []; window.pwn = window.alert = window.confirm = window.prompt = () => window.ran.push(1);"


@dataclass
class Visit:
    """A page in the browser: the page itself, the addresses it asked for, and what stood on its console."""

    page: Any
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def ran(self) -> int:
        return len(self.page.evaluate("window.ran"))


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser; the test is skipped where there is none, but not in continuous integration."""
    path = find_browser()
    if not path and os.environ.get("CI"):
        pytest.fail("continuous integration needs chromium")
    if not path:
        pytest.skip("no chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@contextmanager
def visit(browser: Any, address: str, *, width: int = 1280, **options: Any) -> Iterator[Visit]:
    """Open an address in a context of its own."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    context.add_init_script(TRAP)
    seen = Visit(context.new_page())
    seen.page.on("console", lambda message: seen.said.append(message.text))
    seen.page.on("pageerror", lambda error: seen.said.append(str(error)))
    seen.page.on("dialog", lambda dialog: (seen.said.append("dialog"), dialog.dismiss()))
    seen.page.on("request", lambda request: seen.asked.append(request.url))
    seen.page.goto(address)
    seen.page.wait_for_timeout(60)
    yield seen
    context.close()


def beyond(asked: list[str]) -> list[str]:
    """The addresses that are neither files nor in the page itself."""
    return [url for url in asked if not url.startswith(("file:", "data:", "about:"))]
