"""Memory, SQLite and PostgreSQL behave alike."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from clio_nb.models import Account, App, Token, User
from clio_nb.secret import Secret
from clio_nb.vault import Grant, Vault
from clio_nb.vault.vault import firm_key_of
from clio_nb.vocabulary import Region

from ..conftest import Cluster

SITE = App(Region.EU, "app-1", Secret("hush"))
ANNA, BEN = (
    User(id=7, name="Anna Demo", account=Account(1, "Demo LLP")),
    User(id=2**40, name="Ben", email="b@x.example"),
)
_numbers = itertools.count()


def token(access: str, refresh: str | None = None, expires_at: float | None = None) -> Token:
    return Token(access=Secret(access), refresh=Secret(refresh) if refresh else None, expires_at=expires_at)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Vault]:
    if request.param == "memory":
        yield Vault()
        return
    where = tmp_path / "vault.sqlite" if request.param == "sqlite" else _database(request.getfixturevalue("cluster"))
    vault = Vault.open(where)
    yield vault
    vault.close()


def _database(cluster: Cluster) -> str:
    name = f"vault{next(_numbers)}"
    with psycopg.connect(cluster.url(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    return cluster.url(name)


def test_a_kept_token_comes_back_whole(vault: Vault) -> None:
    vault.keep(SITE, BEN, token("at", "rt", 1234.5))
    assert vault.grant(SITE, BEN.id) == Grant(BEN, token("at", "rt", 1234.5))
    assert vault.grant(SITE, ANNA.id) is None


def test_keeping_again_replaces_the_older_token(vault: Vault) -> None:
    vault.keep(SITE, ANNA, token("old", "rt"))
    vault.keep(SITE, ANNA, token("new"))
    grant = vault.grant(SITE, ANNA.id)
    assert grant is not None
    assert (grant.token, grant.version) == (token("new"), 2)
    assert len(list(vault.grants(SITE))) == 1


def test_a_removed_token_is_gone(vault: Vault) -> None:
    vault.keep(SITE, ANNA, token("at"))
    vault.remove(SITE, ANNA.id)
    assert list(vault.grants(SITE)) == []


def test_tokens_are_apart_by_region_app_and_firm(vault: Vault) -> None:
    other_app, other_region = replace(SITE, client_id="app-2"), App(Region.US, "app-1", Secret("hush"))
    sandbox = replace(SITE, origin="http://127.0.0.1:9999")
    for number, site in enumerate((SITE, other_app, other_region, sandbox)):
        vault.keep(site, ANNA, token(f"at-{number}"))
    vault.keep(SITE, ANNA, token("second-firm"), firm="Second")
    tokens = [[grant.token for grant in vault.grants(site)] for site in (SITE, other_app, other_region, sandbox)]
    assert tokens == [[token(f"at-{number}")] for number in range(4)]
    assert [grant.token for grant in vault.grants(SITE, firm="Second")] == [token("second-firm")]
    assert vault.firms(SITE) == ["Second", "default"]
    assert vault.elsewhere(SITE) == {ANNA.id: "us"}


def test_users_come_in_order_and_not_all_at_once(vault: Vault) -> None:
    firm_key = firm_key_of(SITE, "default")
    vault.sealed.keep_all((firm_key, Grant(User(id=number), token(f"at-{number}"))) for number in range(2500, 0, -1))
    grants = vault.grants(SITE)
    assert next(grants).user.id == 1
    assert [grant.user.id for grant in grants] == list(range(2, 2501))


def test_a_renewed_token_is_never_overwritten_by_an_older_one(vault: Vault) -> None:
    vault.keep(SITE, ANNA, token("first", "r1"))
    firm_key, read = firm_key_of(SITE, "default"), vault.grant(SITE, ANNA.id)
    assert read is not None
    assert vault.sealed.swap(firm_key, replace(read, token=token("winner", "r2")))
    assert not vault.sealed.swap(firm_key, replace(read, token=token("loser", "r1")))
    assert not vault.sealed.store.note(firm_key, read.user.id, read.version, "revoked")
    kept = vault.grant(SITE, ANNA.id)
    assert kept is not None
    assert (kept.token, kept.problem) == (token("winner", "r2"), "")


def test_a_problem_is_recorded_and_ends_with_a_new_token(vault: Vault) -> None:
    vault.keep(SITE, ANNA, token("at"))
    grant = vault.grant(SITE, ANNA.id)
    assert grant is not None
    assert vault.sealed.store.note(firm_key_of(SITE, "default"), grant.user.id, grant.version, "revoked")
    assert vault.grant(SITE, ANNA.id) == replace(grant, problem="revoked")
    vault.keep(SITE, ANNA, token("again"))
    assert vault.grant(SITE, ANNA.id) == Grant(ANNA, token("again"), version=2)


def test_one_owner_at_a_time_may_renew(vault: Vault) -> None:
    firm_key = firm_key_of(SITE, "default")
    vault.keep(SITE, ANNA, token("at"))
    assert vault.sealed.store.lease(firm_key, ANNA.id, "one", 60)
    assert not vault.sealed.store.lease(firm_key, ANNA.id, "two", 60)
    assert vault.sealed.store.lease(firm_key, ANNA.id, "one", 60)
    vault.sealed.store.release(firm_key, ANNA.id, "two")
    assert not vault.sealed.store.lease(firm_key, ANNA.id, "two", 60)
    vault.sealed.store.release(firm_key, ANNA.id, "one")
    assert vault.sealed.store.lease(firm_key, ANNA.id, "two", 60)


def test_a_lease_that_a_crash_left_behind_ends_by_itself(vault: Vault) -> None:
    firm_key = firm_key_of(SITE, "default")
    vault.keep(SITE, ANNA, token("at"))
    assert vault.sealed.store.lease(firm_key, ANNA.id, "crashed", 0)
    assert vault.sealed.store.lease(firm_key, ANNA.id, "next", 60)


def test_rotating_the_key_keeps_every_token(vault: Vault) -> None:
    firm_key = firm_key_of(SITE, "default")
    vault.sealed.keep_all((firm_key, Grant(User(id=number), token(f"at-{number}"))) for number in range(1, 1200))
    before = list(vault.grants(SITE))
    vault.rotate()
    assert list(vault.grants(SITE)) == before
    vault.keep(SITE, ANNA, token("after"))
    assert vault.grant(SITE, ANNA.id) is not None


def test_the_vault_shows_no_token(vault: Vault) -> None:
    vault.keep(SITE, ANNA, token("canary-at", "canary-rt"))
    assert "canary" not in repr(vault) + repr(list(vault.grants(SITE))) + repr(vault.source(SITE, ANNA.id))
    assert "not-shown" not in repr(vault)
