"""Run every notebook on one data set and publish the results as a pack of pages, tables and a manifest."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custvalue.databases import with_absolute_file, without_passwords
from custvalue.errors import AnalysisError, UsageError
from custvalue.labels import text

if TYPE_CHECKING:
    from custvalue.transactions import Orders

__all__ = ["Pack", "run_report"]

_PATTERN = "[0-9][0-9]_*.ipynb"
_PARAMETERS = ("data", "as_of", "language", "config", "output")
_FRAME = "input.parquet"


@dataclass(frozen=True)
class Pack:
    """A published report: its folder, its first page, and the content of its ``manifest.json``."""

    folder: Path
    index: Path
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class _Job:
    """What one report is made of; ``source`` is the data's name as the pages show it, ``secrets`` the environment
    variables in ``data`` that stand for passwords."""

    data: str
    secrets: Mapping[str, str]
    source: str
    config: str
    language: str
    staging: Path
    notebooks: tuple[Path, ...]


def _is_local(data: Any) -> bool:
    return isinstance(data, str | os.PathLike) and "://" not in str(data)


def _absolute(path: Any) -> str:
    """An absolute path, since notebooks run in another folder; an empty text stays as it is."""
    if not _is_local(path):
        return with_absolute_file(str(path))
    return os.path.abspath(path) if str(path) else ""


def _data_path(data: Any, staging: Path) -> str:
    """What the notebooks are given as ``data``; a table is put into a file of the staging folder first."""
    if isinstance(data, str | os.PathLike):
        return _absolute(data)
    import pyarrow as pa
    from pyarrow import parquet

    from custvalue.shapes import arrow_of_frame

    table = data if isinstance(data, pa.Table) else arrow_of_frame(data)
    parquet.write_table(table, staging / _FRAME)
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


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """A hidden folder inside the output folder, so that publishing is a rename; removed whatever happens."""
    staging = out / f".staging-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        (staging / "tables").mkdir(parents=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError("output_not_writable", folder=str(out), reason=reason) from error
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


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


def _keep_failed(error: AnalysisError, out: Path, month: str) -> AnalysisError:
    """Save the partly run notebook from the staging folder; returns the error that names the saved file."""
    partly = Path(error.values.get("file", ""))
    if not partly.is_file():
        return error
    folder = out / f"failed-{month}"
    folder.mkdir(exist_ok=True)
    kept = Path(shutil.copyfile(partly, folder / partly.name))
    return AnalysisError(error.code, **error.values | {"file": str(kept)})


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _input_files(data: str) -> list[Path]:
    """The files behind a local path: itself, every file of a folder, or what a pattern matches."""
    path = Path(data)
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    if path.exists():
        return [path]
    return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))


def _input_sums(data: Any) -> dict[str, str] | None:
    """The SHA-256 of every input file by name; None for a DataFrame or a URL."""
    if not _is_local(data):
        return None
    base = Path(_absolute(data))
    root = base if base.is_dir() else base.parent
    return {Path(os.path.relpath(file, root)).as_posix(): _sha256(file) for file in _input_files(str(base))}


def _versions() -> dict[str, str]:
    """The installed versions of the libraries custvalue asks for."""
    wanted = [line for line in metadata.requires("custvalue") or [] if "extra ==" not in line]
    names = {re.match(r"[\w.-]+", line).group() for line in wanted}
    return {name: metadata.version(name) for name in sorted(names)}


def _listing(folder: Path) -> list[dict[str, Any]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        {"file": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size, "sha256": _sha256(path)}
        for path in files
    ]


def _run_notebooks(job: _Job, as_of: str, time_limit: float, progress: bool) -> dict[str, float]:
    """Execute the notebooks into the staging folder and clear what only the run needed."""
    from custvalue.execution import execute

    values = (job.data, as_of, job.language, job.config, "tables")
    with _progress(len(job.notebooks), job.language, progress) as done:
        parameters = dict(zip(_PARAMETERS, values, strict=True))
        seconds = execute(job.notebooks, parameters, job.staging, seconds=time_limit, done=done, secrets=job.secrets)
    shutil.rmtree(job.staging / ".kernels", ignore_errors=True)
    (job.staging / _FRAME).unlink(missing_ok=True)
    return seconds


def _make_pages(job: _Job, orders: Orders) -> dict[str, list[str]]:
    """Write the pages; returns the warnings of each notebook that has some."""
    import nbformat

    from custvalue.pages import PackFacts, notes, read_page, write_pages

    pages, warnings = [], {}
    for source in job.notebooks:
        notebook = nbformat.read(job.staging / "notebooks" / source.name, as_version=4)
        pages.append(read_page(notebook, source.stem, job.language))
        if found := notes(notebook):
            warnings[source.stem] = found
    facts = PackFacts(str(orders.as_of), job.source, orders.facts, metadata.version("custvalue"))
    write_pages(job.staging, pages, facts, job.language)
    return warnings


def _write_manifest(folder: Path, entries: Mapping[str, Any]) -> dict[str, Any]:
    """Write ``manifest.json``, the last file of a pack: a folder without it is not finished."""
    content = {
        "custvalue": metadata.version("custvalue"),
        **entries,
        "python": platform.python_version(),
        "libraries": _versions(),
        "files": _listing(folder),
    }
    written = json.dumps(content, ensure_ascii=False, indent=2, default=str) + "\n"
    (folder / "manifest.json").write_text(written, "utf-8", newline="\n")
    return json.loads(written)


def _publish(staging: Path, target: Path) -> None:
    """Put a finished pack in the place of an older one, which comes back if that fails."""
    aside = staging.with_name(staging.name + "-old")
    if target.exists():
        target.rename(aside)
    try:
        staging.rename(target)
    except BaseException:
        if aside.exists() and not target.exists():
            aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _fill(job: _Job, data: Any, orders: Orders, time_limit: float, progress: bool) -> dict[str, Any]:
    """Fill the staging folder with a complete pack; returns its manifest."""
    started = _now()
    as_of = str(orders.as_of)
    sums = _input_sums(data)
    seconds = _run_notebooks(job, as_of, time_limit, progress)
    warnings = _make_pages(job, orders)
    return _write_manifest(
        job.staging,
        {
            "parameters": {"data": job.data, "as_of": as_of, "language": job.language, "config": job.config},
            "input_sha256": sums,
            "rows": orders.facts,
            "warnings": warnings,
            "timings": {"started": started, "finished": _now(), "notebook_seconds": seconds},
        },
    )


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
    month: nobody ever sees half a report.

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
    UsageError
        An option, the configuration, the output folder or a notebook's parameters are wrong.
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
    from custvalue.config import find_config, load_settings
    from custvalue.execution import check_parameters
    from custvalue.pipeline import read

    config = _absolute(find_config(data, str(config)))
    settings = load_settings(config, data, as_of=as_of, language=language)
    out = Path(out).resolve()
    with _staging(out) as staging:
        found = _find_notebooks(notebooks)
        check_parameters(found, _PARAMETERS)
        orders = read(data, settings)
        named, secrets = without_passwords(_data_path(data, staging))
        job = _Job(named, secrets, _source_name(data), config, settings.language, staging, found)
        month = str(orders.as_of)[:7]
        try:
            manifest = _fill(job, data, orders, time_limit, progress)
        except AnalysisError as error:
            raise _keep_failed(error, out, month) from error
        target = out / month
        _publish(staging, target)
    with suppress(OSError):
        shutil.rmtree(out / f"failed-{month}")
    return Pack(target, target / "index.html", manifest)
