"""Executed notebooks -> pages that need no network: one page a notebook and an index, in one language."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custvalue.labels import LANGUAGES, catalogue, text
from custvalue.pages.font import font_face

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag
    from nbformat import NotebookNode

__all__ = ["PackFacts", "Page", "notes", "read_page", "write_pages"]

FIRST_PAGE = "06_monthly_review"
#: Tags of cells for whoever works in the notebook: how to use it, and the explorers.
_NOTEBOOK_ONLY = {"usage", "explore"}
_LONG_CELL = 30
_HTML_LANGUAGE = {"en": "en", "zh": "zh-Hans"}
_ACTIVE = ("script", "iframe", "object", "embed", "form", "link", "base", "meta")
_OUTSIDE = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_OUTSIDE_IN_STYLE = re.compile(r"@import[^;]*;?|url\(\s*['\"]?\s*(?:[a-z]+:)?//[^)]*\)", re.IGNORECASE)
_TITLE = re.compile(r"^#\s+(.+?)\s*#*$", re.MULTILINE)
_SHORT = re.compile(r"\s*[:：]\s*|\s+[–—-]+\s+|\s*——\s*")
_MARKUP = re.compile(r"[*_`]")


@dataclass(frozen=True)
class Page:
    """One notebook as a page: its name, title, short title for the navigation, body and headline (HTML)."""

    name: str
    title: str
    short: str
    body: str
    headline: str

    @property
    def href(self) -> str:
        return f"{self.name}.html"


@dataclass(frozen=True)
class PackFacts:
    """What the index says about the data: the month, the name of the source and the row counts."""

    as_of: str
    source: str
    rows: Mapping[str, Any]
    version: str


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _shown(cell: NotebookNode, language: str) -> bool:
    """Whether a cell belongs on the page: its language, not for work in the notebook, and with something to show."""
    tags = set(_tags(cell))
    foreign = bool(tags & set(LANGUAGES)) and language not in tags
    if foreign or tags & _NOTEBOOK_ONLY:
        return False
    return cell.cell_type == "markdown" or bool(cell.get("outputs"))


def _without_stderr(cell: NotebookNode) -> NotebookNode:
    if "outputs" in cell:
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return cell


def _for_language(notebook: NotebookNode, language: str) -> NotebookNode:
    """A copy of a notebook with only the cells and outputs of the page."""
    page = copy.deepcopy(notebook)
    page.cells = [cell for cell in map(_without_stderr, page.cells) if _shown(cell, language)]
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


def _describe_images(soup: BeautifulSoup) -> None:
    """Give each image without a text of its own the heading it stands under."""
    for image in soup("img"):
        if image.get("alt", "").startswith("No description") or not image.get("alt"):
            above = image.find_previous(["h1", "h2", "h3", "h4", "h5", "h6"])
            image["alt"] = above.get_text(" ", strip=True) if above else ""


def _drop_active(soup: BeautifulSoup) -> None:
    """Take out whatever could run or load something."""
    for tag in soup(_ACTIVE):
        tag.decompose()
    for style in soup("style"):
        style.string = _OUTSIDE_IN_STYLE.sub("", style.get_text())
    for tag in soup(True):
        for name in [name for name in tag.attrs if name.startswith("on")]:
            del tag[name]
        if "style" in tag.attrs:
            tag["style"] = _OUTSIDE_IN_STYLE.sub("", tag["style"])
        for name in ("src", "href", "srcset", "xlink:href", "background"):
            value = str(tag.get(name, ""))
            if _OUTSIDE.match(value) or value.strip().lower().startswith(("javascript:", "vbscript:")):
                del tag[name]


def _wrap_tables(soup: BeautifulSoup) -> None:
    """Let wide tables scroll in their own box; cells with sentences keep a readable width."""
    for cell in soup("td"):
        if len(cell.get_text()) > _LONG_CELL:
            cell["class"] = [*cell.get("class", []), "cv-long"]
    for table in soup("table"):
        if table.find_parent("table") is None:
            table.wrap(soup.new_tag("div", attrs={"class": "cv-scroll", "tabindex": "0"}))


def _clean(html: str) -> str:
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html, "html.parser")
    for step in (_drop_active, _describe_images, _wrap_tables):
        step(soup)
    return str(soup)


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
    """Whether a note only says that a table goes on."""
    before = note.find_previous_sibling()
    return before is not None and before.name == "table"


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


def read_page(notebook: NotebookNode, name: str, language: str = "en") -> Page:
    """An executed notebook as the page of one language.

    >>> from nbformat.v4 import new_markdown_cell, new_notebook
    >>> cells = [new_markdown_cell("# Who buys: and how often", metadata={"tags": ["en"]})]
    >>> read_page(new_notebook(cells=cells), "01_who").short
    'Who buys'
    """
    kept = _for_language(notebook, language)
    title = _title(kept, name)
    headline = "\n".join(_output_html(cell) for cell in kept.cells if "headline" in _tags(cell))
    body, _ = _exporter().from_notebook_node(kept)
    return Page(name, title, _short(title), _clean(body), _clean(headline))


def _size(path: Path) -> str:
    return f"{max(path.stat().st_size, 1) / 1024:,.1f} KB"


def _content(path: Path, language: str) -> str:
    words = catalogue("pages").get(f"file_{path.stem}")
    return words[language] if words else ""


def _files(folder: Path, language: str) -> list[dict[str, str]]:
    """The tables of a pack, the scorecard first; those with a word on their content are for every reader."""
    paths = sorted((folder / "tables").glob("*.*"), key=lambda path: (path.stem != "scorecard", path.name))
    return [
        {"href": f"tables/{path.name}", "name": path.name, "size": _size(path), "content": _content(path, language)}
        for path in paths
    ]


def _facts(facts: PackFacts, language: str) -> list[tuple[str, str]]:
    """The names and values of the data's facts, as the index shows them."""
    rows = facts.rows
    period = text("pages.from_to", language, first=_day(rows["first_date"]), last=_day(rows["last_date"]))
    values = {
        "as_of": facts.as_of,
        "source": facts.source,
        "period": period,
        "customers": f"{rows['customers'] - rows.get('customers_cancelled', 0):,}",
        "accepted": f"{rows['rows_accepted']:,}",
        "quarantined": f"{rows['rows_quarantined']:,}",
    }
    return [(text(f"pages.{name}", language), value) for name, value in values.items()]


