"""The example app in Node as its reader runs it: by the commands in the page, with nothing but Node and openssl."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import clio_nb as clio

from ..ports import free_port
from .page import ROOT, blocks_of

NODE = ROOT / "docs" / "examples" / "node"
PAGE = ROOT / "docs" / "how-to" / "test-your-app.md"


def need_node() -> None:
    if shutil.which("node") is None:
        asked = os.environ.get("CLIO_NB_REQUIRE", "")
        (pytest.fail if "node" in asked else pytest.skip)("there is no node on this machine")


def run(command: list[str], folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a reader does, with the commands of this environment at hand and none of its settings."""
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CLIO_"))}
    return subprocess.run(
        command,
        cwd=folder,
        env={**environment, "PATH": here, **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


class NodeApp:
    """The app in a folder of its own, on a free port, and the sandbox that it uses as Clio."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copy(NODE / "app.mjs", folder)
        port = str(free_port())
        self.url = f"http://127.0.0.1:{port}"
        self.site = clio.sandbox(redirect_uris=[f"{self.url}/clio/callback"], rate_limit=None)
        (block,) = [block for block in blocks_of(PAGE) if "$ node app.mjs" in block.text]
        lines = block.text.replace("$ ", "").replace("3000", port).replace("http://127.0.0.1:8770", self.site.origin)
        lines = lines.replace("YOUR_ID", self.site.client_id).replace("YOUR_SECRET", self.site.client_secret)
        *settings, self._command = lines.strip().splitlines()
        said = self._bash("\n".join([*settings, "env -0"]), stdout=subprocess.PIPE).communicate()[0]
        self._settings = dict(pair.split("=", 1) for pair in said.rstrip("\0").split("\0"))  # the keys are made once
        self._settings["PORT"] = port
        self.process: subprocess.Popen[str] | None = None

    def _bash(self, script: str, **options) -> subprocess.Popen[str]:
        environment = getattr(self, "_settings", {"PATH": os.environ["PATH"]})
        return subprocess.Popen(
            ["bash", "-ec", script],  # noqa: S607 -- the bash of this machine
            cwd=self.folder,
            env=environment,
            text=True,
            **options,
        )

    def start(self) -> None:
        self.process = self._bash(f"exec {self._command}", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith(f"Connect a user at {self.url}/clio/connect"), line + self.process.stdout.read()

    def kill(self) -> str:
        """Kill it as a power cut does, and give what it has said."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        return self.process.communicate()[0]

    def restart(self) -> None:
        self.kill()
        self.start()

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.site.close()


@contextlib.contextmanager
def node_app(folder: Path):
    need_node()
    app = NodeApp(folder)
    try:
        app.start()
        yield app
    finally:
        app.close()
