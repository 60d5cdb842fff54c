"""However often a vault or its lock file is opened, by one process or by many, nothing is lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clio_nb.database import _private_files
from clio_nb.database._private_files import locked, private_file
from clio_nb.errors import VaultError
from clio_nb.ledger.records import NewRun
from clio_nb.models import App, Token, User
from clio_nb.secret import Secret
from clio_nb.vault import Vault, new_key
from clio_nb.vault.vault import firm_key_of
from clio_nb.vocabulary import Region

from ..started import Started

SITE = App(Region.US, "app-1", Secret("hush"))
SHELF = firm_key_of(SITE, "default")
ACCOUNT = 5

HEAD = f"""
import sqlite3, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.vault.test_locks import *
path = Path(sys.argv[1])
"""


@pytest.fixture(autouse=True)
def one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")


def another_process(path: Path, program: str) -> str:
    process = Started(HEAD + program, str(path))
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out.strip()


def begin(vault: Vault) -> str:
    return vault.ledger.begin(SHELF.app, ACCOUNT, NewRun("owner", "partner", "plan"), [])[0]


def runs_in(vault: Vault) -> list[str]:
    return [run.run for run in vault.ledger.runs(SHELF.app, ACCOUNT)]


def keep(vault: Vault, *numbers: int) -> None:
    for number in numbers:
        vault.keep(SITE, User(id=number), Token(access=Secret(f"token-{number}")))


def kept(vault: Vault) -> list[int]:
    return [grant.user.id for grant in vault.grants(SITE)]


def sound(path: Path) -> bool:
    database = sqlite3.connect(path)
    try:
        return bool(database.execute("PRAGMA integrity_check").fetchone() == ("ok",))
    finally:
        database.close()


def same(path: Path) -> Path:
    return path


def around(path: Path) -> Path:
    return path.parent / "x" / ".." / path.name


def through_a_link(path: Path) -> Path:
    above = path.parent.parent / "link"
    if not above.is_symlink():
        above.symlink_to(path.parent.parent, target_is_directory=True)
    return above / path.parent.name / path.name


spelled = pytest.mark.parametrize("again", [same, around, through_a_link])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "data" / "x").mkdir(parents=True)
    return tmp_path / "data" / "kept.sqlite"


@spelled
def test_p1_a_vault_opened_twice_here_and_once_elsewhere_loses_nothing(
    path: Path, again: Callable[[Path], Path]
) -> None:
    first = Vault.open(path)
    keep(first, 1, 2)
    second = Vault.open(again(path))
    another_process(path, "vault = Vault.open(path); assert kept(vault) == [1, 2]; vault.close()")
    keep(first, 3)
    keep(second, 4)
    another_process(path, "vault = Vault.open(path); keep(vault, 5); vault.close()")
    keep(first, 6)
    assert kept(first) == kept(second) == [1, 2, 3, 4, 5, 6]
    first.close()
    second.close()
    assert another_process(path, "print(kept(Vault.open(path)))") == "[1, 2, 3, 4, 5, 6]"
    assert sound(path)


@pytest.mark.parametrize(
    "again", [through_a_link, *(pytest.param(one, marks=pytest.mark.long) for one in (same, around))]
)
def test_p1_a_ledger_opened_twice_here_and_once_elsewhere_loses_no_run(
    path: Path, again: Callable[[Path], Path]
) -> None:
    first = Vault.open(path)
    runs = [begin(first)]
    second = Vault.open(again(path))
    another_process(path, "vault = Vault.open(path); assert len(runs_in(vault)) == 1; vault.close()")
    runs += [begin(first), begin(second)]
    runs.append(another_process(path, "vault = Vault.open(path); print(begin(vault)); vault.close()"))
    runs.append(begin(second))
    assert set(runs_in(first)) == set(runs)
    first.close()
    second.close()
    assert another_process(path, "print(len(runs_in(Vault.open(path))))") == "5"
    assert sound(path)


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
def test_p1_a_file_that_is_there_is_tightened_without_being_opened(
    path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.touch()
    wide = path.with_name(path.name + suffix)
    wide.touch(mode=0o644)
    wide.chmod(0o644)

    def opened(*_: object, **__: object) -> int:
        raise AssertionError("a database file was opened beside SQLite")

    monkeypatch.setattr(os, "open", opened)
    assert private_file(path) == path
    assert wide.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal", ".lock"])
@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_p1_what_is_no_file_of_its_own_is_refused_and_left(path: Path, tmp_path: Path, suffix: str, kind: str) -> None:
    odd = path.with_name(path.name + suffix)
    if kind == "link":
        (tmp_path / "precious").write_text("precious")
        odd.symlink_to(tmp_path / "precious")
    elif kind == "fifo":
        os.mkfifo(odd)
    else:
        odd.mkdir()
    refused = pytest.raises(VaultError, match="symbolic link" if kind == "link" else "not a regular file")
    with refused, locked(path):
        keep(Vault.open(path), 1)
    assert kind != "link" or (tmp_path / "precious").read_text() == "precious"


def test_p1_threads_that_open_while_another_creates_all_write_and_lose_nothing(path: Path) -> None:
    start = threading.Barrier(8)

    def one(number: int) -> None:
        start.wait()
        keep(Vault.open(path), number, number + 100)
        begin(Vault.open(path))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(one, range(1, 9)))
    assert kept(Vault.open(path)) == [*range(1, 9), *range(101, 109)]
    assert len(runs_in(Vault.open(path))) == 8
    assert sound(path)
    assert not [file for file in path.parent.iterdir() if file.suffix == ".new"]


def test_p1_processes_that_create_at_once_all_write_and_lose_nothing(path: Path) -> None:
    program = HEAD + "print('ready', flush=True); n = int(sys.stdin.readline()); keep(Vault.open(path), n, n + 100)"
    processes = [Started(program, str(path)) for _ in range(3)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 3
    for number, process in enumerate(processes, 1):
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0] * 3
    assert kept(Vault.open(path)) == [1, 2, 3, 101, 102, 103]


@pytest.mark.parametrize("verb", ["link", "unlink"])
def test_p1_a_process_killed_while_it_makes_the_file_leaves_nothing_in_the_way(path: Path, verb: str) -> None:
    program = f"""
