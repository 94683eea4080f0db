"""A question whose answer is computed from the data, and the wrong ways to it that are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Real
from typing import Any

from custvalue.workshop.classroom import Classroom

__all__ = ["KINDS", "Question", "choice", "is_blank"]

#: Kinds of answers and how far an answer may be off: a share of the right one, or (``share``) that much.
KINDS = {"number": 0.01, "money": 0.005, "share": 0.004, "count": 0.0, "code": 0.0, "ids": 0.0}

Way = Callable[..., Any]


@dataclass(frozen=True)
class Question:
    """A question of a lesson.

    ``kind``: one of ``KINDS``; ``truth``: computes the right answer from a :class:`Classroom` (and what the student has
    given, such as numbers of the class); ``mistakes``: code of a wrong way -> computes the answer it leads to;
    ``tolerance``: how far an answer may be off, where that of the kind does not fit; ``options``: the codes to choose
    from, if any.
    """

    kind: str
    truth: Way
    mistakes: Mapping[str, Way] = field(default_factory=dict)
    tolerance: float | None = None
    options: tuple[str, ...] = ()

    @property
    def allowed(self) -> float:
        return KINDS[self.kind] if self.tolerance is None else self.tolerance

    def understood(self, answer: Any) -> Any:
        """The answer as the kind needs it; None where it is something else.

        >>> Question("count", lambda room: 3).understood("three"), Question("code", lambda room: "a").understood(" A ")
        (None, 'a')
        """
        if self.kind == "code":
            return _as_code(answer, self.options)
        if self.kind == "ids":
            return _as_ids(answer)
        number = _as_number(answer)
        return number if number is None or math.isfinite(number) else None

    def equal(self, answer: Any, other: Any) -> bool:
        """Whether an understood answer is the other one within what is allowed.

        >>> Question("money", lambda room: 0).equal(2005.0, 2000.0), Question("share", lambda room: 0).equal(0.7, 0.71)
        (True, False)
        """
        if self.kind in ("code", "ids"):
            return answer == other
        off = self.allowed if self.kind == "share" else self.allowed * abs(other)
        return abs(answer - other) <= off + 1e-9

    def reason(self, answer: Any, room: Classroom, **given: Any) -> str:
        """``right``, the code of the mistake that leads to this answer, ``percent`` or ``hint``."""
        truth = self.truth(room, **given)
        if self.equal(answer, truth):
            return "right"
        for code, way in self.mistakes.items():
            if self.equal(answer, way(room, **given)):
                return code
        return "percent" if self.kind == "share" and self.equal(answer / 100, truth) else "hint"


def is_blank(answer: Any) -> bool:
    """Whether nothing has been answered yet.

    >>> is_blank(...), is_blank(""), is_blank(0)
    (True, True, False)
    """
    return answer is ... or answer is None or (isinstance(answer, str) and not answer.strip(" ._"))


def _as_number(answer: Any) -> float | None:
    """A plain number, also one that numpy or a table of a single number holds."""
    if hasattr(answer, "item") and getattr(answer, "size", 1) == 1:
        answer = answer.item()
    return float(answer) if isinstance(answer, Real | Decimal) and not isinstance(answer, bool) else None


def _as_code(answer: Any, options: tuple[str, ...]) -> str | None:
    code = answer.strip().lower() if isinstance(answer, str) else None
    return code if not options or code in options else None


def _as_ids(answer: Any) -> frozenset[str] | None:
    """Ids from one id or a list, set or column of them."""
    if isinstance(answer, str):
        return frozenset([answer.strip()])
    if isinstance(answer, Iterable):
        return frozenset(str(one).strip() for one in answer)
    return None


def choice(right: str, options: Iterable[str] = "abc", told: Iterable[str] | None = None) -> Question:
    """A multiple-choice question: the right option; those ``told`` (default: all others) are mistakes of their own.

    >>> sorted(choice("b").mistakes), choice("b").understood("d")
    (['a', 'c'], None)
    """
    options = tuple(options)
    wrong = [code for code in (options if told is None else told) if code != right]
    ways = {code: (lambda room, code=code: code) for code in wrong}
    return Question("code", lambda room: right, ways, options=options)
