"""Promise P9: launches are recorded where somebody has said so, without delay, and never with what is secret."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa

import clio_nb as clio
from clio_nb.database import schema
from clio_nb.database.firm_key import AppKey
from clio_nb.errors import InvalidInput, VaultError
from clio_nb.http import loop, timeouts
from clio_nb.launches._pages import Page, Visit
from clio_nb.launches.proof.confirmation import Confirmation
from clio_nb.launches.proof.known_actions import actions_cache
from clio_nb.ledger import recorder
from clio_nb.ledger.history import History
from clio_nb.web import VaultSessions
from clio_nb.web._guard import Guard

from .conftest import KEY, TARGET, forged, new_browser


@pytest.fixture(autouse=True)
def _no_keyring(no_keyring, monkeypatch):
    monkeypatch.setenv("CLIO_NB_KEY", clio.vault.new_key().reveal())


@pytest.fixture
def vault(tmp_path):
    return clio.Vault.open(tmp_path / "vault.sqlite")


@pytest.fixture
def firm(site, vault, anna):
    firm = clio.Firm(site, vault, record=True)
    firm.add(anna.session)
    return firm


def rows(firm, vault=None):
    """What the history holds, when all is written."""
    vault, app = vault or firm.vault, AppKey(firm.site.origin, firm.site.client_id)
    loop.run(recorder.flush, vault.database, app)
    return vault.ledger.history.launches(app, None, None)


def counts(firm):
    app = AppKey(firm.site.origin, firm.site.client_id)
    loop.run(recorder.flush, firm.vault.database, app)
    found = {}
    for each in firm.vault.ledger.history.refusals(app, None, None):
        found[each.reason] = found.get(each.reason, 0) + each.launches
    return found


def at_door(door, url):
    visit = Visit("GET", "http", "x.example", "/launch", url.partition("?")[2], {})
    return asyncio.run(door.admit(visit, ("/launch",)))


def through_verify(firm, url):
    clio.verify_launch(url, firm)


def through_a_door(firm, url):
    at_door(Guard(None, firm, KEY), url)


def through_a_door_of_all_firms(firm, url):
    at_door(Guard(None, VaultSessions(firm.vault, firm.site), KEY, record=True), url)


def through_an_inbox(firm, url):
    with clio.inbox(firm.site, firm) as inbox, new_browser() as browser:
        browser.get(f"{inbox.url}?{url.partition('?')[2]}")


WAYS = [through_verify, through_a_door, through_a_door_of_all_firms, through_an_inbox]


@pytest.mark.parametrize("way", WAYS)
def test_p9_a_click_is_one_row_with_what_it_said_and_no_more(site, firm, anna, way):
    before, url = site.now(), anna.click()
    way(firm, url)
    (row,) = rows(firm)
    assert row[:4] == (dt.datetime.fromtimestamp(before, dt.UTC), "default", "verified", "")
    assert row[5:10] == (anna.id, anna.action().id, None, "matters/show", int(anna.subject().rpartition("/")[2]))
    assert row.milliseconds >= 0
    assert counts(firm) == {}


@pytest.mark.parametrize("way", WAYS)
def test_p9_nothing_is_recorded_unless_somebody_says_so(site, vault, anna, way, monkeypatch):
    firm = clio.Firm(site, vault)
    firm.add(anna.session)
    if way is through_a_door_of_all_firms:
        at_door(Guard(None, VaultSessions(vault, site), KEY), anna.click())
    else:
        way(firm, anna.click())
    assert (vault.database, AppKey(site.origin, site.client_id)) not in {key[:2] for key in recorder._recorders}
    assert rows(firm) == []


def revoked(site, firm, anna):
    site.revoke(anna.id)
    return anna.click()


def replayed(site, firm, anna):
    url = anna.click()
    clio.verify_launch(url, clio.login(site, anna.id))
    return url


def lost(site, firm, anna):
    url = anna.click()
    site.fault("reset", path="/api/v4/matters*")
    return url


def answered_late(site, firm, anna):
    url = anna.click()
    site.fault("status", status=429, path="/api/v4/matters*")
    return url


def answered(status):
    def arranged(site, firm, anna):
        url = anna.click()
        site.fault("status", status=status, path="/api/v4/matters*")
        return url

    return arranged


REFUSED = {
    "malformed": lambda site, firm, anna: anna.click(subject_url="/x"),
    "no-token": lambda site, firm, anna: anna.click(user_id=str(site.users[2].id)),
    "unknown-action": lambda site, firm, anna: anna.click(custom_action_id="77"),
    "misplaced": lambda site, firm, anna: forged(anna.click(), custom_action_id=str(anna.action("contacts").id)),
    "replayed": replayed,
    "refused-by-clio": lambda site, firm, anna: anna.click(custom_action_nonce="forged"),
    "revoked": revoked,
    "not-found": answered(404),
    "no-answer": lost,
    "rate-limited": answered_late,
}


@pytest.mark.parametrize("reason", REFUSED)
def test_p9_each_refusal_is_counted_by_a_reason_that_stays_the_same(site, firm, anna, reason):
    anna.action()
    url = REFUSED[reason](site, firm, anna)
    assert clio.verify_launch(url, firm).code == reason
    assert [row.reason for row in rows(firm)] == [reason]
    assert counts(firm) == {reason: 1}


def test_p9_a_server_that_fails_is_no_answer(site, firm, anna):
    url = answered(500)(site, firm, anna)
    assert clio.verify_launch(url, firm).code == "no-answer"


def test_p9_an_old_click_is_refused_by_clio_and_one_that_came_long_ago_has_expired(site, firm, anna):
    url = anna.click()
    verdict = clio.verify_launch(url, firm, arrived=timeouts.now() - 61)
    assert (verdict.state, verdict.code) == ("expired", "expired")
    assert [row.reason for row in rows(firm)] == ["expired"]


def test_p9_one_launch_that_many_verify_at_the_same_time_is_one_row(firm, anna):
    url = anna.click()

    async def all_at_once():
        return await asyncio.gather(*(clio.aio.verify_launch(url, firm) for _ in range(8)))

    assert all(asyncio.run(all_at_once()))
    assert [row.state for row in rows(firm)] == ["verified"]


def test_p9_a_proof_that_is_cut_off_is_no_answer(firm, anna, monkeypatch):
    url = anna.click()
    clio.verify_launch(anna.click(), firm)
    begun = threading.Event()

    async def never(self):
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Confirmation, "ask", never)
    proving = loop.submit(clio.aio.verify_launch, url, firm)
    assert begun.wait(60)
    proving.cancel()
    assert [(row.state, row.reason) for row in rows(firm)] == [("verified", ""), ("unknown", "no-answer")]


def test_p9_an_attack_is_counted_and_gets_a_bounded_number_of_rows(site, firm, anna, monkeypatch):
    monkeypatch.setattr(recorder, "ROWS_AN_HOUR", 3)
    door = Guard(None, firm, KEY)
    clio.verify_launch(anna.click(), firm)  # so that her actions are known
    for number in range(30):
        at_door(door, anna.click(user_id=str(10_000 + number)))  # a new user each time
        at_door(door, anna.click(subject_url="/x"))
        at_door(door, anna.click(custom_action_nonce=f"forged {number}".replace(" ", "-"), custom_action_id="77"))
    found = rows(firm)
    assert len(found) == 1 + 3 + 3  # hers, and those of all unknown users together
    site.advance(3600)
    at_door(door, anna.click(subject_url="/x"))
    assert len(rows(firm)) == 8
    known = counts(firm)
    assert known["no-token"] == 30
    assert known["malformed"] == 31
    assert sum(known.values()) == 91


def test_p9_where_no_database_answers_launches_are_verified_and_what_was_dropped_is_a_gap(
    site, firm, anna, monkeypatch, caplog
):
    monkeypatch.setattr(recorder, "WAITING_MAX", 2)
    write, away = History.write, True
    failed = threading.Event()

    def writing(self, *arguments, **options):
        if away:
            failed.set()
            raise VaultError("it does not answer")
        return write(self, *arguments, **options)

    monkeypatch.setattr(History, "write", writing)
    with caplog.at_level(logging.WARNING, "clio_nb.ledger"):
        assert clio.verify_launch(anna.click(), firm)
        assert failed.wait(60)
        since = site.now()
        for _ in range(4):
            site.advance(60)
            assert clio.verify_launch(anna.click(), firm)
        with pytest.raises(VaultError):
            rows(firm)
    assert [record.getMessage() for record in caplog.records if "recorded" in record.getMessage()] == [
        "Launches cannot be recorded at the moment. They wait: it does not answer"
    ]
    away = False
    site.advance(60)
    kept = rows(firm)
    app = AppKey(site.origin, site.client_id)
    (gap,) = firm.vault.ledger.history.gaps(app, None, site.now())
    clicked = [since + 60 * number for number in range(5)]
    shown = [row.at.timestamp() for row in kept]
    assert set(clicked) - set(shown) == {at for at in clicked if gap.since.timestamp() <= at <= gap.until.timestamp()}
    assert len(shown) == len(set(shown)) < 5


def test_p9_what_a_process_noted_is_written_before_it_ends_and_its_mark_is_closed(site, firm, anna, vault, tmp_path):
    app = AppKey(site.origin, site.client_id)
    program = f"""
