"""What a server imports is a list that the package ships: no package is missing and none is spare."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import clio_nb.web
from clio_nb.vault.keys import new_key

from .page import ROOT

LISTED = Path(clio_nb.web.__file__).with_name("requirements.txt")
BOUNDS = dict(re.findall(r"^([a-z0-9-]+)(>=[\d.]+)?$", LISTED.read_text(), re.MULTILINE))


@pytest.mark.clio_sandbox(redirect_uris=["https://partner.example/clio/callback"])
def test_a_server_imports_what_the_list_for_servers_names_and_nothing_else(
    clio_sandbox, clio_user, tmp_path, monkeypatch
):
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    launch = clio_sandbox.click_on(clio_user.id, "https://partner.example/launch", at="matters")
    command = [sys.executable, Path(__file__).with_name("receive.py"), json.dumps([*BOUNDS])]
    done = subprocess.run(
        [*command, clio_sandbox.origin, launch, tmp_path], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    received = json.loads(done.stdout)
    connected, team, first, second, disconnected = received["statuses"]
    assert (connected, team, disconnected) == (200, 200, 200)
    assert (first, second) == (303, 303)  # let in by the first; the second lets this browser wait for its cookie
    assert sum("custom_action_nonce" in one["query"] for one in clio_sandbox.requests) == 1
    assert received["used"] == sorted(BOUNDS)


@pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="the bounds are compared in a checkout only")
def test_the_bounds_in_the_list_are_those_of_the_package():
    ours = dict(re.findall(r'^  "([a-z0-9-]+)(>=[\d.]+)', (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    assert {name: bound for name, bound in BOUNDS.items() if name in ours} == {
        name: ours[name] for name in BOUNDS if name in ours
    }
