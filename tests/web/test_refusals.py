"""Promise L24: no refusal is a dead end, and none tells whether a user has a token."""

from __future__ import annotations

import html
import re

import pytest

import clio_nb as clio
from clio_nb.errors import InvalidInput
from clio_nb.web import asgi, wsgi

from . import apps
from .apps import KEY, SHOWN

CONNECT = "https://app.example/clio/connect?region=us&next=/launch"
MADE = {"asgi": ("asgi", apps.starlette), "wsgi": ("wsgi", apps.flask), "django": ("wsgi", apps.django)}


@pytest.fixture(params=MADE)
def made(request):
    return MADE[request.param]


@pytest.fixture
def firm(site, anna):
    firm = clio.Firm(site)
    firm.add(anna.session)
    return firm


def refused(browser, origin, **forged):
    """Each refusal that a visitor can meet, by name."""
    click = forged.pop("click")
    address = f"{origin}/launch?{click.partition('?')[2]}"
    return {
        "a forged launch": browser.get(address),
        "no launch": browser.get(f"{origin}/launch"),
        "a clean address without its cookie": browser.get(f"{origin}/launch?clio_launch=x"),
        "another method": browser.post(address),
        "a prefetch": browser.get(address, headers={"sec-purpose": "prefetch"}),
    }


def test_l24_every_refusal_says_to_click_again_and_where_to_connect(anna, serve, browser, made):
    kind, make = made
    for connect_url, words in ((CONNECT, f'href="{html.escape(CONNECT)}"'), (None, "ask the person who looks after")):
        origin = serve(make(anna.session, connect_url=connect_url), kind)
        pages = refused(browser, origin, click=anna.click(custom_action_nonce="forged"))
        assert {page.status_code for page in pages.values()} == {403, 400, 405, 503}
        for what, page in pages.items():
            assert "click the action again" in page.text, what
            assert words in page.text, what
            assert page.headers["cache-control"] == "no-store"
            assert "default-src 'none'" in page.headers["content-security-policy"]


STATES = {
    "no token": {"user": 77},
    "a forged nonce": {"nonce": "forged"},
    "an unknown action": {"action": 77},
    "an action of another location": {"at": "contacts"},
    "Clio is down": {"fault": {"kind": "status", "status": 503, "times": None}},
    "no answer": {"fault": {"kind": "reset", "times": None}},
    "her rate limit is used up": {"fault": {"kind": "rate_limit", "seconds": 300}},
    "the access was revoked": {"fault": {"kind": "status", "status": 401, "times": None}},
    "the record was deleted": {"fault": {"kind": "status", "status": 404}},
    "no page of Clio's": {"fault": {"kind": "html", "status": 200}},
    "another record": {"fault": {"kind": "wrong_record", "status": 200}},
}


def test_l24_what_a_visitor_sees_is_the_same_whoever_it_is_said_to_be(anna, ben, site, firm, serve, browser, made):
    kind, make = made
    origin = serve(make(firm.aio if kind == "asgi" else firm), kind)
    seen = {}
    for name, case in STATES.items():
        click = anna.click(
            "matters",
            **({"user_id": str(case["user"])} if "user" in case else {}),
            **({"custom_action_nonce": case["nonce"]} if "nonce" in case else {}),
            **({"custom_action_id": str(case["action"])} if "action" in case else {}),
        )
        if "at" in case:
            click = click.replace("matters", case["at"])
        if "fault" in case:
            site.fault(path="/api/v4/matters/*", **case["fault"])
        answer = browser.get(f"{origin}/launch?{click.partition('?')[2]}")
        headers = {name: value for name, value in answer.headers.items() if name not in ("date", "server")}
        seen[name] = (answer.status_code, answer.content, headers)
        site.clear_faults()
        site.advance(61)
    without_a_token = browser.get(f"{origin}/launch?{ben.click().partition('?')[2]}")
    assert (without_a_token.status_code, without_a_token.content) == seen["no token"][:2]
    assert [name for name, one in seen.items() if one != seen["no token"]] == []
    assert seen["no token"][0] == 403


def test_l24_after_connecting_she_clicks_again_and_is_let_in(anna, ben, firm, serve, browser, made):
    kind, make = made
    origin = serve(make(firm.aio if kind == "asgi" else firm), kind)
    click = f"{origin}/launch?{ben.click().partition('?')[2]}"
    assert browser.get(click).status_code == 403
    firm.add(ben.session)
    again = browser.get(f"{origin}/launch?{ben.click().partition('?')[2]}", follow_redirects=True)
    assert again.text.startswith(SHOWN)


def test_l24_a_template_of_ones_own_replaces_the_page_and_the_others_stay(anna, serve, browser, made, tmp_path):
    kind, make = made
    german = '{% extends "page.html" %}{% block title %}Noch einmal{% endblock %}{% block text %}Zu alt.{% endblock %}'
    (tmp_path / "click_again.html").write_text(german, encoding="utf-8")
    origin = serve(make(anna.session, templates=str(tmp_path), connect_url='/connect?a=1&b="><script>'), kind)
    pages = refused(browser, origin, click=anna.click(custom_action_nonce="forged"))
    assert re.search(r"<h1>Noch einmal</h1>\s*<p>Zu alt\.", pages["a forged launch"].text)
    assert "<h1>Open it from Clio</h1>" in pages["no launch"].text
    assert "<script" not in pages["no launch"].text
    whole = "<title>{{ self.title() }}</title>Über uns {% block title %}{% endblock %}"
    (tmp_path / "page.html").write_text(whole, encoding="utf-8")
    origin = serve(make(anna.session, templates=tmp_path), kind)
    assert browser.get(f"{origin}/launch").text == "<title>Open it from Clio</title>Über uns Open it from Clio"


@pytest.mark.parametrize(
    "text", ["{% nonsense %}", "{{ unknown }}", "{{ connect_url.x.y }}", '{% extends "no.html" %}']
)
def test_l24_a_template_that_cannot_be_drawn_is_refused_at_the_start(tmp_path, text):
    (tmp_path / "too_early.html").write_text(text)
    with pytest.raises(InvalidInput, match=r"template too_early\.html cannot be used") as wrong:
        asgi.LaunchMiddleware(None, [], KEY, templates=tmp_path)
    assert wrong.value.field == "templates"


def test_l24_a_folder_that_is_not_there_is_refused_at_the_start(tmp_path):
    with pytest.raises(InvalidInput, match="there is no folder") as wrong:
        wsgi.LaunchMiddleware(None, [], KEY, templates=tmp_path / "gone")
    assert wrong.value.field == "templates"


LINKS = ["javascript:alert(1)", "data:text/html,x", "//evil.example", "/\\evil.example", "connect", "", 3, "/a\nb"]


@pytest.mark.parametrize("url", [*LINKS, "https://", "ftp://x.example/", "https://x.example/ö"])
def test_l24_what_leads_nowhere_is_no_connect_url(url):
    with pytest.raises(InvalidInput) as wrong:
        asgi.LaunchMiddleware(None, [], KEY, connect_url=url)
    assert wrong.value.field == "connect_url"


def test_l24_the_pages_are_whole_documents_in_one_language(anna):
    door = asgi.LaunchMiddleware(None, [], KEY, connect_url="/connect")
    for page in (door._refusals.click_again, door._refusals.not_a_launch, door._refusals.too_early):
        text = page.body.decode()
        assert text.startswith('<!doctype html>\n<html lang="en">\n')
        assert len(re.findall("<h1>", text)) == len(re.findall("<title>", text)) == len(re.findall("<main>", text)) == 1
