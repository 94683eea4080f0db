"""Pages -> the files of a pack: one page a notebook, the glossary and the index, each complete in itself."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from custvalue.labels import catalogue, describe, heading, labels, text
from custvalue.pages.cleaning import dangling
from custvalue.pages.font import font_face
from custvalue.pages.reading import Page

__all__ = ["PackFacts", "write_pages"]

FIRST_PAGE = "06_monthly_review"
GLOSSARY = "glossary.html"
#: How the files of the lists to act on begin.
_AUDIENCE = "audience_"
_HTML_LANGUAGE = {"en": "en", "zh": "zh-Hans"}
#: Words the script of the pages puts on its buttons and fields.
_SCRIPT_WORDS = ("filter", "found", "sort_by", "show_more", "show_fewer", "enlarge", "reduce", "menu")


@dataclass(frozen=True)
class PackFacts:
    """What the index says about the data: the month, the name of the source and the row counts."""

    as_of: str
    source: str
    rows: Mapping[str, Any]
    version: str


def _size(path: Path) -> str:
    size = max(path.stat().st_size, 1) / 1024
    return f"{size:,.1f} KB" if size < 1000 else f"{size / 1024:,.1f} MB"


def _kind(path: Path) -> str:
    """What a table of the pack is, whatever month or list it is of."""
    if path.suffix == ".xlsx":
        return "workbook"
    return "audience" if path.stem.startswith(_AUDIENCE) else path.stem


def _content(path: Path, language: str) -> str:
    words = catalogue("pages").get(f"file_{_kind(path)}")
    if not words:
        return ""
    name = path.stem.removeprefix(_AUDIENCE)
    return text(f"pages.file_{_kind(path)}", language, name=labels("audience", language).get(name, name))


def _file(path: Path, language: str) -> dict[str, str]:
    href = f"tables/{quote(path.name)}"
    return {"href": href, "name": path.name, "size": _size(path), "content": _content(path, language)}


def _files(folder: Path, language: str) -> list[dict[str, str]]:
    """The tables of a pack: the workbook, the lists, the scorecard; those with a word on them are for every reader."""
    first = ("workbook", "audience", "scorecard")
    places = {kind: place for place, kind in enumerate(first)}
    found = (folder / "tables").glob("*.*")
    paths = sorted(found, key=lambda path: (places.get(_kind(path), len(first)), path.name))
    return [_file(path, language) for path in paths]


def _facts(facts: PackFacts, language: str) -> list[tuple[str, str]]:
    """The names and values of the data's facts, as the index shows them."""
    rows, later = facts.rows, facts.rows.get("rows_after_as_of", 0)
    period = text("pages.from_to", language, first=_day(rows["first_date"]), last=_day(rows["last_date"]))
    values = {
        "as_of": facts.as_of,
        "source": facts.source,
        "period": period,
        "customers": f"{rows['customers'] - rows.get('customers_cancelled', 0):,}",
        "accepted": f"{rows['rows_accepted']:,}",
        "quarantined": f"{rows['rows_quarantined'] - later:,}",
    }
    if later:
        values["later"] = f"{later:,}"
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


def _terms(pages: Sequence[Page], language: str) -> list[dict[str, Any]]:
    """The glossary: every column a table of the pack shows, in the order of its words, with the pages it stands on.

    GB 18030 has the common Chinese characters in the order of their sounds (pinyin), as a dictionary has.
    """
    columns = dict.fromkeys(column for page in pages for column in page.terms)
    rows = [
        {
            "id": column,
            "word": heading(column, language),
            "meaning": describe(column, language),
            "pages": [page for page in pages if column in page.terms],
        }
        for column in columns
    ]
    return sorted(rows, key=lambda row: row["word"].casefold().encode("gb18030"))


def _links(pages: Sequence[Page], terms: Sequence[Any], language: str) -> list[dict[str, str]]:
    home = {"href": "index.html", "short": text("pages.home", language)}
    last = [{"href": GLOSSARY, "short": text("pages.glossary", language)}] if terms else []
    return [home, *({"href": page.href, "short": page.short} for page in pages), *last]


