"""One page behind a door, in each framework and as each routes: what the tests serve, in this process or in another.

The page says ``SHOWN`` and what it received, and looks at nothing: so a visit that is not proved would be seen.
"""

from __future__ import annotations

import sys
import warnings
from types import ModuleType

from clio_nb.web import asgi, wsgi

KEY = "a key that is long enough to sign cookies with"
SHOWN = "SHOWN"


def words(proved):
    return f"{SHOWN} {proved.user_id} {proved.custom_action_id} {proved.subject.path}"


def starlette(sessions, route="/launch", path="/launch", mount="", **options):
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    async def page(request):
        kept = request.scope.get("clio_nb.launch")
        return PlainTextResponse(words(asgi.launch_of(request)) if kept else SHOWN)

    inner = Starlette(routes=[Route(route, page, methods=["GET", "POST"])])
    inner.add_middleware(asgi.LaunchMiddleware, sessions=sessions, key=KEY, path=path, **options)
    return Starlette(routes=[Mount(mount, inner)]) if mount else inner


def around(sessions, mount="/clio", path="/clio/launch", **options):
    """The door is around an app, and the page in an app that is mounted in it."""
    from starlette.applications import Starlette
    from starlette.routing import Mount

    app = Starlette(routes=[Mount(mount, starlette([], path="/elsewhere"))])
    app.add_middleware(asgi.LaunchMiddleware, sessions=sessions, key=KEY, path=path, **options)
    return app


def fastapi(sessions, route="/launch", path="/launch", root_path="", **options):
    from fastapi import FastAPI, Request
    from fastapi.responses import PlainTextResponse

    async def page(request: Request) -> PlainTextResponse:
        kept = request.scope.get("clio_nb.launch")
        return PlainTextResponse(words(asgi.launch_of(request)) if kept else SHOWN)

    page.__annotations__ = {"request": Request}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and still in use
        app = FastAPI(root_path=root_path)
    app.get(route)(page)
    app.add_middleware(asgi.LaunchMiddleware, sessions=sessions, key=KEY, path=path, **options)
    return app


def flask(sessions, route="/launch", path="/launch", mount="", **options):
    from flask import Flask, request
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    app = Flask("partner")

    @app.get(route)
    def page():
        return words(wsgi.launch_of(request)) if "clio_nb.launch" in request.environ else SHOWN

    app.wsgi_app = wsgi.LaunchMiddleware(app.wsgi_app, sessions=sessions, key=KEY, path=path, **options)
    if mount:
        outer = Flask("site")
        outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {mount: app})
        return outer
    return app


def django_settings(sessions, path="/launch", routes="apps_routes", **options):
    """The settings of a Django project whose view is behind the door."""
    return {
        "MIDDLEWARE": ["django.middleware.common.CommonMiddleware", "clio_nb.web.django.LaunchMiddleware"],
        "ROOT_URLCONF": routes,
        "CLIO_NB": {"sessions": sessions, "key": KEY, "path": path, **options},
    }


def django_ready():
    """Set Django up, once for this process."""
    import django
    from django.conf import settings
    from django.http import HttpResponse
    from django.urls import path as url

    from clio_nb.web.django import launch_of

    if not settings.configured:
        settings.configure(SECRET_KEY="x" * 50, ALLOWED_HOSTS=["*"], USE_TZ=True, LOGGING_CONFIG=None)
        django.setup()

    def page(request):
        kept = "clio_nb.launch" in request.META
        return HttpResponse(words(launch_of(request)) if kept else SHOWN, content_type="text/plain")

    async def awaited(request):
        return page(request)

    for name, view, route in (
        ("apps_routes", page, "launch"),
        ("apps_routes_slash", page, "launch/"),
        ("apps_routes_async", awaited, "launch/"),
    ):
        module = sys.modules[name] = ModuleType(name)
        module.urlpatterns = [url(route, view)]


def django(sessions, kind="wsgi", **options):
    """A Django project as a WSGI or ASGI app. Its settings hold for the process, so one at a time."""
    django_ready()
    from django.conf import settings
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler

    for name, value in django_settings(sessions, **options).items():
        setattr(settings, name, value)
    return {"wsgi": WSGIHandler, "asgi": ASGIHandler}[kind]()
