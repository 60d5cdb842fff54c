"""The tables have a version: what is missing is made, what is older is upgraded at once, what is newer is refused."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from clio_nb.database import schema
from clio_nb.database.database import Database
from clio_nb.errors import VaultError
from clio_nb.ledger.ledger import Ledger
from clio_nb.models import Account, App, Token, User
from clio_nb.secret import Secret
from clio_nb.vault import Vault, new_key
from clio_nb.vault.vault import firm_key_of
from clio_nb.vocabulary import Region

from ..conftest import Cluster
from ..started import Started
from .conftest import ACCOUNT, ANNA, APP, FIRM, address, create, make, on_postgresql, on_sqlite, place_at, shared

SITE = App(Region.US, "app-1", Secret("hush"))
FIRST = """
CREATE TABLE clio_nb_grants (
    site VARCHAR(200) NOT NULL, client_id VARCHAR(200) NOT NULL, firm VARCHAR(200) NOT NULL, user_id BIGINT NOT NULL,
    sealed {blob} NOT NULL, version INTEGER NOT NULL, problem VARCHAR(200) NOT NULL,
    lease_owner VARCHAR(64) DEFAULT '' NOT NULL, lease_until FLOAT DEFAULT '0' NOT NULL,
    PRIMARY KEY (site, client_id, firm, user_id)
);
CREATE TABLE clio_nb_vault (name VARCHAR(20) NOT NULL, value VARCHAR(64) NOT NULL, PRIMARY KEY (name));
"""  # as the first version made it


@pytest.fixture(autouse=True)
def one_key(monkeypatch: pytest.MonkeyPatch, no_keyring: None) -> None:
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())


def rows_in(where: Path | Secret, cluster: Cluster | None, statement: str) -> list[tuple[object, ...]]:
    if isinstance(where, Path):
        database = sqlite3.connect(where)
        try:
            with database:
                return database.execute(statement).fetchall()
        finally:
            database.close()
    assert cluster is not None
    return cluster.execute(statement, where.reveal().rpartition("/")[2])


@pytest.fixture
def of_first_version(where: Path | Secret, request: pytest.FixtureRequest) -> Path | Secret:
    """A vault as the first version left it, with Anna's token."""
    cluster = request.getfixturevalue("cluster") if isinstance(where, Secret) else None
    vault = Vault.open(where)
    vault.keep(SITE, User(id=ANNA, name="Anna"), Token(access=Secret("kept")))
    vault.close()
    blob = "BYTEA" if cluster else "BLOB"
    ((sealed, version),) = rows_in(where, cluster, "SELECT sealed, version FROM clio_nb_grants")
    ((key,),) = rows_in(where, cluster, "SELECT value FROM clio_nb_vault WHERE name = 'key'")
    for table in schema.meta.sorted_tables:
        rows_in(where, cluster, f"DROP TABLE {table.name}")
    for statement in FIRST.format(blob=blob).split(";")[:-1]:
        rows_in(where, cluster, statement)
    assert isinstance(sealed, bytes)
    as_text = f"'\\x{sealed.hex()}'" if cluster else f"x'{sealed.hex()}'"
    columns = f"'us', 'app-1', 'default', {ANNA}, {as_text}, {version}, '', '', 0"
    rows_in(where, cluster, f"INSERT INTO clio_nb_grants VALUES ({columns})")  # noqa: S608 -- made above
    rows_in(where, cluster, f"INSERT INTO clio_nb_vault VALUES ('key', '{key}')")  # noqa: S608
    return where


def access_of(vault: Vault) -> str:
    grant = vault.grant(SITE, ANNA)
    assert grant is not None
    return grant.token.access.reveal()


def shape(where: Path | Secret) -> dict[str, object]:
    """Return the tables with their columns and indexes."""
    database = Database(where)
    with database.transaction() as connection:
        told = sa.inspect(connection)
        found: dict[str, object] = {
            name: (
                [(column["name"], str(column["type"])) for column in told.get_columns(name)],
                sorted(str(index["name"]) for index in told.get_indexes(name)),
            )
            for name in told.get_table_names()
        }
    database.close()
    return found


