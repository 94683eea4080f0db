"""One expression on every engine: DuckDB, a real PostgreSQL server and a real local Spark give the same tables."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import ibis
import numpy as np
import pandas as pd
import psycopg
import pyarrow as pa
import pytest
from engines import local_spark

from custvalue.config import Settings
from custvalue.customers import customer_expression, customer_table, grouped_counts
from custvalue.days import DateReading, as_date
from custvalue.lifetime import grouped_rows
from custvalue.pipeline import read
from custvalue.transactions import CleanRules
from custvalue.values import as_id, as_money, as_number, as_text, is_broken_id

AS_OF = dt.date(2024, 2, 29)
SCHEMA = ibis.schema(
    {
        "row_number": "int64",
        "customer_id": "string",
        "order_id": "string",
        "order_date": "date",
        "amount": "decimal(18, 4)",
        "margin": "decimal(18, 4)",
        "category": "string",
        "city": "string",
    }
)


def order_rows(n: int = 3_000, seed: int = 8) -> pd.DataFrame:
    """Accepted order rows with all that can differ: returns alone, equal sales, empty values, Chinese."""
    rng = np.random.default_rng(seed)
    days = np.array([dt.date(2021, 6, 1) + dt.timedelta(int(d)) for d in rng.integers(0, 1_030, n)])
    amounts = [Decimal(int(a)) / 100 for a in rng.choice([-2_500, 0, 999, 1_000, 1_000, 4_250, 10_001], n)]
    return pd.DataFrame(
        {
            "row_number": np.arange(1, n + 1),
            "customer_id": [f"{c:03d}" for c in (rng.pareto(1.2, n) * 20).astype(int) % 400],
            "order_id": [
                None if r < 0.05 else f"N{o}" for r, o in zip(rng.random(n), rng.integers(0, n, n), strict=True)
            ],
            "order_date": days,
            "amount": amounts,
            "margin": [
                None if r < 0.1 else (a * Decimal("0.3")).quantize(Decimal("0.0001"))
                for r, a in zip(rng.random(n), amounts, strict=True)
            ],
            "category": rng.choice(["女装", "男装", "shoes", "Bags", None], n),
            "city": rng.choice(["上海", "Linz", None], n),
        }
    )


@pytest.fixture(scope="session")
def duck():
    return ibis.duckdb.connect()


@pytest.fixture(scope="session")
def postgres(postgres_url):
    return ibis.connect(postgres_url)


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    with local_spark(tmp_path_factory.mktemp("spark")) as session:
        yield ibis.pyspark.connect(session)


@pytest.fixture(params=["postgres", "spark"])
def engine(request):
    return request.getfixturevalue(request.param)


def stored(engine, rows: pd.DataFrame, name: str, schema: ibis.Schema = SCHEMA):
    """The rows as a table of the engine."""
    texts = {c: rows[c].map(str, na_action="ignore") for c in schema if schema[c] != "int64"}
    plain = ibis.schema({c: "int64" if schema[c] == "int64" else "string" for c in schema})
    arrow = pa.Table.from_pandas(rows.assign(**texts), plain.to_pyarrow(), preserve_index=False)
    if engine.name != "pyspark":
        return engine.create_table(name, arrow, schema=plain, overwrite=True).cast(schema)
    # Ibis hands Arrow to Spark through pandas, whose missing texts arrive as "NaN".
    engine._session.createDataFrame(arrow).createOrReplaceTempView(name)
    return engine.table(name).cast(schema)


def assert_same(got: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Column by column: texts, dates and counts alike, floats to 1e-9 of their size."""
    assert list(got.columns) == list(expected.columns)
    for name in expected:
        a, b = got[name], expected[name]
        assert list(a.isna()) == list(b.isna()), name
        if a.dropna().empty:
            continue
        if pd.api.types.is_numeric_dtype(b):
            np.testing.assert_allclose(a.astype(float), b.astype(float), rtol=1e-9, atol=0, err_msg=name)
        else:
            assert list(a.dropna().astype(str)) == list(b.dropna().astype(str)), name


def test_the_customer_table_is_the_same(duck, engine):
    rows = order_rows()
    expected, got = (customer_expression(stored(e, rows, "orders"), AS_OF, ("city",)).execute() for e in (duck, engine))
    assert len(expected) > 200
    assert expected["sum_log_gaps"].max() > 0
    assert expected["n_returns"].max() > 1
    assert_same(got, expected)


def test_the_grouped_counts_are_the_same(duck, engine):
    rows = order_rows()
    expected, got = (
        grouped_counts(stored(e, rows, "orders"), AS_OF).order_by("x", "t_x_days", "T_days").execute()
        for e in (duck, engine)
    )
    assert expected["n_customers"].max() > 1
    assert_same(got, expected)


