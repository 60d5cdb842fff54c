"""The login form: through the consent page, by pasting, several users, and everything that can go wrong."""

from __future__ import annotations

import socket
import threading

import httpx
import pytest

import clio_nb as clio
from clio_nb import forms
from clio_nb.http.hub import in_browser
from clio_nb.login import Login
from clio_nb.sandbox import Sandbox
from clio_nb.vocabulary import Region


def test_a_user_signs_in_through_the_consent_page(site, until, consent, drawn):
    form = forms.login(site)
    form.button.click()
    until(lambda: form.authorization_url and form.authorization_url.startswith(site.origin) and "href" in drawn(form))
    page = httpx.get(consent(form.authorization_url, site.users[1].id), trust_env=False)
    until(lambda: not form.busy)
    assert "close this tab" in page.text
    assert form.state == "connected"
    assert form.value.user.id == site.users[1].id
    assert form.status.text == f"Connected as {site.users[1].name} of Marrowby & Quill LLP."


def test_the_pasted_address_signs_in_and_is_not_kept(site, until, consent, drawn):
    form = forms.login(site)
    form.button.click()
    until(lambda: "href" in drawn(form))
    seen = []
    form.paste.observe(lambda change: seen.append(change["new"]), "value")
    form.paste.value = consent(form.authorization_url, site.users[2].id)
    assert form.paste.value == ""
    until(lambda: not form.busy)
    assert form.value.user.id == site.users[2].id


def test_users_sign_in_one_after_another_and_all_are_listed(site, until, consent, drawn):
    form = forms.login(site)
    for user in site.users[:2]:
        form.button.click()
        until(lambda: "href" in drawn(form))
        form.paste.value = consent(form.authorization_url, user.id)
        until(lambda: not form.button.disabled)
    assert [session.user.id for session in form.sessions] == [user.id for user in site.users[:2]]
    assert all(user.name in drawn(form) for user in site.users[:2])


def test_declining_is_said_as_that(site, until, consent, drawn):
    form = forms.login(site)
    form.button.click()
    until(lambda: "href" in drawn(form))
    httpx.get(consent(form.authorization_url, site.users[0].id, "decline"), trust_env=False)
    until(lambda: not form.busy)
    assert form.state == "declined"
    assert form.value is None


def test_nobody_comes_back_in_time(site, until):
    form = forms.login(site, timeout=0.05)
    form.button.click()
    until(lambda: not form.busy)
    assert form.state == "timed out"


def test_a_foreign_address_is_refused_and_the_login_goes_on(site, until, consent, drawn):
    form = forms.login(site)
    form.button.click()
    until(lambda: "href" in drawn(form))
    form.paste.value = f"{site.redirect_uri}?code=abc&state=of-another-login"
    until(lambda: form.status.kind == "failed")
    assert form.state == "waiting"
    form.paste.value = consent(form.authorization_url, site.users[0].id)
    until(lambda: not form.busy)
    assert form.state == "connected"


def test_a_code_that_clio_refuses_is_said_and_the_login_goes_on(site, until, consent, drawn):
    form = forms.login(site)
    form.button.click()
    until(lambda: "href" in drawn(form))
    form.paste.value = "a-code-of-another-login"
    until(lambda: form.status.kind == "failed")
    assert form.state == "waiting"
    form.paste.value = consent(form.authorization_url, site.users[0].id)
    until(lambda: not form.busy)
    assert form.state == "connected"


def test_without_a_site_the_form_asks_for_the_app_and_keeps_no_secret(monkeypatch, drawn):
    monkeypatch.delenv("CLIO_CLIENT_SECRET", raising=False)
    form = forms.login()
    form.fields["region"].value = Region.EU
    form.fields["client_id"].value = "an-app"
    form.fields["client_secret"].value = "canary-secret"
    assert form.fields["client_secret"].value == ""
    assert "canary" not in drawn(form) + form.code + repr(form) + str(form.fields["client_secret"].get_state())
    form.button.click()
    assert form.authorization_url.startswith("https://eu.app.clio.com/oauth/authorize?")
    assert "clio.connect(\n    'eu'" in form.code
    form.stop()


def test_a_missing_secret_names_its_field(monkeypatch):
    monkeypatch.delenv("CLIO_CLIENT_SECRET", raising=False)
    form = forms.login()
    form.client_id = "an-app"
    form.button.click()
    assert form.status.text.startswith("Client secret: ")
    assert form.state == "ready"


def test_clios_approval_page_can_be_chosen_and_its_code_pasted(site, until, consent, drawn):
    form = forms.login(site)
    form.redirect_uri = f"{site.origin}/oauth/approval"
    form.button.click()
    until(lambda: "href" in drawn(form))
    form.paste.value = consent(form.authorization_url, site.users[0].id)
    until(lambda: not form.busy)
    assert form.state == "connected"


