"""Promise D1: a load balancer is answered by process and database. Clio's part is said, and decides nothing."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import clio_nb as clio
from clio_nb.errors import VaultError
from clio_nb.http import timeouts
from clio_nb.vault.keys import new_key
from clio_nb.web import _health

from ..ports import free_port
from .conftest import new_browser
from .connecting import Partner
from .production import settings_of, started

ASKED = ("GET", "/api/v4/users/who_am_i")


@pytest.fixture
def open_partner(serve, tmp_path, monkeypatch):
    """Open the app on a database of this name, or on one in memory; give what asks how it is."""
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    opened = []

    def opening(where=None, kind="asgi"):
        here = Partner(serve, tmp_path, kind, vault=(lambda: clio.Vault.open(where)) if where else None).open()
        browser = new_browser()
        here.browsers.append(browser)
        here.health = lambda method="GET": browser.request(method, f"{here.base}/clio/healthz")
        opened.append(here)
        return here

    yield opening
    for here in opened:
        here.close()


@pytest.fixture
def stopwatch(monkeypatch):
    """The library's clock, which stands still until it is moved."""
    moved = type("Stopwatch", (), {"now": 1000.0})()
    monkeypatch.setattr(timeouts, "now", lambda: moved.now)
    return moved


def until_said(here, word):
    """Ask until the field of Clio says this; it is asked beside the answer. Gives the last answer."""
    for _ in range(2000):
        answer = here.health()
        if answer.json()["clio"] == {"us": word}:
            return answer
        threading.Event().wait(0.005)
    raise AssertionError(answer.text)


def asked(here):
    return [one for one in here.site.requests if (one["method"], one["path"]) == ASKED]


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_d1_a_process_whose_database_answers_is_healthy_and_says_nothing_else(open_partner, tmp_path, kind):
    here = open_partner(tmp_path / "vault.sqlite", kind)
    first = here.health()
    assert (first.status_code, first.json()["database"]) == (200, "ok")
    assert first.json()["clio"]["us"] in ("not asked yet", "ok")
    assert first.headers["cache-control"] == "no-store"
    assert until_said(here, "ok").json() == {"database": "ok", "clio": {"us": "ok"}}
    head = here.health("HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert here.health("POST").status_code == 405


def test_d1_a_sqlite_file_that_is_gone_is_503_and_one_that_is_back_is_200(open_partner, tmp_path, caplog):
    path = tmp_path / "data" / "vault.sqlite"
    here = open_partner(path)
    assert here.health().status_code == 200
    path.rename(path.with_name("moved"))
    for _ in range(3):
        answer = here.health()
        assert (answer.status_code, answer.json()["database"]) == (503, "away")
        assert str(tmp_path) not in answer.text
    path.with_name("moved").rename(path)
    assert here.health().status_code == 200
    (said,) = [one for one in caplog.records if "not healthy" in one.getMessage()]  # once, and not at each visit
    assert "is gone or was replaced" in said.getMessage()


def test_d1_a_postgresql_that_is_stopped_is_503_and_one_that_is_back_is_200(open_partner, cluster):
    here = open_partner(cluster.new())
    assert here.health().status_code == 200
    cluster.stop()
    try:
        answer = here.health()
        assert (answer.status_code, answer.json()["database"]) == (503, "away")
        assert "127.0.0.1" not in answer.text
    finally:
        cluster.start()
    assert here.health().status_code == 200


def test_d1_a_database_that_can_only_be_read_is_healthy(open_partner, cluster):
    where = cluster.new()
    here = open_partner(where)
    assert here.health().status_code == 200
    cluster.execute(f"ALTER DATABASE {where.rpartition('/')[2]} SET default_transaction_read_only = on")
    here.vaults[0].close()  # the next connection is read-only
    assert here.health().status_code == 200
    with pytest.raises(VaultError, match="cannot be written to"):
        here.vaults[0].ledger.claim("launch", b"x" * 32, 60)


def test_d1_a_key_that_does_not_open_the_database_is_503(open_partner, tmp_path, monkeypatch):
    path = tmp_path / "vault.sqlite"
    here = open_partner(path)
    assert here.health().status_code == 200
    monkeypatch.setenv("CLIO_NB_KEY", f"{new_key().reveal()},{os.environ['CLIO_NB_KEY']}")
    clio.Vault.open(path).rotate()
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())  # this process was never given the key in front
    assert here.health().status_code == 503


