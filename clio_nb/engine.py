"""The HTTP engine: aiohttp as an httpx transport, lean, with a cap on what is read.

It runs on the loop that uses it, so no other thread competes with it for the interpreter. It sends each request once,
follows no redirect, keeps no cookie, and reads no proxy or password from the environment.
"""

from __future__ import annotations

from typing import Final

import aiohttp
import httpx
from yarl import URL

BODY_CAP: Final = 32 * 1024 * 1024


class Engine(httpx.AsyncBaseTransport):
    """One connection pool and TLS context for all users. Belongs to the loop it is made on."""

    def __init__(self) -> None:
        tls = httpx.create_ssl_context(trust_env=False)
        tls.load_default_certs()  # of this machine, too: a firm's network may have its own
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_sent_once,),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read its whole answer within ``extensions["timeout"]["read"]`` seconds.

        Raises :class:`httpx.TimeoutException` or :class:`httpx.NetworkError`. Neither says whether the
        server saw the request.
        """
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        try:
            async with self._session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=headers,
                data=request.read() or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=request.extensions["timeout"]["read"]),
            ) as answer:
                body = bytearray()
                async for chunk in answer.content.iter_any():
                    body += chunk
                    if len(body) > BODY_CAP:
                        raise httpx.ReadError("the answer is too large")
                stream = httpx.ByteStream(bytes(body))
                return httpx.Response(answer.status, headers=list(answer.raw_headers), stream=stream)
        except TimeoutError:
            raise httpx.ReadTimeout(f"none within {request.extensions['timeout']['read']:.3g} s") from None
        except aiohttp.ClientError:  # its own text could hold the whole URL
            raise httpx.NetworkError("the connection failed or broke") from None

    async def aclose(self) -> None:
        """Close the pool."""
        await self._session.close()


async def _sent_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET again when its connection broke: Clio may have seen it and spent its nonce."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        raise aiohttp.ClientConnectionError from None
