"""The one seam to the network: send one HTTP request, once, and read its answer within bounds.

The engine is called through httpx's transport interface, without ``httpx.Client`` on purpose: that would log full URLs,
and with them the nonce.

Nothing here retries: the class of a network error does not tell whether Clio saw the request.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from . import errors, portal
from .engine import Engine
from .version import __version__

DEADLINE: Final = 30.0
IN_FLIGHT: Final = 50  # requests at a time, all users together; waiting for a budget does not count

_log: Final = logging.getLogger("clio_nb")
_agent: Final = f"clio-nb/{__version__}".encode()


@dataclass(frozen=True, slots=True)
class Raw:
    """An HTTP answer as it came: status, headers with lower-case names, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@functools.cache
def _engine(pid: int) -> httpx.AsyncBaseTransport:
    """One engine a process; its pool and TLS context serve every user. A forked child makes its own."""
    engine = Engine()
    portal.at_close(engine.aclose)
    return engine


@functools.cache
def _gate(pid: int) -> asyncio.Semaphore:
    """Lets so many requests of this process through at a time."""
    return asyncio.Semaphore(IN_FLIGHT)


@functools.lru_cache(maxsize=256)
def _parsed(url: str) -> httpx.URL:
    """Parse a URL once for all users: in a rollout a thousand of them ask for the same few."""
    return httpx.URL(url)


async def exchange(
    method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes = b"", deadline: float = DEADLINE
) -> Raw:
    """Send one request and return the answer, whatever its status.

    ``deadline`` in seconds covers it all; redirects are not followed; a body over 32 MiB is not read. Raises
    :class:`errors.NetworkError` when no whole answer came.
    """
    lines = [(b"user-agent", _agent), *((name.encode(), value.encode()) for name, value in (headers or {}).items())]
    timeout = {"timeout": {"read": deadline}}
    # A stream, not content: httpx would add headers that the engine adds anyhow, which costs more than all the rest.
    stream = httpx.ByteStream(content)
    request = httpx.Request(method, _parsed(url), headers=lines, stream=stream, extensions=timeout)
    started = time.perf_counter()
    try:
        async with _gate(os.getpid()):
            response = await _engine(os.getpid()).handle_async_request(request)
    except httpx.TransportError as cause:
        _log.debug("%s %s: %s", method, request.url.path, type(cause).__name__)
        raise errors.NetworkError(
            f"No answer from {request.url.host} to {method} {request.url.path} ({cause}). "
            "Check the network, then try again."
        ) from None
    if _log.isEnabledFor(logging.DEBUG):
        took = (time.perf_counter() - started) * 1000
        _log.debug("%s %s: %d in %.0f ms", method, request.url.path, response.status_code, took)
    return Raw(response.status_code, _plain(response.headers.raw), await _body(response))


async def _body(response: httpx.Response) -> bytes:
    """Return the body that the engine has read already; ``aread()`` looks for encodings, which it has undone."""
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 -- for mypy
    return b"".join([part async for part in response.stream])


def _plain(lines: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers as a plain dict: each is looked up several times, which httpx's own mapping makes dear."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in lines}
