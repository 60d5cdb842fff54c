"""The example apps pass their own tests, run as their readers run them, against ``clio-nb sandbox``."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import clio_nb
from clio_nb.probe import probe

from ..ports import free_port
from .page import ROOT

EXAMPLES = ROOT / "docs" / "examples"


def run(command, folder, **settings):
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


@contextlib.contextmanager
def sandbox_in_a_network(key):
    """Run ``clio-nb sandbox`` at another address than this machine's own; gives its public URL."""
    port, apps = free_port("127.0.0.2"), free_port()
    url = f"http://127.0.0.2:{port}"
    command = [str(Path(sys.executable).with_name("clio-nb")), "sandbox", "--json", "--host", "127.0.0.2"]
    command += ["--port", str(port), "--public-url", url, "--redirect-uri", f"http://127.0.0.1:{apps}/callback"]
    environment = {**os.environ, "CLIO_NB_CONTROL_KEY": key}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert json.loads(process.stdout.readline())["base_url"] == url
            yield url
        finally:
            process.terminate()


def test_the_node_app_passes_its_tests_against_a_sandbox_in_a_network(copied):
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node on this machine")
    folder = copied("node")
    with sandbox_in_a_network("a-key-for-ci") as url:
        done = run([node, "--test"], folder, CLIO_NB_SITE=url, CLIO_NB_CONTROL_KEY="a-key-for-ci")
        assert done.returncode == 0, done.stdout + done.stderr
        assert int(re.search(r"pass (\d+)", done.stdout)[1]) >= 10
        refused = run([node, "--test"], folder, CLIO_NB_SITE=url)
        assert refused.returncode != 0
        assert "control key" in refused.stdout
        assert httpx.get(f"{url}/control").status_code == 403


def test_the_node_app_uses_nothing_but_the_standard_library():
    imports = [
        name
        for script in (EXAMPLES / "node").glob("*.mjs")
        for name in re.findall(r'^import .* from "(.+)";', script.read_text(), re.MULTILINE)
    ]
    assert imports
    assert all(name.startswith(("node:", "./")) for name in imports)


APPS = {"node": ["node", "app.mjs"]}


def connect(browser, site, url, user):
    """Sign a user in to an app through the consent page, as a person does."""
    consent_page = browser.get(f"{url}/connect").headers["location"]
    consent = re.search(r'name="consent" value="([^"]+)"', browser.get(consent_page).text)[1]
    pressed = {"consent": consent, "user_id": user.id, "decision": "allow"}
    back = browser.post(f"{site.origin}/oauth/authorize", data=pressed)
    answer = browser.get(back.headers["location"])
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("language", APPS)
def test_an_example_app_passes_the_probe(copied, tmp_path, language):
    if shutil.which(APPS[language][0]) is None:
        pytest.skip(f"there is no {language} on this machine")
    url = f"http://127.0.0.1:{free_port()}"
    with clio_nb.sandbox(redirect_uris=[f"{url}/callback"], rate_limit=None) as site:
        settings = {
            "APP_URL": url,
            "CLIO_URL": site.origin,
            "CLIO_REGION": site.origin,
            "CLIO_CLIENT_ID": site.client_id,
            "CLIO_CLIENT_SECRET": site.client_secret,
            "LAUNCH_KEY": "k" * 32,
            "CLIO_NB_KEY": "",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            **dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(tmp_path / "home")),
        }
        app = subprocess.Popen(
            APPS[language],
            cwd=copied(language),
            env={**os.environ, **settings},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            transport = httpx.HTTPTransport(retries=8)  # until the app listens
            with httpx.Client(transport=transport, trust_env=False, timeout=60) as browser:
                for user in site.users[:2]:
                    connect(browser, site, url, user)
            report = probe(f"{url}/launch", site)
            assert report, report.to_json()
        finally:
            app.kill()
            app.wait()
