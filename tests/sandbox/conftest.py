"""A running sandbox for each test, and callers that speak plain HTTP to it."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from clio_nb.sandbox import Assumptions, Sandbox

from .contract import Contract

CONTRACT = Contract.read()
TLS = ssl.create_default_context()  # made once: it is slow, and nothing here is https
ACTION = {"label": "Send for signature", "target_url": "https://partner.example/launch", "ui_reference": "matters/show"}


class Caller(httpx.Client):
    """An app that calls the API with one user's token, or with none. Every answer is held against Clio's document."""

    def __init__(self, site: Any, user_id: int | None = None, contract: Contract | None = CONTRACT) -> None:
        self.site = site
        self.contract = contract
        self.user_id = user_id
        self.tokens = {} if user_id is None else site.token(user_id)
        headers = {"authorization": f"Bearer {self.tokens['access_token']}"} if self.tokens else {}
        hooks = {"response": [self._judge]}
        super().__init__(
            base_url=f"{site.origin}/api/v4/", headers=headers, event_hooks=hooks, verify=TLS, trust_env=False
        )

    def _judge(self, response: httpx.Response) -> None:
        state, path = self.site._state, response.request.url.path
        asked_for = state.faults.armed() or state.assumptions != Assumptions()
        if self.contract and not asked_for and path.startswith("/api/v4/"):
            content = response.read()
            self.contract.judge(response.request.method, path, response.status_code, response.headers, content)

    def build_request(self, method: str, url: Any, **options: Any) -> httpx.Request:
        """A path that begins with a slash is one of the host, such as a subject_url."""
        if isinstance(url, str) and url.startswith("/"):
            url = self.site.origin + url
        return super().build_request(method, url, **options)

    def create(self, **values: Any) -> httpx.Response:
        fields = "id,etag,label,target_url,ui_reference,created_at,updated_at"
        return self.post("custom_actions", params={"fields": fields}, json={"data": {**ACTION, **values}})

    def click(self, action: dict[str, Any], subject: str | None = None) -> str:
        """Click the action and return the nonce that the launch carries."""
        resource = action["ui_reference"].removesuffix("/show")
        subject = subject or self.site.records(resource)[0]["subject_url"]
        return nonce_of(self.site.click(self.user_id, action["id"], subject))


def nonce_of(launch_url: str) -> str:
    return parse_qs(urlsplit(launch_url).query)["custom_action_nonce"][0]


def data(response: httpx.Response) -> Any:
    return response.json()["data"]


def error(response: httpx.Response) -> tuple[int, str]:
    """Status and Clio's error type."""
    return response.status_code, response.json()["error"]["type"]


@pytest.fixture
def sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Start sandboxes with options; all are stopped at the end."""
    started: list[Sandbox] = []

    def start(**options: Any) -> Sandbox:
        started.append(Sandbox(**{"rate_limit": None, **options}))
        return started[-1]

    yield start
    for site in started:
        site.close()


@pytest.fixture
def site(sandbox: Callable[..., Sandbox]) -> Sandbox:
    return sandbox()


@pytest.fixture
def call() -> Iterator[Callable[..., Caller]]:
    """Make callers; all are closed at the end."""
    made: list[Caller] = []

    def make(site: Any, user_id: int | None = None) -> Caller:
        made.append(Caller(site, user_id))
        return made[-1]

    yield make
    for caller in made:
        caller.close()


@pytest.fixture
def owner(site: Sandbox, call: Callable[..., Caller]) -> Caller:
    return call(site, site.users[0].id)


@pytest.fixture
def colleague(site: Sandbox, call: Callable[..., Caller]) -> Caller:
    return call(site, site.users[1].id)


@pytest.fixture
def stranger(site: Sandbox, call: Callable[..., Caller]) -> Caller:
    return call(site)
