"""A forked child ends by itself, may use the library itself, and takes nothing from its parent.

Each parent is a script in a process of its own: a fork belongs into no process that has other things to do.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from clio_nb.vault import new_key

from ..conftest import Cluster

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

HEAD = """
import asyncio, atexit, multiprocessing, os, signal, sqlite3, sys, threading
from pathlib import Path
import clio_nb
from clio_nb.http import loop as portal
from clio_nb.firm import Firm
from clio_nb.sandbox import Sandbox
from clio_nb.vault import Vault

where = sys.argv[1]
place = where if "://" in where else Path(where)
folder = Path(sys.argv[2])
PATIENCE = 60

def ended(child):
    "Wait for a child; one that never ends is killed and told of."
    over = threading.Timer(PATIENCE, os.kill, (child, signal.SIGKILL))
    over.daemon = True
    over.start()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    over.cancel()
    return code

def used(**options):
    "A firm with everything in use: loop, connections, pools, executor threads, ledger."
    site = Sandbox(rate_limit=1_000_000, **options)  # not to wait for a budget
    firm = Firm(site, Vault.open(place))
    firm.sign_in_everyone()
    firm.users()
    assert works(firm)
    return site, firm

def works(firm):
    "Whether every part of it answers."
    firm.users()
    session = firm.session_of(firm.site.users[0].id) if isinstance(firm.site, Sandbox) else None
    assert session is None or isinstance(session.list_actions(), list)
    grant = next(firm.vault.grants(firm.site))
    firm.vault.keep(firm.site, grant.user, grant.token)
    return len(firm.runs()) == 0
"""

ENDS = {
    "sys.exit": "sys.exit(0)",
    "the end of the script": "pass",
    "os._exit": "os._exit(0)",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    if request.param == "sqlite":
        return str(tmp_path / "vault.sqlite")
    cluster: Cluster = request.getfixturevalue("cluster")
    with psycopg.connect(cluster.url(), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS forked WITH (FORCE)")
        admin.execute("CREATE DATABASE forked")
    return cluster.url("forked")


only_sqlite = pytest.mark.parametrize("place", ["sqlite"], indirect=True)


def run(program: str, place: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", HEAD + program, place, str(folder)],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("place", "end"),
    [
        pytest.param(place, end, marks=[] if (place, end) == ("sqlite", "sys.exit") else pytest.mark.long)
        for place in ("sqlite", "postgresql")
        for end in ENDS
    ],
    indirect=["place"],
)
def test_p6_a_child_that_does_nothing_ends_by_itself_and_the_parent_goes_on(
    place: str, tmp_path: Path, end: str
) -> None:
    program = f"""
site, firm = used()
child = os.fork()
if child == 0:
    {ENDS[end]}
else:
    assert ended(child) == 0
    assert works(firm)
    print("parent is well")
"""
    assert run(program, place, tmp_path).splitlines().count("parent is well") == 1


@pytest.mark.parametrize(
    "end", ["sys.exit", *(pytest.param(end, marks=pytest.mark.long) for end in ENDS if end != "sys.exit")]
)
def test_p6_a_child_uses_the_library_itself_and_ends_while_the_parent_goes_on(
    place: str, tmp_path: Path, end: str
) -> None:
    program = f"""
site, firm = used()
child = os.fork()
if child == 0:
    assert works(firm)
    assert asyncio.run(firm.aio.users()) is not None
    {ENDS[end]}
else:
    for _ in range(5):
        assert works(firm)
    assert ended(child) == 0
    assert works(firm)
    print("parent is well")
"""
    assert run(program, place, tmp_path).splitlines().count("parent is well") == 1


@only_sqlite
def test_p6_a_child_that_ends_by_an_exception_ends(place: str, tmp_path: Path) -> None:
    program = """
site, firm = used()
child = os.fork()
if child == 0:
    sys.stderr.close()
    raise KeyError("x")
assert ended(child) == 1
assert works(firm)
"""
    run(program, place, tmp_path)


@only_sqlite
def test_p6_a_child_of_a_child_uses_the_library_and_all_three_end(place: str, tmp_path: Path) -> None:
    program = """
site, firm = used()
child = os.fork()
if child == 0:
    assert works(firm)
    grandchild = os.fork()
    if grandchild == 0:
        assert works(firm)
        sys.exit(7)
    assert ended(grandchild) == 7
    assert works(firm)
    sys.exit(3)
assert ended(child) == 3
assert works(firm)
"""
    run(program, place, tmp_path)


def test_p6_a_fork_from_a_thread_while_the_loop_is_at_work_ends(place: str, tmp_path: Path) -> None:
    program = """
site, firm = used()
over = threading.Event()
failed = []

def busy():
    while not over.is_set():
        try:
            works(firm)
        except BaseException as error:
            failed.append(error)
            raise

threads = [threading.Thread(target=busy) for _ in range(2)]
for thread in threads:
    thread.start()
codes = []

def forking():
    for _ in range(4):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if works(firm) else 2
            finally:
                os._exit(code)
        codes.append(ended(child))

forker = threading.Thread(target=forking)
forker.start()
forker.join()
over.set()
for thread in threads:
    thread.join()
