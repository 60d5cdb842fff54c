"""A demo firm, everyone signed in, and the manifest of its partner."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from clio_nb.database import schema
from clio_nb.firm import Firm
from clio_nb.firm.manifest import Manifest, parse_manifest
from clio_nb.http import retry, timeouts
from clio_nb.login import login
from clio_nb.models import CustomAction
from clio_nb.sandbox import Sandbox
from clio_nb.session import Session

TARGET = "https://partner.example/launch"
TOML = f"""
[app]
name = "partner"

[[actions]]
key = "sign"
label = "Send for signature"
target_url = "{TARGET}"
locations = ["matters", "documents"]
"""


@pytest.fixture
def manifest() -> Manifest:
    return parse_manifest(TOML)


@pytest.fixture
def firm(clio_sandbox: Sandbox) -> Firm:
    firm = Firm(clio_sandbox)
    firm.sign_in_everyone()
    return firm


@pytest.fixture
def applied(firm: Firm, manifest: Manifest) -> Firm:
    """The firm after a first run: everyone sees what the manifest says."""
    assert firm.apply(firm.plan(manifest), progress=False)
    return firm


@pytest.fixture
def moved(clio_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits of the library, each of which moves the sandbox's clock instead of passing."""
    waits = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if seconds:
            clio_sandbox.advance(seconds)

    def move_to(moment: float, move: Callable[[float], float] = clio_sandbox.clock.move_to) -> float:
        waits.append(moment - clio_sandbox.now())
        return move(moment)

    monkeypatch.setattr(retry._Budget, "left", retry.RETRY_BUDGET)  # of this process, so perhaps spent by another test
    monkeypatch.setattr(clio_sandbox.clock, "move_to", move_to)
    monkeypatch.setattr(timeouts, "sleep", sleep)
    monkeypatch.setattr(timeouts, "now", clio_sandbox.now)
    return waits


def somebody(site: Sandbox, user_id: int) -> Session:
    """A session of this user that no firm knows: what it writes was written elsewhere."""
    return login(site, user_id)


def leases_end(firm: Firm) -> None:
    """Let so much time pass, by the database's clock, that no lease is left."""
    with firm.vault.database.transaction(write=True) as database:
        database.execute(sa.update(schema.users).values(lease_until=1.0))


def on_matters(session: Session) -> CustomAction:
    """Return the one action of a user on matters."""
    (action,) = [action for action in session.list_actions() if action.ui_reference == "matters/show"]
    return action


def seen_by_all(firm: Firm) -> set[tuple[int, str, str, str]]:
    """Return (user, label, target, place) of every action of everyone, without ids."""
    frame = firm.actions()
    return set(zip(frame["user_id"], frame["label"], frame["target_url"], frame["location"], strict=True))


def writes(site: Sandbox) -> list[str]:
    """Return the requests to Clio that change something."""
    return [request["method"] for request in site.requests if request["method"] != "GET"]


@pytest.fixture(autouse=True)
def _no_keyring(no_keyring: None) -> None:
    """The key of a vault comes from the environment, here and in children."""
