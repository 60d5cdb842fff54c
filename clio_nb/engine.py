"""The HTTP engine: Rust's reqwest (pyreqwest) as an httpx transport, lean, with a cap on what is read.

pyreqwest ships such a transport too; this one reads the body at once, which is cheaper. It follows no redirect, reads
no proxy or other setting from the environment, and never retries.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import httpx
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError, RequestTimeoutError

BODY_CAP: Final = 32 * 1024 * 1024


class Engine(httpx.AsyncBaseTransport):
    """One connection pool and TLS context for all users. Belongs to the loop it is first used on."""

    def __init__(self) -> None:
        self._client: Client = ClientBuilder().follow_redirects(False).no_proxy().max_connections(None).build()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read its whole answer within ``extensions["timeout"]["read"]`` seconds.

        Raises :class:`httpx.TimeoutException` or :class:`httpx.NetworkError`. Neither says whether the
        server saw the request.
        """
        sending = (
            self._client.request(request.method, str(request.url))
            .headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw])
            .timeout(timedelta(seconds=request.extensions["timeout"]["read"]))
            .body_bytes(request.content)
        )
        try:
            async with sending.build_streamed() as answer:
                body = bytearray()
                while (chunk := await answer.body_reader.read_chunk()) is not None:
                    body += chunk
                    if len(body) > BODY_CAP:
                        raise httpx.ReadError("the answer is too large")
                lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
                return httpx.Response(answer.status, headers=lines, stream=httpx.ByteStream(bytes(body)))
        except RequestTimeoutError:
            raise httpx.ReadTimeout("no answer in time") from None
        except PyreqwestError:  # its own text would hold the whole URL
            raise httpx.NetworkError("the connection failed or broke") from None

    async def aclose(self) -> None:
        """Close the pool."""
        await self._client.close()
