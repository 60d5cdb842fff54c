"""The developer's page: requests, launches, clock and faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from clio_nb.sandbox import Sandbox
from clio_nb.sandbox.screens.switches import SWITCHES

from .conftest import Control, Page, Person


def button(page: Page, ending: str) -> Control:
    return next(each for each in page.controls if each.text.endswith(ending))


def switch(page: Page, key: str) -> Control:
    (found,) = (
        each for each in page.controls if each.attributes.get("role") == "switch" and each.attributes["value"] == key
    )
    return found


@pytest.mark.parametrize(("name", "seconds"), [("+1 s", 1), ("+61 s", 61), ("+10 min", 600)])
def test_a_button_advances_the_clock(site: Sandbox, person: Person, name: str, seconds: int) -> None:
    before = site.now()
    person.press_on(button(person.open("/developer"), name))
    assert site.now() == before + seconds


def test_the_clock_goes_on_by_any_number_of_seconds(site: Sandbox, person: Person) -> None:
    before = site.now()
    page = person.press_on(button(person.open("/developer"), "Advance"), seconds="90.5")
    assert site.now() == before + 90.5
    assert "2026-01-15 17:01:30 UTC" in page.text


@pytest.mark.parametrize("seconds", ["", "-1", "soon", "nan", "inf", "1e300"])
def test_any_other_step_is_refused(site: Sandbox, person: Person, seconds: str) -> None:
    before = site.now()
    page = person.press_on(button(person.open("/developer"), "Advance"), seconds=seconds)
    assert page.status == 422
    assert "It was left as it is." in page.text
    assert site.now() == before


def test_launches_are_listed_with_their_age_and_without_their_nonces(
    site: Sandbox, person: Person, create: Callable[..., int], api: Callable[..., Any]
) -> None:
    user, action, subject = site.users[0].id, create("matters"), site.records("matters")[0]["subject_url"]
    nonces = []
    for _ in range(3):
        nonces.append(site.click(user, action, subject).rpartition("custom_action_nonce=")[2])
        site.advance(25)
    api(user, "GET", subject, params={"custom_action_nonce": nonces[1]}).raise_for_status()
    page = person.open("/developer")
    assert [word for word in ("Good for 35 s", "Spent", "Expired") if word in page.text] == [
        "Good for 35 s",
        "Spent",
        "Expired",
    ]
    assert page.text.index("Good for 35 s") < page.text.index("Spent") < page.text.index("Expired")
    assert not any(nonce in page.response.text for nonce in nonces)


def test_requests_are_listed_without_what_they_carried(site: Sandbox, person: Person, api: Callable[..., Any]) -> None:
    api(site.users[0].id, "GET", "/api/v4/users/who_am_i", params={"fields": "id,canary"})
    person.send("POST", f"{site.origin}/oauth/token", data={"grant_type": "canary"})
    page = person.open("/developer")
    assert f"GET /api/v4/users/who_am_i fields {site.users[0].name} 400" in page.text
    assert "POST /oauth/token – – 401" in page.text
    assert "canary" not in page.response.text


def test_only_the_newest_lines_are_shown(site: Sandbox, person: Person) -> None:
    for _ in range(51):
        person.send("GET", f"{site.api_url}/users")
    page = person.open("/developer")
    assert "the newest 50 of 51" in page.text
    assert page.text.count("GET /api/v4/users") == 50


@pytest.mark.parametrize("key", [each.key for each in SWITCHES])
def test_a_switch_arms_its_fault_until_it_is_turned_off(
    site: Sandbox, person: Person, api: Callable[..., Any], key: str
) -> None:
    user = site.users[0].id
    off = switch(person.open("/developer"), key)
    assert off.attributes["aria-checked"] == "false"
    on = switch(person.press_on(off), key)
    assert on.attributes["aria-checked"] == "true"
    for _ in range(2):
        assert meets(site, api, user, key)
    person.press_on(on)
    assert site._state.faults.armed() == []


def meets(site: Sandbox, api: Callable[..., Any], user: int, key: str) -> bool:
    """Whether a request that the fault is for meets it."""
    if key == "rotate":
        fields = {"client_id": site.client_id, "client_secret": site.client_secret, "grant_type": "refresh_token"}
        token = site.token(user)["refresh_token"]
        with httpx.Client(trust_env=False) as app:
            answer = app.post(f"{site.origin}/oauth/token", data={**fields, "refresh_token": token}).json()
        return answer.get("refresh_token", token) != token
    wanted = site.records("matters")[0]
    try:
        answer = api(user, "GET", wanted["subject_url"], timeout=0.5 if key == "delay" else 60)
    except (httpx.RemoteProtocolError, httpx.ReadError):
        return key in ("before", "after")
    except httpx.ReadTimeout:
        return key == "delay"
    after = answer.headers.get("retry-after")
    return {
        "status": answer.status_code == 503,
        "seconds": (answer.status_code, after) == (429, "30"),
        "date": answer.status_code == 429 and str(after).endswith("GMT"),
        "none": answer.status_code == 429 and after is None,
        "nonsense": answer.status_code == 429 and after == "soon",
        "truncated": answer.status_code == 200 and not answer.text.endswith("}"),
        "html": answer.headers.get("content-type", "").startswith("text/html"),
        "redirect": answer.status_code == 302,
        "wrong_record": answer.status_code == 200 and f'"id":{wanted["id"]},' not in answer.text,
        "revoked": answer.status_code == 401,
    }.get(key, False)


def test_a_fault_may_be_for_some_requests_only(site: Sandbox, person: Person, api: Callable[..., Any]) -> None:
    page = person.open("/developer")
    asked = {"method": "GET", "path": "/api/v4/users*", "user_id": str(site.users[1].id), "nth": "2", "times": "1"}
    armed = person.press_on(button(page, "Arm"), switch="html", **asked)
    assert "html" in armed.text
    assert "nth=2" in armed.text
    statuses = [api(site.users[1].id, "GET", "/api/v4/users").status_code for _ in range(3)]
    assert statuses == [200, 502, 200]
    assert api(site.users[0].id, "GET", "/api/v4/users").status_code == 200
    assert "3 requests fitted so far" in person.open("/developer").text


@pytest.mark.parametrize("wrong", [{"nth": "0"}, {"times": "-1"}, {"nth": "x"}, {"user_id": "you"}])
def test_a_fault_that_cannot_be_is_refused(site: Sandbox, person: Person, wrong: dict[str, str]) -> None:
    page = person.press_on(button(person.open("/developer"), "Arm"), switch="status", **wrong)
    assert page.status == 422
    assert "Nothing was armed." in page.text
    assert site._state.faults.armed() == []


@pytest.mark.parametrize("path", ["", "/arm"])
def test_a_switch_that_is_not_there_is_not_found(site: Sandbox, person: Person, path: str) -> None:
    form = switch(person.open("/developer"), "status")
    assert form.form is not None
    form.form.attributes["action"] += path
    assert person.press(form, switch="gravity").status_code == 404


def test_what_else_is_armed_keeps_what_is_left_of_it(site: Sandbox, person: Person, api: Callable[..., Any]) -> None:
    user = site.users[0].id
    site.fault("status", status=418, path="/api/v4/users", nth=2, times=2)  # the second and the third
    site.fault("status", status=500, path="/api/v4/matters")  # done after one
    assert [api(user, "GET", path).status_code for path in ("/api/v4/users", "/api/v4/users")] == [200, 418]
    assert api(user, "GET", "/api/v4/matters").status_code == 500
    page = person.press_on(switch(person.open("/developer"), "truncated"))
    person.press_on(switch(page, "truncated"))
    assert [api(user, "GET", "/api/v4/users").status_code for _ in range(2)] == [418, 200]
    assert api(user, "GET", "/api/v4/matters").status_code == 200


def test_one_armed_fault_is_disarmed_and_the_other_stays(site: Sandbox, person: Person) -> None:
    site.fault("html")
    site.fault("reset")
    after = person.press_on(button(person.open("/developer"), "Disarm html"))
    assert [fault.kind for fault, _ in site._state.faults.armed()] == ["reset"]
    assert person.press(button(after, "Disarm reset"), number="7").status_code == 404


def test_the_page_is_the_same_as_a_user_and_as_nobody(site: Sandbox, person: Person) -> None:
    as_user = f"/as/{site.users[0].id}/developer"
    person.press_on(switch(person.open(as_user), "html"))
    assert person.url == f"{site.origin}{as_user}#faults"
    assert switch(person.open("/developer"), "html").attributes["aria-checked"] == "true"
