"""Delimited text files: find the delimiter by content, read every field as text, a piece of the file at a time."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from custvalue.encodings import find_encoding, opened
from custvalue.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = ["Chunk", "RawFile", "Rules", "find_delimiter", "open_text_file"]

_DELIMITERS = (",", "\t", ";", "|")
_SAMPLE = 1 << 18
_PIECE = 1 << 25
_BLOCK = 1 << 22
_LONGEST_ROW = 1 << 24
_CSV_FIELD = 1 << 16


class Rules(Protocol):
    """What the readers of files ask of :class:`custvalue.sources.ReadRules`."""

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    sheet: str


@dataclass(frozen=True)
class Chunk:
    """Some rows of a file: their fields, and the number of each row in the file (1 = first after the header)."""

    table: pa.Table
    numbers: np.ndarray


@dataclass(frozen=True)
class RawFile:
    """An opened file: column names, encoding (of a text), and the rows by the chunk.

    ``ragged`` holds (row number, text) of lines with more or fewer fields than the header; it fills while the chunks
    are read.
    """

    names: list[str]
    encoding: str
    chunks: Iterator[Chunk]
    ragged: list[tuple[int, str]] = field(default_factory=list)


def find_delimiter(lines: list[str]) -> str:
    """The delimiter that cuts the lines into the most regular fields; ``" "`` where only runs of blanks do.

    >>> find_delimiter(["id;amount", '1;"1,5"', "2;2,5"])
    ';'
    >>> find_delimiter([" id  date", " 01 19970101"])
    ' '
    """
    lines = [line[:_CSV_FIELD] for line in lines]
    best, regular = " ", 0.0
    for delimiter in _DELIMITERS:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
        width, n = widths.most_common(1)[0] if widths else (1, 0)
        if width > 1 and n / widths.total() > regular:
            best, regular = delimiter, n / widths.total()
    return best


def _told_delimiter(line: str) -> str:
    """The delimiter that a first line ``sep=;`` tells, as spreadsheets write it."""
    told = re.fullmatch(r'"?sep=([,;|\t])"?', line.strip(" "), re.IGNORECASE)
    return told[1] if told else ""


@dataclass
class _Layout:
    """How a text file is cut: ``above`` lines stand before the first row, the header among them."""

    name: str
    delimiter: str
    blanks: bool
    names: list[str]
    above: int
    usual: set[tuple[int, str]] = field(default_factory=set)


def _layout(path: Path, rules: Rules, encoding: str) -> _Layout:
    with opened(path) as stream:
        text = stream.read(_SAMPLE).decode(encoding, errors="ignore")
    lines = re.split(r"\r\n|\n|\r", text.lstrip("\ufeff"))
    above = next((i for i, line in enumerate(lines) if line.strip()), len(lines))
    told = _told_delimiter(lines[above]) if above < len(lines) else ""
    above += bool(told)
    filled = [line for line in lines[above:] if line.strip()][:200]
    if len(filled) < (1 if rules.header else 2):
        raise DataError("no_rows", got=path.name)
    delimiter = rules.delimiter or told or find_delimiter(filled)
    blanks = delimiter == " "
    if blanks:
        delimiter, filled[0] = "\t", re.sub(r"[ \t]+", "\t", filled[0].strip())
    header = csv.reader((f"{line}\n" for line in filled), delimiter=delimiter)
    names = list(rules.header) or [name[:_CSV_FIELD] for name in next(header)]
    return _Layout(path.name, delimiter, blanks, names, above if rules.header else above + 1)


def _utf8(path: Path, encoding: str) -> Iterator[bytes]:
    """The blocks of a file as UTF-8, without a byte order mark."""
    plain = codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")
    decoder = codecs.getincrementaldecoder(encoding)()
    first = True
    with opened(path) as stream:
        for block in iter(lambda: stream.read(_PIECE), b""):
            data = block if plain else decoder.decode(block).encode("utf-8")
            yield data.removeprefix(codecs.BOM_UTF8) if first else data
            first = False
    yield b"" if plain else decoder.decode(b"", final=True).encode("utf-8")


def _blanks_to_tabs(data: bytes) -> bytes:
    data = re.sub(rb"\r\n?", b"\n", data)
    data = re.sub(rb"(?m)^[ \t]+|[ \t]+$", b"", data)
    return re.sub(rb"[ \t]+", b"\t", data)


def _end_of_lines(data: bytes) -> int:
    """Where the last whole line of a piece ends."""
    end = data.rfind(b"\n") + 1
    return end or data.rfind(b"\r", 0, len(data) - 1) + 1


def _pieces(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Pieces of whole lines."""
    rest = b""
    for block in blocks:
        data = rest + block
        end = _end_of_lines(data)
        if end:
            yield data[:end]
        rest = data[end:]
        if len(rest) > 4 * _LONGEST_ROW:
            raise DataError("open_quote", got="", line="…")
    if rest:
        yield rest


