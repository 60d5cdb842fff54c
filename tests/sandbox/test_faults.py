"""Faults on demand: each shown as a client on the other side meets it."""

import time
from email.utils import parsedate_to_datetime

import httpx
import pytest

from .conftest import data, error


def test_any_status_with_any_body(owner, site):
    site.fault("status", status=503)
    site.fault("status", status=418, body={"teapot": True}, headers={"X-Why": "asked for"})
    site.fault("status", status=200, body="not json")
    first, second, third, fourth = (owner.get("users") for _ in range(4))
    assert (first.status_code, first.json()["error"]["type"]) == (503, "Fault")
    assert (second.status_code, second.json(), second.headers["x-why"]) == (418, {"teapot": True}, "asked for")
    assert (third.status_code, third.text) == (200, "not json")
    assert fourth.status_code == 200


@pytest.mark.parametrize(
    ("retry_after", "fits"),
    [
        ("seconds", lambda text: text == "7"),
        ("date", lambda text: parsedate_to_datetime(text).timestamp() == 1_768_496_407),
        ("none", lambda text: text is None),
        ("nonsense", lambda text: text == "soon"),
    ],
)
def test_429_with_every_kind_of_retry_after(owner, site, retry_after, fits):
    site.fault("rate_limit", retry_after=retry_after, seconds=7)
    answer = owner.get("users")
    assert error(answer) == (429, "RateLimited")
    assert fits(answer.headers.get("retry-after"))


