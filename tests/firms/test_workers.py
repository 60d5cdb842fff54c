"""Firms on other processes: a task is names, a worker has its secrets elsewhere, and says which of them it lacks."""

from __future__ import annotations

import inspect
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cloudpickle
import distributed
import pytest
import sqlalchemy as sa

import clio_nb as clio
from clio_nb import aio, forms, launches
from clio_nb.database import schema
from clio_nb.database.database import Database
from clio_nb.errors import InvalidInput
from clio_nb.firm.manifest import Manifest
from clio_nb.firms import Firms, _worker
from clio_nb.firms._task import Task
from clio_nb.firms.report import FirmRow
from clio_nb.ledger import heartbeat
from clio_nb.login import Login
from clio_nb.sandbox import Sandbox
from clio_nb.secret import Secret
from clio_nb.vault import Vault, new_key
from clio_nb.vault.keys import find_keys

from .conftest import asked, fill, labels

PASSWORD = "canary-password"


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_keyring: None) -> Iterator[str]:
    """The key of the vault, in the environment, which children inherit."""
    key = new_key().reveal()
    monkeypatch.setenv("CLIO_NB_KEY", key)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    _worker._vault_at.cache_clear()
    yield key
    _worker._vault_at.cache_clear()


@pytest.fixture
def lasting(site: Sandbox, tmp_path: Path, key: str) -> Firms:
    vault = fill(site, Vault(Database(tmp_path / "vault.sqlite"), find_keys(None)))
    return Firms([site.at("us"), site.at("eu")], vault)


class Recorded(ThreadPoolExecutor):
    """Does what crosses to another machine: both ways only what can be pickled arrives, and it is written down."""

    def __init__(self) -> None:
        super().__init__(3)
        self.crossed: list[bytes] = []

    def submit(self, work: Callable[..., Any], /, *given: Any, **how: Any) -> Future[Any]:  # type: ignore[override]
        return super().submit(self._there, self._over((work, given, how)))

    def _there(self, crossed: bytes) -> Any:
        work, given, how = pickle.loads(crossed)  # noqa: S301 -- our own
        return pickle.loads(self._over(work(*given, **how)))  # noqa: S301 -- our own

    def _over(self, what: object) -> bytes:
        self.crossed += [pickle.dumps(what), cloudpickle.dumps(what)]
        return self.crossed[-2]


@pytest.mark.parametrize("verb", ["plan", "coverage", "drift", "apply", "offboard", "plan_offboard"])
def test_f2_a_task_and_its_row_are_names_and_hold_no_secret(
    lasting: Firms, site: Sandbox, manifest: Manifest, key: str, verb: str
) -> None:
    given = {} if "offboard" in verb else {"manifest": manifest}
    with Recorded() as executor:
        there = getattr(lasting, verb)(**given, executor=executor, progress=False)
    crossed = b"".join(executor.crossed)
    secrets = [key, site.client_secret]
    for of in lasting.overview()["name"]:
        for grant in lasting.vault.grants(lasting.firm(of).site, firm=of):
            secrets += [grant.token.access.reveal(), grant.token.refresh.reveal() if grant.token.refresh else key]
    assert len(executor.crossed) == 2 * 2 * 6
    assert [secret for secret in secrets if secret.encode() in crossed] == []
    assert len(there if verb in ("coverage", "drift") else there.rows) == 6


@pytest.mark.parametrize("verb", ["coverage", "drift"])
def test_a_worker_says_what_this_process_would_have_said(lasting: Firms, manifest: Manifest, verb: str) -> None:
    first = lasting.overview()["name"][0]
    firm = lasting.firm(first)
    firm.apply(firm.plan(manifest), progress=False)
    here = getattr(lasting, verb)(manifest, progress=False)
    with Recorded() as executor:
        there = getattr(lasting, verb)(manifest, executor=executor, progress=False)
    assert here.drop(columns="seconds").equals(there.drop(columns="seconds"))


def test_f2_plans_go_to_workers_and_come_back(lasting: Firms, site: Sandbox, manifest: Manifest) -> None:
    with Recorded() as executor:
        plans = lasting.plan(manifest, executor=executor, progress=False)
        assert plans.changes == 36
        assert lasting.apply(plans, executor=executor, progress=False).counts() == {"done": 36}
    assert [labels(host) for host in site.firms] == [[["Send for signature"] * 2] * 3] * 6


