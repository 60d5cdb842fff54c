"""A token that was removed, revoked or replaced is not used any more: at once here, within 30 seconds elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from clio_nb.errors import NeedsLogin, VaultError
from clio_nb.firm import Firm
from clio_nb.firm.item import ItemResult, Outcome
from clio_nb.firm.manifest import parse_manifest
from clio_nb.http import loop, timeouts
from clio_nb.models import Token, User
from clio_nb.sandbox import Sandbox
from clio_nb.secret import Secret
from clio_nb.session import AsyncSession, Session
from clio_nb.vault import Vault, new_key
from clio_nb.vault import _sealed as room
from clio_nb.vault.vault import firm_key_of

from ..conftest import Cluster

pytestmark = pytest.mark.clio_sandbox(rate_limit=None)
MANY = parse_manifest(
    """
[app]
name = "partner"
"""
    + "".join(
        f"""
[[actions]]
key = "a{number}"
label = "Action {number}"
target_url = "https://partner.example/launch"
locations = ["matters", "documents"]
"""
        for number in range(3)
    )
)


class Clock:
    """The library's stopwatch, moved by hand."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        self.time += 1e-6  # no two looks at a stopwatch are the same
        return self.time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    clock = Clock()
    monkeypatch.setattr(timeouts, "now", clock)
    return clock


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make what was changed so far look as if another process had changed it."""
    return lambda: monkeypatch.setattr(room, "_changed", {})


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    if request.param == "sqlite":
        return tmp_path / "vault.sqlite"
    cluster: Cluster = request.getfixturevalue("cluster")
    with psycopg.connect(cluster.url(), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS removed WITH (FORCE)")
        admin.execute("CREATE DATABASE removed")
    return cluster.url("removed")


@pytest.fixture
def vaults(clock: Clock, place: Path | str) -> Iterator[list[Vault]]:
    vaults = [Vault.open(place) for _ in range(2)]
    yield vaults
    for vault in vaults:
        vault.close()


def signed_in(site: Sandbox, vault: Vault) -> Firm:
    firm = Firm(site, vault)
    firm.sign_in_everyone()
    return firm


def of_firm(firm: Firm, user_id: int) -> Session:
    return firm.session_of(user_id)


def of_source(firm: Firm, user_id: int) -> Session:
    return Session.of(AsyncSession(firm.site, firm.vault.source(firm.site, user_id)))


@pytest.mark.parametrize("of", [of_firm, of_source])
@pytest.mark.parametrize("by", [0, 1], ids=["by the same vault", "by another"])
def test_p5_a_session_ends_at_once_when_its_token_is_removed_in_this_process(
    vaults: list[Vault], clio_sandbox: Sandbox, of: Callable[[Firm, int], Session], by: int
) -> None:
    firm = signed_in(clio_sandbox, vaults[0])
    gone, other = (of(firm, user.id) for user in clio_sandbox.users[:2])
    assert gone.list_actions() == other.list_actions() == []
    vaults[by].remove(clio_sandbox, clio_sandbox.users[0].id)
    asked = len(clio_sandbox.requests)
    with pytest.raises(NeedsLogin, match="no token in the vault"):
        gone.list_actions()
    assert len(clio_sandbox.requests) == asked, "the removed token is not sent once more"
    assert other.list_actions() == []


def test_p5_a_session_of_a_vault_in_memory_ends_at_once(clock: Clock, clio_sandbox: Sandbox) -> None:
    firm = signed_in(clio_sandbox, Vault())
    session = firm.session_of(clio_sandbox.users[0].id)
    assert session.list_actions() == []
    firm.vault.remove(clio_sandbox, clio_sandbox.users[0].id)
    with pytest.raises(NeedsLogin):
        session.list_actions()


def revoked(vault: Vault, site: Sandbox, user: User) -> None:
    grant = vault.grant(site, user.id)
    assert grant is not None
    assert vault.sealed.store.note(firm_key_of(site, "default"), grant.user.id, grant.version, "revoked")


def removed(vault: Vault, site: Sandbox, user: User) -> None:
    vault.remove(site, user.id)


@pytest.mark.parametrize("end", [removed, revoked])
def test_p5_a_session_ends_within_thirty_seconds_when_another_process_ends_it(
    vaults: list[Vault],
    clock: Clock,
    elsewhere: Callable[[], None],
    clio_sandbox: Sandbox,
    end: Callable[[Vault, Sandbox, Any], None],
) -> None:
    session = signed_in(clio_sandbox, vaults[0]).session_of(clio_sandbox.users[0].id)
    assert session.list_actions() == []
    end(vaults[1], clio_sandbox, clio_sandbox.users[0])
    elsewhere()
    clock.time += 30.0
    with pytest.raises(NeedsLogin, match=r"no token in the vault|revoked"):
        session.list_actions()


def test_p5_a_new_sign_in_in_another_process_is_used_within_thirty_seconds(
    vaults: list[Vault], clock: Clock, elsewhere: Callable[[], None], clio_sandbox: Sandbox
) -> None:
    user = clio_sandbox.users[0]
    session = signed_in(clio_sandbox, vaults[0]).session_of(user.id)
    assert session.list_actions() == []
    fresh = Token(access=Secret(clio_sandbox.token(user.id)["access_token"]))
    vaults[1].keep(clio_sandbox, User(id=user.id), fresh)
    elsewhere()
    clock.time += 30.0
    assert loop.run(session.aio.token) == fresh


def test_p5_a_grant_that_was_read_before_a_removal_opens_no_session_after_it(
    vaults: list[Vault], clock: Clock, elsewhere: Callable[[], None], clio_sandbox: Sandbox
) -> None:
    signed_in(clio_sandbox, vaults[0])
    here, far = list(vaults[0].grants(clio_sandbox))[:2]
    vaults[1].remove(clio_sandbox, here.user.id)
    with pytest.raises(NeedsLogin):
        loop.run(vaults[0].source(clio_sandbox, here.user.id, grant=here).current)
    vaults[1].remove(clio_sandbox, far.user.id)
    elsewhere()
    clock.time += 30.0
    with pytest.raises(NeedsLogin):
        loop.run(vaults[0].source(clio_sandbox, far.user.id, grant=far).current)


def test_p5_a_removal_in_the_middle_of_a_read_is_not_missed(
    clock: Clock, clio_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault()
    user = clio_sandbox.users[0]
    vault.keep(clio_sandbox, User(id=user.id), Token(access=Secret("old")))
    source, read = vault.source(clio_sandbox, user.id), vault.sealed.store.read

    def interrupted(*arguments: Any) -> Any:
        row = read(*arguments)
        monkeypatch.undo()
        monkeypatch.setattr(timeouts, "now", clock)
        vault.remove(clio_sandbox, user.id)
        return row

    monkeypatch.setattr(vault.sealed.store, "read", interrupted)
    loop.run(source.current)  # it was asked for before
    with pytest.raises(NeedsLogin):
        loop.run(source.current)


@pytest.mark.parametrize("far", [False, True], ids=["here", "in another process"])
def test_p5_a_running_apply_stops_for_a_user_whose_token_is_removed_and_goes_on_for_the_others(
    vaults: list[Vault], clock: Clock, elsewhere: Callable[[], None], clio_sandbox: Sandbox, far: bool
) -> None:
    firm = signed_in(clio_sandbox, vaults[0])
    firm.apply(firm.plan(MANY), progress=False)  # creates are sent together, changes one after the other
    renamed = [msgspec.structs.replace(each, label=f"{each.label} again") for each in MANY.actions]
    plan = firm.plan(msgspec.structs.replace(MANY, actions=tuple(renamed)))
    gone = plan.changes[0].user_id
    seen: list[ItemResult] = []

    def on_result(result: ItemResult) -> None:
        seen.append(result)
        if result.item.user_id == gone and len([each for each in seen if each.item.user_id == gone]) == 2:
            vaults[1].remove(clio_sandbox, gone)
            if far:
                elsewhere()
                clock.time += 30.0

    result = loop.run(firm.aio.apply, plan, progress=on_result)
    theirs = [each.outcome for each in result.results if each.item.user_id == gone]
    assert theirs == [Outcome.DONE] * 2 + [Outcome.FAILED] + [Outcome.NOT_SENT] * (len(theirs) - 3)
    assert {each.outcome for each in result.results if each.item.user_id != gone} == {Outcome.DONE}


def test_p5_looking_again_costs_no_query_for_each_request(
    vaults: list[Vault], clock: Clock, clio_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm = signed_in(clio_sandbox, vaults[0])
    sessions = [firm.session_of(int(user_id)) for user_id in firm.tokens()["user_id"]]
    store, reads = vaults[0].sealed.store, []
    read = store.read
    monkeypatch.setattr(store, "read", lambda *arguments: reads.append(arguments) or read(*arguments))  # type: ignore[func-returns-value]
    for _ in range(20):
        for session in sessions:
            session.list_actions()
    assert not reads
    clock.time += 30.0
    for _ in range(20):
        for session in sessions:
            session.list_actions()
    assert len(reads) == len(sessions)
    assert {request["method"] for request in clio_sandbox.requests} == {"GET"}


def test_p5_a_token_kept_in_memory_because_it_could_not_be_written_ends_too(
    clock: Clock, clio_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault()
    firm = signed_in(clio_sandbox, vault)
    user = clio_sandbox.users[0]
    session = firm.session_of(user.id)
    stale = loop.run(session.aio.token)

    def full(*_: object) -> bool:
        raise VaultError("the disk is full")

    with monkeypatch.context() as on_a_full_disk:
        on_a_full_disk.setattr(vault.sealed, "swap", full)
        assert loop.run(session.aio.renew, stale) == loop.run(session.aio.token) != stale
    vault.remove(clio_sandbox, user.id)
    with pytest.raises(NeedsLogin):
        session.list_actions()


def test_p5_what_was_changed_is_not_remembered_for_ever(clock: Clock, clio_sandbox: Sandbox) -> None:
    vault = Vault()
    for number in range(1, 50):
        clock.time += 1.0
        vault.remove(clio_sandbox, number)
    assert len(room._changed) <= 31
