"""A table or query of a database by its URL; the rows stay there, a password is never shown."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

from custvalue.engine import local_engine
from custvalue.errors import CustvalueError, DataError
from custvalue.textfiles import Chunk, RawFile

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["is_url", "masked", "open_database", "open_duckdb", "open_sqlite", "with_absolute_file", "without_passwords"]

_ROWS = 100_000
_SECRET = r"((?:password|passwd|pwd|token|secret|api_?key|credentials?)\w*=)([^&\s]*)"
_PASSWORD = r"(://[^:/@\s]*:)(\S*)(?=@)"


def is_url(data: Any) -> bool:
    """Whether this names a database: ``backend://...``."""
    return isinstance(data, str) and re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", data) is not None


def masked(url: str) -> str:
    """A URL or a message without the passwords in it.

    >>> masked("postgres://me:s3cret@host/shop?table=orders")
    'postgres://me:***@host/shop?table=orders'
    """
    url = re.sub(_PASSWORD, r"\1***", url)
    return re.sub(_SECRET, r"\1***", url, flags=re.IGNORECASE)


def _variables_filled(text: str, write: Callable[[str], str]) -> str:
    """The text with the values of environment variables in place of ``$NAME`` and ``${NAME}``."""
    return re.sub(r"\$\{(\w+)\}|\$(\w+)", lambda found: write(os.environ.get(found[1] or found[2], found[0])), text)


def _expanded(url: str) -> str:
    """The URL with the values of environment variables, written so that any sign may be in them."""
    return _variables_filled(url, lambda value: quote(value, safe=""))


def _parted(url: str) -> tuple[str, str, list[str]]:
    """The address, the settings after ``?``, and the query, which is all that follows ``query=``."""
    base, _, tail = url.partition("?")
    settings, *query = re.split(r"(?:^|&)query=", tail, maxsplit=1)
    return base, settings, query


def _cut(url: str) -> tuple[str, dict[str, str]]:
    """The URL for the connection, and ``table`` or ``query`` (all that follows it, as it is written).

    ``$NAME`` before the query stands for an environment variable.
    """
    base, settings, query = _parted(url)
    asked = dict(parse_qsl(settings, keep_blank_values=True))
    wanted = {"table": asked.pop("table")} if "table" in asked else {}
    wanted |= {"query": unquote(query[0])} if query else {}
    filled = {key: _variables_filled(value, str) for key, value in asked.items()}
    return _expanded(base) + (f"?{urlencode(filled)}" if filled else ""), wanted


def without_passwords(url: str) -> tuple[str, dict[str, str]]:
    """The URL with ``$CUSTVALUE_PASSWORD`` (``..._2``, ...) in place of passwords and tokens written in it, and the
    values of these environment variables: so it can be written down, and whoever sets them can connect.

    >>> without_passwords("postgres://me:s3cret@host/shop?table=orders")
    ('postgres://me:$CUSTVALUE_PASSWORD@host/shop?table=orders', {'CUSTVALUE_PASSWORD': 's3cret'})
    >>> without_passwords("postgres://me:$PASSWORD@host/shop")
    ('postgres://me:$PASSWORD@host/shop', {})
    """
    secrets: dict[str, str] = {}

    def hidden(found: re.Match[str]) -> str:
        before, secret = found.groups()
        if not secret or re.fullmatch(r"\$(\w+|\{\w+\})", secret):
            return before + secret
        name = "CUSTVALUE_PASSWORD" + (f"_{len(secrets) + 1}" if secrets else "")
        secrets[name] = _variables_filled(unquote(secret), str)
        return f"{before}${name}"

    if not is_url(url):
        return url, secrets
    base, settings, query = _parted(url)
    base = re.sub(_PASSWORD, hidden, base)
    settings = re.sub(_SECRET, hidden, settings, flags=re.IGNORECASE)
    tail = "&".join([*filter(None, [settings]), *(f"query={text}" for text in query)])
    return base + (f"?{tail}" if tail else ""), secrets


def _without_secrets(error: BaseException, url: str) -> str:
    """The first line of an error without any part of the URL that may be a password."""
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    secrets = [secret for _, secret in re.findall(_PASSWORD, url) + re.findall(_SECRET, url, re.IGNORECASE)]
    words = {word for secret in secrets for whole in (secret, unquote(secret)) for word in [whole, *whole.split("/")]}
    for word in sorted(words - {""}, key=len, reverse=True):
        said = said.replace(word, "***")
    return masked(said)[:300]


def _chosen(wanted: dict[str, str], tables: list[str], url: str) -> str:
    """The table that is meant: the one named, else the only one, else ``orders``."""
    name = wanted.get("table") or ("orders" if "orders" in tables else "")
    if not name and len(tables) == 1:
        return tables[0]
    if not name or (name not in tables and "." not in name):
        raise DataError("no_such_table", got=name, url=masked(url), found=", ".join(sorted(tables)[:20]))
    return name


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 10**15 else repr(value)


def _file_of(base: str) -> Path:
    """The file of ``sqlite:///shop.sqlite`` (from here) or ``sqlite:////data/shop.sqlite`` (from the root)."""
    path = unquote(base.partition("://")[2].partition("?")[0])
    near = Path(path.removeprefix("/"))
    return near if near.is_file() else Path(path)


def with_absolute_file(url: str) -> str:
    """The URL of an SQLite or DuckDB file with its whole path, so that it holds in any working folder; others as given.

    >>> with_absolute_file("postgres://host/shop")
    'postgres://host/shop'
    """
    base, mark, tail = url.partition("?")
    backend = base.partition("://")[0]
    if backend not in ("sqlite", "duckdb") or not _file_of(base).is_file():
        return url
    return f"{backend}:///{quote(_file_of(base).resolve().as_posix())}{mark}{tail}"


