"""What the library's own engine may say was never sent, at socket level: refused, not found, and TLS that failed."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import struct
import threading

import httpx
import pytest
from aiohttp import resolver

import clio_nb as clio
from clio_nb import errors
from clio_nb.http import timeouts
from clio_nb.launches import verify_launch
from clio_nb.launches.proof.known_actions import actions_cache
from clio_nb.launches.proof.used_nonces import used_nonces
from clio_nb.models import App, User
from clio_nb.secret import Secret
from clio_nb.vocabulary import Region

from ..ports import free_port
from .test_aiohttp_engine import ok, own_authority

__all__ = ["own_authority"]

NONCE = "q83vEjRWeJCrze8SNFZ4kA"
URL = (
    "https://partner.example/launch?custom_action_id=1&user_id=2"
    f"&subject_url=%2Fapi%2Fv4%2Fmatters%2F3&custom_action_nonce={NONCE}"
)
RECORD = b'{"data":{"id":3,"display_number":"00003"}}'


class Server(socketserver.ThreadingTCPServer):
    """Meets each connection with ``meet``, and counts them."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, meet, port=0):
        self.meet = meet
        self.met = 0
        self.heard = []
        super().__init__(("127.0.0.1", port), None)

    def finish_request(self, request, client_address):
        self.met += 1
        self.meet(self, request)

    def handle_error(self, request, client_address):
        """What breaks here is what a test is about."""

    @property
    def port(self):
        return self.server_address[1]


@contextlib.contextmanager
def serving(meet, port=0):
    with Server(meet, port) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def plain(server, sock):
    """Speak HTTP without TLS, and answer every request."""
    while head := sock.recv(65536):
        server.heard.append(head)
        sock.sendall(ok(RECORD))


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def reset_in_the_handshake(_, sock):
    sock.recv(65536)
    reset(sock)


def reset_before_the_handshake(_, sock):
    reset(sock)


def close_in_the_handshake(_, sock):
    sock.recv(65536)


def alert_in_the_handshake(_, sock):
    sock.recv(65536)
    sock.sendall(bytes.fromhex("15030300020228"))  # fatal: handshake_failure
    sock.recv(65536)


def reset_after_the_request(server, sock):
    server.heard.append(sock.recv(65536))
    reset(sock)


