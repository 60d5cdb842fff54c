"""The form over an inbox: launches as they arrive, and any of them sent again, whole or spoilt."""

from __future__ import annotations

import httpx
import pytest

import clio_nb as clio
from clio_nb import forms
from clio_nb.errors import InvalidInput
from clio_nb.launches import inbox

VERIFIED = "✓\N{NO-BREAK SPACE}verified"


@pytest.fixture
def box(site):
    with inbox(site) as box:
        yield box


@pytest.fixture
def arrive(site, session, box):
    action = clio.create_action(session, "Send", box.url, at="matters")
    matter = site.records("matters")[0]["subject_url"]
    return lambda: httpx.get(site.click(session.user.id, action.id, matter), trust_env=False)


def table(form):
    return form.view.children[2].value


def test_a_launch_appears_with_its_verdict(site, box, arrive, until):
    form = forms.inbox(box, site)
    assert "Nothing has arrived" in table(form)
    arrive()
    until(lambda: VERIFIED in table(form))
    assert site.users[0].name in table(form)
    assert form.number == 1


def test_a_replay_has_a_fresh_nonce_and_is_verified_again(site, box, arrive, until, click):
    form = forms.inbox(box, site)
    arrive()
    until(lambda: form.number == 1)
    click(form)
    assert form.value.status < 400
    exec(form.code, {"inbox": box, "site": site})  # noqa: S102 -- our own code is what is tested
    until(lambda: table(form).count(VERIFIED) == 3)


@pytest.mark.parametrize("change", ["without its nonce", "as another user's", "for another record"])
def test_a_spoilt_replay_is_refused(site, box, arrive, until, click, change):
    form = forms.inbox(box, site)
    arrive()
    until(lambda: form.number == 1)
    form.change = change
    click(form)
    assert form.value.status == 403
    assert form.status.kind == "failed"


def test_replay_needs_a_launch(site, box):
    with pytest.raises(InvalidInput):
        forms.inbox(box, site).submit()


def test_a_launch_can_be_verified_by_hand(site, session, arrive, until):
    with inbox(site, verify=False) as box:
        form = forms.inbox(box, site)
        action = clio.create_action(session, "By hand", box.url, at="matters")
        httpx.get(site.click(session.user.id, action.id, site.records("matters")[0]["subject_url"]), trust_env=False)
        until(lambda: form.number == 1)
        assert "·\N{NO-BREAK SPACE}unproved" in table(form)
        form.verify.click()
        until(lambda: VERIFIED in table(form))
