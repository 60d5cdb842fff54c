"""H6: a run that is killed at any point and started again ends where an undisturbed run ends."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import pytest

from clio_nb.database.database import Database
from clio_nb.errors import InvalidInput
from clio_nb.firm import Firm
from clio_nb.firm.apply import apply
from clio_nb.firm.manifest import Manifest, parse_manifest
from clio_nb.http import loop, transport
from clio_nb.ledger.ledger import Ledger
from clio_nb.ledger.records import Ended, Outcome
from clio_nb.sandbox import Sandbox
from clio_nb.vault import Vault, new_key

from .conftest import leases_end, on_matters, seen_by_all, somebody, writes

TOML = """
[app]
name = "partner"

[[actions]]
key = "sign"
label = "Sign"
target_url = "https://p.example/sign"
formerly = ["https://p.example/before"]
locations = ["matters"]

[[actions]]
key = "view"
label = "View"
target_url = "https://p.example/view"
locations = ["folders"]
"""
SAMPLE = 20
FOREIGN = ("Theirs", "https://theirs.example/", "matters")
STARTS = [
    (),
    (("Sign", "https://p.example/before", "matters"),),  # to be updated
    (("Old", "https://p.example/sign", "matters"), ("View", "https://p.example/view", "folders")),
    (("Sign", "https://p.example/sign", "matters"), ("Twice", "https://p.example/sign", "matters")),  # to be deleted
    (("Gone", "https://p.example/view", "activities"), FOREIGN),  # to be moved
]


class Killed(Exception):
    """Nothing happens after this: every further request and every further note in the ledger fails."""


def killed(*_: object) -> None:
    raise Killed


class Killer:
    """Lets so many requests through; the next is the last thing that happens, ``after`` or before Clio sees it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, through: int, *, after: bool) -> None:
        self._exchange = transport.exchange
        self._left, self._after = through, after
        self._patch = monkeypatch
        monkeypatch.setattr(transport, "exchange", self)

    async def __call__(self, *arguments: Any, **options: Any) -> transport.Raw:
        self._left -= 1
        if self._left == -1:
            if self._after:
                await self._exchange(*arguments, **options)
            for verb in ("begin", "write", "extend", "finish"):
                self._patch.setattr(Ledger, verb, killed)
        if self._left < 0:
            raise Killed
        return await self._exchange(*arguments, **options)


@pytest.fixture(scope="module")
def site() -> Iterator[Sandbox]:
    with Sandbox(users=3, rate_limit=None) as site:
        yield site


@pytest.fixture
def wanted() -> Manifest:
    return parse_manifest(TOML)


def prepared(site: Sandbox, vault: Vault, chance: random.Random) -> tuple[Firm, set[Any]]:
    """A firm whose users have all sorts of actions, and what everyone should see in the end."""
    site.reset()
    firm = Firm(site, vault)
    end = set()
    for user in firm.sign_in_everyone():
        session, start = somebody(site, user.id), chance.choice(STARTS)
        for label, target, place in start:
            session.create_action(label, target, at=place)
        theirs = {(user.id, FOREIGN[0], FOREIGN[1], "matters/show")} if FOREIGN in start else set()
        end |= {
            (user.id, "Sign", "https://p.example/sign", "matters/show"),
            (user.id, "View", "https://p.example/view", "folders/show"),
        } | theirs
    return firm, end


@pytest.mark.parametrize(
    "seed", [seed if seed < SAMPLE else pytest.param(seed, marks=pytest.mark.long) for seed in range(200)]
)
def test_h6_a_run_killed_at_a_random_point_and_run_again_ends_as_if_undisturbed(
    seed: int, site: Sandbox, wanted: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)  # noqa: S311 -- no secret
    place = chance.choice([None, tmp_path / "vault.sqlite"])
    vault = Vault(Database(place))
    firm, end = prepared(site, vault, chance)
    with monkeypatch.context() as killing:
        Killer(killing, through=chance.randint(1, 12), after=chance.random() < 0.5)
        with contextlib.suppress(Killed):
            firm.apply(firm.plan(wanted, allow_delete=True), progress=False)
    leases_end(firm)
    again = Firm(site, vault)
    result = None
    if chance.random() < 0.5:
        try:
            result = again.resume(progress=False)
        except InvalidInput:  # it was killed before it began to write, or not at all
            result = None
    if result is None:
        result = again.apply(again.plan(wanted, allow_delete=True), progress=False)
    assert result
    actions = again.actions()
    assert seen_by_all(again) == end
    assert len(actions) == len(end), "no second button"
    assert again.plan(wanted, allow_delete=True).changes == ()
    assert again.drift().empty
    assert again.offboard(progress=False)
    assert len(again.actions()) == sum(label == "Theirs" for _, label, *_ in end)


