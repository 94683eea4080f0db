"""The embedded engine: DuckDB in this process, with a bound on its memory; the rest goes to a temporary folder."""

from __future__ import annotations

import ctypes
import os
import re
import tempfile
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from custvalue.errors import UsageError

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend

__all__ = ["DEFAULT_MEMORY", "MEMORY_KEY", "SHARED_MEMORY", "local_engine"]

#: The environment variable that gives the engine more (or less) memory, such as ``8GB``.
MEMORY_KEY = "CUSTVALUE_MEMORY"
#: The most memory the engine takes by default; tables in pandas come on top of it.
DEFAULT_MEMORY = "2GB"
#: The same where several processes work on the same orders at a time, as the notebooks of a report do.
SHARED_MEMORY = "512MB"


@cache
def _frugal() -> type[Backend]:
    """The class of a DuckDB that gives memory back to the system after each query."""
    from ibis.backends.duckdb import Backend

    class Frugal(Backend):
        def execute(self, expr: Any, /, **options: Any) -> Any:
            result = super().execute(expr, **options)
            self._give_back()
            return result

        def to_pyarrow(self, expr: Any, /, **options: Any) -> Any:
            result = super().to_pyarrow(expr, **options)
            self._give_back()
            return result

        def _give_back(self) -> None:
            # Setting the limit, to whatever it is, makes the engine's allocator return what it keeps: up to 0.6 GB.
            self.con.execute(f"set memory_limit = '{self._con_kwargs['memory_limit']}'")
            with suppress(OSError, AttributeError):  # the C library's own, where it is that of GNU
                ctypes.CDLL(None).malloc_trim(0)

    return Frugal


def local_engine(at_most: str = DEFAULT_MEMORY) -> Backend:
    """A new DuckDB in memory that takes at most ``CUSTVALUE_MEMORY`` (else ``at_most``) and spills beyond it.

    Spilled data go to the folder for temporary files (``TMPDIR``), and are removed with the connection.

    >>> local_engine().raw_sql("select current_setting('memory_limit')").fetchone()[0]
    '1.8 GiB'

    Raises
    ------
    UsageError
        The variable is no size.
    """
    limit = os.environ.get(MEMORY_KEY, "") or at_most
    if not re.fullmatch(r"[1-9]\d*(\.\d+)?\s*([MGT]i?B)", limit, flags=re.IGNORECASE):
        raise UsageError("bad_choice", key=MEMORY_KEY, got=limit, allowed="512MB, 2GB, 8GB, ...")
    spill = os.path.join(tempfile.gettempdir(), "custvalue-spill")
    engine = _frugal()().connect(memory_limit=limit, temp_directory=spill)
    # In a notebook a query of more than two seconds would show a bar, and leave its name on the page.
    engine.con.execute("set enable_progress_bar = false")
    return engine
