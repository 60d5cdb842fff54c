"""The receiver against an embedded Clio, over real HTTP. ``RECEIVER_PYTHON`` names the Python that it runs on."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from clio_nb.vault.keys import new_key


@pytest.fixture
def receiver(clio_sandbox, tmp_path):
    """Run the receiver in a process of its own, and return its address."""
    settings = {"CLIO_NB_SITE": clio_sandbox.origin, "CLIO_NB_VAULT": str(tmp_path / "vault.sqlite")}
    keys = {"LAUNCH_KEY": "k" * 32, "CLIO_NB_KEY": new_key().reveal(), "XDG_DATA_HOME": str(tmp_path)}
    python = os.environ.get("RECEIVER_PYTHON", sys.executable)
    command = [python, str(Path(__file__).with_name("app.py")), "0"]
    with subprocess.Popen(  # noqa: S603 -- our own words
        command, cwd=tmp_path, env={**os.environ, **settings, **keys}, stdout=-1, text=True
    ) as running:
        yield running.stdout.readline().split()[-1]
        running.terminate()


def test_a_genuine_click_is_let_in_once_and_a_forged_one_never(clio_sandbox, clio_user, receiver):
    launch = clio_sandbox.click_on(clio_user.id, receiver, at="matters")
    with httpx.Client(follow_redirects=True) as browser:
        first, again = browser.get(launch), browser.get(launch)
    assert first.text == again.text == f"{clio_user.name} wants to sign 00001-Tidewrack."
    assert httpx.get(launch, follow_redirects=True).status_code == 403  # another browser
    assert httpx.get(launch.rpartition("=")[0] + "=made-up-nonce").status_code == 403
