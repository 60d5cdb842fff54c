"""The form over a whole firm: coverage, plan, apply, stop, undo, and deletes only when they are typed."""

from __future__ import annotations

import time

import pandas as pd
import pytest

import clio_nb as clio
from clio_nb import forms
from clio_nb.errors import InvalidInput
from clio_nb.firm import Firm
from clio_nb.forms import _firm_view
from clio_nb.tables import LOCATION_COLUMNS

MANIFEST = """
[app]
name = "partner-sign"

[[actions]]
key = "sign"
label = "Send for signature"
target_url = "https://partner.example/launch"
locations = ["matters", "documents"]
"""


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "actions.toml"
    path.write_text(MANIFEST)
    return path


@pytest.fixture
def firm(site):
    firm = Firm(site)
    for user in site.users[:3]:
        firm.add(clio.login(site, user=user.id))
    return firm


def all_labels(firm):
    return sorted(firm.actions()["label"])


def pressed(button, form, until):
    button.click()
    until(lambda: not form.busy)


def test_coverage_is_one_table_with_the_reasons(firm, manifest, until, site, drawn):
    form = forms.firm(firm, manifest)
    pressed(form.look, form, until)
    assert drawn(form).count("<table ") == 1
    assert all(user.name in drawn(form) for user in site.users)
    assert "never signed in" in drawn(form)


def test_the_filter_leaves_only_the_rows_that_contain_it(firm, manifest, site, drawn):
    form = forms.firm(firm, manifest)
    form.read_coverage()
    form.containing = site.users[4].name.lower()
    assert site.users[4].name in drawn(form)
    assert site.users[0].name not in drawn(form)


def test_a_plan_is_shown_and_changes_nothing(firm, manifest, until, drawn):
    form = forms.firm(firm, manifest)
    pressed(form.make, form, until)
    assert len(form.plan.changes) == 6
    assert "Send for signature" in drawn(form)
    assert all_labels(firm) == []


def test_apply_does_what_the_plan_says(firm, manifest, until, click):
    form = forms.firm(firm, manifest)
    pressed(form.make, form, until)
    click(form)
    assert form.value
    assert form.status.text.startswith("6 of 6 changes made")
    assert all_labels(firm) == ["Send for signature"] * 6


def test_apply_without_a_plan_asks_for_one(firm, manifest):
    with pytest.raises(InvalidInput):
        forms.firm(firm, manifest).submit()


def test_a_changed_label_is_drawn_as_what_goes_and_what_comes(firm, manifest, drawn):
    form = forms.firm(firm, manifest)
    form.make_plan()
    form.submit()
    manifest.write_text(MANIFEST.replace("Send for signature", "Sign"))
    form.make_plan()
    assert "<del><bdi>Send for signature</bdi></del>" in drawn(form)
    assert "<bdi>Sign</bdi></ins>" in drawn(form)


def test_deletes_need_the_typed_confirmation(firm, manifest):
    form = forms.firm(firm, manifest)
    form.make_plan()
    form.submit()
    form.plan_undo()
    with pytest.raises(InvalidInput) as refused:
        form.submit()
    assert refused.value.field == "confirmation"
    assert len(all_labels(firm)) == 6
    form.confirmation = "delete 6"
    form.submit()
    assert all_labels(firm) == []


def test_stop_ends_a_run_early_and_the_rest_is_reported(site, firm, manifest, until):
    form = forms.firm(firm, manifest)
    form.make_plan()
    site.fault("delay", method="POST", seconds=0.3)
    form.button.click()
    form.halt.click()
    until(lambda: not form.busy)
    assert not form.value
    assert len(all_labels(firm)) < 6


def test_a_bad_manifest_is_said_with_its_place(firm, manifest, until):
    manifest.write_text(MANIFEST.replace("matters", "maters"))
    form = forms.firm(firm, manifest)
    pressed(form.make, form, until)
    assert form.status.kind == "failed"
    assert "maters" in form.status.text
    assert not form.busy


def test_coverage_of_200_users_is_drawn_in_20_ms_as_one_widget():
    cells = {place: ["Send for signature", "– never signed in"] * 100 for place in LOCATION_COLUMNS}
    frame = pd.DataFrame({"user": [f"User {number}" for number in range(200)], **cells}).astype("string")
    _firm_view.coverage(frame)
    fastest = min(_processor_time(_firm_view.coverage, frame) for _ in range(5))
    assert fastest <= 0.020


def _processor_time(work, *arguments):
    started = time.process_time()
    work(*arguments)
    return time.process_time() - started
