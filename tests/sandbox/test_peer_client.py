"""A client that somebody else wrote, unmodified: ``clio-manage-api-client`` against ``clio-nb sandbox``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

PEER = "clio-manage-api-client==0.1.5"


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    """A folder with the peer and what it imports that is not here, which another Python looks into before any other."""
    place = str(tmp_path_factory.mktemp("peer"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps", "--target", place]
    installed = subprocess.run(
        [*command, PEER, "typing-inspect", "mypy-extensions"], capture_output=True, text=True, timeout=300, check=False
    )
    if installed.returncode:
        pytest.skip(f"pip cannot install {PEER} here: {installed.stderr.strip()[-200:]}")
    return place


@pytest.fixture
def terminal():
    """``clio-nb sandbox`` as a person starts it; what its first line says."""
    command = [sys.executable, "-c", "from clio_nb.cli import main; main()", "sandbox"]
    with subprocess.Popen(
        [*command, "--port", "0", "--users", "450", "--json"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.terminate()


def test_a_client_that_somebody_else_wrote_does_crud_paging_422_and_429(peer, terminal):
    token = httpx.post(f"{terminal['control_url']}/tokens", json={"user_id": terminal["users"][0]["id"]}).json()
    users = [user["id"] for user in terminal["users"]]
    script = Path(__file__).with_name("peer_client.py")
    said = json.dumps([terminal["base_url"], token["access_token"], users])
    done = subprocess.run(
        [sys.executable, script, said],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": peer},
    )
    assert done.returncode == 0, done.stderr
    seen = httpx.get(f"{terminal['control_url']}/requests").json()
    assert {each["status"] for each in seen} == {200, 201, 204, 404, 422, 429}
