"""Proxies, private authorities, requests in flight: over a real proxy and TLS on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import gzip
import logging
import os
import ssl
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import httpx
import pytest
import trustme

import clio_nb as clio
from clio_nb import errors
from clio_nb.http import loop, network, transport
from clio_nb.http.sandbox_control import Control
from clio_nb.launches import verify_launch
from clio_nb.models import App, User
from clio_nb.secret import Secret
from clio_nb.vocabulary import Region

from .proxy import Front, Proxy, running, server_context
from .test_aiohttp_engine import ok, tell
from .test_nothing_sent import URL, serving, slept

__all__ = ["slept", "tell"]

HOST = "eu.clio.test"  # a name that only the proxy can find
PASSWORD = "pä/ß:w@rd"
LOGIN = f"FIRM\\ann:{PASSWORD}"
USERINFO = "FIRM%5Cann:p%C3%A4%2F%C3%9F%3Aw%40rd"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A firm's own authority, which no machine knows."""
    ca = trustme.CA()
    ca.file = tmp_path_factory.mktemp("authority") / "firm.pem"
    ca.cert_pem.write_to_path(ca.file)
    return ca


@pytest.fixture
def clio_over_tls(clio_sandbox, authority):
    """The sandbox as Clio stands: under a name of its own, over TLS, with a certificate of that authority."""
    front = Front(server_context(authority.issue_cert(HOST)), urlsplit(clio_sandbox.origin).port)
    with running(front):
        yield front


def session_at(origin, token="token"):  # noqa: S107 -- of a server of this test
    return clio.Session(App(Region.EU, "client", Secret("x" * 20), origin=origin), token, user=User(id=2, name="Ann"))


@pytest.fixture
def token(clio_sandbox):
    return loop.run(Control(clio_sandbox).token).access


WAYS = {
    "http": ("http://{at}", {}),
    "no scheme": ("{at}", {}),
    "http and a password": ("http://{login}@{at}", {"login": LOGIN}),
    "https": ("https://{at}", {"tls": True}),
    "https and a password": ("https://{login}@{at}", {"tls": True, "login": LOGIN}),
    "socks5": ("socks5://{at}", {}),
    "socks5h": ("socks5h://{at}", {}),
    "socks": ("socks://{at}", {}),
    "socks5 and a password": ("socks5://{login}@{at}", {"login": LOGIN}),
}


@contextlib.contextmanager
def proxied(form, authority, login="", tls=False, **options):
    """Run a proxy; give it and its address."""
    context = server_context(authority.issue_cert("localhost")) if tls else None
    with running(Proxy(login, tls=context, **options)) as proxy:
        proxy.url = form.format(at=f"localhost:{proxy.port}", login=USERINFO)
        yield proxy


@pytest.mark.parametrize("way", WAYS)
def test_n1_every_request_goes_by_the_proxy_that_was_named(clio_over_tls, clio_sandbox, authority, token, way, caplog):
    caplog.set_level(logging.DEBUG)
    form, options = WAYS[way]
    with proxied(form, authority, **options) as proxy:
        clio.network(proxy=proxy.url, ca=authority.file)
        session = session_at(f"https://{HOST}:{clio_over_tls.port}", token)
        session.create_action("Sign", "https://partner.example/launch", "matters")
        assert session.who_am_i().id == clio_sandbox.users[0].id
        assert proxy.asked
        assert {asked.split()[1] for asked in proxy.asked} == {f"{HOST}:{clio_over_tls.port}"}
        assert token.reveal().encode() not in b"".join(proxy.heads)
    assert clio_over_tls.handshakes == len(proxy.asked)
    assert "p%C3" not in caplog.text
    assert "pä" not in caplog.text
    assert "p\\xc3" not in caplog.text


