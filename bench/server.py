"""A server that answers as Clio does after an exact time, and does little else: the latency that every client meets.

Run as a process of its own: ``python -m bench.server LATENCY_MS USERS`` prints its port. It keeps the actions of each
token and knows no limit, no error and no uniqueness: what a client sends too much is counted, not refused. There are as
many firms as tokens ask for, each with so many users. ``GET /control`` says of it what a sandbox says of itself.
``POST /reset`` forgets them all, ``GET /counts`` says what came since.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
from collections import Counter
from typing import Final

import httptools
import msgspec

PAGE: Final = 200
_TIMES: Final = b'"created_at":"2026-01-15T17:00:00Z","updated_at":"2026-01-15T17:00:00Z"'
_HEAD: Final = (
    b"HTTP/1.1 %d OK\r\nContent-Type: application/json; charset=utf-8\r\nX-RateLimit-Limit: 1000000\r\n"
    b"X-RateLimit-Remaining: 999999\r\nX-RateLimit-Reset: 9999999999\r\nContent-Length: %d\r\n\r\n"
)

_CONTROL: Final = b'{"client_id":"bench","client_secret":"secret","redirect_uri":"http://127.0.0.1/","users":[]}'


class _New(msgspec.Struct):
    data: msgspec.Raw


_new: Final = msgspec.json.Decoder(_New)


class Clio:
    """The users of each firm, the actions that each token has made, and what was asked."""

    def __init__(self, users: int) -> None:
        self._users = users
        self._actions: dict[bytes, list[tuple[int, bytes]]] = {}
        self._made = 0
        self._asked: Counter[str] = Counter()

    def reset(self) -> None:
        """Forget all actions and counts."""
        self._actions.clear()
        self._asked.clear()
        self._made = 0

    def answer(self, method: bytes, url: bytes, token: bytes, body: bytes) -> bytes:
        """Return a whole HTTP answer."""
        path, _, query = url.partition(b"?")
        collection = path.rpartition(b"/")[2].removesuffix(b".json")
        self._asked[f"{method.decode()} {collection.decode()}"] += 1
        if collection == b"users":
            seen = query.partition(b"page_token=")[2]
            number = int(token.rpartition(b"-")[2])
            return _whole(200, self._users_after(int(seen or 0), (number - 1) // self._users * self._users))
        mine = self._actions.setdefault(token, [])
        if method == b"POST":
            self._made += 1
            mine.append((self._made, bytes(_new.decode(body).data)))
            return _whole(201, b'{"data":%s}' % _action(*mine[-1]))
        rows = b",".join(_action(*one) for one in mine)
        return _whole(200, b'{"data":[%s],"meta":{"paging":{},"records":%d}}' % (rows, len(mine)))

    def counts(self) -> bytes:
        """Say how many requests of each kind came, how many actions there are, and how many are there twice."""
        held = [[text for _, text in mine] for mine in self._actions.values()]
        actions, distinct = sum(map(len, held)), sum(len(set(mine)) for mine in held)
        return _whole(200, msgspec.json.encode({**self._asked, "actions": actions, "duplicates": actions - distinct}))

    def _users_after(self, last: int, before: int) -> bytes:
        last = max(last, before)
        until = min(last + PAGE, before + self._users)
        following = f'"next":"/api/v4/users?page_token={until}"' if until < before + self._users else ""
        rows = ",".join(
            f'{{"id":{number},"name":"User {number}","email":"user{number}@firm.example","enabled":true,'
            '"subscription_type":"Attorney","roles":[]}'
            for number in range(last + 1, until + 1)
        )
        return f'{{"data":[{rows}],"meta":{{"paging":{{{following}}},"records":{self._users}}}}}'.encode()


def _action(number: int, sent: bytes) -> bytes:
    return b'{"id":%d,"etag":"\\"%d\\"",%s,%s' % (number, number, _TIMES, sent[1:])


def _whole(status: int, body: bytes) -> bytes:
    return _HEAD % (status, len(body)) + body


class _Connection(asyncio.Protocol):
    """One connection. The time of an answer counts from the moment when its request was whole."""

    def __init__(self, clio: Clio, latency: float) -> None:
        self._clio = clio
        self._latency = latency
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self.on_message_begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- for mypy
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._url = self._token = self._body = b""

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"authorization":
            self._token = value

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        due = self._loop.time() + self._latency
        if self._url == b"/counts":
            self._transport.write(self._clio.counts())
        elif self._url == b"/control":
            self._transport.write(_whole(200, _CONTROL))
        elif self._url == b"/reset":
            self._clio.reset()
            self._transport.write(_whole(200, b"{}"))
        else:
            answer = self._clio.answer(self._parser.get_method(), self._url, self._token, self._body)
            self._loop.call_at(due, self._transport.write, answer)


async def main(latency: float, users: int) -> None:
    """Serve on a free port until the process is ended."""
    clio = Clio(users)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(clio, latency), "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def _exact_loop() -> asyncio.AbstractEventLoop:
    """Make a loop that waits to the microsecond: epoll, asyncio's first choice, rounds up to whole milliseconds."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=_exact_loop) as runner:
        runner.run(main(float(sys.argv[1]) / 1000, int(sys.argv[2])))
