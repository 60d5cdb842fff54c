"""A row that cannot be read is named, with whose it is; the others go on, and nothing is guessed."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import sqlalchemy as sa

from clio_nb.database import schema
from clio_nb.database.database import Database
from clio_nb.errors import InvalidInput
from clio_nb.ledger.ledger import Ledger
from clio_nb.ledger.records import Intent, Owned, Take
from clio_nb.models import Account

from .conftest import ACCOUNT, ANNA, APP, BEN, FIRM, SIGN, begun, create, make, on_sqlite, wrote

JSON = {
    "nothing": "",
    "not JSON": "not JSON",
    "cut short": '{"label": "Si',
    "a list": "[1, 2]",
    "null": "null",
    "without a label": '{"target_url": "https://partner.example", "ui_reference": "matters/show"}',
    "a label that is a number": '{"label": 5, "target_url": "", "ui_reference": ""}',
    "nested deeply": "[" * 100_000,
}
ODD: dict[str, Any] = {"bytes": b"\xff\x00", "a number": 7.5, "a huge number": 2**62}


def damage(database: Database, table: sa.Table, column: str, value: object, where: str) -> None:
    with database.transaction(write=True) as connection:
        statement = f"UPDATE {table.name} SET {column} = :value WHERE {where}"  # noqa: S608 -- of these tests
        assert connection.execute(sa.text(statement), {"value": value}).rowcount == 1


@pytest.fixture(autouse=True)
def two_users(ledger: Ledger) -> str:
    return make(ledger, create(), create(BEN))


@pytest.mark.parametrize("what", JSON)
def test_p7_a_damaged_action_is_named_with_its_user_and_hides_nobody_elses(
    ledger: Ledger, database: Database, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    damage(database, schema.actions, "fields", JSON[what], f"user_id = {ANNA}")
    for known in (ledger.known(APP, ACCOUNT), ledger.known(APP, ACCOUNT, [ANNA, BEN])):
        assert "clio_nb_actions is damaged (action 99)" in known.of(ANNA).problem
        assert known.of(ANNA).owned == {}
        assert known.of(BEN).owned == {100: Owned(BEN, 100, "partner", "sign", SIGN)}
        assert known.of(BEN).problem == ""
        assert known.user_ids == {ANNA, BEN}
    caplog.clear()
    for owned in (ledger.owned(APP), ledger.owned(APP, ACCOUNT)):
        assert owned == [(ACCOUNT, Owned(BEN, 100, "partner", "sign", SIGN))]
    assert "Restore the database from a backup, or delete that row" in caplog.text
    assert ledger.owner_of(APP, 99) == ANNA
    begun(ledger, seen={ANNA: 2}, as_wanted=[Owned(ANNA, 99, "partner", "sign", SIGN)])
    assert ledger.known(APP, ACCOUNT).of(ANNA).problem == "", "what is found again is written anew"


@on_sqlite
@pytest.mark.parametrize("column", ["manifest", "key", "fields", "created_at", "user_id"])
@pytest.mark.parametrize("what", ODD)
def test_p7_whatever_sqlite_may_hold_in_a_column_hides_nobody_else(
    ledger: Ledger, database: Database, column: str, what: str
) -> None:
    if column == "user_id" and what == "a huge number":
        pytest.skip("that is the id of another user")
    damage(database, schema.actions, column, ODD[what], f"user_id = {ANNA}")
    known = ledger.known(APP, ACCOUNT)
    assert list(known.of(BEN).owned) == [100]
    if column == "user_id":
        assert known.of(ANNA).owned == {}
        (note,) = known.notes
        assert "clio_nb_actions is damaged (action 99)" in note
        assert ledger.owner_of(APP, 99) is None
    elif known.of(ANNA).owned == {}:
        assert "damaged" in known.of(ANNA).problem


@pytest.mark.parametrize("what", JSON)
def test_p7_a_damaged_lost_create_is_named_with_its_user(
    ledger: Ledger, database: Database, two_users: str, what: str
) -> None:
    with database.transaction(write=True) as connection:
        connection.execute(sa.update(schema.items).values(outcome="unknown"))
    damage(database, schema.items, "after", JSON[what], f"run = '{two_users}' AND number = 0")
    known = ledger.known(APP, ACCOUNT)
    assert "clio_nb_items is damaged" in known.of(ANNA).problem
    assert known.of(BEN).lost == {SIGN: ("partner", "sign")}


@pytest.mark.parametrize("what", [name for name in JSON if name != "null"])
@pytest.mark.parametrize("column", ["before", "after"])
def test_p7_a_damaged_item_is_an_entry_that_says_so_among_the_others(
    ledger: Ledger, database: Database, two_users: str, what: str, column: str
) -> None:
    damage(database, schema.items, column, JSON[what], f"run = '{two_users}' AND number = 0")
    for entries in (ledger.entries(APP, ACCOUNT), ledger.entries(APP, ACCOUNT, two_users)):
        assert [(each.number, each.user_id, each.outcome) for each in entries] == [
            (0, ANNA, "damaged"),
            (1, BEN, "done"),
        ]
        assert f"clio_nb_items is damaged (run '{two_users}', number 0)" in entries[0].message


@pytest.mark.parametrize(("column", "value"), [("kind", "sell"), ("kind", "")])
def test_p7_an_item_of_an_unknown_kind_is_damaged(
    ledger: Ledger, database: Database, two_users: str, column: str, value: str
) -> None:
    damage(database, schema.items, column, value, f"run = '{two_users}' AND number = 1")
    assert [each.outcome for each in ledger.entries(APP, ACCOUNT)] == ["done", "damaged"]


@on_sqlite
@pytest.mark.parametrize("column", ["number", "user_id", "user", "action_id", "before", "outcome", "at", "kind"])
@pytest.mark.parametrize("what", ["bytes", "a number"])
def test_p7_whatever_sqlite_may_hold_in_an_item_hides_no_other(
    ledger: Ledger, database: Database, two_users: str, column: str, what: str
) -> None:
    damage(database, schema.items, column, ODD[what], f"run = '{two_users}' AND number = 0")
    entries = ledger.entries(APP, ACCOUNT, two_users)
    assert len(entries) == 2
    assert BEN in [each.user_id for each in entries if each.outcome == "done"]
    again = ledger.begin(APP, ACCOUNT, _resumed(two_users), [create()])
    assert again[0] == two_users
    assert wrote(ledger, Take(ANNA, "a"), Intent(two_users, again[1], ANNA, "a")) == [True, True]


def _resumed(run: str) -> Any:
    from clio_nb.ledger.records import NewRun

    return NewRun("a", "partner", "plan", run=run)


@on_sqlite
@pytest.mark.parametrize("column", ["app", "purpose", "started", "finished"])
@pytest.mark.parametrize("what", ["bytes"])
def test_p7_a_damaged_run_is_named_and_the_others_are_listed(
    ledger: Ledger, database: Database, two_users: str, column: str, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = make(ledger, create(key="other"), first=200)
    damage(database, schema.runs, column, ODD[what], f"run = '{two_users}'")
    assert [run.run for run in ledger.runs(APP, ACCOUNT)] == [other]
    assert f"clio_nb_runs is damaged (run '{two_users}')" in caplog.text
    with pytest.raises(InvalidInput, match=f"Its latest runs: {other}"):
        ledger.run(APP, ACCOUNT, two_users)
    assert list(ledger.known(APP, ACCOUNT).of(BEN).owned) == [100]


@on_sqlite
@pytest.mark.parametrize("column", ["lease_until", "lease_owner", "writes", "account_id"])
@pytest.mark.parametrize("what", [*ODD, "text"])
def test_p7_a_damaged_user_can_be_written_for_again_once_her_lease_cannot_be_anybodys(
    ledger: Ledger, database: Database, column: str, what: str
) -> None:
    value = ODD.get(what, "text")
    damage(database, schema.users, column, value, f"user_id = {ANNA}")
    before = ledger.known(APP, ACCOUNT, [ANNA, BEN])
    assert before.of(BEN).writes == 2
    run = begun(ledger, create())
    assert wrote(ledger, Take(ANNA, "a"), Intent(run, 0, ANNA, "a")) == [True, True]
    assert ledger.known(APP, ACCOUNT, [ANNA]).of(ANNA).writes != before.of(ANNA).writes


@on_sqlite
@pytest.mark.parametrize("column", ["account_id", "name"])
@pytest.mark.parametrize("what", ["bytes", "a number"])
def test_p7_a_damaged_firm_is_learned_again(ledger: Ledger, database: Database, column: str, what: str) -> None:
    ledger.learn_firm(FIRM, Account(ACCOUNT, "Demo"))
    damage(database, schema.firms, column, ODD[what], "firm = 'default'")
    assert ledger.firm_id(FIRM) in (None, ACCOUNT)
    ledger.learn_firm(FIRM, Account(ACCOUNT, "Demo"))
    assert ledger.firm_id(FIRM) == ACCOUNT


@on_sqlite
@pytest.mark.parametrize("what", [*ODD, "text"])
def test_p7_a_damaged_claim_stays_claimed(ledger: Ledger, database: Database, what: str) -> None:
    assert ledger.claim("nonce", b"digest", 60)
    value = ODD.get(what, "text") if what != "a number" else 2.0**70
    damage(database, schema.claims, "until", value, "kind = 'nonce'")
    assert not ledger.claim("nonce", b"digest", 60)
    assert ledger.claim("nonce", b"another", 60)


@on_sqlite
@pytest.mark.parametrize("what", ODD)
def test_p7_a_damaged_pair_of_what_clio_keeps_is_left_out(ledger: Ledger, database: Database, what: str) -> None:
    with database.transaction(write=True) as connection:
        rows = [{"site": "us", "digest": digest, "asked": digest, "kept": "x"} for digest in "ab"]
        connection.execute(sa.insert(schema.kept), rows)
    damage(database, schema.kept, "asked", ODD[what], "digest = 'a'")
    assert ("b", "x") in ledger.known(APP, ACCOUNT).kept
