"""A server that answers like Clio after a fixed time and does nothing else: the latency bound that every client meets.

Run as a process of its own: ``python -m bench.server LATENCY_MS`` prints its port on the first line.
"""

from __future__ import annotations

import asyncio
import sys

import httptools

_ACTION = (
    b'{"id":1,"etag":"\\"1\\"","label":"Send","target_url":"https://partner.example/launch",'
    b'"ui_reference":"matters/show","created_at":"2026-01-15T17:00:00Z","updated_at":"2026-01-15T17:00:00Z"}'
)
_BODIES = {
    b"GET": (b"200 OK", b'{"data":[],"meta":{"paging":{},"records":0}}'),
    b"POST": (b"201 Created", b'{"data":' + _ACTION + b"}"),
}


def _answer(method: bytes) -> bytes:
    status, body = _BODIES[method]
    return (
        b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json; charset=utf-8\r\nX-RateLimit-Limit: 1000000\r\n"
        b"X-RateLimit-Remaining: 999999\r\nX-RateLimit-Reset: 9999999999\r\nContent-Length: %d\r\n\r\n" % len(body)
    ) + body


class _Peer(asyncio.Protocol):
    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        answer = _answer(self._parser.get_method())
        asyncio.get_running_loop().call_later(self._latency, self._transport.write, answer)  # type: ignore[attr-defined]


async def main(latency: float) -> None:
    """Serve on a free port until the process is ended."""
    server = await asyncio.get_running_loop().create_server(lambda: _Peer(latency), "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) / 1000))
