"""The HTTP engine: aiohttp as an httpx transport, lean, with a cap on what is read.

It runs on the loop that uses it, so no other thread competes with it for the interpreter. It sends each request once,
follows no redirect, keeps no cookie, and goes by the proxy that it is told. SOCKS is left to httpcore.
"""

from __future__ import annotations

import base64
from contextvars import ContextVar
from typing import Any, Final

import aiohttp
import httpx
from yarl import URL

from ..secret import Secret
from .httpx_engine import whole
from .network import Network
from .not_connected import NotConnected, tls_failed

_connected: Final[ContextVar[bool]] = ContextVar("clio_nb.connected", default=False)
"""Whether the request of this task has its connection: before that, nothing of it can have been sent."""


class _Connector(aiohttp.TCPConnector):
    async def connect(self, *args: Any, **options: Any) -> aiohttp.connector.Connection:
        connection = await super().connect(*args, **options)
        _connected.set(True)
        return connection


class Engine(httpx.AsyncBaseTransport):
    """One connection pool and TLS context for all users. Belongs to the loop it is made on."""

    def __init__(self, network: Network | None = None) -> None:
        self._network = network or Network()
        self._tls = self._network.tls()
        self._socks: dict[Secret, httpx.AsyncBaseTransport] = {}
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=0, ssl=self._tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_sent_once,),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read its whole answer within ``extensions["timeout"]["read"]`` seconds.

        Raises :class:`NotConnected`, or :class:`httpx.TimeoutException` or :class:`httpx.NetworkError`, which do not
        say whether the server saw the request.
        """
        proxy = self._network.proxy_for(request.url)
        if proxy is not None and proxy.reveal().startswith("socks"):
            if proxy not in self._socks:
                from .socks import Socks  # noqa: PLC0415 -- its packages are there where such a proxy could be named

                self._socks[proxy] = Socks(proxy, self._tls)
            return await self._socks[proxy].handle_async_request(request)
        way = _by(proxy, request.url.scheme)
        sending = self._session.request(
            request.method,
            URL(str(request.url), encoded=True),
            headers=[
                *((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw),
                *way.pop("headers", ()),
            ],
            data=request.read() or None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=request.extensions["timeout"]["read"]),
            **way,
        )
        url, seconds = (request.url.scheme, request.url.host), request.extensions["timeout"]["read"]
        del request, way  # they hold a token and a password, and what follows can fail
        _connected.set(False)
        try:
            async with sending as answer:
                if answer.status == 407 and proxy is not None:
                    raise _refused_by_proxy(407)
                stream = httpx.ByteStream(await whole(answer.content.iter_any()))
                return httpx.Response(answer.status, headers=list(answer.raw_headers), stream=stream)
        except TimeoutError:
            if _connected.get():
                raise httpx.ReadTimeout(f"timeout after {seconds:.3g} s") from None
            raise NotConnected(f"no connection within {seconds:.3g} s") from None
        except aiohttp.ClientError as error:  # its own text could hold the whole URL
            if _connected.get():
                raise httpx.NetworkError("the connection failed") from None
            raise _not_connected(error, url, proxy is not None) from None

    async def aclose(self) -> None:
        """Close the pools."""
        for each in self._socks.values():
            await each.aclose()
        await self._session.close()


def _by(proxy: Secret | None, scheme: str) -> dict[str, Any]:
    """Return what tells aiohttp to go by a proxy. Its password goes to the proxy alone, in UTF-8."""
    if proxy is None:
        return {}
    url = URL(proxy.reveal())
    way: dict[str, Any] = {"proxy": url.with_user(None)}
    if url.user is not None:
        said = base64.b64encode(f"{url.user}:{url.password or ''}".encode()).decode()
        header = {"Proxy-Authorization": f"Basic {said}"}
        way |= {"proxy_headers": header} if scheme == "https" else {"headers": tuple(header.items())}
    return way


def _not_connected(error: aiohttp.ClientError, url: tuple[str, str], proxied: bool) -> NotConnected:
    """Say why no connection came about, without aiohttp's own text."""
    scheme, host = url
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _refused_by_proxy(error.status)
    if not isinstance(error, aiohttp.ClientConnectorError):
        return NotConnected("the proxy closed the connection" if proxied else "the connection failed")
    to_proxy, cause = proxied and error.host != host, error.os_error
    if failed := tls_failed(error, proxy=to_proxy):
        return failed
    if scheme == "https" and not to_proxy and isinstance(cause, ConnectionError) and not _refused(cause):
        return NotConnected("the connection broke during the handshake", of="tls")
    why = f"the connection failed: {cause.strerror}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        why = "the host name was not found"
    elif _refused(cause):
        why = "the connection was refused"
    return NotConnected(f"to the proxy: {why}" if to_proxy else why)


def _refused(cause: OSError) -> bool:
    return isinstance(cause, ConnectionRefusedError)


def _refused_by_proxy(status: int) -> NotConnected:
    if status == 407:
        return NotConnected("the proxy asks for a user name and password, or does not accept them (407)", of="proxy")
    return NotConnected(f"the proxy answered {status}", of="proxy" if status < 500 else "")


async def _sent_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET again when its connection broke: Clio may have seen it and spent its nonce."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        raise aiohttp.ClientConnectionError from None
