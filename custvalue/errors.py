"""What can go wrong, said once in each language: what is wrong, what was got, what is allowed, what to do.

The sentences stand in ``locale/errors.toml``; an error carries the code of its sentence and the values in it.
"""

from __future__ import annotations

from typing import Any

from custvalue.labels import text

__all__ = ["AnalysisError", "BusyError", "CustvalueError", "DataError", "UsageError", "nearest"]


class CustvalueError(Exception):
    """An error with a sentence for its reader in every language, and the exit code the command line ends with.

    >>> UsageError("unknown_language", got="fr").exit_code
    2
    """

    exit_code = 4
    #: The month of the report that failed, where it was known.
    month = ""

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code, values)
        self.code = code
        self.values = values
        self.place: dict[str, Any] = {}

    def at(self, file: str, line: int) -> CustvalueError:
        """The same error, which now names the file and the line that are wrong."""
        self.place = {"file": file, "line": line}
        return self

    def text(self, language: str = "en") -> str:
        """The message in a language."""
        where = text("errors.at_line", language, **self.place) if self.place else ""
        return where + text(f"errors.{self.code}", language, **self.values)

    def __str__(self) -> str:
        return self.text("en")


class UsageError(CustvalueError):
    """A wrong call, option or configuration (exit code 2).

    >>> UsageError("bad_choice", key="language", got="de", allowed="en, zh").text("en")
    'language is de; it can be one of: en, zh. Change it in the config or the call.'
    """

    exit_code = 2


class DataError(CustvalueError):
    """Data that can not be used as they are (exit code 3).

    >>> DataError("no_such_customer", got="C9").code
    'no_such_customer'
    """

    exit_code = 3


class AnalysisError(CustvalueError):
    """An analysis that failed on usable data (exit code 4)."""

    exit_code = 4


class BusyError(CustvalueError):
    """Another run holds what this one needs (exit code 5)."""

    exit_code = 5


def nearest(word: str, allowed: Any) -> str:
    """The allowed word most like a misspelt one.

    >>> nearest("colums", ["columns", "clean"])
    'columns'
    """
    from difflib import SequenceMatcher

    return max(allowed, key=lambda candidate: SequenceMatcher(None, word.lower(), candidate.lower()).ratio())
