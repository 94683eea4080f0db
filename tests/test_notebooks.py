"""Every notebook: its form, the outputs it is stored with, and a run under plain papermill in each language."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pandas as pd
import papermill
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT

from custvalue.config import load_settings
from custvalue.customers import customer_table
from custvalue.labels import LANGUAGES, catalogue
from custvalue.pipeline import read

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
NAMES = ("data", "as_of", "language", "config", "output")
RUNS = {"en": ("", "2025-12-31"), "zh": ("2025-11-30", "2025-11-30")}  # language: as_of given, as_of meant
NOT_THIN = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.While, ast.Try, ast.With)
MACHINE = re.compile(r"(?<![\w.])/(?:home|root|Users|tmp|work|mnt|opt|var)/|[A-Z]:\\\\?Users")
CHINESE = re.compile("[\u3400-\u9fff]")
LARGEST = 3_000_000

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def outputs(path: Path) -> list[nbformat.NotebookNode]:
    return [output for cell in cells(path, "code") for output in cell.outputs]


def shown(path: Path, kind: str) -> list[str]:
    """What the cells show of one kind, such as ``text/html``."""
    return [output.data[kind] for output in outputs(path) if kind in output.get("data", {})]


def heading_levels(cell: nbformat.NotebookNode) -> list[int]:
    return [len(marks) for marks in re.findall(r"^(#+) ", cell.source, re.MULTILINE)]


def tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def test_there_are_notebooks_and_together_they_are_small():
    assert len(NOTEBOOKS) >= 7
    assert sum(path.stat().st_size for path in NOTEBOOKS) < LARGEST


@each
def test_a_notebook_says_everything_in_both_languages(path):
    found = nbformat.read(path, as_version=4).cells
    places = [place for place, cell in enumerate(found) if cell.cell_type == "markdown"]
    assert places
    for first, second in zip(places[::2], places[1::2], strict=True):
        english, chinese = found[first], found[second]
        assert second == first + 1
        assert ("en" in tags(english), "zh" in tags(chinese)) == (True, True)
        assert [tag for tag in tags(english) if tag != "en"] == [tag for tag in tags(chinese) if tag != "zh"]
        assert heading_levels(english) == heading_levels(chinese)
        assert english.source.count("`") == chinese.source.count("`")
        assert CHINESE.search(chinese.source)
        assert not CHINESE.search(english.source)


@each
def test_a_notebook_opens_with_a_title_and_explained_parameters(path):
    assert heading_levels(cells(path, "markdown")[0]) == [1]
    code = cells(path, "code")
    assert [place for place, cell in enumerate(code) if "parameters" in tags(cell)] == [0]
    lines = code[0].source.splitlines()
    assert all(re.fullmatch(r"\w+ = .+  # \S.+", line) for line in lines)
    assert tuple(line.split(" = ")[0] for line in lines)[: len(NAMES)] == NAMES


@each
def test_the_code_of_a_notebook_is_thin(path):
    for cell in cells(path, "code"):
        assert not [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, NOT_THIN)], cell.source


@each
def test_a_notebook_is_stored_as_it_runs_without_errors_or_machine_paths(path):
    found = cells(path, "code")
    assert [cell.execution_count for cell in found] == list(range(1, len(found) + 1))
    kinds = {output.get("name", output.output_type) for output in outputs(path)}
    assert kinds & {"error", "stderr"} == set()
    assert shown(path, "image/png")
    written = [cell.source for cell in nbformat.read(path, as_version=4).cells]
    written += [text for kind in ("text/html", "text/plain", "text/markdown") for text in shown(path, kind)]
    assert not [text for text in written if MACHINE.search(text) or str(ROOT) in text]


def words(language: str) -> set[str]:
    """Every label and heading of a language that the other language says otherwise."""
    entries = [entry for kind in catalogue("labels").values() for entry in kind.values()]
    entries += list(catalogue("columns").values())
    return {entry[language] for entry in entries if entry["en"] != entry["zh"]}


def codes() -> set[str]:
    return {code for kind in catalogue("labels").values() for code in kind if "_" in code}


def texts(path: Path) -> set[str]:
    """Every piece of text in the tables and sentences a notebook shows."""
    return {text for html in shown(path, "text/html") for text in BeautifulSoup(html, "html.parser").stripped_strings}


def test_a_slow_query_leaves_no_progress_bar_in_a_notebook():
    from jupyter_client.manager import run_kernel

    asked = "local_engine().raw_sql(\"select current_setting('enable_progress_bar')\").fetchone()[0]"
    said = []
    with run_kernel(kernel_name="python3") as client:
        code = f"from custvalue.engine import local_engine\nprint({asked})"
        client.execute_interactive(code, timeout=120, output_hook=lambda message: said.append(message["content"]))
    assert "".join(content.get("text", "") for content in said).strip() == "False"


@pytest.fixture(scope="module")
def known(sample):
    """The customers up to a day, read without any notebook."""
    return {
        given: set(customer_table(read(sample, load_settings(data=sample, as_of=given)))["customer_id"])
        for given, _ in RUNS.values()
    }


def tables_of_customers(folder: Path) -> list[set[str]]:
    tables = [pd.read_csv(path, dtype=str) for path in sorted(folder.glob("*.csv"))]
    return [set(table["customer_id"]) for table in tables if "customer_id" in table and "reason" not in table]


@pytest.mark.parametrize("language", LANGUAGES)
@each
def test_a_notebook_runs_under_plain_papermill(path, language, sample, known, tmp_path):
    given, meant = RUNS[language]
    done, tables = tmp_path / "done.ipynb", tmp_path / "tables"
    tables.mkdir()
    parameters = {"data": str(sample), "as_of": given, "language": language, "output": str(tables)}
    papermill.execute_notebook(path, done, parameters, cwd=tmp_path, progress_bar=False, start_timeout=180)

    assert {output.get("name", output.output_type) for output in outputs(done)} & {"error", "stderr"} == set()
    assert len(shown(done, "image/png")) == len(shown(path, "image/png")) > 0
    other = next(name for name in LANGUAGES if name != language)
    assert texts(done) & words(other) == set()
    assert texts(done) & words(language)
    assert texts(done) & codes() == set()
    assert bool(CHINESE.search("".join(texts(done)))) == (language == "zh")
    of_customers = tables_of_customers(tables)
    assert of_customers
    assert all(ids <= known[given] for ids in of_customers)
    assert known[given] in of_customers
    if path.stem.startswith("00"):
        assert any(meant in text for text in texts(done))
