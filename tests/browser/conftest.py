"""JupyterLab on loopback with the system's Chromium in front of it: a person at a notebook."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx
import nbformat
import pytest

from ..ports import free_port

CHROMIUM = shutil.which("chromium")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def need(there: object, sentence: str) -> None:
    """Skip a test where something is missing; fail it where CLIO_NB_REQUIRE asks for the browser."""
    if not there:
        asked = os.environ.get("CLIO_NB_REQUIRE", "")
        (pytest.fail if asked == "all" or "browser" in asked else pytest.skip)(sentence)


@dataclass(frozen=True)
class Lab:
    """A JupyterLab that runs: where, and the folder with its notebooks and settings."""

    origin: str
    prefix: str
    folder: Path

    def write(self, *cells: str) -> str:
        """Write a notebook and return the address that opens it."""
        name = f"{secrets.token_hex(4)}.ipynb"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.folder / "notebooks" / name)
        return f"{self.origin}{self.prefix}doc/tree/{name}?reset&token=letmein"

    def paint(self, theme: str) -> None:
        """Choose the theme of pages that are opened from now on."""
        settings = self.folder / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True, exist_ok=True)
        (settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": f"JupyterLab {theme}"}))
        (settings / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false"}))


LAB = (sys.executable, "-m", "jupyterlab")


def start_lab(
    folder: Path, prefix: str, command: Sequence[str | Path] = LAB, **environment: str
) -> tuple[Lab, subprocess.Popen[bytes]]:
    """Start a JupyterLab on a free port, with notebooks, settings and everything else of its own below a folder."""
    port = free_port()
    for name in ("notebooks", "settings", "config", "data", "runtime"):
        (folder / name).mkdir(exist_ok=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(*command, "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"),
                f"--notebook-dir={folder / 'notebooks'}",
                f"--ServerApp.base_url={prefix}",
                "--ServerApp.port_retries=0",
                "--IdentityProvider.token=letmein",
                "--KernelManager.transport=ipc",
                "--LabApp.extension_manager=readonly",
                "--LabApp.news_url=",
                "--ContentsManager.allow_hidden=False",
            ],
            env={
                **os.environ,
                **environment,
                "JUPYTER_CONFIG_DIR": str(folder / "config"),
                "JUPYTER_DATA_DIR": str(folder / "data"),
                "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
                "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            },
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    lab = Lab(f"http://127.0.0.1:{port}", prefix, folder)
    _await(f"{lab.origin}{prefix}api", process, folder / "log")
    return lab, process


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    process.kill()
    process.wait()
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-4000:]}", pytrace=False)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a JupyterLab, and its kernels with it."""
    process.terminate()
    process.wait(60)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab, process = start_lab(tmp_path_factory.mktemp("lab"), "/")
    yield lab
    stop(process)


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Give a JupyterLab as a hub's users have it: under a prefix, other ports reached through its proxy."""
    folder = tmp_path_factory.mktemp("hub")
    lab, process = start_lab(folder, "/user/alice/", JUPYTERHUB_SERVICE_PREFIX="/user/alice/", JUPYTERHUB_USER="alice")
    yield lab
    stop(process)


@pytest.fixture(scope="module")
def browser():
    """Give the system's Chromium. Not for longer than a file: its loop is in the way of other tests' loops."""
    need(CHROMIUM, "there is no chromium on this machine")
    need(find_spec("playwright"), "playwright is not installed")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=60_000)  # how long a busy machine may take; what is there is seen at once
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_notebook(browser) -> Iterator[Callable[..., object]]:
    """Give ``open_notebook(lab, *cells)``: a page with these cells run, in a window of its own."""
    windows = []

    def open_it(lab: Lab, *cells: str, theme: str = "Light", width: int = 1100, height: int = 900):
        lab.paint(theme)
        windows.append(browser.new_context(viewport={"width": width, "height": height}, color_scheme="null"))
        page = windows[-1].new_page()
        page.set_default_timeout(60_000)
        page.goto(lab.write(*cells))
        page.locator(".jp-Notebook").wait_for()
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.locator(".lm-Menu-item:has-text('Run All Cells')").first.click()
        return page

    yield open_it
    for window in windows:
        window.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """Give axe-core's source, as the package that ships it has it."""
    need(find_spec("axe_playwright_python"), "axe-playwright-python, which ships axe-core, is not installed")
    import axe_playwright_python

    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()


@pytest.fixture
def violations(axe: str) -> Callable[..., list[str]]:
    """Give ``violations(page, selector)``: what axe finds wrong inside, by all rules or some, as sentences."""

    def run(page, selector: str, *rules: str) -> list[str]:
        page.evaluate(axe)
        asked = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
        found = page.evaluate("([selector, asked]) => axe.run(selector, asked)", [selector, asked])
        return [
            f"{rule['id']} ({rule['impact']}): {rule['help']}: {node['html'][:200]} {node['failureSummary']}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    return run


@pytest.fixture(scope="session")
def overflows() -> Callable[..., list[str]]:
    """Give ``overflows(page, selector)``: what there is cut off, sticks out, or breaks inside a word or a number."""
    script = Path(__file__).with_name("overflow.js").read_text()
    return lambda page, selector: page.evaluate(script, selector)


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., None]:
    """Give ``picture(locator, name)``: a screenshot, kept where CLIO_NB_SCREENSHOTS says, or for this test only."""
    folder = Path(os.environ.get("CLIO_NB_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)

    def take(locator, name: str) -> None:
        locator.screenshot(path=folder / f"{name}.png")

    return take
