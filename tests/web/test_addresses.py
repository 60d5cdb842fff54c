"""Promise L21: a page behind a door never runs unproved, however its framework reads an address."""

from __future__ import annotations

import contextlib
import http.client
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import pytest

from clio_nb.errors import InvalidInput, NotAdmitted
from clio_nb.web import asgi, wsgi
from clio_nb.web import django as web_django
from clio_nb.web._addresses import Door

from . import apps
from .apps import KEY, SHOWN

ROUTES = {
    "starlette": ("asgi", apps.starlette, "/launch", {}),
    "starlette, a route with a slash": ("asgi", apps.starlette, "/launch/", {"route": "/launch/"}),
    "starlette, a path with a slash": ("asgi", apps.starlette, "/launch", {"path": "/launch/"}),
    "starlette, mounted": ("asgi", apps.starlette, "/clio/launch", {"mount": "/clio"}),
    "starlette, the door around what is mounted": ("asgi", apps.around, "/clio/launch", {}),
    "fastapi": ("asgi", apps.fastapi, "/launch", {}),
    "fastapi, a root path that ends in a segment": ("asgi", apps.fastapi, "/launch", {"root_path": "/l"}),
    "fastapi, a root path in front": ("asgi", apps.fastapi, "/clio/launch", {"root_path": "/clio"}),
    "fastapi, a root path that is cut off": ("asgi", apps.fastapi, "/launch", {"root_path": "/clio"}),
    "fastapi, a root path with a slash": ("asgi", apps.fastapi, "/launch", {"root_path": "/clio/"}),
    "flask": ("wsgi", apps.flask, "/launch", {}),
    "flask, a route with a slash": ("wsgi", apps.flask, "/launch/", {"route": "/launch/"}),
    "flask, mounted": ("wsgi", apps.flask, "/clio/launch", {"mount": "/clio"}),
    "flask, not in ascii": ("wsgi", apps.flask, "/lan%C3%A7amento", {"route": "/lançamento", "path": "/lançamento"}),
    "starlette, not in ascii": (
        "asgi",
        apps.starlette,
        "/lan%C3%A7amento",
        {"route": "/lançamento", "path": "/lançamento"},
    ),
    "django": ("wsgi", apps.django, "/launch", {}),
    "django, a slash that is appended": ("wsgi", apps.django, "/launch/", {"routes": "apps_routes_slash"}),
    "django, awaited": ("asgi", apps.django, "/launch/", {"routes": "apps_routes_async", "kind": "asgi"}),
    "django, a sync view awaited": ("asgi", apps.django, "/launch/", {"routes": "apps_routes_slash", "kind": "asgi"}),
}

ODD = [
    "{}", "{}/", "{}//", "/{}", "//{}", "{}%2F", "{}%2f", "{}/.", "/.{}", "/x/..{}", "{}%0A", "{}%0a/", "{}%20", "{}?",
    "{}?clio_launch=x", "{}?clio_launch=x&clio_launch=y", "{}?clio_wait=x", "{}?custom_action_nonce=x", "{};x=1",
    "{}/..;/x", "{}%3F", "{}%00", "{}/%2e", "{}%5C", "{}/../launch", "/%2F{}",
]  # fmt: skip


@pytest.fixture(params=ROUTES)
def routed(request, anna, serve):
    """An app behind a door: its origin, and the path of the page."""
    kind, make, path, options = ROUTES[request.param]
    return serve(make(anna.session, **options), kind), path


def raw(origin, target, method="GET"):
    """Send a request target as it is written, which no HTTP client does by itself; return status and body."""
    with contextlib.closing(http.client.HTTPConnection(urlsplit(origin).netloc, timeout=60)) as line:
        line.putrequest(method, target, skip_accept_encoding=True)
        line.endheaders()
        answer = line.getresponse()
        return answer.status, answer.read().decode(errors="replace")


def letters(path, change):
    """Change the first letter behind the last slash: into an escape, or into a capital."""
    head, _, tail = path.rpartition("/")
    return f"{head}/{change(tail[0])}{tail[1:]}"


