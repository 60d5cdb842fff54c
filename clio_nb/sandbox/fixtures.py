"""The pytest plugin: an embedded Clio for your tests, as fixtures ``clio_sandbox``, ``clio_user`` and ``clio_click``.

Options go on a marker: ``@pytest.mark.clio_sandbox(users=20, rate_limit=None)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .site import Sandbox


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
    from .site import Sandbox  # noqa: PLC0415 - only where it is used

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
    """Give ``click(target_url, at="matters")``: the launch URL that your app receives when the user clicks."""

    def click(target_url: str, at: str = "matters", record: int = 0) -> str:
        url: str = clio_sandbox.click_on(clio_user.id, target_url, at, record)
        return url

    return click