@pytest.mark.parametrize("way", WAYS)
def test_n1_so_does_a_plain_request_to_a_sandbox_in_a_network(clio_sandbox, authority, token, way):
    form, options = WAYS[way]
    with proxied(form, authority, **options) as proxy:
        clio.network(proxy=proxy.url, ca=authority.file)
        session = session_at(f"http://clio.test:{urlsplit(clio_sandbox.origin).port}", token)
        session.create_action("Sign", "https://partner.example/launch", "matters")
        assert len(session.list_actions()) == 1
        assert proxy.asked


@pytest.mark.parametrize("way", WAYS)
def test_n1_this_machine_is_always_reached_directly(clio_sandbox, authority, token, way):
    form, options = WAYS[way]
    with proxied(form, authority, **options) as proxy:
        clio.network(proxy=proxy.url)
        assert session_at(clio_sandbox.origin, token).who_am_i()
        assert not proxy.asked


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("asked", ["argument", "variable", "not"])
def test_n1_the_environments_proxy_counts_when_it_is_asked_for(
    clio_over_tls, authority, token, monkeypatch, slept, name, asked
):
    session = session_at(f"https://{HOST}:{clio_over_tls.port}", token)
    with proxied("http://{login}@{at}", authority, login=LOGIN) as proxy:
        monkeypatch.setenv(name, proxy.url)
        clio.network(trust_env=True if asked == "argument" else None, ca=authority.file)
        if asked == "variable":
            monkeypatch.setenv("CLIO_NB_TRUST_ENV", "1")
        if asked == "not":
            with pytest.raises(errors.NetworkError, match="CLIO_NB_TRUST_ENV=1") as caught:
                session.who_am_i()
            assert caught.value.nothing_sent
            assert len(slept) == 3
        else:
            assert session.who_am_i()
        assert bool(proxy.asked) == (asked != "not")
        monkeypatch.setenv("NO_PROXY", "clio.test")
        assert network.current().proxy_for(httpx.URL(f"https://{HOST}")) is None


NO_PROXY = [
    ("eu.clio.test", "https://eu.clio.test", True),
    ("clio.test", "https://eu.clio.test", True),
    (".clio.test", "https://eu.clio.test", True),
    ("*.clio.test", "https://eu.clio.test", True),
    (".clio.test", "https://clio.test", True),
    ("CLIO.TEST", "https://EU.clio.test", True),
    ("lio.test", "https://eu.clio.test", False),
    ("eu.clio.test.evil.example", "https://eu.clio.test", False),
    ("eu.clio.test:443", "https://eu.clio.test", True),
    ("eu.clio.test:8443", "https://eu.clio.test", False),
    ("eu.clio.test:8443", "https://eu.clio.test:8443", True),
    ("https://eu.clio.test", "https://eu.clio.test", True),
    ("one.example, eu.clio.test", "https://eu.clio.test", True),
    ("one.example eu.clio.test", "https://eu.clio.test", True),
    ("*", "https://eu.clio.test", True),
    ("one.example,*", "https://eu.clio.test", True),
    ("", "https://eu.clio.test", False),
    (",,", "https://eu.clio.test", False),
    ("10.0.0.0/8", "https://10.1.2.3", True),
    ("10.1.2.3", "https://10.1.2.3", True),
    ("10.1.2.3:8443", "https://10.1.2.3:8443", True),
    ("10.0.0.0/8", "https://11.1.2.3", False),
    ("10.0.0.0/8", "https://eu.clio.test", False),
    ("fd00::/8", "https://[fd12::1]", True),
    ("[fd12::1]", "https://[fd12::1]", True),
]


@pytest.mark.parametrize(("listed", "url", "direct"), NO_PROXY)
def test_n1_no_proxy_names_hosts_domains_ports_and_networks(monkeypatch, listed, url, direct):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", listed)
    clio.network(trust_env=True)
    assert (network.current().proxy_for(httpx.URL(url)) is None) == direct


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "localhost", "a.localhost", "[::1]"])
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_n1_every_name_of_this_machine_is_direct(monkeypatch, host, by):
    if by == "environment":
        monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    clio.network(proxy="http://proxy.example:3128" if by == "argument" else None, trust_env=True)
    assert network.current().proxy_for(httpx.URL(f"http://{host}:8770")) is None
    assert network.current().proxy_for(httpx.URL("http://clio.test:8770")) is not None


