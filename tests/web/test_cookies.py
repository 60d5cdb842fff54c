"""Promise L22: a few cookies for a browser, under the launch path only, read however they come."""

from __future__ import annotations

from http.cookiejar import Cookie
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import pytest

from clio_nb.errors import InvalidInput
from clio_nb.web import asgi, wsgi
from clio_nb.web.signed_cookie import BROWSER_MAX

from . import apps
from .apps import KEY, SHOWN
from .conftest import new_browser


@pytest.fixture(params=["asgi", "wsgi", "django"])
def made(request):
    """Make an app of each kind: the kind of server, and what makes the app."""
    return {
        "asgi": ("asgi", apps.starlette),
        "wsgi": ("wsgi", apps.flask),
        "django": ("wsgi", apps.django),
    }[request.param]


@pytest.fixture
def entered(anna, serve, browser, made):
    """Launch at an app; returns its clean address, and the pair of the cookie."""

    def enter(**options):
        kind, make = made
        origin = serve(make(anna.session, **options), kind)
        moved = browser.get(f"{origin}/launch?{anna.click().partition('?')[2]}")
        pair = moved.headers["set-cookie"].partition(";")[0]
        return f"{origin}/launch?{moved.headers['location'].partition('?')[2]}", pair

    return enter


def fetched(url, *headers):
    """The status of a page, fetched with exactly these Cookie headers, in their order."""
    with new_browser() as browser:
        return browser.get(url, headers=[("cookie", one.encode("latin-1")) for one in headers]).status_code


def test_l22_the_cookie_is_found_among_others_before_and_after_it(entered):
    clean, pair = entered()
    name, _, value = pair.partition("=")
    others = ["a=1", 'b="x; y"', "c=é", "=", "d", "a=b=c", "e=1,2", f"{name}=planted", f"x{name}={value}", ";; ;"]
    for other in others:
        assert fetched(clean, f"{other}; {pair}") == 200
        assert fetched(clean, f"{pair}; {other}") == 200
        assert fetched(clean, other) == 400
    assert fetched(clean, f'{name}="{value}"') == 200
    assert fetched(clean) == 400


def test_l22_several_cookie_headers_are_read_as_one(anna, serve, browser):
    origin = serve(apps.starlette(anna.session), "asgi")
    moved = browser.get(f"{origin}/launch?{anna.click().partition('?')[2]}")
    pair = moved.headers["set-cookie"].partition(";")[0]
    clean = f"{origin}{moved.headers['location']}"
    for headers in (["a=1", pair], [pair, "a=1"], ["a=1", "b=2", pair, "c=3"], [f"a=1; {pair}", "x=y"]):
        assert fetched(clean, *headers) == 200


@pytest.mark.parametrize("joint", ["; ", ";", ",", ", ", " ,"])
def test_l22_wsgi_servers_join_several_headers_as_they_like(anna, joint):
    answers = []
    door = wsgi.LaunchMiddleware(
        lambda environ, start: [apps.words(wsgi.launch_of(environ)).encode()], anna.session, KEY
    )
    environ = {"REQUEST_METHOD": "GET", "wsgi.url_scheme": "http", "HTTP_HOST": "x.example", "PATH_INFO": "/launch"}

    def start(status, headers):
        answers.append((status, dict(headers)))

    door({**environ, "QUERY_STRING": anna.click().partition("?")[2]}, start)
    pair = answers[0][1]["set-cookie"].partition(";")[0]
    query = answers[0][1]["location"].partition("?")[2]
    for cookies in (["a=1", pair], [pair, "a=1"]):
        (body,) = door({**environ, "QUERY_STRING": query, "HTTP_COOKIE": joint.join(cookies)}, start)
        assert body.decode().startswith(SHOWN)


@pytest.mark.parametrize("launches", [20, pytest.param(200, marks=pytest.mark.long)])
def test_l22_many_launches_leave_a_few_cookies_and_the_newest_their_pages(anna, serve, browser, made, clock, launches):
    kind, make = made
    origin = serve(make(anna.session), kind)
    pages = []
    for _ in range(launches):
        clock.advance(3)
        page = browser.get(f"{origin}/launch?{anna.click().partition('?')[2]}", follow_redirects=True)
        assert page.status_code == 200
        pages.append(page.url)
        assert len(browser.cookies.jar) <= BROWSER_MAX
    sent = page.request.headers["cookie"]
    assert len(sent) < 2000
    assert [browser.get(one).status_code for one in pages[-BROWSER_MAX:]] == [200] * BROWSER_MAX
    assert browser.get(pages[0]).status_code == 400
    assert "cookie" not in browser.get(f"{origin}/").request.headers, "the rest of the site never sees one"


