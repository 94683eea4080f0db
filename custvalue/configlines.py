"""Where in a configuration file an error is: TOML readers tell what is written, not on which line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from custvalue.errors import UsageError

__all__ = ["line_of"]

_SECTION = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"\s*([\w.\"'-]+)\s*=")
#: The values of an error that may name a key, the most telling first.
_NAMING = ("key", "rule", "name", "part", "column")
_MARKS = re.compile(r"[\"']")


def _keys(text: str) -> Iterator[tuple[int, str]]:
    """The line of every section and key, with its dotted name."""
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if found := _SECTION.match(line):
            section = _MARKS.sub("", found[1]) + "."
            yield number, section[:-1]
        elif found := _KEY.match(line):
            yield number, section + _MARKS.sub("", found[1])


def _candidates(error: UsageError) -> Iterator[str]:
    """The names the error may be about: whole, then within its section, then shorter and shorter."""
    section = getattr(error, "section", "")
    named = [str(error.values[name]) for name in _NAMING if name in error.values]
    for name in [*named, error.code.removeprefix("bad_")]:
        yield from (name, section + name)
        while "." in name:
            name = name.rpartition(".")[0]
            yield name
    yield section.rstrip(".")


def line_of(text: str, error: UsageError) -> int:
    """The line of a configuration that an error is about; 0 where it can not be told.

    >>> line_of("language = 'en'\\n[pyramid]\\ncut = 1", UsageError("unknown_key", key="pyramid.cut"))
    3
    """
    lines: dict[str, int] = {}
    for number, name in _keys(text):
        lines.setdefault(name, number)
    return next((lines[name] for name in _candidates(error) if name in lines), 0)
