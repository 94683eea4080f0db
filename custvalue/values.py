"""One raw column becomes ids, dates, numbers or words; what can not be understood becomes null, never a guess.

Everything is an Ibis expression, so it runs where the data are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from custvalue.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["MONEY", "as_date", "as_id", "as_money", "as_number", "as_text", "date_reading", "decimal_mark"]

#: Money inside the engine: exact, four decimals.
MONEY = "decimal(18, 4)"

_EMPTY = ("", "nan", "null", "none", "n/a", "#n/a", "na", "nat", "<na>")
_TIME = r"(?:[ T].*)?$"
_YMD = r"^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?" + _TIME
_COMPACT = r"^(\d{4})(\d{2})(\d{2})(?:\.0+)?$"
_POINT = r"\d\.\d{1,2}\D*$|\d\.\d{4,}|,\d{3}\."
_COMMA = r"^\D*(\d+|\d{1,3}(\.\d{3})+),(\d{1,2}|\d{4,})\D*$"
_EITHER = r"^\D*[1-9]\d{0,2}(,\d{3})+\D*$"
_XXY = r"^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})" + _TIME


def as_text(column: ir.Value) -> ir.Value:
    """Text without surrounding blanks; empty is null."""
    text = column.cast("string").strip()
    return text.lower().isin(_EMPTY).ifelse(None, text)


def as_id(column: ir.Value) -> ir.Value:
    """An id as text: leading zeros and long numbers survive, ``17850.0`` is ``17850``."""
    if column.type().is_floating():
        whole = column == column.floor()
        column = whole.ifelse(column.try_cast("int64").cast("string"), column.cast("string"))
    return as_text(column).re_replace(r"^(\d+)\.0+$", r"\1")


def decimal_mark(columns: list[ir.Value], given: str = "") -> str:
    """The decimal mark of all number columns of a file together: ``,`` where only commas can be decimal marks.

    Raises
    ------
    DataError
        Commas are decimal marks in some values, and could be either in others (``1,234``).
    """
    if given:
        return given
    comma, either, example = 0, 0, ""
    for column in columns:
        if not column.type().is_string():
            continue
        text = column.strip()
        if text.re_search(_POINT).any().execute():
            return "."
        comma += int(text.re_search(_COMMA).sum().execute() or 0)
        doubtful = text.re_search(_EITHER)
        found = text.as_table().aggregate(n=doubtful.sum(), example=text.max(where=doubtful)).execute().iloc[0]
        either, example = either + int(found["n"] or 0), found["example"] or example
    if comma and either:
        raise DataError(
            "ambiguous_numbers", got=example, comma=example.replace(",", "."), point=example.replace(",", "")
        )
    return "," if comma else "."


def as_number(column: ir.Value, decimal: str = ".") -> ir.Value:
    """A number; currency signs, blanks, thousands marks, brackets or a trailing minus for negatives are understood."""
    import ibis

    if column.type().is_numeric():
        number = column.cast("float64")
        return (number.isnan() | number.isinf()).ifelse(ibis.null("float64"), number)
    text = column.cast("string").re_replace(r"[\s$€£¥￥元]|CNY|RMB|USD|EUR|GBP", "")
    text = text.re_replace(r"^\((.*)\)$", r"-\1").re_replace(r"^([\d.,]+)-$", r"-\1")
    if decimal == ",":
        strange = text.re_search(r"\.\d{1,2}$|\.\d{4,}|,.*[.,]")
        text = strange.ifelse("", text.replace(".", "").replace(",", "."))
    grouped = text.re_search(r"^[-+]?\d{1,3}(,\d{3})+(\.\d*)?$")
    plain = grouped.ifelse(text.replace(",", ""), text)
    sound = plain.re_search(r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")
    return sound.ifelse(plain.try_cast("float64"), ibis.null("float64"))


def as_money(column: ir.Value, decimal: str = ".") -> ir.Value:
    """A sum of money as an exact decimal; null where it is no number or beyond 10**14."""
    if column.type().is_decimal() or column.type().is_integer():
        return column.try_cast(MONEY)
    return as_number(column, decimal).try_cast(MONEY)


def _part(column: ir.Value, pattern: str, group: int) -> ir.Value:
    return column.re_extract(pattern, group).try_cast("int64")


def date_reading(column: ir.Value, given: str = "") -> str:
    """How the dates of a column are to be read: ``typed``, ``ymd``, ``dmy`` or ``mdy``, by all its values together.

    Raises
    ------
    DataError
        Day and month can not be told apart (no day above 12 anywhere); both readings are shown.
    """
    if column.type().is_temporal():
        return "typed"
    if given:
        return given
    text = column.cast("string").strip()
    first, second = _part(text, _XXY, 1), _part(text, _XXY, 2)
    found = (
        text.as_table()
        .aggregate(
            n=text.re_search(_XXY).sum(),
            dmy=((first > 12) & (second <= 12)).sum(),
            mdy=((first <= 12) & (second > 12)).sum(),
            differ=(first != second).sum(),
            example=text.nullif("").arbitrary(where=first != second),
        )
        .execute()
        .iloc[0]
    )
    if not found["n"] > 0:
        return "ymd"
    if found["dmy"] == found["mdy"] and found["differ"]:
        raise DataError("ambiguous_dates", got=found["example"], **_readings(found["example"]))
    return "dmy" if found["dmy"] >= found["mdy"] else "mdy"


def _readings(example: str) -> dict[str, str]:
    import re

    a, b, year = re.match(_XXY, example).groups()
    year = year if len(year) == 4 else f"20{year}"
    return {"dmy": f"{year}-{int(b):02d}-{int(a):02d}", "mdy": f"{year}-{int(a):02d}-{int(b):02d}"}


def as_date(column: ir.Value, reading: str) -> ir.Value:
    """A day, in one reading for the whole column; null where it is no date of the calendar.

    Times are cut off. Years of two digits: 70 to 99 are 19xx, others 20xx.
    """
    import ibis

    if reading == "typed":
        return column.cast("date")
    text = column.cast("string").strip()
    day_at, month_at = (1, 2) if reading == "dmy" else (2, 1)
    iso = ibis.cases(
        (text.re_search(_YMD), _iso(text, _YMD, 1, 2, 3)),
        (text.re_search(_COMPACT), _iso(text, _COMPACT, 1, 2, 3)),
        (text.re_search(_XXY) & ibis.literal(reading != "ymd"), _iso(text, _XXY, 3, month_at, day_at)),
        else_=ibis.null("string"),
    )
    return iso.try_cast("date")


def _iso(text: ir.Value, pattern: str, year_at: int, month_at: int, day_at: int) -> ir.Value:
    year = _part(text, pattern, year_at)
    short = text.re_extract(pattern, year_at).length() == 2
    year = (short & (year < 70)).ifelse(year + 2000, short.ifelse(year + 1900, year))
    parts = [
        year.cast("string").lpad(4, "0"),
        _part(text, pattern, month_at).cast("string").lpad(2, "0"),
        _part(text, pattern, day_at).cast("string").lpad(2, "0"),
    ]
    return parts[0] + "-" + parts[1] + "-" + parts[2]
