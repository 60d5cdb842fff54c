"""OAuth: consent, codes, tokens, refresh, deauthorize, and the callback that tells the app."""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest

from clio_nb.sandbox import Assumptions

from .conftest import data, error

CALLBACK = "http://127.0.0.1:8765/callback"


class App:
    """The app's side of the flow, over plain HTTP."""

    def __init__(self, site):
        self.site = site
        self.browser = httpx.Client(base_url=site.origin, trust_env=False)

    def ask(self, **changes):
        asked = {
            "response_type": "code",
            "client_id": self.site.client_id,
            "redirect_uri": CALLBACK,
            "state": "s & <t>",
            **changes,
        }
        query = {name: value for name, value in asked.items() if value is not None}
        return self.browser.get("/oauth/authorize", params=query)

    def decide(self, page, decision="allow", user_id=None):
        form_token = re.search(r'name="consent" value="([^"]+)"', page.text)[1]
        action = re.search(r'<form method="post" action="([^"]+)"', page.text)[1]
        values = {"consent": form_token, "decision": decision, "user_id": user_id or self.site.users[0].id}
        return self.browser.post(urljoin(str(page.url), action), data=values)

    def code(self, **changes):
        return self.told(self.decide(self.ask(**changes)))["code"][0]

    @staticmethod
    def told(redirect):
        assert redirect.status_code == 302, redirect.text
        return parse_qs(urlsplit(redirect.headers["location"]).query)

    def token(self, *, auth=None, **values):
        mine = {} if auth else {"client_id": self.site.client_id, "client_secret": self.site.client_secret}
        return self.browser.post("/oauth/token", data={**mine, **values}, auth=auth)

    def exchange(self, code, **changes):
        values = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **changes}
        return self.token(**{name: value for name, value in values.items() if value is not None})

    def refresh(self, refresh_token):
        return self.token(grant_type="refresh_token", refresh_token=refresh_token)

    def who(self, access_token):
        return self.browser.get("/api/v4/users/who_am_i", headers={"authorization": f"Bearer {access_token}"})


@pytest.fixture
def app(site):
    app = App(site)
    yield app
    app.browser.close()


@pytest.fixture
def app_of():
    """Make apps of other sandboxes; all are closed at the end."""
    made = []

    def make(site):
        made.append(App(site))
        return made[-1]

    yield make
    for each in made:
        each.browser.close()


def refused(response):
    """Status and OAuth's error code."""
    return response.status_code, response.json()["error"]


def test_the_user_chosen_on_the_consent_page_is_signed_in(app, site):
    page = app.ask()
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "This is not Clio" in page.text
    assert all(user.email in page.text for user in site.users)
    told = app.told(app.decide(page, user_id=site.users[2].id))
    assert told["state"] == ["s & <t>"]
    tokens = app.exchange(told["code"][0])
    assert tokens.status_code == 200
    assert tokens.headers["cache-control"] == "no-store"
    assert tokens.json().keys() == {"token_type", "access_token", "expires_in", "refresh_token"}
    assert tokens.json()["token_type"] == "bearer"
    assert tokens.json()["expires_in"] == 2_592_000
    assert data(app.who(tokens.json()["access_token"]))["id"] == site.users[2].id


def test_declining_leaves_a_page_unless_the_app_asked_to_be_told(app):
    declined = app.decide(app.ask(), decision="decline")
    assert declined.status_code == 400
    assert "You declined" in declined.text
    told = app.told(app.decide(app.ask(redirect_on_decline="true"), decision="decline"))
    assert told == {"error": ["access_denied"], "state": ["s & <t>"]}


def test_a_consent_form_counts_once(app):
    page = app.ask()
    app.decide(page)
    again = app.decide(page)
    assert again.status_code == 400
    assert "used already" in again.text


def test_a_consent_form_cannot_be_guessed(app):
    assert app.browser.post("/oauth/authorize", data={"decision": "allow", "consent": "x"}).status_code == 400
    assert app.browser.post("/oauth/authorize", json={"decision": ["allow"]}).status_code == 400


@pytest.mark.parametrize("user_id", ["1", "x", "-1", "9" * 30, "²"])
def test_only_a_user_of_the_firm_can_consent(app, user_id):
    assert app.decide(app.ask(), user_id=user_id).status_code == 400


def test_a_disabled_user_cannot_consent(app, site):
    page = app.ask()
    site.disable(site.users[1].id)
    assert app.decide(page, user_id=site.users[1].id).status_code == 400
    assert site.users[1].email not in app.ask().text