def test_the_grouped_counts_are_those_of_the_customer_table(duck):
    table = stored(duck, order_rows(), "orders")
    customers = customer_expression(table, AS_OF).execute()
    customers = customers.astype({"first_order": "datetime64[s]", "last_order": "datetime64[s]"})
    counts = grouped_counts(table, AS_OF).order_by("x", "t_x_days", "T_days").execute()
    expected = grouped_rows(customers)
    assert list(counts["n_customers"]) == list(expected["n_customers"])
    weeks = counts[["x", "t_x_days", "T_days"]].to_numpy() / [1, 7, 7]
    np.testing.assert_allclose(weeks, expected[["x", "t_x", "T"]].to_numpy(), rtol=1e-12)
    assert counts["sum_log_gaps"].sum() == pytest.approx(customers["sum_log_gaps"].sum(), rel=1e-12)


def test_against_pandas(duck):
    """The second opinion: the counts and money of every customer, from the rows themselves."""
    rows = order_rows()
    table = customer_expression(stored(duck, rows, "orders"), AS_OF).execute().set_index("customer_id")
    rows = rows[rows["order_date"] <= AS_OF].assign(amount=rows["amount"].astype(float))
    bought = rows[rows["amount"] >= 0]
    days = bought.drop_duplicates(["customer_id", "order_date"]).sort_values(["customer_id", "order_date"])
    gaps = pd.to_datetime(days["order_date"]).groupby(days["customer_id"]).diff().dt.days
    by = gaps.groupby(days["customer_id"])
    assert list(by.size()) == list(table["n_repeats"] + 1)
    np.testing.assert_allclose(by.std().to_numpy(), table["sd_gap_days"].to_numpy(float))
    np.testing.assert_allclose(np.log(gaps).groupby(days["customer_id"]).sum(), table["sum_log_gaps"], rtol=1e-12)
    orders = bought.assign(order_id=bought["order_id"].fillna(""))
    orders = orders.drop_duplicates(["customer_id", "order_date", "order_id"])
    assert list(orders.groupby("customer_id").size()) == list(table["n_orders"])
    first_day = days.groupby("customer_id")["order_date"].min()
    first = bought[bought["order_date"] == bought["customer_id"].map(first_day)]
    repeat_sales = bought.groupby("customer_id")["amount"].sum() - first.groupby("customer_id")["amount"].sum()
    np.testing.assert_allclose(repeat_sales, table["repeat_sales"], atol=1e-9)
    returned = rows[rows["amount"] < 0].groupby("customer_id")["amount"].sum()
    np.testing.assert_allclose(-returned.reindex(table.index).fillna(0), table["returns"], atol=1e-9)


