"""A pack as one PDF, printed by a browser of this machine without a network; nothing where there is no browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custvalue.errors import AnalysisError
from custvalue.pages.folding import unfolded

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

__all__ = ["find_browser", "write_pdf"]

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-pdf-header-footer",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
_SECONDS = 180
#: The time of printing, which would make each print of the same pack differ.
_TIMES = re.compile(rb"(/(?:CreationDate|ModDate) \(D:)\d{14}")


def find_browser() -> str:
    """The path of a Chromium browser of this machine; empty where there is none."""
    return next(filter(None, map(shutil.which, _BROWSERS)), "")


def _soup(path: Path) -> BeautifulSoup:
    from bs4 import BeautifulSoup

    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


def _inner_links(main: Any, stem: str, stems: Iterable[str]) -> None:
    """Make the anchors of a page its own, and links to pages of the pack links within the PDF; others lose theirs."""
    for tag in main(id=True):
        tag["id"] = f"{stem}--{tag['id']}"
    for link in main("a", href=True):
        path, _, place = link["href"].partition("#")
        target = path.removesuffix(".html") if path else stem
        if target in stems:
            link["href"] = f"#{target}--{place}" if place else f"#{target}"
        else:
            del link["href"]


def _sheets(index: BeautifulSoup, folder: Path) -> list[Path]:
    """The pages in the order of the navigation."""
    names = [link["href"] for link in index.select(".cv-nav a[href]")]
    return [folder / name for name in names if (folder / name).is_file()]


def _one_document(folder: Path) -> str:
    """All pages of a pack below each other, the index first."""
    document = _soup(folder / "index.html")
    paths = _sheets(document, folder)
    stems = [path.stem for path in paths]
    document.main.clear()
    for path in paths:
        sheet = _soup(path).main
        _inner_links(sheet, path.stem, stems)
        unfolded(sheet)
        for contents in sheet.select(".cv-toc"):
            contents.decompose()
        sheet.name, sheet.attrs = "section", {"class": "cv-sheet", "id": path.stem}
        document.main.append(sheet)
    return str(document)


def _print(browser: str, page: Path, pdf: Path, profile: Path) -> None:
    sandbox = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
    own = (f"--user-data-dir={profile}", f"--print-to-pdf={pdf}", page.as_uri())
    try:
        done = subprocess.run([browser, *_FLAGS, *sandbox, *own], capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise AnalysisError("pdf_failed", browser=browser, said=f"{_SECONDS} s") from error
    if not pdf.is_file():
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise AnalysisError("pdf_failed", browser=browser, said=lines[-1][:300] if lines else str(done.returncode))


def write_pdf(folder: Path, name: str = "report.pdf", *, browser: str = "") -> Path | None:
    """Print the pages of a pack into one PDF, ``folder/name``; returns its path, or None where there is no browser.

    The order is that of the navigation, each page begins on a new sheet, and links between pages lead within the PDF.
    Needs Chromium, Chrome or Edge on this machine (``browser`` is the path of one, else it is looked for), started
    without a network. Raises ``AnalysisError`` ``pdf_failed`` where the browser prints nothing.

    >>> write_pdf(Path("out/2025-12"), browser="none") is None
    True
    """
    found = shutil.which(browser) if browser else find_browser()
    if not found:
        return None
    with tempfile.TemporaryDirectory(prefix="custvalue-pdf-") as place:
        page, pdf = Path(place) / "pack.html", Path(place) / "pack.pdf"
        page.write_text(_one_document(folder), "utf-8")
        _print(found, page, pdf, Path(place) / "profile")
        (folder / name).write_bytes(_TIMES.sub(rb"\g<1>20000101000000", pdf.read_bytes()))
    return folder / name
