"""The door of a receiver, whatever serves it: a proved launch comes in, also on a reload; all else is turned away.

A launch is answered with a redirect to the same page without Clio's parameters, so that the nonce leaves the address
bar, the history and the Referer; the page then knows the launch by its ticket (a cookie).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from ..secret import Secret
from .lookup import Sessions
from .proof import Actions
from .report import Launch
from .ticket import LIFETIME, ProvedLaunch, Tickets
from .url import inspect_launch
from .verify import verify_launch_async

PRIVATE: Final = (("cache-control", "no-store"), ("referrer-policy", "no-referrer"))
"""Headers of every answer under the launch's address: not kept by any cache, not told to any other site."""

_MARK: Final = "clio_launch"
_log: Final = logging.getLogger("clio_nb.launch")


@dataclass(frozen=True, slots=True)
class Visit:
    """A request as the door sees it. ``headers`` have lower-case names; ``query`` is raw."""

    method: str
    scheme: str
    host: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of the door itself."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def phrase(self) -> str:
        """Status and phrase, as WSGI wants them."""
        return f"{self.status} {HTTPStatus(self.status).phrase}"


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
        if visit.method != "GET":
            return _page(405, "Open it from Clio", "This address answers launches only.", ("allow", "GET"))
        if _is_ahead_of_time(visit.headers):
            return _page(503, "Not yet", "A launch is proved when a person opens it, not before.")
        return await self._receive(visit, cookies)

    async def _receive(self, visit: Visit, cookies: str) -> Page:
        """Prove a launch, unless this browser holds the ticket of its proof already."""
        url = f"{visit.scheme}://{visit.host}{visit.path}?{visit.query}"
        report = inspect_launch(url, target=self._target)
        if report.launch is None:
            _log.info("launch refused: %s", " ".join(report.reasons))
            return _page(400, "Open it from Clio", "This is no launch of a custom action. Click the action in Clio.")
        own = urlsplit(report.target).query
        proved = self._tickets.prove(report.launch)
        before = self._tickets.read(cookies, proved.id)
        if before is not None and _same(before, report.launch):
            return self._move(visit, own, before)
        verdict = await verify_launch_async(url, self._sessions, target=self._target, actions=self._actions)
        if verdict:
            return self._move(visit, own, proved, ("set-cookie", self._cookie(visit, proved)))
        _log.info("launch %s: %s", verdict.state, verdict.reason)
        return _TURNED_AWAY[verdict.state]

    def _move(self, visit: Visit, own: str, proved: ProvedLaunch, *headers: tuple[str, str]) -> Page:
        """Redirect to the same page without Clio's parameters; relative, so that it holds behind any proxy."""
        query = f"{own}&{_MARK}={proved.id}" if own else f"{_MARK}={proved.id}"
        return Page(303, (("location", f"?{query}"), *PRIVATE, *headers), b"")

    def _cookie(self, visit: Visit, proved: ProvedLaunch) -> str:
        safe = visit.scheme == "https" or (self._target or "").startswith("https:")
        attributes = f"; Max-Age={LIFETIME}; HttpOnly; SameSite=Lax" + ("; Secure" if safe else "")
        return self._tickets.cookie(proved) + attributes


def _same(proved: ProvedLaunch, launch: Launch) -> bool:
    said = (launch.custom_action_id, launch.user_id, launch.subject)
    return (proved.custom_action_id, proved.user_id, proved.subject) == said


def _is_ahead_of_time(headers: Mapping[str, str]) -> bool:
    """Whether a browser fetches the page before anybody has asked to see it."""
    purposes = (headers.get(name, "") for name in ("sec-purpose", "purpose", "x-purpose", "x-moz"))
    return any(purpose.lower().startswith(("prefetch", "preview", "prerender")) for purpose in purposes)


_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><style>:root{{color-scheme:light dark}}
body{{font:1.1rem/1.6 system-ui,sans-serif;max-width:32rem;margin:18vh auto;padding:0 1.5rem}}</style>
<main><h1>{title}</h1><p>{text}</p></main></html>"""


def _page(status: int, title: str, text: str, *headers: tuple[str, str]) -> Page:
    body = _PAGE.format(title=escape(title), text=escape(text)).encode()
    fixed = (
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
        ("x-content-type-options", "nosniff"),
        *PRIVATE,
    )
    return Page(status, (*fixed, *headers), body)


# What a visitor reads does not tell whether a user or an action exists; the log says the reason.
_TURNED_AWAY: Final = {
    "refused": _page(
        403,
        "Click it again in Clio",
        "Clio did not confirm this click: it may be too old, or used before. Go back to Clio and click the action "
        "again. If that does not help, this app may have to be connected to Clio again.",
    ),
    "expired": _page(
        403, "Click it again in Clio", "This click is too old. Go back to Clio and click the action again."
    ),
    "unknown": _page(503, "No answer from Clio", "Go back to Clio and click the action again, in a moment."),
}
