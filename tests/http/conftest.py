"""A session of the account owner, and a clock that moves instead of waiting."""

import pytest

import clio_nb as clio
from clio_nb.http import timeouts
from clio_nb.login import login


@pytest.fixture(autouse=True)
def _network_as_at_the_beginning(monkeypatch):
    """Neither what a test says of the network nor this machine's own proxies reach another one."""
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)
    yield
    clio.network()


@pytest.fixture
def session(clio_sandbox):
    return login(clio_sandbox)


@pytest.fixture
def moved(clio_sandbox, monkeypatch):
    """The waits of the library, each of which moves the sandbox's clock instead of passing."""
    waits = []

    async def sleep(seconds):
        waits.append(seconds)
        if seconds:
            clio_sandbox.advance(seconds)

    def move_to(moment, move=clio_sandbox.clock.move_to):
        waits.append(moment - clio_sandbox.now())
        return move(moment)

    monkeypatch.setattr(clio_sandbox.clock, "move_to", move_to)
    monkeypatch.setattr(timeouts, "sleep", sleep)
    monkeypatch.setattr(timeouts, "now", clio_sandbox.now)
    return waits