def test_l21_no_address_leads_to_the_page_without_a_launch(routed):
    origin, path = routed
    bare = path.rstrip("/")
    targets = [odd.format(bare) for odd in ODD]
    targets += [letters(bare, lambda one: f"%{ord(one):02X}"), letters(bare, lambda one: f"%{ord(one):02x}")]
    targets += [f"/l{bare}", f"/clio{bare}", f"/clio/clio{bare}", "/l/launch", "/launch", "/launch/", "/clio/launch/"]
    asked = [("GET", one) for one in targets] + [(method, bare) for method in ("HEAD", "POST", "PUT", "OPTIONS")]
    seen = {(method, one): raw(origin, one, method) for method, one in asked}
    assert {what: body for what, (_, body) in seen.items() if SHOWN in body} == {}
    assert max(status for status, _ in seen.values()) < 500


def test_l21_a_click_leads_to_the_page_with_and_without_the_slash(anna, routed, browser):
    origin, path = routed
    for one in (path.rstrip("/"), f"{path.rstrip('/')}/"):
        page = browser.get(f"{origin}{one}?{anna.click().partition('?')[2]}", follow_redirects=True)
        if page.status_code == 404:
            assert one != path, "some routers know only one of the two"
            continue
        assert page.text == f"{SHOWN} {anna.id} {anna.action().id} {anna.subject()}"
        assert "nonce" not in str(page.url)
        assert browser.get(page.url).text == page.text, "a reload shows it again"


@pytest.mark.parametrize(
    ("door", "prefix", "path", "paths"),
    [
        ("/launch", "", "/launch", ("/launch",)),
        ("/launch", "", "/launch/", ("/launch",)),
        ("/launch/", "", "/launch", ("/launch",)),
        ("/launch", "/l", "/launch", ("/l/launch", "/launch")),
        ("/launch", "/clio", "/clio/launch", ("/clio/launch",)),
        ("/launch", "/clio/", "/clio/launch/", ("/clio/launch",)),
        ("/launch", "/clio/", "/clio//launch", ("/clio/launch",)),
        ("/clio/launch", "/clio", "/clio/launch", ("/clio/launch",)),
        ("/clio/launch", "/clio", "/launch", ("/clio/launch", "/launch")),
        ("/launch", "/launch", "/launch/launch", ("/launch/launch",)),
        ("/", "", "/", ("/",)),
        ("/", "", "", ("/",)),
        ("/", "/clio", "/clio", ("/clio",)),
        ("/launch", "", "/launch\n", ("/launch",)),
        ("/launch", "", "//./x/../launch/", ("/launch",)),
        ("/a/b", "", "/a//b", ("/a/b",)),
        ("/lançamento", "", "/lançamento", ("/lan%C3%A7amento",)),
        ("/launch", "", "/launch/more", ()),
        ("/launch", "", "/launcher", ()),
        ("/launch", "", "/LAUNCH", ()),
        ("/launch", "", "/", ()),
        ("/launch", "/clio", "/other", ()),
        ("/launch", "", "/launch%2F", ()),
    ],
)
def test_l21_prefixes_are_cut_at_a_segment_and_slashes_do_not_count(door, prefix, path, paths):
    assert Door(door, None, None).places(prefix, path) == paths


WRONG = ["launch", "", "launch/", "http://x.example/launch", "/launch?x", "/launch#x", "/launch/{id}", "/<launch>"]
WRONG += ["/launch/*", "/a/../b", "/./a", "/lau nch", "/launch\n", "/l%61unch", "/a;b", "\\launch", None, 3, b"/launch"]


@pytest.mark.parametrize("path", WRONG)
def test_l21_what_is_no_path_of_one_page_is_refused_at_the_start(path):
    for middleware in (asgi.LaunchMiddleware, wsgi.LaunchMiddleware):
        with pytest.raises(InvalidInput, match="begin with a slash") as refused:
            middleware(None, [], KEY, path=path)
        assert refused.value.field == "path"


