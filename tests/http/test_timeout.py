"""How long a verb waits: never in real time for a clock that stands still, and never past its timeout."""

import asyncio
import re
import socket
import threading

import pytest

import clio_nb as clio
from clio_nb import errors
from clio_nb.firm import Firm
from clio_nb.firm.async_firm import AsyncFirm
from clio_nb.http import loop, retry, timeouts
from clio_nb.launches._pages import Visit
from clio_nb.models import App, Region
from clio_nb.sandbox import Sandbox
from clio_nb.secret import Secret
from clio_nb.session import AsyncSession
from clio_nb.web._guard import Guard
from clio_nb.web.asgi import LaunchMiddleware as AsgiDoor
from clio_nb.web.wsgi import LaunchMiddleware as WsgiDoor

from ..ports import free_port

TARGET = "https://partner.example/launch"
KEY = "a key that is long enough to sign cookies with"


@pytest.fixture(autouse=True)
def _no_real_wait(monkeypatch):
    """Whoever would wait in real time fails: nothing here has to."""

    async def sleep(seconds):
        raise AssertionError(f"waited {seconds} s in real time")

    monkeypatch.setattr(timeouts, "sleep", sleep)
    monkeypatch.setattr(retry._Budget, "left", retry.RETRY_BUDGET)


@pytest.fixture
def limited():
    with Sandbox(rate_limit=2) as site:
        yield site


def session_of(site, **options):
    user = site.users[0].id
    return clio.Session(site, site.token(user)["access_token"], **options)


@pytest.fixture
def slow():
    """A Clio that takes every request and answers none; counts those that came."""
    came = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                came.append(connection)

        threading.Thread(target=take, daemon=True).start()
        port = server.getsockname()[1]
        yield App(Region.US, "id", Secret("secret"), origin=f"http://127.0.0.1:{port}"), came
        server.shutdown(socket.SHUT_RDWR)
    for connection in came:
        connection.close()


# A clock that stands still


def test_h1_a_wait_on_a_frozen_sandbox_moves_its_clock_instead(limited):
    session, began = session_of(limited), limited.now()
    for _ in range(5):
        session.who_am_i()
    assert limited.now() == pytest.approx(began + 120, abs=2)


def test_h1_many_who_wait_move_the_clock_to_one_moment_and_not_one_after_another(limited):
    began = limited.now()
    sessions = [AsyncSession(limited, limited.token(user.id)["access_token"]) for user in limited.users]

    async def thrice(session):
        for _ in range(3):
            await session.who_am_i()

    async def all_of_them():
        await asyncio.gather(*(thrice(session) for session in sessions))

    asyncio.run(all_of_them())
    assert limited.now() == pytest.approx(began + 60, abs=2)


def test_h1_forty_who_wait_with_one_token_pass_twenty_windows_and_no_more(limited):
    session, began = AsyncSession(limited, limited.token(limited.users[0].id)["access_token"]), limited.now()

    async def forty():
        await asyncio.gather(*(session.who_am_i() for _ in range(40)))

    asyncio.run(forty())
    assert limited.now() - began <= 20 * 62


def test_h2_a_pause_that_clio_names_moves_the_clock(clio_sandbox):
    session, began = session_of(clio_sandbox), clio_sandbox.now()
    clio_sandbox.fault("status", status=503, headers={"retry-after": "30"}, times=1)
    session.who_am_i()
    assert clio_sandbox.now() == pytest.approx(began + 30)


def test_the_time_that_was_moved_to_is_kept_in_the_file(tmp_path):
    with Sandbox(rate_limit=1, db=tmp_path / "site.db") as site:
        session = session_of(site)
        session.who_am_i()
        session.who_am_i()
        moved = site.now()
        kept = site._world._shelf.all("shifted", float)[""]
        assert kept == moved - (site.now() - site._world.clock.shifted)


@pytest.mark.parametrize("mode", ["real", "advancing"])
def test_a_clock_that_runs_by_itself_is_left_alone(mode):
    with Sandbox(clock=mode, regions=("us", "eu")) as site:
        assert (site.clock, site.at("eu").clock) == (None, None)
    with Sandbox(regions=("us", "eu")) as site:
        assert site.clock is site.at("eu").clock is not None


