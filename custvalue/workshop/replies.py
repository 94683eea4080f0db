"""What a check answers: a box with right, wrong or not answered yet, and the reason in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from custvalue.labels import text
from custvalue.tables import filled

__all__ = ["Reply", "Summary"]

_COLOURS = {"right": "#2e7d32", "wrong": "#c62828", "open": "#757575"}
_BOX = """\
<div class="cv-check" style="border-left:6px solid {{ colour }};padding:.5em 1em;margin:.4em 0;max-width:46em">
<strong style="color:{{ colour }}">{{ mark }} {{ title }}</strong>
{%- for line in lines %}
<p style="margin:.35em 0 0">{{ line }}</p>
{%- endfor %}
</div>"""
_MARKS = {"right": "✓", "wrong": "✗", "open": "…"}


@dataclass(frozen=True)
class Reply:
    """The reply to an answer: ``state`` (``right``, ``wrong`` or ``open``), ``reason`` (a code), the lines to read."""

    state: str
    reason: str
    lines: tuple[str, ...]
    language: str = "en"

    @property
    def right(self) -> bool:
        return self.state == "right"

    def _title(self) -> str:
        return text(f"workshop.state_{self.state}", self.language)

    def _repr_html_(self) -> str:
        colour, mark = _COLOURS[self.state], _MARKS[self.state]
        return filled(_BOX, colour=colour, mark=mark, title=self._title(), lines=self.lines)

    def __repr__(self) -> str:
        return "\n".join([f"{_MARKS[self.state]} {self._title()}", *self.lines])


@dataclass(frozen=True)
class Summary:
    """How far a lesson is: ``states`` tells the state of every question, in the order of the lesson."""

    states: Mapping[str, str]
    language: str = "en"

    @property
    def n_right(self) -> int:
        return sum(state == "right" for state in self.states.values())

    def _lines(self) -> tuple[str, ...]:
        said = text("workshop.summary", self.language, right=self.n_right, n=len(self.states))
        todo = [name for name, state in self.states.items() if state != "right"]
        if not todo:
            return said, text("workshop.summary_done", self.language)
        return said, text("workshop.summary_open", self.language, names=", ".join(todo))

    def _repr_html_(self) -> str:
        done = "right" if self.n_right == len(self.states) else "open"
        title, line = self._lines()
        return filled(_BOX, colour=_COLOURS[done], mark=_MARKS[done], title=title, lines=[line])

    def __repr__(self) -> str:
        return "\n".join(self._lines())
