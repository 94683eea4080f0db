"""The month in one Excel workbook, and each audience as a file of its own to work through or to hand over."""

from __future__ import annotations

import datetime as dt
import math
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custvalue.labels import catalogue, describe, heading, label, labels, text, unit_of
from custvalue.profiles import profile
from custvalue.review import labelled
from custvalue.tables import notes, save

if TYPE_CHECKING:
    import pandas as pd

    from custvalue.audiences import Audiences

__all__ = ["SCORECARD_ROWS", "save_audiences", "save_workbook", "workbook_name"]

#: The most customers on the sheet of the scorecard, the most valuable first; the files hold all of them.
SCORECARD_ROWS = 50_000
#: The most rows on the sheet of the audiences.
_AUDIENCE_ROWS = 100_000
_LONGEST = 32_000
_WIDTHS = (8, 60)
_FORMATS = {
    "money": "#,##0.00",
    "count": "#,##0",
    "days": "#,##0",
    "share": "0.0%",
    "number": "#,##0.00",
    "tenths": "#,##0.0",
    "plain": "#,##0.##",
    "date": "yyyy-mm-dd",
}
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": False,
}
_PROFILE = (
    "n_customers",
    "share_customers",
    "sales",
    "share_sales",
    "margin",
    "median_days_since_last",
    "clv_12m",
    "value_at_risk",
)
#: Of the results of campaigns, what the summary shows behind the first column.
_RESULTS = (
    "n_sent",
    "n_held_out",
    "response_rate",
    "response_rate_out",
    "uplift",
    "uplift_low",
    "uplift_high",
    "worked",
    "uplift_told",
    "cost",
    "cost_per_win",
    "gain",
    "return_rate",
)


def workbook_name(as_of: dt.date) -> str:
    """The file name of the workbook of a month.

    >>> workbook_name(dt.date(2025, 12, 31))
    'custvalue-2025-12.xlsx'
    """
    return f"custvalue-{as_of:%Y-%m}.xlsx"


def _clean(value: Any) -> str:
    """Text that a cell can hold: printable, on one line, not too long."""
    line = str(value)
    if not line.isprintable():
        line = "".join(character if character.isprintable() else " " for character in line)
    return line[:_LONGEST].strip()


def _places(words: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in words)