# One bound on waiting


@pytest.fixture(params=["block", "session", "firm's session", "firm", "async"])
def bounded(request, limited):
    """Each way to set a timeout of 20 s, as a function that asks Clio once."""
    firm = Firm(limited, timeout=20 if "firm" in request.param else None)
    firm.add(session_of(limited, timeout=None))
    session = session_of(limited, timeout=20 if request.param == "session" else None)
    aio = AsyncSession(limited, limited.token(limited.users[0].id)["access_token"], timeout=20)
    mine = firm.session_of(limited.users[0].id)

    def in_block():
        with clio.timeout(20):
            return session.who_am_i()

    return {
        "block": in_block,
        "session": session.who_am_i,
        "firm's session": mine.who_am_i,
        "firm": firm.users,
        "async": lambda: asyncio.run(aio.who_am_i()),
    }[request.param]


def test_h1_past_its_timeout_a_budget_is_told_and_not_waited_for(bounded, limited):
    began = limited.now()
    told = None
    for _ in range(3):
        try:
            bounded()
        except errors.RateLimited as limit:
            told = limit
    assert "was not sent" in str(told)
    assert 20 < told.retry_after <= 61
    assert limited.now() == began


def test_a_wait_inside_the_timeout_is_waited_and_counts(limited):
    session = session_of(limited)
    with clio.timeout(100):
        for _ in range(4):  # one wait of 60 s
            session.who_am_i()
        with pytest.raises(errors.RateLimited):  # the second would end after 120 s
            session.who_am_i()


def test_of_nested_timeouts_the_shorter_counts_and_each_ends_with_its_block(limited):
    session = session_of(limited, timeout=300)
    session.who_am_i()
    session.who_am_i()
    with clio.timeout(500):
        with clio.timeout(2), clio.timeout(400), clio.timeout(None), pytest.raises(errors.RateLimited):
            session.who_am_i()
        session.who_am_i()


def test_a_timeout_holds_in_its_own_task_and_thread_only(limited):
    spent = session_of(limited)
    spent.who_am_i()
    spent.who_am_i()

    async def both():
        async def inside():
            with clio.timeout(1):
                await asyncio.sleep(0)
                await spent.aio.who_am_i()

        refused = asyncio.ensure_future(inside())
        await asyncio.sleep(0)
        assert timeouts.left() == float("inf")
        with pytest.raises(errors.RateLimited):
            await refused

    asyncio.run(both())
    found = []
    with clio.timeout(1):
        thread = threading.Thread(target=lambda: found.append(timeouts.left()))
        thread.start()
        thread.join()
    assert found == [float("inf")]


@pytest.mark.parametrize("verb", ["who_am_i", "list_actions", "list_users"])
def test_h14_an_answer_that_takes_longer_is_named_with_the_time_it_had(slow, verb):
    site, came = slow
    with pytest.raises(errors.NetworkError, match=r"timeout after 0\.\d+ s"), clio.timeout(0.5):
        getattr(clio.Session(site, "token"), verb)()
    assert len(came) == 1


@pytest.mark.parametrize(
    "write",
    [
        lambda session: session.create_action("Go", TARGET, "matters"),
        lambda session: session.update_action(1, label="Go"),
        lambda session: session.delete_action(1),
        lambda session: session.logout(),
    ],
    ids=["create", "update", "delete", "logout"],
)
def test_h3_a_write_that_outlasts_the_timeout_is_said_to_be_unknown_and_sent_once(slow, write):
    site, came = slow
    with pytest.raises(errors.NetworkError, match=r"may have carried it out|to see whether it was made") as raised:
        write(clio.Session(site, "token", timeout=0.5))
    assert not raised.value.nothing_sent
    assert len(came) == 1


