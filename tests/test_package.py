"""The package as somebody else gets it: what it asks for, what a wheel holds, and what the tracked files give away."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from importlib.metadata import packages_distributions
from pathlib import Path

import nbformat
import pytest
import yaml
from conftest import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
# asked for without an import: the pin of the engine, and the tool the notebooks are opened with
NOT_IMPORTED = {"jupyterlab", "sqlglot"}
TOOLS = {"playwright", "hatchling", "import-linter", "nbval", "pytest-xdist", "ruff"}
CLIENT = {"jupyterlab", "lifetimes", "matplotlib", "nbval", "pandas", "papermill", "scikit-learn", "seaborn"}
CONDA_NAMES = {
    "duckdb": "python-duckdb",
    "ibis-framework": "ibis-duckdb",
    "jupyter-client": "jupyter_client",
    "jupyterlab-server": "jupyterlab_server",
}
CONDA_ONLY = {"anywidget", "pip", "python"}  # anywidget: the extra of itables
ADDRESS = re.compile(r"\w+://|index[-_]url[\s=]|find[-_]links|trusted[-_]host", re.IGNORECASE)
REGISTRY = re.compile(r"://[\w.-]*(?:pypi|pythonhosted|anaconda|conda\.io|npmjs|debian|mirror)", re.IGNORECASE)


def split(requirement: str) -> tuple[str, str]:
    """The name of a requirement in small letters, without its extras, and its bounds without blanks."""
    name, bounds = re.fullmatch(r"([\w.-]+)(?:\[\w+\])?\s*([^;]*)", requirement).groups()
    return name.lower(), bounds.replace(" ", "")


def declared(requirements: list[str]) -> dict[str, str]:
    return dict(map(split, requirements))


DEPENDENCIES = declared(PYPROJECT["project"]["dependencies"])
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
TEST_EXTRA = declared(EXTRAS["test"])
ENGINES = declared([*EXTRAS["postgres"], *EXTRAS["spark"]])


def imported(sources: list[str]) -> set[str]:
    """The top-level names that pieces of Python import from elsewhere than the standard library."""
    names = set()
    for node in (node for source in sources for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module)
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"custvalue"}


def sources(folder: str) -> list[str]:
    return [path.read_text("utf-8") for path in (ROOT / folder).rglob("*.py")]


def notebook_cells() -> list[str]:
    cells = (cell for path in NOTEBOOKS for cell in nbformat.read(path, as_version=4).cells)
    return [cell.source for cell in cells if cell.cell_type == "code"]


def distributions(names: set[str]) -> set[str]:
    """The installed distributions that modules come from."""
    known = packages_distributions()
    return {known[name][0].lower().replace("_", "-") for name in names}


def test_every_import_is_declared_and_every_declared_package_is_used():
    used = distributions(imported(sources("custvalue") + notebook_cells()))
    assert used - set(DEPENDENCIES) - set(ENGINES) == set()
    assert set(DEPENDENCIES) - used == NOT_IMPORTED


def test_the_tests_import_what_the_package_and_the_test_extra_ask_for():
    own = {path.stem for path in (ROOT / "tests").glob("*.py")}
    used = distributions(imported(sources("tests")) - own)
    assert used - set(DEPENDENCIES) - set(TEST_EXTRA) == set()
    assert set(TEST_EXTRA) - used == TOOLS


def test_the_engines_of_the_extras_are_there_for_the_tests():
    assert set(ENGINES) <= set(DEPENDENCIES) | set(TEST_EXTRA)


def test_what_the_client_named_is_asked_for():
    assert set(DEPENDENCIES) | set(TEST_EXTRA) >= CLIENT
    assert PYPROJECT["project"]["requires-python"] == ">=3.11"


def test_conda_and_pip_get_the_same_packages():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    assert environment["channels"] == ["conda-forge"]
    *conda, from_pip = environment["dependencies"]
    assert split(conda[0]) == ("python", PYPROJECT["project"]["requires-python"])
    names, own = from_pip["pip"][:-1], from_pip["pip"][-1]
    assert own == "--editable ."
    listed = declared(conda) | declared(names)
    wanted = {CONDA_NAMES.get(name, name): bounds for name, bounds in (DEPENDENCIES | TEST_EXTRA).items()}
    assert {name: bounds for name, bounds in listed.items() if name not in CONDA_ONLY} == wanted


def test_the_lock_pins_every_package_asked_for():
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    pinned = {line.split("==")[0] for line in lines if "==" in line}
    assert pinned >= set(DEPENDENCIES) | set(TEST_EXTRA)


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, capture_output=True, check=True).stdout.decode("utf-8").split("\0")
    return [path for name in listed if name and (path := ROOT / name).is_file()]


def configured_hosts() -> set[str]:
    """The hosts that pip is told of on this machine."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return {host for host in re.findall(r"://(?:[^/\s'@]*@)?([\w.-]+)", said) if "." in host}


def test_no_tracked_file_names_a_registry():
    hosts = configured_hosts()
    files = [path for path in tracked() if path.suffix in {".py", ".toml", ".md", ".yml", ".lock", ".ipynb", ""}]
    assert len(files) > 50
    for path in files:
        content = path.read_text("utf-8")
        assert not REGISTRY.search(content), path
        assert not [host for host in hosts if host in content], path


