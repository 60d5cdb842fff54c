"""What all forms promise: code that does the same, a fallback without widgets, and errors that lead to their field."""

from __future__ import annotations

import asyncio
import logging

import pytest

import clio_nb as clio
from clio_nb import forms
from clio_nb.errors import InvalidInput
from clio_nb.forms._form import Form, Status
from clio_nb.http import timeouts


class Broken(Form[int]):
    """A form whose work has a defect."""

    def __init__(self):
        super().__init__("Broken", "Break")
        self._arrange()

    def prepare(self):
        async def work():
            raise RuntimeError("the canary sings")

        return work

    def outcome(self, value):
        return Status("done", str(value))


class Slow(Broken):
    """A form that takes until somebody ends it."""

    def prepare(self):
        return lambda: asyncio.sleep(3600, 1)


def test_where_widgets_do_not_render_the_code_is_shown(session):
    form = forms.create_action(session)
    form.label, form.target_url = "Send", "https://partner.example/launch"
    bundle = form._repr_mimebundle_()
    assert "clio.create_action(" in bundle["text/html"]
    assert bundle["text/plain"] == "<ActionForm: Create a custom action>"
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_the_code_is_shown_on_request(session):
    form = forms.create_action(session)
    assert form._code_block.layout.display == "none"
    form.show_code.click()
    assert form._code_block.layout.display == "flex"
    assert form.show_code.description == "Hide the code"
    form.label = "Changed"
    assert "Changed" in form._code_block.value


def test_an_error_names_its_field_and_moves_the_focus_there(session, monkeypatch):
    form = forms.create_action(session)
    focused = []
    monkeypatch.setattr(form.fields["label"], "focus", lambda: focused.append("label"))
    form.button.click()
    assert form.status.text.startswith("Label: ")
    assert focused == ["label"]
    assert 'role="alert"' in form._status_line.value


def test_a_good_outcome_is_said_as_status(session):
    form = forms.create_action(session)
    form.label, form.target_url = "Send", "https://partner.example/launch"
    form.submit()
    assert 'role="status"' in form._status_line.value


def test_a_defect_is_said_and_logged_and_leaves_the_form_at_rest(click, caplog, until):
    form = Broken()
    with caplog.at_level(logging.ERROR, "clio_nb.forms"):
        click(form)
        until(lambda: form.status.kind == "failed")
    assert form.status.text == "An unexpected error happened (RuntimeError). Please report it."
    assert "canary" in caplog.text


def test_stop_gives_up_and_the_form_can_be_used_again(until):
    form = Slow()
    form.button.click()
    until(lambda: form.busy)
    with pytest.raises(InvalidInput):
        form.submit()
    form.stop()
    until(lambda: not form.busy)
    assert form.status == ("idle", "Stopped.")


def test_every_verb_of_the_face_has_a_form():
    assert {"login", "create_action", "launch", "inbox", "firm"} <= set(forms.__all__)
    assert clio.forms is forms


def filled(session):
    form = forms.create_action(session)
    form.label, form.target_url = "Send", "https://partner.example/launch"
    return form


def press_enter(form, name):
    form.fields[name]._handle_custom_msg({"event": "submit"}, [])


def test_two_clicks_at_once_do_the_work_once(session, until):
    form = filled(session)
    form.button.click()
    form.button.click()
    until(lambda: not form.busy)
    form.button.click()  # the second half of a double click, which comes after the work of the first
    until(lambda: not form.button.disabled)
    assert form.status.text == f"Created for {session.user}, id {form.value[0].action.id}."
    assert len(clio.list_actions(session)) == 1


def test_a_button_that_is_hammered_stays_at_rest_until_that_ends(session, until, monkeypatch):
    now = [timeouts.now()]
    monkeypatch.setattr(timeouts, "now", lambda: now[0])
    form = filled(session)
    form.button.click()
    until(lambda: not form.busy)
    for _ in range(5):
        now[0] += 0.4
        form.button.click()
    assert form.value[0]
    now[0] += 0.6
    form.button.click()
    until(lambda: form.status.kind == "failed")
    assert "already" in form.status.text


def test_all_buttons_that_start_work_are_disabled_while_there_is_some(site, session, until):
    firm = clio.Firm(site)
    firm.add(session)
    form = forms.firm(firm)
    site.fault("delay", seconds=0.3)
    form.look.click()
    assert all(button.disabled for button in form._starters)
    assert not form.halt.disabled
    until(lambda: not form.busy)
    assert [button for button in form._starters if button.disabled] == [form.look]
    until(lambda: not form.look.disabled)


def test_a_refusal_before_anything_was_sent_does_not_make_anyone_wait(session):
    form = forms.create_action(session)
    form.button.click()
    assert form.status.kind == "failed"
    assert not form.button.disabled
    form.label = "x" * 33
    form.button.click()
    assert "32" in form.status.text


def test_enter_does_what_the_button_does(session, until):
    form = filled(session)
    press_enter(form, "label")
    press_enter(form, "label")  # held down
    until(lambda: form.value)
    until(lambda: not form.button.disabled)
    assert len(clio.list_actions(session)) == 1
    assert form.status.kind == "done"


def click_in_the_page(button):
    button._handle_custom_msg({"event": "click"}, [])


@pytest.mark.parametrize("way", ["Enter", "a click"])
def test_what_was_typed_last_counts_although_it_comes_a_little_later(session, until, way):
    """A page holds text back while the kernel works; it sends a click and Enter at once."""
    form = filled(session)
    press_enter(form, "label") if way == "Enter" else click_in_the_page(form.button)
    form.fields["label"].value = "Send for signature"
    until(lambda: form.value)
    assert form.value[0].action.label == "Send for signature"


