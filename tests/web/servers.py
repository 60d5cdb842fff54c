"""Real servers, each in processes of its own, on a free port of this machine; stopped by whoever started them."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from unittest import mock

import clio_nb as clio
from clio_nb.vault.keys import new_key

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "uvicorn": "uvicorn --host 127.0.0.1 --port {port} --workers {workers} --log-level warning",
    "uvicorn at a root path": "uvicorn --host 127.0.0.1 --port {port} --root-path /clio --log-level warning",
    "hypercorn": "hypercorn --bind 127.0.0.1:{port} --workers {workers}",
    "hypercorn at a root path": "hypercorn --bind 127.0.0.1:{port} --root-path /clio",
    "granian": "granian --interface asgi --http 1 --host 127.0.0.1 --port {port} --workers {workers}",
    "granian, HTTP/2": "granian --interface asgi --http 2 --host 127.0.0.1 --port {port} --workers {workers}",
    "granian, WSGI and HTTP/2": "granian --interface wsgi --http 2 --host 127.0.0.1 --port {port} --workers {workers}",
    "gunicorn": "gunicorn --bind 127.0.0.1:{port} --workers {workers} --log-level warning",
    "gunicorn, preloaded": "gunicorn --bind 127.0.0.1:{port} --workers {workers} --preload --log-level warning",
    "gunicorn, threads": "gunicorn --bind 127.0.0.1:{port} --workers {workers} --threads 8 --log-level warning",
}


@contextlib.contextmanager
def serving(site, folder, server, app, *, workers=1, vault=None, **options):
    """Run a server with a firm in which everyone has signed in; gives its origin."""
    port = free_port()
    vault = vault or str(folder / "vault.sqlite")
    key = {"CLIO_NB_KEY": os.environ.get("CLIO_NB_KEY") or new_key().reveal()}
    with mock.patch.dict(os.environ, key):
        clio.Firm(site, clio.Vault.open(vault)).sign_in_everyone()
    settings = {"SITE": site.origin, "VAULT": vault, "APP": app, "OPTIONS": json.dumps(options)}
    settings |= {**key, "CLIO_CLIENT_ID": site.client_id, "CLIO_CLIENT_SECRET": str(site.client_secret)}
    with running(folder, server, "tests.web.served:app", settings, port=port, workers=workers):
        yield f"http://127.0.0.1:{port}"


def free_port():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        return taken.getsockname()[1]


def own_port():
    """A port for an app that is stopped and started again: none that a system gives to whoever asks for any."""
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311 -- no secret
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@contextlib.contextmanager
def running(folder, server, app, settings, *, port, workers=1):
    """Run a server with an app of a module until the block ends; gives the process."""
    command = [sys.executable, "-m", *COMMANDS[server].format(port=port, workers=workers).split()]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [*command, app],
            cwd=folder,
            env={**os.environ, **settings, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        try:
            wait_for(port, process, folder / "log")
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def wait_for(port, process, log):
    """Wait until somebody listens."""
    for _ in range(2400):
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        threading.Event().wait(0.05)
    raise AssertionError(log.read_text())
