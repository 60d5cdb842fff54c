"""The example apps pass their own tests, run as their readers run them, against ``clio-nb sandbox``."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import clio_nb
from clio_nb.probe import probe

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


@pytest.mark.parametrize(("name", "tests"), [("python", 8), ("wsgi", 1)])
def test_a_python_app_passes_its_tests(copied, name, tests):
    quick = ("-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "no:nbval")  # what a reader has not
    done = run([sys.executable, "-m", "pytest", *quick], copied(name))
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= tests


APPS = {"python": [sys.executable, "app.py"]}


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
    with socket.create_server(("127.0.0.1", 0)) as kept:  # or the sandbox could be given the same port
        url = f"http://127.0.0.1:{kept.getsockname()[1]}"
        sandbox = clio_nb.sandbox(redirect_uris=[f"{url}/callback"], rate_limit=None)
    with sandbox as site:
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
            with httpx.Client(transport=transport, trust_env=False, timeout=30) as browser:
                for user in site.users[:2]:
                    connect(browser, site, url, user)
            report = probe(f"{url}/launch", site)
            assert report, report.to_json()
        finally:
            app.kill()
            app.wait()
