"""The one way to the network: send one HTTP request, once, and read its answer within bounds.

The engine is called through httpx's transport interface, without ``httpx.Client`` on purpose: that would log full URLs,
and with them the nonce.

Nothing here retries: a network error does not tell whether Clio saw the request, unless the library's own engine says
that nothing was sent.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal
from urllib.parse import urlsplit

import httpx

from .. import errors, events
from ..secret import Secret
from ..version import __version__
from . import network, timeouts
from .aiohttp_engine import Engine
from .httpx_engine import Bounded
from .loop import at_close
from .network import DEADLINE, Network
from .not_connected import NotConnected

on_request: Final[ContextVar[Callable[[], object] | None]] = ContextVar("clio_nb.on_request", default=None)
"""Called for each request that is sent in this context, and in what it starts."""

_UNKNOWN: Final = "Clio may have carried it out. Check before you try again."
_log: Final = logging.getLogger("clio_nb")
_agent: Final = f"clio-nb/{__version__}".encode()


@dataclass(frozen=True, slots=True)
class Raw:
    """An HTTP answer as it came: status, headers with lower-case names, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@functools.cache
def _engine(here: asyncio.AbstractEventLoop, known: Network) -> httpx.AsyncBaseTransport:
    """One engine for a loop and a network; its pool and TLS context serve every user. A forked child has its own."""
    engine = Engine(known) if known.transport is None else Bounded(known.transport)
    at_close(engine.aclose)
    return engine


class _Gate(asyncio.Semaphore):
    """Lets so many requests of this process through at a time. ``size`` says how many, and may change."""

    def __init__(self) -> None:
        super().__init__(network.IN_FLIGHT)
        self.size = network.IN_FLIGHT
        self._too_many = 0  # since it was made smaller

    def resize(self, size: int) -> None:
        self._too_many += self.size - size
        self.size = size
        while self._too_many < 0:
            self._too_many += 1
            self.release()

    async def acquire(self) -> Literal[True]:
        await super().acquire()
        while self._too_many > 0:
            self._too_many -= 1
            await super().acquire()
        return True


@functools.cache
def _gate(here: asyncio.AbstractEventLoop) -> _Gate:
    return _Gate()


@functools.lru_cache(maxsize=256)
def _parsed(url: str) -> httpx.URL:
    """Parse a URL once for all users: in a rollout a thousand of them ask for the same few."""
    return httpx.URL(url)


async def exchange(
    method: str,
    url: str | Secret,
    *,
    headers: Mapping[str, str | Secret] = MappingProxyType({}),
    content: bytes | Secret = b"",
    deadline: float = DEADLINE,
    before: Callable[[], Awaitable[None]] | None = None,
) -> Raw:
    """Send one request and return the answer, whatever its status.

    What is secret comes as such, also a URL with a nonce, and is revealed in the call of the engine and nowhere else.
    ``deadline`` in seconds covers it all, and so does a timeout around it; redirects are not followed; a body over
    32 MiB is not read. ``before`` is awaited when there is nothing left to wait for but the answer.
    Raises :class:`errors.NetworkError` when no whole answer came, and before anything is done
    :class:`errors.InvalidInput` when the environment says of the network what cannot be right.
    """
    shown = urlsplit(Secret(url).reveal())._replace(query="", fragment="")
    what = f"{method} {shown.path}"
    here = asyncio.get_running_loop()
    known = network.current()
    engine, gate = _engine(here, known), _gate(here)
    if gate.size != known.in_flight:
        gate.resize(known.in_flight)
    await timeouts.within(gate.acquire(), f"{what} was not sent: the requests before it")
    try:
        if before is not None:
            await timeouts.within(before(), f"{what} was not sent: what had to be done before it")
        if (count := on_request.get()) is not None:
            count()
        started = time.perf_counter()
        with events.request_span(method, shown.hostname, shown.port, shown.geturl()) as span:
            response = await engine.handle_async_request(
                httpx.Request(
                    method,
                    _parsed(url) if isinstance(url, str) else httpx.URL(url.reveal()),
                    headers=[(b"user-agent", _agent), *((key.encode(), _clear(headers[key])) for key in headers)],
                    # Not content: httpx would add headers that the engine adds too, which costs more than all the rest.
                    stream=httpx.ByteStream(content if isinstance(content, bytes) else _clear(content)),
                    extensions={"timeout": {"read": max(min(deadline, known.request_timeout, timeouts.left()), 0.001)}},
                )
            )
            span.note(http__response__status_code=response.status_code)
    except httpx.TransportError as cause:
        _log.debug("%s %s: %s", method, shown.path, type(cause).__name__)
        raise _failure(cause, what, method, httpx.URL(shown.geturl())) from None
    finally:
        gate.release()
    if _log.isEnabledFor(logging.DEBUG):
        took = (time.perf_counter() - started) * 1000
        _log.debug("%s %s: %d in %.0f ms", method, shown.path, response.status_code, took)
    return Raw(response.status_code, _plain(response.headers.raw), await _body(response))


def _failure(cause: httpx.TransportError, what: str, method: str, url: httpx.URL) -> errors.NetworkError:
    """Say why there is no answer, and what to do; no address of a proxy, which may hold a password."""
    if not isinstance(cause, NotConnected):
        advice = "Check the network, then try again." if method == "GET" else _UNKNOWN
        return errors.NetworkError(f"No answer from {url.host} to {what} ({cause}). {advice}")
    if cause.of == "tls":
        sent = "Nothing was sent. " if cause.sure else ""
        said = f"No secure connection (TLS) to {url.host} for {what}: {cause}. {sent}{cause.advice}{network.unread()}"
        return errors.TlsFailed(said, nothing_sent=cause.sure)
    if cause.of == "proxy":
        said = f"No answer from {url.host} to {what}: {cause}. {network.PROXY_ADVICE}"
        return errors.ProxyRefused(said, nothing_sent=cause.sure)
    said = f"No answer from {url.host} to {what} ({cause}). {network.advice(url)}"
    return errors.NetworkError(said, nothing_sent=cause.sure)


def _clear(value: str | Secret) -> bytes:
    return Secret(value).reveal().encode(errors="replace")  # an encoding error would hold the text


async def _body(response: httpx.Response) -> bytes:
    """Return the body that the engine has read already; ``aread()`` looks for encodings, which it has undone."""
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 -- for mypy
    return b"".join([part async for part in response.stream])


def _plain(lines: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers as a plain dict: each is looked up several times, which httpx's own mapping makes slow."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in lines}
