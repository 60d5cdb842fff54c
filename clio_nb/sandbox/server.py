"""The server: uvicorn on a loop and a thread of its own, with connections that can be torn down on purpose."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.auto import AutoHTTPProtocol

_PATIENCE: Final = 5.0
"""Seconds that the server has to start or to stop."""


class PortInUse(OSError):
    """Another program listens on the port already; ``port`` says which."""

    def __init__(self, port: int) -> None:
        super().__init__(errno.EADDRINUSE, f"Port {port} is in use by another program; give another one, or 0 for any.")
        self.port: Final = port


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on a port (0: a free one); raise :class:`PortInUse` when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only on sockets that name their protocol
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(port) from None
        raise
    return listener


class Lines:
    """The open connections, by the addresses of their two ends, and whether they are about to close."""

    def __init__(self) -> None:
        self.closing: Final = asyncio.Event()
        self._transports: dict[tuple[Any, Any], asyncio.Transport] = {}

    async def pause(self, seconds: float) -> None:
        """Let real time pass, unless the server is stopped first."""
        try:
            await asyncio.wait_for(self.closing.wait(), seconds)
        except TimeoutError:
            return

    def add(self, transport: asyncio.Transport) -> None:
        """Remember a connection."""
        self._transports[self._ends(transport)] = transport

    def drop(self, transport: asyncio.Transport) -> None:
        """Forget a connection."""
        self._transports.pop(self._ends(transport), None)

    def abort(self, scope: Scope) -> None:
        """Reset the connection that a request came by: the other side sees it break, with nothing after it."""
        transport = self._transports[scope["server"][1], tuple(scope["client"])]
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    def abort_all(self) -> None:
        """Tear every connection down."""
        for transport in list(self._transports.values()):
            transport.abort()

    @staticmethod
    def _ends(transport: asyncio.Transport) -> tuple[Any, Any]:
        return transport.get_extra_info("sockname")[1], transport.get_extra_info("peername")[:2]


def _protocol(lines: Lines) -> type[asyncio.Protocol]:
    class Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # uvicorn chooses it when it is imported
        """Uvicorn's protocol, with its connections kept, and without a log of full URLs: they hold secrets."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.access_log = False

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            lines.add(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            lines.drop(self.transport)
            super().connection_lost(exc)

    return Protocol


class Server(uvicorn.Server):
    """Serve an app on sockets in a daemon thread, from :meth:`start` until :meth:`stop`."""

    def __init__(self, app: ASGIApp, sockets: Sequence[socket.socket], lines: Lines) -> None:
        config = uvicorn.Config(
            app,
            http=_protocol(lines),
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=60,
        )
        super().__init__(config)
        self._sockets = list(sockets)
        self._lines = lines
        self._ready = threading.Event()
        self._over = threading.Event()
        self._loop: Final = asyncio.new_event_loop()
        self._thread: Final = threading.Thread(target=self._run, name="clio_nb-sandbox", daemon=True)

    def start(self) -> None:
        """Begin to serve; return when connections are answered."""
        self._thread.start()
        if not self._ready.wait(_PATIENCE):
            raise RuntimeError("The sandbox's server did not start in time.")

    def stop(self) -> None:
        """Close every connection and wait until the thread has ended. Stopping twice is once."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._lines.closing.set)
            if threading.current_thread() is not self._thread:
                self._thread.join(_PATIENCE)

    def wait(self) -> None:
        """Block until the server is stopped. Ctrl-C in ``join`` could take a thread that still runs for ended."""
        while not self._over.wait(0.5):  # without a timeout, Ctrl-C is not heard on Windows
            continue

    def submit(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def main_loop(self) -> None:
        """Serve until :meth:`stop`."""
        self._ready.set()
        await self._lines.closing.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, let answers that are under way go out, and close what is still open."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=1.0)
        self._lines.abort_all()
        await asyncio.sleep(0)  # lets the transports say that they are lost

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self.serve(self._sockets))
        finally:
            self._over.set()
