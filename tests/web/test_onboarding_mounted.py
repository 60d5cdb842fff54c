"""The pages of onboarding in each framework, as an author mounts them, with the door for launches beside them."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from types import ModuleType
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

import clio_nb as clio
from clio_nb.web import asgi, wsgi

from ..launches.conftest import KEY
from . import apps
from .connecting import MANIFEST, Visitor

PUBLIC = "http://127.0.0.1:9"


def starlette(onboarding, door):
    from starlette.applications import Starlette

    app = Starlette()
    app.mount("/clio", onboarding)
    app.add_middleware(asgi.LaunchMiddleware, **door)
    return Awaited(httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC))


def flask(onboarding, door):
    from flask import Flask
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    app = Flask("partner")
    app.wsgi_app = wsgi.LaunchMiddleware(DispatcherMiddleware(app.wsgi_app, {"/clio": onboarding}), **door)
    return httpx.Client(transport=httpx.WSGITransport(app=app), base_url=PUBLIC)


class Awaited:
    """A client of an ASGI app, with verbs that wait."""

    def __init__(self, client):
        self._client, self._runner = client, asyncio.Runner()

    def get(self, url):
        return self._runner.run(self._client.get(url))

    def post(self, url, **said):
        return self._runner.run(self._client.post(url, **said))

    def close(self):
        self._runner.run(self._client.aclose())
        self._runner.close()


class Django:
    """Django's test client, with the words of the others."""

    def __init__(self, onboarding, door):
        apps.django_ready()
        from django.test import Client, override_settings
        from django.urls import include, path

        module = sys.modules["onboarding_routes"] = ModuleType("onboarding_routes")
        module.urlpatterns = [path("clio/", include(onboarding.urls))]
        settings = {**apps.django_settings(None, routes="onboarding_routes"), "CLIO_NB": door}
        settings["MIDDLEWARE"] = ["django.middleware.csrf.CsrfViewMiddleware", *settings["MIDDLEWARE"]]
        self._settings = override_settings(**settings)
        self._settings.enable()
        self._client = Client(enforce_csrf_checks=True)

    def close(self):
        self._settings.disable()

    def get(self, url):
        parts = urlsplit(url)
        return _Answer(self._client.get(f"{parts.path}?{parts.query}", headers={"host": "127.0.0.1:9"}))

    def post(self, url, *, data=None, json=None):
        if json is not None:
            return _Answer(self._client.post(url, json, content_type="application/json"))
        return _Answer(self._client.post(url, urlencode(data), content_type="application/x-www-form-urlencoded"))


class _Answer:
    def __init__(self, answer):
        self.status_code, self.headers, self.text = answer.status_code, answer.headers, answer.content.decode()


def django(onboarding, door):
    return Django(onboarding, door)


def _made(kind):
    from clio_nb.web import django as web_django

    return {"asgi": (asgi, starlette), "wsgi": (wsgi, flask), "django": (web_django, django)}[kind]


@pytest.mark.parametrize("kind", ["asgi", "wsgi", "django"])
def test_mounted_in_a_framework_a_user_connects_clicks_and_disconnects(kind, tmp_path):
    module, mount = _made(kind)
    (tmp_path / "actions.toml").write_text(MANIFEST.format(base=PUBLIC))
    with clio.sandbox(redirect_uris=[f"{PUBLIC}/clio/callback"]) as site:
        vault, user = clio.Vault(), site.users[0]
        pages = module.Onboarding(site, vault, manifest=tmp_path / "actions.toml", key=KEY, url=f"{PUBLIC}/clio")
        browser = mount(pages, {"sessions": pages, "key": KEY})
        person = Visitor(type("Nobody", (), {"browsers": []}))
        try:
            begun = browser.get(f"{PUBLIC}/clio/connect?next=/settings")
            assert begun.status_code == 303
            answer = browser.get(person.decide(begun.headers["location"], user))
            assert (answer.status_code, 'href="/settings"' in answer.text) == (200, True), answer.text
            assert answer.headers["cache-control"] == "no-store"
            assert vault.firms_of(site, user.id) == [str(site.account_id)]

            launch = browser.get(site.click_on(user.id, f"{PUBLIC}/launch"))
            assert launch.status_code == 303
            other = site.click_on(user.id, f"{PUBLIC}/launch").replace(str(user.id), str(site.users[1].id))
            refused = browser.get(other)
            assert (refused.status_code, 'href="/clio/connect"' in refused.text) == (403, True)

            asked = browser.post("/clio/disconnect", data={"region": "us"})
            assert asked.status_code == 303
            assert "Disconnected" in browser.get(person.decide(asked.headers["location"], user)).text
            assert vault.firms_of(site, user.id) == []
            told = {"client_id": site.client_id, "user_id": user.id, "access_token": "x"}
            assert browser.post("/clio/deauthorized", json=told).status_code == 200
            assert browser.post("/clio/deauthorized", json={"x": "x" * 10_001}).status_code == 413
            assert browser.get("/clio/elsewhere").status_code == 404
            health = browser.get("/clio/healthz")
            assert (health.status_code, health.headers["content-type"]) == (200, "application/json")
            assert json.loads(health.text)["database"] == "ok"
            assert re.search("begun in another browser", browser.get("/clio/callback?code=x&state=y").text)
        finally:
            browser.close()
            for one in person.partner.browsers:
                one.close()