def test_a_delay_holds_one_request_and_nobody_else(owner, colleague, site):
    site.fault("delay", user_id=owner.user_id, seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        owner.get("users", timeout=0.05)
    assert colleague.get("users").status_code == 200


def test_a_delayed_request_is_answered_in_the_end(owner, site):
    site.fault("delay", seconds=0.05)
    began = time.monotonic()
    assert owner.get("users").status_code == 200
    assert time.monotonic() - began >= 0.05


def test_a_reset_before_leaves_no_trace(owner, site):
    site.fault("reset", method="POST")
    with pytest.raises(httpx.ReadError):
        owner.create()
    assert data(owner.get("custom_actions")) == []
    assert site.requests[0]["status"] is None


def test_a_reset_after_has_taken_effect(owner, site):
    site.fault("reset", method="POST", after=True)
    with pytest.raises(httpx.ReadError):
        owner.create()
    assert len(data(owner.get("custom_actions"))) == 1


def test_a_gateway_error_after_the_request_took_effect(owner, site):
    site.fault("status", status=502, method="POST", after=True)
    assert owner.create().status_code == 502
    assert len(data(owner.get("custom_actions"))) == 1


def test_a_reset_spares_other_connections(owner, colleague, site):
    assert colleague.get("users").status_code == 200
    site.fault("reset", user_id=owner.user_id)
    with pytest.raises(httpx.ReadError):
        owner.get("users")
    assert colleague.get("users").status_code == 200


def test_truncated_json(owner, site):
    site.fault("truncated")
    cut = owner.get("users")
    assert cut.status_code == 200
    assert owner.get("users").text.startswith(cut.text)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        cut.json()


def test_an_html_page(owner, site):
    site.fault("html", status=200)
    page = owner.get("users")
    assert page.headers["content-type"].startswith("text/html")
    assert page.text.startswith("<!doctype html>")


def test_a_redirect_to_another_host(owner, site):
    site.fault("redirect")
    away = owner.get("users")
    assert (away.status_code, away.headers["location"]) == (302, "https://elsewhere.example/")


@pytest.mark.parametrize("resource", ["matters", "contacts", "users", "custom_actions"])
def test_the_wrong_record_in_a_200(owner, site, resource):
    mine, other = data(owner.create())["id"], data(owner.create(label="Other"))["id"]
    asked = mine if resource == "custom_actions" else site.records(resource)[0]["id"]
    site.fault("wrong_record", path="*/*/*/*")
    wrong = data(owner.get(f"{resource}/{asked}", params={"fields": "id,etag"}))
    assert wrong.keys() == {"id", "etag"}
    assert wrong["id"] == (other if resource == "custom_actions" else site.records(resource)[1]["id"])
    assert data(owner.get(f"{resource}/{asked}"))["id"] == asked


def test_the_wrong_record_where_there_is_no_other(sandbox, call):
    site = sandbox(users=1)
    caller = call(site, site.users[0].id)
    site.fault("wrong_record")
    assert data(caller.get("users/who_am_i"))["id"] != site.users[0].id


def test_the_wrong_record_spends_the_nonce_as_the_right_one_would(owner, site):
    nonce = owner.click(data(owner.create()))
    matter = site.records("matters")[0]["subject_url"]
    site.fault("wrong_record")
    assert owner.get(matter, params={"custom_action_nonce": nonce}).status_code == 200
    assert owner.get(matter, params={"custom_action_nonce": nonce}).status_code == 403


def test_lists_and_refusals_have_no_record_to_swap(owner, site):
    site.fault("wrong_record", times=2)
    assert len(data(owner.get("users"))) == 5
    assert owner.get("users/1").status_code == 404


def test_a_token_revoked_under_the_request(owner, site):
    site.fault("revoked", nth=2)
    assert owner.get("users").status_code == 200
    assert owner.get("users").json()["error"] == "invalid_token"
    assert owner.get("users").status_code == 401


def refresh(site, tokens):
    values = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    app = {"client_id": site.client_id, "client_secret": site.client_secret}
    return httpx.post(f"{site.origin}/oauth/token", data={**values, **app}, trust_env=False)


def test_a_grant_revoked_under_the_refresh(owner, site):
    site.fault("revoked", path="/oauth/token")
    assert refresh(site, owner.tokens).json()["error"] == "invalid_grant"
    assert owner.get("users").status_code == 401


def test_a_refresh_token_that_rotates(owner, site):
    site.fault("rotate", path="/oauth/token")
    renewed = refresh(site, owner.tokens).json()
    assert renewed["refresh_token"] != owner.tokens["refresh_token"]
    assert refresh(site, owner.tokens).json()["error"] == "invalid_grant"
    assert "refresh_token" not in refresh(site, renewed).json()


def test_oauth_can_be_hit_for_one_user(owner, colleague, site):
    site.fault("status", path="/oauth/*", user_id=colleague.user_id, times=None)
    assert refresh(site, owner.tokens).status_code == 200
    assert refresh(site, colleague.tokens).status_code == 503


def test_a_fault_hits_what_it_names_and_nothing_else(owner, colleague, site):
    site.fault("status", method="get", path="/api/v4/users/*", user_id=owner.user_id, nth=2, times=2)
    assert owner.get("users").status_code == 200
    assert owner.post("users/who_am_i").status_code == 404
    assert colleague.get("users/who_am_i").status_code == 200
    hits = [owner.get("users/who_am_i.json").status_code for _ in range(4)]
    assert hits == [200, 503, 503, 200]


def test_a_fault_may_last_until_it_is_cleared(owner, site):
    site.fault("status", times=None)
    assert {owner.get("users").status_code for _ in range(5)} == {503}
    site.clear_faults()
    assert owner.get("users").status_code == 200


def test_faults_add_up(owner, site):
    site.fault("delay", seconds=0.01)
    site.fault("truncated")
    site.fault("reset", after=True, nth=2)
    assert len(owner.get("users").content) > 10
    with pytest.raises(httpx.ReadError):
        owner.get("users")


@pytest.mark.parametrize(
    "details",
    [
        {"kind": "earthquake"},
        {"kind": "status", "status": 99},
        {"kind": "status", "status": 600},
        {"kind": "status", "nth": 0},
        {"kind": "status", "times": 0},
        {"kind": "delay", "seconds": -1},
        {"kind": "delay", "seconds": "long"},
        {"kind": "status", "headers": {"x": "\n"}},
        {"kind": "redirect", "location": "\r\nx: y"},
        {"kind": "status", "when": "now"},
        {"kind": "rate_limit", "retry_after": "later"},
    ],
)
def test_a_fault_that_cannot_be_is_refused(site, details):
    with pytest.raises(ValueError, match=r"\w"):
        site.fault(**details)


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_that_has_no_body_gets_none(owner, site, status):
    site.fault("status", status=status)
    answer = owner.get("users")
    assert (answer.status_code, answer.content) == (status, b"")
    assert owner.get("users").status_code == 200


def test_a_sandbox_with_a_delayed_request_still_stops_at_once(sandbox, call):
    site = sandbox()
    caller = call(site, site.users[0].id)
    site.fault("delay", seconds=3600)
    with pytest.raises(httpx.ReadTimeout):
        caller.get("users", timeout=0.05)
    began = time.monotonic()
    site.close()
    assert time.monotonic() - began < 60
