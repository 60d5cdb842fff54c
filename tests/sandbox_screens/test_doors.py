"""Who may use the screens, and what every page carries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clio_nb.sandbox import Sandbox

from .conftest import Page, Person

ELSEWHERE = "https://elsewhere.example"


def every_page(site: Sandbox) -> list[str]:
    me = f"/as/{site.users[0].id}"
    tables = [f"{me}/{name}" for name in ("matters", "contacts", "activities", "documents", "folders")]
    records = [f"{path}/{site.records(path.rpartition('/')[2])[0]['id']}" for path in tables[:4]]
    folder = f"{me}/documents?folder={site.records('folders')[0]['id']}"
    return ["/", "/developer", *tables, *records, folder, f"{me}/apps", f"{me}/developer", "/as/1/matters", "/nowhere"]


def a_form(person: Person) -> Any:
    page = person.open("/developer")
    return next(each for each in page.controls if each.text.endswith("+61 s"))


def test_every_page_says_that_it_is_not_clio_and_is_never_stored(site: Sandbox, person: Person) -> None:
    for path in every_page(site):
        page = person.open(path)
        assert page.text.startswith("Sandbox. This is not Clio")
        assert "not Clio</title>" in page.response.text
        assert page.response.headers["cache-control"] == "no-store"
        assert page.response.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in page.response.headers["content-security-policy"]


def test_no_page_has_a_script(site: Sandbox, person: Person) -> None:
    for path in every_page(site):
        page = person.open(path)
        assert "script" not in page.tags
        assert not any(name.startswith("on") for each in page.controls for name in each.attributes)


def test_signing_in_leads_to_that_users_matters(site: Sandbox, person: Person) -> None:
    page = person.go(person.open("/").control(f"Sign in as {site.users[1].name}"))
    assert person.url == f"{site.origin}/as/{site.users[1].id}/matters"
    assert site.users[1].name in page.text
    assert person.go(page.control("Switch user")).text == person.open("/").text


@pytest.mark.parametrize("host", ["elsewhere.example", "127.0.0.1.elsewhere.example", "10.0.0.1", "[::2]", "[", ""])
def test_a_foreign_host_is_refused(site: Sandbox, person: Person, host: str) -> None:
    assert Page(person.send("GET", f"{site.origin}/", headers={"host": host})).status == 403


@pytest.mark.parametrize("host", ["localhost:8888", "127.0.0.1", "[::1]:80"])
def test_the_names_of_this_machine_are_taken(site: Sandbox, person: Person, host: str) -> None:
    assert person.send("GET", f"{site.origin}/", headers={"host": host}).status_code == 200


def test_a_hub_may_serve_the_screens_under_its_own_name(
    site: Sandbox, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = {"host": "hub.example", "x-forwarded-prefix": "/user/ada/proxy/8000"}
    assert person.send("GET", f"{site.origin}/", headers=behind).status_code == 403
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    assert person.send("GET", f"{site.origin}/", headers=behind).status_code == 200
    assert person.send("GET", f"{site.origin}/", headers={"host": "hub.example"}).status_code == 403
    assert (
        person.send("GET", f"{site.origin}/", headers={**behind, "x-forwarded-prefix": "/user/eve"}).status_code == 403
    )


def test_a_foreign_origin_is_refused(site: Sandbox, person: Person) -> None:
    form = a_form(person)
    for origin in (ELSEWHERE, "null", site.origin.replace("127.0.0.1", "localhost"), f"{site.origin}0"):
        person.http.headers["origin"] = origin
        assert person.press(form).status_code == 403
    person.http.headers["origin"] = site.origin
    assert person.press(form).status_code == 303


def test_a_form_sent_by_another_site_is_refused_but_a_link_from_there_is_followed(
    site: Sandbox, person: Person
) -> None:
    form = a_form(person)
    person.http.headers["sec-fetch-site"] = "cross-site"
    assert person.press(form).status_code == 403
    assert person.open("/").status == 200


@pytest.mark.parametrize("token", ["", "0" * 64, "ü"])
def test_a_form_without_its_token_does_nothing(site: Sandbox, person: Person, token: str) -> None:
    before, form = site.now(), a_form(person)
    page = Page(person.press(form, form_token=token))
    assert page.status == 403
    assert "not from a page of this sandbox" in page.text
    assert site.now() == before


def test_the_form_token_of_one_sandbox_opens_nothing_in_another(person: Person, visit: Callable[..., Person]) -> None:
    with Sandbox() as other:
        token = a_form(visit(other)).form.fields["form_token"]
    assert person.press(a_form(person), form_token=token).status_code == 403


def test_every_form_that_changes_something_asks_for_its_token(
    site: Sandbox, person: Person, create: Callable[..., int]
) -> None:
    create("matters")
    forms = {}
    for path in every_page(site):
        for each in person.open(path).controls:
            if each.form and each.form.attributes["method"] == "post":
                forms[person.url, each.form.attributes["action"]] = each
    assert len(forms) > 8
    for (url, _), each in forms.items():
        person.url = url
        assert person.press(each, form_token="").status_code == 403


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data", "\xff"])
def test_a_body_of_another_kind_is_refused(site: Sandbox, person: Person, content_type: str) -> None:
    url = f"{site.origin}/developer/clock"
    refused = person.send("POST", url, content=b"{}", headers={"content-type": content_type.encode("latin-1")})
    assert refused.status_code in (400, 403)


def test_an_endless_form_is_refused(site: Sandbox, person: Person) -> None:
    assert person.press(a_form(person), seconds="9" * 2_000_000).status_code == 413


@pytest.mark.parametrize("id", ["0", "-1", "1.0", "abc", "٣", "9" * 30, "9" * 5000, "%00", "..", "a%2Fb"])
def test_an_id_that_is_none_is_not_found(site: Sandbox, person: Person, id: str) -> None:
    me = f"/as/{site.users[0].id}"
    for path in (
        f"/as/{id}/matters",
        f"{me}/matters/{id}",
        f"{me}/documents?folder={id}",
        f"{me}/documents/{id}/download",
    ):
        assert person.send("GET", site.origin + path).status_code == 404


def test_a_disabled_user_cannot_be_chosen(site: Sandbox, person: Person) -> None:
    user = site.users[1]
    site.disable(user.id)
    assert f"Sign in as {user.name}" not in [each.text for each in person.open("/").controls]
    page = person.open(f"/as/{user.id}/matters")
    assert page.status == 403
    assert f"{user.name} is disabled" in page.text


def test_what_went_wrong_has_a_way_back(site: Sandbox, person: Person) -> None:
    page = person.go(person.open(f"/as/{site.users[0].id}/matters/7").control("Back to the users"))
    assert page.status == 200
    assert "Who do you want to be?" in page.text


def test_no_form_however_filled_in_breaks_the_sandbox(site: Sandbox, person: Person) -> None:
    me, token = f"/as/{site.users[0].id}", a_form(person).form.fields["form_token"]
    forms = [f"{me}/launch", f"{me}/apps/revoke"]
    forms += [f"/developer/{name}" for name in ("clock", "faults", "faults/arm", "faults/disarm")]
    names = ["switch", "seconds", "number", "method", "path", "user_id", "nth", "times", "custom_action_id"]
    values = st.text() | st.integers().map(str) | st.floats().map(str) | st.sampled_from(["html", "status", "1"])

    @settings(max_examples=300, deadline=None)
    @given(st.sampled_from(forms), st.dictionaries(st.sampled_from(names), values))
    def send(path: str, fields: dict[str, str]) -> None:
        answer = person.send("POST", site.origin + path, data={**fields, "form_token": token})
        assert answer.status_code in (303, 404, 422)

    send()


@given(query=st.text())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_query_breaks_a_page(site: Sandbox, person: Person, query: str) -> None:
    for path in ("/", f"/as/{site.users[0].id}/activities", f"/as/{site.users[0].id}/documents"):
        answer = person.send("GET", site.origin + path, params={"page": query, "find": query, "folder": query})
        assert answer.status_code in (200, 404)
