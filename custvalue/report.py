"""Run every notebook on one data set and publish the results as a pack of pages, tables and a manifest."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custvalue.databases import with_absolute_file, without_passwords
from custvalue.errors import AnalysisError, CustvalueError, UsageError
from custvalue.journal import journal
from custvalue.labels import text
from custvalue.manifest import input_sums, write_manifest
from custvalue.publishing import DISK_ERRORS, keep_failed, month_lock, not_writable, now, publish, staging

if TYPE_CHECKING:
    from logging import Logger

    from custvalue.forking import Nursery
    from custvalue.transactions import Orders

__all__ = ["Pack", "run_report"]

_PATTERN = "[0-9][0-9]_*.ipynb"
_PARAMETERS = ("data", "as_of", "language", "config", "output")
_HISTORY = "history"
_FRAME = "input.parquet"
_PREPARED = ".prepared"


@dataclass(frozen=True)
class Pack:
    """A published report: its folder, its first page, and the content of its ``manifest.json``."""

    folder: Path
    index: Path
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class _Job:
    """What one report is made of; ``source`` is the data's name as the pages show it, ``variables`` the environment of
    the kernels: passwords in ``data`` and where shared results are. ``known`` are the parameters of each notebook."""

    data: str
    variables: Mapping[str, str]
    source: str
    config: str
    language: str
    pdf: bool
    out: Path
    staging: Path
    known: Mapping[Path, list[str]]
    warm: Nursery | None
    log: Logger

    def parameters(self, as_of: str, notebook: Path) -> dict[str, str]:
        values = (self.data, as_of, self.language, self.config, "tables")
        given = dict(zip(_PARAMETERS, values, strict=True))
        return given | ({_HISTORY: str(self.out)} if _HISTORY in self.known[notebook] else {})


def _is_local(data: Any) -> bool:
    return isinstance(data, str | os.PathLike) and "://" not in str(data)


def _absolute(path: Any) -> str:
    """An absolute path, since notebooks run in another folder; an empty text stays as it is."""
    if not _is_local(path):
        return with_absolute_file(str(path))
    return os.path.abspath(path) if str(path) else ""


def _data_path(data: Any, folder: Path) -> str:
    """What the notebooks are given as ``data``; a table is put into a file of the staging folder first."""
    if isinstance(data, str | os.PathLike):
        return _absolute(data)
    import pyarrow as pa
    from pyarrow import parquet

    from custvalue.shapes import arrow_of_frame

    table = data if isinstance(data, pa.Table) else arrow_of_frame(data)
    parquet.write_table(table, folder / _FRAME)
    return _FRAME


def _source_name(data: Any) -> str:
    """The data's name for the pages: the last part of a path, nothing that may hold a password."""
    if not isinstance(data, str | os.PathLike):
        return "DataFrame"
    name = str(data).split("?")[0].rstrip("/\\")
    return Path(name).name if _is_local(data) else name.rsplit("/", 1)[-1].rsplit("@", 1)[-1]


def _find_notebooks(folder: str | Path | None) -> tuple[Path, ...]:
    if folder is None:
        from custvalue.share import notebooks_folder

        folder = notebooks_folder()
    found = tuple(sorted(Path(folder).resolve().glob(_PATTERN)))
    if not found:
        raise UsageError("no_notebooks", folder=str(folder), pattern=_PATTERN)
    return found


def _checked(notebooks: tuple[Path, ...]) -> dict[Path, list[str]]:
    """The parameters of each notebook; an error before any work where one lacks a parameter."""
    from custvalue.execution import check_parameters

    known = check_parameters(notebooks, _PARAMETERS)
    return {path: known[path.stem] for path in notebooks}


@contextmanager
def _progress(total: int, language: str, shown: bool) -> Iterator[Callable[[str], None]]:
    """A bar with one step a notebook, on a terminal only."""
    from tqdm import tqdm

    said = text("pages.progress", language)
    off = not (shown and sys.stderr.isatty())
    with tqdm(total=total, desc=said, file=sys.stderr, disable=off, leave=False) as bar:

        def done(name: str) -> None:
            bar.set_postfix_str(name, refresh=False)
            bar.update()

        yield done


def _from_folder(job: _Job) -> str:
    """The data as a kernel finds them, whose working folder is the staging folder."""
    return str(job.staging / job.data) if job.data == _FRAME else job.data


