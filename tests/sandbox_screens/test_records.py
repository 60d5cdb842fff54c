"""Tables in pages, single records, folders, and the firm's users."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clio_nb.sandbox import Sandbox

from .conftest import Person


def rows(site: Sandbox, person: Person, path: str) -> list[str]:
    """The names that the menu buttons of a table give to its rows."""
    page = person.open(f"/as/{site.users[0].id}/{path}")
    start = "Custom actions for "
    return [each.text.removeprefix(start) for each in page.controls if each.text.startswith(start)]


@pytest.mark.parametrize("resource", ["matters", "contacts", "activities", "documents", "folders"])
def test_the_pages_of_a_table_hold_every_record_once(site: Sandbox, person: Person, resource: str) -> None:
    page, seen = person.open(f"/as/{site.users[0].id}/{resource}"), []
    while True:
        opened = [each.attributes["popovertarget"] for each in page.controls if each.text.startswith("Custom actions")]
        assert len(opened) <= 12
        seen += opened
        if "Next" not in [each.text for each in page.controls]:
            break
        page = person.go(page.control("Next"))
    assert seen == [f"menu-{record['id']}" for record in site.records(resource)]
    if "Previous" in page.text:
        assert person.go(page.control("Previous")).status == 200


@pytest.mark.parametrize(
    ("asked", "shown"), [("0", 1), ("2", 2), ("99", 2), ("-1", 1), ("x", 1), ("", 1), ("9" * 99, 1)]
)
def test_a_page_that_is_not_there_is_the_nearest(site: Sandbox, person: Person, asked: str, shown: int) -> None:
    page = person.open(f"/as/{site.users[0].id}/activities?page={asked}")
    assert f"Page {shown} of 2" in page.text


@pytest.mark.parametrize("resource", ["matters", "contacts", "activities", "documents"])
def test_a_record_has_a_page_of_its_own_with_its_address_in_the_api(
    site: Sandbox, person: Person, resource: str
) -> None:
    record = site.records(resource)[0]
    page = person.open(f"/as/{site.users[0].id}/{resource}/{record['id']}")
    assert page.status == 200
    assert record["subject_url"] in page.text


def test_a_folder_has_none_but_shows_what_lies_in_it_at_any_depth(site: Sandbox, person: Person) -> None:
    everything, first = site.records("folders")[:2]
    assert person.open(f"/as/{site.users[0].id}/folders/{first['id']}").status == 404
    page = person.open(f"/as/{site.users[0].id}/folders")
    assert person.go(page.control(f"View {first['name']}")).status == 200
    assert rows(site, person, f"documents?folder={first['id']}") == [
        "Engagement letter.pdf",
        "Draft v3 – comments & questions.docx",
    ]
    assert len(rows(site, person, f"documents?folder={everything['id']}&page=2")) == len(site.records("documents")) - 12


def test_an_empty_folder_says_so(site: Sandbox, person: Person) -> None:
    site._state._collections["documents"].clear()
    folder = site.records("folders")[0]["id"]
    assert "No document lies in this folder." in person.open(f"/as/{site.users[0].id}/documents?folder={folder}").text


def test_edit_says_why_it_does_not(site: Sandbox, person: Person) -> None:
    page = person.open(f"/as/{site.users[0].id}/matters/{site.records('matters')[0]['id']}")
    assert page.control("Edit").attributes["popovertarget"] == "read-only"
    assert "The records of the sandbox cannot be changed." in page.text


def test_a_download_is_a_text_that_stands_for_the_document(site: Sandbox, person: Person) -> None:
    page = person.open(f"/as/{site.users[0].id}/documents/{site.records('documents')[0]['id']}")
    got = person.go(page.control("Download")).response
    assert got.headers["content-type"] == "text/plain; charset=utf-8"
    assert got.headers["content-disposition"].startswith("attachment;")
    assert "stands for Engagement letter.pdf" in got.text


def test_users_of_a_large_firm_are_found_by_name_or_email(visit: Callable[..., Person]) -> None:
    with Sandbox(users=300) as site:
        person, last = visit(site), site.users[-1]
        assert f"Sign in as {last.name}" not in [each.text for each in person.open("/").controls]
        for wanted in (last.name.upper(), last.email):
            assert f"Sign in as {last.name}" in [each.text for each in person.open(f"/?find={wanted}").controls]
        page = person.open("/?find=marrowby&page=2")
        assert "Page 2 of 25" in page.text
        assert person.go(page.control("Next")).text.count("@marrowby-quill.example") == 12
        assert "Nobody of the firm is called that." in person.open("/?find=%22%3E%3Cscript%3E").text
