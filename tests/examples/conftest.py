"""The whole apps, started by the commands of their page; with CLIO_NB_REQUIRE=server on the list for servers alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..browser.conftest import browser  # noqa: F401 -- a fixture
from ..docs.page import ROOT, blocks_of, commands_of

EXAMPLES = ROOT / "docs" / "examples"
APPS = ("fastapi", "flask", "django")
LEAN = "server" in os.environ.get("CLIO_NB_REQUIRE", "")


def commands_for(name):
    """The commands below an app in the page that shows it: what installs its framework, and what starts it."""
    blocks = blocks_of(ROOT / "docs" / "how-to" / "examples.md")
    source = (EXAMPLES / name / "app.py").read_text().strip()
    [shown] = [number for number, block in enumerate(blocks) if block.text.strip() == source]
    install, start = (command for command, _ in commands_of(blocks[shown + 1].text))
    return install, start


def commands_for_servers():
    """The commands by which a server installs clio_nb; this checkout in place of the registry's."""
    blocks = blocks_of(ROOT / "docs" / "how-to" / "receiver.md")
    [install] = [block.text for block in blocks if "web/requirements.txt" in block.text]
    return [re.sub(r"clio-nb$", str(ROOT), command) for command, _ in commands_of(install)]


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """Give ``programs(name)``: the folder of the programs with which an app runs."""
    made = {}

    def install(name):
        if not LEAN:
            return Path(sys.executable).parent
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            made[name] = folder / "bin"
            there = {"PATH": f"{made[name]}:/usr/bin:/bin", "HOME": str(Path.home()), "PIP_NO_COMPILE": "1"}
            script = "\n".join(("set -e", *commands_for_servers(), commands_for(name)[0]))
            done = subprocess.run(["/bin/bash", "-c", script], env=there, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            for spare in ("pandas", "ipywidgets", "keyring", "typer", "rich"):
                assert not list(folder.glob(f"lib/*/site-packages/{spare}"))
        return made[name]

    return install


@pytest.fixture
def command(programs, tmp_path):
    """Give ``command(name)``: what starts an app in a folder of its own, for ``clio_app``."""

    def prepared(name):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(EXAMPLES / name / "app.py", folder)
        start = re.sub(r"\b8000\b", "{port}", commands_for(name)[1])
        return f"env -C {folder} PATH={programs(name)}:/usr/bin:/bin {start}"

    return prepared
