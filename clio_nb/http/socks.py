"""The HTTP engine for SOCKS proxies, which aiohttp does not know: httpcore, as httpx would use it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextvars import ContextVar
from typing import Any, Final

import httpcore
import httpx
import socksio

from ..secret import Secret
from .httpx_engine import refused_by_proxy, whole
from .not_connected import NotConnected, tls_failed

logging.getLogger("httpcore.socks").setLevel(logging.INFO)  # at DEBUG it logs the proxy's password

_opened: Final[ContextVar[list[httpcore.AsyncNetworkStream]]] = ContextVar("clio_nb.opened")
"""The connections to the proxy that the request of this task has opened: httpcore leaves them open when it refuses."""


class _Noted(httpcore.AnyIOBackend):
    async def connect_tcp(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        stream = await super().connect_tcp(*args, **options)
        _opened.get().append(stream)
        return stream


class Socks(httpx.AsyncBaseTransport):
    """Sends through a SOCKS proxy, which looks the host name up."""

    def __init__(self, proxy: Secret, tls: ssl.SSLContext) -> None:
        url = httpx.URL(proxy.reveal())
        self._pool = httpcore.AsyncSOCKSProxy(
            httpcore.URL(scheme=b"socks5", host=url.raw_host, port=url.port or 1080, target=b"/"),
            proxy_auth=(url.username.encode(), url.password.encode()) if url.userinfo else None,
            ssl_context=tls,
            max_connections=None,
            keepalive_expiry=15,
            network_backend=_Noted(),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read its whole answer. Raises as aiohttp's engine does."""
        seconds = request.extensions["timeout"]["read"]
        url, sent = request.url, request.read()
        lines = [(b"host", url.netloc), *request.headers.raw, (b"content-length", b"%d" % len(sent))]
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        sending = self._pool.handle_async_request(httpcore.Request(request.method, target, headers=lines, content=sent))
        del request, sent, lines, url, target
        _opened.set([])
        try:
            async with asyncio.timeout(seconds):
                answer = await sending
                try:
                    body = await whole(answer.aiter_stream())
                finally:
                    await answer.aclose()
        except BaseException as error:
            for stream in _opened.get():
                await stream.aclose()
            if isinstance(error, TimeoutError):
                raise httpx.ReadTimeout(f"timeout after {seconds:.3g} s") from None
            if isinstance(error, httpcore.ProxyError | socksio.ProtocolError):
                raise refused_by_proxy(error, sure=True) from None
            if isinstance(error, httpcore.ConnectError):
                raise tls_failed(error) or NotConnected("the connection to the proxy failed") from None
            if isinstance(error, httpcore.NetworkError | httpcore.ProtocolError):
                raise httpx.NetworkError("the connection failed") from None
            raise
        return httpx.Response(answer.status, headers=answer.headers, stream=httpx.ByteStream(body))

    async def aclose(self) -> None:
        """Close the pool."""
        await self._pool.aclose()