def _put_down(job: _Job, orders: Orders) -> Orders:
    """The orders from the folder the notebooks share: this process need not hold their rows while they run."""
    import gc

    from custvalue.config import load_settings
    from custvalue.prepared import sharing
    from custvalue.preparing import put_down

    settings = load_settings(job.config, job.data, as_of=str(orders.as_of), language=job.language)
    with sharing(job.staging / _PREPARED):
        kept = put_down(_from_folder(job), orders, settings)
    gc.collect()
    return kept


def _run_notebooks(job: _Job, orders: Orders, time_limit: float, progress: bool) -> dict[str, float]:
    """Execute the notebooks into the staging folder and clear what only the run needed."""
    from custvalue.config import load_settings
    from custvalue.execution import execute
    from custvalue.prepared import sharing
    from custvalue.preparing import preparing

    with ExitStack() as stack:
        shown = stack.enter_context(_progress(len(job.known), job.language, progress))
        stack.enter_context(sharing(job.staging / _PREPARED))
        settings = load_settings(job.config, job.data, as_of=str(orders.as_of), language=job.language)
        stack.enter_context(preparing(_from_folder(job), orders, settings, job.known))

        def done(name: str, seconds: float) -> None:
            job.log.info("%s %s %.1f s", str(orders.as_of)[:7], name, seconds)
            shown(name)

        seconds = execute(
            tuple(job.known),
            lambda notebook: job.parameters(str(orders.as_of), notebook),
            job.staging,
            seconds=time_limit,
            done=done,
            variables=job.variables,
            warm=job.warm,
        )
    for folder in (".kernels", _PREPARED):
        shutil.rmtree(job.staging / folder, ignore_errors=True)
    (job.staging / _FRAME).unlink(missing_ok=True)
    return seconds


def _plain(headline: str) -> list[str]:
    """The sentences of a headline without their markup: one a paragraph."""
    from bs4 import BeautifulSoup

    found = BeautifulSoup(headline, "html.parser")
    texts = [" ".join(part.get_text().split()) for part in found.find_all(["p", "li"]) or [found]]
    return [text for text in texts if text]


def _make_pages(job: _Job, orders: Orders) -> dict[str, Any]:
    """Write the pages; returns the warnings and the headline of each notebook that has some."""
    import nbformat

    from custvalue.pages import PackFacts, notes, read_page, write_pages

    pages, warnings = [], {}
    for source in job.known:
        notebook = nbformat.read(job.staging / "notebooks" / source.name, as_version=4)
        pages.append(read_page(notebook, source.stem, job.language))
        if found := notes(notebook):
            warnings[source.stem] = found
    facts = PackFacts(str(orders.as_of), job.source, orders.facts, metadata.version("custvalue"))
    write_pages(job.staging, pages, facts, job.language)
    headlines = {page.name: said for page in pages if (said := _plain(page.headline))}
    return {"warnings": warnings, "headlines": headlines}


def _print(job: _Job) -> None:
    """All pages as one PDF where that is asked for and a browser is there."""
    from custvalue.pages.pdf import write_pdf

    if job.pdf and write_pdf(job.staging) is None:
        job.log.warning("no browser found: report.pdf was not made")


def _fill(job: _Job, data: Any, orders: Orders, time_limit: float, progress: bool) -> dict[str, Any]:
    """Fill the staging folder with a complete pack; returns its manifest."""
    started, as_of = now(), str(orders.as_of)
    sums = input_sums(data)
    seconds = _run_notebooks(job, orders, time_limit, progress)
    found = _make_pages(job, orders)
    _print(job)
    entries = {
        "parameters": {"data": job.data, "as_of": as_of, "language": job.language, "config": job.config},
        "input_sha256": sums,
        "rows": orders.facts,
        **found,
        "timings": {"started": started, "finished": now(), "notebook_seconds": seconds},
    }
    return write_manifest(job.staging, entries)


def _filled(job: _Job, data: Any, orders: Orders, time_limit: float, progress: bool) -> dict[str, Any]:
    """As :func:`_fill`; a failure keeps the partly run notebook, and says so where it was the disk."""
    try:
        return _fill(job, data, orders, time_limit, progress)
    except AnalysisError as error:
        kept = keep_failed(error, job.out, str(orders.as_of)[:7])
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno in DISK_ERRORS:
            raise not_writable(job.out, cause) from error
        raise kept from error
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        raise not_writable(job.out, error) from error


