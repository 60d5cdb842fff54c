"""A listener that nobody has any business with: whoever comes was led there by a hostile launch."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from ..http import loopback
from ..http.loopback import Message, Receive, Send


@dataclass(frozen=True, slots=True)
class Stranger:
    """A request that should not have come."""

    path: str
    has_token: bool


class Canary:
    """Remembers who came. ``host`` is its ``127.0.0.1:PORT``."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.strangers: list[Stranger] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer as a careless Clio would, so that a careless receiver goes on."""
        has_token = any(name.lower() == b"authorization" for name, _ in scope["headers"])
        self.strangers.append(Stranger(scope["path"], has_token))
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"data":{"id":1}}'})


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Canary]:
    """Listen on a free port of this machine for as long as the block runs."""
    bound = loopback.listener(0, advice="Try again.")
    canary = Canary(f"127.0.0.1:{bound.getsockname()[1]}")
    async with loopback.serving(canary, bound):
        yield canary
