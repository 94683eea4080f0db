"""Customer ids replaced by codes: keyed hashes, which only who has the key can make again from the ids.

The key is in the environment variable ``CUSTVALUE_HASH_KEY`` and nowhere else. The same id and key give the same code
in every table and every month. An id is replaced when its row is read, so nothing made from the rows holds it; what
stands in other columns, such as a name or a telephone number, stays.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from custvalue.errors import UsageError
from custvalue.sources import Source
from custvalue.values import as_id, is_broken_id

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KEY", "code_of", "hash_frame", "hash_key", "hashed_source"]

#: The environment variable with the key.
KEY = "CUSTVALUE_HASH_KEY"
_SHORTEST = 16
_DIGITS = 20
_LOST = "1.0E+99"  # an id whose digits a spreadsheet lost stays one
_CANONICAL = "customer_id"


def hash_key(wanted: bool = True) -> bytes:
    """The key from the environment; empty where no ids are to be replaced.

    >>> hash_key(False)
    b''

    Raises
    ------
    UsageError
        The variable is not set, or shorter than 16 characters.
    """
    if not wanted:
        return b""
    key = os.environ.get(KEY, "").strip()
    if not key:
        raise UsageError("hash_key_missing", variable=KEY, least=_SHORTEST)
    if len(key) < _SHORTEST:
        raise UsageError("hash_key_short", variable=KEY, got=len(key), least=_SHORTEST)
    return key.encode()


def code_of(customer_id: str, key: bytes) -> str:
    """The code of an id: ``c`` and the first 20 hexadecimal digits of its HMAC-SHA256 (RFC 2104).

    Among a million customers the chance that any two share a code is below 1 in a trillion.

    >>> code_of("what do ya want for nothing?", b"Jefe")
    'c5bdcc146bf60754e6a04'
    """
    return "c" + hmac.digest(key, customer_id.encode("utf-8", "surrogatepass"), "sha256").hex()[:_DIGITS]


def hash_frame(table: pd.DataFrame, key: bytes, columns: Collection[str]) -> pd.DataFrame:
    """A table with the ids in these columns, where it has them, replaced; an empty ``key`` replaces none."""
    present = [name for name in columns if name in table] if key else []
    return table.assign(**{name: _codes(table[name], key) for name in present})


def _codes(ids: pd.Series, key: bytes) -> pd.Series:
    text = ids.str.strip().str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    return text.map(lambda one: code_of(one, key), na_action="ignore").astype(ids.dtype)


def hashed_source(source: Source, key: bytes, column: str = _CANONICAL) -> Source:
    """A source with its ids replaced, and without the text of lines that could not be split into fields.

    Missing ids stay missing, and ids whose digits are lost stay recognisable as such; an empty ``key`` replaces none.
    """
    import ibis

    if not key or column not in source.table.columns:
        return source
    raw = source.table
    given = raw.select("row_number", plain=as_id(raw[column]), lost=is_broken_id(raw[column]))
    ids = given.filter(given.plain.notnull()).select("plain").distinct().execute()["plain"]
    pairs = {"plain": list(ids), "code": [code_of(one, key) for one in ids]}
    codes = ibis.memtable(pairs, schema=dict.fromkeys(pairs, "string"))
    new = max(raw.columns, key=len) + "_"  # a name no column has
    found = given.left_join(codes, "plain").select("row_number", **{new: given.lost.ifelse(_LOST, codes.code)})
    table = raw.drop(column).join(found, "row_number").rename({column: new}).select(raw.columns)
    return replace(source, table=table.cache(), ragged=tuple((row, "") for row, _ in source.ragged))
