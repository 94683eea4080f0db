"""JupyterLab as ``custvalue lab`` starts it, and a person at it: opens notebooks, runs cells, turns, types, clicks."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

TOKEN = "a-token-of-the-tests"
START = 90
#: Milliseconds; most waits end far earlier.
STEP, RUN = 30_000, 150_000
_SERVER = {
    "ServerApp": {"allow_root": True, "ip": "127.0.0.1", "port": 0, "open_browser": False},
    "IdentityProvider": {"token": TOKEN},
    "LabApp": {"expose_app_in_browser": True},
}
_NOTEBOOK = "const panel = window.jupyterapp?.shell.currentWidget, notebook = panel?.content, model = notebook?.model;"
_READY = _NOTEBOOK + "return Boolean(model?.cells?.length) && panel.sessionContext.kernelDisplayStatus === 'idle';"
_CELLS = _NOTEBOOK + "return Array.from(model.cells).map(cell => cell.toJSON());"
#: Every code cell has run, or one has failed and the rest was left alone.
_DONE = (
    _NOTEBOOK
    + """
    const codes = Array.from(model.cells).filter(c => c.type === 'code' && c.sharedModel.getSource().trim());
    const failed = codes.some(c => c.outputs.toJSON().some(o => o.output_type === 'error'));
    return panel.sessionContext.kernelDisplayStatus === 'idle' && (failed || codes.every(c => c.executionCount));
"""
)
_FIND = _NOTEBOOK + "return Array.from(model.cells).findIndex(c => c.sharedModel.getSource().includes(wanted));"
_SHOW = _NOTEBOOK + "notebook.activeCellIndex = place; return notebook.scrollToItem(place, 'start');"
_RAN = (
    _NOTEBOOK
    + """
    const cell = model.cells.get(place);
    return panel.sessionContext.kernelDisplayStatus === 'idle' && cell.executionCount && cell.executionCount !== before;
"""
)


def _surroundings(home: Path) -> dict[str, str]:
    """An environment where nothing of the one who runs the tests is read or changed."""
    folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime"}
    folders |= {"IPYTHONDIR": "ipython", "MPLCONFIGDIR": "matplotlib", "XDG_CACHE_HOME": "cache"}
    config = home / "config"
    config.mkdir(parents=True)
    (config / "jupyter_server_config.json").write_text(json.dumps(_SERVER), "utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "CUSTVALUE", "JPY_"))}
    return kept | {"HOME": str(home)} | {name: str(home / folder) for name, folder in folders.items()}


def _address(runtime: Path, process: subprocess.Popen, log: Path) -> str:
    """Where the server listens, as it tells in its runtime folder."""
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            try:
                return json.loads(file.read_text("utf-8"))["url"]
            except ValueError:  # still being written
                pass
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text('utf-8')[-3000:]}")


def _stop(address: str, process: subprocess.Popen) -> None:
    """End the server, and with it its kernels, as its own button does."""
    headers = {"Authorization": f"token {TOKEN}"}
    urlopen(Request(f"{address}api/shutdown", method="POST", headers=headers), timeout=20).close()
    process.wait(30)


@contextmanager
def lab(folder: Path, home: Path) -> Iterator[str]:
    """``custvalue lab FOLDER`` on a free port of this machine; gives its address."""
    environment, log = _surroundings(home), home / "lab.log"
    with log.open("w") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "custvalue", "lab", str(folder)],
            env=environment,
            stdout=told,
            stderr=told,
            start_new_session=True,
        )
    try:
        address = _address(home / "runtime", process, log)
        yield address
        _stop(address, process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)


class Desk:
    """A page of JupyterLab with one notebook open."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, address

    def open(self, notebook: str) -> None:
        """Open a notebook of the folder and wait for its kernel."""
        self.page.goto(f"{self.address}lab/tree/{quote(notebook)}?token={TOKEN}&reset")
        self.page.wait_for_function(f"() => {{ {_READY} }}", timeout=RUN)

    def menu(self, name: str, command: str) -> None:
        self.page.locator(f".lm-MenuBar-item:has-text('{name}')").first.click()
        self.page.locator(f".lm-Menu-item[data-command='{command}']").click()

    def run_all(self) -> None:
        """Run all cells and wait until every one has run, or one has failed."""
        self.menu("Run", "runmenu:run-all")
        self.page.wait_for_function(f"() => {{ {_DONE} }}", timeout=RUN)

    def cells(self) -> list[dict[str, Any]]:
        """The cells as the notebook would be saved now."""
        return self.page.evaluate(f"() => {{ {_CELLS} }}")

    def complaints(self) -> list[str]:
        """Errors and warnings among the outputs."""
        outputs = [output for cell in self.cells() for output in cell.get("outputs", [])]
        errors = [output["evalue"] for output in outputs if output["output_type"] == "error"]
        return errors + ["".join(output["text"]) for output in outputs if output.get("name") == "stderr"]

    def place(self, source: str) -> int:
        """Which cell is the first with such words in its source."""
        place = self.page.evaluate(f"wanted => {{ {_FIND} }}", source)
        assert place >= 0, f"no cell with {source}"
        return place

    def show(self, place: int) -> Any:
        """Scroll to a cell; gives it as an element."""
        self.page.evaluate(f"place => {{ {_SHOW} }}", place)
        cell = self.page.locator(f".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell[data-windowed-list-index='{place}']")
        cell.wait_for()
        return cell

    def write(self, place: int, source: str, *, first_line: bool = False) -> None:
        """Type into a cell in place of what stands there, or of its first line."""
        self.show(place).locator(".cm-content").click()
        for key in ("Control+Home", "Shift+End") if first_line else ("Control+a",):
            self.page.keyboard.press(key)
        self.page.keyboard.type(source)

    def run(self, place: int) -> str:
        """Run a cell by Shift+Enter; gives what it shows."""
        self.show(place)
        before = self.cells()[place]["execution_count"]
        self.page.locator(".jp-Notebook .jp-mod-active .cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        self.page.wait_for_function(f"([place, before]) => {{ {_RAN} }}", arg=[place, before], timeout=RUN)
        return self.show(place).locator(".jp-Cell-outputWrapper").inner_text()


def beyond(asked: list[str]) -> list[str]:
    """The addresses that are not on this machine."""
    return [url for url in asked if not re.match(r"(https?|wss?)://127\.0\.0\.1:|data:|blob:|about:", url)]


@contextmanager
def at_desk(browser: Any, address: str, picture: Path) -> Iterator[Desk]:
    """A person before JupyterLab; at the end nothing was asked of the network and no question stands in the way.

    How it looked then is kept as ``picture``.
    """
    context = browser.new_context(viewport={"width": 1300, "height": 1400})
    page, asked, said = context.new_page(), [], []
    page.set_default_timeout(STEP)
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    try:
        yield Desk(page, address)
        assert beyond(asked) == []
        assert said == []
        assert page.locator(".jp-Dialog").all_inner_texts() == []
    finally:
        page.screenshot(path=picture)
        context.close()
