"""Behind a proxy that serves the sandbox under a path of its own, such as jupyter-server-proxy."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urljoin

import pytest

from clio_nb.sandbox import Sandbox

from .conftest import Person, launch_of
from .test_doors import every_page

PREFIX = "/user/al%20ice/proxy/8000"


@pytest.fixture(params=[True, False], ids=["named by the proxy", "not named"])
def behind(request: pytest.FixtureRequest, site: Sandbox, visit: Callable[..., Person]) -> Person:
    """A person behind a proxy that tells the sandbox of its prefix, or does not."""
    person = visit(site, PREFIX)
    if not request.param:
        del person.http.headers["x-forwarded-prefix"]
    return person


def test_every_address_of_every_page_stays_behind_the_proxy(
    site: Sandbox, behind: Person, create: Callable[..., int]
) -> None:
    create("matters")
    for path in every_page(site):
        for address in behind.open(path).addresses:
            if not address.startswith(("data:", "#")):
                assert urljoin(behind.url, address).startswith(f"{site.origin}{PREFIX}/"), (path, address)


def test_a_person_signs_in_and_clicks(site: Sandbox, behind: Person, create: Callable[..., int]) -> None:
    create("matters")
    page = behind.go(behind.open("/").control(f"Sign in as {site.users[0].name}"))
    page = behind.go(page.control(site.records("matters")[0]["name"]))
    (item,) = page.menu(page.control("More Actions"))
    assert launch_of(behind.press(item))["subject_url"] == [site.records("matters")[0]["subject_url"]]


def test_a_form_leads_back_behind_the_proxy(site: Sandbox, behind: Person) -> None:
    before = site.now()
    for path in ("/developer", f"/as/{site.users[0].id}/developer"):
        page = behind.open(path)
        later = behind.press_on(next(each for each in page.controls if each.text.endswith("+61 s")))
        assert later.status == 200
        assert behind.url == f"{site.origin}{PREFIX}{path}#clock"
    assert site.now() == before + 122


def test_the_first_page_works_without_its_last_slash(site: Sandbox, visit: Callable[..., Person]) -> None:
    person = visit(site, PREFIX)
    person.url = site.origin + PREFIX  # what the browser shows; the proxy asks the sandbox for "/"
    page = person.open("/")
    person.url = site.origin + PREFIX
    assert person.go(page.control(f"Sign in as {site.users[0].name}")).status == 200