import os, signal
def killed(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
os.{verb} = killed
Path.unlink = killed if {verb!r} == "unlink" else Path.unlink
Vault.open(path)
"""
    killed = Started(HEAD + program, str(path))
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert path.exists() == (verb == "unlink")
    keep(Vault.open(path), 1)
    assert kept(Vault.open(path)) == [1]


@pytest.mark.parametrize("there", [False, True])
def test_p1_where_there_are_no_hard_links_a_file_is_made_and_never_overwritten(
    path: Path, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_: Path, to: Path) -> None:
        if there:
            to.write_text("somebody else's")
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(_private_files.os, "link", unknown)
    private_file(path)
    assert path.read_text() == ("somebody else's" if there else "")
    assert [file.name for file in path.parent.iterdir() if file.is_file()] == [path.name]


@pytest.mark.parametrize("kind", [Vault.open, lambda path: begin(Vault.open(path))])
def test_p1_a_file_that_is_swapped_between_the_look_and_sqlite_is_not_used(
    path: Path, kind: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def swapped(*arguments: object, **options: object) -> sqlite3.Connection:
        path.rename(path.with_name("moved"))
        path.touch(mode=0o600)
        return connect(*arguments, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(_private_files.sqlite3, "connect", swapped)
    with pytest.raises(VaultError, match="is gone or was replaced"):
        kind(path)
    assert path.stat().st_size == 0


@pytest.mark.parametrize("moved_back", [False, True])
def test_p1_a_ledger_that_was_moved_is_not_written_to_nowhere(path: Path, moved_back: bool) -> None:
    vault = Vault.open(path)
    begin(vault)
    path.rename(path.with_name("moved"))
    with pytest.raises(VaultError, match="is gone or was replaced"):
        begin(vault)
    if moved_back:
        path.with_name("moved").rename(path)
        begin(vault)
        assert len(runs_in(vault)) == 2
