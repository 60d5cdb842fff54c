"""``clio-nb lab``: JupyterLab on copies of the walkthroughs, with its own options, and an end that takes everything."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest
import typer

from clio_nb.cli import lab
from clio_nb.errors import InvalidInput
from clio_nb.sandbox import Sandbox

from ..ports import free_port

ROOT = Path(__file__).parents[2]
WALKTHROUGHS = {path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
COMMAND = [sys.executable, "-c", "from clio_nb.cli import main; main()", "lab"]


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Give ``started(*words)``: what JupyterLab would be started with, by ``clio-nb lab`` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLIO_NB_SITE", raising=False)

    def start(*words, browser=True):
        given = {}

        def run(options, environment):
            settings = Path(environment["JUPYTER_CONFIG_PATH"].split(os.pathsep)[0], "jupyter_lab_config.json")
            given.update(options=options, site=environment["CLIO_NB_SITE"], **json.loads(settings.read_text()))
            if "CLIO_NB_SITE" not in os.environ:
                assert httpx.get(f"{given['site']}/control", trust_env=False).status_code == 200
            return 7

        monkeypatch.setattr(lab, "_run_jupyter", run)
        with pytest.raises(typer.Exit) as ended:
            lab.lab([*words], browser=browser)
        assert ended.value.exit_code == 7
        return given

    return start


def test_without_jupyterlab_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match=r"pip install .*lab"):
        lab.lab()


def test_it_offers_copies_of_the_walkthroughs_and_nothing_else(started, tmp_path):
    given = started()
    assert given["ServerApp"]["root_dir"] == str(tmp_path / "walkthroughs")
    assert {path.name for path in (tmp_path / "walkthroughs").iterdir()} == WALKTHROUGHS
    assert given["LabApp"]["default_url"].rpartition("/")[2] in WALKTHROUGHS


def test_a_clone_in_which_it_runs_stays_clean(started, tmp_path):
    """The folder beside the originals is one that git ignores, and the originals are not what is opened."""
    folder = started()["ServerApp"]["root_dir"]
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert f"/{Path(folder).name}/" in ignored


def test_what_the_person_has_changed_is_not_overwritten(started, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "00-tour.ipynb").write_text("{}")
    started("mine")
    assert (folder / "00-tour.ipynb").read_text() == "{}"
    assert {path.name for path in folder.iterdir()} == WALKTHROUGHS


@pytest.mark.parametrize(
    ("words", "folder", "options"),
    [
        ([], "walkthroughs", []),
        (["mine"], "mine", []),
        (["mine", "--port", "9000"], "mine", ["--port", "9000"]),
        (["--port", "9000"], "walkthroughs", ["--port", "9000"]),
        (["--ServerApp.token=x", "--debug"], "walkthroughs", ["--ServerApp.token=x", "--debug"]),
    ],
)
def test_options_of_jupyterlab_are_passed_on(started, tmp_path, words, folder, options):
    given = started(*words, browser=False)
    assert given["options"] == options
    assert given["ServerApp"]["root_dir"] == str(tmp_path / folder)
    assert given["ServerApp"]["open_browser"] is False


@pytest.mark.parametrize("chosen", ["eu", "http://127.0.0.1:8770"])
def test_a_site_that_is_set_is_kept_and_said(started, monkeypatch, capsys, chosen):
    monkeypatch.setattr(Sandbox, "__init__", None)  # none is started
    monkeypatch.setenv("CLIO_NB_SITE", chosen)
    assert started()["site"] == chosen
    out = capsys.readouterr().out
    assert out.startswith("CLIO_NB_SITE is set")
    assert chosen in out


@pytest.fixture
def real(tmp_path_factory):
    """Run the command for real, with options of JupyterLab that overrule ours; as root, if the tests run as root."""
    port = free_port("127.0.0.2")
    folder = tmp_path_factory.mktemp("lab")  # a short name: a kernel's sockets lie in it
    folders = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "JUPYTER_RUNTIME_DIR")}
    environment = {key: value for key, value in os.environ.items() if key != "CLIO_NB_SITE"}
    options = ["--no-browser", f"--port={port}", "--ip=127.0.0.2", "--IdentityProvider.token=letmein"]
    process = subprocess.Popen(
        [*COMMAND, *options, "--KernelManager.transport=ipc"],
        cwd=folder,
        env={**environment, **folders},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    transport = httpx.HTTPTransport(retries=8)  # until JupyterLab listens
    with httpx.Client(transport=transport, base_url=f"http://127.0.0.2:{port}/api/", timeout=60) as jupyter:
        jupyter.headers["authorization"] = "token letmein"
        try:
            yield process, jupyter
        finally:
            left = [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []
            for one in (process, *left):
                one.kill()
            process.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="listens on another address of this machine")
@pytest.mark.parametrize("ending", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
def test_a_signal_ends_it_with_jupyterlab_its_kernels_and_the_sandbox(real, ending):
    process, jupyter = real
    sandbox = process.stdout.readline().split()[-1]
    while "is running at" not in (said := process.stderr.readline()):
        assert said, "JupyterLab has ended"
    assert {each["name"] for each in jupyter.get("contents").json()["content"]} == WALKTHROUGHS
    assert jupyter.post("kernels").status_code == 201
    assert httpx.get(f"{sandbox}/control", trust_env=False).status_code == 200
    below = psutil.Process(process.pid).children(recursive=True)
    assert len(below) >= 2  # JupyterLab, the kernel, and what JupyterLab runs for a moment
    process.send_signal(ending)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert psutil.wait_procs(below, timeout=60)[1] == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{sandbox}/control", trust_env=False)
