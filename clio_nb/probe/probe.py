"""Send the suite to a receiver and gather the evidence, case by case."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import anyio.to_thread

from ..action_rules import location_of, same_url
from ..errors import InvalidInput
from ..http import sync_and_async, timeouts
from ..http.sandbox_control import Control, SeenRequest
from ..launches._compose import compose
from ..launches.replay import check_loopback
from ..models import CustomAction, Site, Subject, User
from ..session import AsyncSession
from ..vocabulary import MEANINGS, Location
from ._browser import Browser, BrowserAnswer
from ._decoy import DecoyListener, listening
from .cases import Case, Parameters, Setup, suite
from .connect import ConnectAttack
from .evidence import Baseline, Evidence
from .judge import judge
from .report import CaseResult, ProbeReport

LABEL: Final = "clio-nb probe"

_PAUSES: Final = (0.0, 0.02, 0.2, 0.8)  # seconds for what a receiver does after its answer; tried one after the other
_WORK: Final = 0.2  # seconds in which what a receiver does in the background has begun; tried at the first launch
_MINUTE: Final = 61.0


@sync_and_async.sync_function
async def probe(
    receiver_url: str,
    site: Site,
    *,
    user: int | None = None,
    at: Iterable[Location | str] | str | None = None,
    connect_url: str | None = None,
) -> ProbeReport:
    """Attack a receiver of launches on this machine with a fixed suite, and report its mistakes. Takes a few seconds.

    The receiver must use the sandbox as its Clio. Launches are clicked there, on the user's actions that lead to the
    receiver, or on actions that are created for the probe and deleted at the end. Each case is judged by what the
    sandbox saw (did the nonce arrive, whose token was used), by what reached a decoy listener, and by whether the
    receiver answers as it does to genuine launches or to malformed ones. The sandbox's clock moves by a minute from
    case to case, and its faults are cleared.

    Args:
        receiver_url: Where the receiver takes launches, over plain http.
        site: The sandbox.
        user: The id of the user who clicks, the account owner if left out. The receiver must hold a token of this user,
            or be given one by ``connect_url``.
        at: The location or locations that the receiver serves. Left out, they are those of the user's actions that lead
            to it, or all five if there are none.
        connect_url: Where users connect, if the receiver has such a page: the sign-in is attacked first, as the user
            who clicks, and another user connects there. So the receiver has the tokens that it needs.

    Returns:
        The report, true only when every case passed.

    Raises:
        errors.InvalidInput: The receiver is not on this machine, ``at`` is not a location, or ``site`` is not a
            sandbox with two users and records to click on.

    Examples:
        >>> with clio.inbox(site) as inbox:
        ...     report = clio.probe(inbox.url, site, at="matters")
        >>> [result.case for result in report.results if not result.ok]  # an inbox shows a launch again
        ['replayed']
    """
    check_loopback(receiver_url, "receiver_url")
    if connect_url is not None:
        check_loopback(connect_url, "connect_url")
    if urlsplit(receiver_url).scheme != "http":
        raise InvalidInput("Serve the receiver over plain http for the probe.", field="receiver_url")
    several = at if isinstance(at, Iterable) and not isinstance(at, str) else [] if at is None else [at]
    wanted = [location_of(one) for one in several]
    control = Control(site)
    people = await _two_users(control, user)
    connected: list[CaseResult] = []
    async with listening() as decoy:
        if connect_url is not None:
            connecting = ConnectAttack(connect_url, site.origin, people[0].id, people[1].id, control, decoy.host)
            connected = await connecting.results()
        async with _prepared(receiver_url, site, people, wanted, control, decoy) as attack:
            suited = suite([*attack.setups])
            fired = [(name, title, case, await attack.fire(case, at)) for name, title, case, at in suited]
    genuine = [seen for *_, case, seen in fired if case.expect == "admit" and case.visits == "once"]
    usual = Baseline(genuine, [seen for *_, case, seen in fired if case.lacking], f"{site.origin}/oauth/")
    return ProbeReport(receiver_url, (*connected, *(_result(*one, usual) for one in fired)))


async def _two_users(control: Control, user_id: int | None) -> tuple[User, User]:
    """Return the user who clicks, and another one."""
    users = await control.users()
    user = next((one for one in users if user_id in (None, one.id)), None)
    other = next((one for one in users if user is not None and one.id != user.id), None)
    if user is None or other is None:
        raise InvalidInput(
            f"The probe needs two users in the sandbox, one of them user {user_id}."
            if user_id
            else "The probe needs two users in the sandbox.",
            field="user",
        )
    return user, other


@contextlib.asynccontextmanager
async def _prepared(
    receiver_url: str,
    site: Site,
    people: tuple[User, User],
    wanted: Collection[Location],
    control: Control,
    decoy: DecoyListener,
) -> AsyncIterator[_Attack]:
    """Choose the locations, and see that each has an action of both users that leads to the receiver."""
    user, other = people
    session, others = [AsyncSession(site, await control.token(one.id), user=one) for one in people]
    mine, theirs = await session.list_actions(), await others.list_actions()
    registered = [one.location for one in mine if one.target_url == receiver_url and one.location]
    records = {at: [record.subject for record in await session.list_records(at)] for at in Location}
    locations = [*dict.fromkeys(wanted or sorted(registered) or Location)]
    if none := [at.resource for at in locations if not records[at]]:
        raise InvalidInput(f"The sandbox has no {' and no '.join(none)} to click on. Name other locations.", field="at")
    async with contextlib.AsyncExitStack() as made:
        setups = {}
        for at in locations:
            action = await _action(session, mine, receiver_url, at, made)
            others_action = await _action(others, theirs, receiver_url, at, made)
            first, second = records[at][0], records[at][:2][-1]
            others_at = next(other for other in (*locations, *Location) if other is not at and records[other])
            elsewhere = records[others_at][0]
            setups[at] = Setup(user, other, action, others_action, first, second, elsewhere, decoy.host)
        yield _Attack(receiver_url, control, decoy, setups)


async def _action(
    session: AsyncSession, there: list[CustomAction], target_url: str, at: Location, made: contextlib.AsyncExitStack
) -> int:
    """Return the user's action that leads to the receiver, made where it is missing and then deleted at the end."""
    found = next((one for one in there if one.location is at and same_url(one.target_url, target_url)), None)
    if found is None:
        found = await session.create_action(LABEL, target_url, at)
        made.push_async_callback(session.delete_action, found)
    return found.id


