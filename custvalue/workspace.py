"""A folder of one's own to work in: notebooks and settings in one language, and the sample to try them on."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from custvalue.config import WORKSPACE_RECORD
from custvalue.errors import UsageError
from custvalue.files import order_files
from custvalue.labels import LANGUAGES, catalogue, text
from custvalue.share import copy_sample, notebooks_folder, sample_folder

__all__ = ["Made", "config_text", "make_workspace", "notebook_text", "open_lab"]

#: Defaults for JupyterLab: no news, no updates, and an uploaded file is not opened (it reads no other than UTF-8).
_LAB = Path(__file__).resolve().parent / "_lab"
_HAN = re.compile(r"[\u3000-\u9fff\uff00-\uffef]")
_SETTING = re.compile(r"#?[\w.-]+\s*=|\[")
_PARAMETER = re.compile(r"^(\w+) = (.*?)  # .*$", re.MULTILINE)
_LANGUAGE_LINE = re.compile(r'^language = "\w+"', re.MULTILINE)
_DATA_LINE = re.compile(r'^data = ".*?"', re.MULTILINE)


@dataclass(frozen=True)
class Made:
    """What :func:`make_workspace` did: files written, files of the user that stay, and what was put beside those."""

    written: tuple[Path, ...]
    kept: tuple[Path, ...]
    beside: tuple[Path, ...]


def _comment(line: str, language: str) -> str | None:
    """The part of a comment in a language; None where it has none."""
    left, slash, right = line.partition(" / ")
    if slash and _HAN.search(right) and not _HAN.search(left):
        return left if language == "en" else f"# {right}"
    return line if bool(_HAN.search(line)) == (language == "zh") else None


def _one_language(content: str, language: str) -> Iterator[str]:
    for line in content.splitlines():
        if not line or _SETTING.match(line):
            yield line
        elif (said := _comment(line, language)) is not None:
            yield said


def config_text(language: str = "en") -> str:
    """``custvalue.toml`` with every key, its default and what it means, in one language; only the language is set.

    >>> print(config_text("en").split("\\n\\n")[1])
    # Language of the report and of messages: en or zh. The default is en.
    language = "en"
    """
    content = (sample_folder() / "custvalue.toml").read_text("utf-8")
    parts = [part for part in content.split("\n\n") if "truth.csv" not in part]
    content = "\n".join(_one_language("\n\n".join(parts), language))
    content = _LANGUAGE_LINE.sub(f'language = "{language}"', content)
    return re.sub(r"^currency = .*$", '#currency = ""', content, flags=re.MULTILINE) + "\n"


def _parameters(source: str, language: str, data: str) -> str:
    """The parameters cell with its language and data set and the comments in that language."""
    known = catalogue("parameters")
    source = _LANGUAGE_LINE.sub(f'language = "{language}"', source)
    if data:
        source = _DATA_LINE.sub(lambda found: f"data = {json.dumps(data, ensure_ascii=False)}", source)

    def commented(line: re.Match[str]) -> str:
        name, value = line[1], line[2]
        return f"{name} = {value}  # {text(f'parameters.{name}', language)}" if name in known else line[0]

    return _PARAMETER.sub(commented, source)


def notebook_text(path: Path, language: str = "en", data: str = "") -> str:
    """A notebook of the package in one language: the other's cells left out, its parameters set, no outputs."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    others = set(LANGUAGES) - {language}
    notebook.cells = [cell for cell in notebook.cells if not others & set(cell.metadata.get("tags", []))]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = _parameters(cell.source, language, data)
    return nbformat.writes(notebook) + "\n"


def _files(language: str, data: str = "") -> dict[str, str]:
    """The content of every file of a workspace, by its path in it; the sample comes besides."""
    notebooks = sorted(notebooks_folder().glob("[0-9][0-9]_*.ipynb"))
    return {
        "custvalue.toml": config_text(language),
        **{f"notebooks/{path.name}": notebook_text(path, language, data) for path in notebooks},
    }


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _record(folder: Path) -> dict[str, str]:
    """What an earlier call wrote: the SHA-256 of each file by its path."""
    try:
        found = json.loads((folder / WORKSPACE_RECORD).read_text("utf-8"))
        return {str(name): str(value) for name, value in found.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _fate(path: Path, new: bytes, written_before: str) -> str:
    """What becomes of a file: ``write``, ``keep`` (the user's) or ``beside`` (so, and there is a newer one)."""
    if not path.exists() or path.read_bytes() == new or _sum(path.read_bytes()) == written_before:
        return "write"
    return "keep" if _sum(new) == written_before else "beside"


def _place(folder: Path, files: Mapping[str, str], record: dict[str, str]) -> Made:
    fates: dict[str, list[Path]] = {"write": [], "keep": [], "beside": []}
    for name, content in files.items():
        path, new = folder / name, content.encode()
        fate = _fate(path, new, record.get(name, ""))
        fates[fate].append(path)
        target = path if fate == "write" else path.with_suffix(f".new{path.suffix}")
        if fate != "keep":
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(new)
            record[name] = _sum(new)
    beside = tuple(path.with_suffix(f".new{path.suffix}") for path in fates["beside"])
    return Made(tuple(fates["write"]), tuple(fates["keep"] + fates["beside"]), beside)


def _from_notebooks(data: str, folder: Path) -> str:
    """What the notebooks of a workspace call some data: by the way from their folder, or from the root of the disk."""
    order_files(data)
    path = Path(data).absolute()
    inside = path.is_relative_to(folder.absolute())
    return Path(os.path.relpath(path, folder.absolute() / "notebooks") if inside else path).as_posix()


def make_workspace(folder: str | Path, language: str = "en", data: str = "") -> Made:
    """Make a folder to work in, or bring one up to date with the package.

    ``notebooks/`` in one language, a commented ``custvalue.toml`` for data of one's own, and the sample in
    ``data/sample``. A file that was changed since it was written here is never overwritten: if the package has a newer
    one, it is put beside it as ``NAME.new.ipynb``. ``data`` is what the notebooks begin with, an order file or
    data folder; empty: that of the call before, else the sample.

    Raises
    ------
    UsageError
        The folder can not be written, or a file of the sample there holds something else.
    DataError
        There are no ``data`` of that name.
    """
    folder = Path(folder)
    record = _record(folder)
    record["data"] = _from_notebooks(data, folder) if data else record.get("data", "")
    try:
        copy_sample(folder / "data" / "sample")
        made = _place(folder, _files(language, record["data"]), record)
        (folder / WORKSPACE_RECORD).write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", "utf-8")
    except OSError as error:
        raise UsageError("output_not_writable", folder=str(folder), reason=error.strerror or str(error)) from error
    return made


def _first_notebook(folder: Path) -> list[str]:
    """The notebook to begin with, of a workspace or a workshop; none where there is none."""
    found = [*sorted(folder.glob("notebooks/[0-9]*.ipynb")), *sorted(folder.glob("[0-9]*.ipynb"))]
    return [str(path) for path in found[:1]]


def open_lab(folder: str | Path, run: Callable[..., subprocess.CompletedProcess] = subprocess.run) -> int:
    """Open JupyterLab in a folder, with the first notebook there, and wait for its end; returns its exit code.

    It asks the network for nothing.
    """
    folder = Path(folder).resolve()
    if not folder.is_dir():
        raise UsageError("no_workspace", folder=str(folder))
    paths = [str(_LAB), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH", "")])]
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.extension_manager=readonly", *_first_notebook(folder)]
    return run(command, env=os.environ | {"JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}).returncode
