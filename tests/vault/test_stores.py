"""Stores as people have them: on a network, in a read-only folder, on a full disk, on a server that restarts."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from clio_nb import cli
from clio_nb.database import _mounts
from clio_nb.errors import VaultError
from clio_nb.http import loop
from clio_nb.models import App, Token, User
from clio_nb.sandbox import Sandbox
from clio_nb.sandbox.assumptions import Assumptions
from clio_nb.secret import Secret
from clio_nb.vault import Grant, Vault
from clio_nb.vault.keys import new_key
from clio_nb.vault.vault import firm_key_of
from clio_nb.vocabulary import Region

from ..conftest import Cluster

SITE = App(Region.EU, "app-1", Secret("hush"))


def token(number: int) -> Token:
    return Token(access=Secret(f"at-{number}"), refresh=Secret(f"rt-{number}"))


@pytest.fixture(autouse=True)
def one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())


# A network file system, by a mount table that is handed in.

NETWORK = [
    *("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "lustre", "gpfs", "beegfs", "afs", "vboxsf", "drvfs"),
    *("fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.ceph-fuse", "fuse.grpcfuse"),
]
LOCAL = [
    "ext4",
    "xfs",
    "btrfs",
    "zfs",
    "tmpfs",
    "overlay",
    "fuseblk",
    "fuse.bindfs",
    "fuse.gocryptfs",
    "apfs",
    "ecryptfs",
]


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Path, str]]]:
    """The mount table: pairs of a mount point and the type of file system, behind what every machine has."""
    points: list[tuple[Path, str]] = [(Path("/"), "ext4"), (Path("/proc"), "proc")]

    class Table:
        @staticmethod
        def read_text(errors: str) -> str:
            lines = []
            for number, (point, kind) in enumerate(points):
                name = str(point).replace(" ", "\\040")
                shared = "shared:1 " if number % 2 else ""
                lines.append(f"{36 + number} 35 98:0 / {name} rw,noatime {shared}- {kind} server:/share rw\n")
            return "".join(lines)

    monkeypatch.setattr(_mounts, "MOUNTS", Table)
    return points


@pytest.mark.parametrize("kind", NETWORK)
def test_a_vault_on_a_network_file_system_says_so_and_where_to_put_it(
    mounted: list[tuple[Path, str]], tmp_path: Path, kind: str
) -> None:
    mounted.append((tmp_path / "my home", kind))
    path = tmp_path / "my home" / "clio-nb" / "vault.sqlite"
    with pytest.raises(VaultError) as error:
        Vault.open(path)
    said = str(error.value)
    assert said.startswith(f"{path} is on a network file system ({kind})")
    assert all(way in said for way in ("Vault.open(path)", "--vault", "CLIO_NB_VAULT", "postgresql://"))
    assert not path.parent.exists()


@pytest.mark.parametrize("kind", LOCAL)
def test_a_vault_on_a_file_system_of_this_machine_is_opened(
    mounted: list[tuple[Path, str]], tmp_path: Path, kind: str
) -> None:
    mounted += [(tmp_path.parent, "nfs4"), (tmp_path, kind), (tmp_path / "vault", "nfs4"), (Path("/mnt"), "cifs")]
    Vault.open(tmp_path / "vault.sqlite").close()
    mounted.append((tmp_path, "nfs4"))  # mounted over the one before
    with pytest.raises(VaultError, match="network file system"):
        Vault.open(tmp_path / "vault.sqlite").keep(SITE, User(id=1), token(1))


def test_a_vault_behind_a_link_is_where_the_link_leads(mounted: list[tuple[Path, str]], tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "share")
    mounted.append((tmp_path / "share", "nfs4"))
    with pytest.raises(VaultError, match="network file system"):
        Vault.open(tmp_path / "home" / "mine" / "vault.sqlite")


def test_the_file_system_of_everything_and_a_machine_without_a_table_are_let_be(
    mounted: list[tuple[Path, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted[0] = (Path("/"), "nfs4")
    Vault.open(tmp_path / "a.sqlite").close()
    monkeypatch.setattr(_mounts, "MOUNTS", tmp_path / "none")
    Vault.open(tmp_path / "b.sqlite").close()


def test_a_share_of_windows_is_a_network_file_system() -> None:
    assert _mounts.network_of(Path(r"\\server\share\vault.sqlite")) == "a network share"
    assert _mounts.network_of(Path("C:/Users/x/vault.sqlite")) == ""


def test_a_command_says_it_in_one_sentence(
    mounted: list[tuple[Path, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    mounted.append((tmp_path, "nfs4"))
    monkeypatch.setattr("sys.argv", ["clio-nb", "status", "--vault", str(tmp_path / "v.sqlite")])
    for name, value in {"CLIO_NB_SITE": "eu", "CLIO_CLIENT_ID": "a", "CLIO_CLIENT_SECRET": "b"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capfd.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (1, "", 1)
    assert "network file system (nfs4)" in err


# A folder that cannot be written to, by a child without root's rights.

CHILD = """
import os, sys
from pathlib import Path
from clio_nb.errors import VaultError
from clio_nb.models import App, Token, User
from clio_nb.secret import Secret
from clio_nb.vault import Grant, Vault
from clio_nb.vocabulary import Region

