"""A sandbox with screens, and a person without a browser: reads a page, follows its links, sends its forms."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest

from clio_nb.sandbox import Sandbox

TLS = ssl.create_default_context()  # made once: it is slow, and nothing here is https


@dataclass
class Form:
    """A form of a page: its attributes, and its fields with their first values."""

    attributes: dict[str, str]
    fields: dict[str, str] = field(default_factory=dict)


@dataclass
class Control:
    """A link or a button: its text, its attributes, the form it sends, and the menu it lies in."""

    tag: str
    attributes: dict[str, str]
    form: Form | None
    menu: str
    text: str = ""


class Page(HTMLParser):
    """What a person finds on a page."""

    _VOID = frozenset({"input", "link", "meta", "hr", "br"})

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.response = response
        self.status = response.status_code
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.controls: list[Control] = []
        self.forms: list[Form] = []
        self.text = ""
        self._open: list[tuple[str, str]] = []
        self._control: Control | None = None
        self.feed(response.text)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.addresses += [attributes[name] for name in ("href", "action", "src") if name in attributes]
        menu = attributes["id"] if "popover" in attributes else self._open[-1][1] if self._open else ""
        if tag not in self._VOID:
            self._open.append((tag, menu))
        if tag == "form":
            self.forms.append(Form(attributes))
        inside = self.forms[-1] if self.forms and "form" in (name for name, _ in self._open) else None
        if tag == "input" and inside:
            inside.fields[attributes["name"]] = attributes.get("value", "")
        if tag in ("a", "button"):
            self._control = Control(tag, attributes, inside, menu)
            self.controls.append(self._control)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag, f"</{tag}> closes nothing"
        if self._control and tag == self._control.tag:
            self._control.text = " ".join(self._control.text.split())
            self._control = None

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] in ("style", "title"):
            return
        self.text += data
        if self._control:
            self._control.text += data

    def control(self, text: str) -> Control:
        """The one link or button with this text outside of menus."""
        (found,) = (each for each in self.controls if each.text == text and not each.menu)
        return found

    def menu(self, opener: Control) -> list[Control]:
        """The custom actions that a menu button opens."""
        name = opener.attributes["popovertarget"]
        return [each for each in self.controls if each.menu == name]


class Person:
    """Someone at a browser. ``prefix`` is where a proxy serves the sandbox, as the browser sees it."""

    def __init__(self, site: Any, prefix: str = "") -> None:
        self.site = site
        self.prefix = prefix
        forwarded = {"x-forwarded-prefix": prefix} if prefix else {}
        self.http = httpx.Client(headers=forwarded, verify=TLS, trust_env=False)

    def send(self, method: str, url: str, **options: Any) -> httpx.Response:
        """Send a request; the proxy takes the prefix off the address."""
        parts = urlsplit(url)
        assert parts.path.startswith(f"{self.prefix}/"), f"{url} leaves the proxy"
        bare = parts._replace(path=parts.path.removeprefix(self.prefix)).geturl()
        return self.http.request(method, bare, **options)

    def open(self, path: str) -> Page:
        self.url = self.site.origin + self.prefix + path
        return Page(self.send("GET", self.url))

    def go(self, control: Control) -> Page:
        self.url = urljoin(self.url, control.attributes["href"])
        return Page(self.send("GET", self.url))

    def press(self, control: Control, **typed: str) -> httpx.Response:
        """Send the form of a button, as a browser does; where it leads is not followed."""
        form = control.form
        assert form is not None
        assert form.attributes["method"] == "post"
        pressed = {control.attributes["name"]: control.attributes["value"]} if "name" in control.attributes else {}
        url = urljoin(self.url, form.attributes["action"])
        response = self.send("POST", url, data={**form.fields, **pressed, **typed})
        self.led_to = urljoin(url, response.headers.get("location", ""))
        return response

    def press_on(self, control: Control, **typed: str) -> Page:
        """Send the form of a button and go where it leads."""
        response = self.press(control, **typed)
        if response.status_code != 303:
            return Page(response)
        self.url = self.led_to
        return Page(self.send("GET", self.url))


def launch_of(response: httpx.Response) -> dict[str, list[str]]:
    """The parameters of the launch that a click opened."""
    assert response.status_code == 303, response.text
    return parse_qs(urlsplit(response.headers["location"]).query, strict_parsing=True)


@pytest.fixture
def site() -> Iterator[Sandbox]:
    with Sandbox(rate_limit=None) as sandbox:
        yield sandbox


@pytest.fixture
def visit() -> Iterator[Callable[..., Person]]:
    """Give ``visit(site, prefix)``: another person, whose browser is closed in the end."""
    people: list[Person] = []

    def come(site: Sandbox, prefix: str = "") -> Person:
        people.append(Person(site, prefix))
        return people[-1]

    yield come
    for person in people:
        person.http.close()


@pytest.fixture
def person(site: Sandbox, visit: Callable[..., Person]) -> Person:
    return visit(site)


@pytest.fixture
def api(person: Person) -> Callable[..., httpx.Response]:
    """Call the API as a user who has allowed the app."""
    tokens: dict[int, str] = {}

    def call(user_id: int, method: str, path: str, **options: Any) -> httpx.Response:
        if user_id not in tokens:
            tokens[user_id] = person.site.token(user_id)["access_token"]
        headers = {"authorization": f"Bearer {tokens[user_id]}"}
        return person.http.request(method, person.site.origin + path, headers=headers, **options)

    return call


@pytest.fixture
def create(site: Sandbox, api: Callable[..., httpx.Response]) -> Callable[..., int]:
    """Create a custom action of a user, the first where none is named; returns its id."""

    def make(
        at: str, label: str = "Send for signature", target_url: str = "https://partner.example/launch", user: int = 0
    ) -> int:
        data = {"label": label, "target_url": target_url, "ui_reference": f"{at}/show"}
        response = api(site.users[user].id, "POST", "/api/v4/custom_actions", json={"data": data})
        made: int = response.raise_for_status().json()["data"]["id"]
        return made

    return make