@pytest.mark.parametrize(
    "name", ["pyproject.toml", "requirements.lock", "environment.yml", "Makefile", ".ci/run", ".gitignore"]
)
def test_the_files_of_the_packaging_hold_no_address(name):
    content = (ROOT / name).read_text("utf-8")
    assert not ADDRESS.search(content.replace("--no-emit-index-url", ""))


def run(*command: object, cwd: Path, **environment: str) -> str:
    clean = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=clean | environment, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A checkout as make sees it, in a folder with a blank in its name, with an environment that is ready."""
    folder = tmp_path / "a checkout"
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
        os.utime(folder / name, (1e9, 1e9))
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (folder / ".venv" / ".ready").write_text(f"{folder.resolve()}\n", "utf-8")
    return folder


def made(checkout: Path, *words: str) -> str:
    """What make would run."""
    return run("make", "--dry-run", *words, cwd=checkout, MAKEFLAGS="", MAKELEVEL="")


def test_make_installs_nothing_again_while_nothing_changed(checkout):
    for target in ("report", "test", "lab"):
        assert not re.search("pip|venv --clear", made(checkout, target))
    assert "-m custvalue report data/sample" in made(checkout, "report")


def test_make_installs_what_changed_into_the_same_environment(checkout):
    os.utime(checkout / "requirements.lock")
    os.utime(checkout / ".venv" / ".ready", (1e9 + 1, 1e9 + 1))
    said = made(checkout, "report")
    assert "install -r requirements.lock" in said
    assert (checkout / ".venv" / ".ready").exists()


@pytest.mark.parametrize("damage", ["interrupted", "moved", "without its Python"])
def test_make_starts_anew_after_an_environment_that_is_not_whole(checkout, damage):
    if damage == "interrupted":
        (checkout / ".venv" / ".ready").unlink()
    elif damage == "moved":
        checkout = checkout.rename(checkout.with_name("elsewhere"))
    else:
        (checkout / ".venv" / "bin" / "python").unlink()
    assert re.search(r"-m venv --clear.*install -r requirements\.lock", made(checkout, "report"), re.DOTALL)
    assert not (checkout / ".venv" / ".ready").exists()


def test_make_says_which_python_it_needs(checkout):
    (checkout / ".venv" / ".ready").unlink()
    done = subprocess.run(["make", "env", "PYTHON=false"], cwd=checkout, capture_output=True, text=True)
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder of the commands of a new environment that holds the wheel.

    It borrows the libraries of this environment; the checkout, which stands there in a ``.pth`` file, is not seen.
    """
    folder = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-qq")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT, cwd=folder)
    venv.create(folder / "env", with_pip=False)
    (wheel,) = folder.glob("custvalue-*.whl")
    commands = Path(sysconfig.get_path("scripts", "venv", {"base": str(folder / "env")}))
    python = commands / Path(sys.executable).name
    run(sys.executable, "-m", "pip", "--python", python, "-qq", "install", "--no-deps", "--no-index", wheel, cwd=folder)
    borrowed = "\n".join(dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib")))
    said = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder)
    (Path(said.strip()) / "borrowed.pth").write_text(borrowed + "\n", "utf-8")
    return commands


def python_of(installed: Path) -> Path:
    return installed / Path(sys.executable).name


def share_of(installed: Path, cwd: Path) -> Path:
    code = "from custvalue import share; print(share.notebooks_folder().parent)"
    return Path(run(python_of(installed), "-c", code, cwd=cwd).strip())


def test_the_wheel_brings_notebooks_and_sample(installed, tmp_path):
    share = share_of(installed, tmp_path)
    assert share.resolve().is_relative_to(installed.parent.resolve())
    brought = sorted(path.relative_to(share / "notebooks") for path in (share / "notebooks").rglob("*.ipynb"))
    lessons = sorted((ROOT / "notebooks" / "workshop").glob("*.ipynb"))
    assert brought == sorted(path.relative_to(ROOT / "notebooks") for path in (*NOTEBOOKS, *lessons))
    sample = {path.name: path.read_bytes() for path in (ROOT / "data" / "sample").iterdir()}
    assert {path.name: path.read_bytes() for path in (share / "sample").iterdir()} == sample


def test_the_installed_command_copies_and_checks_the_sample(installed, tmp_path):
    run(installed / "custvalue", "sample", "shop", cwd=tmp_path)
    said = run(python_of(installed), "-m", "custvalue", "check", "shop", "--language", "en", cwd=tmp_path)
    assert "2025-12-31" in said
    assert said == run(installed / "custvalue", "check", "shop", "--language", "en", cwd=tmp_path)


def test_an_installed_notebook_becomes_a_pack(installed, tmp_path):
    share = share_of(installed, tmp_path)
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    shutil.copy(share / "notebooks" / "00_data_check.ipynb", chosen)
    told = ("report", share / "sample", "--out", "packs", "--notebooks", "chosen")
    templates = Path(sys.prefix) / "share" / "jupyter"
    run(installed / "custvalue", *told, cwd=tmp_path, JUPYTER_PATH=str(templates))
    pack = tmp_path / "packs" / "2025-12"
    assert 'src="data:image/png;base64,' in (pack / "00_data_check.html").read_text("utf-8")
    assert len((pack / "tables" / "customers.csv").read_text("utf-8").splitlines()) > 4000
    assert str(ROOT) not in (pack / "notebooks" / "00_data_check.ipynb").read_text("utf-8")
