"""However many need a new token, Clio is asked once; and no failure on the way loses one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clio_nb.aio import Session
from clio_nb.errors import ApiError, ClioError, NeedsLogin, NetworkError, VaultError
from clio_nb.http import loop, tokens
from clio_nb.login import login
from clio_nb.models import Token, User
from clio_nb.sandbox import Sandbox
from clio_nb.sandbox.assumptions import Assumptions
from clio_nb.secret import Secret
from clio_nb.vault import Vault, VaultTokens, new_key
from clio_nb.vault.vault import firm_key_of

from ..conftest import Cluster

rotating = pytest.mark.clio_sandbox(assumptions=Assumptions(refresh_rotates=True))
MONTH = 2_592_001


def signed_in(site: Sandbox, vault: Vault, number: int = 0) -> User:
    session = login(site, site.users[number].id)
    assert session.user is not None
    vault.keep(site, session.user, loop.run(session.aio.token))
    return session.user


def refreshes(site: Sandbox) -> int:
    return sum(request["path"] == "/oauth/token" for request in site.oauth_requests)


def together(*work: Callable[[], Coroutine[Any, Any, Any]]) -> list[Any]:
    async def gathered() -> list[Any]:
        return await asyncio.gather(*(each() for each in work), return_exceptions=True)

    return loop.run(gathered)


def token_of(vault: Vault, site: Sandbox, user: User) -> Token:
    grant = vault.grant(site, user.id)
    assert grant is not None
    return grant.token


@pytest.mark.clio_sandbox(rate_limit=None, assumptions=Assumptions(refresh_rotates=True))
def test_fifty_calls_that_meet_an_expired_token_cause_one_refresh(clio_sandbox: Sandbox) -> None:
    vault = Vault()
    user = signed_in(clio_sandbox, vault)
    session = Session(clio_sandbox, vault.source(clio_sandbox, user.id))
    clio_sandbox.advance(MONTH)
    asked = refreshes(clio_sandbox)
    assert together(*[session.list_actions] * 50) == [[]] * 50
    assert refreshes(clio_sandbox) == asked + 1


@rotating
@pytest.mark.parametrize("where", ["sqlite", "postgresql"])
def test_of_two_vaults_on_one_store_one_refreshes_and_the_other_uses_it(
    clio_sandbox: Sandbox, where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    place: Path | str = tmp_path / "vault.sqlite"
    if where == "postgresql":
        cluster: Cluster = request.getfixturevalue("cluster")
        with psycopg.connect(cluster.url(), autocommit=True) as admin:
            admin.execute("CREATE DATABASE refreshed")
        place = cluster.url("refreshed")
    vaults = [Vault.open(place) for _ in range(2)]
    user = signed_in(clio_sandbox, vaults[0])
    stale = token_of(vaults[0], clio_sandbox, user)
    asked = refreshes(clio_sandbox)
    sources = [vault.source(clio_sandbox, user.id) for vault in vaults]
    one, other = together(*[lambda source=source: source.renew(stale) for source in sources])
    assert one == other != stale
    assert refreshes(clio_sandbox) == asked + 1
    assert token_of(vaults[1], clio_sandbox, user) == one
    for vault in vaults:
        vault.close()


PROCESS = """
import sys
from pathlib import Path
from clio_nb.http import loop as portal
from clio_nb.login import connect
from clio_nb.vault import Vault
address, path, user_id = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
site, vault = connect(address), Vault.open(path)
source = vault.source(site, user_id)
stale = portal.run(source.current)
print("ready", flush=True)
sys.stdin.readline()
portal.run(source.renew, stale)
print(portal.run(source.current).access.reveal(), flush=True)
"""


@rotating
def test_of_two_processes_one_refreshes_and_both_have_its_token(
    clio_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    path = tmp_path / "vault.sqlite"
    vault = Vault.open(path)
    user = signed_in(clio_sandbox, vault)
    command = [sys.executable, "-c", PROCESS, clio_sandbox.base_url, str(path), str(user.id)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes: list[subprocess.Popen[str]] = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    assert [process.stdout and process.stdout.readline() for process in processes] == ["ready\n"] * 2
    asked = refreshes(clio_sandbox)
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert refreshes(clio_sandbox) == asked + 1
    assert set(said) == {token_of(vault, clio_sandbox, user).access.reveal()}


def test_a_refresh_that_brings_no_refresh_token_keeps_the_old_one(clio_sandbox: Sandbox) -> None:
    vault = Vault()
    user = signed_in(clio_sandbox, vault)
    stale = token_of(vault, clio_sandbox, user)
    renewed = loop.run(vault.source(clio_sandbox, user.id).renew, stale)
    assert renewed.access != stale.access
    assert renewed.refresh == stale.refresh
    assert token_of(vault, clio_sandbox, user) == renewed


def test_a_refused_refresh_marks_that_user_alone_and_a_new_login_ends_it(clio_sandbox: Sandbox) -> None:
    vault = Vault()
    anna, ben = (signed_in(clio_sandbox, vault, number) for number in range(2))
    sessions = [Session(clio_sandbox, vault.source(clio_sandbox, user.id)) for user in (anna, ben)]
    clio_sandbox.revoke(anna.id)
    clio_sandbox.advance(MONTH)
    refused, actions = together(*(session.list_actions for session in sessions))
    assert isinstance(refused, NeedsLogin)
    assert actions == []
    grant = vault.grant(clio_sandbox, anna.id)
    assert grant is not None
    assert grant.problem == "revoked"
    asked = refreshes(clio_sandbox)
    with pytest.raises(NeedsLogin, match="revoked"):
        loop.run(sessions[0].list_actions)
    assert refreshes(clio_sandbox) == asked, "Clio is not asked again for what it has refused"
    signed_in(clio_sandbox, vault)
    assert loop.run(sessions[0].list_actions) == []


def test_a_refresh_token_that_another_process_has_spent_leads_to_the_one_it_wrote(
    clio_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault()
    user = signed_in(clio_sandbox, vault)
    stale, winner = token_of(vault, clio_sandbox, user), Token(access=Secret("the-winners"))

    async def spent(*_: object) -> Token:
        vault.keep(clio_sandbox, user, winner)
        raise NeedsLogin("spent")

    monkeypatch.setattr(tokens, "refresh", spent)
    assert loop.run(vault.source(clio_sandbox, user.id).renew, stale) == winner
    grant = vault.grant(clio_sandbox, user.id)
    assert grant is not None
    assert (grant.token, grant.problem) == (winner, "")


@pytest.mark.parametrize(("kind", "error"), [("status", ApiError), ("reset", NetworkError), ("html", ClioError)])
def test_trouble_at_clio_while_refreshing_changes_nothing_and_passes(
    clio_sandbox: Sandbox, kind: str, error: type[ClioError]
) -> None:
    vault = Vault()
    user = signed_in(clio_sandbox, vault)
    stale, source = token_of(vault, clio_sandbox, user), vault.source(clio_sandbox, user.id)
    clio_sandbox.fault(kind, path="/oauth/token", status=503)  # type: ignore[arg-type]
    with pytest.raises(error):
        loop.run(source.renew, stale)
    grant = vault.grant(clio_sandbox, user.id)
    assert grant is not None
    assert (grant.token, grant.problem) == (stale, "")
    assert loop.run(source.renew, stale).access != stale.access


def test_a_user_without_a_token_needs_a_login_before_anything_is_sent(clio_sandbox: Sandbox) -> None:
    seen = len(clio_sandbox.requests)
    with pytest.raises(NeedsLogin, match="no token in the vault"):
        loop.run(Vault().source(clio_sandbox, 12345).current)
    assert len(clio_sandbox.requests) == seen


@rotating
def test_a_renewed_token_that_cannot_be_written_is_kept_and_written_later(
    clio_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    vault = Vault.open(tmp_path / "vault.sqlite")
    user = signed_in(clio_sandbox, vault)
    stale, source = token_of(vault, clio_sandbox, user), vault.source(clio_sandbox, user.id)

    def full(*_: object) -> bool:
        raise VaultError("the disk is full")

    with monkeypatch.context() as on_a_full_disk:
        on_a_full_disk.setattr(vault.sealed, "swap", full)
        first = loop.run(source.renew, stale)
        assert loop.run(source.current) == first
        second = loop.run(source.renew, first)
        assert "kept in memory only: the disk is full" in caplog.text
        assert first.access.reveal() not in caplog.text
    assert token_of(vault, clio_sandbox, user) == stale
    third = loop.run(source.renew, second)
    assert token_of(vault, clio_sandbox, user) == third
    assert len({token.access for token in (stale, first, second, third)}) == 4


def test_a_caller_who_gives_up_does_not_end_the_refresh_for_the_others(
    clio_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault()
    user = signed_in(clio_sandbox, vault)
    stale, source = token_of(vault, clio_sandbox, user), vault.source(clio_sandbox, user.id)
    refresh, begun = tokens.refresh, asyncio.Event()

    async def slowly(*arguments: Any) -> Token:
        begun.set()
        await asyncio.sleep(0)
        return await refresh(*arguments)

    async def scene() -> Token:
        hasty = asyncio.ensure_future(source.renew(stale))
        patient = asyncio.ensure_future(source.renew(stale))
        await begun.wait()
        hasty.cancel()
        return await patient

    monkeypatch.setattr(tokens, "refresh", slowly)
    assert loop.run(scene).access != stale.access


def test_a_source_is_shared_by_all_who_ask_and_shows_no_token(clio_sandbox: Sandbox) -> None:
    vault = Vault()
    user = signed_in(clio_sandbox, vault)
    source = vault.source(clio_sandbox, user.id)
    assert vault.source(clio_sandbox, user.id) is source
    assert isinstance(source, VaultTokens)
    assert token_of(vault, clio_sandbox, user).access.reveal() not in repr(vars(source))
    assert firm_key_of(clio_sandbox, "x").site == clio_sandbox.origin
