"""How a pack gets into its place: built aside, one run a month, put in place in one step, repaired after a crash.

All that only runs need is in the hidden folder ``.custvalue`` of the output folder: what is being built, locks, and an
older pack while it is being replaced. Locks are the system's: they end with their process, however it ends.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from custvalue.errors import AnalysisError, BusyError, UsageError

if TYPE_CHECKING:
    from filelock import FileLock

__all__ = ["DISK_ERRORS", "keep_failed", "month_lock", "not_writable", "now", "publish", "staging"]

_HIDDEN = ".custvalue"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
#: What a file system says that can not be told to write at once (some network drives).
_NO_FLUSH = {errno.EINVAL, getattr(errno, "ENOTSUP", errno.EINVAL), errno.ENOSYS}
#: What a disk says that takes no more.
DISK_ERRORS = {
    errno.ENOSPC,
    errno.EROFS,
    errno.EFBIG,
    errno.EACCES,
    errno.EPERM,
    getattr(errno, "EDQUOT", errno.ENOSPC),
}


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def not_writable(folder: Path, error: OSError) -> UsageError:
    """The error for an output folder that takes no files."""
    return UsageError("output_not_writable", folder=str(folder), reason=error.strerror or str(error))


def _lock(path: Path) -> FileLock:
    from filelock import FileLock

    return FileLock(path)


def _is_free(lock: FileLock) -> bool:
    """Take a lock if nobody holds it."""
    from filelock import Timeout

    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _clear_dead(hidden: Path) -> None:
    """Remove what runs left that ended before they could tidy up."""
    for path in hidden.glob("staging-*.lock"):
        lock = _lock(path)
        if _is_free(lock):
            _remove(path.with_suffix(""))
            lock.release()
            _remove(path)


def _bring_back(out: Path, hidden: Path) -> None:
    """Put back a pack that was moved aside by a run that ended before the new one was in place."""
    for aside in hidden.glob("old-*"):
        month = aside.name[4:11]
        lock = _lock(hidden / f"{month}.lock")
        if not _is_free(lock):
            continue
        with suppress(OSError):
            if aside.is_dir() and not (out / month).exists():
                aside.rename(out / month)
        _remove(aside)
        lock.release()


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """A folder inside the output folder to build a pack in, so that publishing is a rename; removed whatever happens.

    Begins with the repair of what an interrupted run left.
    """
    hidden = out / _HIDDEN
    folder = hidden / f"staging-{os.getpid()}-{secrets.token_hex(4)}"
    lock = _lock(hidden / f"{folder.name}.lock")
    try:
        hidden.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        _clear_dead(hidden)
        _bring_back(out, hidden)
        (folder / "tables").mkdir(parents=True)
    except OSError as error:
        lock.release()
        raise not_writable(out, error) from error
    try:
        yield folder
    finally:
        _remove(folder)
        lock.release()
        _remove(Path(lock.lock_file))
        _tidy(hidden)


def _tidy(hidden: Path) -> None:
    """Remove the notes of who holds what; the lock files stay, since removing one lets two hold it."""
    with suppress(OSError):
        hidden.rmdir()


def _holder(path: Path) -> dict[str, str]:
    """Who holds a month since when, as that run wrote it."""
    try:
        return {key: str(value) for key, value in json.loads(path.read_text("utf-8")).items()}
    except (OSError, ValueError):
        return {"pid": "?", "host": "?", "since": "?"}


@contextmanager
def month_lock(out: Path, month: str) -> Iterator[None]:
    """Hold a month of an output folder for the length of this block.

    Raises
    ------
    BusyError
        Another run holds it; says which and since when.
    """
    lock = _lock(out / _HIDDEN / f"{month}.lock")
    told = out / _HIDDEN / f"{month}.json"
    if not _is_free(lock):
        raise BusyError("month_is_held", month=month, folder=str(out), **_holder(told))
    try:
        told.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now()}), "utf-8")
        yield
    finally:
        _remove(told)
        lock.release()


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step, as Linux can; False where the system or the disk can not."""
    if sys.platform != "linux":
        return False
    try:
        swap = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    return swap(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0


def _replace(folder: Path, target: Path) -> None:
    """Put a folder in the place of another in two steps; between them a crash is repaired by the next run."""
    aside = folder.with_name(f"old-{target.name}-{secrets.token_hex(4)}")
    target.rename(aside)
    try:
        folder.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    _remove(aside)


def _flush(path: Path) -> None:
    """Have the disk take a file or the names in a folder; Windows gives no such handle for reading."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise
    finally:
        os.close(handle)


def publish(folder: Path, target: Path) -> None:
    """Put a finished pack into its place, where an older one may stand.

    The disk has taken every file before, so that a cut of power leaves the older pack or the whole new one.

    On Linux the two are exchanged in one step, so that there is a pack at every moment. Elsewhere the older one is
    moved aside first; it comes back if the new one can not be put there, or at the next run.
    """
    for path in (*folder.rglob("*"), folder):
        _flush(path)
    if not target.exists():
        folder.rename(target)
    elif not _exchange(folder, target):
        _replace(folder, target)
    _flush(target.parent)


def keep_failed(error: AnalysisError, out: Path, month: str) -> AnalysisError:
    """Save the partly run notebook of a failure; returns the error that names the saved file."""
    partly = Path(error.values.get("file", ""))
    if not partly.is_file():
        return error
    folder = out / f"failed-{month}"
    try:
        folder.mkdir(exist_ok=True)
        kept = Path(shutil.copyfile(partly, folder / partly.name))
    except OSError:
        return error
    return AnalysisError(error.code, **error.values | {"file": str(kept)})
