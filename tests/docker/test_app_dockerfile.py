"""The Dockerfile of the page "Deploy", replayed step by step without Docker: an app on the list for servers alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import httpx
import pytest

import clio_nb as clio

from ..ports import free_port
from ..web.production import EXAMPLES, Person, settings_of
from ..web.servers import wait_for
from .replay import Image

ROOT = Path(__file__).parents[2]
ASKED = os.environ.get("CLIO_NB_REQUIRE", "")
LISTED = set(re.findall(r"^[a-z0-9-]+", (ROOT / "clio_nb" / "web" / "requirements.txt").read_text(), re.MULTILINE))
IMAGE = Image(EXAMPLES["asgi"] / "Dockerfile", EXAMPLES["asgi"], EXAMPLES["asgi"])
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
NOT_ON_SERVERS = (
    {re.match("[a-z0-9-]+", one)[0] for one in DECLARED} - LISTED - {"starlette", "uvicorn"}
)  # FastAPI's own


def test_it_does_not_run_as_root_and_holds_no_key():
    assert IMAGE.of("USER") == ["65534"]
    assert not IMAGE.of("ENV") + IMAGE.of("ARG")
    assert all(IMAGE.source(name).exists() for copied in IMAGE.of("COPY") for name in copied.split()[:-1])


@pytest.mark.skipif(ASKED != "all" and "docker" not in ASKED, reason="CLIO_NB_REQUIRE=docker installs what it installs")
def test_d1_its_steps_lead_to_an_app_that_serves_both_journeys_and_is_healthy_while_its_database_answers(tmp_path):
    (tmp_path / "here.txt").write_text(f"clio-nb @ {ROOT.as_uri()}\n")  # this checkout stands for what is published
    folder = IMAGE.build(tmp_path, PIP_CONSTRAINT=str(tmp_path / "here.txt"))
    installed = IMAGE.installed()
    assert installed >= LISTED
    assert not installed & NOT_ON_SERVERS
    port = free_port()
    base, log, vault = f"http://127.0.0.1:{port}", tmp_path / "log", tmp_path / "data" / "vault.sqlite"
    [command], [health] = IMAGE.of("CMD"), IMAGE.of("HEALTHCHECK")
    check = json.loads(health.partition("CMD ")[2].replace(":8000", f":{port}"))
    with clio.sandbox(redirect_uris=[f"{base}/clio/callback"]) as site, log.open("w") as out:
        environment = {**IMAGE.environment, **settings_of(site, vault, base)}
        words = ["/usr/bin/env", *json.loads(command.replace('"8000"', f'"{port}"'))]
        with subprocess.Popen(words, cwd=folder, env=environment, stdout=out, stderr=out) as process:
            try:
                wait_for(port, process, log)
                with httpx.Client(trust_env=False, timeout=60) as browser:
                    person = Person(site, site.users[0], browser, base)
                    person.connect()
                    assert "00001-Tidewrack" in person.open(person.click()).text
                subprocess.run(["/usr/bin/env", *check], env=environment, check=True)
                vault.rename(vault.with_name("moved"))
                unhealthy = subprocess.run(["/usr/bin/env", *check], env=environment, capture_output=True, check=False)
                assert unhealthy.returncode != 0
            finally:
                process.terminate()
