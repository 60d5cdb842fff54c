"""The recipe for Binder, replayed without Docker: install, postBuild, start, and the tour in a browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from .conftest import start_lab, stop

ROOT = Path(__file__).parents[2]
ASKED = os.environ.get("CLIO_NB_REQUIRE", "")

anew = pytest.mark.skipif(
    ASKED != "all" and "binder" not in ASKED, reason="CLIO_NB_REQUIRE=binder installs all of binder/requirements.txt"
)


def python_of_binder():
    """The Python that runtime.txt names, or this one where it is not installed."""
    named = shutil.which((ROOT / "binder" / "runtime.txt").read_text().strip().replace("-", ""))
    works = (
        named and subprocess.run([named, "-c", "import ensurepip"], check=False, capture_output=True).returncode == 0
    )
    return named if works else sys.executable


def installed_anew(home):
    """Install by the files in binder/, as repo2docker would; return where the commands are."""
    repository, venv = home / "repository", home / "venv"
    git = [shutil.which("git"), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    tracked = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, repository / name)
    subprocess.run([python_of_binder(), "-m", "venv", venv], check=True)
    environment = {**os.environ, "PATH": f"{venv / 'bin'}:{os.environ['PATH']}", "HOME": str(home)}
    environment["PIP_NO_COMPILE"] = "1"  # most of a JupyterLab is never imported
    environment.pop("PYTHONPATH", None)
    for step in (
        ["python", "-m", "pip", "install", "-q", "-r", "binder/requirements.txt"],
        ["bash", "binder/postBuild"],
        ["bash", "binder/start", "jupyter", "lab", "--version"],
    ):
        done = subprocess.run(step, cwd=repository, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return venv / "bin"


def as_it_is_here(home):
    """Take this environment for the one on Binder; return where the commands are."""
    (home / ".jupyter" / "labconfig").mkdir(parents=True)
    shutil.copy(ROOT / "binder" / "labconfig" / "default_setting_overrides.json", home / ".jupyter" / "labconfig")
    return Path(sys.executable).parent


@pytest.fixture(params=[as_it_is_here, pytest.param(installed_anew, marks=[pytest.mark.long, anew])])
def binder(request, tmp_path_factory):
    """A JupyterLab that was started by the files in binder/, and installed by them too in the long run."""
    home = tmp_path_factory.mktemp("binder")
    commands = request.param(home)
    shutil.copytree(ROOT / "notebooks", home / "notebooks")
    lab, process = start_lab(
        home,
        "/user/binder-demo/",
        ("bash", ROOT / "binder" / "start", commands / "jupyter", "lab"),
        PATH=f"{commands}:{os.environ['PATH']}",
        HOME=str(home),
        JUPYTERHUB_SERVICE_PREFIX="/user/binder-demo/",
        BINDER_LAUNCH_HOST="https://binder.example/",
        CLIO_CLIENT_SECRET="canary",
    )
    yield lab
    stop(process)


def test_the_tour_runs_from_top_to_bottom_with_the_screens_in_it(binder, browser, picture):
    window = browser.new_context(viewport={"width": 1200, "height": 9000})
    page = window.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{binder.origin}{binder.prefix}doc/tree/00-tour.ipynb?reset&token=letmein")
    page.get_by_text("| Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator(".lm-Menu-item:has-text('Run All Cells')").first.click()
    expect(page.locator(".clio-form")).to_have_count(1, timeout=60_000)
    assert (
        page.locator(".jp-OutputArea-output[data-mime-type*='stderr'], .jp-RenderedText:has-text('Traceback')").count()
        == 0
    )
    screens = page.frame_locator("iframe[title='Screens of the embedded Clio']")
    expect(screens.get_by_role("heading", name="Matters")).to_be_visible()
    picture(page.locator(".jp-Notebook"), "binder-tour")
    window.close()
