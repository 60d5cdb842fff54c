"""The history of launches in a database: nothing is there twice, old rows go, and what may be missing shows."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from clio_nb.database import schema
from clio_nb.database.database import Database
from clio_nb.database.firm_key import AppKey
from clio_nb.ledger import history
from clio_nb.ledger.launches import BEAT, Gap, Group, LaunchRow, Process
from clio_nb.ledger.ledger import Ledger
from clio_nb.ledger.people import keep_people, people
from clio_nb.models import App, Token, User
from clio_nb.secret import Secret
from clio_nb.vault import Vault
from clio_nb.vocabulary import Region

from .conftest import ACCOUNT, ANNA, APP, BEN, address, change, create, make, shared

NOW = 1_768_496_400.0
DAY = 86_400.0


def row(at: float = NOW, user_id: int | None = ANNA, firm: str = "default", reason: str = "") -> LaunchRow:
    return LaunchRow(
        at=dt.datetime.fromtimestamp(at, dt.UTC),
        firm=firm,
        state="refused" if reason else "verified",
        reason=reason,
        milliseconds=7,
        user_id=user_id,
        action_id=99,
        location="matters/show",
        record_id=5,
    )


def process(name: str = "first", app: AppKey = APP) -> Process:
    return Process(name, app, NOW)


def write(
    ledger: Ledger, by: Process, *rows: LaunchRow, now: float = NOW, keep: float = 400 * DAY, **more: object
) -> None:
    counts = Counter((int(each.at.timestamp() // 60), each.firm, each.reason) for each in rows if each.reason)
    closing = bool(more.pop("closing", False))
    ledger.history.write(by, Group(list(rows), counts, **more), now, keep, closing=closing)  # type: ignore[arg-type]


def test_p9_a_group_whose_commit_was_not_heard_of_is_there_once(ledger: Ledger) -> None:
    by = process()
    for _ in range(2):
        for number in (0, 1):
            by.groups, by.rows = number, 2 * number
            write(ledger, by, row(), row(reason="replayed"))
    assert len(ledger.history.launches(APP, None, None)) == 4
    assert [each.launches for each in ledger.history.refusals(APP, None, None)] == [2]


def test_p9_processes_that_count_the_same_refusals_at_once_lose_none(ledger: Ledger) -> None:
    reasons = ["replayed", "no-token", "expired", "malformed"]

    def work(number: int) -> None:
        by = process(f"process {number}")
        for _ in range(5):
            write(ledger, by, *(row(reason=each) for each in (reasons if number % 2 else reasons[::-1])))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert {each.reason: each.launches for each in ledger.history.refusals(APP, None, None)} == dict.fromkeys(
        reasons, 20
    )
    assert len(ledger.history.launches(APP, None, None)) == 80


@pytest.mark.parametrize("days", [(400, 7), (7, 400), (400, 400), (800, 400)])
def test_p9_each_launch_is_kept_as_long_as_was_said_when_it_was_recorded_whoever_writes_next(
    ledger: Ledger, days: tuple[int, int]
) -> None:
    for number, kept in enumerate(days):
        by = process(f"process {number}")
        write(ledger, by, row(reason="replayed")._replace(firm=f"firm {number}"), keep=kept * DAY)
    for later in (6, 10, 399, 410):
        for number, kept in enumerate(days):
            by = process(f"process {later} {number}")
            write(ledger, by, now=NOW + later * DAY, keep=kept * DAY)
        there = {each.firm for each in ledger.history.launches(APP, None, None)}
        assert there == {f"firm {number}" for number, kept in enumerate(days) if kept > later}
        assert {each.firm for each in ledger.history.refusals(APP, None, None)} == there


def test_p9_what_is_older_goes_in_bounded_batches_when_new_rows_come(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "FORGOTTEN", 3)
    by = process()
    old = [row(NOW - 401 * DAY + number * 60, reason="replayed") for number in range(5)]
    write(ledger, by, *old, now=NOW - 401 * DAY)
    write(ledger, process("of another app", AppKey("eu", "app-1")), *old, now=NOW - 401 * DAY)
    left = []
    for _ in range(3):
        write(ledger, by, row())
        left.append((len(ledger.history.launches(APP, None, None)), len(ledger.history.refusals(APP, None, None))))
    assert left == [(3, 2), (2, 0), (3, 0)]
    assert len(ledger.history.launches(AppKey("eu", "app-1"), None, None)) == 5


def test_a_row_gets_the_key_of_its_action_and_the_firm_of_its_user_where_both_are_known(
    ledger: Ledger, database: Database
) -> None:
    make(ledger, create())
    vault = Vault(database)
    site = App(Region.US, "app-1", Secret("hush"))
    vault.keep(site, User(id=ANNA), Token(access=Secret("kept")), firm="hers")
    for firm in ("one", "two"):
        vault.keep(site, User(id=BEN), Token(access=Secret("kept")), firm=firm)
    write(ledger, process(), row(firm=""), row(firm="", user_id=BEN), row(firm="", user_id=None))
    rows = ledger.history.launches(APP, None, None)
    assert [(each.user_id, each.firm, each.key) for each in rows] == [
        (ANNA, "hers", "sign"),
        (BEN, "", None),
        (None, "", None),
    ]
    assert [each.user_id for each in ledger.history.launches(APP, {"one"}, None)] == [BEN, None]


def test_p9_a_killed_process_and_a_database_that_was_away_show_as_gaps_and_a_closed_process_does_not(
    ledger: Ledger,
) -> None:
    write(ledger, process("closed"), row(), closing=True)
    write(ledger, process("killed"), row(), now=NOW + 10)
    write(ledger, process("alive"), row(), now=NOW + 3600)
    write(ledger, process("without"), row(), now=NOW + 3600, lost_since=NOW + 1800, closing=True)
    gaps = ledger.history.gaps(APP, None, NOW + 3600)
    at = [(each.since.timestamp() - NOW, each.until.timestamp() - NOW) for each in gaps]
    assert at == [(10, 10 + BEAT), (1800, 3600)]
    assert ledger.history.gaps(APP, dt.datetime.fromtimestamp(NOW + 100, dt.UTC), NOW + 3600) == [gaps[1]]
    assert isinstance(gaps[0], Gap)
    assert ledger.history.gaps(AppKey("eu", "app-1"), None, NOW + 3600) == []


def test_s10_erasing_a_user_removes_launches_and_names_and_keeps_what_is_needed_to_remove_her_actions(
    ledger: Ledger, database: Database
) -> None:
    run = make(ledger, create())
    with database.transaction(write=True) as connection:
        connection.execute(sa.update(schema.items).values(message="Anna Wilde: no answer"))
    keep_people(database, APP, ACCOUNT, [User(id=ANNA, name="Anna Wilde"), User(id=BEN, name="Ben")])
    write(ledger, process(), row(), row(reason="replayed"), row(user_id=BEN))
    assert ledger.history.erase(APP, ACCOUNT, ANNA) == 2
    assert [each.user_id for each in ledger.history.launches(APP, None, None)] == [BEN]
    assert [user.id for user in people(database, APP, ACCOUNT)] == [BEN]
    (entry,) = ledger.entries(APP, ACCOUNT, run)
    assert (entry.user_id, entry.user, entry.message) == (ANNA, "", "")
    assert ledger.owner_of(APP, 99) == ANNA
    assert [each.launches for each in ledger.history.refusals(APP, None, None)] == [1]
    with database.transaction() as connection:
        for table in schema.meta.sorted_tables:
            assert "Wilde" not in repr(connection.execute(sa.select(table)).all())


@pytest.mark.parametrize("where", ["memory", "sqlite"], indirect=True)  # PostgreSQL takes no such value
@pytest.mark.parametrize(("column", "value"), [("at", "soon"), ("user_id", "me"), ("milliseconds", "x"), ("at", 1e300)])
def test_p7_a_damaged_row_of_the_history_is_left_out_and_the_others_are_read(
    ledger: Ledger, database: Database, column: str, value: object
) -> None:
    write(ledger, process(), row())
    change(database, schema.launches, column, value)
    write(ledger, process("next"), row(user_id=BEN))
    assert [each.user_id for each in ledger.history.launches(APP, None, None)] == [BEN]


@shared
@pytest.mark.parametrize("statement", ["clio_nb_recorders", "clio_nb_launches", "clio_nb_refusals", "DELETE"])
def test_p9_a_process_killed_in_the_middle_of_a_flush_leaves_the_group_out_or_whole(
    where: Path | Secret, statement: str
) -> None:
    program = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import sqlalchemy as sa
from tests.ledger.test_history import *
from tests.ledger.conftest import place_at
ledger, by = Ledger(Database(place_at(sys.argv[1]))), process("killed")
write(ledger, by, row(), row(reason="replayed"))
def killing(connection, cursor, statement, *rest):
    if {statement!r} in statement and not statement.startswith("SELECT"):
        os.kill(os.getpid(), signal.SIGKILL)
sa.event.listen(sa.Engine, "after_cursor_execute", killing)
write(ledger, by, row(), row(reason="replayed"))
"""
    killed = subprocess.run(
        [sys.executable, "-c", program, address(where)], check=False, capture_output=True, text=True
    )
    assert killed.returncode == -9, killed.stderr
    database = Database(where)
    ledger = Ledger(database)
    assert len(ledger.history.launches(APP, None, None)) == 2
    assert [each.launches for each in ledger.history.refusals(APP, None, None)] == [1]
    assert [each.process for each in ledger.history.gaps(APP, None, NOW + 3600)] == ["killed"]
    database.close()
