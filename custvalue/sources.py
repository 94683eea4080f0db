"""Anything readable becomes one raw table with canonical column names: files, folders, databases, data frames.

Text files are read as text only; meaning (dates, numbers) is given in :mod:`custvalue.transactions`, where a value
that can not be understood is counted instead of lost. Parquet files and databases are not loaded: their rows stay
where they are until they are counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custvalue.aliases import match_columns
from custvalue.columns import is_day
from custvalue.databases import is_url, masked, open_database, open_duckdb, open_sqlite
from custvalue.errors import DataError, UsageError
from custvalue.files import find_file, kind_of, open_file, order_files, readable
from custvalue.loading import RESERVED, Source, engine_names, is_header, load, stripped
from custvalue.parquet import open_parquet
from custvalue.shapes import arrow_of_frame, check_layout, no_rows, plain_types
from custvalue.textfiles import Chunk, RawFile

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd
    import pyarrow as pa

__all__ = ["RESERVED", "ReadRules", "Source", "find_file", "match_columns", "read_frame", "read_source"]


@dataclass(frozen=True)
class ReadRules:
    """How a file is read where it does not say so itself (section ``[read]`` of the config).

    encoding, delimiter
        Empty: found by content. ``delimiter = " "`` stands for any run of blanks.
    header
        Names of the columns of a file that has no header line.
    sheet
        Sheet of a workbook. Empty: the first that is not empty, and all others with the same column names; ``*``: all
        sheets, which must have the same column names.
    date_order
        ``ymd``, ``dmy`` or ``mdy``; empty: decided by the whole column.
    decimal
        The decimal mark, ``.`` or ``,``; empty: decided by all numbers of the file.
    day_one
        The day (YYYY-MM-DD) that is day 1, where dates are counts of days.
    """

    encoding: str = ""
    delimiter: str = ""
    header: tuple[str, ...] = ()
    sheet: str = ""
    date_order: str = ""
    decimal: str = ""
    day_one: str = ""

    def __post_init__(self) -> None:
        for key, allowed in (("date_order", "ymd, dmy, mdy"), ("decimal", '".", ","')):
            if getattr(self, key) not in ("", *allowed.replace('"', "").split(", ")):
                raise UsageError("bad_choice", key=f"read.{key}", got=getattr(self, key), allowed=allowed)
        if self.delimiter and (len(self.delimiter) > 1 or not self.delimiter.isascii() or self.delimiter in '"\r\n\0'):
            raise UsageError("bad_delimiter", got=repr(self.delimiter))
        if self.day_one and not is_day(self.day_one):
            raise UsageError("bad_day", key="read.day_one", got=self.day_one)
        try:
            "a".encode(self.encoding or "utf-8")
        except (LookupError, UnicodeError, ValueError):
            raise UsageError("bad_encoding", got=self.encoding) from None


def _whole(table: pa.Table) -> RawFile:
    """A table in memory as one file with one chunk."""
    import numpy as np

    chunk = Chunk(table, np.arange(1, table.num_rows + 1))
    return RawFile(table.column_names, "", iter([chunk] if table.num_rows else []))


def _frame(data: Any) -> RawFile:
    index = getattr(data, "index", None)
    names = [str(name) for name in getattr(index, "names", ()) if name is not None and name not in data.columns]
    table = arrow_of_frame(data)
    unread = match_columns(names)
    if unread:
        raise DataError("index_not_read", got=", ".join(unread.values()))
    return _whole(table)


def _order_kept(table: ir.Table) -> list[Any]:
    """What the rows of a database are numbered by: nothing where it keeps their order, else all columns, so that a row
    has the same number each time it is asked for."""
    return [] if table.get_backend().name == "duckdb" else [table[name] for name in table.columns]


def _plain(column: ir.Value) -> ir.Value:
    kind = column.type()
    return column.cast("string") if kind.is_nested() or kind.is_uuid() or kind.is_json() else column


def _in_place(table: ir.Table, name: str, columns: Mapping[str, str] | None) -> Source:
    """A table of a database as a source; its rows stay there."""
    import ibis

    names = stripped(table.columns)
    mapping = match_columns(names, columns)
    new = engine_names(names, mapping)
    shown = {name: _plain(table[old]) for name, old in zip(new, table.columns, strict=True)}
    plain = table.select(**shown)
    number = ibis.row_number().over(ibis.window(order_by=_order_kept(plain))) + 1
    return Source(plain.mutate(row_number=number), name, "", mapping)


def _parquet(paths: list[Path], labels: list[str], name: str, columns: Mapping[str, str] | None, zone: str) -> Source:
    found = open_parquet(paths, labels, zone)
    with readable(name):
        first = found.table.head(50).to_pyarrow().select(range(len(found.names))).rename_columns(found.names)
    check_layout(first, [], name, lambda words: is_header(words, columns))
    if not first.num_rows:
        raise no_rows(name, len(found.names), [])
    names = stripped(found.names)
    mapping = match_columns(names, columns)
    table = found.table.rename({new: f"c{i}" for i, new in enumerate(engine_names(names, mapping))})
    return Source(table, name, "", mapping, (), found.files)


def _label(path: Path, base: Path) -> str:
    """The name of a part as it is told apart from the others: its path within the folder."""
    return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()


def _parts(paths: list[Path], labels: list[str], rules: ReadRules) -> Iterator[tuple[str, RawFile]]:
    for path, label in zip(paths, labels, strict=True):
        for name, file in open_file(path, rules):
            yield label + name.removeprefix(path.name), file


def _from_files(data: str, rules: ReadRules, columns: Mapping[str, str] | None, zone: str) -> Source:
    paths = order_files(data)
    name = paths[0].name if len(paths) == 1 else Path(data).name
    base = Path(data) if Path(data).is_dir() else paths[0].parent
    labels = [_label(path, base) for path in paths] if len(paths) > 1 else [name]
    kind = kind_of(paths[0])
    if kind == "parquet":
        return _parquet(paths, labels, name, columns, zone)
    if kind == "database" and paths[0].suffix.lower() == ".duckdb":
        return _in_place(open_duckdb(paths[0]), name, columns)
    if kind == "database":
        return load(iter([(name, open_sqlite(paths[0]))]), name, rules, columns)
    if len(paths) > 1:
        return load(_parts(paths, labels, rules), name, rules, columns, zone=zone, several=True)
    sheets = open_file(paths[0], rules)
    return load(iter(sheets), name, rules, columns, zone=zone, several=len(sheets) > 1)


def _from_url(url: str, rules: ReadRules, columns: Mapping[str, str] | None) -> Source:
    if url.startswith("sqlite://"):
        return load(iter([(masked(url), open_sqlite(url))]), masked(url), rules, columns)
    return _in_place(open_database(url), masked(url), columns)


def read_source(
    data: Any, rules: ReadRules | None = None, columns: Mapping[str, str] | None = None, timezone: str = ""
) -> Source:
    """Read what holds the orders, whatever it is.

    data
        A file (delimited text, JSON, a workbook, Parquet, SQLite, DuckDB; text and JSON also packed), a data folder
        (``orders.*`` in it, else all its files as parts of one table), a pattern such as ``exports/2024-*.csv``, the
        URL of a database with ``?table=`` or ``?query=``, a pandas, Polars or Arrow table, or an Ibis table.
    columns
        {canonical name: name in the file} for names the alias table does not know.
    timezone
        Where the days are those of; typed times with a zone fall on the day there. Empty: the zone of the column.

    Rows of Parquet files and databases stay where they are. Databases that keep no order number their rows by the
    values of all columns.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"客户编号": ["007"], "订单日期": ["2024-01-31"], "销售额": [12.5]})
    >>> read_source(frame).mapping
    {'customer_id': '客户编号', 'order_date': '订单日期', 'amount': '销售额'}

    Raises
    ------
    DataError
        Nothing is there, the format is unknown, the data can not be read or have no rows, or their parts differ.
    """
    import ibis.expr.types as ir

    rules = rules or ReadRules()
    if is_url(data):
        return _from_url(data, rules, columns)
    if isinstance(data, (str, Path)):
        return _from_files(str(data), rules, columns, timezone)
    if isinstance(data, ir.Table):
        return _in_place(data, "table", columns)
    name = "table" if type(data).__module__.startswith("pyarrow") else "data frame"
    return load(iter([(name, _frame(data))]), name, rules, columns, zone=timezone)


def read_frame(path: Path, rules: ReadRules | None = None) -> pd.DataFrame:
    """A small table beside the orders as a frame of text; empty fields are missing.

    Raises
    ------
    DataError
        The file can not be read, or a line has more or fewer fields than the header.
    """
    import pyarrow as pa

    name, file = open_file(path, rules or ReadRules())[0]
    names = stripped(file.names)
    with readable(name):
        tables = [plain_types(chunk.table.rename_columns(names)) for chunk in file.chunks]
    if file.ragged:
        row, got = file.ragged[0]
        raise DataError("ragged_line", file=path.name, n=len(names), row=row, got=got[:80])
    text = pa.schema([(name, pa.string()) for name in names])
    frame = pa.concat_tables([text.empty_table(), *(table.cast(text) for table in tables)]).to_pandas()
    return frame.replace({"": None})
