"""The workbench: all forms, for whoever signs in there."""

from __future__ import annotations

import socket

import httpx
import pytest

import clio_nb as clio
from clio_nb import forms
from clio_nb.errors import InvalidInput


@pytest.fixture
def workbench(site):
    workbench = forms.workbench(site)
    yield workbench
    workbench.close()


def test_what_one_form_does_is_seen_in_the_others(site, session, workbench, until, drawn, tmp_path):
    assert all(
        "Sign in first" in drawn(form) for form in (workbench.create_action, workbench.my_actions, workbench.firm)
    )
    workbench.login.sessions = (session,)
    before = workbench._screens.value
    workbench.create_action.label, workbench.create_action.target_url = "Send", workbench.received.url
    [made] = workbench.create_action.submit()
    assert workbench._screens.value != before
    until(lambda: workbench.my_actions.chosen == made.action.id)
    manifest = tmp_path / "actions.toml"
    manifest.write_text("""
[app]
name = "partner-sign"

[[actions]]
key = "sign"
label = "Of the firm"
target_url = "https://partner.example/launch"
locations = ["matters"]
""")
    workbench.firm.manifest = str(manifest)
    workbench.firm.make_plan()
    assert workbench.firm.submit()
    until(lambda: "Of the firm" in drawn(workbench.my_actions))


def test_a_launch_that_arrives_is_proved_by_who_is_signed_in_then(site, session, workbench, until, drawn):
    action = clio.create_action(session, "Send", workbench.received.url, at="matters")
    workbench.login.sessions = (session,)
    httpx.get(site.click_on(session.user.id, action.target_url, at="matters"), trust_env=False)
    until(lambda: "verified" in drawn(workbench.inbox))


def test_closing_it_ends_the_inbox(site):
    workbench = forms.workbench(site)
    workbench.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", workbench.received.port), 5)


@pytest.mark.parametrize("wrong", [None, 7, "us", clio.Session])
def test_it_needs_a_site(wrong):
    with pytest.raises(InvalidInput, match="site"):
        forms.workbench(wrong)
