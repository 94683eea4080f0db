"""Delimited text files: find encoding and delimiter by content, read every field as text."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from custvalue.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["find_delimiter", "find_encoding", "read_text_file"]

_DELIMITERS = (",", "\t", ";", "|")
_SAMPLE = 1 << 18
_BLOCK = 1 << 24
_CSV_FIELD = 1 << 16
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class _Rules(Protocol):
    encoding: str
    delimiter: str
    header: tuple[str, ...]


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")


def _decoding_error(path: Path, encoding: str) -> UnicodeDecodeError | None:
    """What is wrong with a file in an encoding; None where all of it can be decoded."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with _open(path) as stream:
        try:
            for block in iter(lambda: stream.read(1 << 22), b""):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            return error
    return None


def _guessed(path: Path, sample: bytes) -> str:
    """The likeliest encoding of a sample in which the whole file can be decoded."""
    from charset_normalizer import from_bytes

    found = from_bytes(sample, cp_isolation=["gb18030", "big5", "cp1252", "mac_roman"])
    guesses = [guess.encoding for guess in found]
    for encoding in dict.fromkeys([*guesses[:1], "gb18030", "big5", "cp1252"]):
        if encoding in guesses and _decoding_error(path, encoding) is None:
            return encoding
    raise DataError("broken_text" if guesses else "not_text", got=path.name)


def find_encoding(path: Path) -> str:
    """The encoding of a text file, found by its content: byte order mark, else UTF-8 if all of it is, else guessed.

    Raises
    ------
    DataError
        The bytes fit no text encoding (a picture, a workbook with a wrong ending, ...).
    """
    with _open(path) as stream:
        head = stream.read(_SAMPLE)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if b"\0" in head:
        raise DataError("not_text", got=path.name)
    error = _decoding_error(path, "utf-8")
    if error is None:
        return "utf-8"
    line = error.object.rfind(b"\n", 0, error.start) + 1
    return _guessed(path, error.object[line : line + _SAMPLE])


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


def _first_lines(path: Path, encoding: str) -> list[str]:
    with _open(path) as stream:
        text = stream.read(_SAMPLE).decode(encoding, errors="ignore")
    return re.split(r"\r\n|\n|\r", text.lstrip("\ufeff"))


def _told_delimiter(line: str) -> str:
    """The delimiter that a first line ``sep=;`` tells, as spreadsheets write it."""
    told = re.fullmatch(r'"?sep=([,;|\t])"?', line.strip(" "), re.IGNORECASE)
    return told[1] if told else ""


@dataclass(frozen=True)
class _Layout:
    """How a text file is to be read: ``above`` lines stand before the first row, the header among them."""

    source: Path | io.BytesIO
    encoding: str
    delimiter: str
    names: list[str]
    above: int


def _blank_separated(path: Path, encoding: str) -> io.BytesIO:
    with _open(path) as stream:
        text = re.sub(r"\r\n?", "\n", stream.read().decode(encoding))
    text = re.sub(r"(?m)^[ \t]+|[ \t]+$", "", text)
    return io.BytesIO(re.sub(r"[ \t]+", "\t", text).encode("utf-8"))


def _layout(path: Path, rules: _Rules, encoding: str) -> _Layout:
    lines = _first_lines(path, encoding)
    above = next((i for i, line in enumerate(lines) if line.strip()), len(lines))
    told = _told_delimiter(lines[above]) if above < len(lines) else ""
    above += bool(told)
    filled = [line for line in lines[above:] if line.strip()][:200]
    if len(filled) < (1 if rules.header else 2):
        raise DataError("no_rows", got=path.name)
    delimiter = rules.delimiter or told or find_delimiter(filled)
    source: Path | io.BytesIO = path
    if delimiter == " ":
        source, delimiter, encoding = _blank_separated(path, encoding), "\t", "utf-8"
        filled[0] = re.sub(r"[ \t]+", "\t", filled[0].strip())
    header = csv.reader((f"{line}\n" for line in filled), delimiter=delimiter)
    names = list(rules.header) or [name[:_CSV_FIELD] for name in next(header)]
    return _Layout(source, encoding.replace("-sig", ""), delimiter, names, above if rules.header else above + 1)


def _parsed(layout: _Layout) -> tuple[pa.Table, list[tuple[int, str]]]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    unique = [f"{i}:{name}" for i, name in enumerate(layout.names)]
    ragged: list[tuple[int, str]] = []

    def set_aside(row: arrow_csv.InvalidRow) -> str:
        ragged.append((row.number - layout.above, row.text))
        return "skip"

    table = arrow_csv.read_csv(
        layout.source,
        read_options=arrow_csv.ReadOptions(
            column_names=unique,
            skip_rows=max(layout.above - 1, 0),
            skip_rows_after_names=min(layout.above, 1),
            encoding=layout.encoding,
            block_size=_BLOCK,
            use_threads=False,
        ),
        parse_options=arrow_csv.ParseOptions(
            delimiter=layout.delimiter, newlines_in_values=True, invalid_row_handler=set_aside
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types={name: pa.string() for name in unique}, strings_can_be_null=False
        ),
    )
    return table.rename_columns(layout.names), ragged


def _shapes(fields: list[str]) -> set[tuple[int, str]]:
    """Place and shape (every digit a 0) of the fields with four digits and more, such as dates."""
    return {(i, re.sub(r"\d", "0", field)) for i, field in enumerate(fields) if len(re.findall(r"\d", field)) > 3}


def _swallowed(table: pa.Table, delimiter: str) -> str:
    """A field that holds further rows, because its opening quote is never closed; empty where there is none."""
    import pyarrow.compute as pc

    first = [list(row.values()) for row in table.slice(0, 200).to_pylist()]
    usual: set[tuple[int, str]] = set().union(*map(_shapes, first))
    for column in table.columns:
        for value in column.filter(pc.match_substring(column, "\n")).slice(0, 10_000).to_pylist():
            rows = [line.strip("\r").split(delimiter) for line in value.split("\n")[1:]]
            if any(len(row) == table.num_columns and _shapes(row) & usual for row in rows):
                return value
    return ""


def _refuse_open_quote(table: pa.Table, ragged: list[tuple[int, str]], layout: _Layout, name: str) -> None:
    """A quote without its end takes all that follows into one field, which would lose rows unseen."""
    unique = table.rename_columns([str(i) for i in range(table.num_columns)])
    open_lines = (text for _, text in ragged if text.count('"') % 2 and "\n" in text.strip())
    found = next(open_lines, "") or _swallowed(unique, layout.delimiter)
    if found:
        raise DataError("open_quote", got=name, line=found[:80].replace("\n", " ⏎ "))


def read_text_file(path: Path, rules: _Rules) -> tuple[pa.Table, str, list[tuple[int, str]]]:
    """Read a delimited text file; returns the table of strings, the encoding, and the ragged lines.

    Raises
    ------
    DataError
        The file is empty or no text, a quote is never closed, or one row is longer than 16 MB.
    """
    import pyarrow as pa

    encoding = rules.encoding or find_encoding(path)
    try:
        layout = _layout(path, rules, encoding)
        table, ragged = _parsed(layout)
    except UnicodeDecodeError as error:
        raise DataError("broken_text", got=path.name) from error
    except (pa.ArrowInvalid, csv.Error) as error:
        if "straddling" in str(error) or isinstance(error, csv.Error):
            raise DataError("open_quote", got=path.name, line="…") from error
        raise
    _refuse_open_quote(table, ragged, layout, path.name)
    return table, encoding, ragged
