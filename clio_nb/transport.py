"""The one seam to the network: send one HTTP request, once, and read its answer within bounds.

The engine is Rust's (pyreqwest) behind httpx's transport interface, because the stock engine spends more time on its
pool than on the request once 50 connections are open (see bench/). It is called without ``httpx.Client`` on purpose: it
would log full URLs, and with them the nonce.

Nothing here retries: the class of a network error does not tell whether Clio saw the request.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.metadata
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx
from pyreqwest.client import ClientBuilder
from pyreqwest.compatibility.httpx import HttpxTransport
from pyreqwest.exceptions import PyreqwestError

from . import errors, portal

DEADLINE: Final = 30.0
IN_FLIGHT: Final = 50  # requests at a time, all users together; waiting for a budget does not count
BODY_CAP: Final = 32 * 1024 * 1024

_log: Final = logging.getLogger("clio_nb")
_agent: Final = f"clio-nb/{importlib.metadata.version('clio-nb')}".encode()


@dataclass(frozen=True, slots=True)
class Raw:
    """An HTTP answer as it came: status, headers with lower-case names, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@functools.cache
def _engine(pid: int) -> httpx.AsyncBaseTransport:
    """One engine a process; its pool and TLS context serve every user. A forked child makes its own."""
    client = ClientBuilder().follow_redirects(False).no_proxy().max_connections(None).build()
    engine = HttpxTransport(client)
    portal.at_close(engine.aclose)
    return engine


@functools.cache
def _gate(pid: int) -> asyncio.Semaphore:
    """Lets so many requests of this process through at a time."""
    return asyncio.Semaphore(IN_FLIGHT)


async def exchange(
    method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes = b"", deadline: float = DEADLINE
) -> Raw:
    """Send one request and return the answer, whatever its status.

    ``deadline`` in seconds covers it all; redirects are not followed; a body over 32 MiB is not read. Raises
    :class:`errors.NetworkError` when no whole answer came.
    """
    lines = [(b"user-agent", _agent), *((name.encode(), value.encode()) for name, value in (headers or {}).items())]
    request = httpx.Request(method, url, headers=lines, content=content, extensions={"timeout": {"read": deadline}})
    started = time.perf_counter()
    try:
        async with _gate(os.getpid()):
            response = await _engine(os.getpid()).handle_async_request(request)
            try:
                body = await _read(response)
            finally:
                await response.aclose()
    except (httpx.RequestError, PyreqwestError) as cause:
        _log.debug("%s %s: %s", method, request.url.path, type(cause).__name__)
        raise errors.NetworkError(
            f"No answer from {request.url.host} to {method} {request.url.path} ({_reason(cause)}). "
            "Check the network, then try again."
        ) from None
    took = (time.perf_counter() - started) * 1000
    _log.debug("%s %s: %d in %.0f ms", method, request.url.path, response.status_code, took)
    return Raw(response.status_code, _plain(response.headers.raw), body)


async def _read(response: httpx.Response) -> bytes:
    chunks, size = [], 0
    async for chunk in response.stream:  # type: ignore[union-attr]  # an async transport gives an async stream
        chunks.append(chunk)
        size += len(chunk)
        if size > BODY_CAP:
            raise httpx.ReadError("the answer is too large")
    return b"".join(chunks)


def _plain(lines: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers as a plain dict: each is looked up several times, which httpx's own mapping makes dear."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in lines}


def _reason(cause: Exception) -> str:
    return "no answer in time" if isinstance(cause, httpx.TimeoutException) else "the connection failed or broke"