assert codes == [0] * 4, codes
assert not failed
assert works(firm)
"""
    run(program, place, tmp_path)


@only_sqlite
def test_p6_a_child_of_multiprocessing_uses_the_library(place: str, tmp_path: Path) -> None:
    program = """
site, firm = used()
context = multiprocessing.get_context("fork")

def work(queue):
    queue.put(works(firm))

queue = context.SimpleQueue()
processes = [context.Process(target=work, args=(queue,)) for _ in range(3)]
for process in processes:
    process.start()
for process in processes:
    process.join(PATIENCE)
assert [process.exitcode for process in processes] == [0] * 3
assert [queue.get() for _ in processes] == [True] * 3
with context.Pool(2) as pool:
    assert pool.map(abs, [-1, -2]) == [1, 2]
assert works(firm)
"""
    run(program, place, tmp_path)


@only_sqlite
def test_p6_workers_of_a_preloaded_app_serve_and_end_when_they_are_told(place: str, tmp_path: Path) -> None:
    """As ``gunicorn --preload``: the app is loaded and used once, then workers are forked and later told to end."""
    program = """
site, firm = used()
ready, workers = [], []
for _ in range(3):
    reading, writing = os.pipe()
    worker = os.fork()
    if worker == 0:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        assert works(firm)
        os.write(writing, b"x")
        while True:
            signal.pause()
    workers.append(worker)
    assert os.read(reading, 1) == b"x"
assert works(firm)
for worker in workers:
    os.kill(worker, signal.SIGTERM)
assert [ended(worker) for worker in workers] == [0] * 3
assert works(firm)
"""
    run(program, place, tmp_path)


@only_sqlite
@pytest.mark.parametrize("end", ["sys.exit(0)", pytest.param("pass", marks=pytest.mark.long)])
def test_p6_a_child_stops_neither_the_sandbox_nor_the_inbox_of_its_parent(place: str, tmp_path: Path, end: str) -> None:
    program = f"""
from clio_nb.launches.inbox import inbox
with Sandbox(rate_limit=None, db=folder / "clio.db") as site:
    firm = Firm(site)
    firm.sign_in_everyone()
    session = firm.session_of(site.users[0].id)
    with inbox(site, firm) as box:
        child = os.fork()
        if child == 0:
            {end}
        else:
            assert ended(child) == 0
            session.create_action("Try", box.url, at="matters")
            import httpx
            url = site.click_on(site.users[0].id, box.url)
            assert httpx.get(url, follow_redirects=True).status_code == 200
            assert len(box) == 1
            child = -1
    if child == -1:
        assert (folder / "clio.db-wal").exists()
if child == -1:
    with Sandbox(db=folder / "clio.db") as again:
        assert len(again.users)
    print("parent is well")
"""
    assert run(program, place, tmp_path).splitlines().count("parent is well") == 1


@only_sqlite
def test_p6_a_childs_connections_to_clio_are_its_own(place: str, tmp_path: Path) -> None:
    """The parent's stay open and registered, whatever the child does and however it ends."""
    program = """
site, firm = used()
def ports():
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found
before = ports()
child = os.fork()
if child == 0:
    assert works(firm)
    sys.exit(0)
assert ended(child) == 0
assert works(firm)
assert before <= ports(), "the parent's connections are the same ones as before"
"""
    if not Path("/proc/self/fd").exists():
        pytest.skip("this system has no /proc")
    run(program, place, tmp_path)


@only_sqlite
def test_p6_a_renewal_under_way_in_the_parent_holds_no_child_up(place: str, tmp_path: Path) -> None:
    program = """
from clio_nb.http import tokens
from clio_nb.login import login
from clio_nb.models import Token
site, firm = used()
parent, entered, go = os.getpid(), threading.Event(), threading.Event()
refresh = tokens.refresh

async def slowly(*arguments):
    if os.getpid() == parent:
        entered.set()
        await asyncio.to_thread(go.wait)
    return await refresh(*arguments)

tokens.refresh = slowly
session = login(site, site.users[0].id)
stale = portal.run(session.aio.token)
under_way = portal.submit(session.aio.renew, stale)
assert entered.wait(PATIENCE)
child = os.fork()
if child == 0:
    assert portal.run(session.aio.renew, stale) != stale
    sys.exit(0)
assert ended(child) == 0
go.set()
assert under_way.result(PATIENCE) != stale
"""
    run(program, place, tmp_path)


@only_sqlite
def test_p6_what_parent_and_children_write_at_the_same_time_is_all_there(place: str, tmp_path: Path) -> None:
    program = """
from clio_nb.models import Token, User
from clio_nb.secret import Secret
site, firm = used()
def keep(first):
    for number in range(first, first + 20):
        firm.vault.keep(site, User(id=number), Token(access=Secret("t")), firm="many")
children = []
for number in range(1, 4):
    child = os.fork()
    if child == 0:
        keep(number * 100)
        sys.exit(0)
    children.append(child)
keep(1000)
assert [ended(child) for child in children] == [0] * 3
firm.vault.close()
assert len(list(firm.vault.grants(site, firm="many"))) == 80
database = sqlite3.connect(place)
assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
"""
    run(program, place, tmp_path)
