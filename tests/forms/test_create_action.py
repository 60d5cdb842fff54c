"""The form that creates an action: what it sends, what it refuses, and what it says for each user."""

from __future__ import annotations

import pytest

import clio_nb as clio
from clio_nb import forms
from clio_nb.errors import InvalidAction
from clio_nb.vocabulary import Location


def filled(sessions):
    form = forms.create_action(sessions)
    form.fields["label"].value = "Send for signature"
    form.fields["target_url"].value = "https://partner.example/launch"
    return form


def test_the_button_creates_what_the_fields_say(session, click):
    form = filled(session)
    form.fields["at"].value = Location.CONTACTS
    click(form)
    [action] = clio.list_actions(session)
    assert (action.label, action.target_url, action.location) == (
        "Send for signature",
        "https://partner.example/launch",
        Location.CONTACTS,
    )
    assert form.value[0].action == action
    assert form.status.text == f"Created for {session.user}, id {action.id}."


def test_submit_does_what_the_button_does(session):
    [outcome] = filled(session).submit()
    assert outcome
    assert outcome.action in clio.list_actions(session)


def test_a_label_over_32_characters_is_refused_before_anything_is_sent(site, session, click):
    form = filled(session)
    form.label = "x" * 33
    before = len(site.requests)
    click(form)
    assert form.status.kind == "failed"
    assert form.status.text.startswith("Label: ")
    assert len(site.requests) == before
    with pytest.raises(InvalidAction):
        form.submit()


def test_a_label_that_exists_is_refused_with_the_reason(session, click):
    form = filled(session)
    form.submit()
    click(form)
    assert form.status.kind == "failed"
    assert "already" in form.status.text


def test_one_user_failing_stops_nobody_else(site, click):
    sessions = [clio.login(site, user=user.id) for user in site.users[:3]]
    site.revoke(site.users[1].id)
    form = filled(sessions)
    click(form)
    assert [bool(outcome) for outcome in form.value] == [True, False, True]
    assert form.status.text == "Created for 2 of 3 users."


def test_the_code_it_shows_does_the_same(session):
    form = filled(session)
    exec(form.code, {"clio": clio, "session": session})  # noqa: S102 -- our own code is what is tested
    assert [action.label for action in clio.list_actions(session)] == ["Send for signature"]