def test_f2_other_processes_do_it(lasting: Firms, site: Sandbox, manifest: Manifest) -> None:
    ended: list[FirmRow] = []
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        report = lasting.apply(manifest, executor=executor, canary=[site.firms[3].name], progress=ended.append)
    assert report.counts() == {"done": 36}
    assert ended[0].firm == site.firms[3].name
    assert len(ended) == 6
    assert [labels(host) for host in site.firms] == [[["Send for signature"] * 2] * 3] * 6
    assert lasting.apply(manifest, progress=False).counts() == {}


def die(_task: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_f1_a_pool_whose_worker_dies_is_said_in_rows_and_applying_again_does_the_rest(
    lasting: Firms, manifest: Manifest
) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        executor.submit(die, None)
        report = lasting.apply(manifest, executor=executor, progress=False)
    assert len(report.failed) == 6
    assert all("BrokenProcessPool" in row.error for row in report.rows)
    assert lasting.apply(manifest, progress=False).counts() == {"done": 36}


def task_of(firms: Firms, verb: str, **how: Any) -> Task:
    """The task that goes out for the first firm."""
    tasks: list[Task] = []

    class Kept(Executor):
        def submit(self, _work: Any, task: Task, /) -> Future[Any]:  # type: ignore[override]
            tasks.append(task)
            future: Future[Any] = Future()
            future.set_result(task.row())
            return future

    getattr(firms, verb)(executor=Kept(), progress=False, **how)
    return tasks[0]


def test_f1_a_task_that_runs_twice_makes_each_change_once(lasting: Firms, site: Sandbox, manifest: Manifest) -> None:
    task = task_of(lasting, "apply", manifest=manifest)
    once, again = _worker.on_worker(task), _worker.on_worker(task)
    assert (once.counts["done"], again.counts["blocked"], again.error) == (6, 0, "")
    with ThreadPoolExecutor() as pool:
        task = task_of(lasting, "offboard")
        rows = list(pool.map(_worker.on_worker, [task, task]))
    assert sum(row.counts.get("done", 0) for row in rows) == 6
    host = next(host for host in site.firms if str(host.account_id) == task.of.name)
    assert labels(host) == [[], [], []]


def test_two_equal_tasks_differ_so_that_no_scheduler_answers_from_memory(lasting: Firms, manifest: Manifest) -> None:
    first, second = (task_of(lasting, "apply", manifest=manifest) for _ in range(2))
    assert first.of == second.of
    assert first != second
    assert distributed.utils.has_keyword is not None
    from dask.base import tokenize

    assert tokenize(first) != tokenize(second)


LACKS = {
    "the key": ("CLIO_NB_KEY", "it has no key of the vault. Set CLIO_NB_KEY"),
    "the app's id": ("CLIO_CLIENT_ID_EU", "client_id for region eu is missing"),
    "the app's secret": ("CLIO_CLIENT_SECRET_EU", "client_secret for region eu is missing"),
}


@pytest.fixture
def at_clio(tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch) -> Firms:
    """A firm of the real Clio, of whom only names are needed here: nothing is sent."""
    app = clio.connect("eu", client_id="our-app", client_secret="canary-secret")
    vault = Vault(Database(tmp_path / "vault.sqlite"), find_keys(None))
    vault.keep(app, clio.User(id=7, name="Anna"), clio.Token.of("canary-token"), firm="ours")
    monkeypatch.setenv("CLIO_CLIENT_ID_EU", "our-app")
    monkeypatch.setenv("CLIO_CLIENT_SECRET_EU", "canary-secret")
    return Firms(app, vault)


@pytest.mark.parametrize("what", [*LACKS])
def test_f2_a_worker_says_which_of_its_secrets_is_missing_and_which_worker_it_is(
    at_clio: Firms, manifest: Manifest, monkeypatch: pytest.MonkeyPatch, what: str, tmp_path: Path
) -> None:
    variable, said = LACKS[what]
    task = task_of(at_clio, "apply", manifest=manifest)
    monkeypatch.delenv(variable)
    row = _worker.on_worker(task)
    assert said in row.error
    assert row.error.startswith("Worker ")
    assert f"(process {os.getpid()})" in row.error
    assert "canary" not in row.error
    assert not list((tmp_path / "config").rglob("vault.key"))  # no key is made where one is missing


def test_f2_a_worker_with_another_key_app_or_without_the_file_says_so(
    at_clio: Firms, manifest: Manifest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    task = task_of(at_clio, "apply", manifest=manifest)
    monkeypatch.setenv("CLIO_CLIENT_ID_EU", "another-app")
    assert "its app in eu is another-app, and this firm is of our-app" in _worker.on_worker(task).error
    monkeypatch.setenv("CLIO_CLIENT_ID_EU", "our-app")
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    assert "key" in _worker.on_worker(task).error
    (tmp_path / "vault.sqlite").rename(tmp_path / "elsewhere.sqlite")
    row = _worker.on_worker(task)
    assert "A vault for several machines is in PostgreSQL" in row.error
    assert not (tmp_path / "vault.sqlite").exists()


def test_f2_a_worker_finds_the_password_in_its_own_environment_or_says_that_it_has_none(
    cluster: Any, site: Sandbox, manifest: Manifest, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = guarded(cluster)
    firms = Firms(site, fill(site, Vault(Database(Secret(url)), find_keys(None))))
    task = task_of(firms, "plan", manifest=manifest)
    assert PASSWORD not in task.vault
    assert PASSWORD.encode() not in pickle.dumps(task)
    monkeypatch.delenv("CLIO_NB_VAULT", raising=False)
    row = _worker.on_worker(task)
    assert "it has no password of the vault, or a wrong one. Set CLIO_NB_VAULT" in row.error
    for variable, value in {"CLIO_NB_VAULT": url, "PGPASSWORD": PASSWORD}.items():
        with monkeypatch.context() as environment:
            environment.setenv(variable, value)
            _worker._vault_at.cache_clear()
            row = _worker.on_worker(task)
            assert (row.error, row.counts) == ("", {"create": 6})
    monkeypatch.setenv("CLIO_NB_VAULT", url.replace(PASSWORD, "wrong"))
    _worker._vault_at.cache_clear()
    row = _worker.on_worker(task)
    assert "it has no password of the vault, or a wrong one" in row.error
    assert "wrong@" not in row.error


def guarded(cluster: Any) -> str:
    """Return the address of a database whose user has to give a password."""
    rules = cluster._folder / "data" / "pg_hba.conf"
    if "guarded" not in rules.read_text():
        rules.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
        cluster.execute(f"CREATE ROLE guarded LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
        cluster.execute("SELECT pg_reload_conf()")
    name = cluster.new().rpartition("/")[2]
    return f"postgresql://guarded:{PASSWORD}@127.0.0.1:{cluster.port}/{name}"


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://anna:canary@db.example:5432/clio",
        "postgres://anna:canary@db.example/clio?sslmode=require",
        "postgresql://db.example/clio?user=anna&password=canary",
        "postgresql://anna@db.example/clio?sslpassword=canary&sslmode=verify-full",
        "postgresql+psycopg://anna:can%61ry%40canary@db.example/clio?scram_client_key=canary&oauth_client_secret=canary",
        "postgresql://anna:canary@/clio?host=/var/run/postgresql",
    ],
)
def test_f2_the_address_for_a_worker_has_no_password_and_still_leads_there(address: str) -> None:
    from clio_nb.vault.vault import database_at

    shown = database_at(Secret(address)).address
    assert "canary" not in shown
    assert "***" not in shown
    assert "clio" in shown
    assert "anna" in shown
    assert database_at(Secret(shown)).address == shown
    for kept in ("sslmode", "host="):
        assert (kept in shown) == (kept in address)


def test_f2_a_vault_that_no_worker_can_reach_is_refused_before_anything_is_sent(
    firms: Firms, site: Sandbox, manifest: Manifest, tmp_path: Path
) -> None:
    meanwhile = asked(*site.firms)
    with ThreadPoolExecutor() as executor, pytest.raises(InvalidInput, match="in memory, where no worker"):
        firms.apply(manifest, executor=executor, progress=False)
    app = clio.App(clio.Region.US, "id", Secret("secret"), origin="http://127.0.0.1:9")
    lasting = Firms(app, Vault(Database(tmp_path / "vault.sqlite")))
    with ThreadPoolExecutor() as executor, pytest.raises(InvalidInput, match="it is no region"):
        lasting.apply(manifest, executor=executor, progress=False)
    assert meanwhile() == []


def test_a_stopped_run_takes_back_what_no_worker_has_begun(lasting: Firms, site: Sandbox, manifest: Manifest) -> None:
    from clio_nb.firm.apply._user_run import Stop
    from clio_nb.http import loop

    stop, begun = Stop(), list[Task]()

    class Never(Executor):
        def submit(self, _work: Any, task: Task, /) -> Future[Any]:  # type: ignore[override]
            begun.append(task)
            stop.asked = len(begun) == 6
            return Future()

    report = loop.run(lasting.aio.apply, manifest, executor=Never(), stop=stop)
    assert [row.error for row in report.rows] == [
        "Stopped before it ended; what has begun is in the ledger. Apply again."
    ] * 6


def holders(site: Sandbox, vault: Vault) -> dict[str, object]:
    """One of each public class that holds a secret, or leads to one."""
    app = clio.App(clio.Region.EU, "id", Secret("canary-secret"))
    token = clio.Token(access=Secret("canary-token"), refresh=Secret("canary-refresh"))
    session = clio.login(site)
    firm = clio.Firm(site, vault)
    launch = site.click_on(session.user.id, session.create_action("Go", "https://a.example/x", "matters").target_url)
    return {
        "Secret": Secret("canary"),
        "App": app,
        "Token": token,
        "Session": session,
        "aio.Session": session.aio,
        "Vault": vault,
        "Firm": firm,
        "aio.Firm": firm.aio,
        "Firms": clio.Firms(site, vault),
        "aio.Firms": aio.Firms(site, vault),
        "Login": Login(app),
        "inspect_launch": clio.inspect_launch(launch),
        "launch": clio.inspect_launch(launch).launch,
        "grant": vault.grant(site, session.user.id),
        "keys": vault.sealed.keys,
        "database": Database(Secret("postgresql://anna:canary@db.example/clio")),
        "sandbox": site,
        "source": vault.source(site, session.user.id),
        "forms.firm": forms.firm(firm),
        "forms.login": forms.login(site),
    }


def test_f2_nothing_that_holds_a_secret_can_be_pickled(clio_sandbox: Sandbox) -> None:
    vault = fill(clio_sandbox, Vault())
    clio.Firm(clio_sandbox, vault).sign_in_everyone()
    everything = holders(clio_sandbox, vault)
    for dump in (pickle.dumps, cloudpickle.dumps):
        for name, one in everything.items():
            try:
                crossed = dump(one)
            except (TypeError, AttributeError, ValueError, pickle.PicklingError, RuntimeError):
                continue
            assert name == "inspect_launch", f"{name} can be pickled: {crossed[:200]!r}"
            assert b"nonce=" not in crossed
    classes = {name for name in clio.__all__ if inspect.isclass(getattr(clio, name))}
    plain = {"ClioError", "CustomAction", "Location", "Menu", "Record", "Region", "Subject", "User"}
    assert classes - plain <= {*everything} | {"sandbox"}, "a new public class: add it above"
    assert launches.Inbox.__init__ is not None


# A Dask cluster of two processes, a real PostgreSQL, sixty firms, and a worker that is killed.


@pytest.fixture
def sixty(cluster: Any, key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Sandbox, Firms]]:
    url = guarded(cluster)
    monkeypatch.setenv("CLIO_NB_VAULT", url)  # which the workers inherit
    with Sandbox(users=2, firms=30, regions=("us", "eu"), clock="advancing") as site:
        vault = fill(site, Vault(Database(Secret(url)), find_keys(None)))
        yield site, Firms([site.at("us"), site.at("eu")], vault)
        vault.close()


@pytest.fixture
def dask() -> Iterator[distributed.Client]:
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=5, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as workers,
        distributed.Client(workers) as client,
    ):
        yield client