@pytest.mark.parametrize(
    "redirect_uri",
    [
        None,
        "",
        "http://127.0.0.1:8765/callback/",
        "http://127.0.0.1:8766/callback",
        "https://127.0.0.1:8765/callback",
        "http://localhost:8765/callback",
        "http://127.0.0.1:8765/callback#here",
        "http://127.0.0.1:8765@evil.example/callback",
        "http://[::1",
        "javascript:alert(1)",
        "https://app.clio.com/oauth/approval",
    ],
)
def test_a_redirect_uri_that_is_not_registered_gets_a_page_and_no_redirect(app, redirect_uri):
    page = app.ask(redirect_uri=redirect_uri)
    assert page.status_code == 400
    assert "location" not in page.headers


def test_a_redirect_uri_may_carry_extra_parameters(app):
    redirect = app.decide(app.ask(redirect_uri=f"{CALLBACK}?tenant=7"))
    assert redirect.headers["location"].startswith(f"{CALLBACK}?tenant=7&code=")
    code = app.told(redirect)["code"][0]
    assert app.exchange(code, redirect_uri=f"{CALLBACK}?tenant=7").status_code == 200


def test_an_unknown_app_gets_a_page(app):
    assert app.ask(client_id="somebody").status_code == 401
    assert app.ask(client_id=None).status_code == 401
    assert app.browser.get("/oauth/authorize?client_id=%ff").status_code == 400


def test_another_response_type_is_told_to_the_app(app):
    assert app.told(app.ask(response_type="token"))["error"] == ["unsupported_response_type"]


def test_an_app_without_a_server_reads_the_code_from_the_approval_page(app, site):
    approval = f"{site.origin}/oauth/approval"
    redirect = app.decide(app.ask(redirect_uri=approval))
    assert redirect.headers["location"].startswith(f"{approval}?code=")
    page = app.browser.get(redirect.headers["location"])
    code = re.search(r"<title>Success code=([^<]+)</title>", page.text)[1]
    assert app.exchange(code, redirect_uri=approval).status_code == 200
    declined = app.decide(app.ask(redirect_uri=approval, redirect_on_decline="true"), decision="decline")
    assert "<title>Failure error=access_denied</title>" in app.browser.get(declined.headers["location"]).text


def test_the_approval_page_escapes_what_it_is_given(app):
    page = app.browser.get("/oauth/approval", params={"code": "<script>", "error": "<script>"})
    assert "<script>" not in page.text
    assert app.browser.get("/oauth/approval?code=%ff").status_code == 400


def test_a_code_counts_once(app):
    code = app.code()
    assert app.exchange(code).status_code == 200
    assert refused(app.exchange(code)) == (400, "invalid_grant")


def test_a_code_lives_ten_minutes(app, site):
    soon, late = app.code(), app.code()
    site.advance(599)
    assert app.exchange(soon).status_code == 200
    site.advance(1)
    assert refused(app.exchange(late)) == (400, "invalid_grant")


def test_a_code_is_bound_to_its_redirect_uri(app, site):
    code = app.code()
    assert refused(app.exchange(code, redirect_uri=f"{site.origin}/oauth/approval")) == (400, "invalid_grant")


@pytest.mark.parametrize("auth", ["basic", "body"])
def test_the_app_proves_itself_by_body_or_by_basic(app, site, auth):
    code = app.code()
    basic = (site.client_id, site.client_secret) if auth == "basic" else None
    answer = app.token(auth=basic, grant_type="authorization_code", code=code, redirect_uri=CALLBACK)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "changes", [{"client_secret": "wrong"}, {"client_id": "wrong"}, {"client_secret": "ü\U0001f600"}, {"client_id": ""}]
)
def test_another_app_is_refused_and_the_code_stays_good(app, changes):
    code = app.code()
    assert refused(app.exchange(code, **changes)) == (401, "invalid_client")
    assert app.exchange(code).status_code == 200


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !!!", "Basic " + base64.b64encode(b"\xff:x").decode(), "Basic eA=="]
)
def test_an_unreadable_basic_header_is_refused(app, header):
    answer = app.browser.post("/oauth/token", data={"grant_type": "x"}, headers={"authorization": header})
    assert refused(answer) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x", "redirect_uri": CALLBACK}, "invalid_grant"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "ü\x00"}, "invalid_grant"),
    ],
)
def test_a_token_request_that_says_nothing_useful_is_refused(app, values, refusal):
    assert refused(app.token(**values)) == (400, refusal)


