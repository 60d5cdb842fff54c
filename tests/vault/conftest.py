"""A keyring that holds nothing of this machine, and a PostgreSQL of our own on a free port."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest


class Keyring(keyring.backend.KeyringBackend):
    """A keyring in memory; ``works = False`` makes it one that cannot be used."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.works = True
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        self._check()
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._check()
        self.entries[service, username] = password

    def _check(self) -> None:
        if not self.works:
            raise keyring.errors.NoKeyringError


@pytest.fixture(autouse=True)
def os_keyring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Keyring]:
    before, ours = keyring.get_keyring(), Keyring()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))  # where the lock of the keyring lies
    monkeypatch.delenv("CLIO_NB_KEY", raising=False)
    keyring.set_keyring(ours)
    yield ours
    keyring.set_keyring(before)


@pytest.fixture
def no_keyring(os_keyring: Keyring) -> None:
    os_keyring.works = False


class Cluster:
    """A private PostgreSQL in a temporary folder."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries, self._folder = binaries, folder
        self._user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._run("initdb", "-D", str(folder / "data"), "-U", "clio", "-A", "trust", "--no-sync")
        self.start()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://clio:not-shown@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run(
            "pg_ctl", "-D", str(self._folder / "data"), "-o", options, "-l", str(self._folder / "log"), "-w", "start"
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._user, str(self._binaries / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self._folder, timeout=120)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    pytest.importorskip("psycopg", reason="the PostgreSQL driver is not installed (extra: postgres)")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(found[-1]) if found else None)
    if initdb is None:
        pytest.skip("PostgreSQL is not installed on this machine (no initdb)")
    folder = Path(tempfile.mkdtemp(prefix="clio-pg-"))
    if os.geteuid() == 0:
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL refuses to run as root, and there is no user postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    cluster = Cluster(Path(initdb).parent, folder)
    yield cluster
    cluster.stop()
    shutil.rmtree(folder)