def live_owners() -> set[str]:
    return {owner for heart in heartbeat._hearts.values() for owner in heart.owners}


def end_leases_of_the_dead(firms: Firms, client: distributed.Client, alive: str) -> int:
    """Let the leases of a killed process end at once, as they would by the database's clock after 90 seconds."""
    users = schema.users
    with firms.vault.database.transaction() as database:
        held = set(database.execute(sa.select(users.c.lease_owner).where(users.c.lease_owner != "")).scalars())
    dead = held - client.run(live_owners, workers=[alive])[alive]
    with firms.vault.database.transaction(write=True) as database:
        return int(
            database.execute(sa.update(users).where(users.c.lease_owner.in_(dead)).values(lease_until=1.0)).rowcount
        )


@pytest.mark.parametrize("round_", [0, *(pytest.param(number, marks=pytest.mark.long) for number in range(1, 5))])
def test_f1_sixty_firms_come_to_rest_on_a_cluster_of_which_one_worker_is_killed(
    sixty: tuple[Sandbox, Firms], dask: distributed.Client, manifest: Manifest, round_: int
) -> None:
    site, firms = sixty
    doomed, alive = (
        sorted(dask.scheduler_info()["workers"])[:2] if round_ % 2 else sorted(dask.scheduler_info()["workers"])[1::-1]
    )
    pid = dask.run(os.getpid, workers=[doomed])[doomed]
    killed: list[int] = []

    def kill_after_some(_row: FirmRow) -> None:
        if not killed:
            os.kill(pid, signal.SIGKILL)
            killed.append(end_leases_of_the_dead(firms, dask, alive))

    ended: list[FirmRow] = []

    def each(row: FirmRow) -> None:
        ended.append(row)
        if len(ended) == 3 + 7 * round_:
            kill_after_some(row)

    report = firms.apply(manifest, executor=dask.get_executor(retries=3), progress=each)
    assert killed
    if report.failed:  # what could not be done then, applying again does
        report = firms.apply(manifest, executor=dask.get_executor(), progress=False)
    assert not report.failed
    agreed(site, firms, manifest)


