"""The page on this machine that Clio sends the user back to: a listener on 127.0.0.1 that takes one answer.

Anything that is not the answer of this login (a favicon, a scanner, a wrong state) is turned away, and the listener
stays up.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import parse_qsl

from ..http import loopback
from ..http.loopback import Message, Receive, Send
from ..http.oauth import Authorization
from ..secret import Secret
from .redirect_uri import WayBack

_HEADERS: Final = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
    (b"x-content-type-options", b"nosniff"),
    (b"connection", b"close"),
)
_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><style>:root{{color-scheme:light dark}}
body{{font:1.1rem/1.6 system-ui,sans-serif;max-width:32rem;margin:18vh auto;padding:0 1.5rem}}</style>
<main><h1>{title}</h1><p>{text}</p></main></html>"""
_ARRIVED: Final = _PAGE.format(title="You can close this tab", text="The answer has arrived. Go back to your notebook.")
_DONE: Final = _PAGE.format(title="Already done", text="This login is complete. Go back to your notebook.")
_OTHER: Final = _PAGE.format(
    title="Not this login", text="This address belongs to another login. Use the link in your notebook."
)
_QUERY_CAP: Final = 8192


class Callback:
    """The application behind the listener. ``answer`` is done when the redirect of this grant has come."""

    def __init__(self, grant: Authorization, way: WayBack) -> None:
        self._grant = grant
        self._way = way
        self.answer: asyncio.Future[Secret] = asyncio.get_running_loop().create_future()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        status, page = self._take(scope)
        body = page.encode() if scope["method"] != "HEAD" else b""
        await send({"type": "http.response.start", "status": status, "headers": list(_HEADERS)})
        await send({"type": "http.response.body", "body": body})

    def _take(self, scope: Message) -> tuple[int, str]:
        host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
        if scope["method"] != "GET":
            return 405, _OTHER
        foreign = bool(self._way.hosts) and host.lower() not in self._way.hosts
        if scope["path"] != self._way.path or foreign or len(scope["query_string"]) > _QUERY_CAP:
            return 404, _OTHER
        query = scope["query_string"].decode("latin-1")
        fields = dict(parse_qsl(query))
        if not self._grant.knows(fields.get("state")) or not fields.keys() & {"code", "error"}:
            return 400, _OTHER
        if self.answer.done():
            return 200, _DONE
        self.answer.set_result(self._grant.answered(query))
        return 200, _ARRIVED


@contextlib.asynccontextmanager
async def listen(grant: Authorization, way: WayBack) -> AsyncIterator[Callback]:
    """Listen on this machine for as long as the block runs. Raises :class:`PortBusy` when the port cannot be had."""
    advice = (
        "The app's redirect URI names it. Sign in by pasting: follow the link, and give finish() the address that "
        "the browser ends up at."
    )
    callback = Callback(grant, way)
    async with loopback.serving(callback, *loopback.listeners(way.host, way.port or 0, advice=advice)):
        yield callback
