"""The repository opens on Binder services: what repo2docker reads, and that it needs nobody for a further step."""

from __future__ import annotations

import re
import tomllib

import yaml
from conftest import ROOT

FOLDER = ROOT / "binder"
#: Files by which repo2docker would do more than install the environment, or do it another way.
OTHERS = ("postBuild", "start", "Dockerfile", "apt.txt", "requirements.txt", "runtime.txt", "setup.py", "Pipfile")


def test_one_file_says_everything():
    assert [path.name for path in FOLDER.iterdir()] == ["environment.yml"]
    assert not [name for name in OTHERS if (ROOT / name).exists()]
    assert not (ROOT / ".binder").exists()


def test_it_installs_this_checkout_from_its_own_folder():
    content = (FOLDER / "environment.yml").read_text("utf-8")
    environment = yaml.safe_load(content)
    python, pip, from_pip = environment["dependencies"]
    assert pip == "pip"
    (editable,) = from_pip["pip"]
    # repo2docker copies the whole repository before the install where a line of pip names a path that begins with a dot
    path = editable.split(None, 1)[1]
    assert path.startswith(".")
    assert (FOLDER / path).resolve() == ROOT.resolve()
    assert not re.search(r"https?:|index-url", content)
    assert environment["channels"] == ["conda-forge"]
    # only a version with "=" chooses the base image of that Python
    version = re.match(r"python\s*=+\s*([\d.]*)", python)[1]
    lowest = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    assert f">={version}" == lowest


def test_jupyterlab_and_the_widgets_come_with_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = {re.match(r"[\w-]+(\[\w+\])?", line)[0] for line in project["dependencies"]}
    assert {"jupyterlab", "ipywidgets", "itables[widget]", "ipykernel"} <= names