def test_h3_a_create_that_was_made_late_is_unknown_and_there(clio_sandbox):
    session = session_of(clio_sandbox)
    clio_sandbox.fault("delay", method="POST", seconds=5, times=1, after=True)
    with pytest.raises(errors.NetworkError, match=r"to see whether it was made") as raised, clio.timeout(0.3):
        session.create_action("Go", TARGET, "matters")
    assert not raised.value.nothing_sent
    posts = [request for request in clio_sandbox.requests if request["method"] == "POST"]
    assert len(posts) <= 1


@pytest.mark.parametrize("verb", ["who_am_i", "create"])
def test_nothing_is_sent_once_the_time_is_up(slow, verb):
    site, came = slow
    session = clio.Session(site, "token")
    with clio.timeout(0), pytest.raises(errors.NetworkError, match="was not sent") as raised:
        session.who_am_i() if verb == "who_am_i" else session.create_action("Go", TARGET, "matters")
    assert raised.value.nothing_sent
    assert came == []


def test_o6_a_renewal_that_outlasts_the_timeout_of_one_is_finished_and_kept(clio_sandbox):
    user = clio_sandbox.users[0]
    session = clio.login(clio_sandbox, user.id)
    source = session.aio._tokens
    old = source._token
    clio_sandbox.fault("delay", path="/oauth/token", seconds=0.5, times=1)
    with clio.timeout(0.1), pytest.raises(errors.NetworkError, match="Renewing the access token took longer"):
        loop.run(session.aio.renew, old)
    assert loop.run(source.renew, old).access != old.access
    assert session.who_am_i().id == user.id
    assert len([one for one in clio_sandbox.oauth_requests if one["path"] == "/oauth/token"]) == 1


def test_h2_a_pause_that_outlasts_the_timeout_ends_it_with_what_clio_said(clio_sandbox):
    session, began = session_of(clio_sandbox, timeout=5), clio_sandbox.now()
    clio_sandbox.fault("status", status=503, headers={"retry-after": "30"}, times=None)
    with pytest.raises(errors.ServerError) as raised:
        session.who_am_i()
    assert raised.value.retry_after == 30
    assert clio_sandbox.now() == began


@pytest.mark.parametrize("seconds", [-1, float("nan"), "2"])
@pytest.mark.parametrize(
    "make",
    [
        lambda site, seconds: clio.timeout(seconds).__enter__(),
        lambda site, seconds: clio.Session(site, "token", timeout=seconds),
        lambda site, seconds: AsyncSession(site, "token", timeout=seconds),
        lambda site, seconds: Firm(site, timeout=seconds),
        lambda site, seconds: AsyncFirm(site, timeout=seconds),
        lambda site, seconds: AsgiDoor(None, [], KEY, timeout=seconds),
        lambda site, seconds: WsgiDoor(None, [], KEY, timeout=seconds),
    ],
    ids=["block", "session", "async session", "firm", "async firm", "asgi", "wsgi"],
)
def test_a_timeout_that_is_no_number_of_seconds_is_refused_at_once(clio_sandbox, make, seconds):
    with pytest.raises(errors.InvalidInput, match="timeout must be a number of seconds"):
        make(clio_sandbox, seconds)


def test_l11_a_door_turns_away_a_launch_that_it_would_have_to_wait_for(limited):
    session = session_of(limited)
    session.who_am_i()
    action = session.create_action("Go", "https://partner.example/launch", "matters")
    limited.rate_limit = 50
    matter = limited.records("matters")[0]["subject_url"]
    limited.advance(30)  # so that a wait would end inside the nonce's life
    url = limited.click(session.user.id, action.id, matter)
    guard = Guard(None, session, KEY, actions="any", timeout=20)
    query = url.partition("?")[2]
    page = loop.run(guard.admit, Visit("GET", "https", "partner.example", "/launch", query, {}), ("/launch",))
    assert page.status == 403
    assert re.search(rb"again", page.body)
    assert not any("custom_action_nonce" in request["query"] for request in limited.requests)


def test_a_login_waits_no_longer_than_the_timeout_around_it():
    with (
        clio.sandbox(redirect_uris=[f"http://127.0.0.1:{free_port()}/callback"]) as site,
        clio.timeout(0.1),
        pytest.raises(errors.LoginTimeout),
    ):
        clio.login(site, show=lambda url: None)