PROCESS = """
import os, signal, sys
from clio_nb.http import transport
from clio_nb.firm import Firm
from clio_nb.login import connect
from clio_nb.vault import Vault
address, manifest, vault, last, after = sys.argv[1:]
firm = Firm(connect(address), Vault.open(vault))
firm.sign_in_everyone()
exchange, left = transport.exchange, int(last)

async def killing(*arguments, **options):
    global left
    left -= 1
    if left == 0 and after == "after":
        await exchange(*arguments, **options)
    if left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return await exchange(*arguments, **options)

transport.exchange = killing
firm.apply(firm.plan(manifest), progress=False)
"""


@pytest.mark.parametrize(
    ("database", "last", "after"),
    [
        ("sqlite", 3, "before"),
        ("postgresql", 6, "after"),
        ("sqlite", 8, "before"),
        ("postgresql", 10, "after"),
        *(
            pytest.param(database, last, after, marks=pytest.mark.long)
            for database in ("sqlite", "postgresql")
            for last in range(2, 15)
            for after in ("before", "after")
        ),
    ],
)
def test_h6_a_process_that_is_killed_leaves_a_firm_that_another_one_can_go_on_with(
    site: Sandbox,
    wanted: Manifest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    database: str,
    last: int,
    after: str,
) -> None:
    site.reset()
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    path, vault = tmp_path / "actions.toml", str(tmp_path / "vault.sqlite")
    if database == "postgresql":
        vault = request.getfixturevalue("cluster").new()
    path.write_text(TOML)
    command = [sys.executable, "-c", PROCESS, site.base_url, str(path), vault, str(last), after]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == -signal.SIGKILL, process.stderr
    firm = Firm(site, Vault.open(vault))
    firm.sign_in_everyone()
    leases_end(firm)
    begun = firm.runs()["finished"].isna().any()
    result = firm.resume(progress=False) if begun else firm.apply(firm.plan(wanted), progress=False)
    assert result
    assert len(firm.actions()) == 6
    assert len(writes(site)) == 6, "what was done is not done again"
    assert firm.plan(wanted).counts() == {"ok": 6}
    assert firm.drift().empty
    assert firm.plan_offboard().counts() == {"delete": 6}


@pytest.mark.parametrize(
    ("database", "number"),
    [
        ("sqlite", 0),
        ("postgresql", 1),
        *(
            pytest.param(database, number, marks=pytest.mark.long)
            for database in ("sqlite", "postgresql")
            for number in range(2, 14)
        ),
    ],
)
def test_p2_of_two_processes_at_work_one_is_killed_and_nothing_is_made_twice(
    site: Sandbox,
    wanted: Manifest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    database: str,
    number: int,
) -> None:
    site.reset()
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    path, vault = tmp_path / "actions.toml", str(tmp_path / "vault.sqlite")
    if database == "postgresql":
        vault = request.getfixturevalue("cluster").new()
    path.write_text(TOML)
    chance = random.Random(number)  # noqa: S311 -- no secret
    firm = Firm(site, Vault.open(vault))
    firm.sign_in_everyone()
    ends = [(str(chance.randint(1, 9)), chance.choice(["before", "after"])), ("10000", "never")]
    commands = [[sys.executable, "-c", PROCESS, site.base_url, str(path), vault, *end] for end in ends]
    killed, other = (subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands)
    killed.communicate(timeout=120)
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            _, said = other.communicate(timeout=0.5)
            break
        leases_end(firm)  # those of the killed one; the other may lose its own, and then sends nothing more
    assert (other.returncode, said) == (0, "")
    assert killed.returncode in (0, -signal.SIGKILL)  # 0: the other had done all before it
    assert firm.apply(firm.plan(wanted), progress=False)
    assert len(firm.actions()) == 6
    assert len({(user, label) for user, label, *_ in seen_by_all(firm)}) == 6
    assert len(writes(site)) == 6
    assert firm.plan(wanted).counts() == {"ok": 6}
    assert firm.drift().empty


