"""The bound as it can be met: ready-made requests over bare sockets, the next one as soon as an answer is there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

from . import FIELDS, IN_FLIGHT, LABEL, LOCATIONS, TARGET, arguments, compete, token_of


def requests(users: int) -> Iterator[bytes]:
    """Give every request of the work, whole."""
    head = f"/api/v4/custom_actions?fields={FIELDS} HTTP/1.1\r\nhost: clio.example\r\nauthorization: Bearer "
    for user in range(1, users + 1):
        yield f"GET {head}{token_of(user)}\r\n\r\n".encode()
        for location in LOCATIONS:
            body = f'{{"data":{{"label":"{LABEL}","target_url":"{TARGET}","ui_reference":"{location}"}}}}'
            yield f"POST {head}{token_of(user)}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()


class _Connection(asyncio.Protocol):
    def __init__(self, todo: Iterator[bytes], ended: asyncio.Future[None]) -> None:
        self._todo = todo
        self._ended = ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- for mypy
        self._transport = transport
        self.data_received(b"")

    def data_received(self, _answer: bytes) -> None:
        request = next(self._todo, None)
        if request is None:
            self._transport.close()
            self._ended.set_result(None)
        else:
            self._transport.write(request)


async def work(origin: str, users: int) -> None:
    """Send them all, so many at a time."""
    loop = asyncio.get_running_loop()
    host, port = urlsplit(origin).hostname, urlsplit(origin).port
    todo = requests(users)
    ended = [loop.create_future() for _ in range(IN_FLIGHT)]
    for end in ended:
        await loop.create_connection(lambda end=end: _Connection(todo, end), host, port)  # type: ignore[misc]
    await asyncio.gather(*ended)


if __name__ == "__main__":
    origin, users = arguments()
    compete(rollout=lambda: asyncio.run(work(origin, users)))
