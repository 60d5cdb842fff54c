"""The form over a whole firm: coverage, plan, apply, stop, undo, and deletes only when they are typed."""

from __future__ import annotations

import sys
import time

import pandas as pd
import pytest

import clio_nb as clio
from clio_nb import forms
from clio_nb.errors import InvalidInput
from clio_nb.firm import Firm
from clio_nb.firm.manifest import read_manifest
from clio_nb.forms import _firm_view
from clio_nb.http import timeouts
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


# A plan belongs to what it was made from.


def another_path(form, manifest, _site, _clock):
    other = manifest.with_name("other.toml")
    other.write_text(MANIFEST.replace("Send for signature", "Another"))
    form.manifest = str(other)


def no_path(form, _manifest, _site, _clock):
    form.fields["manifest"].value = ""


def an_option(form, _manifest, _site, _clock):
    form.allow_delete = True


def new_text(_form, manifest, _site, _clock):
    manifest.write_text(MANIFEST.replace("Send for signature", "Another"))


def no_file(_form, manifest, _site, _clock):
    manifest.unlink()


def a_broken_file(_form, manifest, _site, _clock):
    manifest.write_text("[app")


def ten_minutes(_form, _manifest, _site, clock):
    clock[0] += 600


def somebody_signs_in(form, _manifest, site, _clock):
    form._who.firm.add(clio.login(site, user=site.users[3].id))


def somebody_is_removed(form, _manifest, site, _clock):
    form._who.firm.vault.remove(site, site.users[0].id)


AT_ONCE = (another_path, no_path, an_option, somebody_signs_in, somebody_is_removed)
SEEN_SOON = (new_text, no_file, a_broken_file, ten_minutes)
NOT_OF_AN_UNDO = (new_text, no_file, a_broken_file)


@pytest.fixture
def clock(monkeypatch):
    """Make the library's clock start where it is, and move with what is added to it."""
    real, added = timeouts.now, [0.0]
    monkeypatch.setattr(timeouts, "now", lambda: real() + added[0])
    return added


@pytest.mark.parametrize("undo", [False, True], ids=["plan", "undo"])
@pytest.mark.parametrize("change", AT_ONCE + SEEN_SOON, ids=lambda change: change.__name__)
def test_a_plan_is_not_applied_once_what_it_was_made_from_has_changed(firm, manifest, site, clock, change, undo):
    form = forms.firm(firm, manifest)
    form.make_plan()
    if undo:
        form.submit()
        form.plan_undo()
    before = all_labels(firm)
    assert form.button.layout.display == "flex"
    change(form, manifest, site, clock)
    if change in AT_ONCE:
        assert form.plan is None
        assert form.button.layout.display == "none"
        assert form.status.text.endswith("Plan again.")
    if undo and change in NOT_OF_AN_UNDO:
        form.confirmation = "delete 6"
        form.submit()
        assert all_labels(firm) == []
        return
    with pytest.raises(InvalidInput):
        form.submit()
    assert form.plan is None
    assert form.button.layout.display == "none"
    gone = {somebody_is_removed: 2} if undo else {}
    assert all_labels(firm) == before[gone.get(change, 0) :]


@pytest.mark.parametrize("change", SEEN_SOON, ids=lambda change: change.__name__)
def test_a_plan_is_taken_back_by_itself_when_its_file_changes_or_it_gets_old(
    firm, manifest, site, clock, change, until, monkeypatch, drawn
):
    monkeypatch.setitem(vars(sys.modules["clio_nb.forms.firm"]), "WATCH", 0.01)
    form = forms.firm(firm, manifest)
    form.make_plan()
    assert "Send for signature" in drawn(form)
    change(form, manifest, site, clock)
    until(lambda: form.plan is None and form.status.text.endswith("Plan again."))
    assert "Send for signature" not in drawn(form)


def test_a_plan_of_a_manifest_in_memory_is_dropped_when_that_is_changed(firm, manifest):
    given = read_manifest(manifest)
    form = forms.firm(firm, given)
    form.make_plan()
    given.profiles["dev"] = {"sign": "https://dev.partner.example/launch"}
    with pytest.raises(InvalidInput, match=r"has changed|Make a plan first"):  # the form may have noticed it already
        form.submit()
    assert form.plan is None


def test_what_changes_while_a_plan_is_made_keeps_it_from_being_offered(firm, manifest, site, until):
    form = forms.firm(firm, manifest)
    site.fault("delay", seconds=0.3)
    form.make.click()
    form.allow_delete = True
    until(lambda: not form.busy)
    assert form.plan is None
    assert form.status.text == "Something was changed while the plan was made. Plan again."


