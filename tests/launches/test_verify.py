"""Proving a launch against the sandbox: promises L5 to L15, over real HTTP."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import subprocess
import sys
import threading
import time

import pytest

import clio_nb as clio
from clio_nb import aio
from clio_nb.errors import InvalidInput, NeedsLogin
from clio_nb.http import transport
from clio_nb.launches import Verdict, verify_launch
from clio_nb.launches.proof import known_actions as knowledge
from clio_nb.launches.proof import used_nonces as memory
from clio_nb.launches.verdict import STEPS
from clio_nb.models import Subject, Token
from clio_nb.secret import Secret
from clio_nb.vocabulary import Location
from clio_nb.web import ProvedLaunch

from .conftest import new_browser

AGAIN = "Click the action in Clio again."


def judged(verdict):
    return [step.ok for step in verdict.steps]


# A genuine launch


@pytest.mark.parametrize("location", Location, ids=str)
def test_a_genuine_launch_is_verified_in_each_of_the_five_places(anna, location):
    verdict = verify_launch(anna.click(location.resource), anna.session)
    assert verdict
    assert verdict.state == "verified"
    assert judged(verdict) == [True, True, True, True]
    assert [step.name for step in verdict.steps] == list(STEPS)
    assert verdict.record.subject == verdict.launch.subject
    assert verdict.record.subject.path == anna.subject(location.resource)


def test_once_the_actions_are_known_a_proof_is_exactly_one_request(anna, sent):
    verify_launch(anna.click(), anna.session)
    url = anna.click(number=1)
    sent()
    assert verify_launch(url, anna.session)
    assert sent() == [("GET", anna.subject(number=1), True, 200)]


def test_the_nonce_goes_first_and_the_actions_are_read_after_it(anna, sent):
    url = anna.click()
    sent()
    assert verify_launch(url, anna.session)
    assert sent() == [("GET", anna.subject(), True, 200), ("GET", "/api/v4/custom_actions", False, 200)]


def test_it_says_how_much_of_the_minute_was_left(anna, clock):
    url = anna.click()
    arrived = clock.now
    clock.advance(18)
    verdict = verify_launch(url, anna.session, arrived=arrived)
    assert verdict.seconds_left == pytest.approx(42)
    assert "42 of 60 s left" in verdict.steps[3].detail


def test_fields_come_with_the_same_request(anna, sent):
    url = anna.click()
    sent()
    verdict = verify_launch(url, anna.session, fields="display_number,client{id,name}", actions="any")
    assert verdict.record.data.keys() == {"id", "display_number", "client"}
    assert len(sent()) == 1


@pytest.mark.parametrize(
    "fields", ["client{id,account{name}}", "id, name", "", "id,", "a&custom_action_nonce=x", "id\n"]
)
def test_fields_that_clio_would_refuse_are_refused_before_the_nonce_is_spent(anna, sent, fields):
    url = anna.click()
    sent()
    with pytest.raises(InvalidInput, match="one level deep"):
        verify_launch(url, anna.session, fields=fields)
    assert sent() == []
    assert verify_launch(url, anna.session)


def test_a_field_that_clio_does_not_know_is_our_fault_and_not_the_launchs(anna):
    verdict = verify_launch(anna.click(), anna.session, fields="id,nonsense")
    assert verdict.state == "unknown"
    assert "400" in verdict.reason


def test_the_async_form_gives_the_same(anna):
    assert asyncio.run(aio.verify_launch(anna.click(), anna.session.aio)).state == "verified"
    assert asyncio.run(aio.verify_launch(anna.click(), [anna.session])).state == "verified"


def test_the_verdict_as_json_is_the_terminal_contract(anna):
    said = json.loads(json.dumps(verify_launch(anna.click(), anna.session).to_dict()))
    assert list(said) == ["state", "ok", "steps", "record"]
    assert said["state"] == "verified"
    assert said["ok"] is True
    assert [step["name"] for step in said["steps"]] == list(STEPS)
    assert said["record"]["id"] == int(anna.subject().rpartition("/")[2])
    refused = verify_launch("https://partner.example/", anna.session).to_dict()
    assert (refused["state"], refused["ok"], refused["record"]) == ("refused", False, None)


# L1 to L4: what is malformed never reaches Clio


def test_l1_a_subject_that_names_another_host_sends_nothing_anywhere(anna, sent, canary):
    urls = [
        anna.click(subject_url=text)
        for text in (
            f"@{canary.host}/api/v4/matters/1",
            f"//{canary.host}/api/v4/matters/1",
            f"http://{canary.host}/api/v4/matters/1",
            f"\\\\{canary.host}/x",
        )
    ]
    sent()
    for url in urls:
        verdict = verify_launch(url, anna.session)
        assert verdict.state == "refused"
        assert judged(verdict) == [False, None, None, None]
    assert sent() == []
    assert canary.heard == []


def test_l2_the_request_is_rebuilt_from_resource_and_id(anna, sent):
    url = anna.click(subject_url=f"{anna.subject()}.json")
    sent()
    assert verify_launch(url, anna.session)
    assert sent()[0][1] == anna.subject()
    assert not verify_launch(anna.click(subject_url=f"{anna.subject()}?x=1"), anna.session)


@pytest.mark.parametrize("name", ["custom_action_id", "user_id", "subject_url", "custom_action_nonce"])
def test_l3_a_missing_parameter_is_refused_without_a_request(anna, sent, name):
    url = anna.click(**{name: None})
    sent()
    verdict = verify_launch(url, anna.session)
    assert verdict.state == "refused"
    assert f"{name} is missing" in verdict.reason
    assert sent() == []


def test_l4_a_launch_at_another_target_is_refused_without_a_request(anna, sent):
    url = anna.click()
    sent()
    assert verify_launch(url, anna.session, target="https://partner.example/other").state == "refused"
    assert sent() == []
    assert verify_launch(url, anna.session, target="https://partner.example/launch")


# L5 and L13: one nonce, one request


def test_l5_a_spent_nonce_is_refused_here_without_a_request(anna, sent):
    url = anna.click()
    assert verify_launch(url, anna.session)
    sent()
    again = verify_launch(url, anna.session)
    assert again.state == "refused"
    assert AGAIN in again.reason
    assert not again.nonce_sent
    assert sent() == []


def test_l5_so_is_a_nonce_that_clio_refused_or_left_unanswered(anna, site, sent):
    refused, lost = anna.click(custom_action_nonce="forged-0123456789"), anna.click()
    assert verify_launch(refused, anna.session).state == "refused"
    site.fault("reset", path="/api/v4/matters/*")
    assert verify_launch(lost, anna.session).state == "unknown"
    sent()
    assert verify_launch(refused, anna.session).state == "refused"
    assert verify_launch(lost, anna.session).state == "refused"
    assert sent() == []


def test_l5_another_launch_with_the_same_nonce_is_refused_without_a_request(anna, sent):
    url = anna.click()
    assert verify_launch(url, anna.session)
    swapped = url.replace(anna.subject().rpartition("/")[2], anna.subject(number=1).rpartition("/")[2])
    assert swapped != url
    sent()
    assert verify_launch(swapped, anna.session).state == "refused"
    assert sent() == []


def test_l5_the_memory_of_used_nonces_is_bounded_in_number_and_time(anna, clock, monkeypatch):
    monkeypatch.setattr(memory, "CAPACITY", 5)
    urls = [anna.click(custom_action_nonce=f"forged-{number:010}") for number in range(12)]
    for url in urls:
        verify_launch(url, anna.session)
    assert len(memory.used_nonces) == 5
    clock.advance(memory.KEPT + 1)
    verify_launch(anna.click(), anna.session)
    assert len(memory.used_nonces) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked on POSIX only")
def test_l5_a_forked_child_begins_with_no_memory():
    code = (
        "import os\nfrom clio_nb.launches.proof.used_nonces import used_nonces\n"
        "used_nonces._entries[b'nonce'] = None\nchild = os.fork()\n"
        "if not child: os._exit(len(used_nonces))\n"
        "print(len(used_nonces), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert answer.stdout.split() == ["1", "0"]


def test_l13_the_same_launch_twice_at_once_is_one_request_and_one_verdict(anna, site, sent):
    url = anna.click()
    site.fault("delay", path="/api/v4/matters/*", seconds=0.2)
    sent()

    async def both():
        return await asyncio.gather(*(aio.verify_launch(url, anna.session, actions="any") for _ in range(5)))

    first, *others = asyncio.run(both())
    assert first
    assert all(other == first for other in others)
    assert sent() == [("GET", anna.subject(), True, 200)]


def test_l13_also_from_threads_and_for_the_one_who_waits_longer(anna, site, sent):
    url = anna.click()
    site.fault("delay", path="/api/v4/matters/*", seconds=0.2)
    sent()
    verdicts = []
    threads = [
        threading.Thread(target=lambda: verdicts.append(verify_launch(url, anna.session, actions="any")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [verdict.state for verdict in verdicts] == ["verified"] * 4
    assert len(sent()) == 1


def test_l13_a_proof_goes_on_when_the_one_who_asked_gives_up(anna, site, sent):
    url = anna.click()
    site.fault("delay", path="/api/v4/matters/*", seconds=0.3)
    sent()

    async def impatient():
        first = asyncio.create_task(aio.verify_launch(url, anna.session, actions="any"))
        await asyncio.sleep(0.1)
        second = asyncio.create_task(aio.verify_launch(url, anna.session, actions="any"))
        await asyncio.sleep(0.1)
        first.cancel()
        return await second

    assert asyncio.run(impatient()).state == "verified"
    assert len(sent()) == 1


def test_l13_a_forged_launch_does_not_share_the_verdict_of_the_genuine_one(anna, site):
    url = anna.click()
    other = anna.subject(number=1).rpartition("/")[2]
    swapped = url.replace(anna.subject().rpartition("/")[2], other)
    site.fault("delay", path="/api/v4/matters/*", seconds=0.2)

    async def both():
        return await asyncio.gather(*(aio.verify_launch(one, anna.session, actions="any") for one in (url, swapped)))

    genuine, forged = asyncio.run(both())
    assert genuine
    assert forged.state == "refused"


@pytest.mark.parametrize("others", ["stranger", "stricter"])
def test_l13_a_verdict_is_not_shared_with_another_app_or_a_stricter_check(anna, site, others):
    url = anna.click(custom_action_id=999_999)
    site.fault("delay", path="/api/v4/matters/*", seconds=0.2)

    async def both(sessions, **options):
        mine = aio.verify_launch(url, anna.session, actions="any")
        return await asyncio.gather(mine, aio.verify_launch(url, sessions, **options))

    sessions, options = ([], {"actions": "any"}) if others == "stranger" else (anna.session, {})
    relaxed, strict = asyncio.run(both(sessions, **options))
    assert relaxed
    assert strict.state == "refused"


# L6: Clio says no


def clio_refuses(verdict, sent, status=403):
    assert verdict.state == "refused"
    assert judged(verdict)[2:] == [True, False]
    assert AGAIN in verdict.reason
    assert [(nonce, code) for _, _, nonce, code in sent()] == [(True, status)]


def test_l6_a_nonce_used_elsewhere_is_refused_and_never_retried(anna, site, sent):
    url = anna.click()
    nonce = url.rpartition("=")[2]
    bearer = {"authorization": f"Bearer {site.token(anna.id)['access_token']}"}
    with new_browser() as elsewhere:
        used = elsewhere.get(site.origin + anna.subject(), params={"custom_action_nonce": nonce}, headers=bearer)
        assert used.status_code == 200
    sent()
    clio_refuses(verify_launch(url, anna.session), sent)


def test_l6_a_stale_nonce_is_refused_and_never_retried(anna, site, sent):
    url = anna.click()
    site.advance(61)
    sent()
    clio_refuses(verify_launch(url, anna.session), sent)


def test_l6_a_forged_nonce_is_refused_and_never_retried(anna, sent):
    url = anna.click(custom_action_nonce="forged-0123456789")
    sent()
    clio_refuses(verify_launch(url, anna.session), sent)


def test_l6_a_nonce_of_another_user_is_refused_and_never_retried(anna, ben, sent):
    url = anna.click(user_id=ben.id)
    sent()
    clio_refuses(verify_launch(url, [anna.session, ben.session]), sent)


# L7: no token


class Firm:
    def __init__(self, *people):
        self.sessions = {person.id: person.session for person in people}

    def session_of(self, user_id):
        return self.sessions.get(user_id)


class AsyncFirm(Firm):
    async def session_of(self, user_id):
        return self.sessions[user_id].aio


class FormerFirm(Firm):
    def session_of(self, user_id):
        raise NeedsLogin(f"User {user_id} signed out. Ask that user to sign in again.")


@pytest.mark.parametrize("lookup", [lambda a: a.session, lambda a: [a.session], lambda a: [], Firm, FormerFirm])
def test_l7_a_user_without_a_token_is_refused_before_any_request(anna, ben, sent, lookup):
    url = ben.click()
    sent()
    verdict = verify_launch(url, lookup(anna))
    assert verdict.state == "refused"
    assert judged(verdict) == [True, None, False, None]
    assert str(ben.id) in verdict.reason
    assert sent() == []


@pytest.mark.parametrize("lookup", [lambda a, b: [a.session, b.session.aio], Firm, AsyncFirm])
def test_l7_among_many_the_token_of_the_user_who_clicked_is_taken(anna, ben, site, lookup):
    url = ben.click()
    before = len(site.requests)
    assert verify_launch(url, lookup(anna, ben))
    assert {one["user_id"] for one in site.requests[before:]} == {ben.id}


def test_l7_a_firm_that_gives_the_wrong_session_is_not_believed(anna, ben, sent):
    firm = Firm()
    firm.sessions = {ben.id: anna.session}
    url = ben.click()
    sent()
    assert verify_launch(url, firm).state == "refused"
    assert sent() == []


def test_l7_a_bare_token_is_asked_whose_it_is_before_it_is_used(anna, ben, site, sent):
    bare = clio.Session(site, site.token(anna.id)["access_token"])
    mine, foreign = anna.click(), ben.click()
    sent()
    assert verify_launch(foreign, bare).state == "refused"
    assert [path for _, path, _, _ in sent()] == ["/api/v4/users/who_am_i"]
    assert verify_launch(mine, bare)


def test_l7_a_firm_proves_the_launches_of_those_who_have_signed_in(anna, ben, site):
    firm = clio.Firm(site)
    firm.add(anna.session)
    assert verify_launch(anna.click(), firm)
    assert asyncio.run(aio.verify_launch(anna.click(), firm.aio))
    refused = verify_launch(ben.click(), firm)
    assert refused.state == "refused"
    assert judged(refused) == [True, None, False, None]


def test_l7_when_it_cannot_be_found_out_whose_token_it_is_nothing_is_sent(anna, site, sent):
    bare = clio.Session(site, site.token(anna.id)["access_token"])
    url = anna.click()
    site.fault("status", path="/api/v4/users/who_am_i", status=403)
    sent()
    verdict = verify_launch(url, bare)
    assert verdict.state == "unknown"
    assert "Nothing was sent" in verdict.reason
    assert not any(nonce for _, _, nonce, _ in sent())
    assert verify_launch(url, bare)


def test_after_signing_in_the_launch_can_still_be_proved(anna, ben):
    url = ben.click()
    assert not verify_launch(url, anna.session).nonce_sent
    assert verify_launch(url, ben.session)


# L8: whose action, and where


def test_l8_an_unknown_action_is_refused(anna):
    verdict = verify_launch(anna.click(custom_action_id=999_999_999), anna.session)
    assert verdict.state == "refused"
    assert judged(verdict)[1] is False


def test_l8_an_action_of_another_user_is_refused(anna, ben):
    verdict = verify_launch(anna.click(custom_action_id=ben.action().id), [anna.session, ben.session])
    assert verdict.state == "refused"
    assert judged(verdict)[1] is False


def test_l8_an_action_that_does_not_fit_the_record_is_refused(anna):
    verdict = verify_launch(anna.click("contacts", subject_url=anna.subject("matters")), anna.session)
    assert verdict.state == "refused"
    assert "contacts/show" in verdict.steps[1].detail


def test_l8_the_check_is_left_out_only_by_name(anna):
    url = anna.click(custom_action_id=999_999_999)
    assert verify_launch(url, anna.session, actions="any")


def test_l8_a_collection_of_ones_own_is_the_last_word_before_any_request(anna, sent):
    listed = [anna.action("contacts")]
    url = anna.click()
    sent()
    verdict = verify_launch(url, anna.session, actions=listed)
    assert verdict.state == "refused"
    assert sent() == []
    assert verify_launch(url, anna.session, actions=[anna.action()])


def test_l8_an_action_made_after_the_list_was_read_is_found(anna):
    assert verify_launch(anna.click(), anna.session)
    assert verify_launch(anna.click("contacts"), anna.session)


def test_l8_what_is_known_of_users_is_bounded_in_number_and_time(anna, ben, clock, monkeypatch, sent):
    monkeypatch.setattr(knowledge, "CAPACITY", 1)
    for person in (anna, ben, anna):
        url = person.click()
        sent()
        assert verify_launch(url, person.session)
        assert len(sent()) == 2
    clock.advance(knowledge.KNOWN_FOR)
    url = anna.click()
    sent()
    assert verify_launch(url, anna.session)
    assert len(sent()) == 2


def test_l8_when_the_actions_cannot_be_read_the_launch_is_not_verified(anna, site):
    url = anna.click()
    site.fault("html", path="/api/v4/custom_actions", status=200)
    verdict = verify_launch(url, anna.session)
    assert verdict.state == "unknown"
    assert judged(verdict) == [True, False, True, True]


# L9: an answer that is none


@pytest.mark.parametrize("kind", ["wrong_record", "html", "redirect", "truncated"])
def test_l9_another_record_html_or_a_redirect_is_refused_and_not_followed(anna, site, sent, canary, kind):
    url = anna.click()
    site.fault(kind, path="/api/v4/matters/*", status=200, location=f"http://{canary.host}/elsewhere")
    sent()
    verdict = verify_launch(url, anna.session)
    assert verdict.state == "refused"
    assert verdict.record is None
    assert len(sent()) == 1
    assert canary.heard == []


@pytest.mark.parametrize("data", [{}, {"id": None}, {"id": True}, {"id": "1"}, [], "text"], ids=json.dumps)
def test_l9_an_answer_without_the_records_id_is_refused(anna, site, data):
    url = anna.click()
    site.fault("status", path="/api/v4/matters/*", status=200, body={"data": data})
    assert verify_launch(url, anna.session).state == "refused"


# L10: no answer


@pytest.mark.parametrize("after", [False, True])
def test_l10_a_reset_while_proving_is_unknown_and_not_repeated(anna, site, sent, after):
    url = anna.click()
    site.fault("reset", path="/api/v4/matters/*", after=after)
    sent()
    verdict = verify_launch(url, anna.session)
    assert verdict.state == "unknown"
    assert verdict.nonce_sent
    assert AGAIN in verdict.reason
    assert [nonce for _, _, nonce, _ in sent()] == [True]


def test_l10_a_timeout_while_proving_is_unknown_and_not_repeated(anna, site, sent, monkeypatch):
    monkeypatch.setattr(transport, "exchange", functools.partial(transport.exchange, deadline=0.2))
    url = anna.click()
    site.fault("delay", path="/api/v4/matters/*", seconds=30, times=None)
    sent()
    verdict = verify_launch(url, anna.session)
    assert verdict.state == "unknown"
    assert AGAIN in verdict.reason
    site.clear_faults()
    assert verify_launch(url, anna.session).state == "refused"


@pytest.mark.parametrize("status", [500, 502, 503])
def test_l10_a_server_error_while_proving_is_unknown_and_not_repeated(anna, site, sent, status):
    url = anna.click()
    site.fault("status", path="/api/v4/matters/*", status=status)
    sent()
    assert verify_launch(url, anna.session).state == "unknown"
    assert len(sent()) == 1


def test_l10_when_nothing_listens_the_verdict_is_unknown(anna):
    url = anna.click()
    anna.site.close()
    assert verify_launch(url, anna.session).state == "unknown"


# L11: too many requests


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_l11_a_429_is_waited_for_when_the_wait_ends_inside_the_nonces_life(anna, site, sent, clock, form):
    url = anna.click()
    site.fault("rate_limit", path="/api/v4/matters/*", seconds=25, retry_after=form)
    sent()
    verdict = verify_launch(url, anna.session, actions="any")
    assert verdict.state == "verified"
    assert sum(clock.slept) == pytest.approx(25, abs=1)
    assert verdict.seconds_left == pytest.approx(35, abs=1)
    assert [status for _, _, _, status in sent()] == [429, 200]


@pytest.mark.parametrize(("form", "seconds"), [("seconds", 60), ("seconds", 3600), ("none", 1), ("nonsense", 1)])
def test_l11_else_it_is_expired_at_once(anna, site, sent, clock, form, seconds):
    url = anna.click()
    site.fault("rate_limit", path="/api/v4/matters/*", seconds=seconds, retry_after=form)
    sent()
    verdict = verify_launch(url, anna.session)
    assert verdict.state == "expired"
    assert AGAIN in verdict.reason
    assert clock.slept == []
    assert len(sent()) == 1


def test_l11_a_429_without_end_is_not_asked_for_ever(anna, site, sent, clock):
    url = anna.click()
    site.fault("rate_limit", path="/api/v4/matters/*", seconds=0, times=None)
    sent()
    assert verify_launch(url, anna.session).state == "expired"
    assert len(sent()) <= 3


def used_up(person):
    """Use up the budget of this minute: five requests, the login being the first."""
    person.site.rate_limit = 5
    person.action()
    for _ in range(3):
        person.session.who_am_i()


def test_l11_a_budget_that_is_used_up_here_is_waited_for_inside_the_nonces_life(clock, anna, sent):
    used_up(anna)
    clock.advance(20)
    url = anna.click()
    sent()
    verdict = verify_launch(url, anna.session, actions="any")
    assert verdict.state == "verified"
    assert sum(clock.slept) == pytest.approx(40)
    assert verdict.seconds_left == pytest.approx(20)
    assert [status for _, _, _, status in sent()] == [200]


def test_l11_a_budget_that_is_used_up_for_longer_sends_nothing(clock, anna, sent):
    used_up(anna)
    url = anna.click()
    sent()
    assert verify_launch(url, anna.session, actions="any").state == "expired"
    assert clock.slept == []
    assert sent() == []


# L12: the token ends


def test_l12_a_401_renews_the_token_once_and_repeats_the_proof_once(anna, site, sent):
    url = anna.click()
    site.fault("revoked", path="/api/v4/matters/*")
    sent()
    assert verify_launch(url, anna.session, actions="any")
    assert [(nonce, status) for _, _, nonce, status in sent()] == [(True, 401), (True, 200)]


def test_l12_a_second_401_ends_it(anna, site, sent):
    url = anna.click()
    site.fault("revoked", path="/api/v4/matters/*", times=None)
    sent()
    verdict = verify_launch(url, anna.session)
    assert verdict.state == "refused"
    assert "sign in again" in verdict.reason
    assert [status for _, _, _, status in sent()] == [401, 401]


def test_l12_a_token_without_a_refresh_token_is_not_repeated(anna, site, sent):
    session = clio.Session(site, site.token(anna.id)["access_token"], user=anna.session.user)
    url = anna.click()
    site.fault("revoked", path="/api/v4/matters/*")
    sent()
    assert "sign in again" in verify_launch(url, session).reason
    assert len(sent()) == 1


def test_l12_a_token_near_its_end_is_renewed_before_the_nonce_is_sent(anna, site, sent):
    granted = site.token(anna.id)
    ending = Token(
        access=Secret(granted["access_token"]), refresh=Secret(granted["refresh_token"]), expires_at=time.time() + 20
    )
    session = clio.Session(site, ending, user=anna.session.user)
    url = anna.click()
    sent()
    refreshed = len(site.oauth_requests)
    assert verify_launch(url, session, actions="any")
    assert [status for _, _, _, status in sent()] == [200]
    assert len(site.oauth_requests) == refreshed + 1


# L14: neither an attack nor a fault


def test_l14_a_record_deleted_since_is_said_to_be_gone(anna, site):
    url = anna.click()
    site.fault(
        "status", path="/api/v4/matters/*", status=404, body={"error": {"type": "RecordNotFound", "message": ""}}
    )
    verdict = verify_launch(url, anna.session)
    assert verdict.state == "refused"
    assert "is deleted, or this user cannot see it" in verdict.reason


def test_l14_a_missing_permission_is_named(site, anna):
    url = anna.click("contacts")
    site.permissions = {"custom_actions", "users", "matters"}
    session = clio.login(site, user=anna.id)
    verdict = verify_launch(url, session)
    assert verdict.state == "refused"
    assert "permission to read contacts" in verdict.reason


def forbidden(site):
    """Clio keeps the user from this one record, once."""
    body = {"error": {"type": "ForbiddenError", "message": "User is forbidden from taking that action"}}
    site.fault("status", path="/api/v4/matters/*", status=403, body=body)


def suspects(verdict):
    """The causes that a 403 is said to have: the nonce, and this user's rights."""
    assert verdict.state == "refused"
    assert "403 ForbiddenError" in verdict.reason
    return "the nonce is forged" in verdict.reason, f"may not see {verdict.launch.subject}" in verdict.reason


