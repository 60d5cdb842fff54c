"""``clio-nb app``: the forms as a page of its own, for one person on their own machine."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Annotated, Final

import typer

from ..errors import ClioError, InvalidInput
from ..login.connect import SITE
from ..terminal import show
from .options import Site, site_at

PATIENCE: Final = 60.0  # seconds for Voila to start
_LAST: Final = 20.0  # seconds for it to end its kernels
_NOTE: Final = """# Custom actions

This page is for you alone, on this machine: whoever opens it can act for everybody who signs in here. Sign-ins are
forgotten when you close or reload the page. Ctrl-C in the terminal ends it."""
# The page talks to this machine only, and no other page may frame it.
_POLICY: Final = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' ws://127.0.0.1:*; "
    "frame-src http: https:; frame-ancestors 'none'"
)
_CODE: Final = "import os\n\nimport clio_nb as clio\n\nos.chdir({folder!r})\nclio.forms.workbench(clio.connect())"


def app(
    site: Site = None,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Show the forms as a page, for you alone on this machine. Files are read and saved in the current folder.

    If neither --site nor ``CLIO_NB_SITE`` says which Clio to work on, an embedded one is started.
    """
    if importlib.util.find_spec("voila") is None:
        raise InvalidInput('Voila is not installed. Install it with: python -m pip install "clio-nb[lab]"')
    from ..sandbox import Sandbox  # noqa: PLC0415 -- a web server, for this command only

    with contextlib.ExitStack() as running:
        chosen = (site or os.environ.get(SITE, "")).strip()
        if chosen:
            site_at(chosen)
        else:
            chosen = running.enter_context(Sandbox(clock="advancing")).origin
            show("An embedded Clio to work on:", chosen)
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        token, port = secrets.token_urlsafe(32), _free_port()
        # in the environment, since everybody on this machine can read the words of a command
        environment = {**os.environ, SITE: chosen, "JUPYTER_TOKEN": token}
        voila = running.enter_context(_voila(_notebook(folder), port, environment))
        address = f"http://127.0.0.1:{port}/login?next=%2F&token={token}"
        show("The page is for you alone:", address)
        show("End it with Ctrl-C.")
        if browser:
            webbrowser.open(_leading_to(address, folder).as_uri())
        raise typer.Exit(voila.wait())


def _notebook(folder: Path) -> Path:
    """Write the notebook that is the page."""
    from nbformat import v4, write  # noqa: PLC0415 -- it comes with Voila

    cells = [v4.new_markdown_cell(_NOTE), v4.new_code_cell(_CODE.format(folder=str(Path.cwd())))]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    write(v4.new_notebook(metadata={"kernelspec": kernel}, cells=cells), folder / "clio-nb.ipynb")
    return folder / "clio-nb.ipynb"


@contextlib.contextmanager
def _voila(page: Path, port: int, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Serve the page for as long as a block runs, or until Ctrl-C; then end Voila and the kernels it has started."""
    options = ["--no-browser", "--Voila.ip=127.0.0.1", f"--port={port}", "--Voila.port_retries=0"]
    headers = {"headers": {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}}
    options += ["--Voila.auto_token=True", f"--Voila.tornado_settings={headers}"]
    log = page.with_suffix(".log")
    with log.open("wb") as written:
        voila = subprocess.Popen(  # noqa: S603 -- our own words
            [sys.executable, "-m", "voila", str(page), *options],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
        )
    try:
        if not _listens(voila, port):
            raise ClioError(f"Voila did not start:\n{log.read_text(errors='replace')[-2000:]}")
        yield voila
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    finally:
        voila.terminate()
        try:
            voila.wait(_LAST)
        except subprocess.TimeoutExpired:
            pass
        finally:  # also when somebody presses Ctrl-C again
            voila.kill()


def _listens(voila: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until Voila listens; false when it does not."""
    deadline = time.monotonic() + PATIENCE
    while voila.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.1)
    return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _leading_to(address: str, folder: Path) -> Path:
    """Write a file, for this user only, that leads to an address: that way no command holds the token."""
    file = folder / "open.html"
    file.write_text(f'<!doctype html><meta http-equiv="refresh" content="0;url={escape(address)}">', encoding="utf-8")
    return file
