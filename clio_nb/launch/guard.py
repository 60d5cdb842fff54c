"""The door of a receiver, whatever serves it: a proved launch comes in, also on a reload; all else is turned away.

A launch is answered with a redirect to the same page without Clio's parameters, so that the nonce leaves the address
bar, the history and the Referer; the page then knows the launch by its ticket (a cookie).
"""

from __future__ import annotations

import logging
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from ..secret import Secret
from .lookup import Sessions
from .pages import Page, Visit, moved, page, refusal_of_method
from .proof import Actions
from .report import Launch
from .ticket import LIFETIME, ProvedLaunch, Tickets
from .url import inspect_launch
from .verify import verify_launch

_MARK: Final = "clio_launch"
_log: Final = logging.getLogger("clio_nb.launch")


class Guard:
    """Decides about each visit to the address of the launches."""

    def __init__(
        self, sessions: Sessions, key: Secret | str, *, target: str | None = None, actions: Actions = "known"
    ) -> None:
        self._sessions = sessions
        self._tickets = Tickets(key)
        self._target = target
        self._actions = actions

    async def admit(self, visit: Visit) -> ProvedLaunch | Page:
        """Return the proved launch that a visit belongs to, or the page that it gets instead."""
        cookies = visit.headers.get("cookie", "")
        marks = [value for name, value in parse_qsl(visit.query) if name == _MARK]
        if len(marks) == 1 and (known := self._tickets.read(cookies, marks[0])):
            return known
        return refusal_of_method(visit) or await self._receive(visit, cookies)

    async def _receive(self, visit: Visit, cookies: str) -> Page:
        """Prove a launch, unless this browser holds the ticket of its proof already."""
        report = inspect_launch(visit.url, target=self._target)
        if report.launch is None:
            _log.info("launch refused: %s", " ".join(report.reasons))
            return page(400, "Open it from Clio", "This is no launch of a custom action. Click the action in Clio.")
        own = urlsplit(report.target).query
        proved = self._tickets.prove(report.launch)
        before = self._tickets.read(cookies, proved.id)
        if before is not None and _same(before, report.launch):
            return _move(own, before)
        verdict = await verify_launch.aio(visit.url, self._sessions, target=self._target, actions=self._actions)
        if verdict:
            return _move(own, proved, ("set-cookie", self._cookie(visit, proved)))
        _log.info("launch %s: %s", verdict.state, verdict.reason)
        return _TURNED_AWAY[verdict.state]

    def _cookie(self, visit: Visit, proved: ProvedLaunch) -> str:
        attributes = f"; Max-Age={LIFETIME}; HttpOnly; SameSite=Lax" + ("; Secure" if visit.scheme == "https" else "")
        return self._tickets.cookie(proved) + attributes


def _move(own: str, proved: ProvedLaunch, *headers: tuple[str, str]) -> Page:
    """Redirect to the same page without Clio's parameters; relative, so that it holds behind any proxy."""
    mark = f"{_MARK}={proved.id}"
    return moved(f"?{own}&{mark}" if own else f"?{mark}", *headers)


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