NUMBERS = (
    "1", "1.5", "-2", "(3)", "4-", "$1,234.50", "1.234,50", "1 234,50", "¥12", "１２．５", "1.2万", "3亿", "1e3",
    "1E-2", "+7", ".5", "5.", "", "  ", "nan", "NULL", "n/a", "#N/A", "abc", "--5", "1,23", "12,345,678", "1,00,000",
    "€ 9,99", "RMB 5", "R$ 8", "99999999999999", "999999999999999", "1e20", "-0", "0.00005", "0.12345", "人民币100元",
    "'12", "1\u00a0234", "\u202f7", "(1,234.5)", "12%", "1/2", "0x10", "1_000", "Infinity", "-inf", "1e",
    "１，２３４", "\t8\n", "007", None, "1,234", "1.234", "−5", "Rs. 5", "USD5", "5USD", "CHF 1'234.50", "1’234",
)  # fmt: skip
IDS = (
    "007", " 007 ", "17850.0", "17850.00", "1.5", "'007", '="007"', "1.2346E+18", "1E+05", "１２３", "", "nan",
    "None", "NA", "客户１", "ab\tc", "12345678901234567890", "a'b", "a;b--", "Ünï", "\u00a0x", "x\u3000", "N/A ",
    " '5", "\n6", "Olav", "ff", "v", "vf\x0b", None,
)  # fmt: skip
DATES = (
    "2024-01-05", "2024/1/5", "2024.1.5", "2024年1月5日", "2024-02-30", "2023-02-29", "2024-02-29", "1900-02-29",
    "2000-02-29", "20240131", "20241301", "20240131120000", "2024-01-05 10:20:30", "2024-01-05T10:20:30Z",
    "2024-01-05T23:20:30+08:00", "2024-01-05 23:59", "2024-01-05 上午10:20", "5/1/2024", "25/12/2024", "25.12.24",
    "5 Jan 2024", "Jan 5, 2024", "January 5 2024", "Mon, 5 Jan 2024", "5-Sept-2024", "2024-Jan-05", "45000",
    "45000.5", "1704412800", "1704412800000", "1704412800.5", "x", "", "nan", "2024-1", "2024-13-05", "2024-00-10",
    "2024-01-00", "0000-01-01", "0000-02-29", "0001-01-01", "9999-12-31", "  2024-01-05  ", "２０２４－０１－０５",
    "'2024-01-05", '="2024-01-05"', "2024-01-05 (Fri)", "2024-01-05 星期五", "1", "99", "10001", "3rd March 2024",
    "Tuesday, 05 March 2024", None,
)  # fmt: skip
FORMS = ("ymd", "compact", "xxy", "day_name", "name_day", "ymd_name", "serial", "seconds", "milliseconds")
SHANGHAI = ((0, 28_800),)
ODD = {
    "numbers": (NUMBERS, {
        "money": as_money, "number": as_number, "money_comma": lambda c: as_money(c, ","),
        "number_comma": lambda c: as_number(c, ","),
    }),
    "ids": (IDS, {"id": as_id, "text": as_text, "broken": is_broken_id}),
    "dates": (DATES, {
        "dmy": lambda c: as_date(c, DateReading(FORMS, "dmy")),
        "mdy": lambda c: as_date(c, DateReading(("xxy",), "mdy")),
        "marked": lambda c: as_date(c, DateReading(("ymd", "serial"), marked=True)),
        "zone": lambda c: as_date(c, DateReading(("ymd", "seconds", "milliseconds"), offsets=SHANGHAI)),
        "counts": lambda c: as_date(c, DateReading(("count",), day_one=dt.date(2020, 1, 1))),
    }),
}  # fmt: skip


def meant(con, kind: str) -> pd.DataFrame:
    """What odd values mean in an engine, as text: one row per value, one column per way to read it."""
    values, ways = ODD[kind]
    rows = pd.DataFrame({"row_number": range(len(values)), "value": pd.Series(values, dtype=object)})
    table = stored(con, rows, f"odd_{kind}", ibis.schema({"row_number": "int64", "value": "string"}))
    read = {name: way(table.value) for name, way in ways.items()}
    texts = {name: value.cast("string").left(10) if value.type().is_date() else value for name, value in read.items()}
    found = table.select("row_number", **texts).order_by("row_number").execute()
    return found.astype(object).where(found.notna(), None)


@pytest.mark.parametrize("kind", ODD)
def test_odd_values_mean_the_same(duck, engine, kind):
    expected, got = meant(duck, kind), meant(engine, kind)
    for name in ODD[kind][1]:
        for value, a, b in zip(ODD[kind][0], got[name], expected[name], strict=True):
            assert (a is None) == (b is None), (name, value, a, b)
            assert a == b, (name, value, a, b)


def test_what_the_odd_values_mean(duck):
    """The values the engines are compared with, some of them by hand."""
    ids = dict(zip(IDS, meant(duck, "ids")["id"], strict=True))
    assert (ids["Olav"], ids["ff"], ids["vf\x0b"], ids['="007"']) == ("Olav", "ff", "vf", "007")
    money = dict(zip(NUMBERS, meant(duck, "numbers")["money_comma"], strict=True))
    assert money["99999999999999"] == Decimal(99_999_999_999_999)
    days = dict(zip(DATES, meant(duck, "dates")["zone"], strict=True))
    assert (days["0000-01-01"], days["0000-02-29"], days["0001-01-01"]) == (None, None, "0001-01-01")
    assert (days["2024-01-05T10:20:30Z"], days["2024-01-05T23:20:30+08:00"]) == ("2024-01-05", "2024-01-05")