def agreed(site: Sandbox, firms: Firms, manifest: Manifest) -> None:
    """Ledger, Clio and report say the same: everyone has the two buttons, once."""
    meanwhile = asked(*site.firms)
    report = firms.apply(manifest, progress=False)
    assert report
    assert report.counts() == {}
    assert "POST" not in {each.split()[0] for each in meanwhile()}
    covered = firms.coverage(progress=False)
    assert covered[["users", "equipped"]].to_numpy().tolist() == [[2, 2]] * 60
    assert {tuple(map(tuple, labels(host))) for host in site.firms} == {(("Send for signature",) * 2,) * 2}
    table = schema.items
    with firms.vault.database.transaction() as database:
        open_still = sa.select(sa.func.count()).where(table.c.outcome.in_(("sent", "planned")))
        assert database.execute(open_still.where(table.c.action_id.is_(None), schema.OPEN)).scalar() == 0
        assert database.execute(sa.select(sa.func.count()).select_from(schema.actions)).scalar() == 240


def test_no_engine_is_imported_by_the_package() -> None:
    code = "import sys, clio_nb.firms.firms; print([name for name in sys.modules if name in ('dask', 'distributed')])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert said.stdout.strip() == "[]"
    source = "".join(path.read_text() for path in Path(clio.__file__).parent.rglob("*.py"))
    assert "import dask" not in source
    assert "import distributed" not in source


def test_f1_a_client_that_goes_away_leaves_nothing_half_done(
    lasting: Firms, dask: distributed.Client, site: Sandbox, manifest_file: Path, tmp_path: Path
) -> None:
    """It is killed when the first firm is done; what the workers have begun ends, and applying again does the rest."""
    code = f"""
import os, signal
import clio_nb as clio, distributed

firms = clio.Firms([clio.connect({site.at("us").origin!r}), clio.connect({site.at("eu").origin!r})],
                   clio.Vault.open({str(tmp_path / "vault.sqlite")!r}))
gone = lambda row: os.kill(os.getpid(), signal.SIGKILL)
executor = distributed.Client({dask.scheduler.address!r}).get_executor()
firms.apply({str(manifest_file)!r}, executor=executor, progress=gone)
"""
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, timeout=120, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert ended.returncode == -signal.SIGKILL
    assert lasting.audit()["done"].sum() >= 6
    report = lasting.apply(manifest_file, executor=dask.get_executor(), progress=False)
    assert not report.failed
    assert [labels(host) for host in site.firms] == [[["Send for signature"] * 2] * 3] * 6
    assert lasting.apply(manifest_file, progress=False).counts() == {}
