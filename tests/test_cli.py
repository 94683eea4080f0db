"""The command line: exit codes, messages without tracebacks, and a real process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner
from report_notebooks import cell, write_notebook, write_orders

from custvalue.cli import main
from custvalue.share import sample_folder


def run(*words: object):
    return CliRunner().invoke(main, [str(word) for word in words])


def process(*words: object, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "custvalue.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, **options)


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition, seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return bool(condition())


def test_help_is_bilingual_has_an_example_and_loads_no_heavy_library():
    done = process("--help", env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == 0
    assert "custvalue sample my-shop\n" in done.stdout
    assert "由订单文件" in done.stdout
    loaded = set(re.findall(r"\| +([\w.]+)$", done.stderr, re.MULTILINE))
    assert "click" in loaded
    assert not loaded & {"pandas", "ibis", "numpy", "papermill", "nbconvert"}


@pytest.mark.parametrize("command", ["report", "check", "sample"])
def test_each_command_shows_an_example(command):
    assert f"\n    custvalue {command} " in run(command, "-h").output


def test_version():
    assert metadata.version("custvalue") in run("--version").output


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["report"], 2),
        (["report", "orders.csv"], 2),
        (["report", "orders.csv", "--out", "o", "--language", "fr"], 2),
        (["nonsense"], 2),
        (["check", "nowhere.csv"], 3),
        (["report", "nowhere.csv", "--out", "o"], 3),
        (["check", "nowhere.csv", "--config", "nowhere.toml"], 2),
        (["check", "nowhere.csv", "--as-of", "2024-02-30"], 2),
    ],
)
def test_exit_codes(words, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "--out" in words:
        words = [*words, "--notebooks", write_notebook(tmp_path / "nb", "01_x")]
    done = run(*words)
    assert done.exit_code == code
    assert "Traceback" not in done.output
    assert done.stderr


def test_messages_come_in_the_language_asked_for_or_configured(tmp_path):
    assert "nowhere.csv" in run("check", "nowhere.csv", "--language", "zh").stderr
    assert "请" in run("check", "nowhere.csv", "--language", "zh").stderr
    (tmp_path / "custvalue.toml").write_text('language = "zh"', "utf-8")
    done = run("check", tmp_path)
    assert done.exit_code == 3
    assert "请" in done.stderr


def test_check_counts_every_row_as_json_and_as_text(tmp_path):
    orders = write_orders(tmp_path)
    told = json.loads(run("check", orders, "--json").stdout)
    assert (told["rows_in"], told["rows_accepted"], told["customers"]) == (5, 4, 3)
    assert told["as_of"] == "2024-03-31"
    assert told["rows_in"] == told["rows_accepted"] + told["rows_quarantined"] == 5
    assert told["mapping"]["amount"] == "amount"
    assert sum(reason["rows"] for reason in told["reasons"].values()) == told["rows_quarantined"] > 0
    assert told["enough_data"]["pyramid"] == {
        "fitness": "not_fit",
        "shortfall": "few_customers",
        "got": 3,
        "needed": 20,
    }
    shown = run("check", orders, "--language", "zh").stdout
    assert "读入 5 行" in shown
    assert "customer_id" in shown


def test_sample_is_copied_and_never_over_other_content(tmp_path):
    assert run("sample", tmp_path / "shop").exit_code == 0
    files = {path.name: path.read_bytes() for path in (tmp_path / "shop").iterdir()}
    assert files == {path.name: path.read_bytes() for path in sample_folder().iterdir() if path.is_file()}
    assert "custvalue.toml" in files
    assert run("sample", tmp_path / "shop").exit_code == 0
    last = tmp_path / "other" / max(files)
    last.parent.mkdir()
    last.write_text("mine")
    refused = run("sample", last.parent)
    assert refused.exit_code == 2
    assert str(last) in refused.stderr
    assert [path.name for path in last.parent.iterdir()] == [last.name]
    assert last.read_text() == "mine"
    assert run("sample", last / "below").exit_code == 2


def test_an_unexpected_failure_is_one_line_and_debug_shows_more():
    short = run("report", "orders.csv", "--out", "bad\0name")
    assert short.exit_code == 4
    assert len(short.stderr.strip().splitlines()) == 1
    assert "Traceback" in run("report", "orders.csv", "--out", "bad\0name", "--debug").stderr


def test_a_report_in_a_real_process(tmp_path):
    notebooks = write_notebook(tmp_path / "nb", "01_x", cell("markdown", "# X"), cell("code", "print(as_of)"))
    write_orders(tmp_path)
    done = process("report", "orders.csv", "--out", "包", "--notebooks", notebooks, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    index = Path(done.stdout.strip().splitlines()[-1])
    assert index == tmp_path / "包" / "2024-03" / "index.html"
    assert "2024-03-31" in (index.parent / "01_x.html").read_text("utf-8")


def test_a_failing_notebook_ends_with_4_and_tells_where(tmp_path):
    notebooks = write_notebook(tmp_path / "nb", "01_x", cell("code", "raise ValueError('没有数据')"))
    done = run("report", write_orders(tmp_path), "--out", tmp_path / "out", "--notebooks", notebooks)
    assert done.exit_code == 4
    assert "ValueError: 没有数据" in done.stderr
    assert str(tmp_path / "out" / "failed-2024-03" / "01_x.ipynb") in done.stderr
    assert done.stdout == ""


def listener(folder: Path, code: int = 0) -> str:
    """A command that writes what it is told into a file and ends with a code."""
    (folder / "listen.py").write_text(
        f"import sys\nopen(sys.argv[1], 'wb').write(sys.stdin.buffer.read())\nsys.exit({code})"
    )
    return f"{sys.executable} '{folder / 'listen.py'}' '{folder / 'told $(touch x); y'}'"


def test_a_program_is_told_of_the_report(tmp_path):
    sentence = "from custvalue.tables import Sentence\nSentence('销售额增长')"
    notebooks = write_notebook(
        tmp_path / "nb", "06_review", cell("markdown", "# X"), cell("code", sentence, "headline")
    )
    words = ["report", write_orders(tmp_path), "--out", tmp_path / "out", "--notebooks", notebooks]
    done = run(*words, "--notify", listener(tmp_path))
    assert done.exit_code == 0, done.stderr
    told = json.loads((tmp_path / "told $(touch x); y").read_text("utf-8"))
    assert told.pop("seconds") > 0
    assert told == {
        "status": "published",
        "exit_code": 0,
        "month": "2024-03",
        "index": str(tmp_path / "out" / "2024-03" / "index.html"),
        "headlines": ["销售额增长"],
        "warnings": {},
        "error": "",
    }


def test_a_program_is_told_of_a_failure_and_its_own_changes_nothing(tmp_path):
    notebooks = write_notebook(tmp_path / "nb", "01_x", cell("code", "raise ValueError('oh')"))
    words = ["report", write_orders(tmp_path), "--out", tmp_path / "out", "--notebooks", notebooks, "--language", "zh"]
    done = run(*words, "--notify", listener(tmp_path, 3))
    assert done.exit_code == 4
    assert "运行结果未能送出" in done.stderr
    told = json.loads((tmp_path / "told $(touch x); y").read_text("utf-8"))
    assert (told["status"], told["exit_code"], told["month"], told["index"]) == ("failed", 4, "2024-03", "")
    assert "ValueError: oh" in told["error"]
    assert "笔记本" in told["error"]
    missing = run("report", "nowhere.csv", "--out", tmp_path / "out", "--notify", "no-such-program")
    assert missing.exit_code == 3
    assert "no-such-program: No such file" in missing.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_leaves_no_folder_and_no_kernel(tmp_path):
    told = tmp_path / "kernel"
    code = f"import os, time\n_ = open({str(told)!r}, 'w').write(str(os.getpid()))\ntime.sleep(300)"
    notebooks = write_notebook(tmp_path / "nb", "01_x", cell("code", code))
    words = ["report", write_orders(tmp_path), "--out", tmp_path / "out", "--notebooks", notebooks]
    command = [sys.executable, "-m", "custvalue.cli", *map(str, words)]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's job in the background starts deaf to it
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heard) as report:
        assert wait_until(lambda: told.exists() and told.read_text())
        report.send_signal(signal.SIGINT)
        report.communicate(timeout=60)
    assert report.returncode == 130
    assert [path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")] == ["custvalue.log"]
    assert not list((tmp_path / "out" / ".custvalue").glob("staging-*"))
    assert wait_until(lambda: not running(int(told.read_text())), seconds=10)