def test_an_unreadable_token_request_is_refused(app):
    headers = {"content-type": "application/json"}
    assert refused(app.browser.post("/oauth/token", content=b"{", headers=headers)) == (400, "invalid_request")
    assert refused(app.browser.post("/oauth/token", content=b"[1]", headers=headers)) == (401, "invalid_client")


def challenge(verifier):
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def test_pkce_is_checked_when_it_is_sent(app):
    asked = {"code_challenge": challenge("v" * 43), "code_challenge_method": "S256"}
    assert app.exchange(app.code(**asked), code_verifier="v" * 43).status_code == 200
    for wrong in ("w" * 43, None, challenge("v" * 43)):
        assert refused(app.exchange(app.code(**asked), code_verifier=wrong)) == (400, "invalid_grant")
    assert app.exchange(app.code(code_challenge="plain" * 9), code_verifier="plain" * 9).status_code == 200
    assert refused(app.exchange(app.code(code_challenge="plain" * 9), code_verifier="x")) == (400, "invalid_grant")
    assert app.told(app.ask(code_challenge="x", code_challenge_method="S512"))["error"] == ["invalid_request"]


def test_pkce_can_be_demanded_or_ignored(sandbox, app_of):
    demanding = app_of(sandbox(assumptions=Assumptions(pkce="require")))
    assert demanding.told(demanding.ask())["error"] == ["invalid_request"]
    careless = app_of(sandbox(assumptions=Assumptions(pkce="ignore")))
    code = careless.code(code_challenge="x", code_challenge_method="S256")
    assert careless.exchange(code, code_verifier="wrong").status_code == 200


def test_an_access_token_ends_when_it_said(app, site):
    tokens = app.exchange(app.code()).json()
    site.advance(tokens["expires_in"] - 1)
    assert app.who(tokens["access_token"]).status_code == 200
    site.advance(1)
    assert app.who(tokens["access_token"]).status_code == 401


def test_the_lifetime_can_be_set(sandbox, app_of):
    app = app_of(sandbox(assumptions=Assumptions(expires_in=3600)))
    assert app.exchange(app.code()).json()["expires_in"] == 3600


def test_a_refresh_gives_a_new_access_token_and_keeps_the_refresh_token(app, site):
    tokens = app.exchange(app.code()).json()
    site.advance(tokens["expires_in"])
    for _ in range(2):
        renewed = app.refresh(tokens["refresh_token"]).json()
        assert renewed.keys() == {"token_type", "access_token", "expires_in"}
        assert app.who(renewed["access_token"]).status_code == 200


def test_refresh_tokens_can_rotate(sandbox, app_of):
    app = app_of(sandbox(assumptions=Assumptions(refresh_rotates=True)))
    first = app.exchange(app.code()).json()["refresh_token"]
    second = app.refresh(first).json()["refresh_token"]
    assert second != first
    assert refused(app.refresh(first)) == (400, "invalid_grant")
    assert app.refresh(second).status_code == 200


def test_deauthorize_ends_one_access_token_only(app, site):
    tokens = app.exchange(app.code()).json()
    other = site.token(site.users[0].id)["access_token"]
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    ended = app.browser.post("/oauth/deauthorize", headers=headers, data={"token": tokens["access_token"]})
    assert ended.status_code == 200
    assert app.who(tokens["access_token"]).status_code == 401
    assert app.who(other).status_code == 200
    assert app.refresh(tokens["refresh_token"]).status_code == 200


