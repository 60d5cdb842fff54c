"""The form that looks into a launch: it explains, has it proved once, and keeps no nonce where others can read it."""

from __future__ import annotations

import pytest

import clio_nb as clio
from clio_nb import forms
from clio_nb.errors import InvalidInput
from clio_nb.http import timeouts


@pytest.fixture
def url(site, session):
    action = clio.create_action(session, "Send", "https://partner.example/launch", at="matters")
    return site.click(session.user.id, action.id, site.records("matters")[0]["subject_url"])


def test_a_pasted_launch_is_explained_and_the_box_is_emptied(session, url):
    form = forms.launch(session)
    form.url.value = url
    assert form.url.value == ""
    assert form.report
    assert form.report.launch.user_id == session.user.id


def test_verify_proves_it_once(session, url, click):
    form = forms.launch(session)
    form.url.value = url
    click(form)
    assert form.value.state == "verified"
    form.url.value = url
    click(form)
    assert form.value.state == "refused"
    assert form.status.kind == "failed"


def test_verify_without_a_launch_asks_for_one(session):
    form = forms.launch(session)
    with pytest.raises(InvalidInput):
        form.submit()
    assert form.status.text.startswith("Launch URL: ")


def test_no_nonce_is_in_any_synced_trait(session, url, click):
    nonce = url.partition("custom_action_nonce=")[2]
    form = forms.launch(session)
    form.url.value = url
    click(form)
    states = [str(child.get_state()) for child in form.view.children]
    assert not any(nonce in state for state in states)
    assert nonce not in repr(form)
    assert nonce not in str(form._repr_mimebundle_())


def test_a_refused_url_says_every_reason(session):
    form = forms.launch(session)
    form.url.value = "https://partner.example/?subject_url=@evil.example"
    assert not form.report
    assert "custom_action_nonce is missing" in form.status.text


def test_the_registered_target_can_be_demanded(session, url):
    form = forms.launch(session)
    form.target = "https://other.example/launch"
    form.url.value = url
    assert not form.report
    assert "target=" in form.code


def test_the_countdown_runs_from_arrival_and_ends_with_the_minute(session, url, until, monkeypatch):
    clock = [0.0]

    async def tick(seconds):
        clock[0] += seconds

    monkeypatch.setattr(timeouts, "now", lambda: clock[0])
    monkeypatch.setattr(timeouts, "sleep", tick)
    form = forms.launch(session)
    form.url.value = url
    until(lambda: "seconds old" in form._left.value)
    assert clock[0] == 60


def test_the_record_is_shown_as_text_when_it_is_proved(session, url):
    form = forms.launch(session)
    form.inspect(url)
    verdict = form.submit()
    assert verdict.record.title in form._steps.value
    assert "Clio answered" in form._steps.value


def test_a_target_that_is_named_after_the_paste_counts_too(session, url, click):
    form = forms.launch(session)
    form.url.value = url
    form.target = "https://partner.example/other"
    assert not form.report
    click(form)
    assert (form.value.state, form.value.nonce_sent) == ("refused", False)
    form.target = "https://partner.example/launch"
    click(form)
    assert form.value.state == "verified"
