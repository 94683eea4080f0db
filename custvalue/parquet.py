"""Parquet files as a table that is not loaded: types, zones and row numbers are settled in the engine."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from custvalue.engine import local_engine
from custvalue.errors import DataError
from custvalue.files import readable

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

__all__ = ["ParquetTable", "open_parquet"]


@dataclass(frozen=True)
class ParquetTable:
    """Parquet files in the engine.

    ``table`` has one row per row of the files: their columns as c0, c1, ... (``names`` holds how they are called),
    ``row_number`` and, for more than one file, ``source_file``. ``files`` holds (file, number of its first row).
    """

    table: ir.Table
    names: list[str]
    files: tuple[tuple[str, int], ...]


def _local_time(column: ir.Value, zone: str) -> ir.Value:
    """The time on the clocks of a zone (``Asia/Shanghai`` or ``+08:00``) of an instant."""
    import ibis
    import ibis.expr.datatypes as dt

    @ibis.udf.scalar.builtin(signature=((dt.string, dt.Timestamp(timezone="UTC")), dt.Timestamp()))
    def timezone(zone, instant): ...

    fixed = re.fullmatch(r"([+-])(\d\d):?(\d\d)", zone)
    if not fixed:
        return timezone(zone, column)
    minutes = int(f"{fixed[1]}1") * (int(fixed[2]) * 60 + int(fixed[3]))
    return timezone("UTC", column) + ibis.interval(minutes=minutes)


def _plain(column: ir.Value, kind: pa.DataType | None, zone: str) -> ir.Value:
    """A column in a type that cleaning knows: text for what is no plain value."""
    import pyarrow as pa

    if kind is None:
        return column
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_timestamp(kind) and kind.tz:
        return _local_time(column, zone or kind.tz)
    odd = (pa.types.is_null, pa.types.is_nested, pa.types.is_duration, pa.types.is_interval, pa.types.is_decimal256)
    return column.cast("string") if any(is_odd(kind) for is_odd in odd) else column


def _schemas(paths: list[Path], labels: list[str]) -> tuple[pa.Schema, list[int]]:
    """The columns that all files share, and how many rows each has; only the ends of the files are read."""
    import pyarrow.parquet as pq

    first, counts = None, []
    for path, label in zip(paths, labels, strict=True):
        with readable(label), pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            counts.append(file.metadata.num_rows)
        first = first or schema
        if sorted(schema.names) != sorted(first.names):
            raise DataError(
                "other_columns", file=label, got=", ".join(schema.names), allowed=", ".join(map(str, first.names))
            )
    return first, counts


def _numbered(table: ir.Table, paths: list[Path], labels: list[str], firsts: list[int]) -> ir.Table:
    """The table with row numbers that count on over its files, and the name of each row's file if there are several."""
    import ibis

    if len(paths) == 1:
        return table.mutate(_row_number_=table.file_row_number + 1)
    places = {"filename": list(map(str, paths)), "_source_file_": labels, "_first_row_": firsts}
    kinds = {"filename": "string", "_source_file_": "string", "_first_row_": "int64"}
    joined = table.join(ibis.memtable(places, schema=kinds), "filename")
    return joined.mutate(_row_number_=joined.file_row_number + joined._first_row_)


def _scan(paths: list[Path], labels: list[str]) -> ir.Table:
    with readable(labels[0]):
        return local_engine().read_parquet(
            [glob.escape(str(path)) for path in paths],
            hive_partitioning=any("=" in part for label in labels for part in Path(label).parts[:-1]),
            hive_types_autocast=False,
            filename=True,
            file_row_number=True,
            binary_as_string=True,
            union_by_name=len(paths) > 1,
        )


def open_parquet(paths: list[Path], labels: list[str], zone: str = "") -> ParquetTable:
    """One table of all files; folders called ``month=2024-01`` become columns of text.

    Raises
    ------
    DataError
        A file is damaged, or has other columns than the first.
    """
    schema, counts = _schemas(paths, labels)
    firsts = [1 + sum(counts[:i]) for i in range(len(counts))]
    table = _scan(paths, labels)
    columns = [column for column in table.columns if column not in ("filename", "file_row_number")]
    names = [*schema.names, *columns[len(schema.names) :]]
    table = _numbered(table, paths, labels, firsts)
    kinds = [*schema.types, *[None] * (len(columns) - len(schema.names))]
    shown = {f"c{i}": _plain(table[c], kind, zone) for i, (c, kind) in enumerate(zip(columns, kinds, strict=True))}
    shown["row_number"] = table._row_number_
    if len(paths) == 1:
        return ParquetTable(table.select(**shown), names, ())
    files = tuple(zip(labels, firsts, strict=True))
    return ParquetTable(table.select(**shown, source_file=table._source_file_), names, files)
