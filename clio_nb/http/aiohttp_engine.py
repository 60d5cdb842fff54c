"""The HTTP engine: aiohttp as an httpx transport, lean, with a cap on what is read.

It runs on the loop that uses it, so no other thread competes with it for the interpreter. It sends each request once,
follows no redirect, keeps no cookie, and reads no proxy or password from the environment.
"""

from __future__ import annotations

import ssl
from typing import Final

import aiohttp
import httpx
from yarl import URL

BODY_CAP: Final = 32 * 1024 * 1024


class NotConnected(httpx.ConnectError):
    """No byte of the request was sent: refused, the name not found, or ``tls`` failed. Only this engine says so."""

    def __init__(self, why: str, *, tls: bool) -> None:
        super().__init__(why)
        self.tls: Final = tls


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

        Raises :class:`NotConnected`, or :class:`httpx.TimeoutException` or :class:`httpx.NetworkError`, which do not
        say whether the server saw the request.
        """
        sending = self._session.request(
            request.method,
            URL(str(request.url), encoded=True),
            headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw],
            data=request.read() or None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=request.extensions["timeout"]["read"]),
        )
        scheme, seconds = request.url.scheme, request.extensions["timeout"]["read"]
        del request  # it holds a token, and what follows can fail
        try:
            async with sending as answer:
                stream = httpx.ByteStream(await _whole(answer.content))
                return httpx.Response(answer.status, headers=list(answer.raw_headers), stream=stream)
        except TimeoutError:
            raise httpx.ReadTimeout(f"timeout after {seconds:.3g} s") from None
        except aiohttp.ClientConnectorError as error:
            raise _not_connected(error, scheme) from None
        except aiohttp.ClientError:  # its own text could hold the whole URL
            raise httpx.NetworkError("the connection failed") from None

    async def aclose(self) -> None:
        """Close the pool."""
        await self._session.close()


async def _whole(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > BODY_CAP:
            raise httpx.ReadError("the answer is too large")
    return bytes(body)


def _not_connected(error: aiohttp.ClientConnectorError, scheme: str) -> httpx.NetworkError:
    """Say why no connection came about, without aiohttp's own text."""
    cause = getattr(error, "certificate_error", None) or error.os_error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return NotConnected(f"its certificate is not trusted: {cause.verify_message}", tls=True)
    if isinstance(cause, ssl.SSLError):
        return NotConnected(f"the handshake failed: {cause.reason or 'the connection broke'}", tls=True)
    if isinstance(cause, ConnectionRefusedError):
        return NotConnected("the connection was refused", tls=False)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return NotConnected("the host name was not found", tls=False)
    if scheme == "https" and isinstance(cause, ConnectionError):
        return NotConnected("the connection broke during the handshake", tls=True)
    return httpx.NetworkError("the connection failed")


async def _sent_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET again when its connection broke: Clio may have seen it and spent its nonce."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        raise aiohttp.ClientConnectionError from None