def _worded(frame: pd.DataFrame, language: str, words: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """The table with words for its codes and for yes and no."""
    from pandas.api import types

    said = {}
    for name in map(str, frame.columns):
        known = words.get(name) or (labels(name, language) if name in catalogue("labels") else {})
        if types.is_bool_dtype(frame[name]):
            yes_no = labels("yes_no", language)
            said[name] = frame[name].map({True: yes_no["yes"], False: yes_no["no"]})
        elif known and not types.is_numeric_dtype(frame[name]):
            texts = frame[name].astype(object)
            said[name] = texts.map(known).where(texts.isin(known), texts)
    return frame.assign(**said)


class _Book:
    """A workbook that is written from the first row of a sheet to its last, with one look for all tables."""

    def __init__(self, path: Path, as_of: dt.date, language: str, currency: str) -> None:
        import xlsxwriter

        self.book = xlsxwriter.Workbook(str(path), _OPTIONS)
        self.language, self.currency = language, currency
        made = dt.datetime.combine(as_of, dt.time())
        self.book.set_properties({"title": _clean(path.stem), "author": "custvalue", "created": made})
        look = {"valign": "top"}
        self.cells = {unit: self.book.add_format(look | {"num_format": form}) for unit, form in _FORMATS.items()}
        self.text = self.book.add_format(look)
        self.title = self.book.add_format({"bold": True, "font_size": 13})
        self.head = self.book.add_format(
            {"bold": True, "bg_color": "#e8eef4", "bottom": 1, "text_wrap": True, "valign": "top"}
        )

    def sheet(self, code: str) -> Any:
        """A new sheet, printed on A4 across, as wide as the paper."""
        sheet = self.book.add_worksheet(label("sheet", code, self.language))
        sheet.set_paper(9)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        return sheet

    def widths(self, sheet: Any, frame: pd.DataFrame) -> None:
        """Columns as wide as their heading (in two lines) and their first values."""
        for place, name in enumerate(map(str, frame.columns)):
            values = [self.shown(value, name) for value in frame.iloc[:200, place]]
            size = max([_places(self.heading(name)) // 2 + 2, *(_places(value) + 1 for value in values)])
            sheet.set_column(place, place, min(max(size, _WIDTHS[0]), _WIDTHS[1]))

    def heading(self, name: str) -> str:
        return _clean(heading(name, self.language, self.currency))

    def shown(self, value: Any, name: str) -> str:
        """About what Excel shows, to measure its width."""
        if isinstance(value, float):
            return "" if math.isnan(value) else f"{value:,.2f}"
        return str(value)[:10] if unit_of(name) == "date" else _clean(value)

    def line(self, sheet: Any, row: int, words: str, look: Any = None) -> int:
        sheet.write_string(row, 0, _clean(words), look)
        return row + 1

    def table(self, sheet: Any, row: int, frame: pd.DataFrame) -> int:
        """Write a table with its headings from a row on; the row below it."""
        sheet.set_row(row, 32)
        for place, name in enumerate(map(str, frame.columns)):
            sheet.write_string(row, place, self.heading(name), self.head)
        writers = [self.writer(sheet, str(name), frame[name]) for name in frame.columns]
        for values in zip(*(frame[name].tolist() for name in frame.columns), strict=True):
            row += 1
            for place, value in enumerate(values):
                writers[place](row, place, value)
        return row + 1

    def writer(self, sheet: Any, name: str, column: pd.Series) -> Any:
        """How the values of a column are written: days, numbers in their unit, or text that is never a formula."""
        from pandas.api import types

        unit = unit_of(name)
        look = self.cells.get(unit if unit in _FORMATS else "plain", self.text)
        if types.is_datetime64_any_dtype(column):
            return lambda row, place, value: self.day(sheet, row, place, value)
        if types.is_numeric_dtype(column) and not types.is_bool_dtype(column):
            return lambda row, place, value: self.number(sheet, row, place, value, look)
        return lambda row, place, value: self.words(sheet, row, place, value)

    def day(self, sheet: Any, row: int, place: int, value: Any) -> None:
        if value == value and value is not None and value.year >= 1900:
            sheet.write_datetime(row, place, value.to_pydatetime(), self.cells["date"])

    @staticmethod
    def number(sheet: Any, row: int, place: int, value: Any, look: Any) -> None:
        if value is not None and value == value and abs(value) != math.inf:
            sheet.write_number(row, place, value, look)

    def words(self, sheet: Any, row: int, place: int, value: Any) -> None:
        if value is not None and value == value:
            sheet.write_string(row, place, _clean(value), self.text)

    def list_sheet(self, code: str, frame: pd.DataFrame, faded: str = "") -> None:
        """A sheet with one long table: headings that stay, a filter, widths; rows with a yes in ``faded`` in grey."""
        sheet = self.sheet(code)
        self.widths(sheet, frame)
        sheet.freeze_panes(1, 1)
        sheet.repeat_rows(0)
        end = self.table(sheet, 0, frame)
        sheet.autofilter(0, 0, max(end - 1, 1), len(frame.columns) - 1)
        if faded in frame and len(frame):
            self.fade(sheet, list(frame.columns).index(faded), end - 1, len(frame.columns) - 1)

    def fade(self, sheet: Any, place: int, last_row: int, last_place: int) -> None:
        """Grey, struck out: rows with a yes in the column at ``place``, such as those whom nobody may contact."""
        from xlsxwriter.utility import xl_col_to_name

        yes = labels("yes_no", self.language)["yes"]
        grey = self.book.add_format({"font_color": "#8a8a8a", "font_strikeout": True})
        rule = {"type": "formula", "criteria": f'=${xl_col_to_name(place)}2="{yes}"', "format": grey}
        sheet.conditional_format(1, 0, last_row, last_place, rule)


def _group_table(scorecard: pd.DataFrame, by: str) -> pd.DataFrame:
    found = profile(scorecard.assign(mean_order_value=math.nan), by)
    return found[[by, *(column for column in _PROFILE if column in found)]]


def _add_chart(book: _Book, sheet: Any, frame: pd.DataFrame, first: int, place: int) -> None:
    """A native chart of a table of groups that starts at row ``first``: their shares of customers and of sales."""
    name, end = sheet.get_name().replace("'", "''"), first + len(frame)
    chart = book.book.add_chart({"type": "column"})
    for column, colour in (("share_customers", "#9a9a9a"), ("share_sales", "#0072b2")):
        at = list(frame.columns).index(column)
        chart.add_series(
            {
                "name": [name, first, at],
                "categories": [name, first + 1, 0, end, 0],
                "values": [name, first + 1, at, end, at],
                "fill": {"color": colour},
                "gap": 60,
            }
        )
    chart.set_title({"name": text("plots.groups_title", book.language), "name_font": {"size": 12, "bold": False}})
    chart.set_y_axis({"num_format": "0%", "major_gridlines": {"visible": True, "line": {"color": "#e4e4e4"}}})
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 720, "height": 320})
    sheet.insert_chart(place, 0, chart, {"description": text("plots.groups_title", book.language)})


def _group_sheet(book: _Book, code: str, kinds: Iterable[str], scorecard: pd.DataFrame, charted: bool) -> None:
    """A sheet with one table for each way of grouping; with a chart below where there is one grouping."""
    sheet, row = book.sheet(code), 0
    words = {"quadrant": labels(_quadrant_kind(scorecard), book.language)}
    for kind in kinds:
        frame = _worded(_group_table(scorecard, kind), book.language, words)
        book.widths(sheet, frame) if row == 0 else None
        start = row
        row = book.table(sheet, row, frame) + 1
        if charted and frame["share_sales"].notna().any():
            _add_chart(book, sheet, frame, start, row)
    sheet.freeze_panes(1, 1)


def _quadrant_kind(scorecard: pd.DataFrame) -> str:
    from custvalue.matrix import margin_note

    return "quadrant_sales_only" if margin_note(scorecard) else "quadrant"


def _in_words(scorecard: pd.DataFrame, language: str) -> pd.DataFrame:
    """The scorecard as a reader sees it: words in place of codes."""
    written = labelled(scorecard, language)
    coded = [name for name in written.columns if f"{name}_label" in written.columns]
    told = written.assign(**{name: written[f"{name}_label"] for name in coded})
    return told[[name for name in told.columns if not name.endswith("_label")]]


def _summary_sheet(
    book: _Book, as_of: dt.date, scorecard: pd.DataFrame, found: Audiences | None, told: pd.DataFrame | None
) -> None:
    sheet, language = book.sheet("summary"), book.language
    sheet.set_column(0, 0, 46)
    sheet.set_column(1, 30, 15)
    row = book.line(sheet, 0, text("pages.title", language, as_of=as_of), book.title)
    sums = {name: scorecard[name].sum() for name in ("sales", "clv_12m", "value_at_risk")}
    said = text("tables.workbook_summary", language, n=len(scorecard), currency=book.currency, **sums)
    row = book.line(sheet, row, said) + 1
    if found is not None:
        filled = found.summary[found.summary["n_to_contact"] + found.summary["n_held_out"] > 0]
        row = book.table(sheet, row, _worded(filled, language, {"audience": found.titles})) + 1
    if told is not None and len(told):
        row = book.table(sheet, row, told) + 1
    remarks = list(notes("audiences", found.notes, language).texts) if found is not None else []
    if len(scorecard) > SCORECARD_ROWS:
        remarks.append(text("tables.workbook_cut", language, n=SCORECARD_ROWS, all=len(scorecard)))
    for remark in remarks:
        row = book.line(sheet, row, remark)


def _told(results: pd.DataFrame, language: str, words: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """What the summary shows of the campaigns, in words."""
    return _worded(results[[results.columns[0], *(name for name in _RESULTS if name in results)]], language, words)


def _glossary(book: _Book, frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Heading and meaning of every column of the workbook that the catalogue explains."""
    import pandas as pd

    names = dict.fromkeys(str(name) for frame in frames for name in frame.columns)
    known = [name for name in names if describe(name, book.language)]
    meanings = [describe(name, book.language) for name in known]
    return pd.DataFrame({"column": [book.heading(name) for name in known], "help": meanings}, dtype="str")


def save_workbook(
    folder: str | Path,
    as_of: dt.date,
    scorecard: pd.DataFrame,
    found: Audiences | None = None,
    results: pd.DataFrame | None = None,
    *,
    language: str = "en",
    currency: str = "",
    words: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Write ``custvalue-YYYY-MM.xlsx``: summary, tiers, matrix, stages, audiences, scorecard, glossary.

    ``found`` are the audiences of the month (:func:`custvalue.audiences.audience_lists`), ``results`` those of the
    campaigns (:func:`custvalue.uplift.campaign_results`), ``words`` those of the data's own codes, {column: {code:
    word}}. An empty ``folder`` writes nothing. Headings stay and have filters, numbers their unit; tiers and stages
    have a chart. Text is written as text, so that nothing in the data can become a formula or a link. Of more than
    50,000 customers the most valuable are on the sheet of the scorecard, and the summary says so. Of the audiences the
    held-out are grey and struck out. The same input gives the same bytes.

    >>> save_workbook("", dt.date(2025, 12, 31), None)
    """
    if not str(folder):
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    book = _Book(Path(folder) / workbook_name(as_of), as_of, language, currency)
    best = scorecard.sort_values(["clv_12m", "customer_id"], ascending=[False, True], kind="stable")
    shown = _in_words(best.head(SCORECARD_ROWS), language)
    told = None if results is None else _told(results, language, words or {})
    _summary_sheet(book, as_of, scorecard, found, told)
    _group_sheet(book, "tiers", ["tier"], scorecard, charted=True)
    _group_sheet(book, "matrix", ["quadrant", "value_class"], scorecard, charted=False)
    _group_sheet(book, "stages", ["stage"], scorecard, charted=True)
    frames = [shown, _group_table(scorecard.head(0), "tier")]
    if found is not None:
        listed = _worded(found.lists.head(_AUDIENCE_ROWS), language, {"audience": found.titles})
        book.list_sheet("audiences", listed, faded="held_out")
        frames += [listed, found.summary]
    book.list_sheet("scorecard", shown)
    book.list_sheet("glossary", _glossary(book, [*frames, *([] if results is None else [results])]))
    book.book.close()


def save_audiences(found: Audiences, folder: str | Path, language: str = "en", currency: str = "") -> None:
    """Write each list as ``audience_NAME.csv`` and all of them as ``audiences.parquet``; an empty ``folder``: nothing.

    A CSV holds those to contact, in the order of the list, with headings and words in the language, for Excel (UTF-8
    with byte order mark, no formulas); the held-out are not in it, so that nobody writes to them by mistake. The
    Parquet file holds everybody with ``held_out``, in codes: next month's report reads it to see what worked.

    >>> save_audiences(None, "")
    """
    if not str(folder):
        return
    lists = found.lists
    told = _worded(lists, language, {"audience": found.titles}).drop(columns=["held_out", "audience"])
    money = {name: 2 for name in told.columns if unit_of(str(name)) == "money"}
    told = told.round(money).rename(columns={name: heading(str(name), language, currency) for name in told.columns})
    for name in found.titles:
        save(told[(lists["audience"] == name) & ~lists["held_out"].astype(bool)], folder, f"audience_{name}")
    texts = {column: "str" for column in lists.columns if lists[column].dtype == "category"}
    Path(folder).mkdir(parents=True, exist_ok=True)
    lists.astype(texts).to_parquet(Path(folder) / "audiences.parquet", index=False)
