"""An executed notebook as a page of one language: title, body, headline, parts and terms."""

from __future__ import annotations

import copy
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from custvalue.labels import LANGUAGES
from custvalue.pages.cleaning import clean
from custvalue.pages.dressing import add_contents, describe_images, hold_dates, link_terms, wrap_tables
from custvalue.pages.folding import fold_details, leave_out_unfounded, without_missing

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag
    from nbformat import NotebookNode

__all__ = ["Page", "notes", "read_page"]

#: Tags of cells for whoever works in the notebook: how to use it, and the explorers.
_NOTEBOOK_ONLY = {"usage", "explore"}
_TITLE = re.compile(r"^#\s+(.+?)\s*#*$", re.MULTILINE)
_SHORT = re.compile(r"\s*[:：]\s*|\s+[–—-]+\s+|\s*——\s*")
_MARKUP = re.compile(r"[*_`]")


@dataclass(frozen=True)
class Page:
    """One notebook as a page: its name, title, short title for the navigation, body and headline (HTML).

    ``terms`` are the columns its tables show, for the glossary.
    """

    name: str
    title: str
    short: str
    body: str
    headline: str
    terms: tuple[str, ...] = ()

    @property
    def href(self) -> str:
        return f"{self.name}.html"


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _shown(cell: NotebookNode, language: str) -> bool:
    """Whether a cell belongs on the page: its language, not for work in the notebook, and with something to show."""
    tags = set(_tags(cell))
    foreign = bool(tags & set(LANGUAGES)) and language not in tags
    if foreign or tags & _NOTEBOOK_ONLY:
        return False
    return cell.cell_type == "markdown" or bool(cell.get("outputs"))


def _prepare(output: NotebookNode) -> NotebookNode:
    """An output as the page shows it: a drawing as a picture, a chart with its description."""
    data = output.get("data", {})
    if drawing := data.pop("image/svg+xml", ""):
        data["text/html"] = f'<img alt="" src="data:image/svg+xml;base64,{b64encode(drawing.encode()).decode()}">'
    said = data.get("text/plain", "")
    if "image/png" in data and not said.startswith("<"):
        output.metadata["image/png"] = {**output.metadata.get("image/png", {}), "alt": said}
    return output


def _with_outputs(cell: NotebookNode) -> NotebookNode:
    if "outputs" in cell:
        cell.outputs = [_prepare(output) for output in cell.outputs if output.get("name") != "stderr"]
    return cell


def _for_language(notebook: NotebookNode, language: str) -> NotebookNode:
    """A copy of a notebook with only the cells and outputs of the page."""
    page = copy.deepcopy(notebook)
    page.cells = [cell for cell in map(_with_outputs, page.cells) if _shown(cell, language)]
    page.metadata.pop("widgets", None)
    return page


@cache
def _exporter() -> Any:
    from nbconvert import HTMLExporter

    return HTMLExporter(
        template_name="basic",
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )


def _title(notebook: NotebookNode, name: str) -> str:
    """The first first-level heading, without markup; the file's name when there is none."""
    for cell in notebook.cells:
        found = _TITLE.search(cell.source) if cell.cell_type == "markdown" else None
        if found:
            return _MARKUP.sub("", found.group(1))
    return name


def _short(title: str) -> str:
    """The title up to a colon or dash."""
    return _SHORT.split(title)[0] or title


def _output_html(cell: NotebookNode) -> str:
    """What a cell displays as HTML, joined; plain text only where it is all there is."""
    from html import escape

    shown = [output.data for output in cell.get("outputs", []) if "data" in output]
    plain = [f"<p>{escape(data.get('text/plain', ''))}</p>" for data in shown]
    return "\n".join(data.get("text/html") or text for data, text in zip(shown, plain, strict=True))


def _counts_rows(note: Tag) -> bool:
    """Whether a note only says that a table goes on, or has no rows."""
    return "cv-rows" in note["class"]


def notes(notebook: NotebookNode) -> list[str]:
    """What a notebook warned of: the lines on its standard error and its notes, in the order of the cells."""
    from bs4 import BeautifulSoup

    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                found += [line.strip() for line in output.text.splitlines() if line.strip()]
        marked = BeautifulSoup(_output_html(cell), "html.parser").select(".cv-note")
        found += [note.get_text(" ", strip=True) for note in marked if not _counts_rows(note)]
    return found


def _parsed(html: str, *steps: Callable[[BeautifulSoup], None]) -> BeautifulSoup:
    """Harmless HTML, dressed for a page."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html, "html.parser")
    for step in (clean, *steps):
        step(soup)
    return soup


def read_page(notebook: NotebookNode, name: str, language: str = "en") -> Page:
    """An executed notebook as the page of one language.

    >>> from nbformat.v4 import new_markdown_cell, new_notebook
    >>> cells = [new_markdown_cell("# Who buys: and how often", metadata={"tags": ["en"]})]
    >>> read_page(new_notebook(cells=cells), "01_who").short
    'Who buys'
    """
    kept = _for_language(notebook, language)
    title = _title(kept, name)
    headlines = "\n".join(_output_html(cell) for cell in kept.cells if "headline" in _tags(cell))
    dress = (describe_images, wrap_tables, hold_dates)
    headline = _parsed(headlines, without_missing, *dress)
    body = _parsed(_exporter().from_notebook_node(kept)[0], leave_out_unfounded, fold_details, *dress)
    terms = dict.fromkeys((*link_terms(headline), *link_terms(body)))
    add_contents(body, language)
    return Page(name, title, _short(title), str(body), str(headline), tuple(terms))
