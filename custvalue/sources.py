"""Anything readable becomes one raw table with canonical column names: files, a folder, a data frame.

Text files are read as text only; meaning (dates, numbers) is given in :mod:`custvalue.transactions`, where a value
that can not be understood is counted instead of lost.
"""

from __future__ import annotations

import gzip
import re
import tomllib
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custvalue.columns import ORDER_COLUMNS
from custvalue.errors import DataError, UsageError, nearest
from custvalue.shapes import arrow_of_frame, check_layout, no_rows, plain_types
from custvalue.textfiles import read_text_file

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd
    import pyarrow as pa

__all__ = ["ReadRules", "Source", "find_file", "match_columns", "read_frame", "read_source"]

#: Names of columns that the package adds to the rows of a source; a column of the source steps aside.
RESERVED = ("row_number", "reason", "line")

_TEXT = {".csv", ".tsv", ".txt", ".dat"}
_EXCEL = {".xlsx", ".xlsm"}
_PARQUET = {".parquet", ".pq"}


@dataclass(frozen=True)
class ReadRules:
    """How a file is read where it does not say so itself (section ``[read]`` of the config).

    encoding, delimiter
        Empty: found by content. ``delimiter = " "`` stands for any run of blanks.
    header
        Names of the columns of a file that has no header line.
    sheet
        Sheet of a workbook; empty: the first.
    date_order
        ``ymd``, ``dmy`` or ``mdy``; empty: decided by the whole column.
    decimal
        The decimal mark, ``.`` or ``,``; empty: decided by all numbers of the file.
    """

    encoding: str = ""
    delimiter: str = ""
    header: tuple[str, ...] = ()
    sheet: str = ""
    date_order: str = ""
    decimal: str = ""

    def __post_init__(self) -> None:
        for key, allowed in (("date_order", "ymd, dmy, mdy"), ("decimal", '".", ","')):
            if getattr(self, key) not in ("", *allowed.replace('"', "").split(", ")):
                raise UsageError("bad_choice", key=f"read.{key}", got=getattr(self, key), allowed=allowed)
        if self.delimiter and (len(self.delimiter) > 1 or not self.delimiter.isascii() or self.delimiter in '"\r\n\0'):
            raise UsageError("bad_delimiter", got=repr(self.delimiter))
        try:
            "a".encode(self.encoding or "utf-8")
        except (LookupError, UnicodeError, ValueError):
            raise UsageError("bad_encoding", got=self.encoding) from None


@dataclass(frozen=True)
class Source:
    """A raw table as read: columns renamed, values untouched, and how it was read.

    ``table`` has one row per row of the source and a ``row_number`` (1 = first row after the header).
    ``mapping`` is {canonical name: name in the source}; columns without a meaning keep their own name.
    ``ragged`` holds (row number, text) of lines with more or fewer fields than the header.
    """

    table: ir.Table
    name: str
    encoding: str
    mapping: Mapping[str, str]
    ragged: tuple[tuple[int, str], ...] = ()


def _squeeze(name: str) -> str:
    return re.sub(r"[\s_\-]+", "", name).casefold()


@cache
def _aliases() -> Mapping[str, frozenset[str]]:
    raw = tomllib.loads(resources.files("custvalue").joinpath("aliases.toml").read_text("utf-8"))
    return {name: frozenset(map(_squeeze, words)) for name, words in raw.items()}


