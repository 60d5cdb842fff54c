"""The form that looks into a launch: it explains, has it proved once, and keeps no nonce where others can read it."""

from __future__ import annotations

import asyncio
import importlib
import threading

import pandas as pd
import pytest

import clio_nb as clio
from clio_nb import forms, tables
from clio_nb.errors import InvalidInput
from clio_nb.http import timeouts

launch_form = importlib.import_module("clio_nb.forms.launch")


@pytest.fixture(autouse=True)
def _nothing_counts_on(monkeypatch):
    """Stop the countdowns of a test with it: their ticks would move the clock of the next one."""
    counting, count = [], forms.LaunchForm._count
    monkeypatch.setattr(forms.LaunchForm, "_count", lambda form: (counting.append(form), count(form)))
    yield
    for form in counting:
        form._stop_counting()


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
        clock[0] += seconds if seconds == 1 else 0  # others of this process wait for something else
        await asyncio.sleep(0)

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


def paste(form, text):
    """Put a text into the box as the browser does: at once."""
    form.url.set_state({"value": text})


TIDIED = {
    "a line break after it": ("{}\n", "Removed 1 line break."),
    "spaces around it": ("  {} ", "Removed 3 spaces."),
    "Windows line breaks": ("\r\n{}\r\n", "Removed 2 line breaks."),
    "a tab and a no-break space": ("\t{}\u00a0", "Removed 2 spaces."),
    "a byte order mark": ("\ufeff{}\u200b", "Removed 2 invisible characters."),
    "quotes": ('"{}"', "Removed 2 quotes."),
    "brackets": (" <{}> ", "Removed 2 spaces and 2 brackets."),
}


@pytest.mark.parametrize("how", TIDIED)
def test_what_came_along_around_a_launch_is_removed_and_said(session, url, how):
    around, said = TIDIED[how]
    form = forms.launch(session)
    paste(form, around.format(url))
    assert form.report
    assert form.url.value == ""
    assert form.status.text.endswith(said)


@pytest.mark.parametrize("inside", ["\n", " ", "\r\n", "\n  ", "\u00ad"])
def test_a_launch_that_was_broken_in_the_middle_is_joined_and_verified(session, url, click, inside):
    form = forms.launch(session)
    middle = len(url) // 2
    paste(form, url[:middle] + inside + url[middle:])
    assert form.report
    assert "Removed" in form.status.text
    click(form)
    assert form.value.state == "verified"


@pytest.mark.parametrize(
    "text", ["hello", "https://partner.example/launch?custom_action_id=1", "  \n\n", "partner.example"]
)
def test_what_is_not_understood_stays_in_the_box_to_be_corrected(session, text):
    form = forms.launch(session)
    paste(form, text)
    assert form.url.value == text
    assert not form.report


@pytest.mark.parametrize(
    "text",
    [
        "curl {}",
        "{}&custom_action_nonce=two",
        "https://partner.example/?custom%5Faction%5Fnonce=n0nce-canary",
        "custom_action_nonce=n0nce-canary",
    ],
)
def test_s2_a_box_that_may_hold_a_nonce_is_emptied_also_when_it_is_no_launch(session, url, text):
    form = forms.launch(session)
    paste(form, text.format(url))
    assert form.url.value == ""
    assert not form.report
    assert form.status.kind == "failed"
    assert "canary" not in str(form._repr_mimebundle_()) + form.status.text
    assert url.rpartition("=")[2] not in form.status.text + form._parts.value


def test_what_is_typed_letter_by_letter_is_read_when_it_is_complete(session, url, click):
    form = forms.launch(session)
    for end in range(1, len(url) + 1):
        paste(form, url[:end])
    assert form.report is None
    assert form.url.value == url
    click(form)
    assert form.url.value == ""
    assert form.value.state == "verified"


def test_a_letter_in_the_middle_of_what_was_pasted_is_no_paste(session, url):
    form = forms.launch(session)
    paste(form, "https//partner.example/launch?custom_action_id=1")
    report = form.report
    paste(form, "https://partner.example/launch?custom_action_id=1")
    assert form.report is report
    paste(form, url)
    assert form.report


def test_a_new_launch_clears_the_old_verdict(site, session, url, click):
    form = forms.launch(session)
    paste(form, url)
    click(form)
    assert "The record" in form._steps.value
    paste(form, "nothing of the kind")
    assert (form._steps.value, form._left.value, form.value) == ("", "", None)
    assert form.status.kind == "failed"
    assert "The record" not in form._steps.value


def test_a_spent_nonce_is_never_counted_down(session, url, click):
    """Many times over: it was a race between the countdown and the button."""
    form = forms.launch(session)
    for _ in range(30):
        paste(form, url)
        click(form)
        assert "works for another" not in form._left.value
        paste(form, url)
        assert form._left.value == ""
        assert "used before" in form.status.text


