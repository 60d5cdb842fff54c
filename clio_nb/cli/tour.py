"""``clio-nb demo`` and ``clio-nb lab``: the whole story, in the terminal and in Jupyter."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InvalidInput


def demo() -> None:
    """Watch the whole story happen, over real HTTP, on an embedded Clio: no account needed."""
    from ..demo import run  # noqa: PLC0415 -- pandas and a web server, for this command only

    run()


def lab(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Where the walkthroughs go when they are not here already; ./notebooks if left out."),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Open the walkthroughs in JupyterLab. Each one starts its own embedded Clio."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise InvalidInput('JupyterLab is not installed. Install it with: python -m pip install "clio-nb[lab]"')
    home = _walkthroughs(folder or Path("notebooks"))
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--notebook-dir={home}",
        "--LabApp.default_url=/lab/tree/00-tour.ipynb",
    ]
    try:
        code = subprocess.call([*command, "--ip=127.0.0.1", *([] if browser else ["--no-browser"])])  # noqa: S603
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
