"""H6: a run that is killed at any point and started again ends where an undisturbed run ends."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import pytest

from clio_nb.errors import InvalidInput, VaultError
from clio_nb.firm import Firm
from clio_nb.firm.apply import apply
from clio_nb.firm.item import Outcome
from clio_nb.firm.journal_entry import EntryChange
from clio_nb.firm.manifest import Manifest, parse_manifest
from clio_nb.http import loop, transport
from clio_nb.sandbox import Sandbox
from clio_nb.vault import Vault

from .conftest import on_matters, seen_by_all, writes

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
FOREIGN = ("Theirs", "https://theirs.example/", "matters")
STARTS = [
    (),
    (("Sign", "https://p.example/before", "matters"),),  # to be updated
    (("Old", "https://p.example/sign", "matters"), ("View", "https://p.example/view", "folders")),
    (("Sign", "https://p.example/sign", "matters"), ("Twice", "https://p.example/sign", "matters")),  # to be deleted
    (("Gone", "https://p.example/view", "activities"), FOREIGN),  # to be moved
]


class Killed(Exception):
    """Nothing happens after this: every further request and every further note of the journal fails."""


class Killer:
    """Lets so many requests through; the next is the last thing that happens, ``after`` or before Clio sees it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, firm: Firm, through: int, *, after: bool) -> None:
        self._exchange = transport.exchange
        self._firm, self._left, self._after = firm, through, after
        monkeypatch.setattr(transport, "exchange", self)

    async def __call__(self, *arguments: Any, **options: Any) -> transport.Raw:
        self._left -= 1
        if self._left == -1:
            if self._after:
                await self._exchange(*arguments, **options)
            self._firm.aio._journal.close()
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


def prepared(site: Sandbox, vault: Vault, chance: random.Random, journal: Path) -> tuple[Firm, set[Any]]:
    """A firm whose users have all sorts of actions, and what everyone should see in the end."""
    site.reset()
    firm = Firm(site, vault, journal=journal)
    end = set()
    for user in firm.sign_in_everyone():
        session, start = firm.session_of(user.id), chance.choice(STARTS)
        for label, target, place in start:
            session.create_action(label, target, at=place)
        theirs = {(user.id, FOREIGN[0], FOREIGN[1], "matters/show")} if FOREIGN in start else set()
        end |= {
            (user.id, "Sign", "https://p.example/sign", "matters/show"),
            (user.id, "View", "https://p.example/view", "folders/show"),
        } | theirs
    return firm, end


