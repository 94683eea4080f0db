"""Anything readable becomes one raw table with canonical column names: files, a folder, a data frame.

Text files are read as text only; meaning (dates, numbers) is given in :mod:`custvalue.transactions`, where a value
that can not be understood is counted instead of lost.
"""

from __future__ import annotations

import gzip
import re
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custvalue.columns import ORDER_COLUMNS
from custvalue.errors import DataError, UsageError, nearest
from custvalue.textfiles import read_text_file

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd
    import pyarrow as pa

__all__ = ["ReadRules", "Source", "find_file", "match_columns", "read_frame", "read_source"]

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
    """

    encoding: str = ""
    delimiter: str = ""
    header: tuple[str, ...] = ()
    sheet: str = ""
    date_order: str = ""

    def __post_init__(self) -> None:
        if self.date_order not in ("", "ymd", "dmy", "mdy"):
            raise UsageError("bad_choice", key="read.date_order", got=self.date_order, allowed="ymd, dmy, mdy")


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
    """The file ``stem.*`` of a data folder that can be read, or None."""
    known = _TEXT | _EXCEL | _PARQUET
    hits = sorted(p for p in folder.glob(f"{stem}.*") if set(p.suffixes) & known)
    return hits[0] if hits else None


def _order_file(data: str) -> Path:
    path = Path(data)
    if not path.exists():
        raise DataError("no_such_data", got=data)
    if not path.is_dir():
        return path
    file = find_file(path, "orders")
    if file is None:
        raise DataError("no_orders_in_folder", got=data)
    return file


def _kind_of(path: Path) -> str:
    suffixes = [s.lower() for s in path.suffixes if s.lower() != ".gz"]
    last = suffixes[-1] if suffixes else ""
    for kind, known in (("text", _TEXT), ("excel", _EXCEL), ("parquet", _PARQUET)):
        if last in known:
            return kind
    raise DataError("unknown_format", got=path.name, allowed=".csv .tsv .txt (also .gz), .xlsx, .parquet")


def _read_excel(path: Path, rules: ReadRules) -> tuple[pa.Table, str, list]:
    import pandas as pd
    import pyarrow as pa

    try:
        frame = pd.read_excel(
            path,
            sheet_name=rules.sheet or 0,
            dtype=str,
            engine="openpyxl",
            header=None if rules.header else 0,
        )
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError("unreadable_file", got=path.name, why=str(error)) from error
    frame.columns = list(rules.header) if rules.header else [str(c).strip() for c in frame.columns]
    return pa.Table.from_pandas(frame.astype("string"), preserve_index=False), "", []


def _read_path(path: Path, rules: ReadRules) -> tuple[Any, str, list]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        kind = _kind_of(path)
        if kind == "text":
            return read_text_file(path, rules)
        return _read_excel(path, rules) if kind == "excel" else (pq.read_table(path), "", [])
    except (OSError, EOFError, gzip.BadGzipFile, pa.ArrowInvalid) as error:
        raise DataError("unreadable_file", got=path.name, why=str(error).splitlines()[0]) from error


def _arrow(data: Any, rules: ReadRules) -> tuple[pa.Table, str, str, list]:
    import pyarrow as pa

    if isinstance(data, (str, Path)):
        path = _order_file(str(data))
        table, encoding, ragged = _read_path(path, rules)
        return table, path.name, encoding, ragged
    if isinstance(data, pa.Table):
        return data, "table", "", []
    return pa.Table.from_pandas(_as_frame(data), preserve_index=False), "data frame", "", []


def _as_frame(data: Any) -> pd.DataFrame:
    import pandas as pd

    if not isinstance(data, pd.DataFrame):
        raise DataError("unknown_data", got=type(data).__name__)
    texts = [c for c in data.columns if data[c].dtype == object]
    return data.assign(**{c: data[c].where(data[c].isna(), data[c].astype(str)) for c in texts})


def _stripped(names: Iterable[str]) -> list[str]:
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
    if arrow.num_rows == 0:
        raise DataError("no_rows", got=name)
    arrow = arrow.rename_columns(_stripped(arrow.column_names))
    mapping = match_columns(arrow.column_names, columns)
    back = {source: canonical for canonical, source in mapping.items()}
    spare = [f"{c} (source)" if c in mapping and back.get(c) != c else back.get(c, c) for c in arrow.column_names]
    arrow = arrow.rename_columns(spare)
    numbers = _row_numbers(arrow.num_rows, [number for number, _ in ragged])
    arrow = arrow.append_column("row_number", pa.array(numbers))
    return Source(ibis.duckdb.connect().create_table("raw", arrow), name, encoding, mapping, tuple(ragged))


def read_frame(path: Path, rules: ReadRules | None = None) -> pd.DataFrame:
    """A small table beside the orders as a frame of text; empty fields are missing.

    Raises
    ------
    DataError
        The file can not be read.
    """
    arrow, _, _ = _read_path(path, rules or ReadRules())
    frame = arrow.rename_columns(_stripped(arrow.column_names)).to_pandas()
    return frame.astype("str").replace({"": None})


def _row_numbers(n: int, skipped: list[int]) -> Any:
    import numpy as np

    return np.setdiff1d(np.arange(1, n + len(skipped) + 1), skipped, assume_unique=True)[:n]
