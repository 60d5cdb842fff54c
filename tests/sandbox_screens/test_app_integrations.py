"""Add to Clio: from the button on the App Integrations page to the page where such a sign-in ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clio_nb.sandbox import Sandbox

from .conftest import Page, Person

CONNECT = "http://127.0.0.1:3000/connect?from=clio&x=<b>"


def integrations(person: Person, user: int = 0) -> Page:
    start = person.open(f"/as/{person.site.users[user].id}/matters")
    return person.go(start.control("App Integrations"))


def test_the_button_opens_the_apps_own_address_in_a_new_window(person: Person, site: Sandbox) -> None:
    site.add_to_clio_url = CONNECT
    button = integrations(person).control("Add to Clio (opens in a new window)")
    assert button.attributes["href"] == CONNECT
    assert button.attributes["target"] == "_blank"
    assert {"noopener", "noreferrer"} <= set(button.attributes["rel"].split())


def test_without_an_address_there_is_no_button_but_the_way_to_one(person: Person) -> None:
    page = integrations(person)
    assert not [each for each in page.controls if each.text.startswith("Add to Clio")]
    assert "--add-to-clio-url" in page.text


def test_the_page_says_who_is_connected(person: Person, site: Sandbox) -> None:
    assert "Not connected for you" in integrations(person).text
    site.token(site.users[0].id)
    page = integrations(person)
    assert "Connected for you" in page.text
    assert "Not connected for you" in integrations(person, user=1).text
    apps = person.go(integrations(person).control("See what it may use, or take its access back"))
    assert apps.status == 200


def test_such_a_sign_in_ends_on_a_page_of_its_own(person: Person) -> None:
    person.http.headers.update({"sec-fetch-site": "cross-site"})  # the app sends the browser there
    page = person.open("/app_integrations_callback")
    assert page.status == 200
    assert "Close this window" in page.text


@pytest.mark.parametrize("prefix", ["", "/user/ada/proxy/8770"])
def test_it_ends_there_behind_a_proxy_as_well(visit: Callable[..., Person], site: Sandbox, prefix: str) -> None:
    person = visit(site, prefix)
    assert person.go(person.open("/app_integrations_callback").control("Users")).status == 200


def test_each_firm_has_an_address_of_its_own(visit: Callable[..., Person]) -> None:
    with Sandbox(firms=2, add_to_clio_url="http://127.0.0.1:3000/one") as site:
        site.firms[1].add_to_clio_url = "http://127.0.0.1:3000/two"
        for firm, address in zip(site.firms, ("one", "two"), strict=True):
            page = visit(site).open(f"/as/{firm.users[0].id}/app_integrations")
            button = page.control("Add to Clio (opens in a new window)")
            assert button.attributes["href"].endswith(address)


def test_the_front_door_shows_one_firm_at_a_time(visit: Callable[..., Person]) -> None:
    with Sandbox(firms=2, users=20) as site:
        first, second = site.firms
        person = visit(site)
        page = person.open("/")
        assert first.users[0].name in page.text
        assert second.users[0].name not in page.text
        page = person.go(page.control(second.name))
        assert second.users[0].name in page.text
        assert first.users[0].name not in page.text
        page = person.go(page.control("Next"))
        assert second.users[15].name in page.text
        page = person.go(person.open(f"/?firm={second.account_id}").control(f"Sign in as {second.users[1].name}"))
        assert second.name in page.text
        assert second.users[1].name in page.text


def test_with_one_firm_the_front_door_is_as_ever(person: Person, site: Sandbox) -> None:
    page = person.open("/?firm=1")
    assert page.status == 200
    assert site.name not in [each.text for each in page.controls]
