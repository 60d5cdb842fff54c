"""The whole story in the terminal, over real HTTP on an embedded Clio: sign in, create, click, prove."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx

from . import firm, launches, tables
from . import session as verbs
from .errors import ClioError
from .login import login
from .markup import MARKS
from .sandbox import Sandbox
from .terminal import frame_table, report_table, show, text
from .vocabulary import MENUS, Location

TARGET = "https://partner.example/launch"
LABEL = "Send for signature"
_TRUE, _FALSE = text(f"  {MARKS[True]}", "green"), text(f"  {MARKS[False]}", "red")


class DemoFailed(ClioError):
    """A step of the demo did not do what it says."""


def run() -> None:
    """Tell the story; raises :class:`DemoFailed` at the first step that did not truly happen."""
    started = time.monotonic()
    callback = f"http://127.0.0.1:{_free_port()}/callback"
    with Sandbox(redirect_uris=(callback,)) as site:
        show(text("An embedded Clio", "bold"), f"is up at {site.origin}, with a firm of {len(site.users)} users.")

        _heading("1  Three users sign in, each through the consent page")
        sessions = []
        for user in site.users[:3]:
            session = login(site, show=_consent_as(user.id))
            _check(session.user.id == user.id, f"{user.name} is signed in")
            sessions.append(session)
            show(_TRUE, str(session.user))

        _heading("2  An action in every location, for each of them")
        for session in sessions:
            for location in Location:
                made = verbs.create_action(session, LABEL, TARGET, location)
                _check(made.location is location, f"an action on {location.resource} was created")
        show(_TRUE, f"{len(Location) * len(sessions)} actions, seen in {len(MENUS)} menus each")

        _heading("3  Somebody clicks one: Clio opens the target with four parameters")
        clicker = sessions[0]
        url = _click(site, clicker)
        report = launches.inspect_launch(url, target=TARGET)
        _check(report.ok, "the launch is well-formed")
        show(report_table(report))

        _heading("4  Did this user click? Only Clio knows, and only once")
        seen = [
            ("sent at once", launches.verify_launch(url, clicker), True),
            ("the same launch again", launches.verify_launch(url, clicker), False),
        ]
        late = _click(site, clicker)
        site.advance(61)
        seen.append(("another one, 61 virtual seconds old", launches.verify_launch(late, clicker), False))
        for what, verdict, expected in seen:
            _check(bool(verdict) is expected, f"{what}: {'verified' if expected else 'refused'}")
            show(_TRUE if verdict else _FALSE, f"{what}:", text(verdict.state, "bold"))

        _heading("5  Who has which action")
        frame = firm.actions_table(sessions)
        _check(len(frame) == len(Location) * len(sessions), "the table has a row for every action")
        show(frame_table(frame.head(6)[["user", "location", "label", "action_id"]]))
        show(f"  … {len(frame)} rows", style="dim")
        show("")
        matrix = tables.locations_matrix(frame)
        _check(
            bool((matrix[list(tables.LOCATION_COLUMNS)] == 1).all(axis=None)),
            "every user has one action in every location",
        )
        show(frame_table(matrix))

    show("")
    show(text("Everything worked", "bold green"), f"in {time.monotonic() - started:.1f} s.")
    show("The same in Jupyter: clio-nb lab   An embedded Clio to click in: clio-nb sandbox")


def _click(site: Sandbox, session: verbs.Session) -> str:
    """Click this user's action on a matter, as Clio's screens would."""
    action = next(one for one in verbs.list_actions(session) if one.location is Location.MATTERS)
    matter = verbs.list_records(session, Location.MATTERS)[0]
    return site.click(session.user.id, action.id, matter.subject.path)


def _consent_as(user_id: int) -> Callable[[str], None]:
    """Stand in for a person at the consent page: choose this user, press Allow, follow the redirect."""

    def press_allow(authorization_url: str) -> None:
        with httpx.Client(trust_env=False, timeout=10) as browser:
            page = browser.get(authorization_url).raise_for_status()
            form = _Form(page.text)
            fields = {**form.fields, "user_id": str(user_id), "decision": "allow"}
            redirect = browser.post(urljoin(str(page.url), form.action), data=fields)
            browser.get(redirect.headers["location"]).raise_for_status()

    return press_allow


class _Form(HTMLParser):
    """The one form of a page: where it goes, and its hidden fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = found.get("action", "")
        elif tag == "input" and found.get("type") == "hidden":
            self.fields[found["name"]] = found.get("value", "")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _check(happened: bool, what: str) -> None:
    if not happened:
        raise DemoFailed(f"This step failed: {what}. Please report it; the sandbox or the library is broken.")


def _heading(title: str) -> None:
    show("")
    show(title, style="bold cyan")
