"""The server: uvicorn on a loop and a thread of its own."""

from __future__ import annotations

import asyncio
import errno
import functools
import socket
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from .connections import Lines, Protocol

_THREAD_TIMEOUT: Final = 5.0  # seconds that the server has to start or to stop


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
        # on Windows the usual option would let another program share the port
        alone = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
        listener.setsockopt(socket.SOL_SOCKET, alone, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(port) from None
        raise
    return listener


class Server(uvicorn.Server):
    """Serve an app on sockets in a daemon thread, from :meth:`start` until :meth:`stop`."""

    def __init__(self, app: ASGIApp, sockets: Sequence[socket.socket], lines: Lines) -> None:
        config = uvicorn.Config(
            app,
            http=functools.partial(Protocol, lines),  # type: ignore[arg-type]  # called as the class is
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
        if not self._ready.wait(_THREAD_TIMEOUT):
            raise RuntimeError("The sandbox's server did not start in time.")

    def stop(self) -> None:
        """Close every connection and wait until the thread has ended. Stopping twice is once."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._lines.closing.set)
            if threading.current_thread() is not self._thread:
                self._thread.join(_THREAD_TIMEOUT)

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
