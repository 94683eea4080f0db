"""Hundreds of damaged files: each is refused with a sentence, or read with every row and every cent of it.

The damage is drawn from a seed. What a file holds is counted by an independent reading (Python's csv, or the rows that
were written), never by the package.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import random
import re
import sqlite3
import time
import zipfile
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from odd_orders import run

HEAD = ["customer_id", "order_date", "amount", "product"]
WORDS = ["shoes", "red hat", "coat, long", 'so-called "silk"', "belt", "", "bag/box", "sock's"]
NASTY = [
    "a'b",
    'x"; DROP TABLE raw;--',
    "1;2;3",
    "=1+1",
    "@SUM(A1)",
    "+49 30",
    "-5",
    "{n}",
    "%s",
    "<b>",
    "$x$",
    "a|b\tc",
]
CHINESE = ["女装外套", "男鞋", "手机配件", "食品饮料", "退货优惠", "张丽娟"]


def rows_of(rng, n=30, words=WORDS):
    return [
        [
            f"{rng.randrange(12):03d}",
            f"2024-{rng.randrange(1, 7):02d}-{rng.randrange(1, 29):02d}",
            f"{rng.randrange(1, 99999) / 100:.2f}",
            rng.choice(words),
        ]
        for _ in range(n)
    ]


def text_of(rows, head=HEAD, **options):
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator=options.pop("end", "\n"), **options).writerows([head, *rows])
    return buffer.getvalue()


def money(amounts):
    good = [word.strip() for word in amounts if re.fullmatch(r"\s*-?\d+(\.\d*)?\s*", word or "")]
    return sum(map(Decimal, good), Decimal())


def truth(rows):
    return len(rows), money(row[2] for row in rows)


def reading(text, delimiter=","):
    """Rows and money of a text by Python's csv: the money of rows of the right width."""
    records = [record for record in csv.reader(io.StringIO(text), delimiter=delimiter) if record]
    whole = [record for record in records[1:] if len(record) == len(records[0])]
    place = [word.strip() for word in records[0]].index("amount")
    return len(records) - 1, money(record[place] for record in whole)


def cut(rng, data, least=0.02):
    return data[: rng.randrange(int(len(data) * least), len(data))]


def lines_of(rng, words=WORDS):
    return text_of(rows_of(rng, words=words)).splitlines(keepends=True)


def cut_text(rng):
    text = cut(rng, text_of(rows_of(rng, words=WORDS[:3])))
    try:
        found = reading(text)
    except (ValueError, IndexError):
        found = None
    return "o.csv", text.encode(), found


def noise(rng):
    return "o.csv", rng.randbytes(rng.randrange(1, 5000)), None


def stray_bytes(rng):
    data = bytearray(text_of(rows_of(rng, words=["shoes"])).encode())
    for _ in range(rng.randrange(1, 6)):
        place = data.index(b"shoes", rng.randrange(len(data) // 2)) + 2
        data[place] = rng.randrange(0x80, 0x100)
    return "o.csv", bytes(data), reading(data.decode("latin-1"))


def two_encodings(rng):
    text = lines_of(rng, CHINESE)
    half = rng.randrange(4, 28)
    data = "".join(text[:half]).encode() + "".join(text[half:]).encode("gb18030")
    return "o.csv", data, reading("".join(text))


def ragged(rng):
    rows = rows_of(rng, words=WORDS[:3])
    for row in rng.sample(rows, rng.randrange(1, 12)):
        row.append("more") if rng.random() < 0.5 else row.pop()
    return "o.csv", text_of(rows).encode(), reading(text_of(rows))


def header_again(rng):
    rows = rows_of(rng)
    for _ in range(rng.randrange(1, 4)):
        rows.insert(rng.randrange(1, len(rows)), HEAD)
    return "o.csv", text_of(rows).encode(), truth(rows)


def transposed(rng):
    rows = rows_of(rng, rng.randrange(2, 30), WORDS[:2])
    turned = list(zip(HEAD, *rows, strict=True))
    return "o.csv", text_of(turned[1:], turned[0]).encode(), None


def junk_above(rng):
    junk = ["Sales report", "printed 2024-07-01;A. Smith", "", "Total,,12.00", ",,,", "Shop: Paris", "-----"]
    above = [rng.choice(junk[:2]), *rng.choices(junk, k=rng.randrange(0, 6))]
    return "o.csv", "\n".join([*above, text_of(rows_of(rng))]).encode(), None


def blank_rows(rng):
    end = rng.choice(["\n", "\r\n"])
    lines = text_of(rows_of(rng), end=end).splitlines(keepends=True)
    for _ in range(rng.randrange(1, 4)):
        lines.insert(rng.randrange(1, len(lines) + 1), end * rng.randrange(1000, 5000))
    return "o.csv", "".join(lines).encode(), reading("".join(lines))


def absurd_field(rng):
    rows = rows_of(rng)
    rng.choice(rows)[rng.choice([0, 3])] = rng.choice(["x", '"', "中", "a,b\n"]) * rng.randrange(10**5, 10**6)
    return "o.csv", text_of(rows).encode(), truth(rows)


def nasty_names(rng):
    rows = rows_of(rng, words=[*NASTY, "two\nlines"])
    for row in rows:
        row[0] = rng.choice(NASTY)
    dialect = {"delimiter": rng.choice(",;\t|"), "quoting": rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])}
    return "o.csv", text_of(rows, **dialect).encode(), truth(rows)


