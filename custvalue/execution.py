"""Run notebooks in parallel, each in a kernel of its own that can be stopped from outside.

The workers are threads, which only wait for their kernels; none changes the working folder of the process.
"""

from __future__ import annotations

import logging
import os
import re
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from papermill import PapermillExecutionError, execute_notebook, inspect_notebook

from custvalue.errors import AnalysisError, UsageError, nearest
from custvalue.forking import Nursery
from custvalue.kernels import kernel_class

__all__ = ["check_parameters", "execute"]

_START_SECONDS = 180
_SAID = 300
_TEMPORARY_CODE = re.compile(r"\S*ipykernel_\d+[/\\]\d+\.py")


class _Run:
    """One notebook on its way: its files, its kernel, and whether it was stopped from outside."""

    def __init__(self, source: Path, staging: Path, variables: Mapping[str, str], warm: Nursery | None) -> None:
        self.source = source
        self.variables = variables
        self.warm = warm
        self.output = staging / "notebooks" / source.name
        self.home = staging / ".kernels" / source.stem
        self.kernel: Any = None
        self.stopped = False
        self.timed_out = False

    def started(self, kernel: Any) -> None:
        """Told by the kernel manager; a run that was stopped in the meantime is stopped now."""
        self.kernel = kernel
        if self.stopped:
            self.stop()

    def stop(self) -> None:
        """End the kernel now; the waiting thread then sees that it is dead."""
        self.stopped = True
        process = getattr(getattr(self.kernel, "provisioner", None), "process", None)
        if process is not None:
            process.kill()

    def time_out(self) -> None:
        self.timed_out = True
        self.stop()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what papermill and nbclient log off the screen: a failure is told once, by our own error."""
    logger = logging.getLogger("papermill")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _literal(path: Path) -> str:
    """A path papermill leaves as it is (it formats ``{names}`` in paths)."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _papermill(run: _Run, parameters: Mapping[str, str], folder: Path) -> None:
    execute_notebook(
        _literal(run.source),
        _literal(run.output),
        dict(parameters),
        kernel_name="python3",
        progress_bar=False,
        start_timeout=_START_SECONDS,
        resources={"metadata": {"path": str(folder)}},  # the kernel's working folder, not the process's
        kernel_manager_class=kernel_class(run.home, run.variables, run.warm, run.started),
        shutdown_kernel="immediate",
    )


def _current_cell(path: Path) -> str | None:
    """The source of the last code cell that began before a notebook ended; None when none had begun.

    None too where the notebook can not be read: a full disk leaves half of one.
    """
    try:
        cells = nbformat.read(path, as_version=4).cells
    except (OSError, ValueError):
        return None
    begun = [c.source for c in cells if c.cell_type == "code" and c.metadata.get("papermill", {}).get("start_time")]
    return begun[-1] if begun else None


def _first_line(source: str | None) -> str:
    return next((line.strip() for line in (source or "").splitlines() if line.strip()), "–")


def _last_line(text: str) -> str:
    """The last line with words, shortened and without the full stop, since it is put inside a sentence."""
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
    return textwrap.shorten(last, _SAID, placeholder=" …").rstrip(".。")


def _start(run: _Run, parameters: Mapping[str, str], folder: Path) -> None:
    """Run a notebook; a kernel that dies before the first cell (two took one port) is started once more."""
    try:
        _papermill(run, parameters, folder)
    except (RuntimeError, OSError):
        if run.stopped or _current_cell(run.output) is not None:
            raise
        _papermill(run, parameters, folder)


def _run_one(run: _Run, parameters: Mapping[str, str], folder: Path, seconds: float) -> float:
    """Run one notebook within its time limit, tidy the result; returns the seconds it took."""
    run.home.mkdir(parents=True, exist_ok=True)
    timer = threading.Timer(seconds, run.time_out)
    timer.daemon = True
    timer.start()
    try:
        _start(run, parameters, folder)
    except Exception as error:
        raise _failure(run, error, seconds) from error
    finally:
        timer.cancel()
    return _tidy(run.output)


