"""What was done and what is ours, in memory, SQLite and PostgreSQL alike."""

from __future__ import annotations

import datetime as dt
import time

import pytest
import sqlalchemy as sa

from clio_nb.database import schema
from clio_nb.database.database import Database
from clio_nb.database.firm_key import AppKey, FirmKey
from clio_nb.errors import InvalidInput
from clio_nb.firm.item import Item
from clio_nb.ledger.ledger import Ledger
from clio_nb.ledger.records import ActionFields, Ended, Intent, Kind, NewRun, Outcome, Owned, Release, Take
from clio_nb.models import Account

from .conftest import ACCOUNT, ANNA, APP, BEN, FIRM, OTHER_ACCOUNT, SIGN, action, begun, create, make, wrote


def test_a_firm_is_clios_account_learned_once_by_whichever_name(ledger: Ledger) -> None:
    assert ledger.firm_id(FIRM) is None
    ledger.learn_firm(FIRM, Account(ACCOUNT, "Demo LLP"))
    ledger.learn_firm(FIRM._replace(firm="staging"), Account(ACCOUNT, "Demo LLP"))
    assert [ledger.firm_id(FIRM._replace(firm=name)) for name in ("default", "staging", "other")] == [5, 5, None]
    ledger.learn_firm(FIRM, Account(OTHER_ACCOUNT))
    assert ledger.firm_id(FIRM) == OTHER_ACCOUNT


def test_what_is_known_of_a_firm_already_is_not_written_again(ledger: Ledger, database: Database) -> None:
    ledger.learn_firm(FIRM, Account(ACCOUNT, "Demo LLP"))
    written: list[bool] = []
    assert database._engine is not None
    sa.event.listen(database._engine, "begin", lambda one: written.append(one.get_execution_options()["clio_nb_write"]))
    ledger.learn_firm(FIRM, Account(ACCOUNT, "Demo LLP"))
    assert True not in written
    assert written


def test_a_run_and_its_entries_come_back_whole(ledger: Ledger) -> None:
    old = ActionFields("Old", "https://old.example/", "contacts/show")
    items = [
        create(),
        Item(kind=Kind.UPDATE, user_id=BEN, user="Ben", key="b", action_id=3, before=old, after=SIGN),
        Item(kind=Kind.DELETE, user_id=BEN, key="c", action_id=4, before=old),
    ]
    about = NewRun("a", "partner", "undo", "staging", allow_delete=True, manifest='[app]\nname = "partner"\n')
    name, first = ledger.begin(APP, ACCOUNT, about, items)
    assert first == 0
    (run,) = ledger.runs(APP, ACCOUNT)
    assert run == ledger.run(APP, ACCOUNT, name)
    assert run[:6] == (name, "partner", "undo", "staging", True, '[app]\nname = "partner"\n')
    assert run.finished is None
    entries = ledger.entries(APP, ACCOUNT)
    assert [(each.run, each.number, each.outcome, each.message, each.at) for each in entries] == [
        (name, number, "planned", "", None) for number in range(3)
    ]
    assert [each[2:9] for each in entries] == [
        (ANNA, "User 7", Kind.CREATE, "sign", None, None, SIGN),
        (BEN, "Ben", Kind.UPDATE, "b", 3, old, SIGN),
        (BEN, "", Kind.DELETE, "c", 4, old, None),
    ]
    ledger.finish(name)
    now = dt.datetime.now(dt.UTC)
    finished = ledger.run(APP, ACCOUNT, name).finished
    assert finished is not None
    assert abs(finished - now) < dt.timedelta(minutes=5)


def test_firms_apps_and_regions_of_one_database_are_apart(ledger: Ledger) -> None:
    make(ledger, create())
    make(ledger, create(BEN), first=200, account=OTHER_ACCOUNT)
    (mine,) = ledger.runs(APP, ACCOUNT)
    (theirs,) = ledger.runs(APP, OTHER_ACCOUNT)
    assert [each.user_id for each in ledger.entries(APP, ACCOUNT)] == [ANNA]
    assert ledger.entries(APP, ACCOUNT, theirs.run) == []
    with pytest.raises(InvalidInput, match=f"no run.*Its latest runs: {mine.run}"):
        ledger.run(APP, ACCOUNT, theirs.run)
    assert ledger.known(APP, ACCOUNT).user_ids == {ANNA}
    assert ledger.known(APP, OTHER_ACCOUNT).user_ids == {BEN}
    for other in (AppKey("eu", "app-1"), AppKey("us", "app-2")):
        assert ledger.runs(other, ACCOUNT) == ledger.entries(other, ACCOUNT) == []
        assert not ledger.known(other, ACCOUNT).user_ids | ledger.known(other, ACCOUNT, [ANNA]).user_ids
        assert ledger.known(other, ACCOUNT, [ANNA]).of(ANNA).writes == 0
        assert ledger.owner_of(other, 99) is None
        ledger.write(other, [Take(ANNA, "b")])
    assert wrote(ledger, Take(ANNA, "a")) == [True]
    assert ledger.owner_of(APP, 99) == ANNA


