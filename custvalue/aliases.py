"""Which column of a file plays which part: known layouts first, then known names (``aliases.toml``)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from custvalue.columns import ORDER_COLUMNS, Column
from custvalue.errors import DataError, UsageError, nearest

__all__ = ["layout_of", "match_columns", "per_order_columns", "unfinished_words"]


def _squeeze(name: str) -> str:
    return re.sub(r"[\s_\-]+", "", name).casefold()


@cache
def _file() -> Mapping[str, Any]:
    return tomllib.loads(resources.files("custvalue").joinpath("aliases.toml").read_text("utf-8"))


@cache
def _aliases(canonical: str) -> frozenset[str]:
    return frozenset(map(_squeeze, _file()["names"].get(canonical, ())))


def layout_of(found: Iterable[str]) -> str:
    """The name of the known layout that a file with these columns has; empty where it has none.

    >>> layout_of(["Name", "Email", "Created at", "Lineitem quantity", "Lineitem price", "Total"])
    'shopify'
    """
    names = set(map(_squeeze, found))
    fits = (name for name, layout in _file()["layouts"].items() if names.issuperset(map(_squeeze, layout["has"])))
    return next(fits, "")


def per_order_columns(found: Iterable[str]) -> tuple[str, ...]:
    """Canonical columns that stand only on the first line of an order in the layout of this file."""
    layout = _file()["layouts"].get(layout_of(found), {})
    return tuple(layout.get("first_line_only", ()))


def unfinished_words() -> tuple[str, ...]:
    """Words of an order's status that mean it was never paid or was given up, in small letters.

    >>> "交易关闭" in unfinished_words()
    True
    """
    return tuple(word.casefold() for word in _file()["status_words"]["not_completed"])


def match_columns(
    found: Iterable[str], given: Mapping[str, str] | None = None, contract: tuple[Column, ...] = ORDER_COLUMNS
) -> dict[str, str]:
    """Which column of a file plays which part: {canonical name: name in the file}.

    ``given`` (the config's ``[columns]``) comes first, then the known layout of the file as a whole, then a column of
    the canonical name, then the alias table. ``contract`` lists the columns that are looked for.

    >>> match_columns(["InvoiceNo", "CustomerID", "InvoiceDate", "Quantity", "UnitPrice"])["order_date"]
    'InvoiceDate'
    >>> match_columns(["order_id", "customer_id", "customer_unique_id", "order_purchase_timestamp"])["customer_id"]
    'customer_unique_id'

    Raises
    ------
    UsageError
        A given column is not in the file.
    DataError
        Two columns could be the same one.
    """
    found, given = list(found), dict(given or {})
    _check_given(found, given)
    mapping = dict(given)
    layout = _file()["layouts"].get(layout_of(found), {}) if contract is ORDER_COLUMNS else {}
    for column in contract:
        if column.name in layout and column.name not in mapping:
            mapping.update(_preferred(column.name, layout[column.name], _free(found, mapping)))
    free = _free(found, mapping)
    for column in contract:
        if column.name not in mapping and column.name not in layout:
            mapping.update(_candidate(column.name, free))
    return {column.name: mapping[column.name] for column in contract if column.name in mapping}


def _check_given(found: list[str], given: Mapping[str, str]) -> None:
    for canonical, name in given.items():
        if name not in found:
            raise UsageError(
                "column_not_there",
                column=name,
                key=f"columns.{canonical}",
                got=", ".join(found),
                nearest=nearest(name, found),
            )
    twice = [key for key, name in given.items() if list(given.values()).count(name) > 1]
    if twice:
        raise UsageError("column_used_twice", column=given[twice[0]], keys=", ".join(twice))


def _free(found: list[str], used: Mapping[str, str]) -> list[str]:
    return [name for name in found if name not in used.values()]


def _preferred(canonical: str, preference: list[str], free: list[str]) -> dict[str, str]:
    """The first of the names in a layout's order of preference that is there."""
    by_name = {_squeeze(name): name for name in reversed(free)}
    hits = [by_name[_squeeze(name)] for name in preference if _squeeze(name) in by_name]
    return {canonical: hits[0]} if hits else {}


def _candidate(canonical: str, free: list[str]) -> dict[str, str]:
    exact = [name for name in free if _squeeze(name) == _squeeze(canonical)]
    candidates = exact or [name for name in free if _squeeze(name) in _aliases(canonical)]
    if len(candidates) > 1:
        raise DataError("two_candidates", column=canonical, got=", ".join(candidates))
    return {canonical: candidates[0]} if candidates else {}