@pytest.fixture
def self_signed(own_authority):
    """Meets a connection with a certificate that nobody vouches for."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(own_authority)

    def meet(server, sock):
        with context.wrap_socket(sock, server_side=True) as secure:
            plain(server, secure)

    return meet


@pytest.fixture(params=["self-signed", "plain HTTP", "reset", "reset at once", "closed", "alert"])
def bad_tls(request, self_signed):
    return {
        "self-signed": self_signed,
        "plain HTTP": plain,
        "reset": reset_in_the_handshake,
        "reset at once": reset_before_the_handshake,
        "closed": close_in_the_handshake,
        "alert": alert_in_the_handshake,
    }[request.param]


@pytest.fixture(autouse=True)
def _anew():
    used_nonces.clear()
    actions_cache.clear()


@pytest.fixture
def slept(monkeypatch):
    """One clock that whatever waits moves; ``slept`` holds what it waited. ``slept.then`` is done in the first wait."""

    class Slept(list):
        now = 1000.0
        then = None

        async def sleep(self, seconds):
            self.append(seconds)
            self.now += seconds
            if self.then is not None:
                then, self.then = self.then, None
                then()

    slept = Slept()
    monkeypatch.setattr(timeouts, "now", lambda: slept.now)
    monkeypatch.setattr(timeouts, "sleep", slept.sleep)
    return slept


def session_at(origin):
    app = App(Region.US, "client", Secret("x" * 20), origin=origin)
    user = User(id=2, name="Ann")
    return clio.Session(app, "token", user=user)


def says_that_nothing_was_sent(verdict):
    assert verdict.state == "unknown"
    assert verdict.nonce_sent is False
    assert "may be spent" not in verdict.reason
    assert "can still be verified" in verdict.reason


def test_l10_a_refused_connection_sent_nothing_and_is_tried_once_more(slept):
    session = session_at(f"http://127.0.0.1:{free_port()}")
    verdict = verify_launch(URL, session, actions="any")
    says_that_nothing_was_sent(verdict)
    assert "the connection was refused" in verdict.reason
    assert slept == [1.0]


def test_l10_the_second_try_after_a_refused_connection_can_prove_the_launch(slept):
    port = free_port()
    with contextlib.ExitStack() as later:
        slept.then = lambda: later.enter_context(serving(plain, port))
        verdict = verify_launch(URL, session_at(f"http://127.0.0.1:{port}"), actions="any")
    assert verdict, verdict.reason
    assert verdict.nonce_sent
    assert slept == [1.0]


def test_l10_a_launch_that_never_left_can_be_verified_again(slept):
    port = free_port()
    session = session_at(f"http://127.0.0.1:{port}")
    assert verify_launch(URL, session, actions="any").nonce_sent is False
    with serving(plain, port) as server:
        assert verify_launch(URL, session, actions="any")
        assert verify_launch(URL, session, actions="any").state == "refused"
        assert len(server.heard) == 1


def test_l10_it_is_not_tried_again_after_the_nonces_life(slept):
    session = session_at(f"http://127.0.0.1:{free_port()}")
    verdict = verify_launch(URL, session, actions="any", arrived=slept.now - 59.5)
    assert (verdict.state, verdict.nonce_sent) == ("expired", False)


@pytest.fixture
def nameless(monkeypatch):
    """No name is found; counts the questions."""
    asked = []

    async def resolve(self, host, *_, **__):
        asked.append(host)
        raise OSError(None, "name or service not known")

    for one in (resolver.ThreadedResolver, *filter(None, [getattr(resolver, "AsyncResolver", None)])):
        monkeypatch.setattr(one, "resolve", resolve)
    return asked


def test_l10_a_name_that_is_not_found_sent_nothing_and_is_tried_once_more(slept, nameless):
    verdict = verify_launch(URL, session_at("https://clio.invalid"), actions="any")
    says_that_nothing_was_sent(verdict)
    assert "the host name was not found" in verdict.reason
    assert nameless == ["clio.invalid"] * 2
    assert slept == [1.0]


def test_n1_failed_tls_sent_nothing_and_is_not_tried_again(slept, bad_tls):
    with serving(bad_tls) as server:
        verdict = verify_launch(URL, session_at(f"https://127.0.0.1:{server.port}"), actions="any")
        says_that_nothing_was_sent(verdict)
        assert "TLS" in verdict.reason
        assert "SSL_CERT_FILE" in verdict.reason
        assert server.met == 1
        assert NONCE.encode() not in b"".join(server.heard)
    assert slept == []


VERBS = {
    "a read": lambda session: session.list_actions(),
    "who am I": lambda session: session.who_am_i(),
    "a create": lambda session: session.create_action("Sign", "https://partner.example/x", "matters"),
    "an update": lambda session: session.update_action(1, label="Sign"),
    "a delete": lambda session: session.delete_action(1),
    "a logout": lambda session: session.logout(),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_h12_failed_tls_is_named_so_and_never_tried_again(slept, bad_tls, verb):
    with serving(bad_tls) as server:
        with pytest.raises(errors.TlsFailed, match="TLS") as caught:
            verb(session_at(f"https://127.0.0.1:{server.port}"))
        assert caught.value.nothing_sent
        assert isinstance(caught.value, errors.NetworkError)
        assert server.met == 1
    assert slept == []


def test_h12_the_cause_of_failed_tls_is_named(self_signed):
    for meet, cause in [(self_signed, "its certificate is not trusted: self-signed"), (plain, "WRONG_VERSION_NUMBER")]:
        with serving(meet) as server, pytest.raises(errors.TlsFailed, match=cause):
            session_at(f"https://127.0.0.1:{server.port}").who_am_i()


def test_l10_what_broke_after_it_was_sent_may_be_spent(slept):
    with serving(reset_after_the_request) as server:
        verdict = verify_launch(URL, session_at(f"http://127.0.0.1:{server.port}"), actions="any")
        assert (verdict.state, verdict.nonce_sent) == ("unknown", True)
        assert "may be spent" in verdict.reason
        assert len(server.heard) == 1
    assert slept == []


def test_l10_a_connection_in_use_that_breaks_does_not_count_as_nothing_sent(slept):
    def once(server, sock):
        server.heard.append(sock.recv(65536))
        sock.sendall(ok(b'{"data":[]}'))
        server.heard.append(sock.recv(65536))
        reset(sock)

    with serving(once) as server:
        session = session_at(f"http://127.0.0.1:{server.port}")
        session.list_actions()
        verdict = verify_launch(URL, session, actions="any")
        assert (verdict.state, verdict.nonce_sent, server.met) == ("unknown", True, 1)
        assert NONCE.encode() in server.heard[1]


def test_l10_a_connection_in_use_over_tls_that_breaks_is_no_failed_handshake(slept, own_authority, monkeypatch):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(own_authority)
    monkeypatch.setenv("SSL_CERT_FILE", str(own_authority))

    def meet(server, sock):
        with context.wrap_socket(sock, server_side=True) as secure:
            server.heard.append(secure.recv(65536))
            reset(secure)

    with serving(meet) as server:
        verdict = verify_launch(URL, session_at(f"https://127.0.0.1:{server.port}"), actions="any")
        assert (verdict.state, verdict.nonce_sent, server.met) == ("unknown", True, 1)
        assert "may be spent" in verdict.reason


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.NetworkError, httpx.ProtocolError])
def test_l10_a_transport_that_a_person_gives_never_counts_as_nothing_sent(slept, error):
    sent = []

    class Theirs(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            sent.append(request)
            raise error("refused")

    clio.network(transport=Theirs())
    verdict = verify_launch(URL, session_at("http://127.0.0.1:9"), actions="any")
    assert (verdict.state, verdict.nonce_sent, len(sent)) == ("unknown", True, 1)
    assert "may be spent" in verdict.reason
    assert slept == []


def test_h2_a_read_is_tried_again_after_a_refused_connection(slept):
    port = free_port()
    with contextlib.ExitStack() as later:
        slept.then = lambda: later.enter_context(serving(lambda _, sock: sock.sendall(ok(b'{"data":[]}')), port))
        assert session_at(f"http://127.0.0.1:{port}").list_actions() == []
