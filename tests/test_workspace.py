"""custvalue init: notebooks and settings in one language, and nothing of the user's is overwritten."""

from __future__ import annotations

import os
import re
from types import SimpleNamespace

import nbformat
import pytest
from click.testing import CliRunner
from conftest import ROOT
from papermill import inspect_notebook

from custvalue import workspace
from custvalue.cli import main
from custvalue.config import load_settings
from custvalue.errors import UsageError
from custvalue.labels import catalogue
from custvalue.workspace import config_text, make_workspace, open_lab

HAN = re.compile(r"[\u4e00-\u9fff]")
KEY = re.compile(r"^#?(\w+) = |^\[(.*)\]", re.MULTILINE)


def run(*words: object):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_config_has_every_key_and_one_language(language, tmp_path):
    text = config_text(language)
    sample = (ROOT / "data" / "sample" / "custvalue.toml").read_text("utf-8")
    assert KEY.findall(text) == KEY.findall(sample)
    comments = [line for line in text.splitlines() if line.startswith("# ")]
    if language == "en":
        assert not [line for line in comments if HAN.search(line)]
    else:
        assert all(HAN.search(line) for line in comments), [line for line in comments if not HAN.search(line)]
    assert "truth.csv" not in text
    (tmp_path / "custvalue.toml").write_text(text, "utf-8")
    settings = load_settings(str(tmp_path / "custvalue.toml"))
    assert (settings.language, settings.currency) == (language, "")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_notebooks_are_in_one_language_and_have_their_parameters(language, tmp_path):
    made = make_workspace(tmp_path / "shop", language)
    assert not made.kept
    assert not made.beside
    sources = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    notebooks = sorted((tmp_path / "shop" / "notebooks").iterdir())
    assert [path.name for path in notebooks] == [path.name for path in sources]
    for path, source in zip(notebooks, sources, strict=True):
        notebook = nbformat.read(path, as_version=4)
        texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
        assert all(bool(HAN.search(text)) == (language == "zh") for text in texts if len(text) > 40), path.name
        assert set(inspect_notebook(str(path))) == set(inspect_notebook(str(source)))
        assert inspect_notebook(str(path))["language"]["default"] == f'"{language}"'
        assert not any(cell.get("outputs") for cell in notebook.cells)
        told = {name: found["help"] for name, found in inspect_notebook(str(path)).items()}
        assert all(bool(HAN.search(words)) == (language == "zh") for words in told.values())
    assert (tmp_path / "shop" / "data" / "sample" / "orders.csv").is_file()


def test_the_words_of_the_parameters_are_those_of_the_notebooks():
    said = {name: words["en"] for name, words in catalogue("parameters").items()}
    used = {}
    for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"):
        used |= {name: found["help"] for name, found in inspect_notebook(str(path)).items()}
    assert used == said


def test_again_changes_nothing_and_a_changed_file_stays(tmp_path):
    shop = tmp_path / "shop"
    make_workspace(shop)
    before = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}
    assert not make_workspace(shop).kept
    assert {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()} == before
    changed = shop / "notebooks" / "01_segmentation.ipynb"
    changed.write_text("mine")
    again = make_workspace(shop)
    assert (again.kept, again.beside) == ((changed,), ())
    assert changed.read_text() == "mine"


def test_a_newer_package_updates_what_was_not_changed_and_puts_the_rest_beside(tmp_path, monkeypatch):
    shop = tmp_path / "shop"
    make_workspace(shop)
    (shop / "notebooks" / "01_segmentation.ipynb").write_text("mine")
    older = workspace._files
    monkeypatch.setattr(workspace, "_files", lambda *given: {name: text + " " for name, text in older(*given).items()})
    done = run("init", shop)
    assert done.exit_code == 0
    beside = shop / "notebooks" / "01_segmentation.new.ipynb"
    assert str(beside) in done.stderr
    assert (shop / "notebooks" / "01_segmentation.ipynb").read_text() == "mine"
    assert beside.read_text("utf-8").endswith("\n ")
    assert (shop / "notebooks" / "02_value_matrix.ipynb").read_text("utf-8").endswith("\n ")
    assert [path.name for path in shop.rglob("*.new.*")] == [beside.name]
    assert not make_workspace(shop).beside


def begins_with(shop):
    return {inspect_notebook(str(path))["data"]["default"] for path in (shop / "notebooks").glob("*.ipynb")}


def test_the_notebooks_begin_with_the_data_asked_for(tmp_path, rows):
    shop, file = tmp_path / "shop", tmp_path / "我的 订单.csv"
    rows.to_csv(file, index=False)
    assert run("init", shop, "--data", file).exit_code == 0
    assert begins_with(shop) == {f'"{file.as_posix()}"'}
    assert not make_workspace(shop).kept
    assert begins_with(shop) == {f'"{file.as_posix()}"'}
    rows.to_csv(shop / "mine.csv", index=False)
    make_workspace(shop, data=str(shop / "mine.csv"))
    assert begins_with(shop) == {'"../mine.csv"'}


def test_data_that_are_not_there_are_said_and_nothing_is_written(tmp_path):
    done = run("init", tmp_path / "shop", "--data", tmp_path / "none.csv")
    assert done.exit_code == 3
    assert "none.csv" in done.stderr
    assert not (tmp_path / "shop").exists()


def test_a_folder_in_the_way_is_said(tmp_path):
    (tmp_path / "shop").write_text("")
    assert run("init", tmp_path / "shop").exit_code == 2
    with pytest.raises(UsageError, match="There is no folder"):
        open_lab(tmp_path / "nowhere")


@pytest.mark.parametrize("first", ["notebooks/00_data_check.ipynb", "01_cost_and_return.ipynb", ""])
def test_lab_starts_in_the_folder_with_the_first_notebook(first, tmp_path):
    for name in filter(None, [first, first.replace("0_data", "9_other").replace("1_cost", "2_more")]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    started = []

    def record(command, env):
        started.append((command, env))
        return SimpleNamespace(returncode=0)

    assert open_lab(tmp_path, record) == 0
    ((command, env),) = started
    assert f"--ServerApp.root_dir={tmp_path}" in command
    assert [word for word in command if word.endswith(".ipynb")] == ([str(tmp_path / first)] if first else [])
    assert env["JUPYTER_CONFIG_PATH"].split(os.pathsep)[0] == str(workspace._LAB)


def test_jupyterlab_reads_the_settings_that_ask_for_no_news(tmp_path, monkeypatch):
    """The place and the names are those JupyterLab itself looks for."""
    from jupyterlab_server.settings_utils import _get_overrides

    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(workspace._LAB))
    found, error = _get_overrides(str(tmp_path / "none"))
    assert not error
    asked = found["@jupyterlab/apputils-extension:notification"]
    assert (asked["fetchNews"], asked["checkForUpdates"]) == ("false", False)