folder, site = Path(sys.argv[1]), App(Region.EU, "app-1", Secret("hush"))
vault = Vault.open(folder / "vault.sqlite")
vault.keep(site, User(id=7, name="Anna"), Token.of("kept"))
vault.close()
if os.geteuid() == 0:
    for path in (folder, *folder.iterdir()):
        os.chown(path, 65534, 65534)
    os.setgid(65534), os.setuid(65534)
if sys.argv[2] == "folder":
    folder.chmod(0o500)
else:
    (folder / "vault.sqlite").chmod(0o400)

vault = Vault.open(folder / "vault.sqlite")
print([(grant.user.name, grant.token.access.reveal()) for grant in vault.grants(site)])
for refused in (
    lambda: vault.keep(site, User(id=8), Token.of("new")),
    lambda: vault.remove(site, 7),
    lambda: Vault.open(folder / "other.sqlite") if sys.argv[2] == "folder" else vault.remove(site, 7),
    lambda: Vault.open(folder / "deeper" / "other.sqlite") if sys.argv[2] == "folder" else vault.remove(site, 7),
):
    try:
        refused()
        print("not refused")
    except VaultError as error:
        print(error)
print([grant.user.id for grant in vault.grants(site)])
del os.environ["CLIO_NB_KEY"]
try:
    Vault.open(folder / "vault.sqlite", key_file=folder / "key" / "vault.key")
except VaultError as error:
    print(error)
