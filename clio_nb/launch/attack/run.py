"""Fire the suite at a receiver and gather the evidence, case by case."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import anyio.to_thread

from ... import portal
from ...client import AsyncSession
from ...errors import InvalidInput
from ...models import CustomAction, Site, Subject
from ...places import Location
from ..compose import compose
from ..control import Control
from ..report import MEANINGS
from ..resend import check_loopback
from .browser import Answer, Browser
from .canary import Canary, listening
from .cases import ADMIT, AGAIN, AT_ONCE, BY_HEAD, CASES, Case, Parameters, Stage
from .judge import Evidence, judge
from .results import ProbeReport, Result

LABEL: Final = "clio-nb probe"

_SETTLE: Final = 0.02  # seconds for what a receiver does after its answer
_MINUTE: Final = 61.0


@portal.blocking
async def probe(receiver_url: str, site: Site, *, user: int | None = None) -> ProbeReport:
    """Attack a receiver of launches on this machine with a fixed suite, and return how it stood it.

    The receiver must use the sandbox behind ``site`` as its Clio, and hold a token of ``user`` (the account owner when
    left out). Launches are clicked there: on that user's actions that lead to ``receiver_url``, or on some that are
    made for it and deleted at the end. The verdict on each case comes from what the sandbox saw (did the nonce arrive,
    whose token was used), from a listener that nobody should ever reach, and from whether the receiver answers as it
    does to a genuine launch. The sandbox's clock moves by a minute from case to case, and its faults are cleared.

    Takes a few seconds. Raises :class:`InvalidInput` when ``receiver_url`` is not plain http on this machine, or
    ``site`` is no sandbox with two users or more, and :class:`errors.NotFound` for an unknown user.
    """
    check_loopback(receiver_url, "receiver_url")
    if urlsplit(receiver_url).scheme != "http":
        raise InvalidInput("Serve the receiver over plain http for the probe.", field="receiver_url")
    genuine: set[Answer] = set()
    results = []
    async with listening() as canary, _prepared(receiver_url, Control(site), user, canary) as attack:
        for case in CASES:
            seen = await attack.fire(case)
            if case.expect == ADMIT:
                genuine.update(answer.shape for answer in seen.answers if 0 < answer.status < 400)
            results.append(_result(case, seen, frozenset(genuine)))
    return ProbeReport(receiver_url, tuple(results))


@contextlib.asynccontextmanager
async def _prepared(receiver_url: str, control: Control, user_id: int | None, canary: Canary) -> AsyncIterator[_Attack]:
    """Choose the users, and see that each place has an action that leads to the receiver."""
    users = await control.users()
    user = next((one for one in users if user_id in (None, one.id)), None)
    other = next((one for one in users if user is not None and one.id != user.id), None)
    if user is None or other is None:
        raise InvalidInput(f"The sandbox needs user {user_id or 'one'} and another one for the probe.", field="user")
    session, others = await control.sign_in(user), await control.sign_in(other)
    made: list[tuple[AsyncSession, CustomAction]] = []
    try:
        actions = {}
        for location in Location:
            actions[location] = await _action(session, receiver_url, location, made)
        others_action = await _action(others, receiver_url, Location.MATTERS, made)
        subjects = {at: [record.subject for record in await session.list_records(at)] for at in Location}
        stage = Stage(user, other, others_action.id, subjects[Location.MATTERS][1], canary.host)
        firsts = {at: found[0] for at, found in subjects.items()}
        yield _Attack(receiver_url, control, canary, stage, actions, firsts)
    finally:
        for owner, action in made:
            await owner.delete_action(action)


async def _action(
    session: AsyncSession, target_url: str, at: Location, made: list[tuple[AsyncSession, CustomAction]]
) -> CustomAction:
    """Return the user's action that leads to the receiver, made where it is missing."""
    there = await session.list_actions()
    mine = next((action for action in there if (action.target_url, action.location) == (target_url, at)), None)
    if mine is None:
        mine = await session.create_action(LABEL, target_url, at)
        made.append((session, mine))
    return mine


@dataclass(frozen=True)
class _Attack:
    """All that is needed to fire a case."""

    receiver_url: str
    control: Control
    canary: Canary
    stage: Stage
    actions: dict[Location, CustomAction]
    subjects: dict[Location, Subject]

    async def fire(self, case: Case) -> Evidence:
        """Click, change what the case changes, send it, and gather what was seen."""
        await self.control.advance(_MINUTE)  # a fresh minute: no case uses up the budget of the next
        subject = self.subjects[case.at]
        parameters = case.change(await self._click(case.at, subject), self.stage)
        url = compose(self.receiver_url, parameters)
        if case.visits == AGAIN:
            await _open(url)
        if case.late:
            await self.control.advance(case.late)
        if case.fault:
            elsewhere = f"http://{self.canary.host}{subject.path}"
            await self.control.fault(path=subject.path, location=elsewhere, **case.fault)
        before = len(await self.control.requests())
        self.canary.strangers.clear()
        answers = await _visit(url, case)
        await portal.sleep(_SETTLE)
        requests = (await self.control.requests())[before:]
        if case.fault:
            await self.control.clear_faults()
        named = {
            int(digits) for name, value in parameters if name == "user_id" for digits in re.findall("[0-9]+", value)
        }
        return Evidence(frozenset(named), subject.path, answers, tuple(requests), tuple(self.canary.strangers))

    async def _click(self, at: Location, subject: Subject) -> Parameters:
        clicked = await self.control.click(self.stage.user.id, self.actions[at].id, subject)
        return [pair for pair in parse_qsl(urlsplit(clicked.reveal()).query) if pair[0] in MEANINGS]


async def _visit(url: str, case: Case) -> tuple[Answer, ...]:
    if case.visits == AT_ONCE:
        return tuple(await asyncio.gather(_open(url), _open(url)))
    return (await _open(url, "HEAD" if case.visits == BY_HEAD else "GET"),)


async def _open(url: str, method: str = "GET") -> Answer:
    return await anyio.to_thread.run_sync(Browser().open, url, method)


def _result(case: Case, seen: Evidence, genuine: frozenset[Answer]) -> Result:
    return Result(
        case.name,
        case.title,
        judge(case, seen, genuine),
        ", ".join(str(answer) for answer in seen.answers),
        tuple(
            f"{one.method} {one.path[:80]} with{'' if one.has_nonce else 'out'} nonce: {one.status or 'cut off'}"
            for one in seen.requests
        ),
        tuple(f"{one.path[:80]} with{'' if one.has_token else 'out'} token" for one in seen.strangers),
    )