def test_d1_a_database_that_hangs_is_503_in_time_and_asked_once_for_all_who_ask(open_partner, monkeypatch):
    monkeypatch.setattr(_health, "PATIENCE", 0.2)
    here = open_partner()
    gone, begun = threading.Event(), []

    def hanging():
        begun.append(1)
        gone.wait(30)

    monkeypatch.setattr(here.vaults[0].sealed, "check", hanging)
    try:
        with ThreadPoolExecutor(10) as many:
            answers = list(many.map(lambda _: here.health(), range(10)))
        assert {answer.status_code for answer in answers} == {503}
        assert here.health().status_code == 503
        assert len(begun) == 1
    finally:
        gone.set()
    monkeypatch.undo()
    while not here.pages[0]._health._check.done():
        pass
    assert here.health().status_code == 200  # asked anew, and not what the last one found in the end


def test_d1_clio_is_asked_once_a_minute_without_a_token_whoever_calls(open_partner, stopwatch):
    here = open_partner()
    until_said(here, "ok")
    for _ in range(50):
        here.health()
    (one,) = asked(here)
    assert (one["user_id"], one["status"]) == (None, 401)
    stopwatch.now += _health.ASKED_EVERY - 0.1
    here.health()
    assert len(asked(here)) == 1
    stopwatch.now += 0.1
    with ThreadPoolExecutor(10) as many:
        list(many.map(lambda _: here.health(), range(10)))
    until_said(here, "ok")
    for _ in range(2000):
        if len(asked(here)) == 2:
            break
        threading.Event().wait(0.005)
    assert len(asked(here)) == 2


@pytest.mark.parametrize("fault", ["status", "stopped"])
def test_d1_clio_being_away_is_said_and_never_changes_the_status(open_partner, stopwatch, fault):
    here = open_partner()
    until_said(here, "ok")
    if fault == "status":
        here.site.fault("status", status=503)
    else:
        here.site.close()
    stopwatch.now += 61
    assert here.health().status_code == 200  # and it waits for nobody
    assert until_said(here, "away").status_code == 200


@pytest.mark.parametrize(
    "said",
    [{"CLIO_NB_TRUST_ENV": "maybe"}, {"CLIO_NB_TRUST_ENV": "1", "REQUESTS_CA_BUNDLE": "/nowhere"}],
    ids="-".join,
)
def test_d1_what_the_environment_says_wrongly_of_the_network_is_a_clio_that_is_away(open_partner, monkeypatch, said):
    here = open_partner()
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert until_said(here, "away").status_code == 200


def test_d1_each_region_is_asked_and_one_that_is_away_is_said(serve, tmp_path):
    here = Partner(serve, tmp_path, regions=("us", "eu"))
    here.open([here.site, here.site.at("eu")])
    here.site.at("eu").fault("status", status=503)
    with new_browser() as browser:
        for _ in range(2000):
            said = browser.get(f"{here.base}/clio/healthz").json()["clio"]
            if "not asked yet" not in said.values():
                break
    here.close()
    assert said == {"us": "ok", "eu": "away"}


@pytest.mark.long
def test_d1_each_process_of_a_server_that_forks_answers_for_itself(tmp_path):
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    command = "gunicorn app:app --bind 127.0.0.1:8000 --workers 3 --threads 8 --preload"
    with clio.sandbox(redirect_uris=[f"{base}/clio/callback"]) as site:
        settings = settings_of(site, tmp_path / "data" / "vault.sqlite", base)
        with started(command, settings, tmp_path / "log", port=port):
            for status in (200, 503, 200):
                for _ in range(20):
                    with new_browser() as browser:
                        assert browser.get(f"{base}/clio/healthz", timeout=60).status_code == status
                path, moved = tmp_path / "data" / "vault.sqlite", tmp_path / "data" / "moved"
                path.rename(moved) if status == 200 else moved.rename(path)
    assert {one["status"] for one in site.requests if one["path"] == ASKED[1]} == {401}
    assert 1 <= sum(one["path"] == ASKED[1] for one in site.requests) <= 3  # once for each process
