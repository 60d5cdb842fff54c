"""The Dockerfile of the sandbox alone, replayed step by step without Docker."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tomllib
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement

from ..ports import free_port
from .replay import Image

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
IMAGE = Image(DOCKER / "Dockerfile", ROOT)
of = IMAGE.of
ASKED = os.environ.get("CLIO_NB_REQUIRE", "")
KEY = "key-of-a-test"
UNNEEDED = {"cryptography", "ipywidgets", "keyring", "nest-asyncio", "pandas", "sqlalchemy", "tqdm"}


def requirements() -> dict[str, Requirement]:
    lines = (DOCKER / "requirements.txt").read_text().splitlines()
    return {each.name: each for each in (Requirement(line) for line in lines if line and not line.startswith("#"))}


def test_what_is_installed_is_what_the_package_declares():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    known = {each.name: each.specifier for each in map(Requirement, declared)}
    assert {name: each.specifier for name, each in requirements().items()}.items() <= known.items()
    assert not requirements().keys() & UNNEEDED


def test_what_is_copied_is_there():
    for argument in of("COPY"):
        *sources, _ = shlex.split(argument)
        assert all((ROOT / source).exists() for source in sources)


def test_it_does_not_run_as_root_and_holds_no_key():
    assert of("USER") == ["65534"]
    assert not of("ENV") + of("ARG")


@pytest.mark.skipif(ASKED != "all" and "docker" not in ASKED, reason="CLIO_NB_REQUIRE=docker installs what it installs")
def test_its_steps_lead_to_a_sandbox_in_a_network(tmp_path):
    IMAGE.build(tmp_path)
    [entrypoint], [arguments], [health] = of("ENTRYPOINT"), of("CMD"), of("HEALTHCHECK")
    port = free_port()
    command = [*json.loads(entrypoint), *json.loads(arguments), "--port", str(port), "--json"]
    environment = {**IMAGE.environment, "CLIO_NB_CONTROL_KEY": KEY}
    with subprocess.Popen(
        ["/usr/bin/env", *command], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert json.loads(process.stdout.readline())["base_url"] == "http://clio:8770"
            here = f"http://127.0.0.1:{port}"
            assert httpx.get(f"{here}/control").status_code == 403
            assert httpx.get(f"{here}/control", headers={"authorization": f"Bearer {KEY}"}).status_code == 200
            assert httpx.get(f"{here}/", headers={"host": "clio:8770"}).status_code == 200
            check = json.loads(health.partition("CMD ")[2].replace(":8770", f":{port}"))
            subprocess.run(["/usr/bin/env", *check], env=environment, check=True)
        finally:
            process.terminate()
    assert not IMAGE.installed() & UNNEEDED
