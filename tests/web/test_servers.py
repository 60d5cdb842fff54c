"""The door under real servers, in processes of their own: a path prefix, a proxy, HTTP/2, workers, and the probe."""

from __future__ import annotations

import contextlib
import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import httpx
import pytest

import clio_nb as clio
from clio_nb.probe import probe

from . import apps
from .apps import SHOWN
from .servers import serving

PUBLIC = "http://app.example/clio/launch"


@contextlib.contextmanager
def stripping(origin, prefix="/clio"):
    """A proxy that cuts a prefix off the path, says nothing about it, and gives the app a name of its own."""

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            with contextlib.closing(http.client.HTTPConnection(urlsplit(origin).netloc, timeout=60)) as line:
                headers = {name.lower(): value for name, value in self.headers.items()} | {"host": "inside"}
                line.request("GET", self.path.removeprefix(prefix), headers=headers)
                answer = line.getresponse()
                body = answer.read()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


long = pytest.mark.long
SERVERS = [
    pytest.param("uvicorn", "starlette", 1, None, "", id="uvicorn, starlette", marks=long),
    pytest.param("uvicorn", "fastapi", 4, None, "", id="uvicorn with workers, fastapi", marks=long),
    pytest.param("uvicorn at a root path", "fastapi", 1, None, "/clio", id="uvicorn, a proxy, fastapi", marks=long),
    pytest.param("uvicorn", "starlette", 1, PUBLIC, "/clio", id="uvicorn, a silent proxy, starlette", marks=long),
    pytest.param("hypercorn", "starlette", 1, None, "", id="hypercorn, starlette", marks=long),
    pytest.param("hypercorn at a root path", "fastapi", 1, None, "/clio", id="hypercorn, a proxy, fastapi", marks=long),
    pytest.param("granian", "fastapi", 2, None, "", id="granian, fastapi", marks=long),
    pytest.param("granian, HTTP/2", "starlette", 2, None, "", id="granian, HTTP/2, starlette"),
    pytest.param("granian, WSGI and HTTP/2", "flask", 1, None, "", id="granian, HTTP/2, flask", marks=long),
    pytest.param("gunicorn, preloaded", "flask", 3, None, "", id="gunicorn, preloaded, flask", marks=long),
    pytest.param("gunicorn, preloaded", "django", 3, None, "", id="gunicorn, preloaded, django", marks=long),
    pytest.param("gunicorn", "flask", 2, PUBLIC, "/clio", id="gunicorn, a silent proxy, flask", marks=long),
    pytest.param("gunicorn", "django", 2, PUBLIC, "/clio", id="gunicorn, a silent proxy, django", marks=long),
    pytest.param("gunicorn, threads", "django", 2, None, "", id="gunicorn, threads, django", marks=long),
]


@pytest.mark.parametrize(("server", "app", "workers", "url", "prefix"), SERVERS)
def test_l21_l22_l23_a_click_a_reload_and_what_is_forged_at_a_real_server(
    site, anna, tmp_path, server, app, workers, url, prefix
):
    options = {} if url is None else {"url": url}
    http2 = "HTTP/2" in server
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(serving(site, tmp_path, server, app, workers=workers, **options))
        origin = stack.enter_context(stripping(origin)) if prefix else origin
        client = httpx.Client(trust_env=False, timeout=60, follow_redirects=True, http1=not http2, http2=http2)
        browser = stack.enter_context(client)
        address = f"{origin}{prefix}/launch"
        for number in range(3):
            click = anna.click(number=number)
            shown = f"{SHOWN} {anna.id} {anna.action().id} {anna.subject(number=number)}"
            page = browser.get(f"{address}?{click.partition('?')[2]}")
            assert page.text == shown
            assert page.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
            assert urlsplit(str(page.url)).path == f"{prefix}/launch"
            for again in range(4):  # at whichever worker answers
                headers = [("cookie", f"other={again}")] if again else []
                jar = [("cookie", f"{one.name}={one.value}") for one in browser.cookies.jar]
                assert browser.get(page.url).text == shown
                if http2:
                    assert httpx_without_jar(page.url, [*headers, *jar]).text == shown
        assert {one.path for one in browser.cookies.jar} <= {f"{prefix}/launch", "/launch"}
        assert browser.get(f"{address}?{anna.click(custom_action_nonce='forged').partition('?')[2]}").status_code == 403
        for odd in ("", "/", "//", "%2F", "%0A", "?clio_launch=x"):
            refused = browser.get(f"{address}{odd}")
            assert SHOWN not in refused.text
            assert refused.status_code in (400, 404, 405)
        assert prefix or browser.head(address).status_code == 405


def httpx_without_jar(url, headers):
    with httpx.Client(trust_env=False, http1=False, http2=True) as client:
        return client.get(url, headers=headers)


FRAMEWORKS = {"starlette": "asgi", "fastapi": "asgi", "flask": "wsgi", "django": "wsgi"}


@pytest.mark.parametrize("app", [pytest.param(one, marks=() if one == "django" else long) for one in FRAMEWORKS])
def test_the_probe_is_green_on_each_framework(site, serve, app):
    firm = clio.Firm(site)
    firm.sign_in_everyone()
    kind = FRAMEWORKS[app]
    report = probe(f"{serve(getattr(apps, app)(firm), kind)}/launch", site)
    assert report, report


@long
@pytest.mark.parametrize(
    ("server", "app", "workers"),
    [
        ("uvicorn", "starlette", 4),
        ("hypercorn", "fastapi", 2),
        ("granian", "starlette", 2),
        ("gunicorn, preloaded", "flask", 4),
        ("gunicorn, threads", "django", 2),
    ],
)
def test_the_probe_is_green_on_each_server_with_several_workers(site, tmp_path, server, app, workers):
    with serving(site, tmp_path, server, app, workers=workers) as origin:
        report = probe(f"{origin}/launch", site)
    assert report, report