def test_h6_going_on_reads_only_the_users_who_were_not_finished(
    site: Sandbox, wanted: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.reset()
    vault = Vault()
    firm = Firm(site, vault)
    firm.sign_in_everyone()
    plan = firm.plan(wanted)
    exchange, write = transport.exchange, Ledger.write
    sent, done, all_but_one = 0, 0, threading.Event()

    def writing(ledger: Ledger, app: Any, changes: Sequence[Any]) -> list[bool]:
        nonlocal done
        if all_but_one.is_set():
            raise Killed
        written = write(ledger, app, changes)
        done += sum(isinstance(each, Ended) and each.outcome == Outcome.DONE for each in changes)
        if done == len(plan.changes) - 1:
            all_but_one.set()
        return written

    async def killing(*arguments: Any, **options: Any) -> transport.Raw:
        """The last request of all never comes to its end; what the others did is in the ledger by then."""
        nonlocal sent
        answer = await exchange(*arguments, **options)
        sent += 1
        if sent == len(plan.changes):
            while not all_but_one.is_set():  # noqa: ASYNC110 -- set by a thread
                await asyncio.sleep(0)
            raise Killed
        return answer

    with monkeypatch.context() as patching:
        patching.setattr(Ledger, "write", writing)
        patching.setattr(transport, "exchange", killing)
        with pytest.raises(Killed):
            firm.apply(plan, progress=False)
    leases_end(firm)
    again = Firm(site, vault)
    steps = again.audit()
    unfinished = set(steps.loc[steps["outcome"] != "done", "user_id"])
    before = len(site.requests)
    assert again.resume(progress=False)
    read = [request["user_id"] for request in site.requests[before:] if request["path"] == "/api/v4/custom_actions"]
    assert len(unfinished) == 1
    assert set(read) == unfinished
    gets = [request["path"] for request in site.requests[before:] if request["method"] == "GET"]
    assert gets == ["/api/v4/custom_actions"] * 2, "once for the plan, and once more when she was taken over"
    assert len(writes(site)) == 6
    with pytest.raises(InvalidInput, match="No run of this firm was interrupted"):
        again.resume(progress=False)


def test_h6_an_interrupted_undo_and_an_interrupted_offboarding_are_gone_on_with(
    site: Sandbox, wanted: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.reset()
    vault = Vault()
    firm = Firm(site, vault)
    firm.sign_in_everyone()
    first = firm.apply(firm.plan(wanted), progress=False)
    plan = firm.plan_undo(first.run)
    with monkeypatch.context() as killing:
        Killer(killing, through=4, after=True)
        with pytest.raises(Killed):
            firm.apply(plan, progress=False)
    leases_end(firm)
    firm = Firm(site, vault)
    assert not firm.actions().empty
    assert firm.resume(progress=False)
    assert firm.actions().empty
    firm.apply(firm.plan(wanted), progress=False)
    plan = firm.plan_offboard()
    with monkeypatch.context() as killing:
        Killer(killing, through=4, after=False)
        with pytest.raises(Killed):
            firm.apply(plan, progress=False)
    leases_end(firm)
    firm = Firm(site, vault)
    assert not firm.actions().empty
    assert firm.resume(progress=False)
    assert firm.actions().empty
    assert firm.runs()["finished"].notna().all()


@pytest.mark.parametrize("times", [1, 2])
def test_one_who_gives_up_waiting_for_a_run_leaves_nothing_half_known(
    site: Sandbox, wanted: Manifest, tmp_path: Path, times: int
) -> None:
    site.reset()
    firm = Firm(site)
    firm.sign_in_everyone()
    plan = firm.plan(wanted)

    async def give_up() -> None:
        begun = asyncio.Event()
        run = asyncio.ensure_future(firm.aio.apply(plan, progress=lambda _: begun.set()))
        await begun.wait()
        for _ in range(times):
            run.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await run
        if apply._under_way:  # nobody waits for it any more, and still it comes to its end
            await asyncio.wait(apply._under_way)

    loop.run(give_up)
    written = len(writes(site))
    assert set(firm.audit()["outcome"]) <= {"done", "planned"}
    assert (firm.audit()["outcome"] == "done").sum() == written
    assert firm.runs()["finished"].isna().all()
    assert firm.resume(progress=False)
    assert len(writes(site)) == 6


def test_an_interrupted_run_finishes_what_is_under_way_and_can_be_gone_on_with(
    site: Sandbox, wanted: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.reset()
    firm = Firm(site)
    firm.sign_in_everyone()
    plan = firm.plan(wanted)

    looks = iter([KeyboardInterrupt])

    def interrupted(works: Any, timeout: float) -> Any:
        """Ctrl-C while the run waits for its first answers."""
        for ctrl_c in looks:
            while not writes(site):
                wait(works, timeout=0.001)
            raise ctrl_c
        return wait(works, timeout=timeout)

    with monkeypatch.context() as interrupting:
        interrupting.setattr("clio_nb.firm._progress.wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            firm.apply(plan, progress=False)
    written = len(writes(site))
    assert set(firm.audit()["outcome"]) <= {"done", "planned"}, "nothing is left half known"
    assert (firm.audit()["outcome"] == "done").sum() == written
    assert firm.resume(progress=False)
    assert len(writes(site)) == 6
    assert on_matters(firm.session_of(site.users[0].id)).label == "Sign"