@pytest.mark.parametrize("seed", [pytest.param(n, marks=() if n < 25 else pytest.mark.long) for n in range(200)])
def test_h6_a_run_killed_at_a_random_point_and_run_again_ends_as_if_undisturbed(
    seed: int, site: Sandbox, wanted: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, vault, journal = random.Random(seed), Vault(), tmp_path / "journal.sqlite"  # noqa: S311
    firm, end = prepared(site, vault, chance, journal)
    with monkeypatch.context() as killing:
        Killer(killing, firm, through=chance.randint(1, 12), after=chance.random() < 0.5)
        try:
            firm.apply(firm.plan(wanted, allow_delete=True), progress=False)
        except (Killed, VaultError):  # whichever of its parts notices first
            firm.aio._journal.close()
    again = Firm(site, vault, journal=journal)
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


PROCESS = """
import os, signal, sys
from pathlib import Path
from clio_nb.http import transport
from clio_nb.firm import Firm
from clio_nb.login import connect
address, manifest, journal, last, after = sys.argv[1:]
firm = Firm(connect(address), journal=Path(journal))
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


@pytest.mark.parametrize(("last", "after"), [(3, "before"), (6, "after"), (8, "before"), (10, "after")])
def test_h6_a_process_that_is_killed_leaves_a_firm_that_can_be_gone_on_with(
    site: Sandbox, wanted: Manifest, tmp_path: Path, last: int, after: str
) -> None:
    site.reset()
    path, journal = tmp_path / "actions.toml", tmp_path / "journal.sqlite"
    path.write_text(TOML)
    command = [sys.executable, "-c", PROCESS, site.base_url, str(path), str(journal), str(last), after]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == -signal.SIGKILL, process.stderr
    firm = Firm(site, journal=journal)
    firm.sign_in_everyone()
    begun = firm.runs()["finished"].isna().any()
    result = firm.resume(progress=False) if begun else firm.apply(firm.plan(wanted), progress=False)
    assert result
    assert len(firm.actions()) == 6
    assert len(writes(site)) == 6, "what was done is not done again"
    assert firm.plan(wanted).counts() == {"ok": 6}


def test_h6_going_on_reads_only_the_users_who_were_not_finished(
    site: Sandbox, wanted: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.reset()
    vault, journal = Vault(), tmp_path / "journal.sqlite"
    firm = Firm(site, vault, journal=journal)
    firm.sign_in_everyone()
    plan = firm.plan(wanted)
    exchange, record = transport.exchange, firm.aio._journal.record
    sent, done, all_but_one = 0, 0, asyncio.Event()

    def recording(run: str, app: str, changes: list[EntryChange]) -> None:
        nonlocal done
        record(run, app, changes)
        done += sum(each.outcome == Outcome.DONE for each in changes)
        if done == len(plan.changes) - 1:
            all_but_one.set()

    async def killing(*arguments: Any, **options: Any) -> transport.Raw:
        """The last request of all never comes to its end; what the others did is in the journal by then."""
        nonlocal sent
        sent += 1
        is_last = sent == len(plan.changes)
        answer = await exchange(*arguments, **options)
        if is_last:
            await all_but_one.wait()
            firm.aio._journal.close()
            raise Killed
        return answer

    with monkeypatch.context() as patching:
        patching.setattr(firm.aio._journal, "record", recording)
        patching.setattr(transport, "exchange", killing)
        with pytest.raises((Killed, VaultError)):
            firm.apply(plan, progress=False)
    again = Firm(site, vault, journal=journal)
    steps = again.audit()
    unfinished = set(steps.loc[steps["outcome"] != "done", "user_id"])
    before = len(site.requests)
    assert again.resume(progress=False)
    read = [request["user_id"] for request in site.requests[before:] if request["path"] == "/api/v4/custom_actions"]
    assert len(unfinished) == 1
    assert set(read) == unfinished
    assert sum(method == "GET" for method in (request["method"] for request in site.requests[before:])) == 1 + len(
        unfinished
    )
    assert len(writes(site)) == 6
    with pytest.raises(InvalidInput, match="No run of this firm was interrupted"):
        again.resume(progress=False)


def test_h6_an_interrupted_undo_and_an_interrupted_offboarding_are_gone_on_with(
    site: Sandbox, wanted: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.reset()
    vault, journal = Vault(), tmp_path / "journal.sqlite"
    firm = Firm(site, vault, journal=journal)
    firm.sign_in_everyone()
    first = firm.apply(firm.plan(wanted), progress=False)
    plan = firm.plan_undo(first.run)
    with monkeypatch.context() as killing:
        Killer(killing, firm, through=4, after=True)
        with pytest.raises((Killed, VaultError)):
            firm.apply(plan, progress=False)
    firm = Firm(site, vault, journal=journal)
    assert not firm.actions().empty
    assert firm.resume(progress=False)
    assert firm.actions().empty
    firm.apply(firm.plan(wanted), progress=False)
    plan = firm.plan_offboard()
    with monkeypatch.context() as killing:
        Killer(killing, firm, through=4, after=False)
        with pytest.raises((Killed, VaultError)):
            firm.apply(plan, progress=False)
    firm = Firm(site, vault, journal=journal)
    assert not firm.actions().empty
    assert firm.resume(progress=False)
    assert firm.actions().empty
    assert firm.runs()["finished"].notna().all()


@pytest.mark.parametrize("times", [1, 2])
def test_one_who_gives_up_waiting_for_a_run_leaves_nothing_half_known(
    site: Sandbox, wanted: Manifest, tmp_path: Path, times: int
) -> None:
    site.reset()
    firm = Firm(site, journal=tmp_path / "journal.sqlite")
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
    firm = Firm(site, journal=tmp_path / "journal.sqlite")
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
        interrupting.setattr("clio_nb.firm.firm.wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            firm.apply(plan, progress=False)
    written = len(writes(site))
    assert set(firm.audit()["outcome"]) <= {"done", "planned"}, "nothing is left half known"
    assert (firm.audit()["outcome"] == "done").sum() == written
    assert firm.resume(progress=False)
    assert len(writes(site)) == 6
    assert on_matters(firm.session_of(site.users[0].id)).label == "Sign"
