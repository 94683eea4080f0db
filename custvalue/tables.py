"""Finished tables and sentences as a reader sees them: words, units, HTML and plain text; CSV files."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Number
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api import types

from custvalue.labels import catalogue, describe, format_value, heading, labels, text, unit_of, with_currency
from custvalue.strategy import strategy_table

__all__ = [
    "Advice",
    "Sentence",
    "Sentences",
    "ShownTable",
    "advise",
    "cut_words",
    "filled",
    "glossary",
    "notes",
    "quadrant_words",
    "save",
    "say",
    "show",
]

_MISSING = "–"
#: Longer cells are cut; the files hold them in full.
_LONGEST = 160
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_STYLES = {
    "number": "text-align:right",
    "date": "text-align:left;white-space:nowrap",
    "text": "text-align:left",
}
_ONE_LINE = ";white-space:nowrap"
_PAGE = """\
<table class="cv-table" border="0">
{%- if table.title %}
<caption>{{ table.title }}</caption>
{%- endif %}
<thead><tr>
{%- for column in table.columns %}
<th style="{{ styles[column.align] }}"
{%- if column.help %} title="{{ column.help }}"{% endif %}>{{ column.heading }}</th>
{%- endfor %}
</tr></thead>
<tbody>
{%- for row in table.rows %}
<tr>
{%- for cell in row %}<td style="{{ cells[loop.index0] }}">{{ cell }}</td>{% endfor -%}
</tr>
{%- endfor %}
</tbody>
</table>
{%- if table.note %}
<p class="cv-note">{{ table.note }}</p>
{%- endif %}"""


_ADVICE = """\
<div class="cv-advice">
{%- for title, items in groups %}
<section><h4>{{ title }}</h4><dl>
{%- for word, said in items %}
<dt>{{ word }}</dt><dd>{{ said }}</dd>
{%- endfor %}
</dl></section>
{%- endfor %}
</div>"""


@cache
def _template(source: str) -> Any:
    from jinja2 import Environment

    return Environment(autoescape=True).from_string(source)


def filled(source: str, **values: Any) -> str:
    """A template of HTML with its values, all of them escaped."""
    return _template(source).render(**values)


@dataclass(frozen=True)
class ShownColumn:
    """Heading, meaning and alignment (``number``, ``date`` or ``text``) of one shown column."""

    heading: str
    help: str
    align: str


@dataclass(frozen=True)
class ShownTable:
    """A table of finished texts, shown as HTML in a notebook and as aligned text elsewhere."""

    title: str
    columns: tuple[ShownColumn, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str

    def _repr_html_(self) -> str:
        cells = [_STYLES[column.align] + (_ONE_LINE if column.align == "number" else "") for column in self.columns]
        return filled(_PAGE, table=self, styles=_STYLES, cells=cells)

    def __repr__(self) -> str:
        lines = [[column.heading for column in self.columns], *self.rows]
        widths = [max(map(_width, cells)) for cells in zip(*lines, strict=True)]
        table = ["  ".join(map(_padded, line, widths, self.columns)).rstrip() for line in lines]
        return "\n".join(filter(None, [self.title, *table, self.note]))


@dataclass(frozen=True)
class Sentence:
    """A sentence of the catalogue with its values, shown as a paragraph in a notebook."""

    text: str

    def _repr_html_(self) -> str:
        return f'<p class="cv-say">{html.escape(self.text)}</p>'

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Sentences:
    """Several sentences, each a paragraph in a notebook; nothing at all where there are none."""

    texts: tuple[str, ...]

    def _repr_html_(self) -> str:
        return "".join(f'<p class="cv-note">{html.escape(text)}</p>' for text in self.texts)

    def __repr__(self) -> str:
        return "\n".join(self.texts)


@dataclass(frozen=True)
class Advice:
    """What to do with each group: a title and (word, text) pairs a group, shown as cards in a notebook."""

    groups: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]

    def _repr_html_(self) -> str:
        return filled(_ADVICE, groups=self.groups)

    def __repr__(self) -> str:
        return "\n\n".join("\n".join([title, *(f"  {w}: {s}" for w, s in items)]) for title, items in self.groups)


def _width(word: str) -> int:
    """Places a word takes on a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in word)


def _padded(cell: str, width: int, column: ShownColumn) -> str:
    blank = " " * (width - _width(cell))
    return blank + cell if column.align == "number" else cell + blank


def _clean(value: Any) -> str:
    """Text on one line, without control characters."""
    return "".join(character if character.isprintable() else " " for character in str(value)).strip()


