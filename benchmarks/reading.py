"""Reading a text file in a legacy encoding, found by content, against the same rows in UTF-8.

    python benchmarks/reading.py [--mb 500]

Both files hold order lines with Chinese words. Each figure is measured in a process of its own: the seconds from the
path to the raw table in the engine, encoding and delimiter found on the way, and the most memory held. ``BENCH_CPU=1``
counts the seconds of the processors instead of those on the clock.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from customer_table import best

CATEGORIES = ("女装", "男装", "鞋帽", "箱包", "美妆护肤", "家居用品")
ENCODINGS = ("utf-8", "gb18030")


def lines(numbers: range) -> str:
    """Order lines: the same text for the same numbers."""
    return "".join(
        f"N{i // 2:09d},C{i * 7919 % 500_000:07d},{2021 + i % 3}-{1 + i % 12:02d}-{1 + i % 28:02d},"
        f"{i % 997}.{i % 100:02d},{CATEGORIES[i % 6]}\n"
        for i in numbers
    )


def write(path: Path, encoding: str, mb: float) -> int:
    """A file of at least so many megabytes; how many rows it has."""
    rows, step = 0, 100_000
    with path.open("wb") as file:
        file.write("订单编号,客户编号,订单日期,销售额,类别\n".encode(encoding))
        while file.tell() < mb * 1e6:
            file.write(lines(range(rows, rows + step)).encode(encoding))
            rows += step
    return rows


def _part(path: Path) -> None:
    from custvalue.sources import read_source

    found = []
    seconds = best(lambda: found.append(read_source(path)), 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    rows = found[0].table.count().execute()
    print(json.dumps({"seconds": seconds, "gb": peak, "rows": int(rows), "encoding": found[0].encoding}))


def measured(encoding: str, mb: float, folder: str) -> float:
    """Write the file, read it in a process of its own, print the figures; the seconds."""
    path = Path(folder) / f"{encoding}.csv"
    rows = write(path, encoding, mb)
    command = [sys.executable, __file__, "--path", str(path)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    assert (found["rows"], found["encoding"]) == (rows, encoding), found
    size = path.stat().st_size / 1e6
    path.unlink()
    print(f"{encoding}: {size:,.0f} MB, {rows:,} rows, {found['seconds']:.2f} s, {found['gb']:.1f} GB", flush=True)
    return found["seconds"] / rows


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--mb", type=float, default=500)
    arguments.add_argument("--folder", default=None, help="where the files are written (default: the temporary folder)")
    arguments.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.path:
        return _part(given.path)
    with tempfile.TemporaryDirectory(prefix="custvalue-bench-", dir=given.folder) as folder:
        clean, legacy = (measured(encoding, given.mb, folder) for encoding in ENCODINGS)
    return print(f"gb18030 takes {legacy / clean:.1f} times the time of utf-8 a row")


if __name__ == "__main__":
    main()
