"""``clio-nb lab``: an embedded Clio, and JupyterLab on copies of the walkthroughs."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer

from ..errors import InvalidInput
from ..login.connect import SITE
from ..terminal import show

FOLDER: Final = Path("walkthroughs")
PATIENCE: Final = 20.0  # seconds for JupyterLab to end its kernels
_PACKAGE: Final = Path(__file__).parents[1]


def lab(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FOLDER] [JUPYTERLAB OPTIONS]",
            help=f"Folder to copy missing walkthroughs to (default: ./{FOLDER}); then any options of JupyterLab, such "
            "as --port 9000.",
        ),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Start an embedded Clio, and JupyterLab on copies of the walkthroughs.

    Each walkthrough also starts an embedded Clio of its own, so that it gives the same results every time. The one
    started here is for clicking in, and for ``clio.connect()`` in your own notebooks. If ``CLIO_NB_SITE`` is set, none
    is started, and ``clio.connect()`` uses what the variable names.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise InvalidInput('JupyterLab is not installed. Install it with: python -m pip install "clio-nb[lab]"')
    from ..sandbox import Sandbox  # noqa: PLC0415 -- a web server, for this command only

    words = words or []
    named = bool(words) and not words[0].startswith("-")
    folder = Path(words[0]) if named else FOLDER
    _copy_walkthroughs(folder)
    with contextlib.ExitStack() as running:
        if chosen := os.environ.get(SITE, "").strip():
            show(f"{SITE} is set, so notebooks that connect, such as 07-going-live, work on: {chosen}", style="bold")
            show(f"No embedded Clio is started for them. Unset {SITE} to have one. End with Ctrl-C.")
        else:
            chosen = running.enter_context(Sandbox(clock="advancing")).origin
            show("An embedded Clio to click in, and for notebooks that connect:", chosen)
            show("Close both with Ctrl-C.")
        settings = running.enter_context(tempfile.TemporaryDirectory())
        environment = {**os.environ, SITE: chosen, **_settings(Path(settings), folder, browser=browser)}
        raise typer.Exit(_run_jupyter(words[named:], environment))


def _copy_walkthroughs(folder: Path) -> None:
    """Copy the walkthroughs that are not in the folder yet. The originals stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    shipped = _PACKAGE / "_notebooks"  # in a wheel; in a clone they are beside the package
    for notebook in (shipped if shipped.is_dir() else _PACKAGE.parent / "notebooks").glob("[0-9]*.ipynb"):
        if not (folder / notebook.name).exists():
            shutil.copy(notebook, folder)


def _settings(settings: Path, folder: Path, *, browser: bool) -> dict[str, str]:
    """Write what JupyterLab is to do unless its own options say otherwise; return the variable that leads there."""
    server = {
        "ip": "127.0.0.1",
        "root_dir": str(folder.resolve()),
        "open_browser": browser,
        "allow_root": True,  # whoever started this command as root meant to
    }
    lab = {"default_url": "/lab/tree/00-tour.ipynb"}
    (settings / "jupyter_lab_config.json").write_text(json.dumps({"ServerApp": server, "LabApp": lab}))
    searched = (str(settings), os.environ.get("JUPYTER_CONFIG_PATH"))
    return {"JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, searched))}


def _run_jupyter(options: list[str], environment: dict[str, str]) -> int:
    """Run JupyterLab and return its exit code. Ctrl-C ends it, and the kernels that it has started."""
    jupyter = subprocess.Popen(  # noqa: S603 -- a person's own options
        [sys.executable, "-m", "jupyterlab", *options],
        env=environment,
        stdin=subprocess.DEVNULL,  # with a terminal it would ask before it ends
    )
    try:
        return jupyter.wait()
    except KeyboardInterrupt:
        jupyter.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            jupyter.wait(PATIENCE)
        return 0
    finally:
        jupyter.kill()
