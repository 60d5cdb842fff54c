"""What holds for every test: no deadline on a busy machine, and no options of this run for the runs inside tests.

And a PostgreSQL of our own on a free port, for those that ask for it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import keyring.backends.fail
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("long", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("clio_nb", settings.get_profile("long"), max_examples=30)
settings.load_profile("clio_nb")


@pytest.fixture(scope="session", autouse=True)
def no_options_of_this_run() -> Iterator[None]:
    """A fixture and not a line of this module: that would take them from the workers of this run, too."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("PYTEST_ADDOPTS", raising=False)
        yield


_numbers = itertools.count()


class Cluster:
    """A private PostgreSQL in a temporary folder."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries, self._folder = binaries, folder
        self._user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.port = _free_port()
        self._run("initdb", "-D", str(folder / "data"), "-U", "clio", "-A", "trust", "--no-sync")
        self.start()

    def new(self) -> str:
        """Make a database; return its address."""
        name = f"clio{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as admin:
            done = admin.execute(statement)  # type: ignore[call-overload]
            return done.fetchall() if done.description else []

    @contextlib.contextmanager
    def pooled(self) -> Iterator[Callable[[str], str]]:
        """Run a pgbouncer in front, which gives a connection for each transaction; give what turns an address to it."""
        program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            pytest.skip("pgbouncer is not installed on this machine")
        port = _free_port()
        (self._folder / "users").write_text('"clio" ""')
        (self._folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={self.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {self._folder}/users\n"
            f"pool_mode = transaction\ndefault_pool_size = 4\n"
            f"server_login_retry = 1\nlogfile = {self._folder}/pgbouncer.log\n"
        )
        with subprocess.Popen([*self._user, program, "-q", str(self._folder / "pgbouncer.ini")]) as pooler:
            try:
                _answering(port)
                yield lambda url: url.replace(f":{self.port}/", f":{port}/")
            finally:
                pooler.terminate()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://clio:not-shown@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run(
            "pg_ctl", "-D", str(self._folder / "data"), "-o", options, "-l", str(self._folder / "log"), "-w", "start"
        )

    def stop(self, how: str = "immediate") -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", how, "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._user, str(self._binaries / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self._folder, timeout=120)


def _answering(port: int) -> None:
    """Wait until somebody answers on a port."""
    until = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=60).close()
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def postgresql() -> Iterator[Cluster]:
    """Run a cluster. Raises LookupError that says what is missing on this machine."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(found[-1]) if found else None)
    if initdb is None:
        raise LookupError("PostgreSQL is not installed on this machine (no initdb)")
    folder = Path(tempfile.mkdtemp(prefix="clio-pg-"))
    if os.geteuid() == 0:
        import pwd

        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            raise LookupError("PostgreSQL refuses to run as root, and there is no user postgres") from None
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    cluster = Cluster(Path(initdb).parent, folder)
    try:
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    pytest.importorskip("psycopg", reason="the PostgreSQL driver is not installed (extra: postgres)")
    with contextlib.ExitStack() as running:
        try:
            cluster = running.enter_context(postgresql())
        except LookupError as missing:
            pytest.skip(str(missing))
        yield cluster


@pytest.fixture
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have neither this process nor its children find a keyring: keyring chooses its backend once for a process."""
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    yield
    keyring.set_keyring(before)