import sys
import clio_nb as clio
from clio_nb.models import App
app = App(clio.Region.US, {site.client_id!r}, clio.Secret({site.client_secret!r}), origin={site.origin!r},
          control_url={site.control_url!r})
vault = clio.Vault.open({str(tmp_path / "vault.sqlite")!r})
firm = clio.Firm(app, vault, record=True)
print(bool(clio.verify_launch(sys.argv[1], firm)))
if sys.argv[2] == "killed":
    import os
    from clio_nb.http import loop
    from clio_nb.ledger import recorder
    loop.run(recorder.flush, vault.database, firm.aio._firm_key.app)
    os._exit(1)
"""
    for how in ("ends", "killed"):
        child = subprocess.run(
            [sys.executable, "-c", program, anna.click(), how], check=False, capture_output=True, text=True
        )
        assert (child.stdout, child.stderr) == ("True\n", "")
    history = vault.ledger.history
    assert [row.state for row in history.launches(app, None, None)] == ["verified"] * 2
    with vault.database.transaction() as connection:
        closed = connection.execute(sa.select(schema.recorders.c.closed.is_(None))).scalars().all()
    assert sorted(closed) == [False, True]


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="this system has no fork")
def test_p6_a_forked_child_records_under_a_mark_of_its_own(site, firm, anna, tmp_path):
    urls = [anna.click() for _ in range(3)]
    program = f"""
