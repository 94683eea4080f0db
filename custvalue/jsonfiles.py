"""JSON lines and JSON lists of objects: one object a row, every value as the text it is written with."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custvalue.encodings import find_encoding, opened
from custvalue.errors import DataError
from custvalue.textfiles import Chunk, RawFile, Rules

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["open_json"]

_ROWS = 100_000
_CONSTANTS = {True: "true", False: "false"}


def _loads(text: str) -> Any:
    """A JSON value; numbers stay the text they are, so that long ids and amounts lose no digit."""
    return json.loads(text, parse_float=str, parse_int=str, parse_constant=str)


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return _CONSTANTS[value] if isinstance(value, bool) else json.dumps(value, ensure_ascii=False)


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    import pyarrow as pa

    names = dict.fromkeys(name for row in rows for name in row)
    columns = [pa.array([_cell(row.get(name)) for row in rows], pa.string()) for name in names]
    return pa.Table.from_arrays(columns, list(names))


def _numbered(stream: Iterable[str], ragged: list[tuple[int, str]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each object with its number; a line that is none is ragged."""
    number = 0
    for line in stream:
        if not line.strip():
            continue
        number += 1
        try:
            row = _loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict) and row:
            yield number, row
        else:
            ragged.append((number, line.rstrip("\r\n")))


def _objects(path: Path, text: str, ragged: list[tuple[int, str]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of one JSON value: a list of them, or an object that holds one such list and nothing like it."""
    try:
        value = _loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError("unreadable_file", got=path.name, why=str(error)) from error
    if isinstance(value, dict):
        lists = [part for part in value.values() if isinstance(part, list) and part and isinstance(part[0], dict)]
        value = lists[0] if len(lists) == 1 else [value]
    for number, row in enumerate(value, 1):
        if isinstance(row, dict) and row:
            yield number, row
        else:
            ragged.append((number, json.dumps(row, ensure_ascii=False)))


def _is_one_value(head: str, path: Path) -> bool:
    """Whether the text is one JSON value over several lines instead of one object a line."""
    if head.lstrip().startswith("["):
        return True
    first = next(iter(head.lstrip().splitlines()), "")
    try:
        _loads(first)
    except (ValueError, RecursionError):
        return path.stem.lower().endswith(".json") or ".json" in [s.lower() for s in path.suffixes]
    return False


def open_json(path: Path, rules: Rules) -> RawFile:
    """A file of JSON lines, or of one JSON list of objects; nested values become JSON text.

    Raises
    ------
    DataError
        It is no text, no JSON, or holds no object.
    """
    import numpy as np
    import pyarrow as pa

    encoding = rules.encoding or find_encoding(path)
    ragged: list[tuple[int, str]] = []
    numbers: list[int] = []
    tables: list[pa.Table] = []
    try:
        with io.TextIOWrapper(opened(path), encoding, newline="\n") as stream:
            head = stream.readline()
            if _is_one_value(head, path):
                rows = _objects(path, head + stream.read(), ragged)
            else:
                rows = _numbered((line for lines in ([head], stream) for line in lines), ragged)
            while batch := list(islice(rows, _ROWS)):
                numbers += [number for number, _ in batch]
                tables.append(_table([row for _, row in batch]))
    except UnicodeError as error:
        raise DataError("broken_text", got=path.name) from error
    if not tables:
        raise DataError("no_objects", got=path.name, line=(ragged[0][1] if ragged else "")[:80])
    table = pa.concat_tables(tables, promote_options="default")
    return RawFile(table.column_names, encoding, iter([Chunk(table, np.array(numbers, dtype="int64"))]), ragged)