def test_l22_the_newest_are_kept(anna, serve, browser, clock, monkeypatch):
    origin = serve(apps.starlette(anna.session), "asgi")
    moments = iter(range(1_800_000_000, 1_900_000_000, 2))
    now = next(moments)
    monkeypatch.setattr("time.time", lambda: float(now))
    pages = []
    for _ in range(BROWSER_MAX + 3):
        now = next(moments)
        moved = browser.get(f"{origin}/launch?{anna.click().partition('?')[2]}")
        pages.append(moved.headers["location"])
    assert [browser.get(f"{origin}{one}").status_code for one in pages] == [400] * 3 + [200] * BROWSER_MAX


def test_l22_a_cookie_of_another_door_is_neither_counted_nor_taken_out(anna, serve, browser):
    inner = apps.starlette(anna.session, path="/launch")
    outer = asgi.LaunchMiddleware(inner, anna.session, KEY, path="/")
    origin = serve(outer, "asgi")
    for _ in range(BROWSER_MAX):
        assert browser.get(f"{origin}/?{anna.click().partition('?')[2]}").status_code == 303
    moved = browser.get(f"{origin}/launch?{anna.click().partition('?')[2]}")
    assert len(moved.headers.get_list("set-cookie")) == 1
    assert len(browser.cookies.jar) == BROWSER_MAX + 1


@pytest.mark.parametrize(
    ("url", "path", "secure"),
    [
        ("https://app.example/clio/launch", "/clio/launch", True),
        ("https://app.example/clio/launch/", "/clio/launch", True),
        ("http://app.example:8080/launch", "/launch", False),
        ("https://app.example", "/", True),
        (None, "/launch", False),
    ],
)
def test_l22_path_and_secure_come_from_the_public_url(anna, serve, browser, made, url, path, secure):
    kind, make = made
    origin = serve(make(anna.session, url=url), kind)
    cookie = browser.get(f"{origin}/launch?{anna.click().partition('?')[2]}").headers["set-cookie"]
    (kept,) = kept_cookies(origin, cookie)
    assert (kept.path, kept.secure, kept.has_nonstandard_attr("HttpOnly")) == (path, secure, True)
    assert "SameSite=Lax" in cookie


def kept_cookies(origin, header) -> list[Cookie]:
    jar = httpx.Cookies()
    request = httpx.Request("GET", f"{origin}/")
    jar.extract_cookies(httpx.Response(200, headers={"set-cookie": header}, request=request))
    return list(jar.jar)


def behind(app, public, inner=""):
    """A proxy that ends TLS and cuts a prefix off the path, as the app meets it."""

    async def proxied(scope, receive, send):
        if scope["type"] == "http":
            assert scope["path"].startswith(public)
            path = inner + scope["path"].removeprefix(public)
            headers = [(b"host", b"inside:8000"), *(pair for pair in scope["headers"] if pair[0] != b"host")]
            scope = {**scope, "path": path, "raw_path": path.encode(), "scheme": "http", "headers": headers}
        await app(scope, receive, send)

    return proxied


def test_l22_behind_a_proxy_that_cuts_the_path_and_ends_tls_the_public_url_is_all_it_needs(anna, serve, browser):
    target = "http://app.example/clio/launch"
    app = apps.starlette(anna.session, url=target, target=target)
    origin = serve(behind(app, "/clio"), "asgi")
    page = browser.get(f"{origin}/clio/launch?{anna.click().partition('?')[2]}", follow_redirects=True)
    assert page.text.startswith(SHOWN)
    assert urlsplit(str(page.url)).path == "/clio/launch"
    assert browser.get(page.url).text == page.text


@pytest.mark.parametrize(
    "url", ["app.example/launch", "/launch", "ftp://x.example/", "https://x.example/?a=1", "https://x.example/#a", 3]
)
def test_l22_what_is_no_public_url_is_refused_at_the_start(url):
    with pytest.raises(InvalidInput) as refused:
        asgi.LaunchMiddleware(None, [], KEY, url=url)
    assert refused.value.field == "url"


def test_l22_a_public_url_that_no_launch_of_the_target_can_have_is_refused_at_the_start():
    asgi.LaunchMiddleware(None, [], KEY, url="https://a.example/launch", target="https://a.example/launch?tenant=7")
    for target in ("https://b.example/launch", "http://a.example/launch", "https://a.example/other"):
        with pytest.raises(InvalidInput, match="different addresses"):
            asgi.LaunchMiddleware(None, [], KEY, url="https://a.example/launch", target=target)


def test_l22_nothing_of_the_client_is_in_a_cookie(anna, serve, browser, entered):
    _, pair = entered()
    record = anna.session.record(SimpleNamespace(location=anna.action().location, record_id=int(anna.subject()[-9:])))
    assert record.title.encode().hex() not in pair.encode().hex()
    assert len(pair) < 220
