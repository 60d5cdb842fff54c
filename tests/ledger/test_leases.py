"""Who may write for a user: by a lease of each, on the database's clock, before every request."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
import sqlalchemy as sa

from clio_nb.database import schema
from clio_nb.database.database import Database
from clio_nb.errors import VaultError
from clio_nb.http import loop, timeouts
from clio_nb.http.network import DEADLINE
from clio_nb.ledger import heartbeat
from clio_nb.ledger._statements import LEASE, MARGIN
from clio_nb.ledger.heartbeat import lease_owner
from clio_nb.ledger.ledger import Ledger
from clio_nb.ledger.records import Ended, Intent, Outcome, Release, Take

from .conftest import ACCOUNT, ANNA, APP, BEN, action, begun, change, create, shared, wrote


def ends_in(database: Database, seconds: float) -> None:
    """Let all leases end so many seconds from now."""
    with database.transaction(write=True) as connection:
        now = connection.execute(sa.select(database.now())).scalar_one()
    change(database, schema.users, "lease_until", now + seconds)


def left(database: Database) -> float:
    """Return for how many seconds the one lease goes on."""
    with database.transaction() as connection:
        return float(connection.execute(sa.select(schema.users.c.lease_until - database.now())).scalar_one())


@pytest.fixture
def run(ledger: Ledger) -> str:
    return begun(ledger, create(), create(key="two"), create(BEN))


def test_one_owner_at_a_time_has_a_user(ledger: Ledger) -> None:
    assert wrote(ledger, Take(ANNA, "a"), Take(ANNA, "b"), Take(BEN, "b"), Take(ANNA, "a")) == [True, False, True, True]
    assert wrote(ledger, Release(ANNA, "b"), Take(ANNA, "b")) == [False, False]
    assert wrote(ledger, Release(ANNA, "a"), Take(ANNA, "b"), Take(ANNA, "a")) == [True, True, False]


def test_a_lease_that_is_over_is_taken_and_counts_as_a_write_since_its_owner_may_have_been_cut_off(
    ledger: Ledger, database: Database
) -> None:
    wrote(ledger, Take(ANNA, "crashed"))
    ends_in(database, 1)
    assert wrote(ledger, Take(ANNA, "b")) == [False]
    ends_in(database, -0.01)
    before = ledger.known(APP, ACCOUNT, [ANNA]).of(ANNA).writes
    assert wrote(ledger, Take(ANNA, "b"), Take(ANNA, "crashed")) == [True, False]
    assert ledger.known(APP, ACCOUNT, [ANNA]).of(ANNA).writes == before + 1


def test_p2_an_intent_needs_a_lease_that_outlives_the_request(ledger: Ledger, database: Database, run: str) -> None:
    intent = Intent(run, 0, ANNA, "a")
    assert wrote(ledger, intent) == [False]
    assert wrote(ledger, Take(ANNA, "a"), intent) == [True, True]
    ends_in(database, DEADLINE + MARGIN + 5)
    assert wrote(ledger, intent) == [True]
    for seconds in (DEADLINE + MARGIN - 1, 1, 0, -1, -1000):
        ends_in(database, seconds)
        assert wrote(ledger, intent) == [False]
    assert wrote(ledger, Take(ANNA, "a"), intent) == [True, True]
    assert DEADLINE + MARGIN < LEASE


@pytest.mark.parametrize("how", ["another owner", "no owner", "over", "damaged"])
def test_p2_a_lease_that_is_taken_away_makes_the_next_intent_and_outcome_false(
    ledger: Ledger, database: Database, run: str, how: str
) -> None:
    assert wrote(ledger, Take(ANNA, "a"), Intent(run, 0, ANNA, "a")) == [True, True]
    if how == "over":
        ends_in(database, 0)
    elif how == "damaged":
        change(database, schema.users, "lease_until", 1e300)
    else:
        change(database, schema.users, "lease_owner", "b" if how == "another owner" else "")
    before = ledger.known(APP, ACCOUNT, [ANNA]).of(ANNA)
    assert wrote(ledger, Intent(run, 1, ANNA, "a")) == [False]
    assert ledger.known(APP, ACCOUNT, [ANNA]).of(ANNA) == before
    done = Ended(run, 0, ANNA, "a", Outcome.DONE, "", create(), action())
    still_ours = how in ("over", "damaged")  # nobody else wrote for her: what came of the request can be noted
    assert wrote(ledger, done) == [still_ours]
    assert bool(ledger.known(APP, ACCOUNT).of(ANNA).owned) == still_ours
    assert bool(ledger.known(APP, ACCOUNT).of(ANNA).lost) != still_ours


def test_an_intent_is_of_this_runs_item_and_user_and_still_open(ledger: Ledger, run: str) -> None:
    other = begun(ledger, create(key="other"))
    wrote(ledger, Take(ANNA, "a"), Take(BEN, "a"))
    assert (
        wrote(ledger, Intent(run, 2, ANNA, "a"), Intent(run, 7, ANNA, "a"), Intent("none", 0, ANNA, "a")) == [False] * 3
    )
    done = Ended(run, 0, ANNA, "a", Outcome.DONE, "", create(), action())
    assert wrote(ledger, done) == [False], "it was never sent"
    assert wrote(ledger, Intent(run, 0, ANNA, "a"), Intent(run, 0, ANNA, "a"), done) == [True] * 3
    assert wrote(ledger, Intent(run, 0, ANNA, "a")) == [False], "it has ended"
    assert wrote(ledger, Intent(other, 0, ANNA, "a")) == [True]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_an_outcome_can_be_written_again_after_an_answer_that_did_not_arrive(
    ledger: Ledger, run: str, outcome: Outcome
) -> None:
    ended = Ended(run, 0, ANNA, "a", outcome)
    other = Ended(run, 0, ANNA, "a", Outcome.FAILED if outcome is not Outcome.FAILED else Outcome.DONE)
    assert wrote(ledger, Take(ANNA, "a"), Intent(run, 0, ANNA, "a")) == [True, True]
    assert wrote(ledger, ended) == [True]
    assert wrote(ledger, ended, other) == [True, False]
    assert ledger.entries(APP, ACCOUNT)[0].outcome == outcome.value


@pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, Outcome.CONFLICT, Outcome.FAILED])
def test_what_was_never_sent_can_end_without_a_lease(ledger: Ledger, run: str, outcome: Outcome) -> None:
    wrote(ledger, Take(ANNA, "somebody"))
    ended = Ended(run, 0, ANNA, "a", outcome, "another run is changing this user")
    assert wrote(ledger, ended) == [True]
    assert ledger.known(APP, ACCOUNT, [ANNA]).of(ANNA).writes == 0
    assert [each.outcome for each in ledger.entries(APP, ACCOUNT)] == [outcome.value, "planned", "planned"]


def test_p2_an_intent_whose_note_took_too_long_is_not_sent(
    ledger: Ledger, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database may hang between the condition and the answer: the lease goes on meanwhile, and may end."""
    wrote(ledger, Take(ANNA, "a"))
    hours = itertools.count(0, 3600)
    monkeypatch.setattr(timeouts, "now", lambda: float(next(hours)))
    assert wrote(ledger, Take(BEN, "a"), Intent(run, 0, ANNA, "a")) == [True, False]


