"""Words for codes: labels, column headings and sentences in English and Chinese, read from ``locale/*.toml``.

Every other module works with neutral codes and calls this one when something is shown.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

__all__ = [
    "LANGUAGES",
    "catalogue",
    "currency_word",
    "describe",
    "format_value",
    "heading",
    "headings",
    "label",
    "labels",
    "money_unit",
    "phrase",
    "text",
    "unit_of",
    "with_currency",
]

LANGUAGES = ("en", "zh")

#: Single amounts below the first are written with cents, and so are columns whose amounts all stay below the second.
_SMALL, _LARGE = 100, 1000
_MONEY_FIELD = re.compile(r"\{(\w+):money\}")


@cache
def catalogue(name: str) -> Mapping[str, Any]:
    """The content of ``locale/<name>.toml`` as nested mappings.

    >>> catalogue("labels")["tier"]["gold"]["en"]
    'B · Gold'
    """
    return tomllib.loads(resources.files("custvalue.locale").joinpath(f"{name}.toml").read_text("utf-8"))


def label(kind: str, code: str, language: str = "en") -> str:
    """The word for one code of a kind (``tier``, ``stage``, ``segment``, ...).

    >>> label("stage", "decline", "zh")
    '衰退期'
    """
    return catalogue("labels")[kind][code][language]


def labels(kind: str, language: str = "en") -> dict[str, str]:
    """All codes of a kind with their words, in the order of the catalogue.

    >>> list(labels("tier"))
    ['platinum', 'gold', 'iron', 'lead']
    """
    return {code: words[language] for code, words in catalogue("labels")[kind].items()}


def phrase(kind: str, codes: Iterable[str], language: str = "en") -> str:
    """The words for several codes of a kind as one phrase.

    >>> phrase("trait", ["recent", "high_spend"]), phrase("trait", ["recent", "high_spend"], "zh")
    ('recent, high spend', '近期来过、消费高')
    """
    return ("、" if language == "zh" else ", ").join(label(kind, code, language) for code in codes)


def heading(column: str, language: str = "en", currency: str = "") -> str:
    """The heading of a column, with the currency where it holds money.

    Columns the catalogue does not know (a user's own attributes) keep their name.

    >>> heading("sales", "en", currency="CNY")
    'Sales (CNY)'
    >>> heading("shoe_size")
    'shoe_size'
    """
    entry = catalogue("columns").get(column)
    if entry is None:
        return column
    return with_currency(entry[language], language, currency if entry["unit"] == "money" else "")


def headings(language: str = "en") -> dict[str, str]:
    """The heading of every column the catalogue knows.

    >>> headings("zh")["sales"]
    '销售额'
    """
    return {column: heading(column, language) for column in catalogue("columns")}


def with_currency(words: str, language: str = "en", currency: str = "") -> str:
    """Words followed by the currency in the brackets of the language.

    >>> with_currency("Sales", "en", "CNY"), with_currency("销售额", "zh", "元"), with_currency("Sales")
    ('Sales (CNY)', '销售额（元）', 'Sales')
    """
    if not currency:
        return words
    said = currency_word(currency, language)
    return f"{words}（{said}）" if language == "zh" else f"{words} ({said})"


def currency_word(currency: str, language: str = "en") -> str:
    """The word for a currency; one the catalogue does not know is shown as it is given.

    >>> currency_word("CNY", "zh"), currency_word("CHF", "zh")
    ('元', 'CHF')
    """
    return catalogue("labels")["currency"].get(currency, {}).get(language, currency)


def describe(column: str, language: str = "en") -> str:
    """What a column means, in one sentence; empty for a column the catalogue does not know.

    >>> describe("days_since_last").startswith("Days")
    True
    """
    return catalogue("columns").get(column, {}).get("help", {}).get(language, "")


def unit_of(column: str) -> str:
    """The unit of a column: ``money``, ``count``, ``share``, ``days``, ``number``, ``date``,
    ``tenths``, ``plain`` or ``text``.

    >>> unit_of("p_alive")
    'share'
    """
    return catalogue("columns").get(column, {}).get("unit", "")


def text(key: str, /, language: str = "en", **values: Any) -> str:
    """A sentence of the catalogue with its values put in.

    ``key`` is ``file.entry``. A template may give a value a unit:
    ``{share:percent}``, ``{sales:money}``,
    ``{n:count}``, ``{n:count orders}`` (1 order, 2 orders), ``{x:number}``,
    ``{x:plain}``, ``{x:change}``, ``{day:date}``.

    >>> text("pages.language_name", "zh")
    '中文'
    """
    file, entry = key.split(".", 1)
    template = catalogue(file)[entry][language]
    if "currency" in values:
        values["currency"] = currency_word(values["currency"], language)
        template = template if values["currency"] else template.replace(" {currency}", "")
    return _FORMATTER.vformat(_with_even_money(template, values), (), values)


def _known(value: Any) -> bool:
    return value is not None and value == value


def money_unit(amounts: Iterable[Any]) -> str:
    """How amounts that stand below each other are written: all ``whole``, or all with ``cents``.

    Whole where one reaches 1,000, and where all are whole numbers anyway.

    >>> money_unit([8.1, 417.0]), money_unit([0.3, 2615.0]), money_unit([50.0, 120.0])
    ('cents', 'whole', 'whole')
    """
    sizes = [abs(float(amount)) for amount in amounts if _known(amount) and amount != 0]
    return "whole" if max(sizes, default=0) >= _LARGE or all(size.is_integer() for size in sizes) else "cents"


def _with_even_money(template: str, values: Mapping[str, Any]) -> str:
    """The template of a sentence with a large amount writes the others without cents too, from 10 up."""
    names = _MONEY_FIELD.findall(template)
    known = {name: abs(values[name]) for name in names if _known(values.get(name))}
    if len(known) < 2 or max(known.values()) < _LARGE:
        return template
    return _MONEY_FIELD.sub(
        lambda found: f"{{{found[1]}:{'whole' if known.get(found[1], 0) >= 10 else 'money'}}}", template
    )


def _percent(value: float) -> str:
    return f"{round(100 * value, 1) + 0.0:.1f}%"


def _money(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= _SMALL or value == 0 else f"{value:,.2f}"


def _whole(value: float) -> str:
    written = f"{value:,.0f}"
    return "0" if written == "-0" else written


def _counted(value: float, things: str) -> str:
    """A number of things; of one thing without the plural s."""
    return f"{value:,.0f} {things.removesuffix('s') if value == 1 else things}"


def _plain(value: float) -> str:
    """As few decimals as the value needs: none from 100 up or for whole numbers."""
    written = f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


_UNITS = {
    "percent": _percent,
    "share": _percent,
    "short_percent": lambda value: f"{100 * value:.3g}%",
    "change": lambda value: f"{100 * value:+.1f}%",
    "points": lambda value: f"{100 * value:+.3g}",
    "money": _money,
    "whole": _whole,
    "cents": lambda value: f"{value:,.2f}",
    "count": lambda value: f"{value:,.0f}",
    "days": lambda value: f"{value:,.0f}",
    "number": lambda value: f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.2f}",
    "plain": _plain,
    "tenths": lambda value: f"{value:,.1f}",
    "date": lambda value: value.strftime("%Y-%m-%d"),
}


class _Formatter(string.Formatter):
    """Format strings whose format spec may be a unit; a value is only ever put in as text."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec.startswith("count "):
            return _counted(value, format_spec.removeprefix("count "))
        if format_spec not in _UNITS:
            return super().format_field(value, format_spec)
        missing = value is None or value != value
        return "–" if missing else _UNITS[format_spec](value)

    def get_field(self, field_name: str, args: Any, kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        return kwargs[field_name], field_name


_FORMATTER = _Formatter()


def format_value(value: Any, unit: str) -> str:
    """One value as text in its unit; a missing one is a dash.

    >>> format_value(1234.5, "money"), format_value(0.123, "share"), format_value(None, "count")
    ('1,234', '12.3%', '–')
    """
    return _FORMATTER.format_field(value, unit if unit in _UNITS else "")
