"""The lessons: their numbers and questions, and the check a notebook calls."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from custvalue.errors import CustvalueError, UsageError, nearest
from custvalue.labels import LANGUAGES, text
from custvalue.workshop.classroom import Classroom, classroom
from custvalue.workshop.question import Question, is_blank
from custvalue.workshop.replies import Reply, Summary

__all__ = ["LESSONS", "Lesson", "lesson"]

#: The topic of each lesson, from lesson 1 on: the module of its questions and the beginning of its texts.
LESSONS = ("costs", "data", "pyramid", "segments", "matrices", "lifetime", "stages", "acting", "online", "game")


def _failed_before() -> bool:
    """Whether the cell run last in this notebook ended with an error: what it was to give is not there."""
    ipython = sys.modules.get("IPython")
    done = getattr(ipython.get_ipython(), "last_execution_result", None) if ipython else None
    return done is not None and not done.success


class Lesson:
    """The check of one lesson: call it with the name of a question and an answer, it replies with a reason.

    ``questions``: name to :class:`~custvalue.workshop.question.Question`; the answers are computed from the data of
    ``room`` when an answer is checked. :meth:`summary` tells which questions have been answered rightly so far.
    """

    def __init__(self, topic: str, questions: Mapping[str, Question], room: Classroom, language: str) -> None:
        self.topic, self.questions, self.room, self.language = topic, questions, room, language
        self._states = dict.fromkeys(questions, "open")

    def __call__(self, name: str, answer: Any = ..., **given: Any) -> Reply:
        """Check an answer. A blank one, a number as text, a table: all are answered in words, nothing is raised for it.

        Raises ``UsageError`` for a name the lesson does not have.
        """
        if name not in self.questions:
            allowed = tuple(self.questions)
            raise UsageError("unknown_question", got=name, nearest=nearest(name, allowed), allowed=", ".join(allowed))
        reply = self._reply(name, answer, given)
        self._states[name] = reply.state
        return reply

    def _reply(self, name: str, answer: Any, given: Mapping[str, Any]) -> Reply:
        question = self.questions[name]
        if _failed_before():
            return self._said("open", "failed", "workshop.cell_failed")
        if is_blank(answer) or any(map(is_blank, given.values())):
            return self._said("open", "blank", "workshop.blank")
        understood = question.understood(answer)
        if understood is None:
            options = ", ".join(question.options)
            return self._said("wrong", "form", f"workshop.form_{question.kind}", options=options)
        try:
            reason = question.reason(understood, self.room, **given)
        except CustvalueError as error:  # numbers of the class that can not be: no contacts, a negative cost
            return Reply("wrong", "given", (error.text(self.language),), self.language)
        if reason == "right":
            return self._said("right", reason, f"workshop.{self.topic}_{name}_right", got=answer)
        keys = [f"workshop.{self.topic}_{name}_{reason}" if reason != "percent" else "workshop.percent"]
        keys += [f"workshop.tolerance_{question.kind}"] if reason == "hint" and question.allowed else []
        return self._said("wrong", reason, *keys, got=answer, allowed=question.allowed)

    def _said(self, state: str, reason: str, *keys: str, **values: Any) -> Reply:
        return Reply(state, reason, tuple(text(key, self.language, **values) for key in keys), self.language)

    def summary(self) -> Summary:
        """How many questions have been answered rightly, and which are open."""
        return Summary(dict(self._states), self.language)

    def __repr__(self) -> str:
        quiz = sum(name.startswith("quiz") for name in self.questions)
        number = LESSONS.index(self.topic) + 1
        return text("workshop.lesson", self.language, n=number, questions=len(self.questions), quiz=quiz)


def lesson(number: int, language: str = "en", data: str | Path = "") -> Lesson:
    """The check of lesson ``number`` (1 to 10), see :class:`Lesson`; ``data`` empty: the sample that comes along.

    Raises ``UsageError`` for a number or language there is not.

    >>> check = lesson(1)
    >>> check("cost_per_customer", 500).reason
    'one_visit'
    >>> check("cost_per_customer", ...).state
    'open'
    """
    if number not in range(1, len(LESSONS) + 1):
        raise UsageError("unknown_lesson", got=number, allowed=f"1 .. {len(LESSONS)}")
    if language not in LANGUAGES:
        raise UsageError("bad_choice", key="language", got=language, allowed=", ".join(LANGUAGES))
    topic = LESSONS[number - 1]
    questions = import_module(f"custvalue.workshop.questions.{topic}").QUESTIONS
    return Lesson(topic, questions, classroom(data), language)
