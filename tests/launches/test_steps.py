"""A verdict names the step that failed and why, and holds what the proof found out before."""

from __future__ import annotations

import pytest

from clio_nb import Session
from clio_nb.launches import verify_launch
from clio_nb.launches.verdict import CLIO_ANSWERED, HAS_TOKEN, KNOWN_ACTION
from clio_nb.models import App

AGAIN = "Click the action in Clio again."


def failed(verdict):
    """The step that failed, which says the reason of the verdict."""
    (step,) = (step for step in verdict.steps if step.ok is False)
    assert step.detail == verdict.reason
    return step.name


def test_a_verified_launch_says_what_each_step_found(anna):
    verdict = verify_launch(anna.click(), anna.session)
    assert verdict.reason == (
        f"Clio confirmed that {anna.session.user} clicked. "
        f"The action and the record ({verdict.launch.subject}) are what the browser said."
    )
    assert verdict.steps[1].detail == "Sign, on matters"
    assert (verdict.user, verdict.action) == (anna.session.user, anna.action())
    assert verdict.nonce_sent is True


def test_the_check_that_was_left_out_is_said_to_be(anna):
    verdict = verify_launch(anna.click(), anna.session, actions="any")
    assert verdict.steps[1].detail == "not checked, as asked"
    assert verdict.action is None


def test_before_anything_was_found_a_verdict_holds_nothing(anna):
    verdict = verify_launch(anna.click(), [])
    assert (verdict.user, verdict.action, verdict.record, verdict.seconds_left) == (None, None, None, None)
    assert verdict.nonce_sent is False


def test_a_used_launch(anna):
    url = anna.click()
    verify_launch(url, anna.session)
    verdict = verify_launch(url, anna.session)
    assert failed(verdict) == CLIO_ANSWERED
    assert verdict.reason == f"This launch was used here before, and a nonce works once. {AGAIN}"


def test_an_action_that_is_none_of_ours(anna):
    verdict = verify_launch(anna.click(custom_action_id=77), anna.session)
    assert failed(verdict) == KNOWN_ACTION
    assert verdict.reason == (
        f"User {anna.id} has no action 77 of this app. If it was created a moment ago, click it again."
    )
    assert verdict.seconds_left is None, "it was not verified"


def test_actions_that_cannot_be_read(anna, site):
    url = anna.click()
    site.fault("status", path="/api/v4/custom_actions", status=500, times=None)
    verdict = verify_launch(url, anna.session)
    assert failed(verdict) == KNOWN_ACTION
    assert verdict.reason.startswith("Clio confirmed the user, but the user's actions could not be read. ")


@pytest.mark.parametrize(
    ("fault", "state", "words"),
    [
        ({"kind": "reset"}, "unknown", "No answer came, and the nonce may be spent."),
        ({"kind": "rate_limit", "seconds": 300}, "expired", "rate limit is used up for longer than the nonce"),
        (
            {"kind": "status", "status": 403},
            "refused",
            "Clio refused it (403 Fault): the nonce is forged, used, older than 60 s",
        ),
        ({"kind": "status", "status": 404}, "refused", "is deleted, or this user cannot see it (404)."),
        ({"kind": "status", "status": 503}, "unknown", "The nonce may be spent."),
        ({"kind": "html", "status": 200}, "refused", "something that Clio's API does not send"),
        ({"kind": "wrong_record", "status": 200}, "refused", "Clio answered with a different record, not Matter"),
    ],
    ids=lambda value: value.get("kind") if isinstance(value, dict) else None,
)
def test_what_clio_answers_is_told_at_its_step(anna, site, fault, state, words):
    url = anna.click()
    site.fault(path="/api/v4/matters/*", **fault)
    verdict = verify_launch(url, anna.session)
    assert (verdict.state, failed(verdict)) == (state, CLIO_ANSWERED)
    assert words in verdict.reason


def test_access_that_has_ended(anna, site):
    url = anna.click()
    site.fault("status", path="/api/v4/matters/*", status=401, times=None)
    verdict = verify_launch(url, anna.session)
    assert (verdict.state, failed(verdict)) == ("refused", CLIO_ANSWERED)
    assert verdict.reason == f"The access of user {anna.id} has ended. Ask this user to sign in again."


def test_a_launch_that_came_more_than_a_minute_ago(anna, clock):
    arrived, url = clock.now, anna.click()
    clock.now += 60
    verdict = verify_launch(url, anna.session, arrived=arrived)
    assert (verdict.state, failed(verdict)) == ("expired", CLIO_ANSWERED)
    assert verdict.reason == f"The launch came more than 60 s ago. {AGAIN}"


def test_in_its_last_second_a_launch_can_be_proved(anna, clock):
    arrived, url = clock.now, anna.click()
    clock.now += 59.5
    verdict = verify_launch(url, anna.session, arrived=arrived)
    assert verdict
    assert verdict.seconds_left == 0.5


def test_a_token_of_which_it_cannot_be_found_out_whose_it_is(anna, site):
    url, session = anna.click(), Session(anna.session.site, site.token(anna.id)["access_token"])
    site.fault("status", path="/api/v4/users/who_am_i", status=500, times=None)
    verdict = verify_launch(url, session)
    assert (verdict.state, failed(verdict)) == ("unknown", HAS_TOKEN)
    assert verdict.reason.endswith("Nothing was sent; try again.")


def test_what_is_known_of_one_user_is_not_known_of_another(anna, ben):
    people = [anna.session, ben.session]
    assert verify_launch(anna.click(), people)
    assert verify_launch(ben.click(), people)
    verdict = verify_launch(anna.click(custom_action_id=ben.action().id), people)
    assert (verdict.state, failed(verdict)) == ("refused", KNOWN_ACTION)


def test_a_nonce_is_remembered_for_each_app_by_itself(anna, site, sent):
    other = App(site.region, "another-app", site.client_secret, origin=site.origin)
    url, token = anna.click(), site.token(anna.id)["access_token"]
    sent()
    assert verify_launch(url, anna.session, actions="any")
    verdict = verify_launch(url, Session(other, token, user=anna.session.user), actions="any")
    assert "used here before" not in verdict.reason
    assert len(sent()) == 2
