"""Which files are meant by a path: one file, a data folder, a folder or pattern of parts; and how each is opened."""

from __future__ import annotations

import glob
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from custvalue.encodings import packed_name
from custvalue.errors import DataError
from custvalue.jsonfiles import open_json
from custvalue.textfiles import RawFile, Rules, open_text_file
from custvalue.workbooks import open_workbook

__all__ = ["ALLOWED", "BESIDE", "find_file", "kind_of", "open_file", "order_files", "readable", "still_readable"]

#: What is named in messages as readable.
ALLOWED = "csv, tsv, txt, json, jsonl, xlsx, xls, ods, parquet, sqlite, duckdb; gz, bz2, xz, zip"
#: Files of a data folder that are no orders.
BESIDE = ("customers", "labels", "events", "campaigns")

_KINDS = {
    "text": {".csv", ".tsv", ".txt", ".dat", ".tab"},
    "excel": {".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"},
    "json": {".json", ".jsonl", ".ndjson"},
    "parquet": {".parquet", ".pq"},
    "database": {".sqlite", ".sqlite3", ".db", ".duckdb"},
}
_PACKED = {".gz", ".bz2", ".xz", ".zip"}
#: Folders of table formats whose files are not all part of the table today.
_MANAGED = {"_delta_log": "Delta", ".hoodie": "Hudi", "metadata": "Iceberg"}


def _ending(name: str) -> str:
    return Path(name.lower()).suffix


def kind_of(path: Path) -> str:
    """``text``, ``excel``, ``json``, ``parquet`` or ``database`` by the ending; empty for anything else.

    >>> kind_of(Path("orders.CSV.gz")), kind_of(Path("picture.png"))
    ('text', '')
    """
    name, ending = path.name, _ending(path.name)
    if ending == ".zip" and path.is_file() and not _ending(path.stem):
        name = packed_name(path)
    elif ending in _PACKED:
        name = path.stem
    kinds = (kind for kind, endings in _KINDS.items() if _ending(name) in endings)
    kind = next(kinds, "")
    return "" if ending in _PACKED and kind in ("parquet", "database") else kind


def _is_table(path: Path, stem: str) -> bool:
    name = path.name.lower()
    name = Path(name).stem if _ending(name) in _PACKED else name
    return path.is_file() and Path(name).stem == stem and any(_ending(name) in endings for endings in _KINDS.values())


def find_file(folder: Path, stem: str) -> Path | None:
    """The file ``stem.*`` of a data folder that can be read, or None.

    Raises
    ------
    DataError
        There are several, and nothing tells which one counts.
    """
    hits = [path for path in folder.iterdir() if _is_table(path, stem)]
    if len(hits) > 1:
        raise DataError("several_files", folder=str(folder), got=", ".join(sorted(path.name for path in hits)))
    return hits[0] if hits else None


def _parts(folder: Path) -> list[Path]:
    """The files of a folder that are parts of one table; hidden files and the tables beside the orders are none."""
    for inner, name in _MANAGED.items():
        if (folder / inner).is_dir():
            raise DataError("managed_table", got=folder.name, kind=name)
    found = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        hidden = any(part.startswith((".", "_")) for part in inside)
        if path.is_file() and not hidden and not any(_is_table(path, stem) for stem in BESIDE) and kind_of(path):
            found.append(path)
    return found


def _in_folder(folder: Path) -> list[Path]:
    file = find_file(folder, "orders")
    if file is not None:
        return [file]
    inner = [path for path in folder.iterdir() if path.is_dir() and path.name.lower().split(".")[0] == "orders"]
    found = _parts(inner[0] if len(inner) == 1 else folder)
    if not found:
        raise DataError("no_orders_in_folder", got=str(folder.resolve()))
    return found


def order_files(data: str) -> list[Path]:
    """The files behind a path or a pattern such as ``exports/2024-*.csv``, in the order of their names.

    Of a folder it is ``orders.*``; where there is none, the folder ``orders`` in it, or all its files are taken as
    parts of one table.

    Raises
    ------
    DataError
        Nothing is there, several files could be meant, or their formats differ.
    """
    path = Path(data)
    try:
        there = path.exists()
        path.stat() if there else None
        found = [] if there else sorted(map(Path, glob.glob(data, recursive=True)))
        folder = path.is_dir()
    except (OSError, ValueError):
        raise DataError("no_such_data", got=data[:300]) from None
    found = (_in_folder(path) if folder else [path]) if there else [file for file in found if file.is_file()]
    if not found:
        raise DataError("no_such_data", got=data[:300])
    kinds = {kind_of(file): file.name for file in found}
    if "" in kinds:
        raise DataError("unknown_format", got=kinds[""], allowed=ALLOWED)
    if len(kinds) > 1 and kinds.keys() & {"parquet", "database"}:
        raise DataError("mixed_formats", got=", ".join(sorted(kinds.values())))
    return found


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn what libraries raise on a damaged file into a sentence that names it."""
    import lzma
    import zipfile

    import duckdb
    import pyarrow as pa

    try:
        yield
    except (
        OSError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        pa.ArrowException,
        duckdb.Error,
    ) as error:
        why = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError("unreadable_file", got=name, why=why[0][:300]) from error


@contextmanager
def still_readable(name: str) -> Iterator[None]:
    """The same for rows that are read late, by the engine: only what a damaged file or a lost connection raises."""
    import duckdb

    late = (duckdb.IOException, duckdb.InvalidInputException, duckdb.SerializationException, duckdb.FatalException)
    try:
        yield
    except late as error:
        raise DataError("unreadable_file", got=name, why=str(error).strip().splitlines()[0][:300]) from error


def _is_plain_text(path: Path) -> bool:
    """Whether a workbook by its name is delimited text in truth, as many shop systems export it."""
    with path.open("rb") as stream:
        head = stream.read(4096)
    workbook = head[:2] in (b"PK", b"\xd0\xcf") or b"<" in head[:200]
    return path.suffix.lower() == ".xls" and not workbook and b"\0" not in head


def open_file(path: Path, rules: Rules) -> list[tuple[str, RawFile]]:
    """The tables of a text file, a workbook or a JSON file, each with its name for messages.

    Raises
    ------
    DataError
        The format is unknown or the file can not be read.
    """
    kind = kind_of(path)
    with readable(path.name):
        if kind == "text" or (kind == "excel" and _is_plain_text(path)):
            return [(path.name, open_text_file(path, rules))]
        if kind == "excel":
            return open_workbook(path, rules)
        if kind == "json":
            return [(path.name, open_json(path, rules))]
    raise DataError("unknown_format", got=path.name, allowed=ALLOWED)
