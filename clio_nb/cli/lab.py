"""``clio-nb lab``: an embedded Clio, and JupyterLab on the walkthroughs."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InvalidInput
from ..login.connect import SITE
from ..terminal import show


def lab(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Folder to copy missing walkthroughs to (default: ./notebooks)."),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Start an embedded Clio, and JupyterLab on the walkthroughs.

    Each walkthrough also starts an embedded Clio of its own, so that it gives the same results every time. The one
    started here is for clicking in, and for ``clio.connect()`` in your own notebooks. If ``CLIO_NB_SITE`` is set, none
    is started, and ``clio.connect()`` uses what the variable names.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise InvalidInput('JupyterLab is not installed. Install it with: python -m pip install "clio-nb[lab]"')
    from ..sandbox import Sandbox  # noqa: PLC0415 -- a web server, for this command only

    home = _walkthroughs(folder or Path("notebooks"))
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={home}", "--ip=127.0.0.1"]
    opening = ["--LabApp.default_url=/lab/tree/00-tour.ipynb", *([] if browser else ["--no-browser"])]
    with contextlib.ExitStack() as running:
        if chosen := os.environ.get(SITE, "").strip():
            show(f"{SITE} is set, so notebooks that connect, such as 07-going-live, work on: {chosen}", style="bold")
            show(f"No embedded Clio is started for them. Unset {SITE} to have one. End with Ctrl-C.")
        else:
            chosen = running.enter_context(Sandbox(clock="advancing")).origin
            show("An embedded Clio to click in, and for notebooks that connect:", chosen)
            show("Close both with Ctrl-C.")
        try:
            code = subprocess.call([*command, *opening], env={**os.environ, SITE: chosen})  # noqa: S603 -- our own words
        except KeyboardInterrupt:
            code = 0
    raise typer.Exit(code)


def _walkthroughs(folder: Path) -> Path:
    """Return a folder with the notebooks: the one that is there, or a copy of those that came with the package."""
    if (folder / "00-tour.ipynb").is_file():
        return folder
    shipped = resources.files("clio_nb") / "_notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    with resources.as_file(shipped) as source:
        for notebook in sorted(source.glob("*.ipynb")):
            if not (folder / notebook.name).exists():
                shutil.copy(notebook, folder)
    return folder
