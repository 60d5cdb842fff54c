"""Who a form works for: whatever tells who is signed in can be given to it, and it follows who comes and goes."""

from __future__ import annotations

import gc

import pytest

import clio_nb as clio
from clio_nb import forms
from clio_nb.errors import InvalidInput, NeedsLogin
from clio_nb.firm import Firm
from clio_nb.forms._who import people_of


def sign_in(form, user, consent, until):
    """Sign a user in with the form, as somebody whose browser does not come back."""
    until(lambda: not form.button.disabled)
    form.button.click()
    until(lambda: form.authorization_url and form.status.kind == "busy" and "allow" in form.status.text)
    form.paste.value = consent(form.authorization_url, user.id)
    until(lambda: not form.busy)


def firm_of(sessions):
    firm = Firm(sessions[0].site)
    for session in sessions:
        firm.add(session)
    return firm


def signed_in(sessions):
    form = forms.login(sessions[0].site)
    form.sessions = tuple(sessions)
    return form


KINDS = {
    "a session": lambda sessions: sessions[0],
    "a list of sessions": list,
    "a tuple of sessions": tuple,
    "a generator of sessions": iter,
    "a sign-in form": signed_in,
    "a sign-in form and a session": lambda sessions: [signed_in(sessions[:1]), *sessions[1:]],
    "a firm": firm_of,
    "the same user twice": lambda sessions: [sessions[0], sessions[0], *sessions],
    "a sandbox": lambda sessions: sessions[0].site,
    "who was resolved already": lambda sessions: people_of(sessions, "forms.launch"),
}
OF_ONE = ("a session", "a sandbox")
OF_PEOPLE = (forms.create_action, forms.my_actions, forms.launch, forms.firm)


@pytest.fixture
def sessions(site):
    return [clio.login(site, user=user.id) for user in site.users[:2]]


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_tells_who_is_signed_in_can_be_given_to_a_form(site, sessions, kind):
    expected = [session.user.id for session in sessions[: 1 if kind in OF_ONE else 2]]
    assert [session.user.id for session in people_of(KINDS[kind](sessions), "forms.launch").sessions] == expected
    form = forms.create_action(KINDS[kind](sessions))
    form.label, form.target_url = "Send", "https://partner.example/launch"
    assert [bool(one) for one in form.submit()] == [True] * len(expected)
    assert len(forms.firm(KINDS[kind](sessions)).read_coverage().query("access == 'signed in'")) == len(expected)
    assert [user.id for user, _ in forms.my_actions(KINDS[kind](sessions)).read()] == expected
    url = site.click_on(sessions[0].user.id, "https://partner.example/launch", at="matters")
    launch = forms.launch(KINDS[kind](sessions))
    launch.inspect(url)
    assert launch.submit()


def test_a_form_follows_who_signs_in_and_out_in_the_sign_in_form(site, consent, until, drawn):
    login = forms.login(site)
    people, told = people_of(login, "forms.launch"), []
    people.on_change(lambda: told.append(len(people.sessions)))
    form = forms.create_action(login)
    form.label, form.target_url = "Send", "https://partner.example/launch"
    assert "Sign in first, with the sign-in form." in drawn(form)
    for user in site.users[:2]:
        sign_in(login, user, consent, until)
    assert "Sign in first" not in drawn(form)
    assert form.fields["user"].options[0][0] == "everyone signed in (2)"
    assert len(form.submit()) == 2
    until(lambda: not login.leave.disabled)
    login.leave.click()
    until(lambda: not login.busy)
    assert login.status.text == f"{site.users[1].name} ({site.users[1].id}) is signed out."
    assert [session.user.id for session in people.sessions] == [login.value.user.id] == [site.users[0].id]
    login.sign_out()
    assert login.value is None
    assert login.state == "ready"
    assert told == [1, 2, 1, 0]
    assert "Sign in first" in drawn(form)


@pytest.mark.parametrize("kind", ["a session", "a list of sessions", "a sign-in form", "a sign-in form and a session"])
def test_who_signs_out_in_a_cell_is_gone_from_every_form(sessions, kind):
    given = KINDS[kind](sessions)
    people = people_of(given, "forms.launch")
    form = forms.create_action(given)
    clio.logout(sessions[0])
    assert sessions[0].user.id not in [session.user.id for session in people.sessions]
    clio.logout(sessions[1])
    clio.logout(sessions[1])
    with pytest.raises(InvalidInput, match="Sign in first"):
        form.submit()


def test_who_has_signed_out_is_not_signed_in_again_by_a_refresh_token(session):
    clio.logout(session)
    with pytest.raises(NeedsLogin, match="signed out"):
        session.list_actions()


