"""What a page adds to the HTML of a notebook: anchors, texts of pictures, names of tables, links to the glossary."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from custvalue.labels import describe, text

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

__all__ = ["add_contents", "describe_images", "hold_dates", "link_terms", "wrap_tables"]

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_LONG_CELL, _BRIEF_CELL, _BRIEF_HEAD = 30, 15, 6
_BREAKS = re.compile(r"[ \-]")
_DATE = re.compile(r"\b\d{4}-\d\d(?:-\d\d)?\b")


def _heading_above(tag: Tag) -> str:
    above = tag.find_previous(_HEADINGS)
    return above.get_text(" ", strip=True) if above else ""


def describe_images(soup: BeautifulSoup) -> None:
    """Give each picture without a text of its own the heading it stands under."""
    for image in soup("img"):
        if image.get("alt", "").startswith("No description") or not image.get("alt"):
            image["alt"] = _heading_above(image)


def wrap_tables(soup: BeautifulSoup) -> None:
    """Let wide tables scroll in a named box; longer cells keep a readable width, brief ones stay on one line."""
    for cell in soup("td"):
        said = cell.get_text()
        breaks = _BREAKS.search(said) is not None
        short = "cv-brief" if len(said) <= _BRIEF_CELL else "cv-mid"
        kind = "cv-long" if len(said) > _LONG_CELL else short if breaks else ""
        if kind:
            cell["class"] = [*cell.get("class", []), kind]
    for table in soup("table"):
        if table.find_parent("table") is None:
            name = table.caption.get_text(" ", strip=True) if table.caption else _heading_above(table)
            box = {"class": "cv-scroll", "tabindex": "0", "role": "region", "aria-label": name}
            table.wrap(soup.new_tag("div", attrs=box))


def hold_dates(soup: BeautifulSoup) -> None:
    """Keep each date of a text on one line: browsers break lines at its hyphens.

    >>> from bs4 import BeautifulSoup
    >>> soup = BeautifulSoup("<p>as of 2025-12-31 &amp; before</p>", "html.parser")
    >>> hold_dates(soup)
    >>> str(soup)
    '<p>as of <span class="cv-brief">2025-12-31</span> &amp; before</p>'
    """
    from bs4 import BeautifulSoup

    for words in soup.find_all(string=_DATE):
        if not words.find_parent(["td", "code", "pre", "style"]):
            held = _DATE.sub(r'<span class="cv-brief">\g<0></span>', escape(words, quote=False))
            words.replace_with(BeautifulSoup(held, "html.parser"))


def _lower(heading: Tag) -> list[Tag]:
    """The third-level headings below a second-level one."""
    found = []
    for other in heading.find_all_next(("h2", "h3")):
        if other.name == "h2":
            break
        found.append(other)
    return found


def _entry(soup: BeautifulSoup, heading: Tag, lower: Iterable[Tag] = ()) -> Tag:
    """One line of a table of contents, with those below it."""
    link = soup.new_tag("a", attrs={"href": f"#{heading['id']}"}, string=heading.get_text(" ", strip=True))
    entry = soup.new_tag("li")
    entry.append(link)
    if below := [_entry(soup, other) for other in lower]:
        entry.append(soup.new_tag("ul"))
        entry.ul.extend(below)
    return entry


def add_contents(soup: BeautifulSoup, language: str) -> None:
    """Number the parts of a page (its second- and third-level headings) as anchors, and list them below its title."""
    headings = soup("h2")
    for place, heading in enumerate(headings, start=1):
        heading["id"] = f"part-{place}"
        for below, lower in enumerate(_lower(heading), start=1):
            lower["id"] = f"part-{place}-{below}"
    if soup.h1 is None or len(headings) < 2:
        return
    name = text("pages.on_this_page", language)
    contents, title, entries = (soup.new_tag(tag) for tag in ("nav", "p", "ul"))
    contents.attrs = {"class": "cv-toc", "aria-label": name}
    title.string = name
    entries.extend([_entry(soup, heading, _lower(heading)) for heading in headings])
    contents.extend([title, entries])
    soup.h1.insert_after(contents)


def link_terms(soup: BeautifulSoup) -> tuple[str, ...]:
    """Link the headings of known columns to the glossary, brief ones in one piece; returns the columns, each once."""
    known = []
    for head in soup("th", attrs={"data-column": True}):
        column = head["data-column"]
        del head["data-column"]
        if describe(column):
            known.append(column)
            kind = "cv-term cv-brief" if len(head.get_text()) <= _BRIEF_HEAD else "cv-term"
            link = soup.new_tag("a", attrs={"class": kind, "href": f"glossary.html#{column}"})
            link.extend(list(head.contents))
            head.append(link)
    return tuple(dict.fromkeys(known))