import os, sys
import clio_nb as clio
from clio_nb.models import App
app = App(clio.Region.US, {site.client_id!r}, clio.Secret({site.client_secret!r}), origin={site.origin!r},
          control_url={site.control_url!r})
firm = clio.Firm(app, clio.Vault.open({str(tmp_path / "vault.sqlite")!r}), record=True)
assert clio.verify_launch(sys.argv[1], firm)
child = os.fork()
assert clio.verify_launch(sys.argv[3 if child else 2], firm)
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    done = subprocess.run([sys.executable, "-c", program, *urls], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(rows(firm)) == 3
    with firm.vault.database.transaction() as connection:
        marks = connection.execute(sa.select(schema.recorders.c.closed)).scalars().all()
    assert len([closed for closed in marks if closed is not None]) == 2


def test_s2_no_nonce_name_or_label_is_in_the_history(site, firm, anna):
    url = anna.click()
    nonce = url.rpartition("=")[2]
    clio.verify_launch(url, firm)
    clio.verify_launch(url, firm)
    clio.verify_launch(anna.click(custom_action_nonce="canary-nonce"), firm)
    rows(firm)
    with firm.vault.database.transaction() as connection:
        tables = (schema.launches, schema.refusals, schema.recorders)
        said = repr([connection.execute(sa.select(table)).all() for table in tables])
    for secret in (nonce, "canary-nonce", "Sign", TARGET, site.users[0].name, site.users[0].email):
        assert secret not in said


@pytest.mark.parametrize("record", ["yes", 1, dt.timedelta(0), dt.timedelta(days=-1), None])
def test_a_switch_that_is_none_is_refused_with_what_it_can_be(site, record):
    for make in (lambda: clio.Firm(site, record=record), lambda: clio.inbox(site, clio.Firm(site), record=record)):
        with pytest.raises(InvalidInput, match="record must be True, False, or how long") as error:
            make()
        assert error.value.field == "record"


def test_sessions_without_a_vault_cannot_be_recorded_and_are_told_so(site, anna):
    for make in (
        lambda: Guard(None, anna.session, KEY, record=True),
        lambda: clio.inbox(site, record=True),
        lambda: clio.inbox(site, [anna.session], record=True),
    ):
        with pytest.raises(InvalidInput, match="Pass a firm or VaultSessions") as error:
            make()
        assert error.value.field == "record"


def test_p9_how_long_launches_are_kept_is_what_the_switch_says(site, vault, anna):
    firm = clio.Firm(site, vault, record=dt.timedelta(days=30))
    firm.add(anna.session)
    for days in (0, 29, 2):
        site.advance(days * 86_400)
        actions_cache.clear()
        assert clio.verify_launch(anna.click(), firm)
        rows(firm)
    assert len(rows(firm)) == 2


def test_p9_launches_of_two_users_of_two_firms_are_kept_apart(site, vault, anna, ben):
    for name, person in (("a", anna), ("b", ben)):
        clio.Firm(site, vault, name=name, record=True).add(person.session)
    door = Guard(None, VaultSessions(vault, site), KEY, record=True)
    for person in (anna, ben, anna):
        assert isinstance(at_door(door, person.click()), Page)
    firm = clio.Firm(site, vault, name="a")
    assert [(row.firm, row.user_id) for row in rows(firm)] == [("a", anna.id), ("b", ben.id), ("a", anna.id)]


def test_erase_removes_what_waits_to_be_written_as_well(site, firm, anna):
    clio.verify_launch(anna.click(), firm)
    assert firm.erase(anna.id) == 1
    assert rows(firm) == []
