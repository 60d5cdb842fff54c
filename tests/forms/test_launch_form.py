"""The form that looks into a launch: it explains, has it proved once, and keeps no nonce where others can read it."""

from __future__ import annotations

import pytest

import clio_nb as clio
from clio_nb import forms
from clio_nb.errors import InvalidInput


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
