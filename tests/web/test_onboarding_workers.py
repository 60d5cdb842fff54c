"""Promise C3: a whole firm connects at once at several processes, also when one of them is killed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

import clio_nb as clio
from clio_nb.database import schema
from clio_nb.vault.keys import new_key

from ..ports import free_port
from .connecting import MANIFEST, Visitor
from .servers import running

COUNTED = {"custom_actions", "users/who_am_i"}
long = pytest.mark.long


class Office:
    """A firm of people with a browser each, and a server of several processes on which they connect."""

    def __init__(self, folder, site, base, process, vault):
        self.folder, self.site, self.base, self.process, self.vault = folder, site, base, process, vault
        self.origins, self.browsers, self.people = [base], [], site.users

    def children(self):
        """The processes that serve now."""
        parent = self.process.pid
        pids = map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
        return [pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def visit(self, user):
        """Come back from Clio's consent page: give what leads on, so that all can press at the same time."""
        visitor = Visitor(self)
        address = visitor.decide(visitor.begin(), user)
        return lambda: self.answer(lambda: visitor.back(address))

    def answer(self, visit):
        """The status and text of a page; 0 where the process was killed."""
        with contextlib.suppress(httpx.TransportError):
            page = visit()
            return page.status_code, page.text
        return 0, ""

    def at_once(self, visits):
        together = threading.Barrier(len(visits))

        def press(visit):
            together.wait()
            return visit()

        with ThreadPoolExecutor(len(visits)) as many:
            return list(many.map(press, visits))

    def actions(self, user):
        session = clio.Session(self.site, self.site.token(user.id)["access_token"])
        return sorted((one.label, one.location.resource) for one in session.list_actions())

    def wanted(self, user):
        both = [("Send for signature", "documents"), ("Send for signature", "matters")]
        session = clio.Session(self.site, self.site.token(user.id)["access_token"])
        admin = "admin" in {role.lower() for role in session.who_am_i().roles or ()}
        return [*both, ("Send to accounts", "activities")] if admin else both

    def leases_end(self):
        """Let so much time pass, by the database's clock, that no lease of a killed process is left."""
        vault = clio.Vault.open(self.vault)
        with vault.database.transaction(write=True) as database:
            database.execute(sa.update(schema.users).values(lease_until=1.0))
        vault.close()


@pytest.fixture
def office(request, tmp_path, monkeypatch):
    """An office of so many people at so many processes, over one database."""
    database, users, workers = request.param
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    vault = str(tmp_path / "v.sqlite") if database == "sqlite" else request.getfixturevalue("cluster").new()
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    (tmp_path / "actions.toml").write_text(MANIFEST.format(base=base))
    with clio.sandbox(users=users, redirect_uris=[f"{base}/clio/callback"]) as site:
        settings = {"SITE": site.origin, "VAULT": vault, "MANIFEST": str(tmp_path / "actions.toml")}
        settings["URL"] = f"{base}/clio"
        app = "tests.web.served_onboarding:app"
        with running(tmp_path, "uvicorn", app, settings, port=port, workers=workers) as process:
            here = Office(tmp_path, site, base, process, vault)
            yield here
            for browser in here.browsers:
                browser.close()


def among(*several):
    return pytest.mark.parametrize("office", several, indirect=True, ids=lambda one: f"{one[1]} people, {one[0]}")


@among(
    ("sqlite", 12, 2),
    pytest.param(("sqlite", 40, 4), marks=long),
    pytest.param(("postgresql", 40, 4), marks=long),
)
def test_c3_a_whole_firm_connects_at_once_at_several_processes(office):
    visits = [office.visit(user) for user in office.people]
    before = len(office.site.requests)
    pages = office.at_once(visits)
    assert [status for status, _ in pages] == [200] * len(pages), (office.folder / "log").read_text()
    assert all("<h1>Connected" in text for _, text in pages), pages[0]
    counted = Counter(
        (one["user_id"], one["method"], one["path"].removeprefix("/api/v4/")) for one in office.site.requests[before:]
    )
    wanted = {user.id: office.wanted(user) for user in office.people}
    for user in office.people:
        assert office.actions(user) == wanted[user.id]
    assert counted == {
        (user, *asked): number
        for user, buttons in wanted.items()
        for asked, number in {
            ("GET", "users/who_am_i"): 1,
            ("GET", "custom_actions"): 1,
            ("POST", "custom_actions"): len(buttons),
        }.items()
    }


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(number, marks=long) for number in range(2, 12))])
@among(("sqlite", 8, 2), pytest.param(("postgresql", 8, 2), marks=long))
def test_c3_whoever_a_killed_process_was_serving_completes_by_pressing_the_link_again(office, seed):
    chance = random.Random(seed)  # noqa: S311 -- when to kill
    visits = [office.visit(user) for user in office.people]
    started = len(office.site.requests)
    after = chance.randrange(4, 30)  # requests of the callbacks until the kill
    victim = chance.choice(office.children())
    over = threading.Event()

    def kill():
        while len(office.site.requests) - started < after and not over.wait(0.001):
            pass
        os.kill(victim, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    pages = office.at_once(visits)
    over.set()
    killer.join()
    office.leases_end()
    again = [user for user, (status, _) in zip(office.people, pages, strict=True) if status != 200]
    for user in again:
        status, text = office.visit(user)()
        assert status == 200, text
    for user in office.people:
        assert office.actions(user) == office.wanted(user)
