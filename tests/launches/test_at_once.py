"""Promise L25: however many verify one launch at the same time, Clio is asked once, and all get that one answer."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import clio_nb as clio
from clio_nb.http import loop, transport
from clio_nb.launches import verify_launch
from clio_nb.session import AsyncSession

from ..web.test_receiver import APPS, at
from .conftest import new_browser

DELAY = 0.5


def slow_answer(site):
    site.fault("delay", path="/api/v4/matters/*", seconds=DELAY)


def with_nonce(requests):
    return [path for _, path, nonce, _ in requests if nonce]


def in_tasks(number, ask):
    async def all_of_them():
        return await asyncio.gather(*(verify_launch.aio(*ask(each)) for each in range(number)))

    return asyncio.run(all_of_them())


def in_threads(number, ask):
    ready = threading.Barrier(number)

    def one(each):
        ready.wait()
        return verify_launch(*ask(each))

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def in_loops_of_their_own(number, ask):
    """Several threads, each with a loop, each with several tasks."""
    share = number // 2
    with ThreadPoolExecutor(2) as pool:
        return [verdict for half in pool.map(lambda _: in_tasks(share, ask), range(2)) for verdict in half]


def both(number, ask):
    with ThreadPoolExecutor(2) as pool:
        halves = [pool.submit(way, number // 2, ask) for way in (in_tasks, in_threads)]
        return [verdict for half in halves for verdict in half.result()]


@pytest.mark.parametrize("number", [2, 4, 16, 40])
@pytest.mark.parametrize("way", [in_tasks, in_threads, in_loops_of_their_own, both])
def test_l25_all_who_ask_at_once_get_one_verdict_for_one_request(anna, site, sent, number, way):
    url = anna.click()
    slow_answer(site)
    sent()
    verdicts = way(number, lambda _: (url, anna.session))
    assert {verdict.state for verdict in verdicts} == {"verified"}
    assert all(verdict == verdicts[0] for verdict in verdicts)
    assert len(verdicts) == number
    assert sent() == [("GET", anna.subject(), True, 200), ("GET", "/api/v4/custom_actions", False, 200)]


@pytest.mark.parametrize("number", [2, 4, 16, 40])
def test_l25_however_quickly_clio_answers_the_first(anna, sent, number):
    url = anna.click()
    sent()
    assert [verdict.state for verdict in in_tasks(number, lambda _: (url, anna.session))] == ["verified"] * number
    assert len(with_nonce(sent())) == 1


def test_l25_asking_counts_from_the_call_and_not_from_its_turn(anna):
    url = anna.click()

    async def story():
        first, second = (verify_launch.aio(url, anna.session) for _ in range(2))
        return await first, await second, await verify_launch.aio(url, anna.session)

    assert [verdict.state for verdict in asyncio.run(story())] == ["verified", "verified", "refused"]


@pytest.mark.parametrize("number", [4, 16])
@pytest.mark.parametrize("way", [in_tasks, in_threads])
def test_l25_also_with_sessions_that_must_first_be_asked_whose_they_are(anna, site, sent, number, way):
    url = anna.click()
    token = site.token(anna.id)["access_token"]
    sessions = [clio.Session(site, token) for _ in range(number)]
    site.fault("delay", path="/api/v4/users/who_am_i", seconds=DELAY)
    slow_answer(site)  # or a thread that a busy machine holds up would come too late
    sent()
    verdicts = way(number, lambda each: (url, sessions[each]))
    assert [verdict.state for verdict in verdicts] == ["verified"] * number
    assert len(with_nonce(sent())) == 1


class Waiting:
    """A firm that finds the session only when it is told to."""

    def __init__(self, session):
        self.session = session
        self.asked = asyncio.Event()
        self.go = asyncio.Event()

    async def session_of(self, _):
        self.asked.set()
        await self.go.wait()
        return self.session


@pytest.mark.parametrize("forged", [False, True])
def test_l25_who_asked_before_the_verdict_was_known_gets_it_and_who_asks_later_does_not(anna, sent, forged):
    url = anna.click(**({"custom_action_nonce": "forged-0123456789"} if forged else {}))
    sent()

    async def story():
        firm = Waiting(anna.session)
        slow = asyncio.create_task(verify_launch.aio(url, firm))
        await firm.asked.wait()
        first = await verify_launch.aio(url, anna.session)
        late = await verify_launch.aio(url, anna.session)
        firm.go.set()
        return first, await slow, late

    first, slow, late = loop.run(story)
    assert first == slow
    assert first.state == ("refused" if forged else "verified")
    assert "used here before" in late.reason
    assert len(with_nonce(sent())) == 1


def test_l25_when_nothing_was_sent_whoever_asks_next_makes_the_request_for_all(anna, site, sent, clock):
    url = anna.click()
    arrived = clock.now - 61

    async def story():
        firm = Waiting(anna.session)
        slow = asyncio.create_task(verify_launch.aio(url, firm))
        await firm.asked.wait()
        too_late = await verify_launch.aio(url, anna.session, arrived=arrived)
        others = await asyncio.gather(*(verify_launch.aio(url, anna.session) for _ in range(3)))
        firm.go.set()
        return too_late, others, await slow

    too_late, others, slow = loop.run(story)
    assert (too_late.state, too_late.nonce_sent) == ("expired", False)
    assert [verdict.state for verdict in (*others, slow)] == ["verified"] * 4
    assert len(with_nonce(sent())) == 1


def test_l25_the_rules_of_each_who_asks_are_asked_for_each(anna, site, sent):
    url = anna.click()
    ours, others = anna.action(), anna.action("contacts")
    anna.session.list_actions()
    slow_answer(site)
    rules = [
        ({"actions": "any"}, "verified"),
        ({"actions": [ours]}, "verified"),
        ({"actions": iter([others, ours])}, "verified"),
        ({"actions": "known"}, "verified"),
        ({"actions": "known", "target": "https://partner.example/launch"}, "verified"),
        ({"actions": []}, "refused"),
        ({"actions": [others]}, "refused"),
        ({"actions": "any", "target": "https://partner.example/admin"}, "refused"),
        ({"actions": "any", "fields": "display_number"}, "verified"),
    ]
    sent()

    async def all_of_them():
        return await asyncio.gather(*(verify_launch.aio(url, anna.session, **options) for options, _ in rules))

    verdicts = asyncio.run(all_of_them())
    assert [verdict.state for verdict in verdicts] == [state for _, state in rules]
    assert len(with_nonce(sent())) == 1
    assert [verdict.action for verdict in verdicts[:2]] == [None, ours]
    assert verdicts[-1].record.data.keys() == {"id", "display_number"}
    assert "description" in verdicts[0].record.data


def test_l25_a_strict_rule_that_comes_first_spoils_nothing_for_the_others(anna, site, sent):
    url = anna.click()
    slow_answer(site)
    sent()

    async def story():
        asking = [verify_launch.aio(url, anna.session, actions=actions) for actions in ([], "known", "any", [])]
        return await asyncio.gather(*asking)

    assert [verdict.state for verdict in loop.run(story)] == ["refused", "verified", "verified", "refused"]
    assert len(with_nonce(sent())) == 1


def test_l25_other_fields_that_cannot_be_read_are_that_ones_trouble(anna, site):
    url = anna.click()
    slow_answer(site)

    async def story():
        asking = [verify_launch.aio(url, anna.session, fields=fields) for fields in (None, "id,nonsense")]
        return await asyncio.gather(*asking)

    good, bad = loop.run(story)
    assert good
    assert (bad.state, bad.nonce_sent) == ("unknown", True)
    assert "Clio confirmed the user, but the record could not be read" in bad.reason


@pytest.mark.parametrize("number", [2, 4])
def test_l25_those_who_give_up_spoil_nothing_for_the_others(anna, sent, number, monkeypatch):
    url = anna.click()
    exchange = transport.exchange
    sent()

    async def story():
        sending, go = asyncio.Event(), asyncio.Event()

        async def held(*args, **options):
            sending.set()
            await go.wait()
            return await exchange(*args, **options)

        monkeypatch.setattr(transport, "exchange", held)
        asking = [asyncio.create_task(verify_launch.aio(url, anna.session)) for _ in range(2 * number)]
        await sending.wait()
        for one in asking[:number]:
            one.cancel()
        go.set()
        return await asyncio.gather(*asking, return_exceptions=True)

    outcomes = loop.run(story)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes[:number])
    assert [verdict.state for verdict in outcomes[number:]] == ["verified"] * number
    assert len(with_nonce(sent())) == 1


@pytest.mark.parametrize("impatient", ["first", "second"])
def test_l25_each_waits_by_its_own_timeout_and_ends_nothing_for_the_others(anna, sent, monkeypatch, impatient):
    url = anna.click()
    exchange = transport.exchange
    sent()

    async def story():
        sending, go = asyncio.Event(), asyncio.Event()

        async def held(*args, **options):
            sending.set()
            await go.wait()
            return await exchange(*args, **options)

        async def asking(bound):
            with clio.timeout(bound):
                return await verify_launch.aio(url, anna.session)

        monkeypatch.setattr(transport, "exchange", held)
        first = asyncio.create_task(asking(0.2 if impatient == "first" else None))
        await sending.wait()
        second = asyncio.create_task(asking(0.2 if impatient == "second" else None))
        short, long = (first, second) if impatient == "first" else (second, first)
        given_up = await asyncio.wait_for(short, 10)  # rather than for as long as the other waits
        go.set()
        return given_up, await long

    given_up, verdict = loop.run(story)
    assert (given_up.state, given_up.nonce_sent) == ("unknown", True)
    assert "within the timeout" in given_up.reason
    assert verdict.state == "verified"
    assert len(with_nonce(sent())) == 1


@pytest.mark.parametrize("impatient", ["alone", "beside another"])
def test_l25_who_gives_up_before_the_nonce_is_sent_is_not_told_that_it_was(site, anna, sent, impatient):
    url = anna.click()
    sent()

    class Slow:
        """A store of tokens that takes its time."""

        def __init__(self):
            self.asked, self.go = asyncio.Event(), asyncio.Event()

        async def current(self):
            self.asked.set()
            await self.go.wait()
            return await anna.session.aio.token()

        async def renew(self, stale):
            raise AssertionError("there is nothing to renew")

    async def story():
        tokens = Slow()
        session = AsyncSession(site, tokens, user=anna.session.user)

        async def asking(bound):
            with clio.timeout(bound):
                return await verify_launch.aio(url, session)

        patient = [asyncio.create_task(asking(None))] if impatient == "beside another" else []
        if patient:
            await tokens.asked.wait()
        given_up = await asking(0.05)
        tokens.go.set()
        return given_up, *(await asyncio.gather(asking(None), *patient))

    given_up, again, *others = loop.run(story)
    assert (given_up.state, given_up.nonce_sent) == ("unknown", None)
    assert "Verify the launch again" in given_up.reason
    assert all((again, *others))
    assert len(with_nonce(sent())) == 1


def test_l25_an_inbox_asks_again_for_one_that_was_given_up_before_its_nonce_was_sent(site, anna):
    with clio.inbox(site, anna.session, verify=False) as box:
        with new_browser() as browser:
            browser.get(site.click_on(anna.session.user.id, box.url))
        with clio.timeout(0):
            assert box.verify(box[0]).nonce_sent is None
        assert box.verify(box[0])


def test_l25_after_its_timeout_no_nonce_is_sent(anna, sent):
    url = anna.click()
    sent()
    with clio.timeout(0):
        assert verify_launch(url, anna.session).state == "unknown"
    assert with_nonce(sent()) == []
    assert verify_launch(url, anna.session)


@pytest.mark.filterwarnings("error")
def test_a_call_that_would_block_the_librarys_own_loop_leaves_nothing_behind(anna):
    url = anna.click()

    async def blocks():
        verify_launch(url, anna.session)

    with pytest.raises(RuntimeError, match="own loop"):
        loop.run(blocks)
    gc.collect()
    assert verify_launch(url, anna.session)


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_l25_at_a_door_too_by_http(anna, site, serve, sent, kind):
    launch = at(serve(APPS[kind](anna.session), kind), anna.click())
    site.fault("delay", path="/api/v4/matters/*", seconds=2)
    sent()

    def visit(_):
        with new_browser() as browser:
            return browser.get(launch).status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(visit, range(8))) == [303] * 8
    with new_browser() as stranger:
        assert stranger.get(launch, follow_redirects=True).status_code == 403
    assert len(with_nonce(sent())) == 1