def unsent(session):
    """Verify a launch; the nonce must not have been sent."""
    verdict = verify_launch(URL, session, actions="any")
    assert (verdict.state, verdict.nonce_sent) == ("unknown", False)
    return verdict.reason


REFUSALS = {
    "no password": ("http://{at}", {"login": LOGIN}, "407"),
    "another password": ("http://ann:wr0ng@{at}", {"login": LOGIN}, "407"),
    "no password, https": ("https://{at}", {"login": LOGIN, "tls": True}, "407"),
    "not let through": ("http://{at}", {"answer": 403}, "403"),
    "no such method": ("http://{at}", {"answer": 405}, "405"),
    "no password, socks": ("socks5://{at}", {"login": LOGIN}, "refused"),
    "another password, socks": ("socks5://ann:wr0ng@{at}", {"login": LOGIN}, "refused"),
    "not let through, socks": ("socks5://{at}", {"answer": 403}, "refused"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_n1_a_proxy_that_refuses_is_named_and_asked_once(authority, slept, case):
    form, options, said = REFUSALS[case]
    with proxied(form, authority, **options) as proxy:
        clio.network(proxy=proxy.url, ca=authority.file)
        session = session_at(f"https://{HOST}")
        for verb in (session.who_am_i, lambda: session.create_action("Sign", "https://partner.example", "matters")):
            before = proxy.handshakes
            with pytest.raises(errors.ProxyRefused, match="proxy") as caught:
                verb()
            assert said in str(caught.value)
            assert caught.value.nothing_sent
            assert proxy.handshakes == before + 1
            assert "wr0ng" not in str(caught.value)
        unsent(session)
        assert proxy.handshakes == 3
    assert slept == []


def test_n1_a_plain_request_that_the_proxy_refuses_is_no_answer_of_clio(authority, slept):
    with proxied("http://{at}", authority, login=LOGIN) as proxy:
        clio.network(proxy=proxy.url)
        with pytest.raises(errors.ProxyRefused, match="407"):
            session_at("http://clio.test").who_am_i()
        assert len(proxy.asked) == 1


TROUBLES = {
    "502": ("http://{at}", {"answer": 502}, "answered 502"),
    "closed": ("http://{at}", {"answer": "close"}, "closed the connection"),
    "closed, socks": ("socks5://{at}", {"answer": "close"}, "proxy"),
    "unreachable, socks": ("socks5://{at}", {"answer": 502}, "proxy"),
    "not there": ("http://127.0.0.1:1", {}, "to the proxy: the connection was refused"),
    "not there, socks": ("socks5://127.0.0.1:1", {}, "the connection to the proxy failed"),
    "no such name": ("http://proxy.invalid:3128", {}, "to the proxy: the host name was not found"),
    "no SOCKS": ("socks5://{at}", {"answer": "nonsense"}, "proxy"),
}


@pytest.mark.parametrize("case", TROUBLES)
def test_n1_what_fails_on_the_way_to_the_proxy_sent_nothing_and_is_tried_again(authority, slept, case):
    form, options, said = TROUBLES[case]
    with proxied(form, authority, **options) as proxy:
        clio.network(proxy=proxy.url)
        session = session_at(f"https://{HOST}")
        assert said in unsent(session)
        with pytest.raises(errors.NetworkError) as caught:
            session.who_am_i()
        assert caught.value.nothing_sent
        assert not isinstance(caught.value, errors.TlsFailed | errors.ProxyRefused)
    assert len(slept) == 4


@pytest.mark.parametrize("form", ["http://{at}", "socks5://{at}"])
def test_n1_a_proxy_that_never_answers_sent_nothing(authority, form):
    with proxied(form, authority, answer="hang") as proxy:
        clio.network(proxy=proxy.url, request_timeout=0.2)
        with pytest.raises(errors.NetworkError) as caught, clio.timeout(0.5):
            session_at(f"https://{HOST}").who_am_i()
        assert form.startswith("socks") or caught.value.nothing_sent


# Certificates.


def der(authority, folder):
    (folder / "firm.cer").write_bytes(ssl.PEM_cert_to_DER_cert(authority.cert_pem.bytes().decode()))
    return folder / "firm.cer"


def hashed(authority, folder):
    """A folder as OpenSSL wants it: each certificate under the hash of its name."""
    asked = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(authority.file)]
    name = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    (folder / f"{name}.0").write_bytes(authority.cert_pem.bytes())
    return folder


def with_remarks(authority, folder):
    (folder / "bundle.pem").write_bytes("# Issuer: Köhler & Söhne\n".encode() + authority.cert_pem.bytes())
    return folder / "bundle.pem"


@pytest.mark.parametrize("form", [der, hashed, with_remarks])
@pytest.mark.parametrize("by", ["ca", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_n1_a_private_authority_can_be_named(clio_over_tls, authority, token, tmp_path, monkeypatch, by, form):
    """The environment's are read anew, so that one can be named in a notebook after the first failure."""
    if (by == "SSL_CERT_FILE" and form is not with_remarks) or (by == "SSL_CERT_DIR" and form is not hashed):
        return
    path = form(authority, tmp_path)
    with proxied("http://{at}", authority) as proxy:
        clio.network(proxy=proxy.url)
        session = session_at(f"https://{HOST}:{clio_over_tls.port}", token)
        with pytest.raises(errors.TlsFailed, match="SSL_CERT_FILE"):
            session.who_am_i()
        if by == "ca":
            clio.network(proxy=proxy.url, ca=path)
        else:
            monkeypatch.setenv(by, str(path))
        if by.endswith("BUNDLE"):
            with pytest.raises(errors.TlsFailed):
                session.who_am_i()
            clio.network(proxy=proxy.url, trust_env=True)
        assert session.who_am_i()


def test_n1_a_variable_that_names_no_certificate_is_named_when_tls_fails(clio_over_tls, authority, monkeypatch):
    """OpenSSL passes it over, and so does every request that needs no authority of one's own."""
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/firm.pem")
    with proxied("http://{at}", authority) as proxy:
        clio.network(proxy=proxy.url)
        with pytest.raises(errors.TlsFailed, match="SSL_CERT_FILE is set, but what it names is not there"):
            session_at(f"https://{HOST}:{clio_over_tls.port}").who_am_i()


def expired(authority):
    past = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    return authority.issue_cert(HOST, not_after=past)


BAD = {
    "unknown authority": (lambda own, other: other.issue_cert(HOST), "its certificate is not trusted", "SSL_CERT_FILE"),
    "expired": (lambda own, other: expired(own), "expired", "date and time"),
    "another name": (lambda own, other: own.issue_cert("www.example"), "not valid for", "Another machine"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("form", ["http://{at}", "socks5://{at}"])
def test_n1_a_bad_certificate_behind_a_proxy_is_named_with_the_way_out_and_met_once(authority, slept, case, form):
    make, said, way_out = BAD[case]
    with (
        serving(lambda *_: None) as nobody,
        running(Front(server_context(make(authority, trustme.CA())), nobody.port)) as front,
        proxied(form, authority) as proxy,
    ):
        clio.network(proxy=proxy.url, ca=authority.file)
        session = session_at(f"https://{HOST}:{front.port}")
        with pytest.raises(errors.TlsFailed, match=HOST) as caught:
            session.who_am_i()
        assert said in str(caught.value)
        assert way_out in str(caught.value)
        assert caught.value.nothing_sent
        assert front.handshakes == 1
        assert "TLS" in unsent(session)
        assert front.handshakes == 2
    assert slept == []


def test_n1_the_proxys_own_bad_certificate_is_named_as_the_proxys(authority, slept):
    with running(Proxy(tls=server_context(trustme.CA().issue_cert("localhost")))) as proxy:
        clio.network(proxy=f"https://localhost:{proxy.port}", ca=authority.file)
        with pytest.raises(errors.TlsFailed, match="the proxy's certificate is not trusted"):
            session_at(f"https://{HOST}").who_am_i()
        assert proxy.handshakes == 1


# What cannot be right.

WRONG = [
    ({"proxy": "ftp://proxy.example"}, "proxy"),
    ({"proxy": "socks4://proxy.example"}, "proxy"),
    ({"proxy": "http://"}, "proxy"),
    ({"proxy": "http://proxy.example:99999"}, "proxy"),
    ({"proxy": f"http://ann:{PASSWORD}/@proxy.example"}, "proxy"),
    ({"proxy": "http://pro xy.example"}, "proxy"),
    ({"proxy": 3128}, "proxy"),
    ({"ca": "no-such-file.pem"}, "ca"),
    ({"ca": "~no-such-user/firm.pem"}, "ca"),
    ({"ca": "nul\0"}, "ca"),
    ({"ca": 5}, "ca"),
    ({"trust_env": "no"}, "trust_env"),
    ({"ca": __file__}, "ca"),
    ({"in_flight": 0}, "in_flight"),
    ({"in_flight": 2.5}, "in_flight"),
    ({"in_flight": True}, "in_flight"),
    ({"request_timeout": 0}, "request_timeout"),
    ({"request_timeout": 31}, "request_timeout"),
    ({"request_timeout": float("nan")}, "request_timeout"),
    ({"request_timeout": "30"}, "request_timeout"),
    ({"transport": httpx.HTTPTransport}, "transport"),
    ({"transport": httpx.AsyncHTTPTransport(), "proxy": "http://proxy.example"}, "transport"),
]


@pytest.mark.parametrize(("said", "field"), WRONG)
def test_n1_what_cannot_be_right_is_named_and_changes_nothing(said, field):
    clio.network(in_flight=7)
    with pytest.raises(errors.InvalidInput) as caught:
        clio.network(**said)
    assert caught.value.field == field
    assert PASSWORD not in str(caught.value)
    assert network.current().in_flight == 7


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLIO_NB_TRUST_ENV", "perhaps"),
        ("HTTPS_PROXY", f"ftp://ann:{PASSWORD}@proxy.example"),
        ("ALL_PROXY", "http://"),
        ("REQUESTS_CA_BUNDLE", "no-such-file.pem"),
    ],
)
def test_n1_nonsense_in_the_environment_is_named_by_its_variable(monkeypatch, name, value):
    monkeypatch.setenv("CLIO_NB_TRUST_ENV", "1")
    monkeypatch.setenv(name, value)
    session = session_at("https://clio.test")
    with pytest.raises(errors.InvalidInput, match=name) as caught:
        session.who_am_i()
    assert PASSWORD not in str(caught.value)
    assert name in unsent(session)


def test_n1_a_socks_proxy_without_its_package_says_which(monkeypatch):
    monkeypatch.setattr(network, "find_spec", lambda name: None)
    with pytest.raises(errors.InvalidInput, match="pip install socksio"):
        clio.network(proxy="socks5://proxy.example")


# Requests in flight, and the time of one.


class Busy:
    """Answers when it is told to, and counts how many requests wait at a time."""

    def __init__(self):
        self.lock, self.go = threading.Lock(), threading.Event()
        self.now = self.most = self.done = 0
        self.full = threading.Semaphore(0)

    def __call__(self, server, sock):
        while sock.recv(65536):
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
            self.full.release()
            self.go.wait(20)
            with self.lock:
                self.now -= 1
                self.done += 1
            sock.sendall(ok(b'{"data":{"id":2,"name":"Ann"}}'))


@pytest.mark.parametrize("bound", [1, 3])
def test_n1_one_bound_holds_for_all_users_and_firms(bound):
    busy = Busy()
    with serving(busy) as one, serving(busy) as other:
        clio.network(in_flight=bound)
        sessions = [session_at(f"http://127.0.0.1:{(one, other)[n % 2].port}", f"token{n}") for n in range(12)]
        calls = [loop.submit(session.aio.who_am_i) for session in sessions]
        for _ in range(bound):
            assert busy.full.acquire(timeout=20)
        busy.go.set()
        assert [call.result(20).id for call in calls] == [2] * 12
    assert busy.most == bound


@pytest.mark.parametrize(("before", "after"), [(1, 4), (4, 1)])
def test_n1_the_bound_can_be_changed_while_requests_are_under_way(before, after):
    busy = Busy()
    with serving(busy) as server:
        clio.network(in_flight=before)
        session = [session_at(f"http://127.0.0.1:{server.port}", f"token{n}") for n in range(9)]
        calls = [loop.submit(each.aio.who_am_i) for each in session[:before]]
        for _ in range(before):
            assert busy.full.acquire(timeout=20)
        clio.network(in_flight=after)
        calls += [loop.submit(each.aio.who_am_i) for each in session[before:]]
        for _ in range(after - before):
            assert busy.full.acquire(timeout=20)
        busy.go.set()
        assert [call.result(20).id for call in calls] == [2] * 9
    assert busy.most == max(before, after)


def test_n1_a_request_under_way_ends_by_the_network_in_which_it_began(authority):
    busy = Busy()
    with serving(busy) as server, proxied("http://{at}", authority) as proxy:
        session = session_at(f"http://clio.test:{server.port}")
        clio.network(proxy=proxy.url)
        first = loop.submit(session.aio.who_am_i)
        assert busy.full.acquire(timeout=20)
        clio.network(proxy="http://127.0.0.1:1")
        with pytest.raises(errors.NetworkError, match="to the proxy"), clio.timeout(0.05):
            session.who_am_i()
        busy.go.set()
        assert first.result(20).id == 2


def test_n1_a_request_ends_after_the_time_that_one_may_take():
    busy = Busy()
    with serving(busy) as server:
        clio.network(request_timeout=0.1)
        with pytest.raises(errors.NetworkError, match=r"timeout after 0\.1 s"):
            loop.run(transport.exchange, "GET", f"http://127.0.0.1:{server.port}/")
        busy.go.set()


# A transport of one's own.


def test_n1_a_transport_of_ones_own_sends_everything(clio_sandbox, token):
    seen = []

    class Theirs(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request):
            seen.append(f"{request.method} {request.url.path}")
            return await super().handle_async_request(request)

    clio.network(transport=Theirs())
    session = session_at(clio_sandbox.origin, token)
    session.create_action("Sign", "https://partner.example/launch", "matters")
    assert len(session.list_actions()) == 1
    assert len(seen) == len(clio_sandbox.requests) == 2


def answering(answer):
    async def handler(request):
        return answer

    return httpx.MockTransport(handler)


def test_h14_a_transport_of_ones_own_is_held_to_the_same_size_and_decoded(monkeypatch, slept):
    packed = gzip.compress(b'{"data":{"id":2,"name":"Ann"}}')
    clio.network(transport=answering(httpx.Response(200, headers={"content-encoding": "gzip"}, content=packed)))
    assert session_at("https://clio.test").who_am_i().id == 2
    monkeypatch.setattr("clio_nb.http.httpx_engine.BODY_CAP", 10)
    clio.network(transport=answering(httpx.Response(200, content=b" " * 11)))
    with pytest.raises(errors.NetworkError, match="ReadError"):
        session_at("https://clio.test").who_am_i()


def test_h14_a_transport_of_ones_own_is_held_to_the_same_time():
    async def never(request):
        await asyncio.Event().wait()

    clio.network(transport=httpx.MockTransport(never), request_timeout=0.05)
    with pytest.raises(errors.NetworkError, match="timeout") as caught, clio.timeout(0.1):
        session_at("https://clio.test").who_am_i()
    assert not caught.value.nothing_sent


def test_n1_failed_tls_of_a_transport_of_ones_own_is_named_so_and_not_tried_again(clio_over_tls, slept):
    """It is not said that nothing was sent: what a person's transport has done before cannot be known."""

    class Astray(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request):
            request.url = request.url.copy_with(host="127.0.0.1")
            return await super().handle_async_request(request)

    clio.network(transport=Astray())
    with pytest.raises(errors.TlsFailed, match="its certificate is not trusted") as caught:
        session_at(f"https://{HOST}:{clio_over_tls.port}").who_am_i()
    assert not caught.value.nothing_sent
    assert clio_over_tls.handshakes == 1
    assert slept == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_p6_a_child_does_not_use_its_parents_transport_and_says_so():
    code = """if True:
        import os
        import httpx
        import clio_nb as clio
        from clio_nb.models import App
        async def answer(request):
            return httpx.Response(200, json={"data": {"id": 2, "name": "Ann"}})
        app = App(clio.Region.EU, "client", clio.Secret("x" * 20), origin="https://clio.test")
        clio.network(transport=httpx.MockTransport(answer))
        assert clio.Session(app, "token").who_am_i().id == 2
        if (child := os.fork()) == 0:
            try:
                clio.Session(app, "token").who_am_i()
            except clio.errors.InvalidInput as error:
                assert "forked" in str(error)
                clio.network(transport=httpx.MockTransport(answer))
                os._exit(0 if clio.Session(app, "token").who_am_i().id == 2 else 2)
            os._exit(3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert clio.Session(app, "token").who_am_i().id == 2
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_s7_no_password_of_a_proxy_is_in_what_a_person_sees(authority, caplog):
    caplog.set_level(logging.DEBUG)
    with proxied("http://{login}@{at}", authority, login="ann:another") as proxy:
        clio.network(proxy=proxy.url)
        assert PASSWORD not in repr(network.current())
        with pytest.raises(errors.ProxyRefused) as caught:
            session_at(f"https://{HOST}").who_am_i()
    frames, traceback = [], caught.value.__traceback__
    while traceback is not None:
        if "tests" not in traceback.tb_frame.f_code.co_filename:
            frames.append(repr(traceback.tb_frame.f_locals))
        traceback = traceback.tb_next
    for text in (str(caught.value), caplog.text, *frames):
        assert USERINFO not in text
        assert PASSWORD not in text


def test_n1_the_terminal_goes_by_the_environments_proxy_when_told_so(authority, tmp_path):
    """Two processes in a network of its own: a sandbox that asks for its control key, and the terminal."""
    with clio.sandbox(control_key="a-key-of-sixteen-letters") as site, proxied("http://{at}", authority) as proxy:
        environment = {
            **os.environ,
            "HTTP_PROXY": proxy.url,
            "CLIO_NB_CONTROL_KEY": "a-key-of-sixteen-letters",
            "CLIO_NB_SITE": f"http://clio.test:{urlsplit(site.origin).port}",
            "CLIO_NB_TRUST_ENV": "1",
        }
        asked = [
            sys.executable,
            "-c",
            "from clio_nb.cli import main; main()",
            "status",
            "--vault",
            str(tmp_path / "vault.db"),
        ]
        done = subprocess.run(asked, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode in (0, 1), done.stderr
        assert proxy.asked, done.stderr
        refused = subprocess.run(
            asked,
            env={**environment, "CLIO_NB_TRUST_ENV": "0"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert refused.returncode == 1
        assert "CLIO_NB_TRUST_ENV=1" in refused.stderr
