"""What a page folds away: the figures behind a result, and the rest of a part for which the data have no column."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

__all__ = ["fold_details", "leave_out_unfounded", "unfolded", "without_missing"]

_HEADINGS = re.compile(r"h[1-6]")


def _cells(soup: BeautifulSoup) -> list[Tag]:
    """The cells of the notebook, in their order."""
    return soup.find_all("div", class_="cell")


def _runs(cells: list[Tag]) -> list[list[Tag]]:
    """The cells tagged ``detail``, those that follow each other together; a text begins a run of its own."""
    runs, before = [], False
    for cell in cells:
        kinds = cell.get("class", [])
        now = "celltag_detail" in kinds
        if now and (not before or "text_cell" in kinds):
            runs.append([])
        if now:
            runs[-1].append(cell)
        before = now
    return runs


def fold_details(soup: BeautifulSoup) -> None:
    """Fold each run of cells tagged ``detail``; the text it begins with stays to be seen, and unfolds it.

    >>> from bs4 import BeautifulSoup
    >>> detail = '<div class="cell text_cell celltag_detail"><p>How</p></div><div class="cell celltag_detail">so</div>'
    >>> soup = BeautifulSoup(detail, "html.parser")
    >>> fold_details(soup)
    >>> str(soup)
    '<details class="cv-detail"><summary>How</summary><div class="cell celltag_detail">so</div></details>'
    """
    for first, *others in _runs(_cells(soup)):
        if not others:
            first.decompose()
            continue
        box = first.wrap(soup.new_tag("details", attrs={"class": "cv-detail"}))
        box.extend(others)
        first.replace_with(soup.new_tag("summary", string=first.get_text(" ", strip=True)))


def _part(cells: list[Tag], place: int) -> list[Tag]:
    """The cells of the part that a cell stands in: from its heading up to the next one."""
    first = next((p for p in range(place, -1, -1) if cells[p].find(_HEADINGS)), place)
    last = next((p for p in range(place + 1, len(cells)) if cells[p].find(_HEADINGS)), len(cells))
    return cells[first:last]


def _bare(cell: Tag) -> None:
    """Leave nothing of a cell behind its last heading."""
    for rest in cell(_HEADINGS)[-1].find_next_siblings():
        rest.decompose()


def leave_out_unfounded(soup: BeautifulSoup) -> None:
    """Of a part for which the data have no column, leave its heading and the line that says which one is missing.

    >>> from bs4 import BeautifulSoup
    >>> line = '<div class="cell"><p class="cv-missing">No events.</p></div>'
    >>> part = f'<div class="cell"><h3>Views</h3><p>Much text.</p></div>{line}<div class="cell">an empty table</div>'
    >>> soup = BeautifulSoup(part, "html.parser")
    >>> leave_out_unfounded(soup)
    >>> soup.get_text(" ")
    'Views No events.'
    """
    cells = _cells(soup)
    for place, cell in enumerate(cells):
        if cell.parent is None or not cell.select(".cv-missing"):
            continue
        for other in _part(cells, place):
            if other.find(_HEADINGS):
                _bare(other)
            elif not other.select(".cv-missing"):
                other.extract()


def without_missing(soup: BeautifulSoup) -> None:
    """Take out the lines that say which column the data lack."""
    for line in soup.select(".cv-missing"):
        line.decompose()


def unfolded(soup: BeautifulSoup) -> None:
    """Unfold everything, for print."""
    for box in soup("details"):
        box["open"] = ""
