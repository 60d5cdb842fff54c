"""httpx's own transports, within the bounds of ours: for SOCKS proxies, and those that a person gives."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Final

import httpx

from ..secret import Secret
from .not_connected import NotConnected, tls_failed

BODY_CAP: Final = 32 * 1024 * 1024
_REFUSALS: Final = ("407", "403", "authentication", "username", "ruleset")  # in what httpcore says of a proxy

logging.getLogger("httpcore.socks").setLevel(logging.INFO)  # at DEBUG it logs the proxy's password


class Bounded(httpx.AsyncBaseTransport):
    """Sends with another transport, and reads its whole answer within the time and the size that ours has.

    ``own`` says that this library made it: then it is known that nothing was sent before a connection came about.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, *, own: bool = False) -> None:
        self._transport = transport
        self._own = own

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read its whole answer. Raises as :class:`Engine` does."""
        seconds = request.extensions["timeout"]["read"]
        whole = httpx.Request(  # with the headers that our engine adds by itself
            request.method,
            request.url,
            headers=request.headers,
            content=request.read(),
            extensions={"timeout": httpx.Timeout(seconds).as_dict()},
        )
        del request
        try:
            async with asyncio.timeout(seconds):
                answer = await self._transport.handle_async_request(whole)
                try:
                    body = await _whole(answer)
                finally:
                    await answer.aclose()
        except TimeoutError:
            raise httpx.ReadTimeout(f"timeout after {seconds:.3g} s") from None
        except (httpx.TransportError, OSError) as error:  # their own text could hold the whole URL
            raise self._said(error) from None
        lines = [(k, v) for k, v in answer.headers.raw if k.lower() not in (b"content-encoding", b"content-length")]
        return httpx.Response(answer.status_code, headers=lines, stream=httpx.ByteStream(body))

    async def aclose(self) -> None:
        """Close the pool, where this library made it."""
        if self._own:
            await self._transport.aclose()

    def _said(self, error: Exception) -> httpx.TransportError:
        if isinstance(error, httpx.ProxyError):
            refused = any(word in str(error).lower() for word in _REFUSALS)
            return NotConnected("the proxy refused the request", of="proxy" if refused else "", sure=self._own)
        if isinstance(error, httpx.ConnectError) and (failed := tls_failed(error, sure=self._own)):
            return failed
        if self._own and isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
            return NotConnected("the connection to the proxy failed")
        return httpx.NetworkError(f"the connection failed: {type(error).__name__}")


class _Socks(httpx.AsyncHTTPTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        from socksio import ProtocolError  # noqa: PLC0415 -- the package is there: the address was checked

        try:
            return await super().handle_async_request(request)
        except ProtocolError:
            raise httpx.ProxyError("not the answer of a SOCKS proxy") from None


def socks(proxy: Secret, tls: ssl.SSLContext) -> Bounded:
    """Return what sends through a SOCKS proxy, which looks the host name up."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    return Bounded(_Socks(verify=tls, trust_env=False, proxy=proxy.reveal(), limits=limits), own=True)


async def _whole(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > BODY_CAP:
            raise httpx.ReadError("the answer is too large")
    return bytes(body)
