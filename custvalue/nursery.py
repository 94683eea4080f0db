"""A process that imports once what notebooks need and forks a kernel from itself on request.

``python -m custvalue.nursery`` reads one request a line, ``{"argv": [...], "env": {...}, "folder": "..."}``, and
answers with the process number of the kernel, or 0 where it can not fork safely. It ends with its standard input; the
kernels end with it. What makes a fork unsafe (threads, connections, event loops) is not begun before the fork: the
imports start none, and the process counts its threads before each one. For Linux; elsewhere kernels are started as
usual.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import signal
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

__all__ = ["is_possible", "serve"]

_PR_SET_PDEATHSIG = 1
#: What the notebooks import, and what that imports on first use.
_LIBRARIES = (
    "pandas",
    "pyarrow.parquet",
    "scipy.optimize",
    "scipy.special",
    "scipy.stats",
    "sklearn.cluster",
    "sklearn.preprocessing",
    "matplotlib.pyplot",
    "seaborn",
    "duckdb",
    "ibis.backends.duckdb",
    "filelock",
    "IPython.core.completer",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "custvalue.hindsight",
    "custvalue.confidence",
    "custvalue.review",
    "custvalue.tables",
    "custvalue.plots",
)


def is_possible() -> bool:
    """Whether kernels can be forked here: on Linux, where one can tell that a process of somebody else has ended."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open")


def _import_all() -> None:
    for name in _LIBRARIES:
        with contextlib.suppress(Exception):  # what can not be imported is missed where it is used
            import_module(name)


def _n_threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _end_with(parent: int) -> None:
    """Have the system end this process when its parent has ended."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _forget_inline_charts() -> None:
    """Have charts of a notebook set up in the kernel: the module does it when it is imported, and needs the kernel."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib_inline"]:
        del sys.modules[name]


def _become_kernel(asked: Mapping[str, Any], parent: int) -> None:
    """Turn this forked process into an IPython kernel."""
    os.setsid()
    _end_with(parent)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.environ.clear()
    os.environ.update(asked["env"] | {"JPY_PARENT_PID": str(parent)})
    os.chdir(asked["folder"])
    sys.argv = list(asked["argv"])
    _forget_inline_charts()
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance()


def _fork(asked: Mapping[str, Any]) -> int:
    """The process number of a new kernel; 0 where a thread is running, which would not survive the fork."""
    if _n_threads() != 1:
        return 0
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        _become_kernel(asked, parent)
    finally:
        os._exit(0)


def serve() -> None:
    """Import, then fork a kernel for every request until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the runner decides what an interrupt means
    _end_with(os.getppid())
    _import_all()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # kernels that ended leave nothing behind
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        print(_fork(json.loads(line)), flush=True)


if __name__ == "__main__":
    serve()
