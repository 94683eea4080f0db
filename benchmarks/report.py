"""How long a pack takes against its floor, and how much memory: ``python benchmarks/report.py [--large]``.

The floor is the same number of notebooks that hold only the imports of ours, run by papermill with as many processes.
``--large`` makes a pack of 5,000,000 orders of 1,000,000 customers instead. Memory is the largest sum over the
process tree of what each process has for itself (proportional set size, which counts shared pages once).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
IMPORTS = """import custvalue as cv
import duckdb, ibis.backends.duckdb, matplotlib.pyplot, pandas, pyarrow.parquet
import scipy.optimize, scipy.stats, seaborn, sklearn.cluster
cv.read, cv.scorecard, cv.show, cv.plot_months"""
SPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}


def floor_notebooks(folder: Path) -> list[Path]:
    """As many notebooks as ours, which hold only imports."""
    notebook = new_notebook(cells=[new_code_cell(IMPORTS)], metadata={"kernelspec": SPEC})
    paths = [folder / path.name for path in NOTEBOOKS]
    for path in paths:
        nbformat.write(notebook, path)
    return paths


def papermill(path: Path) -> None:
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", str(path), str(path.with_suffix(".out.ipynb"))]
    subprocess.run(command, check=True, capture_output=True)


def floor_seconds() -> float:
    with tempfile.TemporaryDirectory() as folder:
        paths = floor_notebooks(Path(folder))
        begun = time.monotonic()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(papermill, paths))
        return time.monotonic() - begun


def children_of(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from children_of(int(child))


def memory_of(pid: int) -> int:
    """Bytes of one process, its share of what it shares."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def watch(process: subprocess.Popen, most: list[int]) -> None:
    while process.poll() is None:
        most[0] = max(most[0], sum(map(memory_of, children_of(process.pid))))
        time.sleep(0.5)


def pack(data: Path, out: Path, *more: str) -> tuple[float, float, dict[str, float]]:
    """Seconds, largest memory in GB, and the seconds of each notebook."""
    command = [sys.executable, "-m", "custvalue", "report", str(data), "--out", str(out), "--quiet", *more]
    begun, most = time.monotonic(), [0]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        watcher = threading.Thread(target=watch, args=(process, most))
        watcher.start()
        said = process.communicate()[0]
    watcher.join()
    if process.returncode:
        raise SystemExit(process.returncode)
    manifest = json.loads((Path(said.strip().splitlines()[-1]).parent / "manifest.json").read_text("utf-8"))
    return time.monotonic() - begun, most[0] / 1e9, manifest["timings"]["notebook_seconds"]


def main(large: bool) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        data = ROOT / "data" / "sample"
        if large:
            sys.path.insert(0, str(Path(__file__).parent))
            from generate import generate

            data = generate(Path(folder) / "orders.parquet", 5_000_000, rows_per_customer=5, rows_per_order=1)
        seconds, memory, notebooks = pack(data, Path(folder) / "out")
    print(f"pack: {seconds:.1f} s, {memory:.2f} GB, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name, taken in sorted(notebooks.items(), key=lambda item: -item[1]):
        print(f"  {name}: {taken:.1f} s")
    if not large:
        floor = floor_seconds()
        print(f"floor: {floor:.1f} s; the pack takes {seconds / floor:.2f} times that")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--large", action="store_true", help="5,000,000 orders of 1,000,000 customers")
    main(parser.parse_args().large)
