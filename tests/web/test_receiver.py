"""The adapters for ASGI and WSGI, as a browser meets them: promise L16, and what a reload shows."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from clio_nb.errors import InvalidInput
from clio_nb.launches._pages import Visit
from clio_nb.web import asgi, wsgi
from clio_nb.web._guard import KEY as KEY_OF_PAGE
from clio_nb.web._guard import Guard
from clio_nb.web.signed_cookie import LIFETIME

from .conftest import KEY, new_browser


def words(proved):
    return f"{proved.user_id} {proved.custom_action_id} {proved.subject.path}"


async def asgi_page(scope, receive, send):
    text = words(asgi.launch_of(SimpleNamespace(scope=scope))) if KEY_OF_PAGE in scope else "not a launch"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text.encode()})


def wsgi_page(environ, start_response):
    text = words(wsgi.launch_of(environ)) if KEY_OF_PAGE in environ else "not a launch"
    start_response("200 OK", [("content-type", "text/plain")])
    return [text.encode()]


APPS = {
    "asgi": lambda sessions, **options: asgi.LaunchMiddleware(asgi_page, sessions, KEY, **options),
    "wsgi": lambda sessions, **options: wsgi.LaunchMiddleware(wsgi_page, sessions, KEY, **options),
}


@pytest.fixture(params=["asgi", "wsgi"])
def kind(request):
    return request.param


@pytest.fixture
def receiver(anna, serve, kind):
    return serve(APPS[kind](anna.session), kind)


def at(receiver, url, path="/launch"):
    return f"{receiver}{path}?{url.partition('?')[2]}"


def test_a_genuine_launch_reaches_the_page_at_a_clean_address(anna, receiver, browser):
    moved = browser.get(at(receiver, anna.click()))
    assert moved.status_code == 303
    page = browser.get(moved.next_request.url)
    assert page.text == f"{anna.id} {anna.action().id} {anna.subject()}"


def test_l16_the_answer_is_not_stored_tells_no_referrer_and_moves_to_a_clean_address(anna, receiver, browser):
    url = anna.click()
    moved = browser.get(at(receiver, url))
    page = browser.send(moved.next_request)
    for answer in (moved, page, browser.get(f"{receiver}/launch")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert "nonce" not in str(page.url)
    assert url.rpartition("=")[2] not in f"{moved.headers} {page.url} {page.headers} {page.text}"


def test_l16_a_reload_shows_the_first_result_without_a_request(anna, receiver, browser, sent):
    launch = at(receiver, anna.click())
    clean = browser.get(launch).next_request.url
    sent()
    assert browser.get(clean).text == browser.get(clean).text == f"{anna.id} {anna.action().id} {anna.subject()}"
    again = browser.get(launch)
    assert again.status_code == 303
    assert again.next_request.url == clean
    assert sent() == []


def test_l16_two_tabs_keep_their_own_launch(anna, receiver, browser):
    first = browser.get(at(receiver, anna.click(number=0))).next_request.url
    second = browser.get(at(receiver, anna.click(number=1))).next_request.url
    assert browser.get(first).text.endswith(anna.subject(number=0))
    assert browser.get(second).text.endswith(anna.subject(number=1))


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS", "DELETE"])
def test_l16_no_other_method_spends_the_nonce(anna, receiver, browser, sent, method):
    url = at(receiver, anna.click())
    sent()
    assert browser.request(method, url).status_code == 405
    assert sent() == []
    assert browser.get(url).status_code == 303


@pytest.mark.parametrize(
    "header",
    [
        {"sec-purpose": "prefetch"},
        {"sec-purpose": "prefetch;prerender"},
        {"purpose": "prefetch"},
        {"x-purpose": "preview"},
        {"x-moz": "prefetch"},
    ],
    ids=str,
)
def test_l16_a_prefetch_does_not_spend_the_nonce(anna, receiver, browser, sent, header):
    url = at(receiver, anna.click())
    sent()
    assert browser.get(url, headers=header).status_code == 503
    assert sent() == []
    assert browser.get(url).status_code == 303


def test_the_result_is_for_the_browser_that_launched(anna, receiver, browser):
    launch = at(receiver, anna.click())
    clean = browser.get(launch).next_request.url
    with new_browser() as stranger:
        assert stranger.get(launch, follow_redirects=True).status_code == 403
        assert stranger.get(clean).status_code == 400


def test_a_launch_with_another_subject_but_the_same_nonce_is_not_shown_the_first_result(anna, receiver, browser):
    launch = at(receiver, anna.click())
    browser.get(launch)
    first, other = (anna.subject(number=number).rpartition("/")[2] for number in (0, 1))
    assert browser.get(launch.replace(first, other)).status_code == 403


BROKEN = [lambda text: text[:-2] + "xx", lambda text: text.replace(".", ""), lambda text: f"!{text}!", lambda _: ""]


@pytest.mark.parametrize("spoil", BROKEN)
def test_a_forged_or_broken_cookie_opens_nothing(anna, receiver, browser, spoil):
    clean = browser.get(at(receiver, anna.click())).next_request.url
    (name, value), *_ = browser.cookies.items()
    with new_browser() as forger:
        assert forger.get(clean, headers={"cookie": f"{name}={value}"}).status_code == 200
        assert forger.get(clean, headers={"cookie": f"{name}={spoil(value)}"}).status_code == 400
        another = name[:-1] + ("B" if name.endswith("A") else "A")
        assert forger.get(clean, headers={"cookie": f"{another}={value}"}).status_code == 400


def test_a_cookie_of_yesterday_opens_nothing(anna, receiver, browser, monkeypatch):
    clean = browser.get(at(receiver, anna.click())).next_request.url
    kept = {"cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + LIFETIME + 1)
    with new_browser() as hoarder:
        assert hoarder.get(clean, headers=kept).status_code == 400


def test_the_cookie_is_short_lived_and_kept_from_scripts(anna, receiver, browser):
    cookie = browser.get(at(receiver, anna.click())).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert cookie.endswith(f"; Max-Age={LIFETIME}; Path=/launch; HttpOnly; SameSite=Lax")


@pytest.mark.parametrize(("scheme", "end"), [("http", "; SameSite=Lax"), ("https", "; SameSite=Lax; Secure")])
def test_over_https_the_cookie_goes_over_https_only(anna, scheme, end):
    query = anna.click().partition("?")[2]
    guard = Guard(None, anna.session, KEY, target=f"{scheme}://public.example/launch")
    page = asyncio.run(guard.admit(Visit("GET", scheme, "public.example", "/launch", query, {}), ("/launch",)))
    assert dict(page.headers)["set-cookie"].endswith(end)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"custom_action_nonce": "forged-0123456789"}, 403),
        ({"custom_action_nonce": None}, 400),
        ({"subject_url": "@evil.example/x"}, 400),
        ({"user_id": "77"}, 403),
        ({"custom_action_id": "77"}, 403),
    ],
    ids=str,
)
def test_a_forged_launch_is_turned_away_without_telling_why(anna, receiver, browser, changed, status):
    answer = browser.get(at(receiver, anna.click(**changed)))
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers
    assert "77" not in answer.text
    assert "Clio" in answer.text


def test_the_log_says_why_a_launch_was_turned_away(anna, receiver, browser, caplog):
    caplog.set_level("INFO", "clio_nb.events")
    answer = browser.get(at(receiver, anna.click(user_id="x", subject_url=None)))
    assert "<h1>Open it from Clio</h1>" in answer.text
    browser.get(at(receiver, anna.click(custom_action_id="77")))
    said = [record.getMessage() for record in caplog.records if record.name == "clio_nb.events"]
    refused, unproved = (sentence for sentence in said if sentence.startswith("launch "))
    assert refused.startswith("launch refused: ")
    assert "user_id" in refused
    assert "subject_url" in refused
    assert unproved.startswith("launch refused: ")
    assert "77" in unproved


def test_no_answer_from_clio_is_no_success(anna, site, receiver, browser):
    url = at(receiver, anna.click())
    site.fault("reset", path="/api/v4/matters/*")
    refused = browser.get(url)
    assert refused.status_code == 403
    assert "Clio did not answer" in refused.text


def test_the_targets_own_parameters_stay_in_the_address(anna, receiver, browser):
    launch = f"{at(receiver, anna.click())}&tenant=7&q=a%20b"
    for _ in "once", "again":
        assert browser.get(launch).headers["location"].startswith("/launch?tenant=7&q=a%20b&clio_launch=")


def test_without_any_the_address_holds_nothing_but_the_mark(anna, receiver, browser):
    assert browser.get(at(receiver, anna.click())).headers["location"].startswith("/launch?clio_launch=")


def test_other_paths_are_left_alone(receiver, browser):
    answer = browser.get(f"{receiver}/other?custom_action_nonce=x")
    assert (answer.status_code, answer.text) == (200, "not a launch")


def test_path_target_and_actions_can_be_given(anna, serve, kind, browser):
    target = "http://public.example/from-clio"
    strict = serve(APPS[kind](anna.session, path="/from-clio", target=target), kind)
    assert browser.get(at(strict, anna.click(), "/from-clio")).status_code == 400
    as_public = browser.get(at(strict, anna.click(), "/from-clio"), headers={"host": "public.example"})
    assert as_public.status_code == 303
    closed = serve(APPS[kind](anna.session, actions=[]), kind)
    assert browser.get(at(closed, anna.click())).status_code == 403


def test_a_short_key_is_refused():
    for middleware in (asgi.LaunchMiddleware, wsgi.LaunchMiddleware):
        with pytest.raises(InvalidInput, match="32 characters") as caught:
            middleware(asgi_page, [], "short")
        assert caught.value.field == "key"


def test_it_is_a_starlette_middleware(anna, serve, browser):
    async def page(request):
        return PlainTextResponse(words(asgi.launch_of(request)), headers={"cache-control": "private"})

    app = Starlette(routes=[Route("/launch", page)])
    app.add_middleware(asgi.LaunchMiddleware, sessions=anna.session, key=KEY)
    receiver = serve(app, "asgi")
    answer = browser.get(at(receiver, anna.click()), follow_redirects=True)
    assert answer.text == f"{anna.id} {anna.action().id} {anna.subject()}"
    assert answer.headers["cache-control"] == "private"