def test_l14_a_403_for_one_record_is_not_called_a_forgery_because_others_can_be_read(anna, site):
    assert verify_launch(anna.click(), anna.session)
    url = anna.click(number=1)
    forbidden(site)
    assert suspects(verify_launch(url, anna.session)) == (True, True)


def test_l14_a_right_is_not_suspected_where_this_user_has_just_read_this_record(anna):
    assert verify_launch(anna.click(), anna.session)
    for at, missing in (("matters", False), ("contacts", True)):
        url = anna.click(at, custom_action_nonce=f"forged-on-{at}")
        assert suspects(verify_launch(url, anna.session)) == (True, missing)


def test_l14_what_one_user_has_read_says_nothing_of_another(anna, ben):
    assert verify_launch(anna.click(), anna.session)
    verdict = verify_launch(ben.click(custom_action_nonce="forged-0123456789"), ben.session)
    assert suspects(verdict) == (True, True)


def test_l14_what_was_read_is_not_remembered_for_ever(anna, clock):
    assert verify_launch(anna.click(), anna.session)
    for waited, known_to_be_readable in ((knowledge.KNOWN_FOR - 1, True), (1, False)):
        clock.advance(waited)
        url = anna.click(custom_action_nonce=f"forged-{waited}")
        assert suspects(verify_launch(url, anna.session)) == (True, not known_to_be_readable)


