"""Real servers, each in processes of its own, on a free port of this machine; stopped by whoever started them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

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
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    os.environ.setdefault("CLIO_NB_KEY", new_key().reveal())
    vault = vault or str(folder / "vault.sqlite")
    clio.Firm(site, clio.Vault.open(vault)).sign_in_everyone()
    settings = {"SITE": site.origin, "VAULT": vault, "APP": app}
    environment = {
        **os.environ,
        **settings,
        "OPTIONS": json.dumps(options),
        "CLIO_CLIENT_ID": site.client_id,
        "CLIO_CLIENT_SECRET": str(site.client_secret),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", *COMMANDS[server].format(port=port, workers=workers).split()]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [*command, "tests.web.served:app"],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as running,
    ):
        try:
            wait_for(port, running, folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            running.send_signal(signal.SIGTERM)
            try:
                running.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)


def wait_for(port, running, log):
    """Wait until somebody listens."""
    for _ in range(2400):
        assert running.poll() is None, log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        threading.Event().wait(0.05)
    raise AssertionError(log.read_text())
