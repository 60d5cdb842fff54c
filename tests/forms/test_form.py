"""What all forms promise: code that does the same, a fallback without widgets, and errors that lead to their field."""

from __future__ import annotations

import asyncio
import logging

import pytest

import clio_nb as clio
from clio_nb import forms
from clio_nb.errors import InvalidInput
from clio_nb.forms._form import Form, Status


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