def match_columns(found: Iterable[str], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Which column of a file plays which part: {canonical name: name in the file}.

    ``given`` (the config's ``[columns]``) comes first, then a column of the canonical name, then the alias table.

    >>> match_columns(["InvoiceNo", "CustomerID", "InvoiceDate", "Quantity", "UnitPrice"])["order_date"]
    'InvoiceDate'

    Raises
    ------
    UsageError
        A given column is not in the file.
    DataError
        Two columns could be the same one.
    """
    found, given = list(found), dict(given or {})
    for canonical, name in given.items():
        if name not in found:
            raise UsageError(
                "column_not_there",
                column=name,
                key=f"columns.{canonical}",
                got=", ".join(found),
                nearest=nearest(name, found),
            )
    twice = [key for key, name in given.items() if list(given.values()).count(name) > 1]
    if twice:
        raise UsageError("column_used_twice", column=given[twice[0]], keys=", ".join(twice))
    free = [name for name in found if name not in given.values()]
    mapping = dict(given)
    for column in ORDER_COLUMNS:
        if column.name not in mapping:
            mapping.update(_candidate(column.name, free))
    return {column.name: mapping[column.name] for column in ORDER_COLUMNS if column.name in mapping}


def _candidate(canonical: str, free: list[str]) -> dict[str, str]:
    exact = [name for name in free if _squeeze(name) == _squeeze(canonical)]
    candidates = exact or [name for name in free if _squeeze(name) in _aliases().get(canonical, ())]
    if len(candidates) > 1:
        raise DataError("two_candidates", column=canonical, got=", ".join(candidates))
    return {canonical: candidates[0]} if candidates else {}


def find_file(folder: Path, stem: str) -> Path | None:
    """The file ``stem.*`` of a data folder that can be read, or None.

    Raises
    ------
    DataError
        There are several, and nothing tells which one counts.
    """
    hits = [path for path in folder.iterdir() if path.is_file() and _is_table(path, stem)]
    if len(hits) > 1:
        raise DataError("several_files", folder=str(folder), got=", ".join(sorted(path.name for path in hits)))
    return hits[0] if hits else None


def _is_table(path: Path, stem: str) -> bool:
    name = path.name.lower().removesuffix(".gz")
    return Path(name).stem == stem and Path(name).suffix in _TEXT | _EXCEL | _PARQUET


def _order_file(data: str) -> Path:
    path = Path(data)
    try:
        path.stat()
    except (OSError, ValueError):
        raise DataError("no_such_data", got=data[:300]) from None
    if not path.is_dir():
        return path
    file = find_file(path, "orders")
    if file is None:
        raise DataError("no_orders_in_folder", got=str(path.resolve()))
    return file


def _kind_of(path: Path) -> str:
    suffixes = [s.lower() for s in path.suffixes if s.lower() != ".gz"]
    last = suffixes[-1] if suffixes else ""
    for kind, known in (("text", _TEXT), ("excel", _EXCEL), ("parquet", _PARQUET)):
        if last in known:
            return kind
    raise DataError("unknown_format", got=path.name, allowed="csv, tsv, txt, csv.gz, xlsx, parquet")


def _sheet(path: Path, sheet: str) -> pd.DataFrame:
    import pandas as pd

    with pd.ExcelFile(path, engine="openpyxl") as book:
        if sheet and sheet not in book.sheet_names:
            raise UsageError("no_such_sheet", got=sheet, file=path.name, allowed=", ".join(map(str, book.sheet_names)))
        return pd.read_excel(book, sheet_name=sheet or 0, dtype=str, header=None, keep_default_na=False)


def _read_excel(path: Path, rules: ReadRules) -> tuple[pa.Table, str, list]:
    import pyarrow as pa

    try:
        frame = _sheet(path, rules.sheet)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError("unreadable_file", got=path.name, why=str(error)) from error
    names = list(rules.header) or frame.head(1).to_numpy().ravel().tolist()
    if len(names) != frame.shape[1]:
        raise DataError("header_of_other_width", got=path.name, given=len(names), found=frame.shape[1])
    rows = frame.iloc[0 if rules.header else 1 :]
    columns = [pa.array(rows.iloc[:, place].astype("string")) for place in range(len(names))]
    return pa.Table.from_arrays(columns, [str(name) for name in names]), "", []


def _read_parquet(path: Path) -> tuple[pa.Table, str, list]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return file.read(), "", []


def _read_path(path: Path, rules: ReadRules) -> tuple[Any, str, list]:
    import pyarrow as pa

    try:
        kind = _kind_of(path)
        if kind == "text":
            return read_text_file(path, rules)
        return _read_excel(path, rules) if kind == "excel" else _read_parquet(path)
    except (OSError, EOFError, gzip.BadGzipFile, zlib.error, pa.ArrowException) as error:
        raise DataError("unreadable_file", got=path.name, why=str(error).splitlines()[0]) from error


def _arrow(data: Any, rules: ReadRules) -> tuple[pa.Table, str, str, list]:
    import pyarrow as pa

    if isinstance(data, (str, Path)):
        path = _order_file(str(data))
        table, encoding, ragged = _read_path(path, rules)
        return table, path.name, encoding, ragged
    if isinstance(data, pa.Table):
        return data, "table", "", []
    table = arrow_of_frame(data)
    unread = match_columns([str(name) for name in data.index.names if name is not None and name not in data.columns])
    if unread:
        raise DataError("index_not_read", got=", ".join(unread.values()))
    return table, "data frame", "", []


def _stripped(names: Iterable[str]) -> list[str]:
    """Names without blanks around; a column without a name is called by its place."""
    names = [str(name).strip().strip("\ufeff") or f"column_{i}" for i, name in enumerate(names, 1)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError("duplicate_header", got=", ".join(twice))
    return names


def read_source(data: Any, rules: ReadRules | None = None, columns: Mapping[str, str] | None = None) -> Source:
    """Read a file, a data folder (``orders.*`` in it), a pandas frame or an Arrow table.

    ``columns`` is {canonical name: name in the file} for names the alias table does not know.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"客户编号": ["007"], "订单日期": ["2024-01-31"], "销售额": [12.5]})
    >>> read_source(frame).mapping
    {'customer_id': '客户编号', 'order_date': '订单日期', 'amount': '销售额'}

    Raises
    ------
    DataError
        Nothing is there, the format is unknown, the file can not be read or has no rows.
    """
    import ibis
    import pyarrow as pa

    rules = rules or ReadRules()
    arrow, name, encoding, ragged = _arrow(data, rules)
    if not rules.header:
        check_layout(arrow, ragged, name, lambda words: _is_header(words, columns))
    if arrow.num_rows == 0:
        raise no_rows(name, arrow.num_columns, ragged)
    arrow = arrow.rename_columns(_stripped(arrow.column_names))
    mapping = match_columns(arrow.column_names, columns)
    arrow = plain_types(arrow.rename_columns(_engine_names(arrow.column_names, mapping)))
    numbers = _row_numbers(arrow.num_rows, [number for number, _ in ragged])
    arrow = arrow.append_column("row_number", pa.array(numbers))
    return Source(ibis.duckdb.connect().create_table("raw", arrow), name, encoding, mapping, tuple(ragged))


def _is_header(words: list[str], given: Mapping[str, str] | None) -> bool:
    """Whether these words name the columns that are needed."""
    try:
        found = match_columns([word.strip() for word in words], given)
    except DataError:
        return True
    except UsageError:
        return False
    money = "amount" in found or {"quantity", "unit_price"} <= set(found)
    return money and {"customer_id", "order_date"} <= set(found)


def _engine_names(names: list[str], mapping: Mapping[str, str]) -> list[str]:
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


def read_frame(path: Path, rules: ReadRules | None = None) -> pd.DataFrame:
    """A small table beside the orders as a frame of text; empty fields are missing.

    Raises
    ------
    DataError
        The file can not be read, or a line has more or fewer fields than the header.
    """
    arrow, _, ragged = _read_path(path, rules or ReadRules())
    if ragged:
        raise DataError("ragged_line", file=path.name, n=arrow.num_columns, row=ragged[0][0], got=ragged[0][1][:80])
    frame = plain_types(arrow.rename_columns(_stripped(arrow.column_names))).to_pandas()
    return frame.astype("str").replace({"": None})


def _row_numbers(n: int, skipped: list[int]) -> Any:
    import numpy as np

    return np.setdiff1d(np.arange(1, n + len(skipped) + 1), skipped, assume_unique=True)[:n]