def _short(words: str) -> str:
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"


def _cell(value: Any, unit: str, words: Mapping[str, str], language: str) -> str:
    if types.is_scalar(value) and pd.isna(value):
        return _MISSING
    if types.is_bool(value):
        return labels("yes_no", language)["yes" if value else "no"]
    if hasattr(value, "strftime"):
        return format_value(value, "date")
    if isinstance(value, Number) and unit not in ("text", "date"):
        return format_value(value, unit)
    return _short(_clean(words.get(str(value), value)))


def _align(series: pd.Series, unit: str, words: Mapping[str, str]) -> str:
    if unit == "date" or types.is_datetime64_any_dtype(series):
        return "date"
    numeric = types.is_numeric_dtype(series) and not types.is_bool_dtype(series)
    return "number" if not words and unit != "text" and (unit or numeric) else "text"


def _unit(series: pd.Series, name: str, otherwise: str) -> str:
    """The unit of a column; ``otherwise`` is that of fractions in a column the catalogue does not know."""
    return unit_of(name) or (otherwise if types.is_float_dtype(series) else "")


def _words(name: str, language: str, currency: str, own: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    """Words for the codes of a column; a code that is itself a column of money is named with the currency."""
    if name in own:
        return own[name]
    words = labels(name, language) if name in catalogue("labels") else {}
    return {c: with_currency(w, language, currency if unit_of(c) == "money" else "") for c, w in words.items()}


def _note(rows_left_out: int, empty: bool, language: str) -> str:
    if empty:
        return text("tables.no_rows", language)
    if rows_left_out == 1:
        return text("tables.more_row", language)
    return text("tables.more_rows", language, n=rows_left_out) if rows_left_out else ""


def show(
    frame: pd.DataFrame,
    language: str = "en",
    *,
    currency: str = "",
    title: str = "",
    max_rows: int = 30,
    labels: Mapping[str, Mapping[str, str]] | None = None,
    unit: str = "number",
) -> ShownTable:
    """A finished table for its reader: headings, words and units put on; the index is not shown.

    Columns named like a kind of ``locale/labels.toml`` are codes and shown as words; ``labels`` gives the
    words of the data's own codes as ``{column: {code: word}}``, ``unit`` the unit of columns the catalogue does not
    know. Rows beyond ``max_rows`` are counted, not shown. All text is escaped in the HTML; the meaning of each column
    is the tooltip of its heading.

    >>> tiers = {"tier": ["gold", "iron"], "sales": [1234567.8, None], "share_sales": [0.25, 0.75]}
    >>> show(pd.DataFrame(tiers), currency="CNY")
    Tier      Sales (CNY)  Share of sales
    B · Gold    1,234,568           25.0%
    C · Iron            –           75.0%
    """
    shown = frame.head(max_rows)
    columns, cells = [], []
    for place, name in enumerate(map(str, frame.columns)):
        series = shown.iloc[:, place]
        measured, words = _unit(series, name, unit), _words(name, language, currency, labels or {})
        title_of = _clean(heading(name, language, currency))
        columns.append(ShownColumn(title_of, describe(name, language), _align(series, measured, words)))
        cells.append([_cell(value, measured, words, language) for value in series])
    note = _note(len(frame) - len(shown), frame.empty, language)
    return ShownTable(_clean(title), tuple(columns), tuple(zip(*cells, strict=True)), note)


def say(key: str, /, language: str = "en", **values: Any) -> Sentence:
    """A sentence of the catalogue with its values; ``key`` and values as in :func:`custvalue.labels.text`.

    >>> say("tables.more_rows", n=4970)
    … and 4,970 more rows
    """
    return Sentence(text(key, language, **values))


def notes(topic: str, codes: Iterable[str], language: str = "en") -> Sentences:
    """What a reader must know of a result: the sentences for the notes of an analysis, in ``locale/notes.toml``.

    A note may carry values behind a colon, divided by semicolons, which are put into its sentence.

    >>> notes("matrix", ("margin_rate_constant",))
    The margin rate is the same for every customer, so it can not tell them apart: both axes show sales.
    """
    kinds = ("part", "model", "quadrant", "value_class", "tier")
    parts = {code: word for kind in kinds for code, word in labels(kind, language).items()}
    split = (code.partition(":") for code in codes)
    comma = "；" if language == "zh" else "; "
    found = [
        text(f"notes.{topic}_{name}", language, part=comma.join(parts.get(one, one) for one in part.split(";")))
        for name, _, part in split
    ]
    return Sentences(tuple(dict.fromkeys(found)))


def advise(kind: str, language: str = "en", codes: Iterable[str] | None = None) -> Advice:
    """What to do with each group of a kind, from the strategy catalogue; ``codes`` chooses groups and their order.

    >>> advise("tier", codes=["gold"]).groups[0][0]
    'B · Gold'
    """
    fields = ("goal", "actions", "offer", "measure_text", "care")
    table = strategy_table(kind, language, codes)
    words = labels(kind, language)
    return Advice(
        tuple(
            (words[code], tuple((heading(field, language), row[field]) for field in fields))
            for code, row in zip(table[kind], table.to_dict("records"), strict=True)
        )
    )


def quadrant_words(notes: Iterable[str], language: str = "en") -> dict[str, str]:
    """The words for the quadrants of a matrix with these notes: of sales only where margin could not be compared.

    >>> quadrant_words(("margin_unknown",))["high_high"]
    'High sales (margin not compared)'
    """
    sales_only = any(code in ("margin_unknown", "margin_rate_constant") for code in notes)
    return labels("quadrant_sales_only" if sales_only else "quadrant", language)


def cut_words(matrix: Any, language: str = "en", currency: str = "") -> Sentence:
    """Where high begins on each axis of a matrix and by which rule.

    >>> from custvalue.matrix import sales_margin_matrix
    >>> customers = pd.DataFrame({"customer_id": list("abcd"), "sales": [10.0, 20.0, 90.0, 80.0], "margin": 9.0})
    >>> cut_words(sales_margin_matrix(customers, cuts=(30, 0.2)), currency="CNY").text[:42]
    'Sales (CNY): high is above 30.00, a limit '
    """
    axes = {matrix.x: (matrix.x_cut, matrix.x_rule), matrix.y: (matrix.y_cut, matrix.y_rule)}
    sentences = [_cut_sentence(axis, *found, language, currency) for axis, found in axes.items()]
    return Sentence(("" if language == "zh" else " ").join(sentences))


def _cut_sentence(axis: str, cut: float, rule: str | float, language: str, currency: str) -> str:
    kind, _, level = str(rule).partition(":") if isinstance(rule, str) else ("quantile", "", rule)
    kind, level = (kind, level) if kind.isalpha() else ("quantile", kind)
    what, said = heading(axis, language, currency), format_value(cut, unit_of(axis) or "number")
    return text(f"findings.cut_{kind}", language, what=what, cut=said, level=float(level or 0))


def glossary(columns: Iterable[str], language: str = "en") -> pd.DataFrame:
    """What columns mean: one row per column the catalogue explains, as ``column`` (heading) and ``help``.

    >>> glossary(["n_repeats", "shoe_size"])["column"].tolist()
    ['Repeat purchases']
    """
    known = [name for name in columns if describe(name, language)]
    meaning = {
        "column": [heading(name, language) for name in known],
        "help": [describe(name, language) for name in known],
    }
    return pd.DataFrame(meaning, dtype="str")


def _inert(value: Any) -> Any:
    """Text that a spreadsheet neither runs as a formula nor breaks into rows; anything else as it is."""
    if not isinstance(value, str):
        return value
    guard = "'" if value.startswith(_FORMULA_STARTS) else ""
    return guard + value.replace("\r\n", "\n").replace("\r", "\n")


def _inert_column(series: pd.Series) -> pd.Series:
    plain = types.is_numeric_dtype(series) or types.is_datetime64_any_dtype(series)
    return series if plain else series.astype(object).map(_inert)


def save(frame: pd.DataFrame, folder: str | Path, name: str) -> None:
    """Write a table as ``<folder>/<name>.csv`` for a spreadsheet; an empty ``folder`` writes nothing.

    UTF-8 with byte order mark, ``\\n`` line ends, no index; the folder is made where missing. Text beginning
    with ``=``, ``+``, ``-``, ``@``, tab or carriage return gets an apostrophe before it, so that it is not
    run as a formula; carriage returns inside become line feeds, which stay within their cell.

    >>> save(pd.DataFrame({"customer_id": ["=1+1"]}), "", "customers")
    """
    if not str(folder):
        return
    inert = frame.rename(columns=_inert)
    for place in range(inert.shape[1]):
        inert.isetitem(place, _inert_column(inert.iloc[:, place]))
    Path(folder).mkdir(parents=True, exist_ok=True)
    inert.to_csv(Path(folder) / f"{name}.csv", index=False, encoding="utf-8-sig", lineterminator="\n")