def test_a_busy_port_is_named_and_pasting_still_works(site, until, consent):
    port = int(site.redirect_uri.rpartition(":")[2].partition("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        form = forms.login(site)
        form.button.click()
        until(lambda: f"Port {port}" in form.status.text)
        form.paste.value = consent(form.authorization_url, site.users[0].id)
        until(lambda: not form.busy)
    assert form.state == "connected"


def test_a_login_can_be_cancelled_and_its_listener_is_gone(site, until, drawn):
    form = forms.login(site)
    form.button.click()
    until(lambda: "href" in drawn(form))
    form.cancel.click()
    until(lambda: not form.busy)
    assert form.state == "ready"
    port = int(site.redirect_uri.rpartition(":")[2].partition("/")[0])
    until(lambda: _is_free(port))


def test_behind_a_hub_the_link_leads_through_its_proxy(monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/alice/")
    assert in_browser("http://127.0.0.1:8770/oauth/authorize?a=b") == "/user/alice/proxy/8770/oauth/authorize?a=b"
    assert in_browser("https://app.clio.com/oauth/authorize") == "https://app.clio.com/oauth/authorize"


def test_nothing_pasted_before_the_login_began_is_used(site):
    form = forms.login(site)
    form.paste.value = "a-code"
    assert form.paste.value == ""
    assert form.status.text.startswith("Code or address: ")


def _is_free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_behind_a_hub_the_redirect_uri_is_a_path_that_leads_back_to_the_listener(monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/alice/")
    with Sandbox() as site:
        form = forms.login(site)
        assert form.redirect_uri == "/user/alice/proxy/8765/callback"
        assert Login(site).port == 8765


def test_the_sign_in_that_was_started_last_waits_and_the_one_before_lets_go_of_the_port(site, until, consent, drawn):
    first, second = forms.login(site), forms.login(site)
    first.button.click()
    until(lambda: "href" in drawn(first))
    second.button.click()
    until(lambda: "href" in drawn(second))
    assert first.status.text == "Stopped: the sign-in was started again in another form."
    assert first.state == "ready"
    assert "in use" not in second.status.text
    httpx.get(consent(second.authorization_url, site.users[0].id), trust_env=False)
    until(lambda: not second.busy)
    assert second.state == "connected"
    assert first.sessions == ()


def test_enter_starts_the_sign_in_and_in_the_box_for_answers_does_not(site, until, drawn):
    form = forms.login(site, timeout=0.05)
    form.fields["answer"]._handle_custom_msg({"event": "submit"}, [])
    form.fields["redirect_uri"]._handle_custom_msg({"event": "submit"}, [])
    until(lambda: form.state == "timed out")
    assert form.status.text.startswith("No answer came within 0 s.")


def test_what_is_wrong_with_a_pasted_answer_goes_when_the_next_one_comes(site, until, consent, drawn):
    form = forms.login(site)
    form.button.click()
    until(lambda: "href" in drawn(form))
    form.paste.value = f"{site.redirect_uri}?code=abc&state=of-another-login"
    until(lambda: form.status.kind == "failed")
    site.fault("delay", seconds=0.3, path="/oauth/token")
    form.paste.value = f"  \n{consent(form.authorization_url, site.users[0].id)}\u200b "
    assert form.status.kind == "busy"
    assert "clio-wrong" not in form.paste._dom_classes
    until(lambda: not form.busy)
    assert form.state == "connected"


@pytest.mark.parametrize(
    ("redirect_uri", "way"),
    [
        ("http://127.0.0.1:1/callback", "comes back to this machine"),
        ("https://hub.example/hub/user-redirect/proxy/8765/callback", "through this server"),
        ("https://app.clio.com/oauth/approval", "shows a code"),
        ("https://partner.example/callback", "Nothing here can receive"),
    ],
)
def test_the_form_says_how_the_browser_comes_back(drawn, redirect_uri, way):
    form = forms.login()
    form.redirect_uri = redirect_uri
    assert way in drawn(form)


def test_the_code_signs_in_as_the_form_does(site, consent, capsys):
    user = site.users[1]
    approval = f"{site.origin}/oauth/approval"

    def follow(url):
        threading.Thread(target=lambda: httpx.get(consent(url, user.id), trust_env=False)).start()

    def paste(_question):
        return consent(capsys.readouterr().out.split()[-1], user.id)

    form = forms.login(site)
    assert form.code == "session = clio.login(site, show=print)"
    for redirect_uri in (site.redirect_uri, approval):
        form.redirect_uri = redirect_uri
        names = {"clio": clio, "site": site, "print": follow if redirect_uri != approval else print, "input": paste}
        exec(form.code, names)  # noqa: S102 -- our own code is what is tested
        assert names["session"].user.id == user.id


def test_the_code_of_an_app_names_what_was_entered_and_no_secret(monkeypatch):
    monkeypatch.delenv("CLIO_CLIENT_ID", raising=False)
    form = forms.login()
    assert "client_id" not in form.code
    form.region, form.client_id = Region.EU, "an-app"
    form.fields["client_secret"].value = "canary"
    names = {"clio": clio}
    monkeypatch.setattr("getpass.getpass", lambda _prompt: "canary")
    exec(form.code.partition("session = ")[0], names)  # noqa: S102 -- as above
    assert (names["site"].region, names["site"].client_id) == (Region.EU, "an-app")
    assert names["site"].redirect_uri == form.redirect_uri
    assert "canary" not in form.code
