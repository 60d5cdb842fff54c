"""The open connections: torn down on purpose, closed when no request comes, and never too many."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, Final

from starlette.types import Scope
from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_TIMEOUT: Final = 10.0
"""Real seconds that a sender has for the head of a request, from the opening of the connection or its first byte."""

HEAD_MAX: Final = 65_536  # longest head of a request that is waited for, in bytes

CONNECTIONS_MAX: Final = 800
"""Connections that are open at a time; one more, and the one that has been idle longest is closed."""

_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Lines:
    """The open connections, by the addresses of their two ends, and whether they are about to close."""

    def __init__(self) -> None:
        self.closing: Final = asyncio.Event()
        self._open: dict[tuple[Any, Any], Protocol] = {}

    async def pause(self, seconds: float) -> None:
        """Let real time pass, unless the server is stopped first."""
        try:
            await asyncio.wait_for(self.closing.wait(), seconds)
        except TimeoutError:
            return

    def add(self, line: Protocol) -> None:
        """Remember a connection. Of too many, the one that has been idle longest is closed."""
        self._open[self._ends(line)] = line
        if len(self._open) > CONNECTIONS_MAX:
            idle = [each for each in self._open.values() if each.is_idle]
            given_up = min(idle, key=lambda each: each.heard, default=line)
            self.drop(given_up)  # now: several may come before this one is lost
            given_up.transport.abort()

    def drop(self, line: Protocol) -> None:
        """Forget a connection."""
        self._open.pop(self._ends(line), None)

    def abort(self, scope: Scope) -> None:
        """Reset the connection that a request came by: the other side sees it break, with nothing after it."""
        transport = self._open[scope["server"][1], tuple(scope["client"])].transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    def abort_all(self) -> None:
        """Tear every connection down."""
        for line in list(self._open.values()):
            line.transport.abort()

    @staticmethod
    def _ends(line: Protocol) -> tuple[Any, Any]:
        return line.transport.get_extra_info("sockname")[1], line.transport.get_extra_info("peername")[:2]


class Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # uvicorn chooses it when it is imported
    """Uvicorn's protocol, with bounds on what comes, and without a log of full URLs: they hold secrets."""

    transport: asyncio.Transport

    def __init__(self, lines: Lines, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.access_log = False
        self.heard: float = self.loop.time()
        self._lines = lines
        self._unasked = 0  # bytes since the last request that began none
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a request."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Wait for a request, within bounds."""
        super().connection_made(transport)
        self._lines.add(self)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._end_waiting()
        self._lines.drop(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what comes. Half a head, and a body that nobody reads, have to end in time and within a size."""
        before, self.heard = self.cycle, self.loop.time()
        super().data_received(data)
        if self.cycle is not before:
            if self._deadline is not None:
                self._end_waiting()
        elif self.is_idle:
            self._unasked += len(data)
            if self._unasked > HEAD_MAX:
                self.transport.write(_TOO_LARGE)
                self.transport.abort()
            elif self._deadline is None:
                self._await_request()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection at once; ``close()`` would wait for a peer that reads no more."""
        self.transport.abort()

    def _await_request(self) -> None:
        self._deadline = self.loop.call_later(HEAD_TIMEOUT, self.transport.abort)

    def _end_waiting(self) -> None:
        self._unasked = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
