"""A decoy listener: no honest launch leads there, so every request that it gets shows a mistake of the receiver."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from ..http import loopback
from ..http.loopback import Message, Receive, Send


@dataclass(frozen=True, slots=True)
class StrayRequest:
    """A request that reached the decoy listener."""

    path: str
    has_token: bool


class DecoyListener:
    """Collects the requests that it gets. ``host`` is its ``127.0.0.1:PORT``."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.stray: list[StrayRequest] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer as a careless Clio would, so that a careless receiver goes on."""
        has_token = any(name.lower() == b"authorization" for name, _ in scope["headers"])
        self.stray.append(StrayRequest(scope["path"], has_token))
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"data":{"id":1}}'})


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[DecoyListener]:
    """Listen on a free port of this machine for as long as the block runs."""
    (bound,) = loopback.listeners("127.0.0.1", 0, advice="Try again.")
    decoy = DecoyListener(f"127.0.0.1:{bound.getsockname()[1]}")
    async with loopback.serving(decoy, bound):
        yield decoy