def test_l14_nor_for_any_number_of_records(anna, monkeypatch):
    monkeypatch.setattr(knowledge, "RECORDS", 2)
    for number in (0, 1, 0, 2):
        assert verify_launch(anna.click(number=number), anna.session)
    judged = [
        suspects(verify_launch(anna.click(number=number, custom_action_nonce=f"forged-{number}"), anna.session))
        for number in range(3)
    ]
    assert judged == [(True, False), (True, True), (True, False)]


# L20: what a nonce proves


@pytest.mark.parametrize("swapped", ["subject_url", "custom_action_id"])
def test_l20_a_verdict_claims_no_more_than_that_this_user_clicked(anna, swapped):
    other = {"subject_url": anna.subject(number=1), "custom_action_id": anna.action("contacts").id}[swapped]
    verdict = verify_launch(anna.click(**{swapped: other}), anna.session, actions="any")
    assert verdict, "Clio is not told the action, and need not bind the nonce to a record"
    assert verdict.reason == (
        f"Clio confirmed that {anna.session.user} clicked. "
        f"The action and the record ({verdict.launch.subject}) are what the browser said."
    )


def test_l20_a_user_whose_name_is_not_known_is_named_by_id(anna, site):
    session = clio.Session(site, site.token(anna.id)["access_token"])

    class Firm:
        def session_of(self, _):
            return session

    verdict = verify_launch(anna.click(), Firm())
    assert verdict.reason.startswith(f"Clio confirmed that user {anna.id} clicked. ")


