"""What a table looks like before its columns have a meaning: plain types, and layouts that are no order table."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from custvalue.errors import CustvalueError, DataError
from custvalue.textfiles import find_delimiter

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["arrow_of_frame", "check_layout", "no_rows", "plain_types"]

_LOOKED_AT = 50


def _text_of(value: Any) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _texts(series: pd.Series) -> pa.Array:
    import pyarrow as pa

    missing = series.isna().to_numpy()
    values = [None if gone else _text_of(value) for value, gone in zip(series, missing, strict=True)]
    return pa.array(values, pa.string())


def _array(series: pd.Series) -> pa.Array:
    """One column for the engine; mixed values and kinds it does not know become text."""
    import pyarrow as pa

    if series.dtype == object:
        return _texts(series)
    try:
        array = pa.Array.from_pandas(series)
    except (pa.ArrowException, TypeError, ValueError):
        return _texts(series)
    return _texts(series) if isinstance(array.type, pa.BaseExtensionType) else array


def _streamed(data: Any) -> pa.Table:
    """A table of another library by its Arrow stream; a lazy frame is collected first."""
    import pandas as pd
    import pyarrow as pa

    data = data.collect() if type(data).__name__ == "LazyFrame" else data
    if not hasattr(data, "__arrow_c_stream__") or isinstance(data, (pd.Series, pd.Index)):
        raise DataError("unknown_data", got=type(data).__name__)
    try:
        return pa.RecordBatchReader.from_stream(data).read_all()
    except (pa.ArrowException, TypeError, ValueError):
        raise DataError("unknown_data", got=type(data).__name__) from None


def arrow_of_frame(data: Any) -> pa.Table:
    """A pandas, Polars or Arrow table (anything with an Arrow stream) as an Arrow table; an index is left out.

    Raises
    ------
    DataError
        It is no table.
    """
    import pandas as pd
    import pyarrow as pa

    if not isinstance(data, pd.DataFrame):
        return _streamed(data)
    arrays = [_array(data.iloc[:, place]) for place in range(data.shape[1])]
    return pa.Table.from_arrays(arrays, ["" if name is None else str(name) for name in data.columns])


def _plain(column: pa.ChunkedArray, zone: str) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_timestamp(kind) and kind.tz:
        return pc.local_timestamp(column.cast(pa.timestamp(kind.unit, zone)) if zone else column)
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type), zone)
    if pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if pa.types.is_float16(kind):
        return column.cast(pa.float64())
    if pa.types.is_null(kind) or pa.types.is_decimal256(kind):
        return column.cast(pa.string())
    return column


def plain_types(table: pa.Table, zone: str = "") -> pa.Table:
    """The table in types that every engine knows; a time with a zone becomes the time on the clocks there.

    With a ``zone`` it is the time on the clocks of that zone.
    """
    import pyarrow as pa

    return pa.Table.from_arrays([_plain(column, zone) for column in table.columns], table.column_names)


def _fields(line: str) -> list[str]:
    return next(csv.reader([line[:10_000]], delimiter=find_delimiter([line[:10_000]])), [])


def _first_rows(table: pa.Table, ragged: list[tuple[int, str]]) -> list[tuple[int, list[str]]]:
    """The first rows in the order of the file, with their number, as texts."""
    rows = zip(*(map(str, column.slice(0, _LOOKED_AT).to_pylist()) for column in table.columns), strict=True)
    known = {number for number, _ in ragged}
    free = (number for number in range(1, table.num_rows + len(ragged) + 1) if number not in known)
    placed = [(number, list(row)) for number, row in zip(free, rows, strict=False)]
    return sorted(placed + [(number, _fields(text)) for number, text in ragged[:_LOOKED_AT]])


def check_layout(
    table: pa.Table, ragged: list[tuple[int, str]], name: str, is_header: Callable[[list[str]], bool]
) -> None:
    """Refuse a table whose column names stand below other lines, or in the first column.

    Raises
    ------
    DataError
        It says where the names were found.
    """
    names = [str(word) for word in table.column_names]
    if is_header(names):
        return
    seen = ", ".join(names)[:100]
    rows = _first_rows(table, ragged)
    for _, words in rows:
        if is_header(words):
            raise DataError("header_below", file=name, got=seen, header=", ".join(words)[:200])
    first = [*names[:1], *(words[0] for _, words in rows if words)]
    if is_header(first):
        raise DataError("transposed", file=name, got=", ".join(first)[:200])


def no_rows(name: str, width: int, ragged: list[tuple[int, str]]) -> CustvalueError:
    """The error of a table without a row, which may be due to a header that fits no line."""
    if not ragged:
        return DataError("no_rows", got=name)
    return DataError("all_ragged", file=name, n=len(ragged), width=width, got=ragged[0][1][:80])
