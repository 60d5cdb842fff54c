"""Several processes on one ledger, also killed ones, forked ones and ones whose clock is wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from clio_nb.database import schema
from clio_nb.database.database import Database
from clio_nb.ledger.ledger import Ledger
from clio_nb.ledger.records import Ended, Intent, NewRun, Outcome, Release, Take
from clio_nb.models import App, Token, User
from clio_nb.secret import Secret
from clio_nb.vault import Vault, new_key
from clio_nb.vault.vault import firm_key_of
from clio_nb.vocabulary import Region

from ..conftest import Cluster
from .conftest import (
    ACCOUNT,
    ANNA,
    APP,
    BEN,
    action,
    address,
    begun,
    change,
    create,
    make,
    on_postgresql,
    shared,
    wrote,
)
from .test_schema import HEAD, process

SITE = App(Region.US, "app-1", Secret("hush"))


@pytest.fixture(autouse=True)
def one_key(monkeypatch: pytest.MonkeyPatch, no_keyring: None) -> None:
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())


START = """
import time
from clio_nb.database.database import Database
ledger = Ledger(Database(place))
ledger.runs(APP, ACCOUNT)
print("ready", flush=True)
sys.stdin.readline()
"""


def at_once(where: Path | Secret, program: str, count: int) -> list[str]:
    """Let so many processes run a program at the same moment; return what each says. Its number is ``sys.argv[2]``."""
    several = [process(where, START + program, str(number)) for number in range(count)]
    for each in several:
        assert each.stdout.readline() == "ready\n", each.communicate()
    for each in several:
        each.stdin.write("\n")
        each.stdin.flush()
    ends = [each.communicate(timeout=120) for each in several]
    assert [err for _, err in ends] == [""] * count
    return [out.strip() for out, _ in ends]


@shared
def test_p2_of_processes_that_take_a_user_at_once_one_has_her(where: Path | Secret, ledger: Ledger) -> None:
    make(ledger, create())
    said = at_once(where, "print([ledger.write(APP, [Take(user, sys.argv[2])])[0] for user in range(20)])", 2)
    taken = [eval(text) for text in said]  # noqa: S307 -- a list of ours
    assert [sum(pair) for pair in zip(*taken, strict=True)] == [1] * 20


@pytest.mark.parametrize("where", ["postgresql", pytest.param("sqlite", marks=pytest.mark.long)], indirect=True)
def test_of_eight_processes_that_claim_at_once_one_gets_it(where: Path | Secret, ledger: Ledger) -> None:
    assert ledger.runs(APP, ACCOUNT) == []
    said = at_once(where, "print([ledger.claim('nonce', bytes([n]), 60) for n in range(10)])", 8)
    assert [sum(each) for each in zip(*(eval(text) for text in said), strict=True)] == [1] * 10  # noqa: S307


BETWEEN = ("begun", "taken", "sent", "ended", "released")


@shared
@pytest.mark.parametrize("last", BETWEEN)
def test_p2_a_process_killed_between_two_statements_leaves_what_a_successor_needs(
    where: Path | Secret, ledger: Ledger, database: Database, last: str
) -> None:
    program = """
steps = {"begun": [], "taken": [Take(ANNA, "dead")]}
run = begun(ledger, create(), create(key="two"), owner="dead")
steps["sent"] = [Intent(run, 0, ANNA, "dead")]
steps["ended"] = [Ended(run, 0, ANNA, "dead", Outcome.DONE, "", create(), action())]
steps["released"] = [Release(ANNA, "dead")]
for name, changes in steps.items():
    assert all(ledger.write(APP, changes))
    if name == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
