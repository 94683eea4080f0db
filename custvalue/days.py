"""One raw column becomes days: the whole column decides how its dates are to be read.

Every value is read by its own form; only where day and month could be exchanged, or a number could be several things,
the column as a whole decides. Days are computed with whole numbers, so every engine gives the same.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from custvalue.errors import DataError
from custvalue.values import how_many, plain_digits, unpadded

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

__all__ = ["DateReading", "as_date", "date_reading"]

_MARKED = "^'|^=\"|[０-９／－：]"
_DAY = 86_400
#: Days of the calendar as text, leap years included; there is no year 0.
_YEAR = r"(?:[1-9]\d{3}|0[1-9]\d{2}|00[1-9]\d|000[1-9])"
_LEAP_YEAR = r"(?:\d{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_CALENDAR = (
    rf"^{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)"
    rf"|02-(?:0[1-9]|1\d|2[0-8]))$|^{_LEAP_YEAR}-02-29$"
)
_EPOCH = dt.date(1970, 1, 1)
_SERIAL_ZERO = -25_569  #: day 0 of Excel, 1899-12-30, in days since 1970-01-01

_HALF = "(?:上午|下午|凌晨|早上|中午|晚上|[AaPp]\\.?[Mm]\\.?)"
_TIME = rf"日?(?:[ T]*{_HALF}? *\d{{1,2}}[:时点].*|[ T]+\d{{1,2}}(?:[.hH].*)?|[ ,]*(?:星期|周|\().*)?$"
_WEEKDAY = r"(?:(?:[Mm]on|[Tt]ues?|[Ww]ed(?:nes)?|[Tt]hu(?:rs)?|[Ff]ri|[Ss]at(?:ur)?|[Ss]un)(?:day)?,? +)?"
_NTH = r"(\d{1,2})(?:st|nd|rd|th)?"
_OFFSET = r"(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})(?: *\(.*\))?$"

#: Form of a date -> its pattern and the groups of year, month and day. ``xxy`` is dmy or mdy.
_FORMS = {
    "ymd": (r"^(\d{4})[-/.年] *(\d{1,2})[-/.月] *(\d{1,2})" + _TIME, (1, 2, 3)),
    "compact": (r"^(\d{4})(\d{2})(\d{2})(?:\.0+|\d{6}(?:\.\d+)?|[ T]+\d{1,2}:?\d{2}.*)?$", (1, 2, 3)),
    "xxy": (r"^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{1,2})" + _TIME, (3, 0, 0)),
    "day_name": (rf"^{_WEEKDAY}{_NTH}[-/. ]+([A-Za-z]{{3,9}})\.?,?[-/. ]+(\d{{4}}|\d{{2}}),?" + _TIME, (3, 2, 1)),
    "name_day": (rf"^{_WEEKDAY}([A-Za-z]{{3,9}})\.? +{_NTH},? +(\d{{4}}),?" + _TIME, (3, 1, 2)),
    "ymd_name": (r"^(\d{4})[-/. ]([A-Za-z]{3,9})[-/. ](\d{1,2})" + _TIME, (1, 2, 3)),
}
_NUMBERS = {
    "serial": r"^[2-7]\d{4}(?:\.\d+)?$",
    "seconds": r"^\d{10}(?:\.\d+)?$",
    "milliseconds": r"^\d{13}(?:\.\d+)?$",
    "count": r"^(?:\d{1,4}|1\d{4})(?:\.0+)?$",
}
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
           "december")  # fmt: skip
_NAMES = {name: i for i, month in enumerate(_MONTHS, 1) for name in (month, month[:3])} | {"sept": 9}


@dataclass(frozen=True)
class DateReading:
    """How the dates of a column are to be read.

    forms
        The forms that occur: ``typed``, ``ymd``, ``xxy``, ``compact``, ``day_name``, ``name_day``, ``ymd_name``,
        ``serial``, ``seconds``, ``milliseconds``, ``count``.
    order
        Of ``xxy``: ``dmy``, ``mdy`` or ``ymd`` (a year of two digits first).
    offsets
        How far the clocks of the time zone are ahead, (first second, offset in seconds), over the span of the column:
        an instant (a time with an offset, or seconds since 1970) falls on the day of these clocks. Empty: the day as
        written, and UTC for seconds.
    marked
        Whether marks or full-width digits have to be taken off first.
    day_one
        The day that a count of days calls 1.
    """

    forms: tuple[str, ...]
    order: str = "ymd"
    offsets: tuple[tuple[int, int], ...] = ()
    marked: bool = False
    day_one: dt.date | None = None


def _plain(column: ir.Value) -> ir.Value:
    """The written form without blanks around; numbers as whole numbers."""
    import ibis

    if column.type().is_numeric():
        sane = column.abs() < 1e15
        whole = sane.ifelse(column, ibis.literal(0).cast(column.type())).floor().cast("int64").cast("string")
        return sane.ifelse(whole, ibis.null("string"))
    return unpadded(column.cast("string"))


def _unmarked(text: ir.Value) -> ir.Value:
    """Without the marks of a spreadsheet that keeps a number as text, and with the usual digits."""
    return plain_digits(unpadded(text.re_replace(r"^'|^=\"|\"$", "")))


def _part(text: ir.Value, pattern: str, group: int) -> ir.Value:
    """A group of digits as a whole number; null where the pattern is not there."""
    return text.re_extract(pattern, group).nullif("").cast("int64")


def _form_counts(text: ir.Value) -> pd.Series:
    patterns = {name: pattern for name, (pattern, _) in _FORMS.items()} | _NUMBERS
    counts = {name: how_many(text.re_search(pattern)) for name, pattern in patterns.items()}
    given = how_many(text.notnull() & (text != ""))
    return text.name("text").as_table().aggregate(given=given, **counts).execute().iloc[0]


def _forms_of(text: ir.Value) -> tuple[str, ...]:
    """The forms that occur in a column; mostly it is one, which is looked for first."""
    counts = _form_counts(text)
    forms = tuple(name for name in (*_FORMS, *_NUMBERS) if counts[name] > 0)
    only_counts = counts["count"] > 0 and counts["count"] == counts["given"]
    return forms if only_counts else tuple(name for name in forms if name != "count")


def _first_look(text: ir.Value) -> tuple[bool, bool]:
    """Whether all values are year, month and day, and whether any has marks around or full-width digits."""
    counts = {
        "given": how_many(text.notnull() & (text != "")),
        "ymd": how_many(text.re_search(_FORMS["ymd"][0])),
        "marked": how_many(text.re_search(_MARKED)),
    }
    found = text.name("text").as_table().aggregate(**counts).execute().iloc[0]
    return bool(found["given"] == found["ymd"]), bool(found["marked"] > 0)


def _order_of(text: ir.Value) -> str:
    """Whether day or month stands first in dates such as 03/04/2024, decided by all of them."""
    pattern = _FORMS["xxy"][0]
    first, second, third = (_part(text, pattern, i) for i in (1, 2, 3))
    dots = text.re_search(r"^\d{1,2}\.\d{1,2}\.")
    found = (
        text.name("text")
        .as_table()
        .filter(text.re_search(pattern))
        .aggregate(
            dmy=how_many((first > 12) & (second <= 12)),
            mdy=how_many((first <= 12) & (second > 12)),
            differ=how_many((first != second) & ~dots),
            dots=how_many(dots),
            n_first=first.nunique(),
            n_third=third.nunique(),
            highest=third.max(),
            one_digit=how_many(text.re_search(r"[-/.]\d(?:\D.*)?$") & (third < 10)),
            example=text.max(where=(first != second) & ~dots),
        )
        .execute()
        .iloc[0]
    )
    if found["one_digit"] > 0:
        return "ymd"
    if found["highest"] <= 31 and found["n_third"] > 12 and found["n_third"] > found["n_first"] and not found["mdy"]:
        return "ymd"
    if found["dmy"] == found["mdy"] and found["differ"] > 0:
        raise DataError("ambiguous_dates", got=found["example"], **_readings(found["example"]))
    return "mdy" if found["mdy"] > found["dmy"] else "dmy"


def _readings(example: str) -> dict[str, str]:
    a, b, year = re.match(_FORMS["xxy"][0], example).groups()
    year = year if len(year) == 4 else f"20{year}"
    return {"dmy": f"{year}-{int(b):02d}-{int(a):02d}", "mdy": f"{year}-{int(a):02d}-{int(b):02d}"}


def date_reading(column: ir.Value, given: str = "", zone: str = "", day_one: dt.date | None = None) -> DateReading:
    """How the dates of a column are to be read, by all its values together.

    Raises
    ------
    DataError
        Day and month can not be told apart (no day above 12 anywhere): both readings are shown; or the column counts
        days and nothing says which day is the first.
    """
    if column.type().is_temporal():
        return _typed(column, zone)
    text = _plain(column)
    all_ymd, marked = _first_look(text)
    text = _unmarked(text) if marked else text
    forms = ("ymd",) if all_ymd else _forms_of(text)
    if "count" in forms and day_one is None:
        digits = _part(text, r"^(\d+)", 1)
        raise DataError("dates_are_counts", low=int(digits.min().execute()), high=int(digits.max().execute()))
    order = given or (_order_of(text) if "xxy" in forms else "ymd")
    reading = DateReading(forms, order, marked=marked, day_one=day_one)
    return _in_zone(reading, _instant(text, reading), zone) if zone else reading


def _typed(column: ir.Value, zone: str) -> DateReading:
    own = getattr(column.type(), "timezone", None)
    return _in_zone(DateReading(("typed",)), column.epoch_seconds(), zone or own) if own else DateReading(("typed",))


def _in_zone(reading: DateReading, instant: ir.Value, zone: str) -> DateReading:
    """The reading with the offsets of a zone, where any value is an instant."""
    span = instant.name("at").as_table().aggregate(low=instant.min(), high=instant.max()).execute().iloc[0]
    if span.isna().any():
        return reading
    return replace(reading, offsets=_offsets(zone, int(span["low"]), int(span["high"])))


def _offset_at(zone: ZoneInfo, second: int) -> int:
    return int(dt.datetime.fromtimestamp(second, zone).utcoffset().total_seconds())


def _offsets(zone: str, low: int, high: int) -> tuple[tuple[int, int], ...]:
    """From which second on the clocks of a zone stand how many seconds ahead of UTC."""
    place = ZoneInfo(zone)
    low, high = max(low, 0), min(max(high, 0), 4_102_444_800)
    found = [(low, _offset_at(place, low))]
    for second in range(low, high + _DAY, _DAY):
        if _offset_at(place, second) != found[-1][1]:
            found.append((_change(place, second - _DAY, second), _offset_at(place, second)))
    return tuple(found)


def _change(place: ZoneInfo, before: int, after: int) -> int:
    """The second at which the clocks change, between two seconds with different offsets."""
    while after - before > 1:
        middle = (before + after) // 2
        same = _offset_at(place, middle) == _offset_at(place, before)
        before, after = (middle, after) if same else (before, middle)
    return after


def _month_number(name: ir.Value) -> ir.Value:
    return name.lower().cases(*((word, number) for word, number in _NAMES.items()), else_=None)


def _numbers_of(text: ir.Value, form: str, order: str) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Year, month and day of one form as whole numbers."""
    pattern, places = _FORMS[form]
    if form == "xxy":
        places = {"dmy": (3, 2, 1), "mdy": (3, 1, 2), "ymd": (1, 2, 3)}[order]
    year, month, day = places
    named = form.endswith("name") or form == "name_day"
    in_month = _month_number(text.re_extract(pattern, month)) if named else _part(text, pattern, month)
    short = _part(text, pattern, year)
    if form in ("xxy", "day_name"):
        short = (short < 70).ifelse(short + 2000, (short < 100).ifelse(short + 1900, short))
    return short, in_month, _part(text, pattern, day)