def _lines_are_rows(data: bytes, delimiter: str) -> bool:
    """Whether no field can hold a line end: quotation marks come in pairs on each line, and only around fields."""
    import numpy as np

    if b'"' not in data:
        return True
    at = np.frombuffer(data, dtype=np.uint8)
    quotes = np.flatnonzero(at == ord('"'))
    ends = np.flatnonzero((at == ord("\n")) | (at == ord("\r")))
    if (np.searchsorted(quotes, ends) % 2).any() or len(quotes) % 2:
        return False
    edge = np.frombuffer(f'{delimiter}"\r\n'.encode(), dtype=np.uint8)
    inner = quotes[(quotes > 0) & (quotes < len(at) - 1)]
    return bool((np.isin(at[inner - 1], edge) | np.isin(at[inner + 1], edge)).all())


class _Joined(io.RawIOBase):
    """Blocks of bytes as one file."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._rest = blocks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = block
        n = min(len(buffer), len(self._rest))
        buffer[:n], self._rest = self._rest[:n], self._rest[n:]
        return n


def _options(layout: _Layout, above: int, set_aside: Any, threads: bool, block: int) -> dict[str, Any]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [f"{i}:{name}" for i, name in enumerate(layout.names)]
    return {
        "read_options": arrow_csv.ReadOptions(
            column_names=names,
            skip_rows=max(above - 1, 0),
            skip_rows_after_names=min(above, 1),
            block_size=block,
            use_threads=threads,
        ),
        "parse_options": arrow_csv.ParseOptions(
            delimiter=layout.delimiter, newlines_in_values=not threads, invalid_row_handler=set_aside
        ),
        "convert_options": arrow_csv.ConvertOptions(
            column_types={name: pa.string() for name in names}, strings_can_be_null=False
        ),
    }


def _parsed(data: bytes, layout: _Layout, above: int, threads: bool, block: int) -> tuple[pa.Table, list]:
    """A piece as a table, and its ragged lines as (number within the piece, text); no number with threads."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    ragged: list[tuple[Any, str]] = []

    def set_aside(row: arrow_csv.InvalidRow) -> str:
        ragged.append((None if row.number is None else row.number - above, row.text))
        return "skip"

    table = arrow_csv.read_csv(pa.BufferReader(data), **_options(layout, above, set_aside, threads, block))
    return table, ragged


def _piece_table(data: bytes, layout: _Layout, above: int) -> tuple[pa.Table, list]:
    """A piece whose lines are rows; parsed once more on one thread where ragged lines need their numbers."""
    import pyarrow as pa

    longest = min(max(len(data), 1), 1 << 30)
    try:
        table, ragged = _parsed(data, layout, above, True, _BLOCK)
    except pa.ArrowInvalid as error:
        if "straddling" not in str(error):
            raise
        return _parsed(data, layout, above, False, longest)
    return _parsed(data, layout, above, False, longest) if ragged else (table, ragged)


def _numbers(first: int, n: int, skipped: list[int]) -> np.ndarray:
    """The numbers of the next n rows, from ``first`` on, without those of the ragged lines."""
    import numpy as np

    late = [number for number in skipped if number >= first]
    return np.setdiff1d(np.arange(first, first + n + len(late)), late, assume_unique=True)[:n]


def _chunk(table: pa.Table, layout: _Layout, first: int, skipped: list[int]) -> Chunk:
    return Chunk(table.rename_columns(layout.names), _numbers(first, table.num_rows, skipped))