@pytest.mark.parametrize("verb", ["make_plan", "plan_undo"])
def test_a_plan_that_fails_leaves_no_earlier_one_armed(firm, manifest, site, verb):
    form = forms.firm(firm, manifest)
    form.make_plan()
    form.submit()
    form.plan_undo()
    site.fault("status", status=503, times=None)
    with clio.timeout(0.5), pytest.raises(clio.ClioError):
        getattr(form, verb)()
    assert form.plan is None
    assert form.button.layout.display == "none"


def test_a_plan_is_applied_once(firm, manifest):
    form = forms.firm(firm, manifest)
    form.make_plan()
    form.submit()
    with pytest.raises(InvalidInput, match="Make a plan first"):
        form.submit()


# The coverage tells how old it is.


def test_after_a_run_the_coverage_shows_what_the_run_did(firm, manifest, until, drawn, click):
    form = forms.firm(firm, manifest)
    form.read_coverage()
    form.make_plan()
    assert "not there yet" in drawn(form)
    click(form)
    assert form.status.text.startswith("6 of 6 changes made")
    assert "not there yet" not in drawn(form)
    assert "before run" not in drawn(form)


@pytest.mark.parametrize("why", ["it cannot be read", "the run was stopped"])
def test_where_it_is_not_read_again_the_coverage_is_marked_as_older_than_the_run(firm, manifest, site, drawn, why):
    form = forms.firm(firm, manifest)
    form.read_coverage()
    form.make_plan()
    apply = firm.aio.apply

    async def apply_then_spoil(*arguments, **options):
        result = await apply(*arguments, **options)
        if why == "it cannot be read":
            manifest.unlink()
        else:
            form.stop()
        return result

    firm.aio.apply = apply_then_spoil
    result = form.submit()
    assert result
    assert f"before run {result.run}" in drawn(form)
    if why == "it cannot be read":
        manifest.write_text(MANIFEST)
    form.read_coverage()
    assert "before run" not in drawn(form)


def test_the_coverage_says_when_it_was_read_and_for_which_manifest(firm, manifest, drawn):
    form = forms.firm(firm, manifest)
    form.read_coverage()
    assert "Read at " in drawn(form)
    form.manifest = "other.toml"
    assert f"for {manifest}. Read it again for the manifest above." in drawn(form)
    form.manifest = str(manifest)
    assert "Read it again" not in drawn(form)


def test_the_code_does_exactly_what_the_form_would_do(firm, manifest, session):
    form = forms.firm(firm)
    assert form.code == "firm.coverage()"
    form.manifest = str(manifest)
    exec(form.code, {"clio": clio, "firm": firm})  # noqa: S102 -- our own code is what is tested
    assert len(all_labels(firm)) == 6
    mine = forms.firm([session], manifest)
    exec(mine.code, {"clio": clio, "sessions": [session]})  # noqa: S102 -- as above


def test_the_code_of_a_plan_to_undo_undoes(firm, manifest):
    form = forms.firm(firm, manifest)
    form.make_plan()
    form.submit()
    form.plan_undo()
    assert f"plan = firm.plan_undo({form.value.run!r})" in form.code
    exec(form.code, {"clio": clio, "firm": firm})  # noqa: S102 -- as above
    assert all_labels(firm) == []


def test_enter_plans_in_the_manifests_field_and_applies_where_deletes_are_confirmed(firm, manifest, until):
    form = forms.firm(firm, manifest)
    for name, seen in (("manifest", lambda: form.plan), ("containing", lambda: True)):
        form.fields[name]._handle_custom_msg({"event": "submit"}, [])
        until(lambda seen=seen: seen() and not form.busy)
    assert all_labels(firm) == []
    form.submit()
    form.plan_undo()
    form.confirmation = "Delete 6 "
    form.fields["confirmation"]._handle_custom_msg({"event": "submit"}, [])
    until(lambda: not form.busy and not all_labels(firm))


def test_the_firm_of_a_sign_in_form_is_planned_applied_and_undone(site, manifest):
    login = forms.login(site)
    form = forms.firm(login, manifest)
    login.sessions = tuple(clio.login(site, user=user.id) for user in site.users[:2])
    form.make_plan()
    assert form.submit()
    assert [len(clio.list_actions(session)) for session in login.sessions] == [2, 2]
    form.plan_undo()
    login.sign_out()
    assert form.plan is None
    form.plan_undo()
    form.confirmation = "delete 2"
    form.submit()
    assert clio.list_actions(login.sessions[0]) == []


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


def test_who_uses_it_draws_what_was_recorded_and_says_where_from(site, manifest, until, drawn):
    firm = Firm(site, record=True)
    session = clio.login(site)
    firm.add(session)
    assert clio.verify_launch(site.click_on(session.user.id, "https://partner.example/launch"), firm)
    form = forms.firm(firm, manifest)
    pressed(form.use, form, until)
    assert drawn(form).count('<svg role="img"') == 4
    assert "1 confirmed click in 1 day" in drawn(form)
    assert "record=True" in form.status.text
    assert form.draw_usage()[0].title == "1 confirmed click in 1 day"
