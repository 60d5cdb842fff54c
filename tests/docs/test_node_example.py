"""The example app in Node: its own tests, the probe on both journeys, and kills at every point."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

import clio_nb as clio

from ..ports import free_port
from .node import NODE, need_node, node_app, run
from .page import ROOT, blocks_of

OTHER = ROOT / "docs" / "how-to" / "other-languages.md"


@pytest.fixture
def copied(tmp_path):
    """Give the example alone in a folder of its own."""
    need_node()
    return shutil.copytree(NODE, tmp_path / "node")


@pytest.fixture
def app(tmp_path):
    with node_app(tmp_path) as here:
        yield here


def run_tests(folder, **settings):
    return run([shutil.which("node"), "--test"], folder, **settings)


def test_the_node_app_passes_its_tests(copied):
    done = run_tests(copied)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"pass (\d+)", done.stdout)[1]) >= 20


@contextlib.contextmanager
def sandbox_in_a_network(key):
    """Run ``clio-nb sandbox`` at another address than this machine's own; gives its public URL."""
    port, apps = free_port("127.0.0.2"), free_port()
    url = f"http://127.0.0.2:{port}"
    command = [str(Path(sys.executable).with_name("clio-nb")), "sandbox", "--json", "--host", "127.0.0.2"]
    command += ["--port", str(port), "--public-url", url, "--firms", "2"]
    command += ["--redirect-uri", f"http://127.0.0.1:{apps}/clio/callback"]
    environment = {**os.environ, "CLIO_NB_CONTROL_KEY": key}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert json.loads(process.stdout.readline())["base_url"] == url
            yield url
        finally:
            process.terminate()


def test_the_node_app_passes_its_tests_against_a_sandbox_in_a_network(copied):
    with sandbox_in_a_network("a-key-for-ci") as url:
        done = run_tests(copied, CLIO_NB_SITE=url, CLIO_NB_CONTROL_KEY="a-key-for-ci")
        assert done.returncode == 0, done.stdout + done.stderr
        assert int(re.search(r"pass (\d+)", done.stdout)[1]) >= 20
        refused = run_tests(copied, CLIO_NB_SITE=url)
        assert refused.returncode != 0
        assert "control key" in refused.stdout
        assert httpx.get(f"{url}/control").status_code == 403


def test_the_node_app_uses_nothing_but_the_standard_library():
    imports = [
        name
        for script in NODE.glob("*.mjs")
        for name in re.findall(r'^import .* from "(.+)";', script.read_text(), re.MULTILINE)
    ]
    assert imports
    assert all(name.startswith(("node:", "./")) for name in imports)


def connect(app, user, browser=None):
    """Sign a user in to the app through the consent page, as a person does; give where Clio sends the browser."""
    with contextlib.nullcontext(browser) if browser else new_browser() as here:
        consent_page = here.get(f"{app.url}/clio/connect").headers["location"]
        consent = re.search(r'name="consent" value="([^"]+)"', here.get(consent_page).text)[1]
        pressed = {"consent": consent, "user_id": user.id, "decision": "allow"}
        back = here.post(f"{app.site.origin}/oauth/authorize", data=pressed).headers["location"]
        return here.get(back)


def new_browser():
    return httpx.Client(trust_env=False, timeout=30)


def test_the_node_app_passes_the_probe_on_both_journeys_and_logs_no_nonce(app):
    for user in app.site.users[:2]:
        assert connect(app, user).status_code == 200
    (block,) = [block for block in blocks_of(OTHER) if "$ clio-nb probe" in block.text]
    command = block.text.replace("http://127.0.0.1:3000", app.url).replace("http://127.0.0.1:8770", app.site.origin)
    done = run(["bash", "-c", command.removeprefix("$ ")], app.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"✓ +(?:connect|A user presses Allow|Clio's answer|A link that names)", done.stdout)) == 6
    assert set(app.kill().split()) <= {"Error", "TypeError", "SyntaxError", "TimeoutError"}


@pytest.mark.parametrize("after", [0, 2, *(pytest.param(number, marks=pytest.mark.long) for number in (1, 3, 4, 5, 6))])
def test_the_node_app_killed_within_a_callback_completes_by_the_link_and_makes_no_second_button(app, after):
    user, over = app.site.users[0], threading.Event()

    def kill():
        while len(app.site.requests) < after and not over.is_set():
            pass
        app.kill()

    killer = threading.Thread(target=kill)
    with new_browser() as browser:
        browser.event_hooks["request"] = [lambda request: killer.start() if "code=" in str(request.url) else None]
        with contextlib.suppress(httpx.TransportError):
            connect(app, user, browser)
    over.set()
    killer.join()
    app.start()
    assert connect(app, user).status_code == 200
    session = clio.Session(app.site, app.site.token(user.id)["access_token"])
    assert sorted(one.location.resource for one in session.list_actions()) == sorted(
        ["activities", "contacts", "documents", "folders", "matters"]
    )


def test_of_twenty_clicks_that_meet_an_expired_token_one_renews_it(app):
    user = app.site.users[0]
    connect(app, user)
    app.site.advance(31 * 24 * 3600)
    launches = [app.site.click_on(user.id, f"{app.url}/launch") for _ in range(20)]
    statuses = []

    def visit(launch):
        with new_browser() as browser:
            statuses.append(browser.get(launch).status_code)

    people = [threading.Thread(target=visit, args=(launch,)) for launch in launches]
    for one in people:
        one.start()
    for one in people:
        one.join()
    assert statuses == [303] * 20
    renewed = [one for one in app.site.oauth_requests if one["path"] == "/oauth/token"]
    assert len(renewed) == 2  # the code, and once more
