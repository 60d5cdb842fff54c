"""Connected apps: what was allowed, and the end of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from typing import Any

import pytest

from clio_nb.sandbox import Sandbox
from clio_nb.vocabulary import Location

from .conftest import Person


@pytest.fixture
def told() -> Iterator[tuple[str, Queue[Any]]]:
    """An app that is told of revocations: its URL, and what it heard."""
    heard: Queue[Any] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/deauthorized", heard
        server.shutdown()


def test_an_app_that_nobody_allowed_is_not_there(site: Sandbox, person: Person) -> None:
    page = person.open(f"/as/{site.users[0].id}/apps")
    assert "No app is connected." in page.text
    assert page.forms == []


def test_it_shows_what_is_allowed_since_when_and_what_came_of_it(
    site: Sandbox, person: Person, create: Callable[..., int]
) -> None:
    create("documents", label="Mine")
    create("matters", label="Yours", user=1)
    page = person.open(f"/as/{site.users[0].id}/apps")
    assert "Allowed since 2026-01-15 17:00:00 UTC" in page.text
    assert "It may use: activities, contacts, custom actions, documents, matters, users." in page.text
    assert "Mine" in page.text
    assert "Yours" not in page.text
    for menu in Location.DOCUMENTS.menus:
        assert str(menu) in page.text


def test_revoking_ends_the_access_and_tells_the_app(told: tuple[str, Queue[Any]], visit: Callable[..., Person]) -> None:
    url, heard = told
    with Sandbox(deauthorization_url=url) as site:
        person, user = visit(site), site.users[0].id
        token = site.token(user)["access_token"]
        other = site.token(site.users[1].id)["access_token"]
        page = person.open(f"/as/{user}/apps")
        after = person.press_on(page.control("Revoke access of the demo app"))
        assert f"the app is told at {url}" in after.text
        assert "No app is connected." in after.text
        assert heard.get(timeout=60) == {"client_id": site.client_id, "user_id": user, "access_token": "all"}
        statuses = [
            person.send(
                "GET", f"{site.api_url}/users/who_am_i", headers={"authorization": f"Bearer {each}"}
            ).status_code
            for each in (token, other)
        ]
        assert statuses == [401, 200]


def test_revoking_twice_says_that_there_is_nothing_left(site: Sandbox, person: Person) -> None:
    site.token(site.users[0].id)
    button = person.open(f"/as/{site.users[0].id}/apps").control("Revoke access of the demo app")
    person.press(button)
    again = person.press_on(button)
    assert again.status == 404
    assert "there is nothing to revoke" in again.text
