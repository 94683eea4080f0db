"""Putting a pack in its place: whole at every moment, repaired after a crash, one run a month."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from custvalue import publishing
from custvalue.errors import BusyError, UsageError
from custvalue.publishing import month_lock, publish, staging

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def fill(folder: Path, word: str, n: int = 20) -> None:
    for number in range(n):
        (folder / f"{number}.txt").write_text(word)
    (folder / "manifest.json").write_text(json.dumps(n))


def words(folder: Path) -> set[str]:
    return {path.read_text() for path in folder.glob("*.txt")}


@pytest.mark.parametrize("exchange", [True, False])
def test_a_pack_takes_the_place_of_the_older_one(tmp_path, exchange, monkeypatch):
    if not exchange:
        monkeypatch.setattr(publishing, "_exchange", lambda one, other: False)
    for word in ("old", "new"):
        with staging(tmp_path) as folder:
            fill(folder, word)
            publish(folder, tmp_path / "2024-03")
    assert words(tmp_path / "2024-03") == {"new"}
    assert not (tmp_path / ".custvalue").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="exchanging folders is done on Linux")
def test_the_system_exchanges_two_folders_in_one_step(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.txt").write_text(name)
    assert publishing._exchange(tmp_path / "a", tmp_path / "b")
    assert (words(tmp_path / "a"), words(tmp_path / "b")) == ({"b"}, {"a"})
    assert not publishing._exchange(tmp_path / "a", tmp_path / "missing")


def test_the_older_pack_comes_back_if_the_new_one_can_not_be_put_there(tmp_path, monkeypatch):
    monkeypatch.setattr(publishing, "_exchange", lambda one, other: False)
    (tmp_path / "2024-03").mkdir()
    fill(tmp_path / "2024-03", "old")
    with pytest.raises(FileNotFoundError):
        publish(tmp_path / ".custvalue" / "missing", tmp_path / "2024-03")
    assert words(tmp_path / "2024-03") == {"old"}


def test_a_pack_that_was_moved_aside_comes_back_at_the_next_run(tmp_path):
    aside = tmp_path / ".custvalue" / "old-2024-03-abcd"
    aside.mkdir(parents=True)
    fill(aside, "old")
    with staging(tmp_path):
        assert words(tmp_path / "2024-03") == {"old"}
    assert not aside.exists()


def test_an_older_pack_whose_place_is_taken_is_removed(tmp_path):
    aside = tmp_path / ".custvalue" / "old-2024-03-abcd"
    for folder, word in ((aside, "old"), (tmp_path / "2024-03", "new")):
        folder.mkdir(parents=True)
        fill(folder, word)
    with staging(tmp_path):
        pass
    assert words(tmp_path / "2024-03") == {"new"}
    assert not aside.exists()


def test_the_month_of_a_run_that_goes_on_is_not_repaired(tmp_path):
    aside = tmp_path / ".custvalue" / "old-2024-03-abcd"
    aside.mkdir(parents=True)
    with month_lock(tmp_path, "2024-03"), staging(tmp_path):
        assert aside.exists()


def test_a_month_is_held_by_one_and_says_by_whom(tmp_path):
    with staging(tmp_path), month_lock(tmp_path, "2024-03"):
        with pytest.raises(BusyError, match=rf"2024-03.*process {os.getpid()} on .*since 20\d\d-") as caught:
            month_lock(tmp_path, "2024-03").__enter__()
        assert caught.value.exit_code == 5
        with month_lock(tmp_path, "2024-04"):
            pass
    with month_lock(tmp_path, "2024-03"):
        pass


def start(code: str, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


HOLD = """
    import sys, time
    from pathlib import Path
    from custvalue.publishing import month_lock, staging
    with staging(Path(sys.argv[1])), month_lock(Path(sys.argv[1]), "2024-03"):
        print("held", flush=True)
        time.sleep(60)
"""


@POSIX
def test_the_lock_and_the_leftovers_of_a_killed_run_do_not_block(tmp_path):
    with start(HOLD, tmp_path) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match=f"process {holder.pid} "):
            month_lock(tmp_path, "2024-03").__enter__()
        with staging(tmp_path):
            assert len(list((tmp_path / ".custvalue").glob("staging-*[!k]"))) == 2
        holder.kill()
    with staging(tmp_path), month_lock(tmp_path, "2024-03"):
        assert len(list((tmp_path / ".custvalue").glob("staging-*[!k]"))) == 1


PUBLISH = """
    import sys
    from itertools import count
    from pathlib import Path
    from custvalue import publishing
    out, exchange = Path(sys.argv[1]), sys.argv[2] == "exchange"
    if not exchange:
        publishing._exchange = lambda one, other: False
    for turn in count():
        if turn == 1:
            print("ready", flush=True)
        with publishing.staging(out) as folder, publishing.month_lock(out, "2024-03"):
            for number in range(20):
                (folder / f"{number}.txt").write_text(str(turn))
            (folder / "manifest.json").write_text("20")
            publishing.publish(folder, out / "2024-03")
"""


@POSIX
@pytest.mark.parametrize("how", ["exchange", "in two steps"])
def test_killed_at_random_moments_the_old_pack_or_the_new_one_is_there(tmp_path, how):
    """A process that only publishes, killed 40 times: in one step a pack is there at once, in two after the repair."""
    if how == "exchange" and sys.platform != "linux":
        pytest.skip("exchanging folders is done on Linux")
    chance = random.Random(1)
    (tmp_path / "2024-03").mkdir()
    fill(tmp_path / "2024-03", "first")
    for _ in range(45):
        with start(PUBLISH, tmp_path, how) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0.005, 0.06))
            process.send_signal(signal.SIGKILL)
        if how != "exchange":
            with staging(tmp_path):
                pass
        pack = tmp_path / "2024-03"
        assert len(words(pack) - {"first"}) == 1
        assert len(list(pack.glob("*.*"))) == 21
    with staging(tmp_path):
        pass
    assert {path.name for path in (tmp_path / ".custvalue").iterdir()} <= {"2024-03.lock", "2024-03.json"}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write into any folder")
def test_a_read_only_folder_is_said(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="Permission denied"), staging(tmp_path):
        pass


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="Can not write into the folder"), staging(tmp_path / "out"):
        pass
