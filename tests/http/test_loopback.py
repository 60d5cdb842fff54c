"""The login's callback and the inbox as servers: what strangers on this machine send neither stops nor fills them."""

from __future__ import annotations

import select
import socket
import threading

import httpx
import pytest

import clio_nb
from clio_nb.http import connections, loop
from clio_nb.launches import inbox
from clio_nb.login import Login

from ..ports import free_port


@pytest.fixture(params=["inbox", "login"])
def served(request, clio_sandbox):
    """A server of ours: its port, a whole request, and what makes sure that a genuine visit still arrives."""
    user = clio_sandbox.users[0]
    with httpx.Client(trust_env=False, timeout=20) as browser:
        if request.param == "inbox":
            with inbox(clio_sandbox) as box:

                def works():
                    assert browser.get(clio_sandbox.click_on(user.id, box.url, "matters", 0)).status_code == 303
                    return box[-1].state == "verified"

                yield box.port, b"/launch", works
            return
        port = free_port()
        site = clio_nb.sandbox(redirect_uris=(f"http://127.0.0.1:{port}/callback",))
        with site:
            attempt, up = Login(site), threading.Event()
            waits = loop.submit(attempt.aio.wait, 60.0, show=lambda url: up.set())
            assert up.wait(20)

            def works():
                state = httpx.URL(attempt.authorization_url).params["state"]
                answer = {"error": "access_denied", "state": state}
                assert browser.get(f"http://127.0.0.1:{port}/callback", params=answer).status_code == 200
                return type(waits.exception(20)).__name__ == "LoginDeclined"

            yield port, b"/callback", works
            waits.cancel()


@pytest.fixture
def line(served):
    """Open connections to it; all are closed at the end."""
    opened = []

    def open_one(begun=b""):
        opened.append(socket.create_connection(("127.0.0.1", served[0]), timeout=20))
        opened[-1].sendall(begun)
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


def rest_of(line):
    """Everything that still comes, up to the end of the connection."""
    received = b""
    try:
        while chunk := line.recv(65536):
            received += chunk
    except ConnectionResetError:
        return received
    return received


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"G",
        b"GET {path} HTTP/1.1\r\n",
        b"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n",
        b"POST {path} HTTP/1.1\r\nhost: x\r\nx: ",
        b"\x16\x03\x01",
    ],
)
def test_o1_a_connection_without_a_whole_head_is_closed_in_time(served, line, monkeypatch, begun):
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", 0.05)
    assert b" 200 " not in rest_of(line(begun.replace(b"{path}", served[1])))
    monkeypatch.undo()
    assert served[2]()


def test_o1_a_slow_sender_gets_no_more_time_for_each_byte(served, line, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", 0.05)
    slow = line(b"GET / HTTP/1.1\r\nx: ")
    for _ in range(5000):
        if select.select([slow], [], [], 0.01)[0]:
            break
        slow.sendall(b"y")
    else:
        pytest.fail("it was left open")
    monkeypatch.undo()
    assert served[2]()


def flood(line, chunk, times):
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
        b"GET ",
        b"GET {path} HTTP/1.1\r\nx: ",
        b"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-length: 99999999999\r\n\r\n",
        b"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ntransfer-encoding: chunked\r\n\r\n8000\r\n",
        b"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-length: 99999999999\r\n\r\n",
        b"PUT /nothing HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-length: 99999999999\r\n\r\n",
    ],
)
def test_o1_a_head_or_a_body_without_end_is_cut_off(served, line, head):
    endless = line(head.replace(b"{path}", served[1]).replace(b"{port}", b"%d" % served[0]))
    assert flood(endless, b"y" * 32_768, 3_000) < 3_000
    assert served[2]()


def test_o1_a_body_that_comes_slowly_is_cut_off_in_time(served, line, monkeypatch):
    """The answer was given without it."""
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", 0.05)
    head = b"PUT /nothing HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-length: 99999\r\n\r\n" % served[0]
    slow = line(head)
    assert slow.recv(12).startswith(b"HTTP/1.1 40")
    slow.settimeout(0.01)
    for _ in range(5000):
        try:
            slow.sendall(b"y")
            if slow.recv(65536) == b"":
                break
        except TimeoutError:
            continue
        except (BrokenPipeError, ConnectionResetError):
            break
    else:
        pytest.fail("it was left open")
    monkeypatch.undo()
    assert served[2]()


def test_o1_of_too_many_connections_the_one_idle_longest_is_closed(served, line, monkeypatch):
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 5)
    idle = [line() for _ in range(20)]
    assert [rest_of(each) for each in idle[:14]] == [b""] * 14
    assert served[2]()


def test_o3_nothing_is_left_open_of_an_inbox_that_is_closed(clio_sandbox):
    """Neither of a peer that says nothing nor of one that reads nothing."""
    box = inbox(clio_sandbox)
    idle = socket.create_connection(("127.0.0.1", box.port), timeout=20)
    deaf = socket.create_connection(("127.0.0.1", box.port), timeout=20)
    deaf.sendall(b"GET /launch HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n\r\n" % box.port * 500)
    with idle, deaf:
        box.close()
        assert rest_of(idle) == b""
        rest_of(deaf)
    socket.create_server(("127.0.0.1", box.port)).close()
