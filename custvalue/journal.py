"""What became of a run, for those who were not there: a log file in the output folder and a command that is told."""

from __future__ import annotations

import json
import logging
import shlex
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

__all__ = ["LOG", "journal", "notify"]

#: The log file in the output folder; one older file is kept beside it.
LOG = "custvalue.log"
_LARGEST = 200_000
_NOTIFY_SECONDS = 60


class _Quiet(RotatingFileHandler):
    """A log that can not be written is no reason to stop."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        pass


def _handler(out: Path) -> logging.Handler:
    try:
        out.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = _Quiet(out / LOG, maxBytes=_LARGEST, backupCount=1, encoding="utf-8", delay=True)
    except OSError:
        return logging.NullHandler()
    form = logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")
    handler.setFormatter(form)
    return handler


@contextmanager
def journal(out: Path) -> Iterator[logging.Logger]:
    """A logger that writes to ``custvalue.log`` of a folder, at most 200 kB and as much again of older lines.

    One line an event: time, process, level, what happened. Nothing of the data is in it but what an error says.
    """
    logger = logging.Logger(f"custvalue.{uuid.uuid4().hex}", logging.INFO)
    handler = _handler(out)
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        handler.close()


def notify(command: str, outcome: Mapping[str, Any]) -> str:
    """Run a command with the outcome of a run as JSON on its standard input; returns what went wrong, empty if nothing.

    The command is split as a shell splits words, but no shell runs it, so nothing in the outcome can become a command.
    It has 60 seconds.

    >>> notify("true", {"status": "published"})
    ''
    >>> notify("no-such-command", {})
    'no-such-command: No such file or directory'
    """
    try:
        words = shlex.split(command)
        given = json.dumps(outcome, ensure_ascii=False, default=str)
        done = subprocess.run(words, input=given, capture_output=True, encoding="utf-8", timeout=_NOTIFY_SECONDS)
    except OSError as error:
        return f"{words[0]}: {error.strerror or error}"
    except subprocess.TimeoutExpired:
        return f"{words[0]}: > {_NOTIFY_SECONDS} s"
    except (ValueError, IndexError) as error:
        return f"{command}: {error}"
    said = (done.stderr or done.stdout or "").strip().splitlines()
    return f"{words[0]}: {done.returncode}. {said[-1] if said else ''}".strip() if done.returncode else ""