def test_a_form_follows_whose_tokens_come_into_a_firm_and_go(site, sessions):
    firm = firm_of(sessions[:1])
    form = forms.create_action(firm)
    people = people_of(firm, "forms.launch")
    first = people.sessions[0]
    firm.add(sessions[1])
    assert len(people.sessions) == 2
    assert people.sessions[0] is first
    assert "everyone signed in (2)" in form.fields["user"].options[0]
    firm.vault.remove(site, sessions[0].user.id)
    assert [session.user.id for session in people.sessions] == [sessions[1].user.id]
    firm.vault.close()


def test_a_firm_holds_no_form_that_nobody_has_any_more(sessions):
    from clio_nb.vault import _sealed

    firm = firm_of(sessions)
    people = people_of(firm, "forms.launch")
    before = len(_sealed._told)
    del people
    gc.collect()
    assert len(_sealed._told) < before


def test_nobody_else_is_chosen_in_the_place_of_who_signs_out(sessions):
    login = signed_in(sessions)
    form = forms.create_action(login)
    form.label, form.target_url = "Send", "https://partner.example/launch"
    form.user = sessions[1].user.id
    login.sessions = tuple(sessions[:1])
    assert form.fields["user"].label == f"{sessions[1].user} (signed out)"
    with pytest.raises(InvalidInput, match="has signed out"):
        form.submit()
    assert clio.list_actions(sessions[0]) == []
    login.sessions = tuple(sessions)
    assert form.fields["user"].label == str(sessions[1].user)
    assert [one.user.id for one in form.submit()] == [sessions[1].user.id]


NOBODY = {
    "a sign-in form in which nobody has signed in": forms.login,
    "no sessions": lambda _: [],
    "a firm without a token": Firm,
    "a site that is not a sandbox": lambda site: clio.App(site.region, "an-app", "a-secret"),
}
VERBS = {
    "create": lambda given: forms.create_action(given).submit,
    "coverage": lambda given: forms.firm(given).read_coverage,
    "plan": lambda given: forms.firm(given, "actions.toml").make_plan,
    "apply": lambda given: forms.firm(given, "actions.toml").submit,
    "read": lambda given: forms.my_actions(given).read,
    "change": lambda given: forms.my_actions(given).submit,
    "delete": lambda given: forms.my_actions(given).delete,
    "verify": lambda given: inspected(forms.launch(given)).submit,
}


def inspected(form):
    subject = "subject_url=%2Fapi%2Fv4%2Fmatters%2F3"
    form.inspect(f"https://partner.example/?custom_action_id=1&user_id=2&{subject}&custom_action_nonce={'n' * 32}")
    return form


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("nobody", NOBODY)
def test_where_nobody_is_signed_in_every_form_says_to_sign_in_first(site, nobody, verb):
    before = len(site.requests)
    with pytest.raises(InvalidInput, match="Sign in first"):
        VERBS[verb](NOBODY[nobody](site))()
    assert len(site.requests) == before


def test_sign_in_first_goes_away_once_somebody_has(site, session, click, drawn):
    login = forms.login(site)
    form = forms.create_action(login)
    click(form)
    assert form.status == ("failed", "Sign in first, with the sign-in form.")
    login.sessions = (session,)
    assert form.status.text == ""
    assert "Sign in first" not in drawn(form)


@pytest.mark.parametrize("wrong", [None, 7, "session", clio.Session, object(), {"a": 1}])
@pytest.mark.parametrize("form", OF_PEOPLE, ids=lambda form: form.__name__)
def test_what_tells_nothing_of_who_is_signed_in_is_refused(form, wrong):
    with pytest.raises(InvalidInput, match=r"forms\.\w+\(\) needs a session"):
        form(wrong)


def test_none_is_refused_with_the_advice_to_pass_the_form_itself(site):
    with pytest.raises(InvalidInput, match="Pass the sign-in form itself"):
        forms.create_action(forms.login(site).value)


def test_users_of_two_sites_are_no_firm(session):
    from clio_nb.sandbox import Sandbox

    with Sandbox() as other, pytest.raises(InvalidInput, match="different sites"):
        forms.firm([session, clio.login(other)]).read_coverage()


def test_who_is_signed_in_is_the_firm_also_after_a_second_sign_in(site, sessions):
    login = signed_in(sessions)
    form = forms.firm(login)
    assert (form.read_coverage()["access"] == "signed in").sum() == 2
    clio.logout(sessions[1])
    login.sessions = (sessions[0],)
    assert (form.read_coverage()["access"] == "signed in").sum() == 1
    login.sessions = (sessions[0], clio.login(site, user=sessions[1].user.id))
    assert (form.read_coverage()["access"] == "signed in").sum() == 2


@pytest.mark.parametrize("given", [KINDS["a session"], KINDS["a firm"], KINDS["a sign-in form"]])
def test_the_screens_are_those_of_the_sandbox_that_it_belongs_to(site, sessions, given):
    screens = forms.screens(given(sessions))
    assert screens.url.startswith(site.origin)
    assert str(sessions[0].user.id) in screens.url or not isinstance(given(sessions), clio.Session)