def test_what_was_made_is_ours_with_its_manifest_and_key(ledger: Ledger) -> None:
    made = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    run, item = begun(ledger, create()), create()
    done = Ended(run, 0, ANNA, "a", Outcome.DONE, "", item, action(created_at=made))
    assert wrote(ledger, Take(ANNA, "a"), Intent(run, 0, ANNA, "a"), done) == [True] * 3
    expected = {99: Owned(ANNA, 99, "partner", "sign", SIGN, made)}
    assert ledger.known(APP, ACCOUNT).of(ANNA).owned == expected
    assert ledger.known(APP, OTHER_ACCOUNT, [ANNA, BEN]).of(ANNA).owned == expected
    assert ledger.owner_of(APP, 99) == ANNA
    (entry,) = ledger.entries(APP, ACCOUNT)
    assert (entry.outcome, entry.action_id) == ("done", 99)
    assert entry.at is not None


def test_what_was_deleted_is_ours_no_more(ledger: Ledger) -> None:
    make(ledger, create())
    item = Item(kind=Kind.DELETE, user_id=ANNA, key="sign", action_id=99, before=SIGN)
    run = begun(ledger, item)
    gone = Ended(run, 0, ANNA, "a", Outcome.DONE, "", item)
    assert all(wrote(ledger, Take(ANNA, "a"), Intent(run, 0, ANNA, "a"), gone))
    assert ledger.known(APP, ACCOUNT).of(ANNA).owned == {}
    assert ledger.owner_of(APP, 99) is None


def test_a_create_without_an_answer_is_lost_until_a_newer_plan_has_read_the_user(ledger: Ledger) -> None:
    run = begun(ledger, create())
    wrote(ledger, Take(ANNA, "a"), Intent(run, 0, ANNA, "a"))
    assert ledger.known(APP, ACCOUNT).of(ANNA).lost == {SIGN: ("partner", "sign")}
    wrote(ledger, Ended(run, 0, ANNA, "a", Outcome.UNKNOWN, "no answer"), Release(ANNA, "a"))
    known = ledger.known(APP, ACCOUNT).of(ANNA)
    assert known.lost == {SIGN: ("partner", "sign")}
    begun(ledger, owner="b", seen={ANNA: known.writes}, as_wanted=[Owned(ANNA, 99, "partner", "sign", SIGN)])
    known = ledger.known(APP, ACCOUNT).of(ANNA)
    assert (known.lost, list(known.owned)) == ({}, [99])


@pytest.mark.parametrize("when", ["sent", "ended", "taken over"])
def test_a_plan_neither_settles_nor_adopts_for_a_user_who_was_written_since(ledger: Ledger, when: str) -> None:
    """Otherwise a list that was read before a request of another run landed would hide what that request made."""
    run = begun(ledger, create())
    before = ledger.known(APP, ACCOUNT).of(ANNA)
    wrote(ledger, Take(ANNA, "a"), Intent(run, 0, ANNA, "a"))
    if when != "sent":
        wrote(ledger, Ended(run, 0, ANNA, "a", Outcome.UNKNOWN), *([Release(ANNA, "a")] if when == "ended" else []))
    found = [Owned(ANNA, 99, "partner", "sign", SIGN)]
    begun(ledger, owner="b", seen={ANNA: before.writes}, as_wanted=found, differing=found)
    known = ledger.known(APP, ACCOUNT).of(ANNA)
    assert (known.lost, known.owned) == ({SIGN: ("partner", "sign")}, {})


