"""The login form: through the consent page, by pasting, several users, and everything that can go wrong."""

from __future__ import annotations

import httpx

from clio_nb import forms


def test_a_user_signs_in_through_the_consent_page(site, until, consent):
    form = forms.login(site)
    form.button.click()
    until(lambda: form.authorization_url and form.authorization_url.startswith(site.origin) and "href" in links(form))
    page = httpx.get(consent(form.authorization_url, site.users[1].id), trust_env=False)
    until(lambda: not form.busy)
    assert "close this tab" in page.text
    assert form.state == "connected"
    assert form.value.user.id == site.users[1].id
    assert form.status.text == f"Connected as {site.users[1].name} of Marrowby & Quill LLP."


def test_the_pasted_address_signs_in_and_is_not_kept(site, until, consent):
    form = forms.login(site)
    form.button.click()
    until(lambda: "href" in links(form))
    seen = []
    form.paste.observe(lambda change: seen.append(change["new"]), "value")
    form.paste.value = consent(form.authorization_url, site.users[2].id)
    assert form.paste.value == ""
    until(lambda: not form.busy)
    assert form.value.user.id == site.users[2].id


def test_users_sign_in_one_after_another_and_all_are_listed(site, until, consent):
    form = forms.login(site)
    for user in site.users[:2]:
        form.button.click()
        until(lambda: "href" in links(form))
        form.paste.value = consent(form.authorization_url, user.id)
        until(lambda: not form.busy)
    assert [session.user.id for session in form.sessions] == [user.id for user in site.users[:2]]
    assert all(user.name in everything(form) for user in site.users[:2])


def test_declining_is_said_as_that(site, until, consent):
    form = forms.login(site)
    form.button.click()
    until(lambda: "href" in links(form))
    httpx.get(consent(form.authorization_url, site.users[0].id, "decline"), trust_env=False)
    until(lambda: not form.busy)
    assert form.state == "declined"
    assert form.value is None


def test_nobody_comes_back_in_time(site, until):
    form = forms.login(site, timeout=0.05)
    form.button.click()
    until(lambda: not form.busy)
    assert form.state == "timed out"


def test_a_foreign_address_is_refused_and_the_login_goes_on(site, until, consent):
    form = forms.login(site)
    form.button.click()
    until(lambda: "href" in links(form))
    form.paste.value = f"{site.redirect_uri}?code=abc&state=of-another-login"
    until(lambda: form.status.kind == "failed")
    assert form.state == "waiting"
    form.paste.value = consent(form.authorization_url, site.users[0].id)
    until(lambda: not form.busy)
    assert form.state == "connected"


def links(form):
    return "".join(html.value for html in form.view.children if hasattr(html, "value"))


def everything(form):
    return "".join(str(widget.value) for widget in form.view.children if hasattr(widget, "value"))