def _iso(year: ir.Value, month: ir.Value, day: ir.Value) -> ir.Value:
    """The text YYYY-MM-DD."""
    return _padded(year, 4) + "-" + _padded(month, 2) + "-" + _padded(day, 2)


def _padded(number: ir.Value, width: int) -> ir.Value:
    return number.cast("string").lpad(width, "0")


def _of_calendar(iso: ir.Value) -> ir.Value:
    """The day of a text YYYY-MM-DD, null where the calendar has none."""
    import ibis

    return iso.re_search(_CALENDAR).ifelse(iso, ibis.null("string")).cast("date")


def _days_after(number: ir.Value) -> ir.Value:
    """The date so many days after 1970-01-01."""
    import ibis

    return (ibis.literal(_EPOCH) + number.as_interval("D")).cast("date")


def _written_day(text: ir.Value, reading: DateReading) -> ir.Value:
    """The day as written, null where a value has no form with year, month and day."""
    import ibis

    forms = [form for form in _FORMS if form in reading.forms]
    cases = [(text.re_search(_FORMS[form][0]), _iso(*_numbers_of(text, form, reading.order))) for form in forms]
    return _of_calendar(ibis.cases(*cases, else_=ibis.null("string"))) if cases else ibis.null("date")


def _seconds_of_day(text: ir.Value) -> ir.Value:
    """Seconds since midnight of a written time; null where there is none."""
    clock = r"(\d{1,2}):(\d{2})(?::(\d{2}))?"
    hour, minute, second = (_part(text, clock, i) for i in (1, 2, 3))
    late = text.re_search(r"\d ?[Pp]\.?[Mm]|下午|晚上") & (hour < 12)
    early = text.re_search(r"\d ?[Aa]\.?[Mm]|上午|凌晨|早上") & (hour == 12)
    hour = late.ifelse(hour + 12, early.ifelse(0, hour))
    return hour * 3600 + minute * 60 + second.fill_null(0)


