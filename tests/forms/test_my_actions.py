"""My actions: what is shown is what Clio has, whatever happens while one is changed, deleted or made again."""

from __future__ import annotations

import asyncio
import threading

import openpyxl
import pandas as pd
import pytest

import clio_nb as clio
from clio_nb import errors, forms
from clio_nb.errors import InvalidInput
from clio_nb.http import loop, timeouts

TARGET = "https://partner.example/launch"
HOSTILE = '<img src=x onerror="a()"><b>&'


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    async def at_once(seconds):
        pass

    monkeypatch.setattr(timeouts, "sleep", at_once)


@pytest.fixture
def sign(session):
    return clio.create_action(session, "Sign", TARGET, at="matters")


@pytest.fixture
def form(session, sign):
    form = forms.my_actions(session)
    form.read()
    return form


def labels(session):
    return sorted(action.label for action in clio.list_actions(session))


def test_the_actions_are_there_without_a_click(session, sign, until, drawn):
    form = forms.my_actions(session)
    until(lambda: (form.label, form.target_url, form.at) == ("Sign", TARGET, clio.Location.MATTERS))
    assert form.chosen == sign.id
    assert "1 action, read at" in drawn(form)
    assert repr(form) == "<MyActionsForm: My actions>"


def test_an_action_is_renamed_moved_and_retargeted(session, form, sign, click):
    form.label, form.target_url, form.at = "Sign it ", f" {TARGET}2\n", clio.Location.CONTACTS
    click(form)
    [action] = clio.list_actions(session)
    assert (action.id, action.label, action.target_url) == (sign.id, "Sign it", f"{TARGET}2")
    assert action.location is clio.Location.CONTACTS
    assert form.status == ("done", f"Changed action {sign.id}: 'Sign it' on contacts.")
    assert form.value == action


def test_only_what_was_edited_is_sent_and_the_code_says_the_same(session, form, sign):
    form.label = "Signed"
    exec(form.code, {"clio": clio, "session": session})  # noqa: S102 -- our own code is what is tested
    assert labels(session) == ["Signed"]
    assert "target_url" not in form.code
    assert "label='Signed'" in form.code


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("label", "", "Label: The label is empty"),
        ("label", "x" * 33, "33 characters"),
        ("label", "Taken", "already has an action with that label"),
        ("target_url", "ftp://partner.example", "Target URL: Not an absolute URL"),
    ],
)
def test_what_clio_would_refuse_is_not_sent(site, session, form, name, value, sentence):
    clio.create_action(session, "Taken", TARGET, at="matters")
    form.read()
    sent = len(site.requests)
    setattr(form, name, value)
    with pytest.raises(InvalidInput):
        form.submit()
    assert sentence in form.status.text
    assert len(site.requests) == sent


def test_a_change_without_an_edit_says_so(form):
    with pytest.raises(InvalidInput):
        form.submit()
    assert "Nothing is changed yet" in form.status.text


def test_a_delete_is_undone_as_a_new_action_and_says_so(session, form, sign):
    form.delete()
    assert labels(session) == []
    assert form.status.kind == "done"
    assert "as a new action with a new id" in form.status.text
    assert form.restore.layout.display == "flex"
    assert form.restore.description == "Undo the delete of Sign"
    made = form.undo()
    assert made.id != sign.id
    assert (made.label, made.target_url, made.location) == (sign.label, sign.target_url, sign.location)
    assert form.status == ("done", f"Made 'Sign' again. It is a new action: its id is {made.id}.")
    assert form.restore.layout.display == "none"
    assert form.chosen == made.id
    with pytest.raises(InvalidInput):
        form.undo()
    assert labels(session) == ["Sign"]


def test_who_watches_the_form_is_told_of_each_change_delete_and_undo(form):
    seen = []
    form.observe(lambda change: seen.append(change["new"] and change["new"].label), "value")
    form.label = "Renamed"
    form.submit()
    form.delete()
    form.undo()
    assert [label for label in seen if label] == ["Renamed", "Renamed", "Renamed"]


