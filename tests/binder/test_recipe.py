"""What Binder is told: pins for all that the package needs, a kernel fit for widgets, a recipe it accepts."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
BINDER = ROOT / "binder"
ASKED = os.environ.get("CLIO_NB_REQUIRE", "")


@pytest.fixture(scope="module")
def pins():
    lines = (BINDER / "requirements.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {pin.name: Version(str(pin.specifier).removeprefix("==")) for pin in found}


def test_every_dependency_is_pinned_within_what_the_package_allows(pins):
    python = (BINDER / "runtime.txt").read_text().strip().removeprefix("python-")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [Requirement(text) for text in project["dependencies"]]
    wanted = [each for each in wanted if not each.marker or each.marker.evaluate({"python_version": python})]
    unfit = [str(each) for each in wanted if each.name not in pins or pins[each.name] not in each.specifier]
    assert unfit == []


def test_nothing_is_pinned_that_nobody_needs(pins):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {Requirement(text).name for text in project["dependencies"]}
    assert set(pins) - needed == {"ipykernel", "jupyterlab", "jupyter-server-proxy", "matplotlib"}


def test_the_kernel_and_lab_are_newer_than_binders_own(pins):
    assert pins["ipykernel"] >= Version("7.4")
    assert pins["jupyterlab"] >= Version("4.6")
    assert pins["jupyter-server-proxy"] >= Version("4.6")


def test_start_hands_over_to_what_binder_starts_and_drops_credentials():
    printing = [
        sys.executable,
        "-c",
        "import os; print([name for name in os.environ if name.startswith('CLIO_CLIENT')] or 'none')",
    ]
    environment = {**os.environ, "CLIO_CLIENT_SECRET": "canary", "CLIO_CLIENT_SECRET_EU": "canary"}
    answer = subprocess.run(
        ["/bin/bash", BINDER / "start", *printing], env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout == "none\n"


def test_there_is_one_folder_for_binder():
    assert not (ROOT / ".binder").exists()


@pytest.mark.skipif(
    ASKED != "all" and "binder" not in ASKED, reason="CLIO_NB_REQUIRE=binder installs jupyter-repo2docker to ask it"
)
def test_repo2docker_accepts_the_recipe(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    pip = [sys.executable, "-m", "pip", "--python", tmp_path / "venv", "install", "-q", "--no-compile"]
    subprocess.run([*pip, "jupyter-repo2docker"], check=True, capture_output=True)
    # repo2docker wants a user id above 0 for the person in the image
    told = [tmp_path / "venv" / "bin" / "jupyter-repo2docker", "--no-build", "--debug", "--user-id=1000"]
    answer = subprocess.run([*told, "--user-name=someone", ROOT], capture_output=True, text=True, check=False)
    dockerfile = answer.stdout + answer.stderr
    assert answer.returncode == 0, dockerfile[-2000:]
    assert "conda environment for python=3.12" in dockerfile
    assert "binder/postBuild" in dockerfile
    assert "binder/start" in dockerfile