"""


@pytest.mark.parametrize("what", ["folder", "file"])
def test_p8_a_read_only_folder_can_be_read_and_says_what_cannot_be_written(what: str) -> None:
    with tempfile.TemporaryDirectory(prefix="clio-read-only-") as folder:  # where every user may go
        environment = {**os.environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
        environment |= {"XDG_CONFIG_HOME": f"{folder}/config", "XDG_DATA_HOME": f"{folder}/data"}
        child = subprocess.run(
            [sys.executable, "-c", CHILD, folder, what], env=environment, capture_output=True, text=True, check=False
        )
        Path(folder).chmod(0o700)
    assert child.returncode == 0, child.stderr
    before, *refused, after, no_key = child.stdout.splitlines()
    assert (before, after) == ("[('Anna', 'kept')]", "[7]")
    assert all("cannot be" in sentence and "another path" in sentence for sentence in refused), refused
    assert "there is no key for it here" in no_key  # and none is made beside it


# A full disk while a token rotates.


@pytest.mark.clio_sandbox(assumptions=Assumptions(refresh_rotates=True))
def test_o7_a_full_disk_while_a_token_rotates_costs_no_token(
    clio_sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vault = Vault.open(tmp_path / "vault.sqlite")
    granted = clio_sandbox.token(clio_sandbox.users[0].id)
    user, old = filling_its_page(
        vault, clio_sandbox, Token(access=Secret("x"), refresh=Secret(granted["refresh_token"]))
    )
    source, pages = (
        vault.source(clio_sandbox, user.id),
        [1],
    )  # no more than there are, which SQLite takes for a full disk

    @sa.event.listens_for(vault.database._engine, "begin")
    def _limit(database: sa.Connection) -> None:
        database.exec_driver_sql(f"PRAGMA max_page_count = {pages[-1]}")

    new = loop.run(source.renew, old)
    assert "kept in memory only" in caplog.text
    assert "the disk is full" in caplog.text
    assert loop.run(source.current) == new
    newer = loop.run(source.renew, new)
    grant = Vault.open(tmp_path / "vault.sqlite").grant(clio_sandbox, user.id)
    assert grant is not None
    assert grant.token == old
    pages.append(1_000_000)
    newest = loop.run(source.renew, newer)
    grant = Vault.open(tmp_path / "vault.sqlite").grant(clio_sandbox, user.id)
    assert grant is not None
    assert grant.token == newest
    assert clio_sandbox.oauth_requests[-1]["status"] == 200


def filling_its_page(vault: Vault, site: Sandbox, old: Token) -> tuple[User, Token]:
    """Keep a token in a row that leaves no room in its page for a longer one."""
    for length in range(2000, 4000, 8):
        user = User(id=site.users[0].id, name="x" * length)
        if len(vault.sealed._row(firm_key_of(site, "default"), Grant(user, old)).sealed) > 3900:
            vault.keep(site, user, old)
            return user, old
    raise AssertionError("no such length")


@pytest.mark.clio_sandbox(assumptions=Assumptions(refresh_rotates=True))
@pytest.mark.parametrize("failing", ["lease", "release", "swap"])
def test_o7_a_store_that_fails_at_any_step_of_a_rotation_spends_no_token_for_nothing(
    clio_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    vault = Vault.open(tmp_path / "vault.sqlite")
    granted = clio_sandbox.token(clio_sandbox.users[0].id)
    old = Token(access=Secret(granted["access_token"]), refresh=Secret(granted["refresh_token"]))
    vault.keep(clio_sandbox, User(id=clio_sandbox.users[0].id), old)
    source = vault.source(clio_sandbox, clio_sandbox.users[0].id)

    def full(*_: object) -> bool:
        raise VaultError("the disk is full")

    sent = len(clio_sandbox.oauth_requests)
    with monkeypatch.context() as on_a_full_disk:
        on_a_full_disk.setattr(vault.sealed.store, failing, full)
        if failing == "lease":
            with pytest.raises(VaultError, match="the disk is full"):
                loop.run(source.renew, old)
            assert len(clio_sandbox.oauth_requests) == sent
            return
        new = loop.run(source.renew, old)
    assert new != old
    assert loop.run(source.renew, new) != new
    assert len(clio_sandbox.oauth_requests) == sent + 2


# PostgreSQL that restarts under load, with and without a pooler in front.


class Load:
    """A user whose token is renewed again and again, in a thread: what was written, and what went wrong."""

    def __init__(self, vault: Vault, user_id: int) -> None:
        self.vault, self.user = vault, User(id=user_id)
        self.written, self.tried, self.errors = 0, 0, list[BaseException]()
        self._end, self._thread = threading.Event(), threading.Thread(target=self._run)
        self._moved = threading.Condition()
        self._thread.start()

    def _run(self) -> None:
        while not self._end.is_set():
            self.tried += 1
            try:
                self.vault.keep(SITE, self.user, token(self.tried))
                found = self.vault.grant(SITE, self.user.id)
                assert found is not None
                assert found.token == token(self.tried)
            except BaseException as error:  # noqa: BLE001 -- looked at by the test
                self.errors.append(error)
            else:
                with self._moved:
                    self.written = self.tried
                    self._moved.notify_all()

    def wait_for(self, more: int) -> None:
        with self._moved:
            before = self.written
            assert self._moved.wait_for(lambda: self.written >= before + more, timeout=120)

    def end(self) -> None:
        self._end.set()
        self._thread.join()


RESTARTS = [
    pytest.param(way, how, marks=[] if (way == "direct") is (how == "immediate") else pytest.mark.long)
    for way in ("direct", "pooler")
    for how in ("fast", "immediate")
]


@pytest.mark.parametrize(("way", "how"), RESTARTS)
def test_a_postgresql_that_restarts_under_load_loses_nothing_and_goes_on(cluster: Cluster, how: str, way: str) -> None:
    with contextlib.ExitStack() as running:
        through = running.enter_context(cluster.pooled()) if way == "pooler" else lambda url: url
        vault = Vault.open(through(cluster.new()))
        running.callback(vault.close)
        loads = [Load(vault, number) for number in range(1, 7)]
        for load in loads:
            running.callback(load.end)
        for _ in range(2):
            for load in loads:
                load.wait_for(5)
            cluster.stop(how)
            cluster.start()
        for load in loads:
            load.wait_for(5)
        for load in loads:
            load.end()
        for load in loads:
            assert {type(error) for error in load.errors} <= {VaultError}
            assert all("not-shown" not in str(error) and str(error).count("\n") == 0 for error in load.errors)
            found = vault.grant(SITE, load.user.id)
            assert found is not None
            assert found.token == token(load.written)


@pytest.mark.parametrize("when", ["before the change", "before the commit"])
def test_whether_a_change_was_made_is_said_as_far_as_it_is_known(cluster: Cluster, when: str) -> None:
    vault = Vault.open(cluster.new())
    vault.keep(SITE, User(id=1), token(1))

    def changed() -> None:
        with vault.database.transaction(write=True) as database:
            backend = database.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
            table = sa.text("UPDATE clio_nb_grants SET problem = 'expired'")
            if when == "before the commit":
                database.execute(table)
            cluster.execute(f"SELECT pg_terminate_backend({backend}, 10000)")
            if when == "before the change":
                database.execute(table)

    with pytest.raises(VaultError) as error:
        changed()
    said = "Nothing was changed" if when == "before the change" else "whether it was is not known"
    assert said in str(error.value)
    found = vault.grant(SITE, 1)  # a new connection
    assert found is not None
    assert not found.problem
    vault.close()