def _written_offset(text: ir.Value) -> ir.Value:
    """Seconds ahead of UTC behind a written time."""
    pattern = r"([+-])(\d{2}):?(\d{2})?(?: *\(.*\))?$"
    seconds = _part(text, pattern, 2) * 3600 + _part(text, pattern, 3).fill_null(0) * 60
    return text.re_search(r"-\d{2}:?\d{0,2}(?: *\(.*\))?$").ifelse(-seconds, seconds).fill_null(0)


def _instant(text: ir.Value, reading: DateReading) -> ir.Value:
    """Seconds since 1970 in UTC of values that name an instant; null for those that are times of local clocks."""
    import ibis

    none = ibis.null("int64")
    days = _written_day(text, reading).delta(ibis.literal(_EPOCH), unit="day").cast("int64")
    seconds = days * _DAY + _seconds_of_day(text) - _written_offset(text)
    zoned = text.re_search(r":\d{2}.*" + _OFFSET).ifelse(seconds, none)
    epochs = _epoch_seconds(text, reading.forms)
    return ibis.cases(*epochs, else_=zoned) if epochs else zoned


def _epoch_seconds(text: ir.Value, forms: tuple[str, ...]) -> list[tuple[ir.Value, ir.Value]]:
    width = {"seconds": 10, "milliseconds": 10}
    found = [form for form in width if form in forms]
    return [(text.re_search(_NUMBERS[form]), _part(text, r"^(\d{10})", 1)) for form in found]