def test_every_button_that_starts_work_waits_for_the_letters_before_its_click(site, session, monkeypatch):
    box = clio.inbox(site)
    every = [forms.login(site), forms.inbox(box, site)]
    every += [form(session) for form in (forms.create_action, forms.my_actions, forms.launch, forms.firm)]
    settled = []
    monkeypatch.setattr(Form, "_on_message", lambda form, action, _content: settled.append((form, action)))
    for form in every:
        for button in form._starters:
            click_in_the_page(button)
            assert settled[-1] == (form, button.click)
        assert not form.busy
    assert len(settled) > len(every)
    box.close()


def test_an_error_in_what_enter_does_is_shown_and_not_lost(until, session, monkeypatch):
    form = filled(session)
    monkeypatch.setattr(form, "enter", lambda _name: 1 / 0)
    press_enter(form, "label")
    until(lambda: "ZeroDivisionError" in form.status.text)


AROUND = ["  {}  ", "\t{}\r\n", "\ufeff{}", "{}\u200b", "\u200e {} \u00a0", "\n\n{}"]


@pytest.mark.parametrize("around", AROUND, ids=ascii)
def test_everything_that_is_pasted_is_trimmed(site, session, around):
    create = forms.create_action(session)
    create.fields["label"].value = around.format("Send")
    create.fields["target_url"].value = around.format("https://partner.example/launch")
    assert create.code == "clio.create_action(session, 'Send', 'https://partner.example/launch', at='matters')"
    [made] = create.submit()
    assert (made.action.label, made.action.target_url) == ("Send", "https://partner.example/launch")
    assert create.fields["label"].value == "Send"
    firm = forms.firm(session)
    firm.fields["manifest"].value = around.format("no-such.toml")
    with pytest.raises(clio.errors.ManifestError, match=r"^no-such\.toml"):
        firm.make_plan()
    login = forms.login()
    login.fields["client_id"].value = around.format("an-app")
    login.fields["redirect_uri"].value = around.format("http://127.0.0.1:1/callback")
    login.fields["client_secret"].value = around.format("canary")
    assert (login.client_id, login.redirect_uri) == ("an-app", "http://127.0.0.1:1/callback")
    assert login._client_secret.reveal() == "canary"


def test_a_space_can_be_typed_inside_a_text(session):
    form = forms.create_action(session)
    typed = ""
    for letter in "Send it":
        typed = form.fields["label"].value + letter
        form.fields["label"].value = typed
    assert form.label == typed == "Send it"


def test_an_error_and_its_mark_vanish_with_their_reason(session):
    form = forms.create_action(session)
    form.button.click()
    assert "clio-wrong" in form.fields["label"]._dom_classes
    form.target_url = "https://partner.example/launch"
    assert form.status.text.startswith("Label: ")
    form.label = "Send"
    assert "clio-wrong" not in form.fields["label"]._dom_classes
    assert form.status == ("idle", "")


def test_an_error_about_no_field_vanishes_with_any_change(session, click):
    form = filled(session)
    form.submit()
    click(form)
    assert "already" in form.status.text
    form.label = "Send it"
    assert form.status == ("idle", "")


def test_the_next_error_takes_the_mark_of_the_last_one_away(session):
    form = forms.create_action(session)
    form.button.click()
    form.label = "Send"
    form.target_url = "no address"
    form.button.click()
    marked = [name for name, field in form.fields.items() if "clio-wrong" in field._dom_classes]
    assert marked == ["target_url"]


CODE = {
    "one user": lambda sessions: ({"session": sessions[0]}, sessions[0], 0, 1),
    "everyone": lambda sessions: ({"sessions": sessions}, sessions, 0, 2),
    "one of several": lambda sessions: ({"sessions": sessions}, sessions, sessions[1].user.id, 1),
    "a list of one": lambda sessions: ({"sessions": sessions[:1]}, sessions[:1], 0, 1),
    "a site": lambda sessions: ({"site": sessions[0].site}, sessions[0].site, 0, 1),
}


@pytest.mark.parametrize("kind", CODE)
def test_the_code_does_exactly_what_the_form_would_do(site, kind):
    sessions = [clio.login(site, user=user.id) for user in site.users[:2]]
    names, given, user, made = CODE[kind](sessions)
    form = filled(given)
    form.user = user
    exec(form.code, {"clio": clio, **names})  # noqa: S102 -- our own code is what is tested
    labels = [[action.label for action in clio.list_actions(session)] for session in sessions]
    assert sum(map(len, labels)) == made
    form.label = "By the form"
    form.submit()
    expected = [[*each, "By the form"] if each else [] for each in labels]
    assert [[action.label for action in clio.list_actions(session)] for session in sessions] == expected


def test_the_code_of_a_sign_in_form_or_a_firm_goes_on_after_a_refusal_as_the_form_does(site, capsys):
    login = forms.login(site)
    login.sessions = tuple(clio.login(site, user=user.id) for user in site.users[:3])
    clio.create_action(login.sessions[0], "Send", "https://partner.example/launch", at="matters")
    exec(filled(login).code, {"clio": clio, "login": login})  # noqa: S102 -- as above
    assert "already" in capsys.readouterr().out
    assert [len(clio.list_actions(session)) for session in login.sessions] == [1, 1, 1]
    firm = clio.Firm(site)
    for session in login.sessions:
        firm.add(session)
    form = filled(firm)
    form.label = "Of the firm"
    exec(form.code, {"clio": clio, "firm": firm})  # noqa: S102 -- as above
    assert len(firm.actions()) == 6
