"""Every kind of fault as the library's own client meets it: overcome, or a typed error that says what it was."""

from typing import get_args

import pytest

import clio_nb
from clio_nb import errors
from clio_nb.http import timeouts
from clio_nb.sandbox.faults import Kind
from clio_nb.vocabulary import Location

WRONG = "/api/v4/matters/*"

OVERCOME = {
    "rate_limit": {"seconds": 2},
    "delay": {"seconds": 0.02},
    "reset": {},
    "revoked": {},
}
SAID = {
    "status": ({"status": 503, "times": None}, errors.ServerError),
    "truncated": ({}, errors.UnexpectedAnswer),
    "html": ({"status": 200}, errors.UnexpectedAnswer),
    "redirect": ({}, errors.UnexpectedAnswer),
}


@pytest.fixture
def session(site, monkeypatch):
    """The account owner's session; its waits move the clock of the sandbox instead of passing."""

    async def sleep(seconds):
        site.advance(max(0.0, seconds))

    monkeypatch.setattr(timeouts, "sleep", sleep)
    monkeypatch.setattr(timeouts, "now", site.now)
    return clio_nb.login(site)


def subject(site):
    return clio_nb.Subject(Location.MATTERS, site.records("matters")[0]["id"])


@pytest.mark.parametrize("kind", OVERCOME)
def test_it_is_overcome(site, session, kind):
    site.fault(kind, **OVERCOME[kind])
    assert session.record(subject(site)).data["id"] == subject(site).record_id
    assert site._state.faults.armed()[0][1] >= 1, "the fault was met"


@pytest.mark.parametrize("kind", SAID)
def test_it_is_said(site, session, kind):
    details, expected = SAID[kind]
    site.fault(kind, path=WRONG, **details)
    with pytest.raises(expected) as said:
        session.record(subject(site))
    assert "GET /api/v4/matters" in str(said.value)


def test_a_rotated_refresh_token_is_the_one_used_from_then_on(site, session):
    site.fault("rotate", path="/oauth/token")
    for _ in range(2):
        site.fault("revoked", path=WRONG)
        assert session.record(subject(site)).data
    refreshes = [each["status"] for each in site.oauth_requests if each["path"] == "/oauth/token"]
    assert refreshes == [200, 200]


def test_another_record_in_a_200_proves_nothing(site, session):
    url = site.click_on(session.user.id, "https://partner.example/")
    site.fault("wrong_record", path=WRONG)
    verdict = clio_nb.verify_launch(url, session)
    assert not verdict
    assert verdict.state == "refused"


def test_no_kind_is_left_out():
    assert {*OVERCOME, *SAID, "rotate", "wrong_record"} == set(get_args(Kind))
