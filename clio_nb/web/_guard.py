"""The door of a receiver, for ASGI and WSGI: it admits proved launches, also on a reload, and refuses all others.

A launch is answered with a redirect to the same page without Clio's parameters, so that the nonce leaves the address
bar, the history and the Referer; the page then knows the launch by a signed cookie. The cookie is good for this door
only (path, target, app), and the door's own rules are applied on every visit, without a request.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from ..errors import ClioError
from ..http import sync_and_async, timeouts
from ..launches._pages import Page, Visit, moved, page, refusal_of_method
from ..launches.inspect import fits_target, inspect_launch
from ..launches.proof.known_actions import actions_cache
from ..launches.proof.sessions import Sessions, app_of, check_sessions, lasting, sessions_at_hand
from ..launches.proof.steps import Actions, action_of, check_actions, fault_of, prove
from ..launches.report import Launch, ProvedLaunch
from .signed_cookie import LIFETIME, Key, SignedCookies

_PARAMETER: Final = "clio_launch"
_log: Final = logging.getLogger("clio_nb.launches")


class Guard:
    """Decides about each visit to the address of the launches."""

    def __init__(
        self,
        sessions: Sessions,
        key: Key,
        *,
        target: str | None = None,
        actions: Actions = "known",
        timeout: float | None = None,
    ) -> None:
        self.timeout = timeouts.checked_timeout(timeout)
        check_sessions(sessions)
        check_actions(actions)
        self._sessions = lasting(sessions)
        self._cookies = SignedCookies(key)
        self._target = target
        self._actions = lasting(actions)

    @sync_and_async.on_loop
    async def admit(self, visit: Visit) -> ProvedLaunch | Page:
        """Return the proved launch that a visit belongs to, or the page that it gets instead."""
        ids = [value for name, value in parse_qsl(visit.query) if name == _PARAMETER]
        shown = await self._shown_before(visit, ids) if len(ids) == 1 else None
        return shown or refusal_of_method(visit) or await self._receive(visit)

    async def _receive(self, visit: Visit) -> Page:
        """Prove a launch, unless this browser holds the cookie of its proof already."""
        report = inspect_launch(visit.url, target=self._target)
        launch = report.launch
        if launch is None:
            _log.info("launch refused: %s", " ".join(report.reasons))
            return page(400, "Open it from Clio", "This is not a launch of a custom action. Click the action in Clio.")
        own = urlsplit(report.target).query
        ids = self._cookies.ids(launch, self._door(visit))
        before = await self._shown_before(visit, ids)
        if before is not None and _same(before, launch):
            return _move(own, before.id)
        verdict = await prove(launch, self._sessions, actions=self._actions)
        if verdict:
            return _move(own, ids[0], ("set-cookie", await self._cookie(visit, launch, ids[0])))
        _log.info("launch %s: %s", verdict.state, verdict.reason)
        return _TURNED_AWAY[verdict.state]

    async def _shown_before(self, visit: Visit, ids: Iterable[str]) -> ProvedLaunch | None:
        """Return the launch of this browser's cookie, if this door would still admit it."""
        if not fits_target(visit.url, self._target):
            return None
        for one in ids:
            read = self._cookies.read(visit.headers.get("cookie", ""), one, self._door(visit))
            if read is not None and await self._lets_in(*read):
                return read[0]
        return None

    async def _lets_in(self, proved: ProvedLaunch, app: str) -> bool:
        """Apply the door's rules to a launch that was proved before, without a request."""
        try:
            at_hand = await sessions_at_hand(proved.user_id, self._sessions)
        except ClioError as error:
            _log.info("launch not shown again: %s", error)
            return False
        session = next((one for one in at_hand if app_of(one) == app), None)
        if session is None:
            return False
        if self._actions == "any" or (
            self._actions == "known" and not actions_cache.of(session, proved.user_id).listed
        ):
            return True
        return not fault_of(proved, action_of(proved, session, self._actions))

    def _door(self, visit: Visit) -> str:
        return f"{visit.path}\n{self._target or ''}"

    async def _cookie(self, visit: Visit, launch: Launch, id: str) -> str:
        at_hand = await sessions_at_hand(launch.user_id, self._sessions)  # first of them the one that has proved it
        signed = self._cookies.sign(launch, id, self._door(visit), next(map(app_of, at_hand), ""))
        attributes = f"; Max-Age={LIFETIME}; Path={visit.path}; HttpOnly; SameSite=Lax"
        return signed + attributes + ("; Secure" if visit.scheme == "https" else "")


def _move(own: str, id: str, *headers: tuple[str, str]) -> Page:
    """Redirect to the same page without Clio's parameters; relative, so that it holds behind any proxy."""
    return moved(f"?{own}{'&' if own else ''}{_PARAMETER}={id}", *headers)


def _same(proved: ProvedLaunch, launch: Launch) -> bool:
    said = (launch.custom_action_id, launch.user_id, launch.subject)
    return (proved.custom_action_id, proved.user_id, proved.subject) == said


# What a visitor reads does not tell whether a user or an action exists; the log says the reason.
_TURNED_AWAY: Final = {
    "refused": page(
        403,
        "Click it again in Clio",
        "Clio did not confirm this click: it may be too old, or used before. Go back to Clio and click the action "
        "again. If that does not help, this app may have to be connected to Clio again.",
    ),
    "expired": page(
        403, "Click it again in Clio", "This click is too old. Go back to Clio and click the action again."
    ),
    "unknown": page(503, "No answer from Clio", "Go back to Clio and click the action again, in a moment."),
}
