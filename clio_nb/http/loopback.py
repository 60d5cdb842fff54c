"""Serve a small ASGI app on 127.0.0.1, on the library's loop, for as long as a block runs."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Final

import anyio

from ..errors import PortBusy
from ..vocabulary import LOOPBACK

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Message, Receive, Send], Awaitable[None]]

ALONE: Final[int] = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
"""The option that has a port free at once when a listener ends. On Windows, that one would let others share it."""

_listening: Final[set[socket.socket]] = set()


def _leave_to_parent() -> None:
    """Close in a forked child what its parent listens on: it would keep the port when the parent is killed."""
    while _listening:
        _listening.pop().close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


def listeners(host: str, port: int, *, advice: str) -> list[socket.socket]:
    """Return sockets that listen on a port of this machine; 0 is any free one. ``localhost`` is both of its addresses.

    Raises :class:`PortBusy`, whose message ends with ``advice``, when the port cannot be had: a browser would bring
    the answer to whoever has it.
    """
    with contextlib.ExitStack() as undo:
        bound = [undo.enter_context(_bound(LOOPBACK[0] if host == LOOPBACK[1] else host, port, advice))]
        if host == LOOPBACK[1]:
            with contextlib.suppress(_NoAddress):  # a machine without IPv6
                bound.append(undo.enter_context(_bound(LOOPBACK[2], port or bound[0].getsockname()[1], advice)))
        undo.pop_all()
    return bound


class _NoAddress(PortBusy):
    """This machine has no such address."""


def _bound(host: str, port: int, advice: str) -> socket.socket:
    try:
        # said to be TCP, since asyncio turns off Nagle's delay of 40 ms only then
        bound = socket.socket(
            socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
        )
        try:
            bound.setsockopt(socket.SOL_SOCKET, ALONE, 1)
            bound.bind((host, port))
            bound.listen()
        except OSError:
            bound.close()
            raise
    except PermissionError:
        why = f"Port {port} is forbidden to programs of this user{' (ports below 1024 often are)' * (port < 1024)}."
        raise PortBusy(why, advice, port=port) from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortBusy(f"Port {port} is in use by another program.", advice, port=port) from None
        kind = _NoAddress if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT) else PortBusy
        raise kind(f"Port {port} of {host} cannot be used ({error.strerror}).", advice, port=port) from None
    return bound


@contextlib.asynccontextmanager
async def serving(app: AsgiApp, *bound: socket.socket) -> AsyncIterator[None]:
    """Answer the HTTP requests that come to listening sockets with an app; close them at the end."""
    import uvicorn  # noqa: PLC0415 -- a web server is loaded only when one is needed

    from .connections import Bounded  # noqa: PLC0415 -- as above

    lines: set[Bounded] = set()
    config = uvicorn.Config(
        app,
        http=functools.partial(Bounded, lines),  # type: ignore[arg-type]  # called as the class is
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
    _listening.update(bound)
    task = asyncio.create_task(server.serve(sockets=list(bound)))
    try:
        yield
    finally:
        server.should_exit = True
        with anyio.CancelScope(shield=True):  # cancelled work leaves no listener behind
            await task
            for line in list(lines):
                line.transport.abort()
        _listening.difference_update(bound)
        for each in bound:
            each.close()