def _day(value: Any) -> str:
    return str(value)[:10] if value is not None else "–"


@cache
def _templates() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("custvalue", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _links(pages: Sequence[Page], language: str) -> list[dict[str, str]]:
    home = {"href": "index.html", "short": text("pages.home", language)}
    return [home, *({"href": page.href, "short": page.short} for page in pages)]


def _all_texts(pages: Sequence[Page], facts: PackFacts, language: str) -> list[str]:
    """Every text that can stand on a page of the pack."""
    words = [entry[language] for entry in catalogue("pages").values()]
    return [*words, facts.source, *(text for page in pages for text in (page.title, page.body, page.headline))]


def _common(pages: Sequence[Page], facts: PackFacts, language: str) -> dict[str, Any]:
    """What every template needs."""
    from markupsafe import Markup

    return {
        "html_lang": _HTML_LANGUAGE[language],
        "css": Markup(resources.files("custvalue.pages").joinpath("style.css").read_text("utf-8")),
        "font": Markup(font_face(_all_texts(pages, facts, language))),
        "links": _links(pages, language),
        "version": facts.version,
        "as_of": facts.as_of,
        "word": lambda key, **values: text(f"pages.{key}", language, **values),
    }


def _write(path: Path, template: str, values: Mapping[str, Any]) -> Path:
    path.write_text(_templates().get_template(template).render(values), "utf-8", newline="\n")
    return path


def _cards(pages: Sequence[Page]) -> list[dict[str, Any]]:
    """The headlines for the index, the manager's page first."""
    from markupsafe import Markup

    ordered = sorted(pages, key=lambda page: (page.name != FIRST_PAGE, page.name))
    return [{"href": page.href, "title": page.title, "headline": Markup(page.headline)} for page in ordered]


def write_pages(folder: Path, pages: Sequence[Page], facts: PackFacts, language: str = "en") -> Path:
    """Write one page a notebook and ``index.html`` into a folder; returns the path of the index.

    The index shows the facts of the data, the headline of each notebook (the monthly review first) and the
    files in ``folder/tables``.
    """
    from markupsafe import Markup

    common = _common(pages, facts, language)
    for page in pages:
        values = common | {"title": page.title, "here": page.href, "body": Markup(page.body)}
        _write(folder / page.href, "page.html.j2", values)
    index = {
        "title": text("pages.title", language, as_of=facts.as_of),
        "here": "index.html",
        "facts": _facts(facts, language),
        "cards": _cards(pages),
        "files": _files(folder, language),
    }
    return _write(folder / "index.html", "index.html.j2", common | index)