def test_l21_other_addresses_are_left_alone(anna, serve, browser):
    for kind, make in (("asgi", apps.starlette), ("wsgi", apps.flask), ("wsgi", apps.django)):
        origin = serve(make(anna.session, path="/elsewhere"), kind)
        assert browser.get(f"{origin}/launch").text == SHOWN


def test_l21_what_a_page_reads_the_launch_from_raises_where_nothing_was_proved(anna):
    apps.django_ready()
    from django.test import RequestFactory
    from starlette.requests import Request
    from werkzeug.test import EnvironBuilder
    from werkzeug.wrappers import Request as WerkzeugRequest

    environ = EnvironBuilder("/other").get_environ()
    scope = {"type": "http", "path": "/other", "headers": [(b"clio_nb.launch", b"x")]}
    for read, request in (
        (asgi.launch_of, Request(scope)),
        (asgi.launch_of, SimpleNamespace(scope={**scope, "clio_nb.launch": "a text"})),
        (wsgi.launch_of, WerkzeugRequest(environ)),
        (wsgi.launch_of, {**environ, "clio_nb.launch": None}),
        (web_django.launch_of, RequestFactory().get("/other", headers={"clio_nb.launch": "x"})),
    ):
        with pytest.raises(NotAdmitted, match="no LaunchMiddleware guards this address"):
            read(request)


def test_l21_a_page_that_reads_it_at_an_unguarded_address_answers_500(anna, serve, browser):
    from flask import Flask, request
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def page(visit):
        return PlainTextResponse(str(asgi.launch_of(visit)))

    flask = Flask("partner")
    flask.get("/launch")(lambda: str(wsgi.launch_of(request)))
    flask.wsgi_app = wsgi.LaunchMiddleware(flask.wsgi_app, anna.session, KEY, path="/lunch")
    starlette = Starlette(routes=[Route("/launch", page)])
    starlette.add_middleware(asgi.LaunchMiddleware, sessions=anna.session, key=KEY, path="/lunch")
    for app, kind in ((flask, "wsgi"), (starlette, "asgi")):
        assert browser.get(f"{serve(app, kind)}/launch").status_code == 500


def test_l21_the_test_clients_of_flask_and_django_go_through_the_door(anna):
    apps.django_ready()
    from django.test import Client, override_settings

    said = f"{SHOWN} {anna.id} {anna.action().id} {anna.subject()}"
    flask = apps.flask(anna.session, route="/launch/").test_client()
    assert flask.get(f"/launch?{anna.click().partition('?')[2]}", follow_redirects=True).text == said
    assert flask.get("/launch/").status_code == 400
    with override_settings(**apps.django_settings(anna.session, routes="apps_routes_slash")):
        client = Client()
        page = client.get(f"/launch/?{anna.click().partition('?')[2]}", follow=True)
        assert page.content.decode() == said
        assert (page["cache-control"], page["referrer-policy"]) == ("no-store", "no-referrer")
        assert client.get("/launch").status_code == 400
        assert Client().get(page.request["PATH_INFO"], query_params={"clio_launch": "x"}).status_code == 400


def test_l21_the_settings_of_django_are_read_with_dotted_names_and_refused_without(anna):
    apps.django_ready()
    from django.test import Client, override_settings

    apps.firm = anna.session
    settings = apps.django_settings(f"{apps.__name__}.firm")
    with override_settings(**settings):
        assert Client().get("/launch").status_code == 400
    for wrong in ({}, None, {"sessions": []}, {"key": KEY}, {"sessions": [], "key": KEY, "path": "launch"}):
        with override_settings(**{**settings, "CLIO_NB": wrong}), pytest.raises(InvalidInput):
            Client().get("/launch")


def test_l21_a_post_to_the_clean_address_reaches_the_page_with_the_cookie_alone(anna, serve, browser):
    origin = serve(apps.starlette(anna.session), "asgi")
    page = browser.get(f"{origin}/launch?{anna.click().partition('?')[2]}", follow_redirects=True)
    assert browser.post(page.url).text == page.text
    assert httpx.post(str(page.url)).status_code == 405
