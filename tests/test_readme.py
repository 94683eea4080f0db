"""The READMEs keep their word: their code runs, their commands, settings, files and pictures exist."""

from __future__ import annotations

import ast
import re
import shlex
from itertools import pairwise

import click
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from conftest import ROOT

from custvalue import lifetime
from custvalue.cli import main
from custvalue.config import load_settings

READMES = ("README.md", "README.zh-CN.md")
CHINESE = re.compile(r"[\u3000-\u9fff\uff00-\uffef]")


def blocks(name, language):
    """The code blocks of a README in one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / name).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def run(code, namespace):
    """Run code as a notebook does: what its last line shows is made into HTML."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "README", "exec"), namespace)
    return eval(compile(ast.Expression(last.value), "README", "eval"), namespace)._repr_html_() if last else ""


def assert_numbers_stated(name, forecast):
    """The trust a README claims for the sample is what the forecast has, and its bounds are those of the verdict."""
    stated = (ROOT / name).read_text("utf-8")
    rules = lifetime.VerdictRules()
    truth = pd.read_csv(ROOT / "data" / "sample" / "truth.csv")["expected_orders_12m"].sum()
    for number in (
        f"{lifetime.verdict(forecast.scores)['bias']:.1%}",
        f"{truth:,.0f}",
        f"{forecast.table['expected_orders_12m'].sum():,.0f}",
        *(f"{bound:.0%}" for bound in (rules.good_bias, rules.good_skill, rules.care_bias)),
        *(f"{bound:g}" for bound in (rules.good_error, rules.care_error)),
    ):
        assert number in stated, number


@pytest.mark.parametrize("name", READMES)
def test_python_code_runs(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    namespace = {}
    shown = [run(code, namespace) for code in blocks(name, "python")]
    plt.close("all")
    table, advice, rescued = shown
    assert len(namespace["customers"]) == len(namespace["scorecard"]) == 4978
    assert namespace["verdict"] == "good"
    assert table.count("<tr>") == 6
    assert rescued.count("<tr>") > 5
    assert_numbers_stated(name, namespace["forecast"])
    assert ("铂金客户" in advice) == bool(CHINESE.search(table)) == (name == "README.zh-CN.md")


@pytest.mark.parametrize("name", READMES)
def test_settings_load(name, tmp_path):
    (block,) = blocks(name, "toml")
    file = tmp_path / "custvalue.toml"
    file.write_text(block, "utf-8")
    settings = load_settings(str(file))
    assert (settings.margin_rate, settings.pyramid.by) == (0.35, "sales_12m")


def command_lines(name):
    """Every line of the shell blocks, and every command of ours inside a sentence."""
    lines = "".join(blocks(name, "sh")).splitlines()
    cron = re.findall(r"(?<=bin/)custvalue .*", "".join(blocks(name, "text")))
    inline = re.findall(r"`((?:custvalue|make|papermill) [a-z][^`]*)`", (ROOT / name).read_text("utf-8"))
    return [*lines, *cron, *inline]


@pytest.mark.parametrize("name", READMES)
def test_commands_exist_with_their_options(name):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    seen = set()
    for line in command_lines(name):
        program, what, *rest = shlex.split(line)
        seen.add(f"{program} {what}")
        if program == "custvalue":
            parent = main.make_context(program, [what, *rest])
            assert isinstance(main.commands[what].make_context(what, rest, parent=parent), click.Context), line
        elif program == "make":
            assert what in targets, line
        else:
            assert (program, (ROOT / what).is_file()) == ("papermill", True), line
            cell = (ROOT / what).read_text("utf-8")
            assert all(f'"{key} = ' in cell for flag, key in pairwise(rest) if flag == "-p")
    commands = {f"custvalue {name}" for name in main.commands}
    assert {"make report", "make test", *commands} <= seen


@pytest.mark.parametrize("name", [*READMES, "CHANGELOG.md", "ARCHITECTURE.md"])
def test_links_lead_to_files(name):
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / name).read_text("utf-8"))
    missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert not missing


@pytest.mark.parametrize("name", READMES)
def test_pictures_are_small(name):
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+\.png)\)", (ROOT / name).read_text("utf-8"))
    assert len(pictures) == 3
    assert all((ROOT / picture).stat().st_size < 150_000 for picture in pictures)


def test_both_languages_have_the_same_parts():
    english, chinese = ((ROOT / name).read_text("utf-8") for name in READMES)
    for part in (r"^#+ ", r"^- ", r"^\d\. ", r"^\|", r"^```\w+$"):
        assert len(re.findall(part, english, re.MULTILINE)) == len(re.findall(part, chinese, re.MULTILINE)), part
    said = [block.replace("--language zh", "--language en") for block in blocks("README.zh-CN.md", "sh")]
    assert [block.replace("--language zh", "--language en") for block in blocks("README.md", "sh")] == said


def test_configuration_of_ten_lines_is_ten_lines():
    assert all(len([line for line in blocks(name, "toml")[0].splitlines() if line]) <= 10 for name in READMES)
