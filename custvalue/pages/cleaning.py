"""HTML of notebooks made harmless: what may stand on a page is listed (allowed.toml), all else is taken out."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

__all__ = ["clean", "dangling", "is_inside"]

#: Inside the pack: a place on the page, or a file named without scheme, host or way upwards.
_INSIDE = re.compile(r"#[^\s<>]*|(?!.*\.\.)[\w%][\w%.,()\-]*(?:/[\w%][\w%.,()\-]*)*(?:#[^\s<>]*)?")
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*")
_HREF = re.compile(r' href="([^"]*)"')
_LOADING = re.compile(r"@import[^;]*;?|[\w-]+\s*:[^;{}]*(?:url\s*\(|\\|expression|behavior)[^;}]*;?", re.IGNORECASE)


@cache
def _listed(kind: str) -> frozenset[str]:
    source = resources.files("custvalue.pages").joinpath("allowed.toml").read_text("utf-8")
    return frozenset(tomllib.loads(source)[kind])


def is_inside(href: str) -> bool:
    """Whether an address stays within the pack.

    >>> is_inside("tables/scorecard.csv"), is_inside("#part-2"), is_inside("java\\tscript:x"), is_inside("../../etc")
    (True, True, False, False)
    """
    return bool(_INSIDE.fullmatch(href))


def _allowed(name: str, value: str) -> bool:
    """Whether an attribute may stay."""
    if name == "href":
        return is_inside(value)
    if name == "src":
        return bool(_PICTURE.fullmatch(value))
    return name in _listed("attributes") or name.startswith("aria-")


def _text_of(value: str | list[str]) -> str:
    return " ".join(value) if isinstance(value, list) else value


def _clean_attributes(tag: Tag) -> None:
    for name in [name for name, value in tag.attrs.items() if not _allowed(name, _text_of(value))]:
        del tag[name]
    if "style" in tag.attrs:
        tag["style"] = _LOADING.sub("", tag["style"])


def clean(soup: BeautifulSoup) -> None:
    """Leave only listed tags and attributes, addresses inside the pack, and pictures that are in the page itself.

    >>> from bs4 import BeautifulSoup
    >>> soup = BeautifulSoup('<p onclick="x()">kept <a href="//a.b">words</a><script>x()</script></p>', "html.parser")
    >>> clean(soup)
    >>> str(soup)
    '<p>kept <a>words</a></p>'
    """
    from bs4.element import PreformattedString

    for comment in soup.find_all(string=lambda found: isinstance(found, PreformattedString)):
        comment.extract()
    for tag in soup(list(_listed("gone"))):
        tag.decompose()
    for tag in soup(True):
        if tag.name in _listed("tags"):
            _clean_attributes(tag)
        else:
            tag.unwrap()
    for style in soup("style"):
        style.string = _LOADING.sub("", style.get_text()).replace("<", "")


def dangling(html: str, exists: frozenset[str]) -> str:
    """A part of a page without the links to files of the pack that are not ``exists``; their words stay.

    >>> dangling('<a href="a.html#x">A</a> <a href="b.html">B</a>', frozenset({"a.html"}))
    '<a href="a.html#x">A</a> <a>B</a>'
    """
    from urllib.parse import unquote

    def kept(found: re.Match) -> str:
        path = unquote(found[1].partition("#")[0])
        return found[0] if not path or path in exists else ""

    return _HREF.sub(kept, html)
