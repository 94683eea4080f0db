"""Rows of files, piece by piece, into one table of the embedded engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from custvalue.aliases import match_columns
from custvalue.engine import local_engine
from custvalue.errors import DataError, UsageError
from custvalue.files import readable
from custvalue.shapes import check_layout, no_rows, plain_types
from custvalue.textfiles import Chunk, RawFile, Rules

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

__all__ = ["RESERVED", "Source", "engine_names", "is_header", "load", "stripped"]

#: Names of columns that the package adds to the rows of a source; a column of the source steps aside.
RESERVED = ("row_number", "source_file", "reason", "line")


@dataclass(frozen=True)
class Source:
    """A raw table as read: columns renamed, values untouched, and how it was read.

    ``table`` has one row per row of the source and a ``row_number`` (1 = first row after the header). Where the rows
    come from several files or sheets the numbers count on, ``source_file`` names the file of each row and ``files``
    holds {file: number of its first row}.
    ``mapping`` is {canonical name: name in the source}; columns without a meaning keep their own name.
    ``ragged`` holds (row number, text) of lines with more or fewer fields than the header.
    ``encoding`` is that of a text file, several separated by commas.
    """

    table: ir.Table
    name: str
    encoding: str
    mapping: Mapping[str, str]
    ragged: tuple[tuple[int, str], ...] = ()
    files: tuple[tuple[str, int], ...] = ()

    def file_of(self, row_number: int) -> str | None:
        """The file a row comes from; None where there is only one."""
        names = [name for name, first in self.files if first <= row_number]
        return names[-1] if names else None


def stripped(names: Iterable[str]) -> list[str]:
    """Names without blanks around; a column without a name is called by its place."""
    names = [str(name).strip().strip("\ufeff") or f"column_{i}" for i, name in enumerate(names, 1)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError("duplicate_header", got=", ".join(twice))
    return names


def engine_names(names: list[str], mapping: Mapping[str, str]) -> list[str]:
    """Canonical names where a column has one; other columns step aside where the engine could mix them up."""
    back = {source: canonical for canonical, source in mapping.items()}
    taken = {*RESERVED, *mapping}
    unique = []
    for name in names:
        new = back.get(name, name)
        while name not in back and new.casefold() in taken:
            new += " (source)"
        taken.add(new.casefold())
        unique.append(new)
    return unique


def is_header(words: list[str], given: Mapping[str, str] | None) -> bool:
    """Whether these words name the columns that are needed."""
    try:
        found = match_columns([word.strip() for word in words], given)
    except DataError:
        return True
    except UsageError:
        return False
    money = "amount" in found or {"quantity", "unit_price"} <= set(found)
    return money and {"customer_id", "order_date"} <= set(found)


class _Loader:
    """Puts the chunks of one or more files into one table of the embedded engine."""

    def __init__(self, name: str, rules: Rules, columns: Mapping[str, str] | None, zone: str, several: bool) -> None:
        self.engine = local_engine()
        self.name, self.rules, self.given, self.zone, self.several = name, rules, columns, zone, several
        self.names: list[str] = []
        self.mapping: dict[str, str] = {}
        self.ragged: list[tuple[int, str]] = []
        self.files: list[tuple[str, int]] = []
        self.rows = self.last = 0

    def add(self, label: str, file: RawFile) -> None:
        """All rows of one file."""
        offset, first = self.last, True
        self.files.append((label, offset + 1))
        for chunk in file.chunks:
            if first:
                self._begin(label, file, chunk.table)
            first = False
            if chunk.table.num_rows:
                self._insert(label, chunk, offset)
        if first:
            self._begin(label, file, None)
        self.ragged += [(number + offset, text) for number, text in file.ragged]
        self.last = max([self.last, *(number + offset for number, _ in file.ragged[-1:])])

    def _begin(self, label: str, file: RawFile, table: pa.Table | None) -> None:
        if not self.rules.header and table is not None:
            check_layout(table, file.ragged, label, lambda words: is_header(words, self.given))
        names = stripped(file.names)
        if not self.names:
            self.names, self.mapping = names, match_columns(names, self.given)
        if sorted(names) != sorted(self.names):
            raise DataError("other_columns", file=label, got=", ".join(names), allowed=", ".join(self.names))

    def _insert(self, label: str, chunk: Chunk, offset: int) -> None:
        import ibis
        import pyarrow as pa

        table = chunk.table.rename_columns(stripped(chunk.table.column_names)).select(self.names)
        table = plain_types(table.rename_columns(engine_names(self.names, self.mapping)), self.zone)
        numbers = chunk.numbers + offset
        table = table.append_column("row_number", pa.array(numbers, pa.int64()))
        if self.several:
            table = table.append_column("source_file", pa.array([label]).take(pa.array([0] * table.num_rows)))
        if not self.rows:
            self.engine.create_table("raw", schema=ibis.Schema.from_pyarrow(table.schema))
        self._widen(table)
        self.engine.con.from_arrow(table).insert_into("raw")
        self.rows += table.num_rows
        self.last = int(numbers[-1])

    def _widen(self, table: pa.Table) -> None:
        """Where a further file holds another type, the column becomes text."""
        import ibis

        there, new = self.engine.table("raw").schema(), ibis.Schema.from_pyarrow(table.schema)
        for name, kind in there.items():
            if kind != new[name] and not kind.is_string():
                quoted = name.replace('"', '""')
                self.engine.raw_sql(f'ALTER TABLE raw ALTER COLUMN "{quoted}" TYPE VARCHAR')

    def source(self, encodings: Iterable[str]) -> Source:
        if not self.rows:
            raise no_rows(self.name, len(self.names), self.ragged)
        encoding = ", ".join(dict.fromkeys(filter(None, encodings)))
        files = tuple(self.files) if self.several else ()
        return Source(self.engine.table("raw"), self.name, encoding, self.mapping, tuple(self.ragged), files)


def load(
    parts: Iterator[tuple[str, RawFile]],
    name: str,
    rules: Rules,
    columns: Mapping[str, str] | None,
    *,
    zone: str = "",
    several: bool = False,
) -> Source:
    """All rows of some files, each with its name for messages, as one source in the embedded engine.

    With ``several`` each row keeps the name of its file in ``source_file``.

    Raises
    ------
    DataError
        A file can not be read or has other columns than the first, or there are no rows at all.
    """
    loader = _Loader(name, rules, columns, zone, several)
    encodings = []
    for label, file in parts:
        with readable(label):
            loader.add(label, file)
        encodings.append(file.encoding)
    return loader.source(encodings)
