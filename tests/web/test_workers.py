"""Promise L23: a launch is proved once for all processes that share a vault, and its browser sees the page."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from types import SimpleNamespace

import httpx
import pytest

import clio_nb as clio
from clio_nb.errors import VaultError
from clio_nb.launches._pages import Page, Visit
from clio_nb.launches.proof.used_nonces import used_nonces
from clio_nb.web import _guard
from clio_nb.web._guard import Guard
from clio_nb.web.proved_launch import AsyncProvedLaunch

from .apps import KEY, SHOWN
from .conftest import new_browser
from .servers import serving

OTHER_KEY = "another key, long enough to sign cookies"


def nonces(site):
    return sum("custom_action_nonce" in one["query"] for one in site.requests)


@pytest.fixture
def vault(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIO_NB_KEY", clio.vault.new_key().reveal())
    return clio.Vault.open(tmp_path / "vault.sqlite")


@pytest.fixture
def workers(site, anna, vault):
    """Doors of several processes that share a vault. ``at(n)`` makes the next visit one of the n-th process."""
    firm = clio.Firm(site, vault)
    firm.add(anna.session)
    return lambda *keys, **options: [Guard(None, firm, key, **options) for key in keys or (KEY, KEY)]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    async def sleep(_):
        pass

    monkeypatch.setattr("clio_nb.http.timeouts.sleep", sleep)


def visit(guard, query, cookie="", *, new_process=True):
    """Visit a door as one process after the other: what one remembers, the next does not know."""
    if new_process:
        used_nonces.clear()
    headers = {"cookie": cookie}
    outcome = asyncio.run(guard.admit(Visit("GET", "http", "x.example", "/launch", query, headers), ("/launch",)))
    if not isinstance(outcome, Page):
        return outcome, "", ""
    got = dict(outcome.headers)
    return outcome, got.get("location", "").partition("?")[2], got.get("set-cookie", "").partition(";")[0]


def query_of(click):
    return click.partition("?")[2]


def test_l23_the_second_process_sends_no_nonce_and_lets_the_browser_come_back_for_its_cookie(anna, site, workers):
    first, second = workers()
    query = query_of(anna.click())
    admitted, clean, cookie = visit(first, query)
    assert (admitted.status, nonces(site)) == (303, 1)
    waiting, again, none = visit(second, query)
    assert (waiting.status, none, nonces(site)) == (303, "", 1)
    assert "nonce" not in again
    moved, where, _ = visit(second, again, cookie)
    assert (moved.status, where) == (303, clean)
    assert isinstance(visit(second, where, cookie)[0], AsyncProvedLaunch)
    assert nonces(site) == 1


def test_l23_a_browser_without_the_cookie_is_refused_after_a_few_times(anna, site, workers):
    first, second = workers()
    query = query_of(anna.click())
    visit(first, query)
    for _ in _guard.PAUSES:
        waiting, query, _ = visit(second, query)
        assert waiting.status == 303
    refused, _, _ = visit(second, query)
    assert refused.status == 403
    assert b"click the action again" in refused.body
    assert nonces(site) == 1


def test_l23_once_more_at_the_same_process_after_a_restart_sends_no_nonce(anna, site, workers):
    (first,) = workers(KEY)
    query = query_of(anna.click())
    _, clean, cookie = visit(first, query)
    assert visit(first, query, cookie)[1] == clean
    assert visit(first, query)[0].status == 303
    assert nonces(site) == 1


@pytest.mark.parametrize(
    "keys", [([OTHER_KEY, KEY], KEY), (KEY, [OTHER_KEY, KEY]), ([OTHER_KEY, KEY], [KEY, OTHER_KEY])]
)
def test_l23_while_the_key_is_replaced_one_of_them_claims_it(anna, site, workers, keys):
    first, second = workers(*keys)
    query = query_of(anna.click())
    _, _, cookie = visit(first, query)
    _, again, _ = visit(second, query)
    assert nonces(site) == 1
    admitted, where, _ = visit(second, again, cookie)
    if isinstance(keys[1], list):  # it knows the key of the other one
        assert isinstance(visit(second, where, cookie)[0], AsyncProvedLaunch)
    assert admitted.status in (303, 403)


def test_l23_what_makes_a_browser_come_back_is_signed_for_this_door_and_ends(anna, workers, monkeypatch):
    first, second = workers()
    query = query_of(anna.click())
    visit(first, query)
    _, again, _ = visit(second, query)
    (elsewhere,) = workers(KEY, target="http://x.example/launch")
    for guard, tried in (
        (elsewhere, again),
        (second, again + "x"),
        (second, "clio_wait=x"),
        (second, f"{again}&{again}"),
    ):
        assert visit(guard, tried)[0].status == 400
    right = time.time
    monkeypatch.setattr("time.time", lambda: right() + 90)
    assert visit(second, again)[0].status == 400


def test_l23_who_comes_again_to_the_same_process_has_a_moment_for_the_cookie(anna, site, clock):
    door = Guard(None, anna.session, KEY)
    query = query_of(anna.click())
    _, clean, cookie = visit(door, query)
    waiting, again, _ = visit(door, query, new_process=False)
    assert waiting.status == 303
    assert visit(door, again, cookie, new_process=False)[1] == clean
    assert visit(door, again, new_process=False)[0].status == 403
    clock.now += _guard.JUST_NOW
    assert visit(door, query, new_process=False)[0].status == 403
    assert nonces(site) == 1


def test_l23_no_more_browsers_wait_than_a_process_can_bear(anna, workers, monkeypatch):
    first, second = workers()
    query = query_of(anna.click())
    visit(first, query)
    monkeypatch.setattr(_guard, "WAITING_MAX", 0)
    assert visit(second, query)[0].status == 403


def test_l23_the_claim_is_a_digest_under_the_key_and_holds_no_nonce(anna, workers, vault):
    claimed = []
    (first,) = workers(KEY)
    first._claims._ledger = SimpleNamespace(claim=lambda *said: claimed.append(said) or True)
    query = query_of(anna.click())
    visit(first, query)
    ((kind, digest, seconds),) = claimed
    assert (kind, len(digest), seconds) == ("launch", 32, 120)
    (other,) = workers(OTHER_KEY)
    other._claims._ledger = first._claims._ledger
    visit(other, query)
    assert claimed[1][1] != digest


@pytest.mark.parametrize("refused", [{"user_id": None}, {"subject_url": "x"}, {"custom_action_id": "x"}])
def test_l23_what_is_no_launch_claims_nothing(anna, workers, refused):
    (first,) = workers(KEY)
    first._claims._ledger = SimpleNamespace(claim=None)  # would fail
    assert visit(first, query_of(anna.click(**refused)))[0].status in (400, 403)


def test_l24_a_second_visit_does_not_tell_either_whether_a_user_has_a_token(anna, site, workers):
    seen = []
    for number, forged in enumerate(({}, {"user_id": "77"}, {"custom_action_id": "77"})):
        first, second = workers()
        query = query_of(anna.click(custom_action_nonce=f"forged-{number}", **forged))
        statuses = [visit(first, query)[0].status, visit(second, query)[0].status]
        statuses += [visit(second, query, new_process=False)[0].status, visit(first, query)[0].status]
        seen.append(statuses)
    assert seen == [[403, 303, 303, 303]] * 3


def test_l23_without_a_lasting_vault_each_process_proves_once_and_says_so_once(anna, site, caplog):
    caplog.set_level("INFO", "clio_nb.launches")
    guard = Guard(None, anna.session, KEY)
    for _ in range(2):
        visit(guard, query_of(anna.click()))
    query = query_of(anna.click())
    assert visit(guard, query)[0].status == 303
    waiting, again, _ = visit(guard, query, new_process=False)
    assert waiting.status == 303
    assert visit(guard, again, new_process=False)[0].status == 403
    said = [one for one in caplog.records if "Each process proves a launch once" in one.getMessage()]
    assert len(said) == 1


def test_l23_a_ledger_that_cannot_be_written_lets_each_process_prove_once_and_warns_once(anna, workers, caplog):
    def broken(*_):
        raise VaultError("SQLite file x: it cannot be written to. Nothing was changed.")

    (guard,) = workers(KEY)
    guard._claims._ledger = SimpleNamespace(claim=broken)
    for _ in range(2):
        assert visit(guard, query_of(anna.click()))[0].status == 303
    (said,) = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert "it cannot be written to" in said.getMessage()


def test_l23_a_ledger_that_does_not_answer_holds_nobody_longer_than_the_timeout(anna, workers):
    gone = threading.Event()
    (guard,) = workers(KEY, timeout=0.5)
    guard._claims._ledger = SimpleNamespace(claim=lambda *_: gone.wait(60))
    try:
        assert visit(guard, query_of(anna.click()))[0].status == 403
    finally:
        gone.set()


async def at_once(origin, click, times=8):
    """One browser opens the same launch several times at once."""
    async with httpx.AsyncClient(trust_env=False, follow_redirects=True, timeout=60) as browser:
        return await asyncio.gather(*(browser.get(f"{origin}/launch?{query_of(click)}") for _ in range(times)))


@pytest.mark.parametrize(
    ("server", "app", "rounds"),
    [
        ("uvicorn", "starlette", 3),
        pytest.param("uvicorn", "starlette", 50, marks=pytest.mark.long),
        pytest.param("gunicorn, preloaded", "flask", 50, marks=pytest.mark.long),
        pytest.param("gunicorn, threads", "django", 50, marks=pytest.mark.long),
        pytest.param("granian", "starlette", 50, marks=pytest.mark.long),
        pytest.param("hypercorn", "fastapi", 50, marks=pytest.mark.long),
    ],
)
def test_l23_at_four_workers_eight_at_once_are_one_request_and_eight_pages(site, anna, tmp_path, server, app, rounds):
    with serving(site, tmp_path, server, app, workers=4) as origin:
        for number in range(rounds):
            click, before = anna.click(number=number % 5), nonces(site)
            pages = asyncio.run(at_once(origin, click))
            assert nonces(site) - before == 1
            shown = f"{SHOWN} {anna.id} {anna.action().id} {anna.subject(number=number % 5)}"
            assert [page.text for page in pages] == [shown] * len(pages)
            if number % 10 == 9:
                site.advance(61)
        with new_browser() as stranger:
            assert stranger.get(f"{origin}/launch?{query_of(click)}", follow_redirects=True).status_code == 403
        assert nonces(site) - before == 1
