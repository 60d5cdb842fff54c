"""Connections have bounds: in time while no request comes, in size while its head does, and in number."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator

import pytest

from clio_nb.sandbox import Sandbox
from clio_nb.sandbox.server import connections


@pytest.fixture
def line(site: Sandbox) -> Iterator[Callable[[], socket.socket]]:
    """Open connections to the sandbox; all are closed at the end."""
    opened: list[socket.socket] = []

    def open_one() -> socket.socket:
        port = int(site.origin.rpartition(":")[2])
        opened.append(socket.create_connection(("127.0.0.1", port), timeout=60))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


def rest_of(line: socket.socket) -> bytes:
    """Everything that still comes, up to the end of the connection."""
    received = b""
    try:
        while chunk := line.recv(65536):
            received += chunk
    except ConnectionResetError:
        return received
    return received


def answer_to(line: socket.socket, request: bytes) -> bytes:
    """Send a request and return the head of the answer; its body is read too."""
    line.sendall(request)
    received = b""
    while b"\r\n\r\n" not in received:
        received += line.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += line.recv(65536)
    return head


WHOLE = b"GET /openapi.json HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", 0.05)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "begun", [b"", b"G", b"GET / HTTP/1.1\r\n", WHOLE[:-2], b"POST /oauth/token HTTP/1.1\r\nhost: x\r\n"]
)
def test_a_connection_without_a_whole_head_is_closed_in_time(line, begun):
    half = line()
    half.sendall(begun)
    assert rest_of(half) == b""


def test_a_second_head_has_to_come_in_time_too(line, monkeypatch):
    kept = line()
    assert answer_to(kept, WHOLE).startswith(b"HTTP/1.1 200")
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", 0.05)
    kept.sendall(WHOLE[:20])
    assert rest_of(kept) == b""


@pytest.mark.usefixtures("impatient")
def test_a_slow_head_gets_no_more_time_for_each_byte(line):
    slow = line()
    slow.sendall(b"GET / HTTP/1.1\r\nx: ")
    for _ in range(5000):
        if select.select([slow], [], [], 0.01)[0]:
            break
        slow.sendall(b"y")
    else:
        pytest.fail("it was left open")
    assert rest_of(slow) == b""


def flood(line: socket.socket, chunk: bytes, times: int) -> int:
    """Send a chunk again and again until the other side has had enough; returns how often it was taken."""
    for taken in range(times):
        try:
            line.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            return taken
    return times


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nx: ",
        b"GET /",
        b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 99999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n8000\r\n",
        b"DELETE /control/faults HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 99999999999\r\n\r\n",
        b"POST /oauth/token HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 99999999999\r\n\r\n",
        b"POST /control/reset HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 99999999999\r\n\r\n",
        b"PUT /nothing HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 99999999999\r\n\r\n",
    ],
)
def test_a_head_or_a_body_without_end_is_cut_off(line, owner, head):
    endless = line()
    endless.sendall(head)
    assert flood(endless, b"y" * 32_768, 3_000) < 3_000
    assert owner.get("users").status_code == 200


def test_many_heads_of_headers_are_refused(line):
    many = line()
    many.sendall(b"GET / HTTP/1.1\r\n")
    assert flood(many, b"".join(b"x-%d: y\r\n" % number for number in range(2_000)), 1_000) < 1_000


def test_of_too_many_connections_the_one_idle_longest_is_closed(line, owner, monkeypatch):
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 5)
    assert owner.get("users").status_code == 200
    idle = [line() for _ in range(20)]
    busy = line()
    assert answer_to(busy, WHOLE).startswith(b"HTTP/1.1 200")
    assert [rest_of(each) for each in idle[:15]] == [b""] * 15
    assert owner.get("users").status_code == 200, "a client whose connection was closed opens another"
    assert answer_to(busy, WHOLE).startswith(b"HTTP/1.1 200")


def test_a_connection_that_is_being_answered_is_not_the_one_to_go(line, site, owner, monkeypatch):
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 3)
    site.fault("delay", seconds=1, path="/api/v4/matters")
    waiting = line()
    bearer = owner.headers["authorization"].encode()
    waiting.sendall(b"GET /api/v4/matters HTTP/1.1\r\nhost: x\r\nauthorization: %b\r\n\r\n" % bearer)
    while not site._state.faults.armed()[0][1]:
        assert answer_to(line(), WHOLE)
    for _ in range(10):
        line()
    assert waiting.recv(12) == b"HTTP/1.1 200"


def test_an_idle_connection_is_closed_in_time(line, site, monkeypatch):
    monkeypatch.setattr(site._server.config, "timeout_keep_alive", 0.05)
    kept = line()
    assert answer_to(kept, WHOLE).startswith(b"HTTP/1.1 200")
    assert rest_of(kept) == b""


def test_a_request_that_takes_its_time_is_not_cut_off(line, site, owner, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", 0.05)
    site.fault("delay", seconds=0.3, path="/api/v4/users")
    assert owner.get("users").status_code == 200


def test_closed_connections_leave_nothing_behind(line, site, owner):
    for _ in range(20):
        one = line()
        assert answer_to(one, WHOLE)
        one.close()
    assert owner.get("users").status_code == 200
    assert len(site._server._lines._open) < 20