def test_a_nonce_that_was_spent_elsewhere_in_this_process_is_not_counted_down(session, url):
    assert clio.verify_launch(url, session)
    form = forms.launch(session)
    paste(form, url)
    assert form._left.value == ""
    assert form.status.kind == "failed"
    assert "used before" in form.status.text


def test_the_countdown_goes_on_while_nothing_was_sent(site, session, url, click):
    other = clio.login(site, user=site.users[1].id)
    form = forms.launch(other)
    paste(form, url)
    click(form)
    assert (form.value.state, form.value.nonce_sent) == ("refused", False)
    assert "works for another" in form._left.value


def test_the_same_launch_pasted_again_is_as_old_as_it_was(session, url, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(timeouts, "now", lambda: clock[0])
    form = forms.launch(session)
    form.inspect(url)
    clock[0] += 50
    form.inspect(url)
    assert form._arrived == 100


def test_the_status_does_not_ask_to_verify_what_is_too_old(session, url, until, monkeypatch):
    clock = [0.0]

    async def tick(seconds):
        clock[0] += seconds if seconds == 1 else 0  # others of this process wait for something else
        await asyncio.sleep(0)

    monkeypatch.setattr(timeouts, "now", lambda: clock[0])
    monkeypatch.setattr(timeouts, "sleep", tick)
    form = forms.launch(session)
    form.inspect(url)
    until(lambda: "seconds old" in form._left.value)
    until(lambda: form.status == ("idle", ""))


def test_what_is_pasted_while_clio_is_asked_waits_for_the_verdict(site, session, url, until, monkeypatch):
    asked, released = threading.Event(), threading.Event()
    whole = launch_form.verify_report

    async def late(*args, **kwargs):
        asked.set()
        await asyncio.to_thread(released.wait)
        return await whole(*args, **kwargs)

    monkeypatch.setattr(launch_form, "verify_report", late)
    form = forms.launch(session)
    paste(form, url)
    form.button.click()
    assert asked.wait(60)
    assert form.url.disabled
    second = url.replace("custom_action_nonce=", "custom_action_nonce=x")
    paste(form, second)
    with pytest.raises(InvalidInput):
        form.inspect(second)
    released.set()
    until(lambda: form.url.value == "" and not form.busy)
    assert form.value is None
    assert form.report.launch.nonce.reveal().startswith("x")
    assert not form.url.disabled


def test_the_address_without_its_nonce_can_be_passed_on(session, url):
    form = forms.launch(session)
    paste(form, f"{url}")
    nonce = url.partition("custom_action_nonce=")[2]
    assert "custom_action_nonce=scrubbed-nonce" in form._address.value.replace("<wbr>", "")
    assert nonce not in form._address.value
    paste(form, "no launch")
    assert form._address.layout.display == "none"


def test_every_table_is_saved_beside_the_notebook_and_none_holds_the_nonce(
    session, url, click, tmp_path, monkeypatch, drawn
):
    monkeypatch.chdir(tmp_path)
    form = forms.launch(session)
    assert form.save.view.layout.display == "none"
    paste(form, url)
    click(form)
    form.save.view.children[0].children[0].click()
    names = ["launch-parts", "launch-record", "launch-steps"]
    assert sorted(path.stem for path in tmp_path.iterdir()) == names
    assert f"in {tmp_path}." in drawn(form)
    form.save.save(".xlsx")
    nonce = url.partition("custom_action_nonce=")[2].encode()
    assert not any(nonce in path.read_bytes() for path in tmp_path.iterdir())
    assert pd.read_csv(tmp_path / "launch-steps.csv")["name"].tolist()[0] == "parsed"
    assert form.value.record.title in (tmp_path / "launch-record.csv").read_text()


def test_a_folder_that_cannot_be_written_is_said_and_nothing_is_left(session, url, click, tmp_path, monkeypatch, drawn):
    monkeypatch.chdir(tmp_path)
    form = forms.launch(session)
    paste(form, url)
    click(form)

    def full(frame, path):
        if "record" in path.name:
            raise OSError(28, "No space left on device")
        return whole(frame, path)

    whole = tables.save_table
    monkeypatch.setattr(tables, "save_table", full)
    form.save.view.children[0].children[0].click()
    assert list(tmp_path.iterdir()) == []
    assert "cannot save there (No space left on device)." in drawn(form)


def test_nobody_signed_in_can_look_and_is_asked_to_sign_in_to_verify(site, session, url):
    form = forms.launch(forms.login(site))
    paste(form, url)
    assert form.report
    with pytest.raises(InvalidInput, match="Sign in first"):
        form.submit()