RAW = {
    "customer_id": [" 007", "007", "17850.0", "", "8", "8", "9", "9", "007", "9", "9", "1E+05", "Olav"],
    "order_id": ["a", "b", "c", "d", "e", "f", "g", "h", "a", "i", "i", "j", "k"],
    "order_date": [
        "2024-01-05", "2024-01-25", "25/01/2024", "2024-01-05", "2024-02-30", "2024-02-01", "20240131", "x",
        "2024-01-09", "2024-02-01", "2024-02-01", "2024-02-01", "2034-01-01",
    ],
    "amount": ["$1,234.50", "(20)", "12", "5", "7", "many", "0", "3", "-1234.5", "4.25", "4.25", "1", "2"],
    "product": ["女装", "女装", " ", "x", "x", "x", "x", "x", "女装", "x", "x", "x", "x"],
}  # fmt: skip
TYPED = {
    "customer_id": [1, 2, 3, 1, None, 2, 1, 4, 5, 5, 3, 6],
    "order_id": [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5],
    "order_date": [
        "2024-01-05 20:30:00", "2024-01-05 23:59:59", "2024-01-06 00:00:00", "2024-03-01 15:00:00",
        "2024-01-01 01:00:00", None, "2024-03-02 15:59:59", "1969-01-01 00:00:00", "2024-02-29 16:00:00",
        "2024-02-29 16:00:00", "2024-01-06 00:00:00", "2024-02-29 12:00:00",
    ],
    "amount": ["10.5", "20", "3.25", "-10.5", "5", "6", "7", "8", "9", "9", "3.25", None],
    "product": ["p"] * 12,
    "status": [*["paid"] * 10, "cancelled", "paid"],
}  # fmt: skip
TEXT = dict.fromkeys(RAW, "string")
EXACT = {"customer_id": "int64", "order_id": "int32", "order_date": "timestamp", "amount": "decimal(10, 2)"}
FLOAT = {"customer_id": "float64", "order_id": "string", "order_date": "timestamp('UTC')", "amount": "float64"}
SOURCES = {
    "text": (RAW, TEXT, ""),
    "exact": (TYPED, EXACT | {"product": "string", "status": "string"}, ""),
    "floats": (TYPED, FLOAT | {"product": "string", "status": "string"}, "Asia/Shanghai"),
}


def cleaned(con, kind: str):
    """The orders of a raw table of an engine, and all rows of theirs that have no row number, which engines choose."""
    rows, kinds, zone = SOURCES[kind]
    frame = pd.DataFrame({"n": range(len(rows["order_id"]))} | {c: pd.Series(v, dtype=object) for c, v in rows.items()})
    table = stored(con, frame, f"raw_{kind}", ibis.schema({"n": "int64", **kinds})).drop("n")
    orders = read(table, Settings(timezone=zone, as_of="2024-03-31", clean=CleanRules(duplicates="drop")))
    accepted = orders.table.drop("row_number").mutate(order_date=lambda t: t.order_date.cast("string"))
    aside = orders.quarantine.select("reason", "order_id", "amount", "product")
    return orders, [sorted(map(str, t.execute().astype(str).to_numpy().tolist())) for t in (accepted, aside)]


CLEANED = [("postgres", kind) for kind in SOURCES] + [("spark", "text"), ("spark", "floats")]


@pytest.mark.parametrize(("name", "kind"), CLEANED)
def test_cleaning_is_the_same(duck, name, kind, request):
    """The whole way: the same rows accepted, the same set aside for the same reasons, the same money and customers."""
    (expected, expected_rows), (got, rows) = cleaned(duck, kind), cleaned(request.getfixturevalue(name), kind)
    pd.testing.assert_frame_equal(got.quality, expected.quality)
    assert got.facts == expected.facts
    assert got.notes == expected.notes
    assert [[r.replace("None", "nan") for r in part] for part in rows] == [
        [r.replace("None", "nan") for r in part] for part in expected_rows
    ]
    assert_same(customer_table(got), customer_table(expected))


def test_what_cleaning_finds(duck):
    """The account the engines are compared with, by hand."""
    counts = cleaned(duck, "text")[0].quality.set_index("reason")["rows"].to_dict()
    assert counts == {
        "purchased": 4, "returned": 2, "no_customer": 1, "broken_id": 1, "bad_date": 2, "impossible_date": 1,
        "bad_amount": 1, "duplicate": 1,
    }  # fmt: skip
    orders = cleaned(duck, "floats")[0]
    assert orders.facts["orders_cancelled"] == 1
    assert str(orders.table.filter(orders.table.customer_id == "5").order_date.max().execute())[:10] == "2024-03-01"


def test_a_user_who_may_only_read_is_enough(postgres):
    """SELECT on the table and temporary tables, which PostgreSQL grants to everybody, and nothing more."""
    stored(postgres, order_rows(300), "orders_to_read")
    options = {"host": postgres.con.info.host, "port": postgres.con.info.port, "dbname": "postgres"}
    with psycopg.connect(user="shop", **options) as owner:
        owner.execute("create role reader login")
        owner.execute("grant select on orders_to_read to reader")
    reader = ibis.postgres.connect(
        host=options["host"], port=options["port"], user="reader", database=options["dbname"]
    )
    table = reader.table("orders_to_read").cast(SCHEMA)
    assert len(customer_expression(table, AS_OF).cache().execute()) > 50
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
        reader.raw_sql("delete from orders_to_read")
