"""What the notebooks of one run share: the cleaned orders and what is computed from them, made once.

The runner makes a private folder and names it in the environment variable ``CUSTVALUE_PREPARED`` of its kernels.
Without the variable nothing is shared and everything is computed where it is asked for, with the same result.

A result is found by a hash of all it depends on: the files' paths, sizes and times, and every setting. What was made
from other data or with other settings has another hash, so it can not be taken by mistake. The rows of the orders lie
there as Parquet; everything else is pickled. That is safe here: only this package writes into the folder, nothing of
a data file gets there but as the content of a table, and a folder that others may write to is not read.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import stat
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from custvalue.databases import is_url
from custvalue.engine import SHARED_MEMORY, local_engine
from custvalue.transactions import Orders

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

__all__ = [
    "VARIABLE",
    "digest",
    "files_state",
    "is_shared",
    "key_of",
    "shared",
    "shared_by",
    "shared_orders",
    "sharing",
]

#: The environment variable that names the folder of shared results.
VARIABLE = "CUSTVALUE_PREPARED"

T = TypeVar("T")
_chosen: ContextVar[str] = ContextVar("custvalue_prepared", default="")
#: The orders that were shared, by their key; an object that is not in here shares nothing.
_known: weakref.WeakValueDictionary[str, Orders] = weakref.WeakValueDictionary()


@contextmanager
def sharing(folder: str | Path) -> Iterator[None]:
    """Share results in a folder within this block, whatever the environment says."""
    token = _chosen.set(str(folder))
    try:
        yield
    finally:
        _chosen.reset(token)


def _is_private(folder: Path) -> bool:
    """Whether nobody else may write into a folder; on Windows the user's own folders are."""
    try:
        found = folder.stat()
    except OSError:
        return False
    if os.name == "nt":
        return stat.S_ISDIR(found.st_mode)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022


def _folder() -> Path | None:
    named = _chosen.get() or os.environ.get(VARIABLE, "")
    return Path(named) if named and _is_private(Path(named)) else None


def _hash(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _state(path: Path) -> tuple[str, int, int]:
    found = path.stat()
    return str(path), found.st_size, found.st_mtime_ns


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    if path.exists():
        return [path]
    return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))


def files_state(data: Any) -> tuple[Any, ...] | None:
    """What tells one state of the files of ``data`` from another: path, size and time of change of each.

    A database is told by its URL: the notebooks of one run see it as the first of them did. None for tables in memory,
    which can not be told.

    >>> files_state(None) is None
    True
    """
    if not isinstance(data, str | os.PathLike):
        return None
    if is_url(data):
        return (str(data),)
    path = Path(os.path.abspath(data))
    with suppress(OSError, ValueError):
        return (str(path), *map(_state, _files(path)))
    return None


def _dump(value: Any, path: Path) -> None:
    with path.open("wb") as file:
        pickle.dump(value, file, protocol=5)


def _load(path: Path) -> Any:
    with path.open("rb") as file:
        return pickle.load(file)


def _keep(value: Any, path: Path, save: Callable[[Any, Path], None]) -> None:
    """Put a result in its place in one step; a disk that is full costs time, not the result."""
    aside = path.with_name(f".{path.name}-{os.getpid()}")
    with suppress(OSError):
        save(value, aside)
        aside.rename(path)


def shared(
    kind: str,
    depends_on: tuple[Any, ...],
    make: Callable[[], T],
    *,
    save: Callable[[T, Path], None] = _dump,
    load: Callable[[Path], T] = _load,
    reload: bool = False,
) -> T:
    """A result of this run: taken if somebody made it, made and kept if nobody did; waited for while somebody does.

    ``depends_on`` is everything the result depends on; its ``repr`` must tell two values apart. With ``reload`` who
    made it also takes what was kept: memory is then held by nobody.
    """
    folder = _folder()
    if folder is None:
        return make()
    path = folder / f"{kind}-{_hash(*depends_on)[:32]}"
    if path.exists():
        return load(path)
    from filelock import FileLock

    with FileLock(f"{path}.lock"):
        if path.exists():
            return load(path)
        value = make()
        _keep(value, path, save)
        return load(path) if reload and path.exists() else value


def _save_orders(orders: Orders, path: Path) -> None:
    """The accepted rows and the quarantine as Parquet, everything else beside them."""
    path.mkdir()
    orders.table.to_parquet(path / "table.parquet")
    orders.quarantine.to_parquet(path / "quarantine.parquet")
    rest = {item.name: getattr(orders, item.name) for item in fields(orders) if item.name not in _TABLES}
    _dump(rest | {"facts": dict(orders.facts)}, path / "rest")


_TABLES = ("table", "quarantine")


def _load_orders(path: Path) -> Orders:
    engine = local_engine(SHARED_MEMORY)
    tables = {name: engine.read_parquet(path / f"{name}.parquet", table_name=name) for name in _TABLES}
    tables["quarantine"] = _in_row_order(tables["quarantine"])
    return Orders(**tables, **_load(path / "rest"))


def _in_row_order(table: ir.Table) -> ir.Table:
    return table.order_by("row_number")


def _is_local(orders: Orders) -> bool:
    """Whether the rows are in the engine of this process; those of a database stay where they are."""
    return getattr(orders.table.get_backend(), "name", "") == "duckdb"


def _save_local(orders: Orders, path: Path) -> None:
    if not _is_local(orders):
        raise OSError("rows of a database are not copied")
    _save_orders(orders, path)


def shared_orders(data: Any, settings: Any, how: Mapping[str, Any], make: Callable[[], Orders]) -> Orders:
    """Cleaned orders, read once for the notebooks of a run; ``how`` is whatever else steers the reading.

    Where they were put into the folder the rows are those that lie there, not in memory.
    """
    state = files_state(data) if _folder() is not None else None
    if state is None:
        return make()
    key = _hash(state, settings, dict(how))
    orders = shared("orders", (key,), make, save=_save_local, load=_load_orders, reload=True)
    _known[key] = orders
    return orders


def key_of(orders: Any) -> str:
    """The key of orders that were shared; empty for all others, also for changed copies of shared ones."""
    return next((key for key, known in list(_known.items()) if known is orders), "")


def shared_by(orders: Any, kind: str, depends_on: tuple[Any, ...], make: Callable[[], T]) -> T:
    """A result made from orders: shared if these orders were, see :func:`shared`."""
    key = key_of(orders)
    return shared(kind, (key, *depends_on), make) if key else make()


def is_shared(orders: Any, kind: str, depends_on: tuple[Any, ...], table: pd.DataFrame) -> bool:
    """Whether a table holds exactly what was shared under this name: nobody changed it since."""
    folder, key = _folder(), key_of(orders)
    if folder is None or not key:
        return False
    path = folder / f"{kind}-{_hash(key, *depends_on)[:32]}"
    return path.exists() and _load(path).equals(table)


def digest(table: pd.DataFrame) -> str:
    """A hash of the content of a small table.

    >>> import pandas as pd
    >>> digest(pd.DataFrame({"a": [1]})) == digest(pd.DataFrame({"a": [1]})) != digest(pd.DataFrame({"a": [2]}))
    True
    """
    from pandas.util import hash_pandas_object

    return _hash(list(table.columns), hash_pandas_object(table).tolist())
