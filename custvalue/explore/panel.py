"""The widgets of an explorer: controls, one chart, the table behind it, and a button that keeps the settings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from custvalue.errors import CustvalueError
from custvalue.explore.listing import renew, table_widget, worded
from custvalue.explore.saving import save_settings
from custvalue.labels import text
from custvalue.plots.pictures import picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Answer", "Control", "Explorer", "drawn", "panel"]

_LOG = logging.getLogger("custvalue")


@dataclass(frozen=True)
class Control:
    """One thing to turn: its name (words in ``locale/explore.toml``), value, and a range or (word, value) options.

    ``unit`` is ``percent``, ``number``, ``count`` or ``text``. ``only_if``: (name of another control, value); shown
    only while that control has this value.
    """

    name: str
    value: Any
    low: float = 0.0
    high: float = 1.0
    step: float = 0.01
    unit: str = "percent"
    options: tuple[tuple[str, Any], ...] = ()
    only_if: tuple[str, Any] | None = None

    def matters(self, values: Mapping[str, Any]) -> bool:
        """Whether turning it changes anything while all controls have these values.

        >>> Control("weight", 1.0, only_if=("matrix", "value_class")).matters({"matrix": "quadrant"})
        False
        """
        return self.only_if is None or values[self.only_if[0]] == self.only_if[1]


@dataclass(frozen=True)
class Answer:
    """What the chosen values give: the table, how to draw it, and a sentence above it (may be empty)."""

    table: pd.DataFrame
    draw: Callable[[], Axes]
    said: str = ""


@dataclass(frozen=True)
class Explorer:
    """An explorer without its widgets: ``answer`` and ``chosen`` take {name of control: value}.

    ``chosen`` gives what is kept in the settings, {"section.key": value}; nothing where there is nothing to keep.
    """

    name: str
    controls: Sequence[Control]
    answer: Callable[[Mapping[str, Any]], Answer]
    chosen: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda values: {}

    @property
    def start(self) -> dict[str, Any]:
        """The values the controls begin with."""
        return {control.name: control.value for control in self.controls}


def drawn(answer: Answer) -> bytes:
    """The chart of an answer as a PNG picture."""
    import matplotlib.pyplot as plt

    figure = answer.draw().figure
    try:
        return picture(figure)
    finally:
        plt.close(figure)


def _length(words: str) -> float:
    """How wide words are, about, in the height of their letters; a Chinese character is as wide as high."""
    return sum(1.0 if letter > "\u2e80" else 0.56 for letter in words)


def _widget(control: Control, language: str, room: float) -> Any:
    """The widget of a control with ``room`` for its words, in letters."""
    import ipywidgets as w

    look = {"description": text(f"explore.{control.name}", language), "style": {"description_width": f"{room:.1f}em"}}
    look |= {"layout": w.Layout(width=f"{room + 21:.1f}em")}
    if control.options:
        made = w.Dropdown(options=control.options, value=control.value, **look)
    elif control.unit == "text":
        made = w.Text(value=control.value, continuous_update=False, **look)
    else:
        kind = w.IntSlider if control.unit == "count" else w.FloatSlider
        digits = {"count": "d", "percent": ".1%", "number": ".2f"}[control.unit]
        span = {"min": control.low, "max": control.high, "step": control.step, "readout_format": digits}
        made = kind(value=control.value, continuous_update=False, **span, **look)
    return made.add_class(f"cv-explore-{control.name.replace('_', '-')}")


class _Panel:
    """The live widgets; ``box`` is what is displayed."""

    def __init__(self, explorer: Explorer, language: str, currency: str, file: Path | None) -> None:
        import ipywidgets as w

        self.explorer, self.language, self.currency, self.file = explorer, language, currency, file
        room = max(_length(text(f"explore.{control.name}", language)) for control in explorer.controls) + 1
        self.controls = {control.name: _widget(control, language, room) for control in explorer.controls}
        self.said = w.HTML().add_class("cv-explore-said")
        self.image = w.Image(format="png").add_class("cv-explore-chart")
        self.table = table_widget(pd.DataFrame(), language)
        self.save = w.Button(description=text("explore.save", language), layout=w.Layout(width="22em"))
        self.save.add_class("cv-explore-save").on_click(self._keep)
        for control in self.controls.values():
            control.observe(self._answer, names="value")
        kept = [self.save] if file is not None and explorer.chosen(explorer.start) else []
        self.box = w.VBox([*self.controls.values(), *kept, self.said, self.image, self.table]).add_class("cv-explore")
        self._answer()

    @property
    def values(self) -> dict[str, Any]:
        return {name: control.value for name, control in self.controls.items()}

    def _say(self, words: str) -> None:
        self.said.value = f"<p>{escape(words)}</p>" if words else ""

    def _offer(self) -> None:
        """Show the controls that matter now, hide the others."""
        for control in self.explorer.controls:
            self.controls[control.name].layout.display = None if control.matters(self.values) else "none"

    def _answer(self, change: Any = None) -> None:
        """Compute and draw anew; a value that is not allowed is said, the last chart stays."""
        self._offer()
        try:
            answer = self.explorer.answer(self.values)
            self.image.value = drawn(answer)
            renew(self.table, worded(answer.table, self.language, self.currency), self.language)
            self._say(answer.said)
        except CustvalueError as error:
            self._say(error.text(self.language))
        except Exception as error:
            _LOG.exception("explorer %s", self.explorer.name)
            self._say(text("errors.unexpected", self.language, said=f"{type(error).__name__}: {error}", file=""))

    def _keep(self, button: Any) -> None:
        try:
            file = save_settings(self.file, self.explorer.chosen(self.values))
            self._say(text("explore.saved", self.language, file=str(file)))
        except CustvalueError as error:
            self._say(error.text(self.language))


def panel(explorer: Explorer, language: str = "en", currency: str = "", file: Path | None = None) -> Any:
    """The widgets of an explorer, ready to be displayed; ``file`` is where its settings are kept."""
    return _Panel(explorer, language, currency, file).box