def test_p2_the_heartbeat_extends_the_leases_of_its_owners_alone(ledger: Ledger, database: Database) -> None:
    wrote(ledger, Take(ANNA, "a"), Take(BEN, "b"))
    ends_in(database, 20)
    ledger.extend(["a", "nobody"])
    with database.transaction() as connection:
        rows = connection.execute(sa.select(schema.users.c.user_id, schema.users.c.lease_until)).all()
        until = {user_id: until for user_id, until in rows}  # noqa: C416 -- mypy takes a row for no pair
    assert until[ANNA] - until[BEN] == pytest.approx(LEASE - 20, abs=15)
    ledger.extend([])


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[frozenset[str]]]:
    """Each beat of the heart at once; what it extended."""
    monkeypatch.setattr(heartbeat, "BEAT", 0)
    told: list[frozenset[str]] = []
    extend, at_work = Ledger.extend, threading.Lock()

    def noted(ledger: Ledger, owners: frozenset[str]) -> None:
        with at_work:
            told.append(owners)
            extend(ledger, owners)

    monkeypatch.setattr(Ledger, "extend", noted)
    yield told
    with at_work:  # the last beat may still be on its way when its run has ended
        pass
    assert not heartbeat._hearts or not any(heart.task for heart in heartbeat._hearts.values())


