"""Chosen settings written into custvalue.toml: only the lines of their keys change, comments and all else stay."""

from __future__ import annotations

import json
import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from custvalue.config import find_config, load_settings
from custvalue.errors import UsageError

__all__ = ["save_settings", "settings_file"]


def settings_file(config: str = "", data: Any = "") -> Path:
    """Where settings of some data are kept: the file that counts (see :func:`custvalue.config.find_config`), else
    ``custvalue.toml`` in the data folder or beside the file, which need not exist yet.

    >>> settings_file("my.toml").name
    'my.toml'
    """
    if found := find_config(data, config):
        return Path(found)
    if not isinstance(data, str | os.PathLike) or "://" in str(data):
        return Path("custvalue.toml")
    folder = Path(data) if Path(data).is_dir() else Path(data).parent
    return folder / "custvalue.toml"


def _toml(value: Any) -> str:
    """A value as TOML: a number, text, list or inline table."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _section(lines: list[str], name: str) -> tuple[int, int]:
    """Where the lines of a section begin and end; both are the end of the file where it is not there."""
    heads = [i for i, line in enumerate(lines) if re.match(r"\s*\[", line)]
    start = next((i for i in heads if re.match(rf"\s*\[\s*{re.escape(name)}\s*\]", lines[i])), None)
    if start is None:
        return len(lines), len(lines)
    return start + 1, next((i for i in heads if i > start), len(lines))


def _with_key(content: str, section: str, key: str, value: Any) -> str:
    """The text with one key set: its own line, else that of its commented default, else the first of its section."""
    lines = content.splitlines()
    start, end = _section(lines, section)
    line = f"{key} = {_toml(value)}"
    if start == end == len(lines) and f"[{section}]" not in content:
        return "\n".join([*lines, "", f"[{section}]", line, ""])
    for pattern in (rf"\s*{key}\s*=", rf"\s*#\s*{key}\s*="):
        for i in range(start, end):
            if re.match(pattern, lines[i]):
                return "\n".join([*lines[:i], line, *lines[i + 1 :], ""])
    return "\n".join([*lines[:start], line, *lines[start:], ""])


def _plain(value: Any) -> Any:
    return tomllib.loads(f"value = {_toml(value)}")["value"]


def _changed(content: str, chosen: Mapping[str, Any]) -> str:
    """The text with every ``section.key`` set; refused where anything else would change with it."""
    wanted = tomllib.loads(content)
    for name, value in chosen.items():
        section, key = name.split(".")
        content = _with_key(content, section, key, value)
        wanted.setdefault(section, {})[key] = _plain(value)
    try:
        same = tomllib.loads(content) == wanted
    except tomllib.TOMLDecodeError:
        same = False
    if not same:
        raise UsageError("settings_not_saved", keys=", ".join(chosen))
    return content


def save_settings(file: str | Path, chosen: Mapping[str, Any]) -> Path:
    """Write ``{"section.key": value}`` into a settings file, made if missing; returns its path.

    The new text is read back before it takes the place of the old, in one step.

    Raises
    ------
    UsageError
        A value is not allowed, a key stands on several lines and can not be changed by itself, or the file can not be
        written. The file stays as it was.
    """
    file = Path(file)
    try:
        content = file.read_text("utf-8-sig") if file.exists() else ""
        changed = _changed(content, chosen)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=".custvalue-", suffix=".toml")
    except tomllib.TOMLDecodeError as error:
        raise UsageError("bad_toml", got=str(file), why=str(error)) from None
    except OSError as error:
        raise UsageError("output_not_writable", folder=str(file.parent), reason=error.strerror or str(error)) from None
    aside = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as written:
            written.write(changed)
        load_settings(str(aside))
        aside.chmod(file.stat().st_mode & 0o777 if file.exists() else 0o644)
        os.replace(aside, file)
    finally:
        aside.unlink(missing_ok=True)
    return file
