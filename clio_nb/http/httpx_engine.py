"""An httpx transport that a person gives, held to the time and the size that our own engine has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import Final

import httpx

from .not_connected import NotConnected, tls_failed

BODY_CAP: Final = 32 * 1024 * 1024
_REFUSALS: Final = ("407", "403", "authentication", "username", "ruleset")  # in what httpcore says of a proxy


class Bounded(httpx.AsyncBaseTransport):
    """Sends with a person's transport. What that has sent when it fails is not known, so nothing is said of it."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read its whole answer within ``extensions["timeout"]["read"]`` seconds."""
        seconds = request.extensions["timeout"]["read"]
        complete = httpx.Request(  # with the headers that our engine adds by itself
            request.method,
            request.url,
            headers=request.headers,
            content=request.read(),
            extensions={"timeout": httpx.Timeout(seconds).as_dict()},
        )
        del request
        try:
            async with asyncio.timeout(seconds):
                answer = await self._transport.handle_async_request(complete)
                try:
                    body = await whole(answer.aiter_bytes())
                finally:
                    await answer.aclose()
        except TimeoutError:
            raise httpx.ReadTimeout(f"timeout after {seconds:.3g} s") from None
        except (httpx.RequestError, OSError) as error:  # their own text could hold the whole URL
            failed = tls_failed(error, sure=False) if isinstance(error, httpx.ConnectError) else None
            if isinstance(error, httpx.ProxyError):
                failed = refused_by_proxy(error, sure=False)
            raise failed or httpx.NetworkError(f"the connection failed: {type(error).__name__}") from None
        return httpx.Response(answer.status_code, headers=answer.headers.raw, stream=httpx.ByteStream(body))


def refused_by_proxy(error: BaseException, *, sure: bool) -> NotConnected:
    """Return what httpcore's words of a proxy mean: a refusal is not tried again, and anything else may pass."""
    refused = any(word in str(error).lower() for word in _REFUSALS)
    return NotConnected("the proxy refused the request", of="proxy" if refused else "", sure=sure)


async def whole(stream: AsyncIterable[bytes]) -> bytes:
    """Read a body. Raises :class:`httpx.ReadError` when it is too large."""
    body = bytearray()
    async for chunk in stream:
        body += chunk
        if len(body) > BODY_CAP:
            raise httpx.ReadError("the answer is too large")
    return bytes(body)