def _failure(run: _Run, error: Exception, seconds: float) -> AnalysisError:
    """The error that names notebook, cell and cause; its ``file`` is the partly run notebook."""
    named = {"notebook": run.source.stem, "file": str(run.output)}
    if isinstance(error, PapermillExecutionError):
        said = f"{error.ename}: {_last_line(error.evalue)}".rstrip(": ")
        return AnalysisError("notebook_failed", **named, cell=_first_line(error.source), said=said)
    cell, said = _current_cell(run.output), _last_line(str(error)) or type(error).__name__
    if run.timed_out:
        return AnalysisError("notebook_too_slow", **named, cell=_first_line(cell), seconds=f"{seconds:,.0f}")
    if cell is None:
        return AnalysisError("notebook_not_started", **named, said=said)
    return AnalysisError("notebook_stopped", **named, cell=_first_line(cell), said=said)


def _tidy(path: Path) -> float:
    """Take times and temporary names out of an executed notebook: the same input gives the same bytes."""
    notebook = nbformat.read(path, as_version=4)
    seconds = notebook.metadata.pop("papermill", {}).get("duration") or 0.0
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = "injected-parameters"
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                output.text = _TEMPORARY_CODE.sub("cell", output.text)
    nbformat.write(notebook, path)
    return round(float(seconds), 2)


def check_parameters(notebooks: Sequence[Path], names: Sequence[str]) -> dict[str, list[str]]:
    """Make sure that every notebook knows every parameter; papermill itself would only log a warning.

    Returns the parameters each notebook has. ``UsageError`` names the notebook, the parameter and the most similar one
    the notebook has.
    """
    return {path.stem: _known_parameters(path, names) for path in notebooks}


def _known_parameters(path: Path, names: Sequence[str]) -> list[str]:
    try:
        with _quiet():
            known = list(inspect_notebook(_literal(path)))
    except Exception as error:
        raise UsageError("notebook_unreadable", file=str(path), said=_last_line(str(error))) from error
    if not known:
        raise UsageError("no_parameters_cell", notebook=path.stem, allowed=", ".join(names))
    for name in names:
        if name not in known:
            like = nearest(name, known)
            raise UsageError("unknown_parameter", notebook=path.stem, got=name, nearest=like)
    return known


def _n_cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def execute(
    notebooks: Sequence[Path],
    parameters: Callable[[Path], Mapping[str, str]],
    staging: Path,
    *,
    seconds: float = 1800,
    done: Callable[[str, float], None] = lambda name, seconds: None,
    variables: Mapping[str, str] | None = None,
    warm: Nursery | None = None,
) -> dict[str, float]:
    """Run notebooks, each with its ``parameters``, as many at a time as there are cores.

    The executed notebooks are written to ``staging/notebooks``; their working folder is ``staging``. Returns the
    seconds each took, by name. The largest file is started first, as the one that probably takes longest. The
    first failure (``AnalysisError``) or an interrupt stops the others at once. ``done`` is called with the name
    of each finished notebook and its seconds. ``variables`` are environment variables of the kernels,
    written nowhere. A ``warm`` nursery forks the kernels.
    """
    (staging / "notebooks").mkdir(exist_ok=True)
    runs = [_Run(path, staging, variables or {}, warm) for path in notebooks]
    runs.sort(key=lambda run: (-run.source.stat().st_size, run.source.stem))
    pool = ThreadPoolExecutor(max_workers=max(1, min(len(runs), _n_cores())))
    seconds_of: dict[str, float] = {}
    with _quiet():
        waiting = {pool.submit(_run_one, run, parameters(run.source), staging, seconds): run for run in runs}
        try:
            for future in as_completed(waiting):
                name = waiting[future].source.stem
                seconds_of[name] = future.result()
                done(name, seconds_of[name])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for run in runs:
                run.stop()
            pool.shutdown(wait=True)
    return dict(sorted(seconds_of.items()))