@pytest.mark.parametrize("what", [Verdict, ProvedLaunch])
def test_l20_what_an_app_receives_says_in_its_help_what_was_proved(what):
    said = " ".join(what.__doc__.split())
    assert "what the browser said" in said
    assert "Which action was clicked" in said


# L15: which clock counts


@pytest.mark.parametrize("wrong_by", [-86_400, 86_400])
def test_l15_a_wrong_wall_clock_changes_nothing(anna, monkeypatch, wrong_by):
    url = anna.click()
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + wrong_by)
    verdict = verify_launch(
        url, clio.Session(anna.site, anna.site.token(anna.id)["access_token"], user=anna.session.user)
    )
    assert verdict
    assert verdict.seconds_left > 50


def test_l15_age_counts_from_arrival(anna, clock, sent):
    url = anna.click()
    arrived = clock.now
    clock.advance(60)
    sent()
    verdict = verify_launch(url, anna.session, arrived=arrived)
    assert verdict.state == "expired"
    assert not verdict.nonce_sent
    assert sent() == []


def test_l15_the_server_decides_when_ours_thinks_the_nonce_is_fresh(anna, site):
    url = anna.click()
    site.advance(60)
    assert verify_launch(url, anna.session).state == "refused"


# What a person sees


def test_only_a_verified_verdict_is_true(anna, site):
    verdicts = [verify_launch(anna.click(), anna.session), verify_launch("x", anna.session)]
    site.fault("reset", path="/api/v4/matters/*")
    verdicts.append(verify_launch(anna.click(), anna.session))
    assert [(verdict.state, bool(verdict), verdict.ok) for verdict in verdicts] == [
        ("verified", True, True),
        ("refused", False, False),
        ("unknown", False, False),
    ]


def test_the_html_of_a_verdict_escapes_what_clio_and_the_launch_say(anna, site):
    url = anna.click()
    site.fault(
        "status", path="/api/v4/matters/*", status=400, body={"error": {"type": "X", "message": "<script>x</script>"}}
    )
    html = verify_launch(url, anna.session)._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "Clio answered" in html


def test_a_verdict_holds_the_subject_as_a_type(anna):
    verdict = verify_launch(anna.click("folders"), anna.session)
    assert verdict.record.subject == Subject(Location.FOLDERS, int(anna.subject("folders").rpartition("/")[2]))
    assert verdict.record.title
