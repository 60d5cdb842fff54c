"""The door of a receiver: it admits proved launches, also on a reload, and refuses all others.

A launch is answered with a redirect to the same page without Clio's parameters, so that the nonce leaves the address
bar, the history and the Referer; the page then knows the launch by a signed cookie. The cookie is good for this door
only (path, target, app), and the door's own rules are applied on every visit, without a request.

A process that loses the claim of a nonce to another one never sends it. It lets the browser come back a few times for
the cookie that the other one sets, so that only the browser which got that answer sees the page. The same holds for a
browser that comes with one launch several times at once, and too late to share the answer.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Generic, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlsplit

from ..errors import ClioError, NetworkError, NotAdmitted
from ..http import sync_and_async, timeouts
from ..launches._pages import Page, Visit, moved
from ..launches.inspect import fits_target, inspect_launch
from ..launches.proof.known_actions import actions_cache
from ..launches.proof.sessions import Sessions, app_of, check_sessions, lasting, sessions_at_hand
from ..launches.proof.steps import Actions, action_of, check_actions, fault_of, prove
from ..launches.recording import recording_of
from ..launches.report import Launch
from ..ledger.recorder import Keep
from ..models import Record
from ..session import AsyncSession
from ..vocabulary import NONCE_LIFETIME
from ._addresses import Door
from ._claims import Claims
from ._refusals import Refusals
from .proved_launch import AsyncProvedLaunch
from .signed_cookie import LIFETIME, Key, Signed, SignedCookies, is_of

App = TypeVar("App")

KEY: Final = "clio_nb.launch"
"""Where an adapter puts the proved launch for the page."""

PAUSES: Final = (0.3, 1.0, 2.0, 4.0)
"""Seconds before each time that a browser comes back for a cookie which another process sets."""

JUST_NOW: Final = 2.0
"""Seconds after a launch was admitted in which its browser may come with it once more, before it has the cookie."""

WAITING_MAX: Final = 20  # browsers that this process lets wait at the same time
RECORDS_MAX: Final = 1000
_PARAMETER: Final = "clio_launch"
_WAIT: Final = "clio_wait"
_log: Final = logging.getLogger("clio_nb.launches")


class _Visited(NamedTuple):
    """A visit to a door: its whole address, the paths that the browser may have for it, and what names the door."""

    visit: Visit
    url: str
    places: tuple[str, ...]
    door: str

    @property
    def cookies(self) -> str:
        """The cookies of the browser."""
        return self.visit.headers.get("cookie", "")

    def own(self) -> str:
        """Return the query without the parameters that a door adds."""
        pieces = self.visit.query.split("&")
        return "&".join(piece for piece in pieces if piece.partition("=")[0] not in (_PARAMETER, _WAIT))


class Guard(Generic[App]):
    """Decides about each visit to the address of the launches: what the middlewares of all frameworks share."""

    def __init__(
        self,
        app: App,
        sessions: Sessions,
        key: Key,
        *,
        path: str = "/launch",
        url: str | None = None,
        target: str | None = None,
        actions: Actions = "known",
        connect_url: str | None = None,
        templates: Path | str | None = None,
        timeout: float | None = None,
        record: Keep = False,
    ) -> None:
        self.timeout = timeouts.checked_timeout(timeout)
        check_sessions(sessions)
        check_actions(actions)
        self._app = app
        self._sessions = lasting(sessions)
        self._recording = recording_of(sessions, record=record)
        self._cookies = SignedCookies(key)
        self._address = Door(path, url, target)
        self._target = target
        self._actions = lasting(actions)
        if connect_url is None:
            connect_url = getattr(sessions, "connect_url", None)
        self._refusals = Refusals(templates, connect_url)
        self._claims = Claims(sessions)
        self._records: OrderedDict[str, tuple[float, Record]] = OrderedDict()
        self._under_way: Counter[str] = Counter()
        self._waiting = 0

    def places(self, prefix: str, path: str) -> tuple[str, ...]:
        """Return the paths under which the browser may see this address; none when it is not the door's."""
        return self._address.places(prefix, path)

    @sync_and_async.on_loop
    async def admit(self, visit: Visit, places: tuple[str, ...]) -> AsyncProvedLaunch | Page:
        """Return the proved launch that a visit belongs to, or the page that it gets instead."""
        url = f"{self._address.url(visit.scheme, visit.host, visit.path)}?{visit.query}"
        at = _Visited(visit, url, places, f"{places[0]}\n{self._target or ''}")
        try:
            outcome = await timeouts.within(self._outcome(at), "The door")
        except NetworkError as error:
            _log.info("launch unknown: %s", error)
            outcome = self._refusals.click_again
        if isinstance(outcome, Page) and visit.method == "HEAD":
            return replace(outcome, body=b"")
        return outcome

    async def _outcome(self, at: _Visited) -> AsyncProvedLaunch | Page:
        asked = parse_qsl(at.visit.query)
        ids = [value for name, value in asked if name == _PARAMETER]
        waits = [value for name, value in asked if name == _WAIT]
        again = bool(ids or waits) and fits_target(at.url, self._target)
        if again and len(ids) == 1 and (shown := await self._shown_before(at, ids)):
            return shown
        if at.visit.method != "GET":
            return self._refusals.method
        if at.visit.ahead_of_time:
            return self._refusals.too_early
        if len(waits) == 1 and (waited := self._cookies.waited(waits[0], at.door)):
            shown = await self._shown_before(at, waited[0]) if again else None
            return _redirect(at, at.own(), _PARAMETER, shown.id) if shown else await self._wait(at, at.own(), *waited)
        return await self._receive(at)

    async def _receive(self, at: _Visited) -> Page:
        """Prove a launch, unless this browser holds the cookie of its proof already."""
        report = inspect_launch(at.url, target=self._target)
        launch = report.launch
        if launch is None:
            await prove(report, self._sessions, recording=self._recording)
            return self._refusals.not_a_launch
        own = urlsplit(report.target).query
        ids = self._cookies.ids(launch, at.door)
        before = await self._shown_before(at, ids)
        if before is not None and _same(before, launch):
            return _redirect(at, own, _PARAMETER, before.id)

        claims: list[bool] = []

        async def first() -> bool:
            claims.append(await self._claims.first(self._cookies.claims(launch)))
            return claims[0]

        at_once = self._under_way[ids[0]]
        self._under_way[ids[0]] += 1
        try:
            verdict, session = await prove(
                report, self._sessions, actions=self._actions, first=first, recording=self._recording
            )
        finally:
            self._under_way[ids[0]] -= 1
            self._under_way += Counter()  # drops what is over
        if session is not None:
            self._keep(ids[0], verdict.record)
            cookies = self._set_cookies(at, launch, ids[0], app_of(session))
            return _redirect(at, own, _PARAMETER, ids[0], *cookies)
        again = at_once or self._kept(ids[0], JUST_NOW)
        # also what was not sent is claimed, so that a second visit does not tell whether a user has a token
        won = claims[0] if claims else await first()
        pauses = (PAUSES[:1] if again else ()) if won else PAUSES
        return await self._wait(at, own, ids, pauses if before is None else ())

    async def _wait(self, at: _Visited, own: str, ids: list[str], pauses: Sequence[float]) -> Page:
        """Let the browser come back for the cookie of a launch that is proved at this moment, or refuse it."""
        if not pauses or self._waiting >= WAITING_MAX:
            return self._refusals.click_again
        self._waiting += 1
        try:
            await timeouts.sleep(min(pauses[0], max(timeouts.left(), 0.0) / 2))
        finally:
            self._waiting -= 1
        return _redirect(at, own, _WAIT, self._cookies.wait(ids, pauses[1:], at.door))

    async def _shown_before(self, at: _Visited, ids: Iterable[str]) -> AsyncProvedLaunch | None:
        """Return the launch of this browser's cookie, if this door would still admit it."""
        for one in ids:
            signed = self._cookies.read(at.cookies, one, at.door)
            session = None if signed is None else await self._still_let_in(signed)
            if signed is not None and session is not None:
                return AsyncProvedLaunch(*signed[:-1], session, self._kept(one))
        return None

    async def _still_let_in(self, signed: Signed) -> AsyncSession | None:
        """Apply the door's rules to a launch that was proved before, without a request; return the user's session."""
        try:
            at_hand = await sessions_at_hand(signed.user_id, self._sessions)
        except ClioError as error:
            _log.info("launch not shown again: %s", error)
            return None
        session = next((one for one in at_hand if is_of(signed, app_of(one))), None)
        if session is None or self._actions == "any":
            return session
        if self._actions == "known" and not actions_cache.of(session, signed.user_id).listed:
            return session
        return None if fault_of(signed, action_of(signed, session, self._actions)) else session

    def _set_cookies(self, at: _Visited, launch: Launch, id: str, app: str) -> Iterator[tuple[str, str]]:
        """Give the headers that leave the cookie of a launch in the browser, and take the oldest out of it."""
        signed = self._cookies.sign(launch, id, at.door, app)
        surplus = self._cookies.surplus(at.cookies, at.door)
        for path in at.places:
            end = f"; Path={path}; HttpOnly; SameSite=Lax{'; Secure' if at.url.startswith('https:') else ''}"
            yield "set-cookie", f"{signed}; Max-Age={LIFETIME}{end}"
            yield from (("set-cookie", f"{name}=; Max-Age=0{end}") for name in surplus)

    def _keep(self, id: str, record: Record | None) -> None:
        """Keep the record that a proof has read, for the page that comes next."""
        if record is not None:
            self._records[id] = (timeouts.now(), record)
        while len(self._records) > RECORDS_MAX:
            self._records.popitem(last=False)

    def _kept(self, id: str, seconds: float = NONCE_LIFETIME) -> Record | None:
        at, record = self._records.get(id, (float("-inf"), None))
        return record if timeouts.now() - at < seconds else None


def _redirect(at: _Visited, own: str, name: str, value: str, *headers: tuple[str, str]) -> Page:
    """Redirect to the same page with another query."""
    path = at.visit.path
    # by the path, which Flask's test client needs, or relative, which holds behind a proxy that changes the path
    path = path if at.places == (path.rstrip("/") or "/",) else ""
    return moved(f"{path}?{own}{'&' if own else ''}{name}={value}", *headers)


def _same(proved: AsyncProvedLaunch, launch: Launch) -> bool:
    said = (launch.custom_action_id, launch.user_id, launch.subject)
    return (proved.custom_action_id, proved.user_id, proved.subject) == said


def launch_in(kept: object, path: str, kind: type[App]) -> App:
    """Return the launch that a middleware has left for a page."""
    if not isinstance(kept, kind):
        raise NotAdmitted(
            f"No launch came to {path}: no LaunchMiddleware guards this address. Give it the path of this page."
        )
    return kept
