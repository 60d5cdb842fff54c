"""Promise D3: both keys are replaced in the order of the page while two processes serve, and nobody notices."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import clio_nb as clio
from clio_nb.vault.keys import new_key

from ..ports import free_port
from .production import PAGE, Person, commands_with, settings_of, started

PUBLIC = "http://127.0.0.1:9"
OLD, NEW = "o" * 43, "n" * 43
OLD_VAULT, NEW_VAULT = new_key().reveal(), new_key().reveal()


class Process:
    """One process of the app, which is stopped and started again with other settings."""

    def __init__(self, settings, folder, name):
        self._settings, self._log, self._port = settings, folder / name, free_port()
        self._running = contextlib.ExitStack()

    def __call__(self, url):
        """Turn a public address into this process's."""
        return url.replace(PUBLIC, f"http://127.0.0.1:{self._port}"), {}

    def roll(self, **changed):
        self.stop()
        (command,) = commands_with("$ uvicorn ")
        settings = {**self._settings, **changed}
        self._running.enter_context(started(command, settings, self._log, port=self._port))

    def stop(self):
        self._running.close()


@pytest.fixture
def two(request, tmp_path):
    """Two processes over one database, and the sandbox that they use as Clio."""
    vault = tmp_path / "vault.sqlite" if request.param == "sqlite" else request.getfixturevalue("cluster").new()
    with clio.sandbox(redirect_uris=[f"{PUBLIC}/clio/callback"], rate_limit=None, users=40) as site:
        settings = settings_of(site, vault, PUBLIC, LAUNCH_KEY=OLD, CLIO_NB_KEY=OLD_VAULT)
        both = Process(settings, tmp_path, "one.log"), Process(settings, tmp_path, "other.log")
        yield site, settings, both
        for one in both:
            one.stop()


def nonces(site):
    return sum("custom_action_nonce" in one["query"] for one in site.requests)


def works(site, users, one, other, connected):
    """Both journeys, begun at one process and gone on with at the other; the first who connected is still there."""
    for here, there in ((one, other), (other, one)):
        user = next(users)
        with httpx.Client(trust_env=False, timeout=60) as browser:
            person = Person(site, user, browser, PUBLIC)
            page = person.get(person.begin(at=here), at=there)
            assert page.status_code == 200, page.text
            connected.append(user)
            site.advance(31 * 24 * 3600)  # every token has ended, and is renewed under the key of this moment
            for person.user in (connected[0], user):
                before = nonces(site)
                launch = person.click()
                shown = person.open(launch, at=here, then=there)
                assert shown.status_code == 200, shown.text
                assert person.get(launch, at=there).status_code == 303  # proved already: this browser has its cookie
                assert nonces(site) - before <= 2  # a second one only after a 401, which did not spend it


@pytest.mark.parametrize("two", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True)
def test_d3_both_keys_are_replaced_one_process_after_the_other_and_no_sign_in_launch_or_token_is_lost(two, tmp_path):
    site, settings, processes = two
    table = PAGE.read_text().partition("## Replace a key")[2]
    assert all(row in table for row in ("`NEW,OLD` | `OLD,NEW`", "then `NEW` | `NEW,OLD`", "after seven days: `NEW`"))
    users, connected = iter(site.users), []
    for one in processes:
        one.roll()
    works(site, users, *processes, connected)
    for number, (vault_key, launch_key) in enumerate(
        [(f"{NEW_VAULT},{OLD_VAULT}", f"{OLD},{NEW}"), (NEW_VAULT, f"{NEW},{OLD}"), (NEW_VAULT, NEW)]
    ):
        if number == 1:
            (rotate,) = commands_with(".rotate()")
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            both = {"CLIO_NB_KEY": f"{NEW_VAULT},{OLD_VAULT}", "PATH": path}
            with subprocess.Popen(["/bin/bash", "-c", rotate], env={**os.environ, **settings, **both}) as rotating:
                works(site, users, *processes, connected)
            assert rotating.returncode == 0
            works(site, users, *processes, connected)
        for one in processes:
            one.roll(CLIO_NB_KEY=vault_key, LAUNCH_KEY=launch_key)
            works(site, users, *processes, connected)
    renewed = sum(one["path"] == "/oauth/token" for one in site.oauth_requests) - len(connected)
    assert (
        renewed == 2 * len(connected) - 1
    )  # each time that of the first and that of the newest, who were once the same


@pytest.mark.parametrize("two", ["sqlite"], indirect=True)
def test_d3_the_order_matters_as_the_page_says(two):
    """The new key in front at one process, before the other knows it, is refused there. So it comes behind first."""
    site, _, (one, other) = two
    one.roll(LAUNCH_KEY=f"{NEW},{OLD}")
    other.roll()
    with httpx.Client(trust_env=False, timeout=60) as browser:
        person = Person(site, site.users[0], browser, PUBLIC)
        assert person.get(person.begin(at=one), at=other).status_code == 400
        assert person.get(person.begin(at=other), at=one).status_code == 200