def test_deletes_are_undone_last_first(session, form):
    for label in ("Two", "Three"):
        clio.create_action(session, label, TARGET, at="matters")
    form.read()
    for _ in range(3):
        form.delete()
    assert [form.undo().label for _ in range(3)] == ["Three", "Two", "Sign"]


def test_the_filter_narrows_what_is_shown_chosen_and_saved(session, form, drawn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other = clio.create_action(session, "Archive", f"{TARGET}/archive", at="contacts")
    form.read()
    form.containing = " ARCH "
    assert "1 of 2 actions" in drawn(form)
    assert form.chosen == other.id
    [path] = form.save.save(".csv")
    assert pd.read_csv(path)["label"].tolist() == ["Archive"]
    form.containing = "no such thing"
    assert form.chosen == 0
    with pytest.raises(InvalidInput):
        form.delete()


def test_a_hostile_label_is_text_everywhere(session, drawn):
    made = clio.create_action(session, HOSTILE, TARGET, at="matters")
    form = forms.my_actions(session)
    form.read()
    form.delete()
    form.undo()
    form.label = f"{HOSTILE}!"
    assert HOSTILE not in drawn(form)
    assert "<img" not in form._repr_mimebundle_()["text/html"]
    form.submit()
    assert "<img" not in drawn(form)
    assert made.label == HOSTILE


# Two forms, two tabs, two people.


def test_h5_what_somebody_else_changed_is_not_overwritten_and_is_shown(session, form, sign):
    clio.update_action(session, sign, target_url=f"{TARGET}/theirs")
    form.label = "Mine"
    with pytest.raises(errors.Conflict):
        form.submit()
    assert (form.label, form.target_url) == ("Mine", f"{TARGET}/theirs")
    assert labels(session) == ["Sign"]
    form.submit()
    [action] = clio.list_actions(session)
    assert (action.label, action.target_url) == ("Mine", f"{TARGET}/theirs")


def test_h5_what_somebody_else_changed_is_not_deleted_at_the_first_click(session, form, sign):
    clio.update_action(session, sign, label="Theirs")
    with pytest.raises(InvalidInput, match="Somebody changed this action"):
        form.delete()
    assert labels(session) == ["Theirs"]
    assert form.label == "Theirs"
    form.delete()
    assert labels(session) == []
    assert form.undo().label == "Theirs"


@pytest.mark.parametrize("verb", ["submit", "delete"])
def test_what_is_gone_already_is_said_and_no_longer_shown(session, form, sign, verb):
    clio.delete_action(session, sign)
    form.label = "New"
    with pytest.raises(errors.NotFound):
        getattr(form, verb)()
    assert form.status.kind == "failed"
    assert form.chosen == 0
    with pytest.raises(InvalidInput):
        form.undo()


def test_two_clicks_delete_one_action(session, form, until):
    clio.create_action(session, "Other", TARGET, at="contacts")
    form.read()
    form.remove.click()
    form.remove.click()
    until(lambda: not form.busy)
    assert len(labels(session)) == 1


def test_an_undo_beside_one_that_was_made_by_hand_makes_no_second(session, form):
    form.delete()
    clio.create_action(session, "Sign", TARGET, at="matters")
    with pytest.raises(errors.ActionExists):
        form.undo()
    assert labels(session) == ["Sign"]
    assert form.label == "Sign"


def test_a_list_that_comes_late_does_not_bring_back_what_was_deleted(session, form, monkeypatch, until):
    listed, released = [], threading.Event()
    whole = session.aio.list_actions

    async def late():
        listed.append(await whole())
        await asyncio.to_thread(released.wait)
        return listed[0]

    monkeypatch.setattr(session.aio, "list_actions", late)
    reading = loop.submit(form._read)
    until(lambda: listed)
    form.delete()
    released.set()
    reading.result()
    assert form.chosen == 0
    assert [action.label for action in listed[0]] == ["Sign"]


# Clio fails in the middle.


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", ["reset", "status", "html"])
def test_a_delete_that_clio_did_not_confirm_is_looked_up(site, session, form, sign, kind, after):
    site.fault(kind, method="DELETE", after=after)
    if after:
        form.delete()
        assert form.status.kind == "done"
    else:
        with pytest.raises(errors.ClioError):
            form.delete()
        assert form.status.kind == "failed"
        assert form.chosen == sign.id
    assert labels(session) == ([] if after else ["Sign"])
    assert bool(form._deleted) is after


@pytest.mark.parametrize("after", [False, True])
def test_a_delete_while_clio_goes_down_is_undone_once_it_is_known(site, session, form, sign, after):
    site.fault("reset", method="DELETE", after=after)
    site.fault("status", method="GET", path="/api/v4/custom_actions", times=4)
    with pytest.raises(errors.NetworkError, match="did not confirm"):
        form.delete()
    assert form.status.kind == "failed"
    with pytest.raises(InvalidInput):
        form.undo()
    form.read()
    assert labels(session) == ([] if after else ["Sign"])
    if after:
        assert form.undo().label == "Sign"
        assert labels(session) == ["Sign"]
    else:
        with pytest.raises(InvalidInput):
            form.undo()


@pytest.mark.parametrize("fault", ["reset", "status", "rate_limit", "html"])
def test_an_undo_that_fails_can_be_done_again_and_makes_one_action(site, session, form, fault):
    form.delete()
    site.fault(fault, method="POST", path="/api/v4/custom_actions", times=None)
    with clio.timeout(5), pytest.raises(errors.ClioError):
        form.undo()
    assert form.status.kind == "failed"
    site.clear_faults()
    form.undo()
    assert labels(session) == ["Sign"]


def test_a_user_without_access_is_named_and_the_others_are_read(site, drawn):
    mine, other = clio.login(site, user=site.users[0].id), clio.login(site, user=site.users[1].id)
    clio.create_action(mine, "Mine", TARGET, at="matters")
    clio.create_action(other, "Other", TARGET, at="matters")
    form = forms.my_actions([mine, other])
    assert len(form.read()) == 2
    assert site.users[1].name in drawn(form)
    site.revoke(site.users[1].id)
    assert [action.label for _, action in form.read()] == ["Mine", "Other"]
    assert form.status == ("failed", "Read 2 actions. 1 of 2 users could not be read.")
    assert "may be old" in drawn(form)


def test_nobody_signed_in_is_asked_to_sign_in(site, drawn):
    login = forms.login(site)
    form = forms.my_actions(login)
    assert "Sign in first" in drawn(form)
    for verb in (form.read, form.submit, form.delete):
        with pytest.raises(InvalidInput, match="Sign in first"):
            verb()


def test_who_signs_in_later_has_the_actions_here(site, session, sign, until, consent):
    login = forms.login(site)
    form = forms.my_actions(login)
    login.button.click()
    until(lambda: login.authorization_url)
    code = consent(login.authorization_url, session.user.id)
    login.paste.value = code
    until(lambda: form.chosen == sign.id)


def test_an_action_in_an_unknown_location_is_shown_and_not_deleted(site, session, sign, drawn):
    site._state.actions.of(session.user.id)[sign.id].data["ui_reference"] = "invoices/show"
    form = forms.my_actions(session)
    form.read()
    assert "invoices/show" in drawn(form)
    assert form.at is None
    with pytest.raises(InvalidInput, match="could not be made again"):
        form.delete()
    form.label = "Renamed"
    assert "at=" not in form.code


def test_the_table_is_saved_as_excel_too(form, sign, tmp_path, monkeypatch, drawn):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-actions.xlsx").write_text("not ours")
    form.save.view.children[0].children[1].click()
    assert (tmp_path / "my-actions.xlsx").read_text() == "not ours"
    sheet = openpyxl.load_workbook(tmp_path / "my-actions-2.xlsx").active
    assert sheet.max_row == 2
    assert f"Saved my-actions-2.xlsx in {tmp_path}." in drawn(form)
