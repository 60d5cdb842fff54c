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
    """The application behind the listener. ``answer`` is done when the redirect of this grant has come.

    ``hosts`` are the Hosts that it answers to; empty, any.
    """

    def __init__(self, grant: Authorization, path: str, hosts: frozenset[str]) -> None:
        self._grant = grant
        self._path = path
        self._hosts = hosts
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
        foreign = bool(self._hosts) and host not in self._hosts
        if scope["path"] != self._path or foreign or len(scope["query_string"]) > _QUERY_CAP:
            return 404, _OTHER
        query = scope["query_string"].decode("latin-1")
        fields = dict(parse_qsl(query))
        if not self._grant.knows(fields.get("state")) or not fields.keys() & {"code", "error"}:
            return 400, _OTHER
        if self.answer.done():
            return 200, _DONE
        self.answer.set_result(Secret(f"{self._grant.redirect_uri}?{query}"))
        return 200, _ARRIVED


@contextlib.asynccontextmanager
async def listen(grant: Authorization, port: int, path: str, hosts: frozenset[str]) -> AsyncIterator[Callback]:
    """Listen on 127.0.0.1 for as long as the block runs. Raises :class:`PortBusy` when the port is taken."""
    advice = (
        "The app's redirect URI names it: close that program, or sign in by pasting: follow the link, and give "
        "finish() the address that the browser ends up at."
    )
    callback = Callback(grant, path, hosts)
    async with loopback.serving(callback, loopback.listener(port, advice=advice)):
        yield callback
