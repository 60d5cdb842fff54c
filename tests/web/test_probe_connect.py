"""The probe walks and attacks the way by which users connect, and names what a careless app does wrong there."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode

import httpx
import pytest

import clio_nb as clio

from ..launches.conftest import serving_wsgi
from .connecting import Partner


class Careless:
    """An app that connects users and forgets something: ``faults`` says what."""

    def __init__(self, *faults):
        self.faults = faults
        self.used = set()

    def __call__(self, environ, start_response):
        asked = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        cookie = environ.get("HTTP_COOKIE", "")
        if environ["PATH_INFO"] == "/connect":
            away = urlencode({"next": asked.get("next", "")}) if "redirects" in self.faults else ""
            query = {
                "response_type": "code",
                "client_id": self.site.client_id,
                "redirect_uri": self.callback,
                "state": "s1",
            }
            headers = [
                ("location", f"{self.site.origin}/oauth/authorize?{urlencode(query)}"),
                ("set-cookie", f"s=s1{away}"),
            ]
            start_response("302 Found", headers)
            return [b""]
        if environ["PATH_INFO"] != "/callback":
            start_response("404 Not Found", [])
            return [b""]
        own = "s=s1" in cookie or "any browser" in self.faults
        if (asked.get("state") == "s1" and own) or "any state" in self.faults:
            if asked["code"] not in self.used or "twice" in self.faults:
                self.used.add(asked["code"])
                form = {
                    "client_id": self.site.client_id,
                    "client_secret": self.site.client_secret,
                    "grant_type": "authorization_code",
                    "code": asked["code"],
                    "redirect_uri": self.callback,
                }
                httpx.post(f"{self.site.origin}/oauth/token", data=form, trust_env=False)
            where = parse_qs(cookie.partition("s1")[2]).get("next", [""])[0]
            start_response("302 Found", [("location", where or "/done")])
            return [b""]
        start_response("400 Bad Request", [])
        return [b"no"]


@pytest.mark.parametrize(
    ("fault", "mistakes"),
    [
        ("none", set()),
        ("any state", {("connect-state-changed", "trusts-state"), ("connect-state-missing", "trusts-state")}),
        ("any browser", {("connect-foreign-browser", "trusts-state")}),
        ("twice", {("connect-code-twice", "takes-code-twice")}),
        ("redirects", {("connect-open-redirect", "open-redirect")}),
    ],
)
def test_what_an_app_forgets_when_it_connects_users_is_named(fault, mistakes):
    app = Careless(fault)
    with serving_wsgi(app) as base:
        app.callback = f"{base}/callback"
        with clio.sandbox(redirect_uris=[app.callback]) as app.site:
            report = clio.probe(f"{base}/launch", app.site, at="matters", connect_url=f"{base}/connect")
    found = {(one.case, str(each)) for one in report.results for each in one.mistakes if one.case.startswith("connect")}
    if fault == "any state":
        mistakes = mistakes | {("connect-foreign-browser", "trusts-state")}
    assert found == mistakes
    assert sum(one.case.startswith("connect") for one in report.results) == 6


def test_an_app_without_the_page_is_told(tmp_path):
    app = Careless()
    with serving_wsgi(app) as base:
        app.callback = f"{base}/callback"
        with clio.sandbox(redirect_uris=[app.callback]) as app.site:
            report = clio.probe(f"{base}/launch", app.site, at="matters", connect_url=f"{base}/elsewhere")
    assert "does-not-connect" in map(str, report.mistakes)


def test_the_probe_connects_two_users_first_and_is_green_on_both_journeys_of_onboarding(serve, tmp_path):
    here = Partner(serve, tmp_path).open()
    try:
        report = clio.probe(f"{here.base}/launch", here.site, at="matters", connect_url=f"{here.base}/clio/connect")
        assert report, [(one.case, one.mistakes, one.answer) for one in report.results if not one.ok]
        assert [one.case.startswith("connect") for one in report.results] == [True] * 6 + [False] * (
            len(report.results) - 6
        )
        grants = here.vaults[0].grants(here.site, firm=str(here.site.account_id))
        assert {grant.user.id for grant in grants} == {user.id for user in here.site.users[:2]}
    finally:
        here.close()