def test_a_plan_that_saw_the_last_write_neither_settles_nor_adopts_while_another_owner_has_the_lease(
    ledger: Ledger,
) -> None:
    run = begun(ledger, create())
    wrote(ledger, Take(ANNA, "a"), Intent(run, 0, ANNA, "a"))
    seen = {ANNA: ledger.known(APP, ACCOUNT).of(ANNA).writes}
    begun(ledger, owner="b", seen=seen, as_wanted=[Owned(ANNA, 99, "partner", "sign", SIGN)])
    assert ledger.known(APP, ACCOUNT).of(ANNA).lost
    assert not ledger.known(APP, ACCOUNT).of(ANNA).owned
    begun(ledger, owner="a", seen=seen)
    assert not ledger.known(APP, ACCOUNT).of(ANNA).lost


def test_everything_written_for_a_user_is_counted_and_what_is_not_sent_is_not_lost(ledger: Ledger) -> None:
    def writes() -> int:
        known = {ledger.known(APP, ACCOUNT, [ANNA]).of(ANNA).writes, ledger.known(APP, ACCOUNT).of(ANNA).writes}
        assert len(known) == 1
        return known.pop()

    run = begun(ledger, create())
    assert wrote(ledger, Take(ANNA, "a")) == [True]
    assert writes() == 0
    assert wrote(ledger, Intent(run, 0, ANNA, "a")) == [True]
    assert writes() == 1
    assert wrote(ledger, Ended(run, 0, ANNA, "a", Outcome.NOT_SENT, "no connection")) == [True]
    assert writes() == 2
    assert not ledger.known(APP, ACCOUNT).of(ANNA).lost
    (entry,) = ledger.entries(APP, ACCOUNT)
    assert (entry.outcome, entry.message, entry.at) == ("not sent", "no connection", None)


def test_what_differs_keeps_the_fields_that_we_gave_it_unless_its_id_came_to_another_action(ledger: Ledger) -> None:
    then, now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 2, 2, tzinfo=dt.UTC)
    by_hand = ActionFields("Renamed by hand", *(SIGN.target_url, SIGN.ui_reference))
    ours = Owned(ANNA, 99, "partner", "sign", SIGN, then)
    begun(ledger, seen={ANNA: 0}, as_wanted=[ours])
    begun(ledger, seen={ANNA: 0}, differing=[ours._replace(fields=by_hand)])
    assert ledger.known(APP, ACCOUNT).of(ANNA).owned == {99: ours}
    begun(ledger, seen={ANNA: 0}, differing=[ours._replace(fields=by_hand, created_at=now)])
    assert ledger.known(APP, ACCOUNT).of(ANNA).owned == {99: ours._replace(fields=by_hand, created_at=now)}
    begun(ledger, seen={ANNA: 0}, as_wanted=[ours])
    assert ledger.known(APP, ACCOUNT).of(ANNA).owned == {99: ours}


def test_what_clio_keeps_differently_is_known_of_the_whole_site(ledger: Ledger) -> None:
    sent = ActionFields("Two  spaces", "https://partner.example", "matters/show")
    item, stored = create(fields=sent), ActionFields("Two spaces", "https://partner.example/", "matters/show")
    run = begun(ledger, item)
    for _ in range(2):  # the second time after an answer that did not arrive
        done = Ended(run, 0, ANNA, "a", Outcome.DONE, "", item, action(fields=stored))
        assert all(wrote(ledger, Take(ANNA, "a"), Intent(run, 0, ANNA, "a"), done)[::2])
    expected = {("Two  spaces", "Two spaces"), ("https://partner.example", "https://partner.example/")}
    assert ledger.known(APP, OTHER_ACCOUNT).kept == expected
    assert ledger.known(AppKey("us", "app-2"), OTHER_ACCOUNT, []).kept == expected
    assert not ledger.known(AppKey("eu", "app-1"), ACCOUNT).kept


def test_a_resumed_run_replaces_what_was_not_sent_and_numbers_on(ledger: Ledger) -> None:
    run = begun(ledger, create(), create(key="two"), create(BEN))
    wrote(ledger, Take(ANNA, "a"), Intent(run, 0, ANNA, "a"))
    again = ledger.begin(APP, ACCOUNT, NewRun("b", "partner", "plan", run=run), [create(BEN), create(key="two")])
    assert again == (run, 1)
    assert [(each.number, each.user_id, each.outcome) for each in ledger.entries(APP, ACCOUNT, run)] == [
        (0, ANNA, "sent"),
        (1, BEN, "planned"),
        (2, ANNA, "planned"),
    ]
    assert len(ledger.runs(APP, ACCOUNT)) == 1


