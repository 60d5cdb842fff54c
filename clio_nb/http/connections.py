"""The connections to a small server on this machine: closed when no request comes, bounded in size and number."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_TIMEOUT: Final = 10.0  # seconds for a whole head, from the opening of the connection or its first byte
HEAD_MAX: Final = 65_536  # bytes that are read of a head, and of a body that nobody asked for
CONNECTIONS_MAX: Final = 100  # of more, the one that has been idle longest is closed

_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Bounded(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # uvicorn chooses it when it is imported
    """Uvicorn's protocol, with bounds. ``lines`` are all connections of one server."""

    transport: asyncio.Transport

    def __init__(self, lines: set[Bounded], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._lines = lines
        self.heard: float = self.loop.time()
        self._unasked = 0  # bytes since the last request that began none
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Wait for a request."""
        super().connection_made(transport)
        self._lines.add(self)
        self._wait()
        if len(self._lines) > CONNECTIONS_MAX:
            idle = [each for each in self._lines if each.is_idle]
            given_up = min(idle, key=lambda each: each.heard, default=self)
            self._lines.discard(given_up)  # now: several may come before this one is lost
            given_up.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._stop_waiting()
        self._lines.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what comes. Half a head, and a body that nobody reads, have to end in time and within a size."""
        before, self.heard = self.cycle, self.loop.time()
        super().data_received(data)
        if self.cycle is not before:
            self._stop_waiting()
        elif self.is_idle:
            self._unasked += len(data)
            if self._unasked > HEAD_MAX:
                self.transport.write(_TOO_LARGE)
                self.transport.abort()
            elif self._deadline is None:
                self._wait()

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a request."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection at once; ``close()`` would wait for a peer that reads no more."""
        self.transport.abort()

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(HEAD_TIMEOUT, self.transport.abort)

    def _stop_waiting(self) -> None:
        self._unasked = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
