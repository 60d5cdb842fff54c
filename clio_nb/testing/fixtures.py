"""The pytest plugin: an embedded Clio for your tests, and what its users do there.

Options go on a marker: ``@pytest.mark.clio_sandbox(users=20, rate_limit=None)``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    import httpx

    from ..firm import Firm
    from ..firm.manifest import Manifest
    from ..sandbox import Sandbox


class HasId(Protocol):
    """A user of the sandbox."""

    @property
    def id(self) -> int:
        """Clio's id of the user."""


@dataclass(frozen=True)
class SignedInUser:
    """A user of the demo firm who has allowed the app, with the tokens of that."""

    id: int
    name: str
    email: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "clio_sandbox(**options): options of the sandbox that clio_sandbox starts")


@pytest.fixture
def clio_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Start an embedded Clio on a free port of this machine, fresh for each test."""
    from ..sandbox import Sandbox  # noqa: PLC0415 - only where it is used

    marker = request.node.get_closest_marker("clio_sandbox")
    with Sandbox(**(marker.kwargs if marker else {})) as site:
        yield site


@pytest.fixture
def clio_user(clio_sandbox: Sandbox) -> SignedInUser:
    """Give the account owner of the demo firm, signed in."""
    user = clio_sandbox.users[0]
    tokens = clio_sandbox.token(user.id)
    return SignedInUser(user.id, user.name, user.email, tokens["access_token"], tokens["refresh_token"])


@pytest.fixture
def clio_click(clio_sandbox: Sandbox, clio_user: SignedInUser) -> Callable[..., str]:
    """Give ``click(target_url, at="matters", user=...)``: the launch URL that your app gets when somebody clicks.

    Without ``user`` it is the account owner who clicks.
    """

    def click(target_url: str, at: str = "matters", record: int = 0, *, user: HasId | None = None) -> str:
        url: str = clio_sandbox.click_on((user or clio_user).id, target_url, at, record)
        return url

    return click


@pytest.fixture
def clio_connect(clio_sandbox: Sandbox) -> Callable[[str, HasId], httpx.Response]:
    """Give ``connect(link, user)``: follow your app's link to Clio, press *Allow*, and come back, as a browser does.

    The link is your app's own, such as ``"http://127.0.0.1:8000/clio/connect"`` or an invitation. What is given is the
    page at which the browser ends up.
    """
    import httpx  # noqa: PLC0415 - only where it is used

    def connect(link: str, user: HasId) -> httpx.Response:
        with httpx.Client(follow_redirects=True, trust_env=False, timeout=60) as browser:
            page = browser.get(link)
            consent = re.search(r'name="consent" value="([^"]+)"', page.text)
            if not str(page.url).startswith(clio_sandbox.origin) or consent is None:
                raise AssertionError(f"{link} did not lead to the consent page of {clio_sandbox.origin}: {page}")
            said = {"consent": consent[1], "user_id": str(user.id), "decision": "allow"}
            return browser.post(f"{clio_sandbox.origin}/oauth/authorize", data=said)

    return connect


@pytest.fixture
def clio_firm(clio_sandbox: Sandbox) -> Callable[[Manifest | Path | str], Firm]:
    """Give ``firm(manifest)``: the demo firm, in which everyone has signed in and has what the manifest says."""
    from ..firm import Firm  # noqa: PLC0415 - only where it is used

    def equipped(manifest: Manifest | Path | str) -> Firm:
        firm = Firm(clio_sandbox)
        firm.sign_in_everyone()
        firm.apply(firm.plan(manifest), progress=False)
        return firm

    return equipped