"""
    assert ledger.runs(APP, ACCOUNT) == []
    killed = process(where, START + program, last)
    killed.communicate("\n", timeout=60)
    assert killed.returncode == -signal.SIGKILL
    done = BETWEEN.index(last)
    (run,) = ledger.runs(APP, ACCOUNT)
    assert run.finished is None
    assert [each.outcome for each in ledger.entries(APP, ACCOUNT)] == [
        ["planned", "planned", "sent", "done", "done"][done],
        "planned",
    ]
    known = ledger.known(APP, ACCOUNT).of(ANNA)
    assert (bool(known.lost), bool(known.owned)) == (last == "sent", done >= 3)
    assert wrote(ledger, Take(ANNA, "b")) == [last in ("begun", "released")]
    if last in ("taken", "sent", "ended"):
        with database.transaction(write=True) as connection:
            now = connection.execute(sa.select(database.now())).scalar_one()
        change(database, schema.users, "lease_until", now - 0.01)
        assert wrote(ledger, Take(ANNA, "b")) == [True]
    begun(ledger, owner="b", seen={ANNA: ledger.known(APP, ACCOUNT, [ANNA]).of(ANNA).writes})
    assert not ledger.known(APP, ACCOUNT).of(ANNA).lost
    again, number = ledger.begin(APP, ACCOUNT, NewRun("b", "partner", "plan", run=run.run), [create(key="two")])
    assert again == run.run
    assert wrote(ledger, Intent(again, number, ANNA, "b")) == [True]


@shared
def test_p2_a_process_killed_inside_a_transaction_has_written_nothing_of_it(
    where: Path | Secret, ledger: Ledger
) -> None:
    run = begun(ledger, create(), owner="dead")
    program = """
left = [3]
def killing(*_):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
sa.event.listen(sa.Engine, "after_cursor_execute", killing)
ledger.write(APP, [Take(ANNA, "dead"), Intent(sys.argv[2], 0, ANNA, "dead")])
"""
    killed = process(where, START + program, run)
    killed.communicate("\n", timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert wrote(ledger, Take(ANNA, "b")) == [True]
    assert ledger.entries(APP, ACCOUNT)[0].outcome == "planned"


@shared
@pytest.mark.parametrize("hours", [-5, 5])
def test_p2_the_clock_of_the_database_counts_and_not_the_process(
    where: Path | Secret, ledger: Ledger, hours: int
) -> None:
    run = begun(ledger, create(), owner="b")
    wrote(ledger, Take(ANNA, "a"))
    program = """
right = time.time
time.time = lambda: right() + int(sys.argv[2].split()[0]) * 3600
time.monotonic = lambda: right() + int(sys.argv[2].split()[0]) * 3600
run = sys.argv[2].split()[1]
print(ledger.write(APP, [Take(ANNA, "b"), Take(BEN, "b"), Intent(run, 0, ANNA, "b")]), ledger.claim("n", b"x", 60))
"""
    wrong = process(where, START + program, f"{hours} {run}")
    out, err = wrong.communicate("\n", timeout=60)
    assert out == "ready\n[False, True, False] True\n", err
    assert wrote(ledger, Take(BEN, "a"), Take(ANNA, "a")) == [False, True]
    assert not ledger.claim("n", b"x", 60)


@on_postgresql
def test_all_of_it_works_through_a_pooler_that_gives_a_connection_for_each_transaction(
    where: Secret, cluster: Cluster
) -> None:
    with cluster.pooled() as through:
        vaults = [Vault.open(through(where.reveal())) for _ in range(3)]
        for turn in range(12):  # more often than a driver waits before it prepares a statement
            for number, vault in enumerate(vaults):
                user = User(id=100 * turn + number)
                vault.keep(SITE, user, Token(access=Secret(f"at-{turn}")))
                run = begun(vault.ledger, create(user.id), owner=str(number))
                done = Ended(run, 0, user.id, str(number), Outcome.DONE, "", create(user.id), action(1000 + user.id))
                steps = (Take(user.id, str(number)), Intent(run, 0, user.id, str(number)), done)
                assert all(wrote(vault.ledger, *steps, Release(user.id, str(number))))
                assert vault.ledger.claim("nonce", str(user.id).encode(), 60)
                vault.ledger.extend([str(number)])
        assert len(vaults[0].ledger.known(APP, ACCOUNT).user_ids) == 36
        assert len(list(vaults[0].grants(SITE))) == 36
        for vault in vaults:
            vault.close()


def test_two_vaults_in_memory_are_two_memories_that_threads_share_each() -> None:
    one, two = Vault(), Vault()
    begin = threading.Barrier(4)

    def work(number: int) -> None:
        begin.wait()
        for user_id in range(number * 100, number * 100 + 25):
            one.keep(SITE, User(id=user_id), Token(access=Secret("at")))
            one.ledger.write(APP, [Take(user_id, "a")])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(one.grants(SITE))) == 100
    assert list(two.grants(SITE)) == []
    assert two.ledger.write(APP, [Take(100, "b")]) == [True]
    assert one.ledger.write(APP, [Take(100, "b")]) == [False]
    one.close()
    assert len(list(one.grants(SITE))) == 100


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system has no /proc")
@pytest.mark.parametrize("where", ["sqlite", "postgresql"], indirect=True)
def test_p8_a_thousand_firms_of_one_vault_share_one_pool(where: Path | Secret) -> None:
    vault = Vault.open(where)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(1000):
        name = f"firm-{number}"
        if number % 50 == 0:
            vault.keep(SITE, User(id=number), Token(access=Secret("at")), firm=name)
        assert vault.ledger.firm_id(firm_key_of(SITE, name)) is None
        assert (vault.grant(SITE, number, firm=name) is not None) == (number % 50 == 0)
    assert len(list(Path("/proc/self/fd").iterdir())) - before <= 6
    vault.close()


@shared
def test_p8_whose_firms_a_user_is_of_is_found_by_an_index(where: Path | Secret) -> None:
    vault = Vault.open(where)
    with vault.database.transaction(write=True) as connection:
        row = {"sealed": b"", "version": 1, "problem": "", "site": "us", "client_id": "app-1"}
        rows = [{**row, "firm": f"firm-{n}", "user_id": u} for n in range(400) for u in range(5 * n, 5 * n + 6)]
        connection.execute(sa.insert(schema.grants), rows)
        if vault.database.on_postgresql:
            connection.execute(sa.text("ANALYZE clio_nb_grants"))
    assert vault.firms_of(SITE, 1002) == ["firm-200"]
    assert vault.firms_of(SITE, 1000) == ["firm-199", "firm-200"]
    assert vault.firms_of(SITE, 10**9) == []
    told = "EXPLAIN" if vault.database.on_postgresql else "EXPLAIN QUERY PLAN"
    asked = "SELECT firm FROM clio_nb_grants WHERE site = 'us' AND client_id = 'app-1' AND user_id = 1002"
    with vault.database.transaction() as connection:
        said = str(connection.execute(sa.text(f"{told} {asked}")).all())
    assert "clio_nb_grants_user" in said
    vault.close()


FORK = """
import threading
from clio_nb.ledger import heartbeat
from clio_nb.ledger.heartbeat import lease_owner
from clio_nb.http import loop
import asyncio

