"""What a pack was made from and what is in it: ``manifest.json``, the last file that is written."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["input_sums", "write_manifest"]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _input_files(path: Path) -> list[Path]:
    """The files behind a local path: itself, every file of a folder, or what a pattern matches."""
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    if path.exists():
        return [path]
    return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))


def input_sums(data: Any) -> dict[str, str] | None:
    """The SHA-256 of every input file by name; None for a table in memory or a URL."""
    if not isinstance(data, str | os.PathLike) or "://" in str(data):
        return None
    base = Path(os.path.abspath(data))
    root = base if base.is_dir() else base.parent
    return {Path(os.path.relpath(file, root)).as_posix(): _sha256(file) for file in _input_files(base)}


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


def write_manifest(folder: Path, entries: Mapping[str, Any]) -> dict[str, Any]:
    """Write ``manifest.json`` with these entries, the versions and a list of all files: a folder without it is not
    finished. Returns its content."""
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