@contextmanager
def _logged(log: Logger, month: Callable[[], str]) -> Iterator[None]:
    """Write into the log how it ended; an error learns the month it was about."""
    try:
        yield
    except CustvalueError as error:
        error.month = month()
        log.error("%s failed (%s): %s", month() or "-", error.exit_code, str(error).replace("\n", " "))
        raise
    except BaseException as error:
        log.error("%s ended: %s: %s", month() or "-", type(error).__name__, error)
        raise


def _prepared_folder(folder: Path) -> dict[str, str]:
    """A private folder for what notebooks share, and the variable that names it."""
    from custvalue.prepared import VARIABLE

    (folder / _PREPARED).mkdir(mode=0o700)
    return {VARIABLE: str(folder / _PREPARED)}


def _report(
    data: Any, out: Path, given: Mapping[str, Any], notebooks: str | Path | None, limits: Mapping[str, Any], log: Logger
) -> Pack:
    """A report from its beginning; ``given`` are the config file and what is laid over it."""
    from custvalue.config import find_config, load_settings
    from custvalue.forking import nursery
    from custvalue.pipeline import read

    config = _absolute(find_config(data, str(given["config"])))
    settings = load_settings(config, data, as_of=given["as_of"], language=given["language"])
    month = settings.as_of[:7]
    with ExitStack() as stack:
        stack.enter_context(_logged(log, lambda: month))
        folder = stack.enter_context(staging(out))
        warm = stack.enter_context(nursery())
        known = _checked(_find_notebooks(notebooks))
        if month:
            stack.enter_context(month_lock(out, month))
        orders = read(data, settings)
        if not month:
            month = str(orders.as_of)[:7]
            stack.enter_context(month_lock(out, month))
        log.info("%s started", month)
        named, passwords = without_passwords(_data_path(data, folder))
        variables = {**passwords, **_prepared_folder(folder)}
        job = _Job(
            named, variables, _source_name(data), config, settings.language, settings.pdf, out, folder, known, warm, log
        )
        orders = _put_down(job, orders)
        manifest = _filled(job, data, orders, **limits)
        publish(folder, out / month)
        log.info("%s published", month)
        shutil.rmtree(out / f"failed-{month}", ignore_errors=True)
    return Pack(out / month, out / month / "index.html", manifest)


def run_report(
    data: Any,
    out: str | Path,
    *,
    config: str | Path = "",
    as_of: str = "",
    language: str = "",
    notebooks: str | Path | None = None,
    progress: bool = True,
    time_limit: float = 1800,
) -> Pack:
    """Run all notebooks on a data set and publish the pack ``out/YYYY-MM`` (the month of ``as_of``).

    The pack holds ``index.html``, one page a notebook, the executed notebooks, the tables they wrote and
    ``manifest.json``. It is built aside and put in place in one step, in the place of an older pack of the
    month: nobody ever sees half a report. ``out/custvalue.log`` says what was done when. Notebooks with a parameter
    ``history`` are given ``out``.

    Parameters
    ----------
    data
        What :func:`custvalue.pipeline.read` takes: a file, a data folder or a DataFrame.
    out
        The folder of the packs, made if missing.
    config, as_of, language
        The configuration file, the last day that counts (``YYYY-MM-DD``) and ``en`` or ``zh``. Empty:
        ``custvalue.toml`` of the data folder if there is one; what the configuration says.
    notebooks
        The folder of the notebooks (``NN_name.ipynb``); None: those of the package.
    progress
        Show a progress bar, if standard error is a terminal.
    time_limit
        Seconds a notebook may take.

    Raises
    ------
    BusyError
        Another run is making the same month in this folder.
    UsageError
        An option, the configuration, the output folder or a notebook's parameters are wrong, or the disk is full.
    DataError
        The data can not be used. Nothing was run.
    AnalysisError
        A notebook failed. It is kept as ``out/failed-YYYY-MM/NAME.ipynb``; nothing was published.

    Examples
    --------
    ::

        pack = run_report("data/sample", "out")
        pack.index  # out/2025-12/index.html
    """
    out = Path(out).resolve()
    given = {"config": config, "as_of": as_of, "language": language}
    limits = {"time_limit": time_limit, "progress": progress}
    with journal(out) as log:
        return _report(data, out, given, notebooks, limits, log)