def _sqlite_rows(connection: sqlite3.Connection, query: str, name: str) -> Iterator[Chunk]:
    import numpy as np
    import pyarrow as pa

    first = 1
    try:
        with closing(connection):
            cursor = connection.execute(query)
            names = [column[0] for column in cursor.description]
            while rows := cursor.fetchmany(_ROWS):
                columns = [pa.array(map(_cell, column), pa.string()) for column in zip(*rows, strict=True)]
                yield Chunk(pa.Table.from_arrays(columns, names), np.arange(first, first + len(rows)))
                first += len(rows)
    except (sqlite3.Error, UnicodeError) as error:
        raise DataError("unreadable_file", got=name, why=str(error)) from error


def _refuse_damaged(connection: sqlite3.Connection, path: Path) -> None:
    """SQLite reads missing bytes of a cut file as zeros, so that values would be lost unseen."""
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if path.stat().st_size % page or found != "ok":
        why = "the file is cut short" if found == "ok" else found.splitlines()[-1]
        raise DataError("unreadable_file", got=path.name, why=why)


def open_sqlite(place: Path | str) -> RawFile:
    """A table or query of an SQLite file or URL, read only; SQLite has no types, so every cell becomes text.

    Raises
    ------
    DataError
        It is no database, or there is no such table.
    """
    base, wanted = _cut(place) if isinstance(place, str) else ("", {})
    path = _file_of(base) if base else Path(place)
    if not path.is_file():
        raise DataError("no_such_data", got=str(path)[:300])
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        _refuse_damaged(connection, path)
        names = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
        tables = [name for (name,) in names if not name.startswith("sqlite_")]
        query = wanted.get("query") or f"SELECT * FROM {_quoted(_chosen(wanted, tables, path.name))}"
        columns = [column[0] for column in connection.execute(f"SELECT * FROM ({query}) LIMIT 0").description]
    except (sqlite3.Error, UnicodeError) as error:
        raise DataError("unreadable_file", got=path.name, why=str(error)) from error
    return RawFile(columns, "", _sqlite_rows(connection, query, path.name))


def _spark(base: str) -> Any:
    """Spark at ``spark://host:7077``, ``spark://local[2]`` or ``spark://yarn``, with the settings after ``?``.

    The session is made here, because Ibis sets what a URL says a second time, which Spark refuses for its master.
    """
    import ibis
    from pyspark.sql import SparkSession

    address, _, settings = base.partition("?")
    place = address.partition("://")[2]
    builder = SparkSession.builder.appName("custvalue")
    if place:
        builder = builder.master(address if ":" in place else place)
    for key, value in parse_qsl(settings):
        builder = builder.config(key, value)
    return ibis.pyspark.connect(builder.getOrCreate())


def _connected(url: str, base: str) -> Any:
    import ibis

    if base.startswith("duckdb://"):
        return _attached(_file_of(base))
    if base.startswith("spark://"):
        return _spark(base)
    if not hasattr(ibis, base.partition("://")[0].replace("postgresql", "postgres")):
        raise DataError("unknown_database", got=masked(url)[:300])
    return ibis.connect(base)


def _attached(path: Path) -> Any:
    """An engine of our own that sees a DuckDB file without being able to change it."""
    if not path.is_file():
        raise DataError("no_such_data", got=str(path)[:300])
    engine = local_engine()
    literal = str(path.resolve()).replace("'", "''")
    engine.raw_sql(f"ATTACH '{literal}' AS shop (READ_ONLY)")
    engine.raw_sql("USE shop")
    return engine


def _view(engine: Any, query: str) -> ir.Table:
    """A query as a table; in DuckDB a temporary view, because Ibis 12 can not ask DuckDB 2 for the types of a query."""
    if engine.name != "duckdb":
        return engine.sql(query)
    engine.raw_sql(f"CREATE TEMP VIEW custvalue_query AS {query}")
    return engine.table("custvalue_query", database=("temp", "main"))


def _tables(engine: Any) -> list[str]:
    if engine.name != "duckdb":
        return engine.list_tables()
    parts = (f"SELECT {kind}_name FROM duckdb_{kind}s() WHERE NOT internal" for kind in ("table", "view"))
    return [name for (name,) in engine.con.execute(" UNION ".join(parts)).fetchall()]


def open_database(url: str) -> ir.Table:
    """The table or query of a database URL as an Ibis table; nothing is read yet.

    ``?table=orders`` or ``?table=schema.orders`` names a table, ``?query=SELECT ...`` a query.

    Raises
    ------
    DataError
        The backend is unknown or not installed, the connection fails, or there is no such table.
    """
    base, wanted = _cut(url)
    try:
        engine = _connected(url, base)
        if "query" in wanted:
            return _view(engine, wanted["query"])
        schema, _, name = wanted.get("table", "").rpartition(".")
        if schema:
            return engine.table(name, database=tuple(schema.split(".")) if "." in schema else schema)
        return engine.table(_chosen(wanted, _tables(engine), url))
    except CustvalueError:
        raise
    except Exception as error:
        raise DataError("no_connection", url=masked(url)[:300], why=_without_secrets(error, base)) from None


def open_duckdb(path: Path) -> ir.Table:
    """The only table of a DuckDB file, or the one called ``orders``."""
    return open_database(f"duckdb:///{path.resolve()}")