@shared
def test_an_older_schema_is_upgraded_with_its_tokens_and_is_then_like_a_new_one(
    of_first_version: Path | Secret, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    vault = Vault.open(of_first_version)
    assert access_of(vault) == "kept"
    vault.keep(SITE, User(id=ANNA), Token(access=Secret("newer")))
    assert access_of(vault) == "newer"
    make(vault.ledger, create())
    assert vault.ledger.owner_of(APP, 99) == ANNA
    vault.close()
    new = tmp_path / "new.sqlite"
    fresh = new if isinstance(of_first_version, Path) else Secret(request.getfixturevalue("cluster").new())
    assert shape(of_first_version) == shape(fresh)


HEAD = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import sqlalchemy as sa
from tests.ledger.conftest import *
from clio_nb.database import schema
from clio_nb.vault import Vault
place = place_at(sys.argv[1])
"""


def process(where: Path | Secret, program: str, *arguments: str) -> Started:
    return Started(HEAD + program, address(where), *arguments)


@pytest.mark.parametrize(
    ("where", "at"),
    [("sqlite", 1), ("postgresql", 4), ("sqlite", 9), ("postgresql", 14)]
    + [
        pytest.param(*one, marks=pytest.mark.long)
        for one in [("postgresql", 1), ("postgresql", 9), ("sqlite", 4), ("sqlite", 14)]
    ],
    indirect=["where"],
)
def test_p1_a_process_killed_while_it_upgrades_leaves_the_older_schema_whole(
    of_first_version: Path | Secret, at: int
) -> None:
    program = """
left = int(sys.argv[2])
def killing(connection, cursor, statement, *rest):
    global left
    if statement.lstrip().startswith(("CREATE", "DELETE", "INSERT")):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sa.event.listen(sa.Engine, "after_cursor_execute", killing)
Vault.open(place)
"""
    killed = process(of_first_version, program, str(at))
    killed.communicate(timeout=60)
    assert killed.returncode == -9
    vault = Vault.open(of_first_version)
    assert access_of(vault) == "kept"
    make(vault.ledger, create())
    vault.close()


@pytest.mark.parametrize(
    ("where", "older"),
    [("sqlite", False), ("postgresql", True)]
    + [pytest.param(*one, marks=pytest.mark.long) for one in [("postgresql", False), ("sqlite", True)]],
    indirect=["where"],
)
def test_p1_processes_that_make_or_upgrade_the_tables_at_once_all_end_well(
    where: Path | Secret, older: bool, request: pytest.FixtureRequest
) -> None:
    if older:
        request.getfixturevalue("of_first_version")
    program = """
print("ready", flush=True)
sys.stdin.readline()
ledger = Vault.open(place).ledger
ledger.learn_firm(FIRM._replace(firm=sys.argv[2]), __import__("clio_nb").models.Account(ACCOUNT, "Demo"))
print(ledger.firm_id(FIRM._replace(firm=sys.argv[2])))
"""
    processes = [process(where, program, str(number)) for number in range(3)]
    assert [each.stdout.readline() for each in processes] == ["ready\n"] * 3
    for each in processes:
        each.stdin.write("\n")
        each.stdin.flush()
    ends = [each.communicate(timeout=60) for each in processes]
    assert [(out, err) for out, err in ends] == [(f"{ACCOUNT}\n", "")] * 3


@pytest.mark.parametrize("version", [str(schema.VERSION + 1), "99"])
@shared
def test_a_newer_schema_is_refused_with_a_sentence_and_left_alone(where: Path | Secret, version: str) -> None:
    first = Vault.open(where)
    first.keep(SITE, User(id=ANNA), Token(access=Secret("kept")))
    with first.database.transaction(write=True) as connection:
        connection.execute(sa.update(schema.settings).where(schema.settings.c.name == "schema").values(value=version))
    first.close()
    with pytest.raises(VaultError, match=rf"A newer clio-nb has written it .schema {version}.*Update clio-nb") as error:
        Vault.open(where)
    assert str(error.value).startswith(("SQLite file ", "PostgreSQL database "))
    with pytest.raises(VaultError, match="newer"):
        Ledger(Database(where)).runs(APP, ACCOUNT)


@shared
def test_p7_a_damaged_version_is_named_and_nothing_is_guessed(where: Path | Secret) -> None:
    database = Database(where)
    with database.transaction(write=True) as connection:
        connection.execute(sa.update(schema.settings).where(schema.settings.c.name == "schema").values(value="two"))
    database.close()
    with pytest.raises(VaultError, match="version of the schema is damaged"):
        Vault.open(where)


def test_p8_nothing_is_opened_or_made_before_something_is_asked(tmp_path: Path) -> None:
    for place in (tmp_path / "x" / "vault.sqlite", Secret("postgresql://nobody:hush@127.0.0.1:1/none")):
        vault = Vault(Database(place))
        assert vault.ledger is vault.ledger
        assert "hush" not in repr(vault)
        vault.close()
        assert vault.database._engine is None
    assert list(tmp_path.iterdir()) == []


@shared
def test_p8_reading_writes_nothing_where_the_schema_is_there(where: Path | Secret) -> None:
    vault = Vault.open(where)
    vault.keep(SITE, User(id=ANNA), Token(access=Secret("kept")))
    make(vault.ledger, create())
    vault.ledger.learn_firm(FIRM, Account(ACCOUNT, "Demo"))
    vault.close()
    statements: list[str] = []

    def noted(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", noted)
    try:
        vault = Vault.open(where)
        assert access_of(vault) == "kept"
        assert vault.firms_of(SITE, ANNA) == vault.firms(SITE) == ["default"]
        ledger = vault.ledger
        ledger.learn_firm(FIRM, Account(ACCOUNT, "Demo"))
        assert ledger.firm_id(FIRM) == ACCOUNT
        assert ledger.known(APP, ACCOUNT).of(ANNA).owned
        assert ledger.owner_of(APP, 99) == ANNA
        assert len(ledger.entries(APP, ACCOUNT)) == len(ledger.runs(APP, ACCOUNT)) == 1
        vault.close()
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", noted)
    words = {statement.split()[0] for statement in statements}
    assert words <= {"SELECT", "PRAGMA", "BEGIN", "BEGIN;", "ROLLBACK", "show", "select"}


@on_postgresql
@pytest.mark.parametrize("kind", ["a role that may only read", "a server that only reads"])
def test_p8_a_database_that_can_only_be_read_serves_tokens_and_names_why_it_takes_no_change(
    where: Secret, cluster: Cluster, kind: str
) -> None:
    vault = Vault.open(where)
    vault.keep(SITE, User(id=ANNA), Token(access=Secret("kept")))
    make(vault.ledger, create())
    vault.close()
    name = where.reveal().rpartition("/")[2]
    cluster.execute(f"CREATE ROLE reader_{name} LOGIN")
    grant = "SELECT" if kind == "a role that may only read" else "ALL"
    cluster.execute(f"GRANT {grant} ON ALL TABLES IN SCHEMA public TO reader_{name}", name)
    if grant == "ALL":
        cluster.execute(f"ALTER ROLE reader_{name} SET default_transaction_read_only = on")
    vault = Vault.open(where.reveal().replace("clio:", f"reader_{name}:"))
    assert access_of(vault) == "kept"
    assert vault.ledger.known(APP, ACCOUNT).of(ANNA).owned
    with pytest.raises(VaultError, match=r"may not do that|cannot be written to"):
        vault.ledger.claim("nonce", b"digest", 60)
    with pytest.raises(VaultError, match=r"may not do that|cannot be written to"):
        vault.keep(SITE, User(id=ANNA), Token(access=Secret("new")))
    assert access_of(vault) == "kept"
    vault.close()
    fresh = cluster.new().replace("clio:", f"reader_{name}:")
    with pytest.raises(VaultError, match="Its tables must be made or upgraded: open it once where that is allowed"):
        Vault.open(fresh)


@pytest.fixture
def of_nobody() -> Iterator[Path]:
    """A folder for a user without rights."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root can become another user")
    folder = Path(tempfile.mkdtemp(prefix="clio-ro-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("folder_mode", [0o700, 0o500], ids=["file", "file and folder"])
@pytest.mark.parametrize("log", [False, True], ids=["closed", "while another process writes"])
def test_p8_a_file_that_can_only_be_read_serves_tokens(
    of_nobody: Path, folder_mode: int, log: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(of_nobody / "config"))
    path = of_nobody / "data" / "vault.sqlite"
    vault = Vault.open(path)
    vault.keep(SITE, User(id=ANNA), Token(access=Secret("kept")))
    make(vault.ledger, create())
    if not log:
        vault.close()
    for file in path.parent.iterdir():
        file.chmod(0o400)
        os.chown(file, 65534, -1)
    os.chown(path.parent, 65534, -1)
    path.parent.chmod(folder_mode)
    program = """
import tempfile
from clio_nb.errors import VaultError
from tests.ledger.test_schema import SITE, access_of
warm = Vault.open(tempfile.mkdtemp() + "/x.sqlite")  # what is imported later may not be readable for nobody
make(warm.ledger, create())
warm.grant(SITE, 1)
try:
    with warm.database.transaction(write=True) as connection:
        connection.execute(sa.text("nonsense"))
except VaultError:
    pass
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
vault = Vault.open(place)
print(access_of(vault), vault.ledger.owner_of(APP, 99))
try:
    vault.ledger.claim("nonce", b"digest", 60)
except VaultError as error:
    print(error)
"""
    reader = process(path, program)
    out, err = reader.communicate(timeout=60)
    assert out.startswith(f"kept {ANNA}\n"), err
    assert "cannot be written to" in out
    vault.close()


@on_sqlite
def test_p8_a_vault_that_is_closed_and_used_again_opens_again(where: Path) -> None:
    vault = Vault.open(where)
    make(vault.ledger, create())
    vault.close()
    vault.close()
    assert vault.ledger.owner_of(APP, 99) == ANNA
    assert firm_key_of(SITE, "default") == FIRM
    assert place_at(str(where)) == where
    vault.close()
