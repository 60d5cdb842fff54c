"""What lies on disk is sealed, private and whole; when the place fails, the error is clear and no token is lost."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from clio_nb.errors import VaultError
from clio_nb.models import App, Token, User
from clio_nb.secret import Secret
from clio_nb.vault import Vault
from clio_nb.vault._grants import Row
from clio_nb.vault.vault import database_at, firm_key_of
from clio_nb.vocabulary import Region

from ..conftest import Cluster

SITE = App(Region.US, "app-1", Secret("hush"))
ANNA = User(id=7, name="Anna Canary", email="canary@x.example")
TOKEN = Token(access=Secret("canary-access"), refresh=Secret("canary-refresh"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "vault.sqlite"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_environment_says_where_the_vault_is_unless_the_caller_does(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIO_NB_VAULT", str(path))
    Vault.open().keep(SITE, ANNA, TOKEN)
    assert Vault.open(path).firms(SITE) == ["default"]
    assert Vault.open(path.with_name("other.sqlite")).firms(SITE) == []
    monkeypatch.setenv("CLIO_NB_VAULT", "mysql://127.0.0.1/nothing")
    with pytest.raises(VaultError, match="Unknown kind of vault address"):
        Vault.open()
    monkeypatch.setenv("CLIO_NB_VAULT", "")  # as if it were not set
    monkeypatch.setenv("XDG_DATA_HOME", str(path.parent))
    assert str(path.parent) in repr(Vault.open())


def test_neither_a_token_nor_a_name_lies_in_the_file_in_clear(path: Path) -> None:
    vault = Vault.open(path)
    vault.keep(SITE, ANNA, TOKEN)
    written = b"".join(file.read_bytes() for file in path.parent.iterdir())
    vault.close()
    written += b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"clio_nb_grants" in written
    assert b"anary" not in written


def test_folder_and_files_are_private(path: Path) -> None:
    vault = Vault.open(path)
    vault.keep(SITE, ANNA, TOKEN)
    assert mode(path.parent) == 0o700
    assert {mode(file) for file in path.parent.iterdir()} == {0o600}


def test_a_wider_file_and_folder_are_tightened(path: Path) -> None:
    path.parent.mkdir(mode=0o755)
    path.touch(mode=0o644)
    Vault.open(path)
    assert (mode(path.parent), mode(path)) == (0o700, 0o600)


def test_a_folder_that_holds_other_things_is_left_as_it_is(path: Path) -> None:
    path.parent.mkdir(mode=0o755)
    (path.parent / "thesis.txt").touch()
    Vault.open(path)
    assert (mode(path.parent), mode(path)) == (0o755, 0o600)


def test_a_folder_that_others_can_change_is_refused(path: Path) -> None:
    path.parent.mkdir()
    (path.parent / "thesis.txt").touch()
    path.parent.chmod(0o777)
    with pytest.raises(VaultError, match="chmod go-w"):
        Vault.open(path)


@pytest.mark.parametrize("link", ["vault.sqlite", ""])
def test_a_symbolic_link_is_refused_and_not_followed(path: Path, tmp_path: Path, link: str) -> None:
    target = tmp_path / "target"
    if link:
        path.parent.mkdir()
        target.write_text("precious")
        path.symlink_to(target)
    else:
        target.mkdir()
        path.parent.symlink_to(target)
    with pytest.raises(VaultError, match="symbolic link"):
        Vault.open(path)
    assert target.read_text() == "precious" if link else not list(target.iterdir())


def test_a_file_of_another_owner_is_refused(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to somebody else")
    path.parent.mkdir()
    path.touch()
    os.chown(path, 12345, 12345)
    with pytest.raises(VaultError, match="belongs to another user"):
        Vault.open(path)


def test_a_file_that_is_no_database_is_refused_and_kept(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("a shopping list, long enough to be taken for a header " * 40)
    with pytest.raises(VaultError, match="not a database"):
        Vault.open(path)
    assert path.read_text().startswith("a shopping list")


def test_a_token_put_into_another_users_row_is_not_used(path: Path) -> None:
    vault = Vault.open(path)
    vault.keep(SITE, ANNA, TOKEN)
    vault.close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE clio_nb_grants SET user_id = 8")
    database.close()
    grant = vault.grant(SITE, 8)
    assert grant is not None
    assert (grant.user, grant.problem, grant.token.access.reveal()) == (User(id=8), "damaged", "")


def test_a_full_disk_is_named_and_no_token_is_lost(path: Path) -> None:
    vault = Vault.open(path)
    vault.keep(SITE, ANNA, TOKEN)
    engine = vault.database._engine

    @sa.event.listens_for(engine, "begin")
    def _no_more_pages(database: sa.Connection) -> None:
        database.exec_driver_sql("PRAGMA max_page_count = 1")  # SQLite then fails as on a full disk

    firm_key = firm_key_of(SITE, "default")
    many = [(firm_key, grant) for grant in _grants(500)]
    with pytest.raises(VaultError, match=r"the disk is full.*Nothing was changed"):
        vault.sealed.keep_all(many)
    grant = Vault.open(path).grant(SITE, ANNA.id)
    assert grant is not None
    assert grant.token == TOKEN
    assert len(list(Vault.open(path).grants(SITE))) == 1


def _grants(count: int) -> list[object]:
    from clio_nb.vault import Grant

    return [Grant(User(id=1000 + number), TOKEN) for number in range(count)]


def test_rows_are_written_all_or_none(path: Path) -> None:
    vault = Vault.open(path)
    firm_key = firm_key_of(SITE, "default")
    vault.keep(SITE, ANNA, TOKEN)
    good = vault.sealed.store.read(firm_key, ANNA.id)
    assert good is not None
    broken = Row(9, None)  # type: ignore[arg-type]  # the database refuses it
    with pytest.raises(VaultError):
        vault.sealed.store.put([(firm_key, Row(8, good.sealed)), (firm_key, broken)], vault.sealed._key_id)
    assert [row.user_id for row in vault.sealed.store.scan(firm_key)] == [ANNA.id]


@pytest.mark.parametrize("replaced", [False, True])
def test_a_vault_file_that_is_gone_is_noticed_before_anything_is_written_to_nowhere(path: Path, replaced: bool) -> None:
    vault = Vault.open(path)
    vault.keep(SITE, ANNA, TOKEN)
    path.rename(path.with_name("moved"))
    if replaced:
        path.touch()
    with pytest.raises(VaultError, match="is gone or was replaced"):
        vault.keep(SITE, ANNA, Token(access=Secret("new")))
    path.with_name("moved").replace(path)
    grant = vault.grant(SITE, ANNA.id)
    assert grant is not None
    assert grant.token == TOKEN


def test_a_stopped_postgresql_is_named_without_its_password_and_loses_nothing(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE stopped")
    vault = Vault.open(cluster.url("stopped"))
    vault.keep(SITE, ANNA, TOKEN)
    cluster.stop()
    try:
        with pytest.raises(VaultError, match="does not answer") as error:
            vault.keep(SITE, ANNA, Token(access=Secret("canary")))
    finally:
        cluster.start()
    assert "not-shown" not in str(error.value)
    assert "canary" not in str(error.value)
    grant = vault.grant(SITE, ANNA.id)
    assert grant is not None
    assert grant.token == TOKEN
    vault.close()


@pytest.mark.parametrize("address", ["postgresql://host:none/db", "mysql://127.0.0.1/db", "sqlite:///x"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(VaultError, match="postgresql://"):
        Vault.open(address)


def test_a_memory_vault_loads_no_database_code() -> None:
    program = "import sys; from clio_nb.vault import Vault; Vault(); print('sqlalchemy' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


@pytest.mark.parametrize(
    "where",
    [
        "postgresql:/anna:hush-hush@127.0.0.1/x",
        "postgres:anna:hush-hush@127.0.0.1/x",
        "postgresql://anna:hu@hush-hush@127.0.0.1:1/x",
        "postgresql://anna:hu@h/hush-hush@127.0.0.1/x",
        "postgresql://anna:hush-hush:w@127.0.0.1:w@/x",
        "mysql://anna:hush-hush@127.0.0.1/x",
        "anna:hush-hush@127.0.0.1/x",
        "host=127.0.0.1 password=hush-hush dbname=x",
    ],
)
def test_a_password_in_an_address_that_is_none_is_never_shown(where: str) -> None:
    with pytest.raises(VaultError) as refused:
        Vault.open(where).grant(SITE, 1)
    assert "hush-hush" not in str(refused.value)
    assert "postgresql://" in str(refused.value)


@pytest.mark.parametrize("path", ["a.sqlite", "C:/a.sqlite", "C:\\a.sqlite", "./a:b/c@d.sqlite", "a@b.sqlite"])
def test_what_is_a_path_stays_one(path: str) -> None:
    assert database_at(Secret(path)).path == Path(path)
