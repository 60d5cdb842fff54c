"""P2, P3: several machines, which share nothing but the database, change one firm as one machine would."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import clio_nb as clio
from clio_nb.database import schema
from clio_nb.database.database import Database
from clio_nb.errors import RunInProgress, VaultError
from clio_nb.firm import Firm
from clio_nb.firm.apply import _together, _user_run
from clio_nb.firm.manifest import Manifest, parse_manifest
from clio_nb.http import loop, timeouts, transport
from clio_nb.ledger.ledger import Ledger
from clio_nb.ledger.records import Ended, Intent, Outcome
from clio_nb.sandbox import Sandbox
from clio_nb.secret import Secret
from clio_nb.vault import Vault, new_key
from clio_nb.vault.keys import find_keys

from .conftest import TOML, leases_end, on_matters, somebody, writes

LIST, WHO, CREATE = "GET /api/v4/custom_actions", "GET /api/v4/users/who_am_i", "POST /api/v4/custom_actions"


@pytest.fixture(params=["sqlite", "postgresql"])
def machine(
    request: pytest.FixtureRequest, clio_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Firm]:
    """Make a machine: a vault and connections of its own, on the database that all machines share."""
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    where: Path | Secret = tmp_path / "vault.sqlite"
    if request.param == "postgresql":
        where = Secret(request.getfixturevalue("cluster").new())

    def make(**options: Any) -> Firm:
        return Firm(clio_sandbox, Vault(Database(where), find_keys(None)), **options)

    make().sign_in_everyone()
    return make


@pytest.fixture
def both(machine: Callable[..., Firm]) -> tuple[Firm, Firm]:
    """Two machines. The firm has another name on the second: Clio's id of it counts."""
    here, there = machine(), machine(name="elsewhere")
    there.sign_in_everyone()
    return here, there


def asked(site: Sandbox, since: int) -> list[str]:
    return [f"{each['method']} {each['path']}" for each in site.requests[since:]]


def relabelled(manifest: Manifest, label: str = "Sign now") -> Manifest:
    return parse_manifest(manifest.to_toml().replace("Send for signature", label))