@dataclass
class _Attack:
    """Everything that is needed to send a case.

    ``pauses``: for how many seconds this receiver goes on after its answer, as far as its launches have shown, and the
    longer ones that are tried when the nonce of a genuine launch has not arrived by then.
    """

    receiver_url: str
    control: Control
    decoy: DecoyListener
    setups: dict[Location, Setup]
    pauses: tuple[float, ...] = _PAUSES

    async def fire(self, case: Case, at: Location) -> Evidence:
        """Click, change what the case changes, send it, and gather what was seen."""
        setup, browser = self.setups[at], Browser()
        subject = setup.second if case.second else setup.first
        await self.control.advance(_MINUTE)  # a fresh minute: no case uses up the budget of the next
        if case.visits == "in a session":
            await self._earlier(compose(self.receiver_url, await self._click(setup, subject)), browser)
        parameters = case.change(await self._click(setup, subject), setup)
        url = compose(self.receiver_url, parameters)
        if case.visits == "again":
            await self._earlier(url, Browser())
        if case.late:
            await self.control.advance(case.late)
        if case.fault:
            elsewhere = f"http://{self.decoy.host}{subject.path}"
            await self.control.fault(path=subject.path, location=elsewhere, **case.fault)
        before = await self.control.requests()
        self.decoy.stray.clear()
        answers = await _visit(url, case, browser)
        requests = await self._since(before, genuine=case.expect == "admit")
        if case.fault:
            await self.control.clear_faults()
        named = {
            int(digits) for name, value in parameters if name == "user_id" for digits in re.findall("[0-9]+", value)
        }
        return Evidence(at, frozenset(named), subject.path, answers, requests, tuple(self.decoy.stray))

    async def _earlier(self, url: str, browser: Browser) -> None:
        """Visit the receiver before the case begins."""
        await _open(url, browser)
        await timeouts.sleep(self.pauses[0])

    async def _since(self, before: list[SeenRequest], *, genuine: bool) -> tuple[SeenRequest, ...]:
        """Return the requests that Clio saw since, and learn from genuine launches how long to wait for them."""
        for pause in self.pauses if genuine else self.pauses[:1]:
            new = await self._after(pause, before)
            if any(request.has_nonce for request in new):
                if self.pauses is _PAUSES and len(later := await self._after(_WORK, before)) > len(new):
                    self.pauses = (_WORK,)  # it asks Clio at once, and goes on in the background
                    return later
                self.pauses = tuple(longer for longer in self.pauses if longer >= pause)
                return new
        if genuine:
            self.pauses = self.pauses[:1]  # it asks Clio nothing, however long one waits
        return new

    async def _after(self, pause: float, before: list[SeenRequest]) -> tuple[SeenRequest, ...]:
        await timeouts.sleep(pause)
        after = await self.control.requests()
        # a full log forgets its oldest for each new one
        forgotten = next(n for n in range(len(before) + 1) if before[n:] == after[: len(before) - n])
        return tuple(after[len(before) - forgotten :])

    async def _click(self, setup: Setup, subject: Subject) -> Parameters:
        clicked = await self.control.click(setup.user.id, setup.action, subject)
        return [pair for pair in parse_qsl(urlsplit(clicked.reveal()).query) if pair[0] in MEANINGS]


async def _visit(url: str, case: Case, browser: Browser) -> tuple[BrowserAnswer, ...]:
    if case.visits == "twice at once":
        return tuple(await asyncio.gather(_open(url, browser), _open(url, Browser())))
    return (await _open(url, browser, "HEAD" if case.visits == "by HEAD" else "GET"),)


async def _open(url: str, browser: Browser, method: str = "GET") -> BrowserAnswer:
    return await anyio.to_thread.run_sync(browser.open, url, method)


def _result(name: str, title: str, case: Case, seen: Evidence, usual: Baseline) -> CaseResult:
    mistakes, undecided = judge(case, seen, usual)
    return CaseResult(
        name,
        title,
        mistakes,
        ", ".join(str(answer) for answer in seen.answers),
        tuple(
            f"{one.method} {one.path[:80]} with{'' if one.has_nonce else 'out'} nonce: {one.status or 'cut off'}"
            for one in seen.requests
        ),
        tuple(f"{one.path[:80]} with{'' if one.has_token else 'out'} token" for one in seen.stray),
        undecided=undecided and not mistakes,
    )
