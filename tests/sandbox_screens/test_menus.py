"""The nine menus of Clio's guide: who sees which actions there, and what a click opens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clio_nb.sandbox import Sandbox
from clio_nb.vocabulary import MENUS, Menu

from .conftest import Control, Page, Person, launch_of

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</button><script>alert(1)</script",
    "\"' onclick='alert(1)' x=\"",
    "\u202eerutangis rof dneS",
    "{{ 7 * 7 }}&amp;<b>&#60;</b>",
)


def opened(person: Person, site: Sandbox, menu: Menu, user: int = 0) -> tuple[Page, dict[str, Any]]:
    """Open the page of a menu; with it comes the record whose menu is meant."""
    record = site.records(menu.location.resource)[0]
    path = f"/as/{site.users[user].id}/{menu.location.resource}"
    return person.open(path if menu.view == "table" else f"{path}/{record['id']}"), record


def menu_button(page: Page, menu: Menu, record: dict[str, Any]) -> Control:
    """The button that opens the menu of a menu, found where the guide says that it is."""
    if menu.name == "More Actions":
        return page.control("More Actions")
    found = next(
        number
        for number, each in enumerate(page.controls)
        if each.attributes.get("popovertarget", "").startswith("menu")
        and (menu.view == "singular" or each.attributes["popovertarget"].endswith(str(record["id"])))
    )
    beside = page.controls[found - 1]
    assert beside.text.split()[0] == menu.name.removeprefix("dropdown beside ")
    return page.controls[found]


def test_there_are_nine_places() -> None:
    assert len(MENUS) == 9


@pytest.mark.parametrize("menu", MENUS, ids=str)
def test_a_click_there_mints_a_launch_that_proves_itself_once(
    site: Sandbox, person: Person, create: Callable[..., int], api: Callable[..., Any], menu: Menu
) -> None:
    action, user = create(menu.location.resource), site.users[0].id
    page, record = opened(person, site, menu)
    (item,) = page.menu(menu_button(page, menu, record))
    assert item.text == "Send for signature (opens in a new tab)"
    assert item.form is not None
    assert (item.form.attributes["target"], item.form.attributes["rel"]) == ("_blank", "noopener")
    response = person.press(item)
    assert response.headers["location"].startswith("https://partner.example/launch?")
    assert response.headers["referrer-policy"] == "no-referrer"
    (nonce,) = (launch := launch_of(response)).pop("custom_action_nonce")
    assert launch == {
        "custom_action_id": [str(action)],
        "user_id": [str(user)],
        "subject_url": [f"/api/v4/{menu.location.resource}/{record['id']}"],
    }
    proofs = [api(user, "GET", record["subject_url"], params={"custom_action_nonce": nonce}) for _ in "12"]
    assert [proof.status_code for proof in proofs] == [200, 403]


@pytest.mark.parametrize("menu", MENUS, ids=str)
def test_another_users_actions_are_not_there(
    site: Sandbox, person: Person, create: Callable[..., int], menu: Menu
) -> None:
    create(menu.location.resource, "Mine", user=0)
    create(menu.location.resource, "Yours", user=1)
    page, record = opened(person, site, menu, user=1)
    assert [item.text for item in page.menu(menu_button(page, menu, record))] == ["Yours (opens in a new tab)"]


@pytest.mark.parametrize("menu", MENUS, ids=str)
def test_actions_of_other_kinds_of_records_are_not_there(
    site: Sandbox, person: Person, create: Callable[..., int], menu: Menu
) -> None:
    for at in {"matters", "contacts", "activities", "documents", "folders"} - {menu.location.resource}:
        create(at)
    page, record = opened(person, site, menu)
    assert page.menu(menu_button(page, menu, record)) == []
    assert "You have none here." in page.text


@pytest.mark.parametrize("resource", sorted({menu.location.resource for menu in MENUS}))
def test_each_row_of_a_table_launches_its_own_record(
    site: Sandbox, person: Person, create: Callable[..., int], resource: str
) -> None:
    create(resource)
    page = person.open(f"/as/{site.users[0].id}/{resource}")
    subjects = [launch_of(person.press(item))["subject_url"][0] for item in page.controls if item.menu]
    assert subjects == [record["subject_url"] for record in site.records(resource)[:12]]


def test_looking_at_pages_mints_nothing(site: Sandbox, person: Person, create: Callable[..., int]) -> None:
    for menu in MENUS:
        create(menu.location.resource, label=f"Action in {menu}"[:32])
        opened(person, site, menu)
    assert not site._state.launches.minted()


def test_each_click_has_a_nonce_of_its_own(site: Sandbox, person: Person, create: Callable[..., int]) -> None:
    create("matters")
    page, record = opened(person, site, MENUS[-1])
    (item,) = page.menu(menu_button(page, MENUS[-1], record))
    assert launch_of(person.press(item)) != launch_of(person.press(item))


def test_an_action_deleted_since_is_said_to_be_gone(
    site: Sandbox, person: Person, create: Callable[..., int], api: Callable[..., Any]
) -> None:
    action = create("matters")
    page, record = opened(person, site, MENUS[-1])
    api(site.users[0].id, "DELETE", f"/api/v4/custom_actions/{action}").raise_for_status()
    (item,) = page.menu(menu_button(page, MENUS[-1], record))
    gone = person.press_on(item)
    assert gone.status == 404
    assert "does not have this custom action any more" in gone.text


def test_nobody_can_click_another_users_action(site: Sandbox, person: Person, create: Callable[..., int]) -> None:
    create("matters", user=0)
    theirs = create("matters", user=1)
    page, record = opened(person, site, MENUS[-1])
    (item,) = page.menu(menu_button(page, MENUS[-1], record))
    assert person.press(item, custom_action_id=str(theirs)).status_code == 404


@pytest.mark.parametrize(
    ("subject_url", "status"),
    [
        ("/api/v4/matters/1", 404),
        ("/api/v4/contacts/1", 422),
        ("https://elsewhere.example/api/v4/matters/1", 422),
        ("/api/v4/matters/" + "9" * 5000, 422),
        ("", 422),
    ],
)
def test_a_subject_that_the_action_does_not_stand_on_is_refused(
    site: Sandbox, person: Person, create: Callable[..., int], subject_url: str, status: int
) -> None:
    create("matters")
    page, record = opened(person, site, MENUS[-1])
    (item,) = page.menu(menu_button(page, MENUS[-1], record))
    assert person.press(item, subject_url=subject_url).status_code == status
    assert not site._state.launches.minted()


@pytest.mark.parametrize("label", HOSTILE)
@pytest.mark.parametrize("menu", MENUS, ids=str)
def test_a_hostile_label_is_text(
    site: Sandbox, person: Person, create: Callable[..., int], menu: Menu, label: str
) -> None:
    create(menu.location.resource, label=label[:32])
    page, record = opened(person, site, menu)
    (item,) = page.menu(menu_button(page, menu, record))
    assert item.text == f"{label[:32]} (opens in a new tab)"
    assert set(page.tags).isdisjoint({"script", "img"})
    assert not any(name.startswith("on") for each in page.controls for name in each.attributes)


def test_a_label_that_turns_the_writing_direction_is_kept_apart(
    site: Sandbox, person: Person, create: Callable[..., int]
) -> None:
    create("matters", label="\u202ecba")
    page, _ = opened(person, site, MENUS[-1])
    assert "<bdi>\u202ecba</bdi>" in page.response.text


@pytest.mark.parametrize("target_url", ["javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "file:///x"])
def test_a_target_that_is_no_web_address_is_text_and_never_opened(
    site: Sandbox, person: Person, create: Callable[..., int], target_url: str
) -> None:
    action = create("matters")
    create("matters", label="Another")
    site._state.actions.of(site.users[0].id)[action].data["target_url"] = target_url  # the API would refuse it
    page, record = opened(person, site, MENUS[-1])
    (another,) = page.menu(menu_button(page, MENUS[-1], record))
    assert another.text.startswith("Another")
    assert f"Not a web address: {target_url}" in page.text
    assert target_url not in page.addresses
    assert person.press(another, custom_action_id=str(action)).status_code == 422


def test_a_target_keeps_its_query_its_fragment_and_its_letters(
    site: Sandbox, person: Person, create: Callable[..., int]
) -> None:
    create("matters", target_url="https://pärtner.example/ü;v=1?key=a%20b#part")
    page, record = opened(person, site, MENUS[-1])
    (item,) = page.menu(menu_button(page, MENUS[-1], record))
    location = person.press(item).headers["location"]
    assert location.startswith("https://p%C3%A4rtner.example/%C3%BC;v=1?key=a%20b&custom_action_id=")
    assert location.endswith("#part")