def nasty_headers(rng):
    more = rng.sample([*NASTY, "row_number", "reason", "x" * 500, "raw", "select", "1", "source_file"], 4)
    rows = [[*row, *"abcd"] for row in rows_of(rng)]
    return "o.csv", text_of(rows, [*HEAD, *more]).encode(), truth(rows)


def nul_bytes(rng):
    data = bytearray(text_of(rows_of(rng)).encode())
    data.insert(rng.randrange(len(data)), 0)
    return "o.csv", bytes(data), None


def packed(rng):
    pack, name = rng.choice([(gzip.compress, "gz"), (bz2.compress, "bz2"), (lzma.compress, "xz"), (zipped, "zip")])
    return f"o.csv.{name}", cut(rng, pack(text_of(rows_of(rng, 300)).encode())), None


def zipped(data, name="o.csv"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def workbook(rows):
    import openpyxl

    book, buffer = openpyxl.Workbook(), io.BytesIO()
    for row in [HEAD, *([*row[:2], float(row[2]), row[3]] for row in rows)]:
        book.active.append(row)
    book.save(buffer)
    return buffer.getvalue()


def cut_workbook(rng):
    return "o.xlsx", cut(rng, workbook(rows_of(rng))), None


def flipped_workbook(rng):
    rows = rows_of(rng, words=["shoes", "hat"])
    data = bytearray(workbook(rows))
    for _ in range(rng.randrange(1, 20)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return "o.xlsx", bytes(data), truth(rows)


def parquet(rows):
    buffer = io.BytesIO()
    pq.write_table(pa.table(dict(zip(HEAD, map(list, zip(*rows, strict=True)), strict=True))), buffer)
    return buffer.getvalue()


def cut_parquet(rng):
    return "o.parquet", cut(rng, parquet(rows_of(rng))), None


def bad_footer(rng):
    data = bytearray(parquet(rows_of(rng)))
    size = int.from_bytes(data[-8:-4], "little")
    data[-8 - size : -8] = rng.randbytes(size)
    return "o.parquet", bytes(data), None


def cut_sqlite(rng):
    rows = rows_of(rng, 300)
    with sqlite3.connect(":memory:") as there:
        there.execute(f"CREATE TABLE orders ({', '.join(HEAD)})")
        there.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", rows)
    return "o.sqlite", cut(rng, there.serialize()), truth(rows)


def cut_duckdb(rng, folder):
    path = folder / "made.duckdb"
    with duckdb.connect(str(path)) as there:
        there.execute("CREATE TABLE orders (customer_id TEXT, order_date DATE, amount DECIMAL(9, 2), product TEXT)")
        there.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", rows_of(rng, 3))
    return "o.duckdb", cut(rng, path.read_bytes()), None


def cut_json_lines(rng):
    rows = rows_of(rng)
    text = cut(rng, "".join(json.dumps(dict(zip(HEAD, row, strict=True))) + "\n" for row in rows), 0.2)
    lines = text.splitlines()
    whole = [line for line in lines if line.endswith("}")]
    return "o.jsonl", text.encode(), (len(lines), money(json.loads(line)["amount"] for line in whole))


def cut_json(rng):
    rows = [dict(zip(HEAD, row, strict=True)) for row in rows_of(rng)]
    return "o.json", cut(rng, json.dumps(rows, indent=rng.choice([None, 1]))).encode(), None


def two_delimiters(rng):
    lines = lines_of(rng, ["shoes"])
    half = rng.randrange(5, 25)
    text = "".join([*lines[:half], *(line.replace(",", ";") for line in lines[half:])])
    return "o.csv", text.encode(), reading(text)


def line_ends(rng):
    rows = rows_of(rng, words=["shoes", "coat, long"])
    lines = text_of(rows).splitlines()
    end = rng.choice(["\r", "\n", "\r\n"])
    return "o.csv", (end.join(lines) + rng.choice(["", end, end * 3])).encode(), truth(rows)


def wrong_ending(rng):
    rows = rows_of(rng)
    made = {"csv": text_of(rows).encode(), "xlsx": workbook(rows), "parquet": parquet(rows)}
    given, told = rng.sample(["csv", "xlsx", "parquet"], 2)
    return f"o.{told}", made[given], None


def cut_utf16(rng):
    text = text_of(rows_of(rng, words=CHINESE))
    data = cut(rng, text.encode("utf-16"), 0.3)
    return "o.csv", data, reading(data[: len(data) // 2 * 2].decode("utf-16"))


def stray_quote(rng):
    lines = lines_of(rng, ["shoes", "hat"])
    place = rng.randrange(2, len(lines))
    fields = lines[place].split(",")
    field = rng.randrange(4)
    fields[field] = '"' + fields[field] if rng.random() < 0.7 else fields[field][:1] + '"' + fields[field][1:]
    lines[place] = ",".join(fields)
    return "o.csv", "".join(lines).encode(), reading("".join(lines))


def column_gone(rng):
    gone = rng.randrange(3)
    rows = [[word for place, word in enumerate(row) if place != gone] for row in [HEAD, *rows_of(rng)]]
    return "o.csv", text_of(rows[1:], rows[0]).encode(), None


def column_twice(rng):
    twice = rng.choice(HEAD)
    rows = rows_of(rng)
    return "o.csv", text_of([[*row, "x"] for row in rows], [*HEAD, twice]).encode(), None


def strange_amounts(rng):
    rows = rows_of(rng)
    for row in rng.sample(rows, 8):
        row[2] = rng.choice(["inf", "nan", "--5", "1e999", "ten", "1.2.3", "0x10", "5 or 6", "#REF!", "∞"])
    return "o.csv", text_of(rows).encode(), truth(rows)


def nothing(rng):
    return "o.csv", rng.choice([b"", b"\n", b" \n\t\n", b"\xef\xbb\xbf", b"\xff\xfe", ",".join(HEAD).encode()]), None


DAMAGES = {
    cut_text: 22,
    noise: 10,
    stray_bytes: 12,
    two_encodings: 10,
    ragged: 16,
    header_again: 8,
    transposed: 8,
    junk_above: 14,
    blank_rows: 8,
    absurd_field: 10,
    nasty_names: 16,
    nasty_headers: 12,
    nul_bytes: 8,
    packed: 24,
    cut_workbook: 14,
    flipped_workbook: 12,
    cut_parquet: 10,
    bad_footer: 6,
    cut_sqlite: 10,
    cut_duckdb: 4,
    cut_json_lines: 12,
    cut_json: 8,
    two_delimiters: 8,
    line_ends: 8,
    wrong_ending: 8,
    cut_utf16: 8,
    stray_quote: 16,
    column_gone: 6,
    column_twice: 6,
    strange_amounts: 8,
    nothing: 6,
}
CASES = [(damage, seed) for damage, n in DAMAGES.items() for seed in range(n)]


def test_there_are_enough_damaged_files():
    assert len(CASES) >= 300


@pytest.mark.parametrize(("damage", "seed"), CASES, ids=[f"{damage.__name__}-{seed}" for damage, seed in CASES])
def test_a_damaged_file_is_refused_or_read_to_the_cent(damage, seed, tmp_path):
    rng = random.Random(f"{damage.__name__} {seed}")
    name, content, expected = damage(rng, tmp_path) if damage is cut_duckdb else damage(rng)
    (tmp_path / name).write_bytes(content)
    began = time.monotonic()
    done = run("check", tmp_path / name, "--json")
    assert time.monotonic() - began < 30
    assert "Traceback" not in done.output
    assert done.exit_code in (0, 3), done.output
    if done.exit_code == 3:
        assert re.fullmatch(r"[^\n]{30,}\n", done.stderr)
        assert done.stdout == ""
        return
    assert expected is not None, f"read as {done.output}"
    facts = json.loads(done.stdout)
    assert facts["rows_in"] == expected[0]
    assert facts["rows_in"] == facts["rows_accepted"] + facts["rows_quarantined"]
    assert facts["money_in"] == pytest.approx(float(expected[1]), abs=0.005)


@pytest.mark.parametrize(
    "damage",
    [ragged, header_again, blank_rows, nasty_names, nasty_headers, line_ends, strange_amounts, cut_json_lines],
)
def test_damage_that_leaves_the_rest_readable_is_no_refusal(damage, tmp_path):
    name, content, _ = damage(random.Random(f"{damage.__name__} 0"))
    (tmp_path / name).write_bytes(content)
    assert run("check", tmp_path / name, "--json").exit_code == 0
