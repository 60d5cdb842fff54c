"""A session of the account owner, and a clock that moves instead of waiting."""

import pytest

from clio_nb.http import timeouts
from clio_nb.login import login


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