def test_deauthorize_wants_a_token(app, site):
    token = site.token(site.users[0].id)["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    assert refused(app.browser.post("/oauth/deauthorize", data={"token": token})) == (401, "invalid_token")
    assert refused(app.browser.post("/oauth/deauthorize", headers=headers)) == (400, "invalid_request")
    assert app.browser.post("/oauth/deauthorize", headers=headers, data={"token": "unknown"}).status_code == 200
    assert app.who(token).status_code == 200


def test_a_users_revoke_ends_every_token(app, site):
    tokens = app.exchange(app.code()).json()
    waiting = app.code()
    site.revoke(site.users[0].id)
    assert app.who(tokens["access_token"]).status_code == 401
    assert refused(app.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
    assert refused(app.exchange(waiting)) == (400, "invalid_grant")


@pytest.fixture
def callback():
    """An app's deauthorization URL, and what was posted to it."""
    posted = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            posted.append((self.headers["content-type"], json.loads(body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/deauthorized", posted
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_app_is_told_when_a_user_revokes(sandbox, callback):
    url, posted = callback
    site = sandbox(deauthorization_url=url)
    user = site.users[0].id
    site.token(user)
    site.revoke(user)
    assert posted == [("application/json", {"client_id": site.client_id, "user_id": user, "access_token": "all"})]
    site.revoke(user)
    assert len(posted) == 1, "there was nothing left to revoke"
    assert [(each.user_id, each.status) for each in site.deliveries] == [(user, 204)]


def test_the_app_is_told_which_token_was_deauthorized(sandbox, callback, app_of):
    url, posted = callback
    site = sandbox(deauthorization_url=url)
    token = site.token(site.users[0].id)["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    app_of(site).browser.post("/oauth/deauthorize", headers=headers, data={"token": token})
    site.revoke(site.users[1].id)  # waits for what is under way
    assert [body["access_token"] for _, body in posted] == [token]


def test_an_app_that_cannot_be_told_stops_nothing(sandbox, call):
    site = sandbox(deauthorization_url="http://127.0.0.1:9/")
    caller = call(site, site.users[0].id)
    site.revoke(caller.user_id)
    assert caller.get("users").status_code == 401
    assert [each.status for each in site.deliveries] == [None]


def test_revoking_can_remove_the_actions(sandbox, call):
    kept, removed = sandbox(), sandbox(assumptions=Assumptions(revoke_removes_actions=True))
    for site, expected in ((kept, 1), (removed, 0)):
        call(site, site.users[0].id).create()
        site.revoke(site.users[0].id)
        assert len(data(call(site, site.users[0].id).get("custom_actions"))) == expected


def test_permissions_are_fixed_at_consent(app, site, call):
    caller = call(site, site.users[0].id)
    assert caller.create().status_code == 201
    site.permissions = {"users"}
    assert caller.get("custom_actions").status_code == 200
    later = call(site, site.users[1].id)
    assert error(later.get("custom_actions")) == (403, "ForbiddenError")
    assert "custom_actions" not in app.ask().text


def test_the_consent_page_works_behind_a_proxy_prefix(app, site):
    prefix = {"x-forwarded-prefix": "/user/ada/proxy/8770"}
    page = app.browser.get(
        "/user/ada/proxy/8770/oauth/authorize",
        params={"response_type": "code", "client_id": site.client_id, "redirect_uri": f"{site.origin}/oauth/approval"},
        headers=prefix,
    )
    assert page.status_code == 200
    form_token = re.search(r'name="consent" value="([^"]+)"', page.text)[1]
    action = urljoin(str(page.url), re.search(r'action="([^"]+)"', page.text)[1])
    assert urlsplit(action).path == "/user/ada/proxy/8770/oauth/authorize"
    values = {"consent": form_token, "decision": "allow", "user_id": site.users[0].id}
    redirect = app.browser.post(action, data=values, headers=prefix)
    assert urljoin(action, redirect.headers["location"]).startswith(
        f"{site.origin}/user/ada/proxy/8770/oauth/approval?code="
    )


def test_every_page_says_that_it_is_not_clio(app):
    pages = [
        app.ask(),
        app.ask(client_id="somebody"),
        app.decide(app.ask(), decision="decline"),
        app.browser.get("/oauth/approval?code=x"),
        app.browser.get("/oauth/approval"),
        app.browser.get("/oauth/elsewhere"),
        app.browser.get("/elsewhere"),
    ]
    for page in pages:
        assert "This is not Clio" in page.text
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"


def test_other_oauth_pages_are_not_there(app):
    assert app.browser.get("/oauth/elsewhere").status_code == 404
    assert app.browser.get("/oauth/token").status_code == 404


def test_oauth_requests_are_counted_apart_and_without_secrets(app, site):
    tokens = app.exchange(app.code()).json()
    app.refresh(tokens["refresh_token"])
    assert site.requests == []
    seen = [(each["method"], each["path"], each["status"]) for each in site.oauth_requests]
    assert seen == [
        ("GET", "/oauth/authorize", 200),
        ("POST", "/oauth/authorize", 302),
        ("POST", "/oauth/token", 200),
        ("POST", "/oauth/token", 200),
    ]
    assert site.oauth_requests[-1]["user_id"] == site.users[0].id
    assert tokens["refresh_token"] not in str(site.oauth_requests)