def ended(child):
    over = threading.Timer(60, os.kill, (child, signal.SIGKILL))
    over.daemon = True
    over.start()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    over.cancel()
    return code

held, go = threading.Event(), threading.Event()
heartbeat.BEAT = 0.01

async def run():
    with lease_owner(ledger) as owner:
        assert ledger.write(APP, [Take(ANNA, owner)]) == [True]
        held.set()
        await asyncio.to_thread(go.wait)
        assert ledger.write(APP, [Release(ANNA, owner)]) == [True]

under_way = loop.submit(run)
held.wait()
child = os.fork()
if child == 0:
    assert not heartbeat._hearts
    assert ledger.write(APP, [Take(ANNA, "child"), Take(BEN, "child")]) == [False, True]
    async def own():
        with lease_owner(ledger) as owner:
            assert ledger.write(APP, [Take(5, owner)]) == [True]
    loop.run(own)
    sys.exit(7)
assert ended(child) == 7
assert ledger.write(APP, [Take(BEN, "parent")]) == [False]
go.set()
under_way.result(60)
assert ledger.write(APP, [Take(ANNA, "parent")]) == [True]
print("parent is well")
"""


def interpreter(where: Path | Secret, program: str) -> subprocess.Popen[str]:
    """A process that was not forked itself."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", HEAD + program, address(where)], **pipes)


@shared
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_p6_a_forked_child_has_neither_the_leases_nor_the_heartbeat_of_its_parent(
    where: Path | Secret, ledger: Ledger
) -> None:
    assert ledger.runs(APP, ACCOUNT) == []
    parent = interpreter(where, "import warnings; warnings.simplefilter('ignore')\n" + START + FORK)
    out, err = parent.communicate("\n", timeout=120)
    assert out.splitlines()[-1] == "parent is well", err
    assert "Traceback" not in err


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_p6_a_thread_that_starts_a_thread_pool_in_the_middle_of_a_fork_does_not_disturb_it(tmp_path: Path) -> None:
    program = """
import asyncio, threading
from clio_nb.database._fork import Unshared

class Slow(Unshared):
    def part(self):
        other = threading.Thread(target=lambda: asyncio.run(asyncio.to_thread(int)))
        other.start()
        other.join()

slow = Slow()
child = os.fork()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
"""
    forking = interpreter(tmp_path / "none", "import warnings; warnings.simplefilter('ignore')\n" + program)
    assert forking.communicate(timeout=60) == ("", "")
