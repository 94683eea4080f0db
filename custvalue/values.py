"""One raw column becomes ids, numbers or words; what can not be understood becomes null, never a guess.

Everything is an Ibis expression, so it runs where the data are. A value is tested by its form before it is cast, so
that no engine stops at it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from custvalue.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = [
    "MONEY", "as_id", "as_money", "as_number", "as_text", "decimal_mark", "how_many", "is_broken_id", "plain_digits",
    "unpadded",
]  # fmt: skip

#: Money inside the engine: exact, four decimals.
MONEY = "decimal(18, 4)"

_MOST = 10.0**14  #: sums of money beyond this are errors
_EXACT = 2.0**53  #: from here on a float does not hold every whole number
_EMPTY = r"(?i)^(nan|null|none|n/a|#n/a|na|nat|<na>)$"
_WIDE = "０１２３４５６７８９．，－＋（）／：　−–"
_NARROW = "0123456789.,-+()/: --"

_JUNK = (
    "(?i)[\\s'’‘`\u00a0\u202f\u2009$€£¥￥₹₽₩₺₫₴₦₱฿₪₡₲₵₸₮元圆]|CNY|RMB|USD|EUR|GBP|HKD|TWD|JPY|AUD|CAD|NZD|SGD|CHF|SEK"
    "|NOK|DKK|PLN|CZK|HUF|INR|BRL|MXN|KRW|THB|MYR|VND|TRY|ZAR|US|HK|NT|Rs\\.?|R|Fr\\.?|kr\\.?|zł|Kč|Ft|人民币|美|欧|港|日|円"
)
_AROUND = r"^\s+|\s+$"
_PLAIN = {".": r"^[-+]?\d{1,14}(\.\d*)?$", ",": r"^[-+]?\d{1,14}(,\d*)?$"}
_SIMPLE = {".": r"^[-+]?(\d{1,14}(\.\d*)?|\.\d+)([eE][-+]?\d{1,2})?$", ",": r"^[-+]?\d{1,14}$"}
_SIZE = {".": r"((\d+|\d{1,3}(,\d{3})+|\d{1,2}(,\d{2})+,\d{3})(\.\d*)?|\.\d+)", ",": r"(\d+|\d{1,3}(\.\d{3})+)(,\d*)?"}
_FORM = {mark: rf"^([-+]?{size}|\({size}\)|{size}-)[万亿]?$" for mark, size in _SIZE.items()}
_POINT = r"\d\.\d{1,2}\D*$|\d\.\d{4,}|,\d{3}\."
_COMMA = "^\\D*(\\d+|\\d{1,3}([.'’ \u00a0\u202f\u2009]\\d{3})+),(\\d{1,2}|\\d{4,})\\D*$"
_EITHER = r"^\D*[1-9]\d{0,2}(,\d{3})+\D*$"
_BROKEN_ID = r"^\d([.,]\d+)?[eE]\+\d{2,3}$"


def plain_digits(text: ir.Value) -> ir.Value:
    """Text whose full-width digits and marks, as a Chinese keyboard writes them, are the usual ones.

    >>> import ibis
    >>> plain_digits(ibis.literal("１２．５")).execute()
    '12.5'
    """
    return text.translate(_WIDE, _NARROW)


def unpadded(text: ir.Value) -> ir.Value:
    """Text without blanks around.

    Spark reads the escapes that Ibis writes for vertical tab and form feed as the letters v and f, and would take these
    off as well, so there it is a pattern.
    """
    return text.re_replace(_AROUND, "") if text.get_backend().name == "pyspark" else text.strip()


def how_many(condition: ir.Value) -> ir.Value:
    """In how many rows a condition holds; null does not hold.

    >>> import ibis
    >>> how_many(ibis.memtable({"paid": [True, False, None]}).paid).execute()
    1
    """
    return condition.ifelse(1, 0).sum().fill_null(0).cast("int64")


def as_text(column: ir.Value) -> ir.Value:
    """Text without surrounding blanks; empty is null."""
    return unpadded(column.cast("string")).re_replace(_EMPTY, "").nullif("")


def as_id(column: ir.Value) -> ir.Value:
    """An id as text: leading zeros and long numbers survive, ``17850.0`` is ``17850``.

    The marks with which a spreadsheet keeps a number as text are taken off: ``'007`` and ``="007"``.
    """
    if column.type().is_integer():
        return column.cast("string")
    if column.type().is_floating():
        whole = (column == column.floor()) & (column.abs() < _EXACT)
        return as_text(whole.ifelse(column.cast("int64").cast("string"), column.cast("string")))
    text = unpadded(column.cast("string")).re_replace(r"^'|^=\"|\"$", "")
    text = text.re_search("[０-９]").ifelse(plain_digits(text), text)
    return as_text(text.re_search(r"^\d+\.0+$").ifelse(text.re_replace(r"\.0+$", ""), text))


def is_broken_id(column: ir.Value) -> ir.Value:
    """Whether the digits of an id are lost: ``1.2346E+18``, as a spreadsheet shows a number of 19 digits, or a float
    too large to hold every digit."""
    if column.type().is_floating():
        return (column.abs() >= _EXACT).fill_null(False)
    return unpadded(column.cast("string")).re_search(_BROKEN_ID).fill_null(False)


def _decimal_evidence(text: ir.Value, place: int) -> dict[str, ir.Value]:
    doubtful = text.re_search(_EITHER)
    return {
        f"point_{place}": how_many(text.re_search(_POINT)),
        f"comma_{place}": how_many(text.re_search(_COMMA)),
        f"either_{place}": how_many(doubtful),
        f"example_{place}": text.max(where=doubtful),
    }


def decimal_mark(table: ir.Table, names: list[str], given: str = "") -> str:
    """The decimal mark of all number columns of a file together: ``,`` where only commas can be decimal marks.

    Raises
    ------
    DataError
        Commas are decimal marks in some values, and could be either in others (``1,234``).
    """
    names = [name for name in names if name in table.columns and table[name].type().is_string()]
    if given or not names:
        return given or "."
    evidence: dict[str, ir.Value] = {}
    for place, name in enumerate(names):
        evidence |= _decimal_evidence(unpadded(table[name]), place)
    found = table.aggregate(**evidence).execute().iloc[0]
    count = {kind: sum(found[f"{kind}_{i}"] > 0 for i in range(len(names))) for kind in ("point", "comma", "either")}
    if count["comma"] and not count["point"] and count["either"]:
        got = next(found[f"example_{i}"] for i in range(len(names)) if found[f"either_{i}"] > 0)
        raise DataError("ambiguous_numbers", got=got, comma=got.replace(",", "."), point=got.replace(",", ""))
    return "," if count["comma"] and not count["point"] else "."


def _written(column: ir.Value, decimal: str) -> tuple[ir.Value, ir.Value]:
    """A written number without signs of money, codes and gaps; and its bare digits with a point as decimal mark."""
    text = plain_digits(column).re_replace(_JUNK, "")
    bare = text.re_replace(r"[-+()万亿,]" if decimal == "." else r"[-+()万亿.]", "").replace(decimal, ".")
    return text, bare


def _written_number(column: ir.Value, decimal: str) -> ir.Value:
    """A number from its written form: signs, codes and gaps are left out, then the form decides."""
    import ibis

    text, bare = _written(column, decimal)
    scale = ibis.cases((text.re_search("万$"), 1e4), (text.re_search("亿$"), 1e8), else_=1.0)
    sign = text.re_search(r"[-(]").ifelse(-1.0, 1.0)
    return text.re_search(_FORM[decimal]).ifelse(bare.cast("float64") * scale * sign, ibis.null("float64"))


def _written_money(column: ir.Value, decimal: str) -> tuple[ir.Value, ir.Value]:
    """Where the written form is a plain sum of money (no 万 or 亿), and that sum, never by way of a float."""
    text, bare = _written(column, decimal)
    plain = text.re_search(_FORM[decimal]) & bare.re_search(_PLAIN["."]) & ~text.re_search("[万亿]$")
    money = bare.cast(MONEY)
    return plain, text.re_search(r"[-(]").ifelse(-money, money)


def as_number(column: ir.Value, decimal: str = ".") -> ir.Value:
    """A number; currency signs, thousands marks, brackets or a trailing minus for negatives, 万 and 亿 are understood.

    >>> import ibis
    >>> [as_number(ibis.literal(text)).execute() for text in ("¥1,234.50", "(5)", "1.2万")]
    [1234.5, -5.0, 12000.0]
    """
    import ibis

    if column.type().is_numeric():
        number = column.cast("float64")
        return (number.abs() < 1e300).ifelse(number, ibis.null("float64"))
    text = unpadded(column.cast("string"))
    return text.re_search(_SIMPLE[decimal]).ifelse(text.cast("float64"), _written_number(text, decimal))


def _within(number: ir.Value, kept: ir.Value) -> ir.Value:
    """A number as money, null beyond 10**14."""
    import ibis

    return (number.abs() < _MOST).ifelse(kept.cast(MONEY), ibis.null(MONEY))


def as_money(column: ir.Value, decimal: str = ".") -> ir.Value:
    """A sum of money as an exact decimal; null where it is no number or beyond 10**14."""
    import ibis

    if column.type().is_decimal() or column.type().is_integer():
        return _within(column.cast("float64"), column)
    number = as_number(column, decimal)
    if not column.type().is_string():
        return _within(number, number)
    text = unpadded(column)
    exact = (text.replace(",", ".") if decimal == "," else text).cast(MONEY)
    plain = (text.re_search(_PLAIN[decimal]), exact)
    return ibis.cases(plain, _written_money(text, decimal), else_=_within(number, number))
