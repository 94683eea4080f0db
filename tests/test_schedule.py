"""The schedule examples: read by the programs they are for where those are here, else by their grammar."""

from __future__ import annotations

import ast
import datetime as dt
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest
import yaml
from conftest import ROOT
from papermill import inspect_notebook
from report_notebooks import cell, write_notebook, write_orders

from custvalue.cli import main

FOLDER = ROOT / "examples" / "schedule"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def written(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


def arguments(command: str) -> dict:
    """What the real command line makes of a command of ours; an unknown option would be an error."""
    words = shlex.split(command)
    assert Path(words[0]).name in ("custvalue", "custvalue.exe")
    name, report, rest = main.resolve_command(main.make_context("custvalue", words[1:]), words[1:])
    assert name == "report"
    return report.make_context(name, rest).params


def commands() -> dict[str, str]:
    """The command of each example that runs ours."""
    crontab = [line for line in written("crontab").splitlines() if re.match(r"\d", line)]
    service = re.search(r"^ExecStart=(.*)$", written("custvalue.service"), re.MULTILINE)[1]
    steps = yaml.safe_load(written("github-actions.yml"))["jobs"]["report"]["steps"]
    action = next(step["run"] for step in steps if "report" in step.get("run", ""))
    variables = dict(re.findall(r'^\$(\w+) = "(.*)"$', written("windows-task.ps1"), re.MULTILINE))
    windows = f"{variables['custvalue']} {variables['arguments']}".replace("\\", "/")
    (line,) = crontab
    return {"cron": line.split(None, 5)[5], "systemd": service, "github": action, "windows": windows}


@pytest.mark.parametrize("kind", ["cron", "systemd", "github", "windows"])
def test_the_command_is_one_our_command_line_understands(kind):
    given = arguments(commands()[kind])
    assert given["out"].endswith("reports")
    assert given["config"].endswith("custvalue.toml")
    assert given["quiet"] is True


def test_the_crontab_has_five_fields_and_no_percent_sign():
    (line,) = [line for line in written("crontab").splitlines() if re.match(r"\d", line)]
    minute, hour, day, month, weekday = line.split()[:5]
    assert (0 <= int(minute) < 60, 0 <= int(hour) < 24, 1 <= int(day) <= 28) == (True, True, True)
    assert (month, weekday) == ("*", "*")
    assert "%" not in line  # cron would end the command there
    others = [entry for entry in written("crontab").splitlines() if entry and entry[0] != "#" and entry != line]
    assert all(re.fullmatch(r"[A-Z]+=\S+", entry) for entry in others)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_systemd_finds_no_fault_and_the_timer_runs_once_a_month(tmp_path):
    service = written("custvalue.service").replace("/opt/custvalue/.venv/bin/custvalue", sys.executable)
    service = re.sub(r"^(User|RequiresMountsFor)=.*\n", "", service, flags=re.MULTILINE)
    (tmp_path / "custvalue.service").write_text(service)
    shutil.copy(FOLDER / "custvalue.timer", tmp_path)
    files = [str(tmp_path / name) for name in ("custvalue.service", "custvalue.timer")]
    checked = subprocess.run(["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True)
    assert not [line for line in checked.stderr.splitlines() if "custvalue" in line], checked.stderr
    when = re.search(r"^OnCalendar=(.*)$", written("custvalue.timer"), re.MULTILINE)[1]
    said = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations=3", "--base-time=2026-01-15", when],
        capture_output=True,
        text=True,
        env={"TZ": "UTC", "LC_ALL": "C", "PATH": "/usr/bin:/bin"},
    )
    assert re.findall(r"\d{4}-\d\d-\d\d 06:15", said.stdout) == [f"2026-0{m}-02 06:15" for m in (2, 3, 4)]


def test_the_service_takes_a_month_that_is_held_for_no_failure():
    from custvalue.errors import BusyError

    assert f"SuccessExitStatus={BusyError.exit_code}" in written("custvalue.service")


def test_the_workflow_is_yaml_with_a_monthly_schedule():
    flow = yaml.safe_load(written("github-actions.yml"))
    assert flow[True]["schedule"] == [{"cron": "15 6 2 * *"}]  # YAML 1.1 reads "on" as true
    job = flow["jobs"]["report"]
    assert job["timeout-minutes"] <= 360
    assert all(("uses" in step) != ("run" in step) for step in job["steps"])
    assert all(re.fullmatch(r"[\w./-]+@v\d+", step["uses"]) for step in job["steps"] if "uses" in step)


def dag() -> ast.Module:
    return ast.parse(written("airflow_dag.py"))


def constants() -> dict[str, str]:
    """The templates of the DAG, evaluated from its source without Airflow."""
    names = ("LAST_DAY", "AS_OF", "OUT")
    body = [node for node in dag().body if isinstance(node, ast.Assign) and node.targets[0].id in names]
    found: dict[str, str] = {}
    exec(compile(ast.Module(body, []), "airflow_dag.py", "exec"), {}, found)
    return found


def test_airflow_gives_parameters_that_every_notebook_has():
    calls = [node for node in ast.walk(dag()) if isinstance(node, ast.Call)]
    (task,) = [call for call in calls if getattr(call.func, "id", "") == "PapermillOperator"]
    keywords = {keyword.arg: keyword.value for keyword in task.keywords}
    assert set(keywords) == {"task_id", "input_nb", "output_nb", "parameters"}
    given = {key.value for key in keywords["parameters"].keys}
    for path in NOTEBOOKS:
        assert given <= set(inspect_notebook(str(path))), path.stem


@pytest.mark.parametrize(
    ("run", "as_of"), [("2026-01-02", "2025-12-31"), ("2026-03-02", "2026-02-28"), ("2028-03-02", "2028-02-29")]
)
def test_airflow_asks_for_the_month_before_the_run(run, as_of):
    known = {"data_interval_end": dt.datetime.fromisoformat(run), "macros": SimpleNamespace(timedelta=dt.timedelta)}
    shown = {name: jinja2.Template(text).render(known) for name, text in constants().items()}
    assert shown["AS_OF"] == as_of
    assert shown["OUT"] == f"/srv/shop/reports/{as_of[:7]}"


def test_the_mail_holds_the_headlines_or_the_error():
    spec = importlib.util.spec_from_file_location("tell", FOLDER / "tell.py")
    tell = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tell)
    outcome = {
        "status": "published",
        "month": "2025-12",
        "headlines": ["销售额 1"],
        "index": "/o/index.html",
        "error": "",
    }
    mail = tell.message(outcome)
    assert mail["Subject"] == "Customer value 2025-12: published"
    assert mail.get_content().splitlines() == ["销售额 1", "", "/o/index.html"]
    failed = tell.message({"status": "failed", "month": "", "headlines": [], "index": "", "error": "no file"})
    assert failed.get_content().strip() == "no file"


def test_the_files_of_the_table_are_those_in_the_folder():
    named = set(
        re.findall(r"`([\w.-]+\.\w+|crontab)`", "".join(re.findall(r"^\|.*$", written("README.md"), re.MULTILINE)))
    )
    assert named == {path.name for path in FOLDER.iterdir()} - {"README.md", "__pycache__"}


def test_a_year_of_months_by_the_command_of_the_crontab(tmp_path):
    """The command as cron would run it, in a shell, a month at a time; an old month again disturbs no newer one."""
    write_orders(tmp_path / "data")
    (tmp_path / "custvalue.toml").write_text('language = "zh"\n')
    notebooks = write_notebook(
        tmp_path / "nb",
        "06_monthly_review",
        cell("code", "from custvalue.tables import Sentence\nSentence(as_of)", "headline"),
    )
    told = tmp_path / "told.py"
    told.write_text(f"import sys; open({str(tmp_path / 'told')!r}, 'a').write(sys.stdin.read() + chr(10))")
    line = commands()["cron"].replace("/srv/shop", str(tmp_path)).replace("tell.py", "told.py")
    line = line.replace("custvalue report", f"{sys.executable} -m custvalue report").replace(
        "python /", f"{sys.executable} /"
    )
    for as_of in ("2024-02-29", "2024-03-31", "2024-02-29"):
        command = f"{line} --notebooks {notebooks} --as-of {as_of}"
        subprocess.run(command, shell=True, check=True, capture_output=True, cwd="/", executable="/bin/sh")
    out = tmp_path / "reports"
    assert sorted(path.name for path in out.glob("2*")) == ["2024-02", "2024-03"]
    outcomes = [json.loads(line) for line in (tmp_path / "told").read_text("utf-8").splitlines()]
    assert [outcome["month"] for outcome in outcomes] == ["2024-02", "2024-03", "2024-02"]
    assert outcomes[2]["headlines"] == ["2024-02-29"]
    assert {outcome["status"] for outcome in outcomes} == {"published"}