def test_runs_come_in_the_order_in_which_they_began(ledger: Ledger, database: Database) -> None:
    names = [begun(ledger, create()) for _ in range(5)]
    with database.transaction(write=True) as connection:
        for ago, name in enumerate(names):
            connection.execute(
                sa.text("UPDATE clio_nb_runs SET started = started - :ago WHERE run = :name").bindparams(
                    ago=ago * 60, name=name
                )
            )
    names.reverse()
    assert [run.run for run in ledger.runs(APP, ACCOUNT)] == names
    assert list(dict.fromkeys(each.run for each in ledger.entries(APP, ACCOUNT))) == names


@pytest.mark.parametrize("odd", ["nul \0", "half \ud800", "a" * 70_000, "\U0001f600", "'; DROP TABLE x; --", ""])
def test_every_text_that_clio_may_send_can_be_kept(ledger: Ledger, odd: str) -> None:
    ledger.learn_firm(FirmKey("us", "app-1", "odd"), Account(ACCOUNT, odd))
    odd_fields = SIGN if "\ud800" in odd else ActionFields(odd, f"https://partner.example/{odd}", odd)
    item = Item(kind=Kind.CREATE, user_id=ANNA, user=odd, key=odd, after=odd_fields)
    run = ledger.begin(APP, ACCOUNT, NewRun("a", odd, "plan", odd, manifest=odd), [item])[0]
    done = Ended(run, 0, ANNA, "a", Outcome.DONE, odd, item, action(fields=odd_fields))
    assert all(wrote(ledger, Take(ANNA, "a"), Intent(run, 0, ANNA, "a"), done))
    (entry,), (kept,) = ledger.entries(APP, ACCOUNT), ledger.runs(APP, ACCOUNT)
    clean = odd.replace("\0", "\N{REPLACEMENT CHARACTER}").replace("\ud800", "?")
    assert (entry.user, entry.key, entry.message, kept.app, kept.manifest) == (clean,) * 5
    assert entry.after == odd_fields
    assert ledger.known(APP, ACCOUNT).of(ANNA).owned[99].fields == odd_fields


def test_many_users_are_asked_for_in_statements_that_every_database_takes(ledger: Ledger) -> None:
    many = range(1, 2600)
    begun(
        ledger,
        *(create(user_id) for user_id in many),
        seen=dict.fromkeys(many, 0),
        as_wanted=[Owned(user_id, 10_000 + user_id, "partner", "sign", SIGN) for user_id in many],
    )
    assert ledger.known(APP, ACCOUNT, list(many)).user_ids == ledger.known(APP, ACCOUNT).user_ids == set(many)
    assert len(ledger.entries(APP, ACCOUNT)) == len(many)


def test_nothing_is_known_of_nobody(ledger: Ledger) -> None:
    make(ledger, create())
    assert not ledger.known(APP, ACCOUNT, []).user_ids
    assert ledger.known(APP, ACCOUNT).of(BEN) == ledger.known(APP, ACCOUNT, [BEN]).of(BEN)
    assert ledger.known(APP, ACCOUNT).of(BEN).owned == {}


def test_a_claim_is_given_once_for_as_long_as_it_lasts(ledger: Ledger) -> None:
    assert ledger.claim("nonce", b"digest", 60)
    assert not ledger.claim("nonce", b"digest", 60)
    assert ledger.claim("state", b"digest", 60)
    assert ledger.claim("nonce", b"another", -1)
    assert ledger.claim("nonce", b"another", 60)
    assert not ledger.claim("nonce", b"another", 60)


def test_expired_claims_go_when_new_ones_are_written_and_others_stay(ledger: Ledger, database: Database) -> None:
    with database.transaction(write=True) as connection:
        connection.execute(
            sa.insert(schema.claims),
            [{"kind": "old", "digest": str(number).encode(), "until": time.time() - 60} for number in range(250)],
        )
    counts = []
    for number in range(4):
        assert ledger.claim("nonce", str(number).encode(), 60)
        with database.transaction() as connection:
            counts.append(connection.execute(sa.select(sa.func.count()).select_from(schema.claims)).scalar_one())
    assert counts == [151, 52, 3, 4]


def test_the_ledger_keeps_no_secret_column(database: Database) -> None:
    with database.transaction() as connection:
        columns = {
            f"{name}.{column['name']}"
            for name in sa.inspect(connection).get_table_names()
            for column in sa.inspect(connection).get_columns(name)
        }
    telling = ("token", "secret", "password", "nonce", "code", "verifier", "sealed")
    assert [name for name in columns if any(word in name for word in telling)] == ["clio_nb_grants.sealed"]
