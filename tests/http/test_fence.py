"""P2: what must be true before a write is asked at the last moment, each time that the request is sent."""

import asyncio
import contextlib

import pytest

import clio_nb as clio
from clio_nb import errors
from clio_nb.http import loop, network, retry, timeouts, transport
from clio_nb.http.client import fence

ACTIONS = "/api/v4/custom_actions"
TARGET = "https://partner.example/launch"


@contextlib.contextmanager
def fenced(ask):
    kept = fence.set(ask)
    try:
        yield
    finally:
        fence.reset(kept)


def under(ask, work):
    """Run work on the library's loop with this fence; gives its result."""

    async def there():
        with fenced(ask):
            return await work()

    return loop.run(there)


@pytest.fixture
def session(clio_sandbox):
    return clio.login(clio_sandbox)


@pytest.fixture
def asked(clio_sandbox):
    """How many requests Clio had seen each time that the fence was asked."""
    return []


@pytest.fixture
def ask(clio_sandbox, asked):
    async def asking():
        asked.append(len(clio_sandbox.requests))

    return asking


def test_p2_each_write_asks_the_fence_once_and_reading_never_does(session, clio_sandbox, ask, asked):
    async def work():
        action = await session.aio.create_action("Sign", TARGET, "matters")
        await session.aio.list_actions()
        action = await session.aio.update_action(action, label="Sign now")
        await session.aio.get_action(action.id)
        await session.aio.delete_action(action)

    before = len(clio_sandbox.requests)
    under(ask, work)
    assert [at - before for at in asked] == [0, 2, 4]


@pytest.mark.parametrize("kind", ["reset", "status", "rate_limit"])
def test_p2_a_write_that_is_sent_again_asks_again(session, clio_sandbox, ask, asked, kind, monkeypatch):
    async def sleep(seconds):
        clio_sandbox.advance(seconds)

    monkeypatch.setattr(timeouts, "sleep", sleep)
    monkeypatch.setattr(retry._Budget, "left", retry.RETRY_BUDGET)
    clio_sandbox.fault(kind, method="POST", path=ACTIONS, status=502)
    under(ask, lambda: session.aio.create_action("Sign", TARGET, "matters"))
    assert [request["method"] for request in clio_sandbox.requests].count("POST") >= 1
    assert len(asked) == 2


def test_p2_a_write_after_a_renewed_token_asks_again(session, clio_sandbox, ask, asked):
    clio_sandbox.fault("status", method="POST", path=ACTIONS, status=401)
    under(ask, lambda: session.aio.create_action("Sign", TARGET, "matters"))
    assert len(asked) == 2


def test_p2_what_the_fence_raises_keeps_the_write_from_being_sent_and_costs_no_budget(session, clio_sandbox):
    async def closed():
        raise errors.RunInProgress("taken over")

    sent = len(clio_sandbox.requests)
    with pytest.raises(errors.RunInProgress, match="taken over"):
        under(closed, lambda: session.aio.create_action("Sign", TARGET, "matters"))
    assert len(clio_sandbox.requests) == sent
    assert session.aio._pace.in_flight == 0
    session.create_action("Sign", TARGET, "matters")


def test_p2_the_fence_is_asked_when_no_request_before_it_has_to_end_first(session, monkeypatch):
    """However long the way out is blocked by others: the fence is asked afterwards."""

    async def work():
        here = asyncio.get_running_loop()
        gate = transport._gate(here)
        for _ in range(network.IN_FLIGHT):
            await gate.acquire()
        asked = asyncio.Event()

        async def ask():
            asked.set()

        with fenced(ask):
            writing = asyncio.ensure_future(session.aio.create_action("Sign", TARGET, "matters"))
        for _ in range(20):
            await asyncio.sleep(0)
        early = asked.is_set()
        for _ in range(network.IN_FLIGHT):
            gate.release()
        await writing
        return early, asked.is_set()

    assert loop.run(work) == (False, True)


def test_p2_a_fence_that_takes_longer_than_the_timeout_keeps_the_write_from_being_sent(session, clio_sandbox):
    async def never():
        await asyncio.Event().wait()

    async def work():
        with clio.timeout(0.05):
            await session.aio.create_action("Sign", TARGET, "matters")

    sent = len(clio_sandbox.requests)
    with pytest.raises(errors.NetworkError):
        under(never, work)
    assert len(clio_sandbox.requests) == sent