async def beating(hearts: int) -> None:
    """Wait until so many hearts beat: one that has been stopped may be at its last beat, in a thread."""
    with anyio.fail_after(60):
        while sum("beat" in str(task) for task in asyncio.all_tasks()) != hearts:  # noqa: ASYNC110 -- it ends by itself
            await asyncio.sleep(0.001)


async def until(told: list[frozenset[str]], *owners: str) -> None:
    """Wait for a beat for just these."""
    told.clear()
    while frozenset(owners) not in told:  # noqa: ASYNC110 -- it is told by a thread
        await asyncio.sleep(0.001)


def test_p2_one_heartbeat_a_process_and_database_as_long_as_any_run_needs_it(
    ledger: Ledger, database: Database, beats: list[frozenset[str]]
) -> None:
    async def two_runs() -> None:
        with lease_owner(ledger) as one:
            wrote(ledger, Take(ANNA, one))
            ends_in(database, 20)
            await until(beats, one)
            assert left(database) > DEADLINE + MARGIN
            with lease_owner(Ledger(database)) as two:
                assert one != two
                await until(beats, one, two)
                await beating(1)
            await until(beats, one)
        await beating(0)

    loop.run(two_runs)


def test_p2_a_heartbeat_goes_on_after_the_database_was_gone(
    ledger: Ledger, beats: list[frozenset[str]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    noted, gone = Ledger.extend, iter([True, True, False])

    def extend(ledger: Ledger, owners: frozenset[str]) -> None:
        if next(gone, False):
            raise VaultError("it does not answer")
        noted(ledger, owners)

    monkeypatch.setattr(Ledger, "extend", extend)

    async def one_run() -> None:
        with lease_owner(ledger) as one:
            await until(beats, one)

    loop.run(one_run)
    assert caplog.text.count("could not be extended") == 2


def test_threads_that_take_a_user_at_once_get_her_one_at_a_time(ledger: Ledger) -> None:
    begin = threading.Barrier(8)

    def one(number: int) -> bool:
        begin.wait()
        return wrote(ledger, Take(ANNA, str(number)))[0]

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(one, range(8))) == 1


def test_threads_that_claim_at_once_get_it_once(ledger: Ledger) -> None:
    begin = threading.Barrier(8)

    def one(_: int) -> bool:
        begin.wait()
        return ledger.claim("nonce", b"digest", 60)

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(one, range(8))) == 1


@shared
def test_writers_whose_users_come_in_any_order_never_wait_in_a_circle(ledger: Ledger, database: Database) -> None:
    """Group commits of several processes and the heartbeat lock the same rows: in the same order."""
    users = list(range(1, 40))
    failed: list[VaultError] = []
    others = [Ledger(Database(database._where)) for _ in range(3)]

    def work(number: int) -> None:
        mine = others[number] if number < 3 else ledger
        try:
            for turn in range(15):
                if number == 3:
                    mine.extend(["0", "1", "2"])
                else:
                    order = users[turn:] + users[:turn] if number else users[::-1]
                    wrote(mine, *(Take(user_id, str(number)) for user_id in order))
                    wrote(mine, *(Release(user_id, str(number)) for user_id in order))
        except VaultError as error:
            failed.append(error)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert not failed
    for other in others:
        other.database.close()


def test_the_clock_of_the_database_is_about_now(database: Database) -> None:
    with database.transaction() as connection:
        assert connection.execute(sa.select(database.now())).scalar_one() == pytest.approx(time.time(), abs=60)
