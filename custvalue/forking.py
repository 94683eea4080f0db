"""The near end of the nursery: a process that imports while others go on, and then forks one kernel after another."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from custvalue.nursery import is_possible

__all__ = ["Nursery", "kernel_environment", "nursery"]


#: Libraries that begin threads when they are imported are told not to: a fork takes none along.
_ONE_THREAD = {
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


def kernel_environment() -> dict[str, str]:
    """Inline charts, one computing thread a kernel (there is one kernel a core) and a fixed order of sets."""
    fixed = {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "PYTHONHASHSEED": "0"}
    defaults = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**defaults, **os.environ, **fixed}


class _Forked:
    """A process that somebody else started, with what a provisioner asks of :class:`subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._file = os.pidfd_open(pid)
        self._over = False

    def poll(self) -> int | None:
        """None while it runs, then 0: how it ended can not be known."""
        if not self._over and select.select([self._file], [], [], 0)[0]:
            self._over = True
            os.close(self._file)
        return 0 if self._over else None

    def wait(self, timeout: float | None = None) -> int:
        if not self._over and not select.select([self._file], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("kernel", timeout or 0)
        return self.poll() or 0

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._file, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class Nursery:
    """The process that forks kernels, see :mod:`custvalue.nursery`; it imports while others go on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "custvalue.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=kernel_environment() | _ONE_THREAD,
            start_new_session=True,
        )

    def fork(self, argv: list[str], environment: Mapping[str, str], folder: str) -> _Forked | None:
        """A new kernel; None where there can be none, and one must be started as usual."""
        asked = json.dumps({"argv": argv, "env": dict(environment), "folder": folder})
        try:
            with self._lock:
                self._process.stdin.write(asked + "\n")
                self._process.stdin.flush()
                answer = self._process.stdout.readline()
            return _Forked(int(answer)) if int(answer or 0) else None
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        """End the process and every kernel that still runs."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                pipe.close()


@contextmanager
def nursery() -> Iterator[Nursery | None]:
    """A nursery for the length of this block; None where there can be none."""
    if not is_possible():
        yield None
        return
    warm = Nursery()
    try:
        yield warm
    finally:
        warm.close()