def test_p3_the_other_machine_knows_what_was_done(
    both: tuple[Firm, Firm], clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    here, there = both
    made = here.apply(here.plan(manifest), progress=False)
    assert there.runs()["run"].tolist() == [made.run]
    assert len(there.audit(made.run)) == 10
    assert there.drift().empty
    session = here.session_of(clio_sandbox.users[0].id)
    session.update_action(on_matters(session), label="By hand")
    assert there.drift()["reason"].tolist() == ["renamed by hand"]
    assert there.coverage()["matters/show"].tolist()[0] == "By hand (renamed by hand)"
    assert there.plan_undo(made.run).counts() == {"delete": 9, "blocked": 1}
    assert there.plan_offboard().counts() == {"delete": 10}
    assert there.offboard(progress=False)
    assert here.actions().empty
    assert here.drift().empty


def test_p3_a_run_is_undone_on_the_other_machine(both: tuple[Firm, Firm], manifest: Manifest) -> None:
    here, there = both
    first = here.apply(here.plan(manifest), progress=False)
    second = there.apply(there.plan(relabelled(manifest)), progress=False)
    assert here.undo(second.run, progress=False).counts() == {"done": 10}
    assert there.undo(first.run, progress=False).counts() == {"done": 10}
    assert here.actions().empty


def test_h13_p3_two_machines_that_apply_at_once_make_no_second_button_and_no_false_drift(
    both: tuple[Firm, Firm], manifest: Manifest
) -> None:
    plans = [firm.plan(manifest) for firm in both]

    async def at_once() -> list[Any]:
        return await asyncio.gather(*(firm.aio.apply(plan) for firm, plan in zip(both, plans, strict=True)))

    results = loop.run(at_once)
    ends = [each.outcome for result in results for each in result.results]
    assert ends.count(Outcome.DONE) == 10
    assert set(ends) <= {Outcome.DONE, Outcome.CONFLICT}
    for firm in both:
        assert len(firm.actions()) == 10
        assert firm.drift().empty
        assert firm.plan(manifest).counts() == {"ok": 10}


def test_p2_a_plan_ends_as_conflict_for_exactly_those_who_were_changed_since(
    both: tuple[Firm, Firm], clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    here, there = both
    here.apply(here.plan(manifest), progress=False)
    stale = here.plan(relabelled(manifest))
    one = clio_sandbox.users[1].id
    assert there.apply(there.plan(relabelled(manifest, "Another"), users=one), progress=False)
    sent = len(writes(clio_sandbox))
    result = here.apply(stale, progress=False)
    assert {each.item.user_id for each in result.failed} == {one}
    assert {each.outcome for each in result.failed} == {Outcome.CONFLICT}
    assert "Another run changed this user" in result.failed[0].message
    assert len(writes(clio_sandbox)) == sent + 8
    noted = there.audit(result.run)
    assert set(noted.loc[noted["user_id"] == one, "outcome"]) == {"conflict"}


def test_p2_a_plan_that_another_run_has_not_changed_is_applied_with_what_is_there_now(
    both: tuple[Firm, Firm], clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    """Another run has written for her since, but what was shown is still what has to be done."""
    here, there = both
    plan = here.plan(manifest)
    user = clio_sandbox.users[0].id
    there.session_of(user).create_action("Mine", "https://mine.example/", at="contacts")
    before = len(clio_sandbox.requests)
    assert here.apply(plan, progress=False).counts() == {"done": 10}
    assert asked(clio_sandbox, before).count(LIST) == 1, "she alone is read again"


def test_p2_a_plan_applied_twice_changes_nothing_the_second_time(both: tuple[Firm, Firm], manifest: Manifest) -> None:
    here, there = both
    plan = here.plan(manifest)
    assert here.apply(plan, progress=False)
    assert there.apply(plan, progress=False).counts() == {"conflict": 10}
    assert len(here.actions()) == 10


def test_p2_a_lease_taken_away_in_the_middle_of_a_run_ends_it_for_that_user(
    machine: Callable[..., Firm], clio_sandbox: Sandbox, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm, user = machine(), clio_sandbox.users[2].id
    firm.apply(firm.plan(manifest), progress=False)
    plan = firm.plan(relabelled(manifest))
    exchange = transport.exchange

    async def taking(method: str, *arguments: Any, **options: Any) -> transport.Raw:
        raw = await exchange(method, *arguments, **options)
        with firm.vault.database.transaction(write=True) as database:
            theirs = sa.update(schema.users).where(schema.users.c.user_id == user)
            database.execute(theirs.values(lease_owner="another", lease_until=firm.vault.database.now() + 80))
        return raw

    with monkeypatch.context() as patching:
        patching.setattr(transport, "exchange", taking)
        result = firm.apply(plan, progress=False)
    ends = [each.outcome for each in result.results if each.item.user_id == user]
    assert ends in ([Outcome.DONE, Outcome.NOT_SENT], [Outcome.NOT_SENT, Outcome.NOT_SENT])
    assert "Another run has taken this user over" in result.failed[-1].message
    assert len(writes(clio_sandbox)) == 10 + 8 + ends.count(Outcome.DONE)
    leases_end(firm)
    assert firm.apply(firm.plan(relabelled(manifest)), progress=False)
    assert firm.drift().empty


def test_p2_a_lease_that_is_lost_before_a_second_try_leaves_the_outcome_unknown(
    machine: Callable[..., Firm], clio_sandbox: Sandbox, manifest: Manifest, moved: list[float]
) -> None:
    firm, user = machine(), clio_sandbox.users[0].id
    plan = firm.plan(manifest, users=user)
    clio_sandbox.fault("reset", method="POST", user_id=user, times=None)
    write, sent = Ledger.write, 0

    def writing(ledger: Ledger, app: Any, changes: Sequence[Any]) -> list[bool]:
        """After the first two intents (the creates go together), no other is noted."""
        nonlocal sent
        done = write(ledger, app, [each for each in changes if not isinstance(each, Intent) or sent < 2])
        sent += sum(isinstance(each, Intent) for each in changes)
        answers = iter(done)
        return [next(answers, False) if not isinstance(each, Intent) or sent <= 2 else False for each in changes]

    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(Ledger, "write", writing)
        result = firm.apply(plan, progress=False)
    assert result.counts() == {"unknown": 2}
    clio_sandbox.clear_faults()
    assert firm.apply(firm.plan(manifest), progress=False)
    assert len(firm.actions()) == 10


def test_p2_who_is_held_by_another_run_is_waited_for_and_then_left_out(
    both: tuple[Firm, Firm], clio_sandbox: Sandbox, manifest: Manifest, moved: list[float]
) -> None:
    here, there = both
    held = clio_sandbox.users[3].id
    hold(there, held, "there")
    result = here.apply(here.plan(manifest), progress=False)
    assert {each.item.user_id for each in result.failed} == {held}
    assert {each.outcome for each in result.failed} == {Outcome.NOT_SENT}
    assert "Another run is changing this user" in result.failed[0].message
    with pytest.raises(RunInProgress, match="Another run is changing this user"):
        here.equip(held, manifest)
    leases_end(here)
    assert here.equip(held, manifest).counts() == {"done": 2}


def hold(firm: Firm, user_id: int, owner: str) -> None:
    with firm.vault.database.transaction(write=True) as database:
        until = firm.vault.database.now() + 80
        database.execute(
            sa.insert(schema.users).values(
                **firm.aio._firm_key.app._asdict(), user_id=user_id, lease_owner=owner, lease_until=until, writes=0
            )
        )


@pytest.mark.parametrize("away", [20, 40])
def test_p2_a_database_that_is_away_for_a_while_is_waited_for(
    machine: Callable[..., Firm],
    clio_sandbox: Sandbox,
    manifest: Manifest,
    monkeypatch: pytest.MonkeyPatch,
    away: int,
) -> None:
    firm = machine()
    plan, write, time, gone = firm.plan(manifest), Ledger.write, 0.0, 0

    async def sleep(seconds: float) -> None:
        nonlocal time
        time += seconds
        await asyncio.sleep(0)

    def writing(ledger: Ledger, app: Any, changes: Sequence[Any]) -> list[bool]:
        nonlocal gone
        if any(isinstance(each, Ended) for each in changes) and time < away:
            gone += 1
            raise VaultError("it does not answer.")
        return write(ledger, app, changes)

    with monkeypatch.context() as patching:
        patching.setattr(Ledger, "write", writing)
        patching.setattr(timeouts, "sleep", sleep)
        patching.setattr(timeouts, "now", lambda: time)
        with contextlib.nullcontext() if away < _together.AWAY else pytest.raises(VaultError, match="does not answer"):
            assert firm.apply(plan, progress=False)
    assert gone
    leases_end(firm)
    assert firm.apply(firm.plan(manifest), progress=False)
    assert len(firm.actions()) == 10
    assert len(writes(clio_sandbox)) == 10
    assert firm.drift().empty


@pytest.mark.clio_sandbox(users=12)
def test_p3_twelve_colleagues_who_sign_in_within_a_second_have_their_buttons(
    machine: Callable[..., Firm], clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    machines = [machine() for _ in range(4)]
    sessions = [somebody(clio_sandbox, user.id) for user in clio_sandbox.users]
    before = len(clio_sandbox.requests)

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(
            *(machines[at % 4].aio.equip(session.aio, manifest) for at, session in enumerate(sessions))
        )

    results = loop.run(all_at_once)
    assert [result.counts() for result in results] == [{"done": 2}] * 12
    assert sorted(asked(clio_sandbox, before)) == sorted([LIST] * 12 + [CREATE] * 24)
    assert machine().drift().empty
    assert machine().plan(manifest).counts() == {"ok": 24}


def test_p3_a_colleague_who_clicks_twice_gets_her_buttons_once(
    both: tuple[Firm, Firm], clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    user = clio_sandbox.users[0].id

    async def twice() -> list[Any]:
        return await asyncio.gather(*(firm.aio.equip(user, manifest) for firm in both))

    results = loop.run(twice)
    assert sorted(len(result.results) for result in results) == [0, 2]
    assert len(both[0].actions()) == 2


@pytest.mark.clio_sandbox(users=2000, rate_limit=None)
def test_a_colleague_of_a_firm_of_2000_costs_her_list_and_her_creates(
    clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    firm = Firm(clio_sandbox)
    session = somebody(clio_sandbox, clio_sandbox.users[1234].id)
    before = len(clio_sandbox.requests)
    assert firm.equip(session, manifest).counts() == {"done": 2}
    assert asked(clio_sandbox, before) == [LIST, CREATE, CREATE]
    assert firm.equip(session, manifest).counts() == {}
    assert asked(clio_sandbox, before + 3) == [LIST]
    assert firm.runs()["purpose"].tolist() == ["equip"]


def test_equip_asks_who_she_is_only_where_that_is_unknown_or_roles_count(
    clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    user = clio_sandbox.users[0].id
    firm = Firm(clio_sandbox)
    before = len(clio_sandbox.requests)
    firm.equip(clio.Session(clio_sandbox, clio_sandbox.token(user)["access_token"]), manifest)
    assert asked(clio_sandbox, before)[:2] == [WHO, LIST]
    other = somebody(clio_sandbox, clio_sandbox.users[1].id)
    by_role = parse_manifest(f'{TOML}\nwho = {{subscription_types = ["Attorney"]}}\n')
    before = len(clio_sandbox.requests)
    firm.equip(other, by_role)
    assert sorted(set(asked(clio_sandbox, before))) in ([LIST, CREATE], [LIST, WHO, CREATE])


def test_equip_says_what_is_blocked(clio_sandbox: Sandbox, manifest: Manifest) -> None:
    firm, session = Firm(clio_sandbox), somebody(clio_sandbox, clio_sandbox.users[0].id)
    somebody(clio_sandbox, session.user.id).create_action("Send for signature", "https://else.example/", at="matters")
    result = firm.equip(session, manifest)
    assert result.counts() == {"done": 1, "not sent": 1}
    assert "Another action already has this label here" in result.failed[0].message


def test_p8_a_firm_opens_nothing_and_verifying_writes_nothing_in_the_ledger(
    machine: Callable[..., Firm], clio_sandbox: Sandbox, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine().apply(machine().plan(manifest), progress=False)
    firm = machine()
    for verb in ("begin", "write", "learn_firm", "claim", "extend"):
        monkeypatch.setattr(Ledger, verb, lambda *_: pytest.fail("the ledger was written"))
    user = clio_sandbox.users[1].id
    action = on_matters(firm.session_of(user))
    url = clio_sandbox.click(user, action.id, clio_sandbox.records("matters")[0]["subject_url"])
    assert clio.verify_launch(url, firm)


def test_p2_without_the_check_after_the_lease_a_stale_plan_is_applied(
    both: tuple[Firm, Firm], clio_sandbox: Sandbox, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check is what the tests above rest on: without it, they would see other outcomes."""
    here, there = both
    plan = here.plan(manifest)
    there.apply(there.plan(manifest), progress=False)
    monkeypatch.setattr(_user_run, "is_stale", lambda *_: False)
    assert here.apply(plan, progress=False).counts() == {"done": 10}
