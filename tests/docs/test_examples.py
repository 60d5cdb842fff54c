"""The two example apps pass their own tests, run as their readers run them, against ``clio-nb sandbox``."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .page import ROOT

EXAMPLES = ROOT / "docs" / "examples"


def run(command, folder):
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        command,
        cwd=folder,
        env={**environment, "PATH": here},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture
def copied(tmp_path):
    """Give an example as it is alone in a folder of its own."""

    def copy(name):
        folder = tmp_path / name
        shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__"))
        return folder

    return copy


def test_the_node_app_passes_its_tests(copied):
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node on this machine")
    done = run([node, "--test"], copied("node"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"pass (\d+)", done.stdout)[1]) >= 10


def test_the_node_app_uses_nothing_but_the_standard_library():
    imports = [
        name
        for script in (EXAMPLES / "node").glob("*.mjs")
        for name in re.findall(r'^import .* from "(.+)";', script.read_text(), re.MULTILINE)
    ]
    assert imports
    assert all(name.startswith(("node:", "./")) for name in imports)


def test_the_python_app_passes_its_tests(copied):
    done = run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider"], copied("python"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 8
