"""The commands do the same in a Python without asserts and docstrings (``-OO``), and in its development mode."""

import json
import os
import re
import subprocess
import sys

import pytest

FORGED = "https://partner.example/launch?custom_action_id=1"
MODES = {
    "-OO": {"PYTHONOPTIMIZE": "2"},
    "-X dev": {"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error"},
}


@pytest.fixture(params=MODES)
def run(request, tmp_path):
    """Run a command in such a Python; give exit code and output. What asyncio says of a busy machine does not count."""
    folders = {name: str(tmp_path) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    there = {**os.environ, **folders, **MODES[request.param], "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    for name in ("CLIO_NB_SITE", "CLIO_NB_VAULT", "CLIO_NB_KEY"):
        there.pop(name, None)

    def start(*words):
        command = [sys.executable, "-c", "from clio_nb.cli import main; main()", *words]
        done = subprocess.run(
            command, env=there, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        slow = re.compile(r"^Executing <.*> took \d+\.\d+ seconds\n", re.MULTILINE)
        return done.returncode, done.stdout, slow.sub("", done.stderr)

    return start


def test_the_demo_happens(run):
    code, out, err = run("demo")
    assert (code, err) == (0, "")
    assert "Everything worked" in out


def test_the_terminal_keeps_its_contract(run):
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    assert {"demo", "doctor", "plan"} <= set(out.split())
    assert run("launch", "inspect", FORGED)[0] == 1
    code, out, err = run("doctor", "--json")
    assert (code, err) == (1, "")
    assert [check["name"] for check in json.loads(out)["checks"] if check["ok"] is False] == ["app"]
    code, out, err = run("status")
    assert (code, out) == (1, "")
    assert err.startswith("clio-nb: No region given. Use us, eu, ca or au")
    assert run("--wrong")[0] == 2