def _all_texts(pages: Sequence[Page], facts: PackFacts, terms: Sequence[Mapping[str, Any]], language: str) -> list[str]:
    """Every text that can stand on a page of the pack."""
    words = [entry[language] for entry in catalogue("pages").values()]
    meanings = [text for term in terms for text in (term["word"], term["meaning"])]
    return [
        *words,
        facts.source,
        *meanings,
        *(text for page in pages for text in (page.title, page.body, page.headline)),
    ]


def _own(name: str) -> str:
    return resources.files("custvalue.pages").joinpath(name).read_text("utf-8")


@cache
def _script() -> tuple[str, str]:
    """The script of every page, and the mark by which the browser knows it from any other."""
    source = _own("behaviour.js")
    return source, base64.b64encode(hashlib.sha256(source.encode()).digest()).decode("ascii")


def _common(pages: Sequence[Page], facts: PackFacts, terms: Sequence[Any], language: str) -> dict[str, Any]:
    """What every template needs."""
    from markupsafe import Markup

    script, mark = _script()
    return {
        "html_lang": _HTML_LANGUAGE[language],
        "css": Markup(_own("style.css")),
        "font": Markup(font_face(_all_texts(pages, facts, terms, language))),
        "script": Markup(script),
        "script_mark": mark,
        "script_words": {name.replace("_", "-"): text(f"pages.{name}", language) for name in _SCRIPT_WORDS},
        "links": _links(pages, terms, language),
        "version": facts.version,
        "as_of": facts.as_of,
        "word": lambda key, **values: text(f"pages.{key}", language, **values),
    }


def _write(path: Path, template: str, values: Mapping[str, Any]) -> Path:
    path.write_text(_templates().get_template(template).render(values), "utf-8", newline="\n")
    return path


def _existing(folder: Path, pages: Sequence[Page], terms: Sequence[Any]) -> frozenset[str]:
    """What a link of a page can lead to: the pages, and the files that are in the folder by now."""
    files = {path.relative_to(folder).as_posix() for path in folder.glob("[!.]*/*") if path.is_file()}
    made = {"index.html", *(page.href for page in pages), *([GLOSSARY] if terms else [])}
    return frozenset(files | made)


def _cards(pages: Sequence[Page], existing: frozenset[str]) -> list[dict[str, Any]]:
    """The headlines for the index, the manager's page first."""
    from markupsafe import Markup

    ordered = sorted(pages, key=lambda page: (page.name != FIRST_PAGE, page.name))
    return [
        {"href": page.href, "title": page.title, "headline": Markup(dangling(page.headline, existing))}
        for page in ordered
    ]


def write_pages(folder: Path, pages: Sequence[Page], facts: PackFacts, language: str = "en") -> Path:
    """Write one page a notebook, ``glossary.html`` and ``index.html`` into a folder; returns the path of the index.

    The index shows the headline of each notebook (the monthly review first), the facts of the data and the files in
    ``folder/tables``; the glossary explains every column that a table of the pack shows. The links of a page lead to
    files of the pack that exist.
    """
    from markupsafe import Markup

    terms = _terms(pages, language)
    common, existing = _common(pages, facts, terms, language), _existing(folder, pages, terms)
    for page in pages:
        values = {"title": page.title, "here": page.href, "body": Markup(dangling(page.body, existing))}
        _write(folder / page.href, "page.html.j2", common | values)
    if terms:
        values = {"title": text("pages.glossary", language), "here": GLOSSARY, "terms": terms}
        _write(folder / GLOSSARY, "glossary.html.j2", common | values)
    index = {
        "title": text("pages.title", language, as_of=facts.as_of),
        "here": "index.html",
        "facts": _facts(facts, language),
        "cards": _cards(pages, existing),
        "files": _files(folder, language),
    }
    return _write(folder / "index.html", "index.html.j2", common | index)