def _streamed(blocks: Iterator[bytes], layout: _Layout, above: int, first: int, file: RawFile) -> Iterator[Chunk]:
    """Rows of which any field may hold line ends: read on one thread, in order."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    offset = first - 1 - above

    def set_aside(row: arrow_csv.InvalidRow) -> str:
        file.ragged.append((row.number + offset, row.text))
        return "skip"

    source = pa.PythonFile(io.BufferedReader(_Joined(blocks), _BLOCK), mode="r")
    for batch in arrow_csv.open_csv(source, **_options(layout, above, set_aside, False, _LONGEST_ROW)):
        table = pa.Table.from_batches([batch])
        _refuse_open_quote(table, file.ragged, layout)
        chunk = _chunk(table, layout, first, [number for number, _ in file.ragged])
        first = int(chunk.numbers[-1]) + 1 if table.num_rows else first
        yield chunk
    _refuse_open_quote(None, file.ragged, layout)


def _chunks(path: Path, layout: _Layout, file: RawFile) -> Iterator[Chunk]:
    """The rows of a file: on all threads as long as lines are rows, on one from the first other piece on."""
    pieces = _pieces(_utf8(path, file.encoding))
    above, first = layout.above, 1
    for piece in pieces:
        if len(piece) < _SAMPLE and not piece.strip():
            continue
        if not _lines_are_rows(piece, layout.delimiter):
            blocks = (part for some in ([piece], pieces) for part in some)
            cut = map(_blanks_to_tabs, blocks) if layout.blanks else blocks
            yield from _streamed(cut, layout, above, first, file)
            return
        table, ragged = _piece_table(_blanks_to_tabs(piece) if layout.blanks else piece, layout, above)
        found = [(number + first - 1, text) for number, text in ragged]
        file.ragged.extend(found)
        if b'"' in piece:
            _refuse_open_quote(table, found, layout)
        yield _chunk(table, layout, first, [number for number, _ in found])
        above, first = 0, first + table.num_rows + len(found)


def _shapes(fields: list[str]) -> set[tuple[int, str]]:
    """Place and shape (every digit a 0) of the fields with four digits and more, such as dates."""
    return {(i, re.sub(r"\d", "0", field)) for i, field in enumerate(fields) if len(re.findall(r"\d", field)) > 3}


def _swallowed(table: pa.Table, layout: _Layout) -> str:
    """A field that holds further rows, because its opening quote is never closed; empty where there is none."""
    import pyarrow.compute as pc

    if not layout.usual:
        rows = zip(*(column.slice(0, 200).to_pylist() for column in table.columns), strict=True)
        layout.usual = set().union(*(_shapes(list(row)) for row in rows))
    for column in table.columns:
        for value in column.filter(pc.match_substring(column, "\n")).slice(0, 10_000).to_pylist():
            rows = (line.strip("\r").split(layout.delimiter) for line in value.split("\n")[1:])
            if any(len(row) == table.num_columns and _shapes(row) & layout.usual for row in rows):
                return value
    return ""


def _refuse_open_quote(table: pa.Table | None, ragged: list[tuple[int, str]], layout: _Layout) -> None:
    """A quote without its end takes all that follows into one field, which would lose rows unseen."""
    open_lines = (text for _, text in ragged if text.count('"') % 2 and "\n" in text.strip())
    found = next(open_lines, "") or (_swallowed(table, layout) if table is not None else "")
    if found:
        raise DataError("open_quote", got=layout.name, line=found[:80].replace("\n", " ⏎ "))


def _told(name: str, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The chunks; what goes wrong with the text on the way is said in a sentence."""
    import pyarrow as pa

    try:
        yield from chunks
    except UnicodeError as error:
        raise DataError("broken_text", got=name) from error
    except DataError as error:
        raise DataError(error.code, **error.values | {"got": error.values.get("got") or name}) from error
    except (pa.ArrowInvalid, csv.Error) as error:
        if "UTF8" in str(error):
            raise DataError("broken_text", got=name) from error
        if "straddling" in str(error) or isinstance(error, csv.Error):
            raise DataError("open_quote", got=name, line="…") from error
        raise


def open_text_file(path: Path, rules: Rules) -> RawFile:
    """Open a delimited text file; encoding and delimiter come from its content where the rules do not say them.

    Raises
    ------
    DataError
        At once or while the chunks are read: the file is empty or no text, a quote is never closed, or one row is
        longer than 16 MB.
    """
    encoding = rules.encoding or find_encoding(path)
    try:
        layout = _layout(path, rules, encoding)
    except UnicodeError as error:
        raise DataError("broken_text", got=path.name) from error
    except csv.Error as error:
        raise DataError("open_quote", got=path.name, line="…") from error
    file = RawFile(layout.names, encoding, iter(()))
    return RawFile(layout.names, encoding, _told(path.name, _chunks(path, layout, file)), file.ragged)
