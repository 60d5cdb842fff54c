"""Serve a small ASGI app on 127.0.0.1, on the library's loop, for as long as a block runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Final

import anyio

from ..errors import PortBusy

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Message, Receive, Send], Awaitable[None]]

_listening: Final[set[socket.socket]] = set()


def _leave_to_parent() -> None:
    """Close in a forked child what its parent listens on: it would keep the port when the parent is killed."""
    while _listening:
        _listening.pop().close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


def listener(port: int, *, advice: str) -> socket.socket:
    """Return a socket that listens on a port of 127.0.0.1; 0 is any free one.

    Raises :class:`PortBusy`, whose message ends with ``advice``, when another program has the port.
    """
    # said to be TCP, since asyncio turns off Nagle's delay of 40 ms only then
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
        bound.listen()
    except OSError:
        bound.close()
        raise PortBusy(f"Port {port} is in use by another program. {advice}", port=port) from None
    return bound


@contextlib.asynccontextmanager
async def serving(app: AsgiApp, bound: socket.socket) -> AsyncIterator[None]:
    """Answer the HTTP requests that come to a listening socket with an app; close it at the end."""
    import uvicorn  # noqa: PLC0415 -- a web server is loaded only when one is needed

    config = uvicorn.Config(
        app,
        interface="asgi3",
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    _listening.add(bound)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        yield
    finally:
        server.should_exit = True
        with anyio.CancelScope(shield=True):  # cancelled work leaves no listener behind
            await task
        _listening.discard(bound)
        bound.close()
