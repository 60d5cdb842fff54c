"""A sandbox, people who click in it, one clock for both sides, and a listener that must stay silent."""

from __future__ import annotations

import contextlib
import socketserver
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import httpx
import pytest
import uvicorn

import clio_nb as clio
from clio_nb import events
from clio_nb.http import timeouts
from clio_nb.launches.proof.known_actions import actions_cache
from clio_nb.launches.proof.used_nonces import used_nonces
from clio_nb.sandbox import Sandbox

KEY = "a key that is long enough to sign cookies with"
TARGET = "https://partner.example/launch"


@pytest.fixture(autouse=True)
def _as_a_new_process():
    """Each test begins with no memory of launches and users."""
    used_nonces.clear()
    actions_cache.clear()
    events._warnings._counts.clear()


@pytest.fixture
def site():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def clock(site, monkeypatch):
    """One clock for the library and the sandbox; whatever waits moves it."""
    moved = Clock(site)
    monkeypatch.setattr(timeouts, "now", lambda: moved.now)
    monkeypatch.setattr(timeouts, "sleep", moved.sleep)
    monkeypatch.setattr(site.clock, "move_to", moved.move_to)
    return moved


class Clock:
    def __init__(self, site):
        self._site = site
        self.now = 1000.0
        self.slept = []

    def advance(self, seconds):
        self.now += seconds
        self._site.advance(seconds)

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.advance(seconds)

    def move_to(self, moment):
        seconds = moment - self._site.now()
        self.slept.append(seconds)
        self.advance(seconds)
        return seconds


class Person:
    """A user of the firm: signed in, with an action in each of the five places, who clicks in Clio."""

    def __init__(self, site, user):
        self.site = site
        self.id = user.id
        self.session = clio.login(site, user=user.id)
        self.actions = {}

    def action(self, at="matters"):
        if at not in self.actions:
            self.actions[at] = clio.create_action(self.session, "Sign", TARGET, at)
        return self.actions[at]

    def subject(self, at="matters", number=0):
        return self.site.records(at)[number]["subject_url"]

    def click(self, at="matters", number=0, **changed):
        """Click, and perhaps forge: a changed parameter, or None to leave it out."""
        return forged(self.site.click(self.id, self.action(at).id, self.subject(at, number)), **changed)


def forged(url, **changed):
    fields = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()} | changed
    kept = {name: value for name, value in fields.items() if value is not None}
    return f"{url.partition('?')[0]}?{urlencode(kept)}"


@pytest.fixture
def anna(site):
    return Person(site, site.users[0])


@pytest.fixture
def ben(site):
    return Person(site, site.users[1])


@pytest.fixture
def sent(site):
    """The API requests since it was last called: method, path, whether there was a nonce, status."""
    before = 0

    def since():
        nonlocal before
        seen_now = site.requests
        new, before = seen_now[before:], len(seen_now)
        return [(one["method"], one["path"], "custom_action_nonce" in one["query"], one["status"]) for one in new]

    return since


@pytest.fixture
def canary():
    """A host that nobody has any business with. ``heard`` holds what came all the same."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.heard.append((self.path, dict(self.headers)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.heard = []
        server.host = f"127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def new_browser():
    """A browser without memory. It speaks plain HTTP only, so it loads no certificates."""
    return httpx.Client(trust_env=False, timeout=60, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


@pytest.fixture
def browser():
    with new_browser() as client:
        yield client


class ThreadingWSGIServer(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class SilentHandler(WSGIRequestHandler):
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving_wsgi(app):
    with make_server("127.0.0.1", 0, app, ThreadingWSGIServer, SilentHandler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextlib.contextmanager
def serving_asgi(app):
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    listener.listen()  # from here on nobody is turned away, however slowly the thread starts
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def serve():
    """Serve an ASGI or a WSGI app on this machine for the length of the test; returns its origin."""
    with contextlib.ExitStack() as servers:
        yield lambda app, kind: servers.enter_context({"asgi": serving_asgi, "wsgi": serving_wsgi}[kind](app))
