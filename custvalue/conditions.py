"""Conditions on the columns of a table, written in a small language of comparisons; a text is read, never run."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from custvalue.errors import UsageError, nearest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Condition", "matching", "read_condition", "read_order", "sorted_by"]

_LONGEST, _DEEPEST = 1000, 20
_WORDS = ("and", "or", "not", "in", "between", "is", "missing", "true", "false")
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<date>\d{4}-\d{2}-\d{2})(?![\w.-])
    | (?P<number>-?\d{1,15}(?:\.\d{1,15})?)(?![\w.])
    | (?P<text>'[^'\\\n]*'|"[^"\\\n]*")
    | (?P<quoted>`[^`\n]+`)
    | (?P<name>[^\W\d]\w*)
    | (?P<sign><=|>=|!=|<>|==|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
_SAME_SIGN = {"==": "=", "<>": "!="}
_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
_ORDERINGS = ("<", "<=", ">", ">=")
#: What a column may be compared with, by its kind.
_LITERALS = {
    "number": (int, float),
    "date": (dt.date,),
    "code": (str,),
    "text": (str, dt.date),
    "yes or no": (bool,),
}


@dataclass(frozen=True)
class _Token:
    kind: str
    value: Any
    place: int
    written: str


@dataclass(frozen=True)
class _Column:
    name: str


@dataclass(frozen=True)
class _Test:
    """One comparison: a column, what it is asked (``=``, ``<``, ``in``, ``missing`` ...) and the values it names."""

    column: str
    asks: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class _Joined:
    """Tests joined by ``and`` or ``or``, or one that is turned round by ``not``."""

    word: str
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Condition:
    """A condition as read: its text, and the names of the columns it asks for, in the order they stand in it."""

    text: str
    columns: tuple[str, ...]
    tree: Any


def _fail(text: str, part: str, place: int) -> UsageError:
    return UsageError("condition_syntax", condition=text[:200], part=part[:40], place=place + 1)


def _literal(kind: str, written: str) -> Any:
    if kind == "date":
        return dt.date.fromisoformat(written)
    if kind == "number":
        return float(written) if "." in written else int(written)
    return written[1:-1] if kind in ("text", "quoted") else written


def _token(text: str, found: re.Match[str]) -> _Token:
    kind, place = found.lastgroup or "", found.start(found.lastgroup or 0)
    written = found.group(kind)
    try:
        value = _literal(kind, written)
    except ValueError:
        raise _fail(text, written, place) from None
    if kind == "name" and written.lower() in _WORDS:
        return _Token("word", written.lower(), place, written)
    if kind == "sign":
        return _Token("sign", _SAME_SIGN.get(written, written), place, written)
    return _Token("name" if kind == "quoted" else kind, value, place, written)


def _tokens(text: str) -> list[_Token]:
    if len(text) > _LONGEST:
        raise UsageError("condition_too_long", n=len(text), allowed=_LONGEST, deep=_DEEPEST)
    tokens, place, end = [], 0, len(text.rstrip())
    while place < end:
        found = _TOKEN.match(text, place)
        if found is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            raise _fail(text, text[start:], start)
        tokens.append(_token(text, found))
        place = found.end()
    return [*tokens, _Token("end", None, end, "")]


class _Reader:
    """Reads tokens from left to right: or, and, not, then single tests."""

    def __init__(self, text: str) -> None:
        self.text, self.tokens, self.next, self.depth = text, _tokens(text), 0, 0

    def take(self, kind: str, *values: Any) -> _Token | None:
        """The next token where it is of the kind (and one of the values); None otherwise."""
        token = self.tokens[self.next]
        if token.kind != kind or (values and token.value not in values):
            return None
        self.next += 1
        return token

    def need(self, kind: str, *values: Any) -> _Token:
        token = self.take(kind, *values)
        if token is None:
            here = self.tokens[self.next]
            raise _fail(self.text, here.written or "…", here.place)
        return token

    def whole(self) -> Any:
        tree = self.joined("or", lambda: self.joined("and", self.one))
        self.need("end")
        return tree

    def joined(self, word: str, part: Callable[[], Any]) -> Any:
        parts = [part()]
        while self.take("word", word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else _Joined(word, tuple(parts))

    def one(self) -> Any:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise UsageError("condition_too_long", n=len(self.text), allowed=_LONGEST, deep=_DEEPEST)
        if self.take("word", "not"):
            found = _Joined("not", (self.one(),))
        elif self.take("sign", "("):
            found = self.joined("or", lambda: self.joined("and", self.one))
            self.need("sign", ")")
        else:
            found = self.test()
        self.depth -= 1
        return found

    def test(self) -> Any:
        column = self.need("name").value
        if sign := self.take("sign", *_COMPARISONS):
            return _Test(column, sign.value, (self.value(),))
        if self.take("word", "is"):
            return self.turned(bool(self.take("word", "not")), self.is_missing(column))
        turned = bool(self.take("word", "not"))
        if self.take("word", "between"):
            low = self.value()
            self.need("word", "and")
            return self.turned(turned, _Test(column, "between", (low, self.value())))
        self.need("word", "in")
        return self.turned(turned, _Test(column, "in", self.listed()))

    def is_missing(self, column: str) -> _Test:
        self.need("word", "missing")
        return _Test(column, "missing")

    @staticmethod
    def turned(turned: bool, test: _Test) -> Any:
        return _Joined("not", (test,)) if turned else test

    def listed(self) -> tuple[Any, ...]:
        self.need("sign", "(")
        values = [self.value()]
        while self.take("sign", ","):
            values.append(self.value())
        self.need("sign", ")")
        return tuple(values)

    def value(self) -> Any:
        if name := self.take("name"):
            return _Column(name.value)
        if word := self.take("word", "true", "false"):
            return word.value == "true"
        for kind in ("number", "date", "text"):
            if token := self.take(kind):
                return token.value
        return self.need("a value")


def _columns(tree: Any) -> list[str]:
    if isinstance(tree, _Joined):
        return [name for part in tree.parts for name in _columns(part)]
    return [tree.column, *(value.name for value in tree.values if isinstance(value, _Column))]


def read_condition(text: str) -> Condition:
    """A condition read from its text; nothing is looked up or computed yet.

    Comparisons of a column (``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=``) with a number, a 'text' in quotes, a day
    (2024-01-31), true, false, or another column; ``in ('a', 'b')``, ``between 1 and 5`` (both included),
    ``is missing``; joined by ``and``, ``or``, ``not`` and brackets. A column whose name holds blanks stands in
    backticks. That is all there is: no functions, no arithmetic, no attributes.

    Raises ``UsageError`` for anything else, with the place and the part that can not be read.

    >>> read_condition("tier in ('gold', 'iron') and not days_since_last > 90").columns
    ('tier', 'days_since_last')
    >>> read_condition("__import__('os')")
    Traceback (most recent call last):
    ...
    custvalue.errors.UsageError: Condition "__import__('os')": "(" can not be read (character 11). ...
    """
    tree = _Reader(text).whole()
    return Condition(text, tuple(dict.fromkeys(_columns(tree))), tree)


def _kind(column: pd.Series) -> str:
    from pandas.api import types

    if hasattr(column, "cat"):
        return "code"
    if types.is_bool_dtype(column):
        return "yes or no"
    if types.is_numeric_dtype(column):
        return "number"
    return "date" if types.is_datetime64_any_dtype(column) else "text"


def _known_column(table: pd.DataFrame, name: str, condition: str) -> pd.Series:
    if name not in table:
        allowed = [str(column) for column in table]
        close = nearest(name, allowed) if allowed else "–"
        raise UsageError(
            "condition_column", condition=condition[:200], got=name, nearest=close, allowed=", ".join(allowed)
        )
    return table[name]


def _fitting(column: pd.Series, value: Any, condition: str) -> Any:
    """The value as the column holds its own; ``UsageError`` where it is of another kind or no code of the column."""
    import pandas as pd

    kind = _kind(column)
    number_for_flag = isinstance(value, bool) and kind != "yes or no"
    if number_for_flag or not isinstance(value, _LITERALS[kind]):
        raise UsageError("condition_kind", condition=condition[:200], column=column.name, kind=kind, got=str(value))
    if kind == "code" and value not in column.cat.categories:
        codes = [str(code) for code in column.cat.categories]
        raise UsageError(
            "condition_code",
            condition=condition[:200],
            column=column.name,
            got=value,
            nearest=nearest(value, codes) if codes else "–",
            allowed=", ".join(codes),
        )
    return pd.Timestamp(value) if isinstance(value, dt.date) else value


def _plain(column: pd.Series, dated: bool) -> pd.Series:
    """Values that compare with each other: days for texts that are compared with a day."""
    import pandas as pd

    if dated and _kind(column) == "text":
        return pd.to_datetime(column, format="%Y-%m-%d", errors="coerce")
    return column


def _compared(left: pd.Series, asks: str, right: Any) -> Any:
    operations = {"=": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
    return getattr(left, operations[asks])(right)


def _right(table: pd.DataFrame, left: pd.Series, value: Any, condition: str) -> Any:
    if not isinstance(value, _Column):
        return _fitting(left, value, condition)
    other = _known_column(table, value.name, condition)
    if _kind(other) != _kind(left):
        got = f"{value.name} ({_kind(other)})"
        raise UsageError("condition_kind", condition=condition[:200], column=left.name, kind=_kind(left), got=got)
    return other.astype(object) if hasattr(other, "cat") else other


def _known(values: Iterable[Any]) -> Any:
    """Where all values are known, as truth values a row."""
    import pandas as pd

    result: Any = True
    for value in values:
        if isinstance(value, pd.Series):
            result = result & value.notna().to_numpy()
    return result


def _answer(table: pd.DataFrame, test: _Test, condition: str) -> pd.Series:
    """True, false, or missing (a value is not known) for each row."""
    import pandas as pd

    column = _known_column(table, test.column, condition)
    if test.asks == "missing":
        return column.isna().astype("boolean")
    values = [_right(table, column, value, condition) for value in test.values]
    dated = bool(values) and all(isinstance(value, pd.Timestamp) for value in values)
    kind = _kind(column)
    if test.asks in (*_ORDERINGS, "between") and kind not in ("number", "date") and not dated:
        raise UsageError("condition_order", condition=condition[:200], column=test.column, kind=kind)
    beside = any(isinstance(value, pd.Series) for value in values)
    left = column.astype(object) if beside and kind == "code" else _plain(column, dated)
    if test.asks == "in":
        found = [_compared(left, "=", value) for value in values]
        truth = pd.concat(found, axis=1).any(axis=1)
    elif test.asks == "between":
        truth = _compared(left, ">=", values[0]) & _compared(left, "<=", values[1])
    else:
        truth = _compared(left, test.asks, values[0])
    return truth.astype("boolean").where(pd.Series(_known([left, *values]), index=table.index))


def _evaluated(table: pd.DataFrame, tree: Any, condition: str) -> pd.Series:
    if isinstance(tree, _Test):
        return _answer(table, tree, condition)
    parts = [_evaluated(table, part, condition) for part in tree.parts]
    if tree.word == "not":
        return ~parts[0]
    result = parts[0]
    for part in parts[1:]:
        result = result & part if tree.word == "and" else result | part
    return result


def matching(table: pd.DataFrame, condition: str | Condition) -> pd.Series:
    """For which rows a condition holds: one truth value a row.

    A missing value never fits, neither a comparison nor its opposite; ask ``is missing`` for it. Codes are compared
    with the codes of their column, texts letter by letter, days as days.

    Raises ``UsageError`` for a column the table does not have, a code its column does not have, or a value of
    another kind than the column's.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"sales": [5.0, None, 90.0], "region": ["east", "west", "east"]})
    >>> matching(table, "sales > 10 or region = 'west'").tolist()
    [False, True, True]
    >>> matching(table, "not sales > 10").tolist()
    [True, False, False]
    """
    read = read_condition(condition) if isinstance(condition, str) else condition
    return _evaluated(table, read.tree, read.text).fillna(False).astype(bool)


def read_order(text: str) -> tuple[tuple[str, bool], ...]:
    """The columns to sort by, each with whether it runs upwards, from a text like ``value_at_risk desc, tier``.

    >>> read_order("value_at_risk desc, customer_id")
    (('value_at_risk', False), ('customer_id', True))
    """
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"(?:`([^`]+)`|([^\W\d]\w*))(?:\s+(asc|desc))?", part)
        if match is None:
            raise UsageError("order_syntax", got=text[:200], part=part[:40])
        found.append((match[1] or match[2], match[3] != "desc"))
    return tuple(found)


def sorted_by(table: pd.DataFrame, order: str) -> pd.DataFrame:
    """The rows in an order (see :func:`read_order`); equal ones by ``customer_id``, missing values last.

    >>> import pandas as pd
    >>> sorted_by(pd.DataFrame({"customer_id": ["b", "a"], "sales": [1, 1]}), "sales desc")["customer_id"].tolist()
    ['a', 'b']
    """
    steps = read_order(order)
    for name, _ in steps:
        _known_column(table, name, order)
    columns = [name for name, _ in steps if name != "customer_id"] + ["customer_id"]
    upwards = [dict(steps).get(name, True) for name in columns]
    return table.sort_values(columns, ascending=upwards, na_position="last", kind="stable", ignore_index=True)
