"""Workbooks (xlsx, xlsm, xls, xlsb, ods): every sheet of one shape, each cell in the type it has there."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custvalue.encodings import opened
from custvalue.errors import DataError, UsageError
from custvalue.textfiles import Chunk, RawFile, Rules

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["open_workbook"]

#: From here on a number of a workbook is no longer exact, so that an id written as a number is lost.
_INEXACT = 10**15
_ALL = "*"


def _text(value: Any) -> str | None:
    """A cell as text: whole numbers without a point, days as 2024-01-31."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < _INEXACT:
        return str(int(value))
    return value.isoformat(" ") if isinstance(value, dt.datetime) else str(value)


def _column(values: list[Any]) -> pa.Array:
    """One column: times where all cells are days or times, numbers where all are numbers, else text."""
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    if kinds and kinds <= {dt.date, dt.datetime}:
        times = [value if value is None else dt.datetime(*value.timetuple()[:6]) for value in values]
        return pa.array(times, pa.timestamp("us"))
    if kinds and kinds <= {int, float} and all(abs(value) < _INEXACT for value in values if value is not None):
        whole = all(value is None or float(value).is_integer() for value in values)
        return pa.array([value if value is None or not whole else int(value) for value in values])
    return pa.array([_text(value) for value in values], pa.string())


def _sheet(name: str, rows: list[list[Any]], rules: Rules) -> RawFile | None:
    """A sheet whose first row that is not empty holds the names; None for an empty sheet."""
    import numpy as np
    import pyarrow as pa

    rows = [[None if value == "" else value for value in row] for row in rows]
    filled = [(place, row) for place, row in enumerate(rows) if any(value is not None for value in row)]
    if not filled:
        return None
    above = -1 if rules.header else filled.pop(0)[0]
    names = list(rules.header) or [_text(value) or "" for value in rows[above]]
    if len(names) != len(rows[0]):
        raise DataError("header_of_other_width", got=name, given=len(names), found=len(rows[0]))
    columns = [_column([row[i] for _, row in filled]) for i in range(len(names))]
    numbers = np.array([place - above for place, _ in filled], dtype="int64")
    return RawFile(names, "", iter([Chunk(pa.Table.from_arrays(columns, names), numbers)]))


def _all_sheets(path: Path) -> dict[str, list[list[Any]]]:
    """The cells of every sheet; a damaged workbook is refused, however its reader fails."""
    import python_calamine

    try:
        with opened(path) as stream:
            book = python_calamine.load_workbook(io.BytesIO(stream.read()))
        return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a panic of the reader is no Exception
        why = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError("unreadable_file", got=path.name, why=why[0][:200]) from error


def _same_names(sheets: Iterable[tuple[str, RawFile]], first: RawFile, path: Path, strict: bool) -> list:
    kept = []
    for name, sheet in sheets:
        if sorted(sheet.names) == sorted(first.names):
            kept.append((f"{path.name}[{name}]", sheet))
        elif strict:
            raise DataError(
                "other_columns", file=f"{path.name}[{name}]", got=", ".join(sheet.names), allowed=", ".join(first.names)
            )
    return kept


def open_workbook(path: Path, rules: Rules) -> list[tuple[str, RawFile]]:
    """The sheets of a workbook that are read, each with its name for messages.

    The sheet of the rules; without one the first sheet that is not empty, and every other one with the same column
    names; ``*`` asks for all sheets and refuses one with other names.

    Raises
    ------
    UsageError
        There is no such sheet.
    DataError
        The workbook is damaged or encrypted, or a sheet has other columns.
    """
    cells = _all_sheets(path)
    if rules.sheet not in ("", _ALL, *cells):
        raise UsageError("no_such_sheet", got=rules.sheet, file=path.name, allowed=", ".join(cells))
    wanted = cells if rules.sheet in ("", _ALL) else {rules.sheet: cells[rules.sheet]}
    found = [(name, _sheet(name, rows, rules)) for name, rows in wanted.items()]
    sheets = [(name, sheet) for name, sheet in found if sheet is not None]
    if not sheets:
        raise DataError("no_rows", got=path.name)
    kept = _same_names(sheets, sheets[0][1], path, rules.sheet == _ALL)
    return kept if len(kept) > 1 else [(path.name, kept[0][1])]