def _local_day(instant: ir.Value, reading: DateReading) -> ir.Value:
    """The day number on the clocks of the zone at an instant."""
    import ibis

    later = [(instant >= start, offset) for start, offset in reversed(reading.offsets[1:])]
    first = ibis.literal(reading.offsets[0][1] if reading.offsets else 0)
    ahead = ibis.cases(*later, else_=first) if later else first
    return ((instant + ahead) / _DAY).floor().cast("int64")


def _number_day(text: ir.Value, reading: DateReading) -> ir.Value | None:
    """The day of the forms that are numbers; None where none of them occurs."""
    import ibis

    digits = _part(text, r"^(\d{1,10})", 1)
    cases = [(has, (second / _DAY).floor().cast("int64")) for has, second in _epoch_seconds(text, reading.forms)]
    if "serial" in reading.forms:
        cases.append((text.re_search(_NUMBERS["serial"]), digits + _SERIAL_ZERO))
    if "count" in reading.forms and reading.day_one:
        cases.append((text.re_search(_NUMBERS["count"]), digits + ((reading.day_one - _EPOCH).days - 1)))
    return _days_after(ibis.cases(*cases, else_=ibis.null("int64"))) if cases else None


def as_date(column: ir.Value, reading: DateReading) -> ir.Value:
    """A day, in one reading for the whole column; null where it is no date of the calendar.

    Times are cut off, after an instant has been put on the clocks of the zone. Years of two digits: 70 to 99
    are 19xx, others 20xx.
    """
    import ibis

    if "typed" in reading.forms:
        instant = column.epoch_seconds() if reading.offsets else None
        return column.cast("date") if instant is None else _days_after(_local_day(instant, reading))
    text = _unmarked(_plain(column)) if reading.marked else _plain(column)
    readings = [_days_after(_local_day(_instant(text, reading), reading))] if reading.offsets else []
    number = _number_day(text, reading)
    readings += [_written_day(text, reading)] if number is None else [_written_day(text, reading), number]
    return ibis.coalesce(*readings)
