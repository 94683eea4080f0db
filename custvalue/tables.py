"""Finished tables and sentences as a reader sees them: headings, words and units put on; CSV files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from numbers import Number
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api import types

from custvalue.labels import (
    catalogue,
    describe,
    format_value,
    heading,
    labels,
    money_unit,
    text,
    unit_of,
    with_currency,
)
from custvalue.shown import Advice, Missing, Sentence, Sentences, ShownColumn, ShownTable, filled, plain
from custvalue.strategy import code_words, strategy_table

__all__ = [
    "Advice",
    "Missing",
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
#: So many rows of a long table are put on a page, to be unfolded.
_UNFOLDED = 100
#: Tables of more rows are written by Arrow.
_LARGE = 100_000
#: Tables of fewer rows need no sorting.
_LONG = 8
#: What a spreadsheet takes for a formula, at the start or behind a mark that may end a cell; bounded, to be quick.
_FORMULA = re.compile(
    r"(^|[;\t\n])((?:[^\S\t\n]|[\x00-\x08\x0b-\x1f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]){0,64})(?=[=+\-@＝＋－＠])"
)


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
    return _short(plain(words.get(str(value), value)))


def _align(series: pd.Series, unit: str, words: Mapping[str, str]) -> str:
    if unit == "date" or types.is_datetime64_any_dtype(series):
        return "date"
    numeric = types.is_numeric_dtype(series) and not types.is_bool_dtype(series)
    return "number" if not words and unit != "text" and (unit or numeric) else "text"


def _unit(series: pd.Series, name: str, otherwise: str) -> str:
    """The unit of a column; ``otherwise`` is that of fractions in a column the catalogue does not know.

    Money is written alike down the whole column, with cents or without.
    """
    unit = unit_of(name) or (otherwise if types.is_float_dtype(series) else "")
    return money_unit(series.dropna()) if unit == "money" and types.is_numeric_dtype(series) else unit


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


def _keys(series: pd.Series) -> list[str]:
    """What the cells of a column are sorted by where their text does not do: codes by their order, numbers by their
    place among those of the column, which the last digits of a computation do not change.
    """
    if isinstance(series.dtype, pd.CategoricalDtype) and series.cat.ordered:
        return [str(code) if code >= 0 else "" for code in series.cat.codes]
    numbers = [float(f"{value:.9g}") if _is_number(value) else None for value in series]
    places = {number: str(place) for place, number in enumerate(sorted(set(numbers) - {None}))}
    return [places.get(number, "") for number in numbers]


def _is_number(value: Any) -> bool:
    return isinstance(value, Number) and not types.is_bool(value) and not pd.isna(value)


def show(
    frame: pd.DataFrame,
    language: str = "en",
    *,
    currency: str = "",
    title: str = "",
    max_rows: int = 30,
    labels: Mapping[str, Mapping[str, str]] | None = None,
    unit: str = "number",
    known_only: bool = False,
) -> ShownTable:
    """A finished table for its reader: headings, words and units put on; the index is not shown.

    Columns named like a kind of ``locale/labels.toml`` are codes and shown as words; ``labels`` gives the
    words of the data's own codes as ``{column: {code: word}}``, ``unit`` the unit of columns the catalogue does not
    know. Rows beyond ``max_rows`` are counted, not shown; up to row 100 a page can unfold them. All text is escaped in
    the HTML; the meaning of each column is the tooltip of its heading. With ``known_only`` columns without a value are
    left out, all of them where there is no row.

    >>> tiers = {"tier": ["gold", "iron"], "sales": [1234567.8, None], "share_sales": [0.25, 0.75]}
    >>> show(pd.DataFrame(tiers), currency="CNY")
    Tier      Sales (CNY)  Share of sales
    B · Gold    1,234,568           25.0%
    C · Iron            –           75.0%
    """
    frame = frame.dropna(axis="columns", how="all") if known_only else frame
    held = frame.head(max(max_rows, _UNFOLDED))
    columns, cells, keys = [], [], []
    for place, name in enumerate(map(str, frame.columns)):
        series = held.iloc[:, place]
        measured, words = _unit(series, name, unit), _words(name, language, currency, labels or {})
        title_of = plain(heading(name, language, currency))
        columns.append(ShownColumn(title_of, describe(name, language), _align(series, measured, words), name))
        cells.append([_cell(value, measured, words, language) for value in series])
        keys.append(_keys(series))
    rows = tuple(zip(*cells, strict=True))
    return ShownTable(
        plain(title),
        tuple(columns),
        rows[:max_rows],
        _note(max(len(frame) - max_rows, 0), frame.empty, language),
        rows[max_rows:],
        _note(len(frame) - len(held), False, language),
        tuple(zip(*keys, strict=True)) if len(held) >= _LONG else (),
    )


def say(key: str, /, language: str = "en", **values: Any) -> Sentence:
    """A sentence of the catalogue with its values; ``key`` and values as in :func:`custvalue.labels.text`.

    >>> say("tables.more_rows", n=4970)
    … and 4,970 more rows
    """
    return Sentence(text(key, language, **values))


def _part(named: str, parts: Mapping[str, str], language: str) -> str:
    """The word for a code in a note; ``kind/code`` where codes of several kinds share a name."""
    kind, slash, code = named.partition("/")
    if slash and kind in catalogue("labels"):
        return labels(kind, language).get(code, code)
    return parts.get(named, named.rpartition("/")[2])


def notes(topic: str, codes: Iterable[str], language: str = "en", lacking: bool | None = None) -> Sentences:
    """What a reader must know of a result: the sentences for the notes of an analysis, in ``locale/notes.toml``.

    A note may carry values behind a colon, divided by semicolons, which are put into its sentence. ``lacking`` chooses
    the notes on what the data lack (True), or the others (False).

    >>> notes("matrix", ("margin_rate_constant",))
    The margin rate is the same for every customer, so it can not tell them apart: they are divided by sales alone.
    """
    kinds = ("part_missing", "model", "quadrant", "value_class", "tier", "audience")
    parts = {code: word for kind in kinds for code, word in labels(kind, language).items()}
    chosen = (code for code in codes if lacking is None or ("missing:" in code) == lacking)
    split = (code.partition(":") for code in chosen)
    comma = "；" if language == "zh" else "; "
    found = [
        text(f"notes.{topic}_{name}", language, part=comma.join(_part(one, parts, language) for one in part.split(";")))
        for name, _, part in split
    ]
    return Sentences(tuple(dict.fromkeys(found)))


def advise(
    kind: str,
    language: str = "en",
    codes: Iterable[str] | None = None,
    texts: Mapping[str, Any] | None = None,
    folded: bool = False,
) -> Advice:
    """What to do with each group of a kind, from the strategy catalogue; ``codes`` chooses groups and their order.

    ``texts`` is the catalogue with a firm's own file laid over it, see :func:`custvalue.beside.read_strategy`;
    ``folded`` shows a line a group, which unfolds the rest.

    >>> advise("tier", codes=["gold"]).groups[0][0]
    'B · Gold'
    """
    table = strategy_table(kind, language, codes, texts)
    named, *fields = table.columns
    words = code_words(kind, language, texts)
    return Advice(
        tuple(
            (words[code], tuple((heading(field, language), row[field]) for field in fields))
            for code, row in zip(table[named], table.to_dict("records"), strict=True)
        ),
        folded,
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
    lines = value.replace("\r\n", "\n").replace("\r", "\n")
    guarded = _FORMULA.sub(r"\1'\2", lines)
    return f"'{guarded}" if lines.startswith(("\t", "\n")) else guarded


def _is_harmless(series: pd.Series) -> bool:
    """Whether a column of text holds no character at all that :func:`_inert` looks for."""
    return series.dtype == "str" and not series.str.contains(r"[=+\-@＝＋－＠\r\n\t]", regex=True, na=False).any()


def _inert_column(series: pd.Series) -> pd.Series:
    """A column for a spreadsheet: each distinct text is made inert once."""
    if types.is_numeric_dtype(series) or types.is_datetime64_any_dtype(series) or _is_harmless(series):
        return series
    if isinstance(series.dtype, pd.CategoricalDtype):
        codes, found = series.cat.codes, series.cat.categories
    else:
        codes, found = pd.factorize(series.astype(object))
    inert = pd.array([*map(_inert, found), None], dtype=object)
    return pd.Series(inert[codes], index=series.index)


def _write_large(frame: pd.DataFrame, path: Path) -> None:
    """A large table by Arrow, ten times as fast as by pandas; texts then stand in quotes."""
    import pyarrow as pa
    from pyarrow import csv

    dates = [c for c in frame if types.is_datetime64_any_dtype(frame[c])]
    days = {c: frame[c].dt.date for c in dates if (frame[c].dropna().dt.normalize() == frame[c].dropna()).all()}
    flags = {c: frame[c].map({True: "True", False: "False"}) for c in frame if types.is_bool_dtype(frame[c])}
    with path.open("wb") as file:
        file.write("\ufeff".encode())
        csv.write_csv(pa.Table.from_pandas(frame.assign(**days, **flags), preserve_index=False), file)


def save(frame: pd.DataFrame, folder: str | Path, name: str) -> None:
    """Write a table as ``<folder>/<name>.csv`` for a spreadsheet; an empty ``folder`` writes nothing.

    UTF-8 with byte order mark, ``\\n`` line ends, no index; the folder is made where missing. Text beginning
    with ``=``, ``+``, ``-``, ``@`` (also full-width, or behind blanks), tab or carriage return gets an apostrophe
    before it, so that it is not run as a formula; so does such a sign behind a semicolon, tab or line end inside,
    where another spreadsheet would begin a cell. Carriage returns inside become line feeds,
    which stay within their cell. In tables of more than 100,000 rows every text stands in quotes.

    >>> save(pd.DataFrame({"customer_id": ["=1+1"]}), "", "customers")
    """
    if not str(folder):
        return
    inert = frame.rename(columns=_inert)
    for place in range(inert.shape[1]):
        inert.isetitem(place, _inert_column(inert.iloc[:, place]))
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = Path(folder) / f"{name}.csv"
    if len(inert) > _LARGE and inert.columns.is_unique:
        _write_large(inert, path)
    else:
        inert.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\n")
