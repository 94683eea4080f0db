"""Whole runs that are killed, run twice at once or meet a full disk: an older pack stays as it was."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from report_notebooks import cell, write_notebook, write_orders

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

KILLS = 10
#: Each notebook says which process it is and which one forked it, works a little and writes a table.
WORK = """
import os, time
from pathlib import Path
_ = Path(os.environ["TOLD"]).open("a").write(f"{os.getpid()} {os.getppid()}\\n")
time.sleep(0.2)
while Path(os.environ["TOLD"] + "-wait").exists():
    time.sleep(0.1)
_ = (Path(output) / f"{os.environ['RUN']}-NAME.csv").write_text(os.environ["RUN"] * 1000)
"""


@pytest.fixture
def shop(tmp_path) -> Path:
    write_orders(tmp_path)
    for name in ("01_a", "02_b", "03_c"):
        write_notebook(tmp_path / "nb", name, cell("markdown", "# X"), cell("code", WORK.replace("NAME", name)))
    return tmp_path


def start(shop: Path, run: object, *more: str) -> subprocess.Popen:
    words = ["report", shop / "orders.csv", "--out", shop / "out", "--notebooks", shop / "nb", "--quiet", *more]
    command = [sys.executable, "-m", "custvalue", *map(str, words)]
    environment = os.environ | {"TOLD": str(shop / "told"), "RUN": str(run)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def check_whole(pack: Path) -> str:
    """Every file is there with the content its manifest says, all of one run; returns which run."""
    manifest = json.loads((pack / "manifest.json").read_text("utf-8"))
    for entry in manifest["files"]:
        assert hashlib.sha256((pack / entry["file"]).read_bytes()).hexdigest() == entry["sha256"], entry["file"]
    found = {path.relative_to(pack).as_posix() for path in pack.rglob("*") if path.is_file()}
    assert found == {entry["file"] for entry in manifest["files"]} | {"manifest.json"}
    runs = {path.name.partition("-")[0] for path in (pack / "tables").iterdir()}
    assert len(runs) == 1
    return runs.pop()


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def all_ended(shop: Path, seconds: float = 10) -> bool:
    """Whether every kernel and every process that forked one has ended."""
    told = (shop / "told").read_text().split() if (shop / "told").exists() else []
    end = time.monotonic() + seconds
    while (left := [pid for pid in map(int, told) if is_running(pid)]) and time.monotonic() < end:
        time.sleep(0.1)
    return not left


@pytest.mark.skipif(sys.platform != "linux", reason="packs are exchanged in one step on Linux")
def test_a_run_killed_at_any_moment_leaves_the_old_pack_or_the_new_one(shop):
    """Killed at 10 moments from the start to a little after the end (publishing alone: test_publishing.py)."""
    begun = time.monotonic()
    with start(shop, 0) as first:
        assert first.wait(120) == 0, first.stderr.read()
    length = time.monotonic() - begun
    pack, chance, seen = shop / "out" / "2024-03", random.Random(7), ["0"]
    assert check_whole(pack) == "0"
    for run in range(1, KILLS + 1):
        with start(shop, run) as process:
            time.sleep(length * (0.25 + 0.8 * (run - 1 + chance.random()) / KILLS))
            os.killpg(process.pid, signal.SIGKILL)
        found = check_whole(pack)
        assert found in (seen[-1], str(run))
        seen.append(found)
        assert all_ended(shop)
    with start(shop, "last") as last:
        assert last.wait(120) == 0, last.stderr.read()
    assert check_whole(pack) == "last"
    left = {path.name for path in (shop / "out" / ".custvalue").iterdir()}
    assert left == {"2024-03.lock"}
    assert not (shop / "out" / "failed-2024-03").exists()


def test_of_two_runs_of_a_month_one_works_and_the_other_ends_with_5(shop):
    waiting = shop / "told-wait"
    for path in (shop / "told", waiting):
        path.touch()
    with start(shop, "first") as first:
        while not (shop / "told").read_text() and first.poll() is None:
            time.sleep(0.02)
        with start(shop, "second", "--language", "zh") as second:
            said = second.communicate(timeout=120)[1]
        waiting.unlink()
        first.wait(120)
    assert (first.returncode, second.returncode) == (0, 5), said
    assert f"进程 {first.pid}" in said
    assert "2024-03" in said
    assert check_whole(shop / "out" / "2024-03") == "first"


@contextmanager
def small_disk(folder: Path, size: str):
    """A file system with little room, which only root can make."""
    folder.mkdir()
    made = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True
    )
    if not made or made.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("size", ["64k", "400k", "1500k"])
def test_a_full_disk_is_said_and_the_older_pack_stays(shop, size):
    """Too small for the shared orders, for the notebooks, and for the tables of the last notebook."""
    large = "from pathlib import Path\n_ = (Path(output) / 'large.csv').write_text('x' * 4_000_000)"
    write_notebook(shop / "nb", "09_large", cell("markdown", "# X"), cell("code", large))
    with small_disk(shop / "out", size):
        older = shop / "out" / "2024-03"
        older.mkdir()
        (older / "index.html").write_text("older")
        with start(shop, 1) as process:
            said = process.communicate(timeout=120)[1]
        assert process.returncode in (2, 4), said
        assert "No space left on device" in said
        assert "Traceback" not in said
        assert [path.name for path in older.iterdir()] == ["index.html"]
        assert not list((shop / "out" / ".custvalue").glob("staging-*"))
