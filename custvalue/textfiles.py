"""Delimited text files: find encoding and delimiter by content, read every field as text."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from custvalue.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["find_delimiter", "find_encoding", "read_text_file"]

_DELIMITERS = (",", "\t", ";", "|")
_SAMPLE = 1 << 18


class _Rules(Protocol):
    encoding: str
    delimiter: str
    header: tuple[str, ...]


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with _open(path) as stream:
        try:
            for block in iter(lambda: stream.read(1 << 22), b""):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def find_encoding(path: Path) -> str:
    """The encoding of a text file, found by its content: byte order mark, else UTF-8 if all of it is, else guessed.

    Raises
    ------
    DataError
        The bytes fit no text encoding (a picture, a workbook with a wrong ending, ...).
    """
    from charset_normalizer import from_bytes

    with _open(path) as stream:
        head = stream.read(_SAMPLE)
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            return name
    if b"\0" not in head and _is_utf8(path):
        return "utf-8"
    guess = from_bytes(head, cp_isolation=["gb18030", "big5", "cp1252", "mac_roman"]).best()
    if guess is None or b"\0" in head:
        raise DataError("not_text", got=path.name)
    return guess.encoding


def find_delimiter(lines: list[str]) -> str:
    """The delimiter that cuts the lines into the most regular fields; ``" "`` where only runs of blanks do.

    >>> find_delimiter(["id;amount", '1;"1,5"', "2;2,5"])
    ';'
    >>> find_delimiter([" id  date", " 01 19970101"])
    ' '
    """
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
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line.strip()]
    return lines[:200]


def _blank_separated(path: Path, encoding: str) -> io.BytesIO:
    with _open(path) as stream:
        text = stream.read().decode(encoding)
    text = re.sub(r"(?m)^[ \t]+|[ \t]+(?=\r?$)", "", text)
    return io.BytesIO(re.sub(r"[ \t]+", "\t", text).encode("utf-8"))


def read_text_file(path: Path, rules: _Rules) -> tuple[pa.Table, str, list[tuple[int, str]]]:
    """Read a delimited text file; returns the table of strings, the encoding, and the ragged lines.

    Raises
    ------
    DataError
        The file is empty, no text, or has a single column.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    encoding = rules.encoding or find_encoding(path)
    lines = _first_lines(path, encoding)
    if not lines:
        raise DataError("no_rows", got=path.name)
    delimiter = rules.delimiter or find_delimiter(lines)
    source: Path | io.BytesIO = path
    if delimiter == " ":
        source, delimiter, encoding_read = _blank_separated(path, encoding), "\t", "utf-8"
        lines[0] = re.sub(r"[ \t]+", "\t", lines[0].strip())
    else:
        encoding_read = encoding.replace("-sig", "")
    names = list(rules.header) or next(csv.reader([lines[0].lstrip("\ufeff")], delimiter=delimiter))
    unique = [f"{i}:{name}" for i, name in enumerate(names)]
    ragged: list[tuple[int, str]] = []

    def set_aside(row: arrow_csv.InvalidRow) -> str:
        ragged.append((row.number, row.text))
        return "skip"

    table = arrow_csv.read_csv(
        source,
        read_options=arrow_csv.ReadOptions(
            column_names=unique,
            skip_rows_after_names=0 if rules.header else 1,
            encoding=encoding_read,
            use_threads=False,
        ),
        parse_options=arrow_csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=set_aside
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types={name: pa.string() for name in unique}, strings_can_be_null=False
        ),
    )
    first = 0 if rules.header else 1
    return (
        table.rename_columns(names),
        encoding,
        [(number - first, text) for number, text in ragged if number],
    )
