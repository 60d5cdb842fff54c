"""What can go wrong while a whole firm is written, and what is promised instead (the H rows of the threat list)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from clio_nb.errors import ClientRefused, NeedsLogin
from clio_nb.firm import Firm
from clio_nb.firm.apply.apply import Outcome, Result
from clio_nb.firm.manifest import Manifest
from clio_nb.http import retry
from clio_nb.http.timeouts import timeout
from clio_nb.models import App
from clio_nb.sandbox import Sandbox
from clio_nb.secret import Secret

from .conftest import TARGET, on_matters, seen_by_all, somebody, writes

LABEL = "Send for signature"
ACTIONS = "/api/v4/custom_actions"


def outcomes(result: Result, user_id: int) -> list[Outcome]:
    return [line.outcome for line in result.results if line.item.user_id == user_id]


def relabelled(manifest: Manifest, label: str = "Sign now") -> Manifest:
    (action,) = manifest.actions
    return msgspec.structs.replace(manifest, actions=(msgspec.structs.replace(action, label=label),))


def is_as_planned(firm: Firm, manifest: Manifest) -> bool:
    return firm.plan(manifest).counts() == {"ok": 10}


@pytest.mark.parametrize("retry_after", ["seconds", "date", "none", "nonsense"])
def test_h1_a_429_holds_up_that_user_alone_and_for_a_bounded_time(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest, moved: list[float], retry_after: str
) -> None:
    slow = clio_sandbox.users[1].id
    clio_sandbox.fault("rate_limit", method="POST", user_id=slow, retry_after=retry_after, seconds=7)
    assert firm.apply(firm.plan(manifest), progress=False)
    assert is_as_planned(firm, manifest)
    assert 0 < sum(moved) <= 120
    assert [request["user_id"] for request in clio_sandbox.requests if request["status"] == 429] == [slow]


def test_h1_a_run_longer_than_the_budget_of_a_minute_meets_no_429(
    clio_sandbox: Sandbox, manifest: Manifest, moved: list[float]
) -> None:
    clio_sandbox.rate_limit = 4
    firm = Firm(clio_sandbox)
    firm.sign_in_everyone()
    (action,) = manifest.actions
    locations = ("activities", "contacts", "documents", "folders", "matters")
    wanted = msgspec.structs.replace(manifest, actions=(msgspec.structs.replace(action, locations=locations),))
    assert firm.apply(firm.plan(wanted), progress=False)
    assert len(firm.actions()) == 25
    assert all(request["status"] != 429 for request in clio_sandbox.requests)
    assert moved


@pytest.mark.parametrize("kind", ["status", "reset", "truncated", "html"])
def test_h2_a_read_that_fails_is_read_again(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest, moved: list[float], kind: Any
) -> None:
    clio_sandbox.fault(kind, method="GET", path=ACTIONS, user_id=clio_sandbox.users[1].id, status=503, times=2)
    plan = firm.plan(manifest)
    readable = kind in ("status", "reset", "html")
    assert plan.counts() == ({"create": 10} if readable else {"create": 8, "blocked": 2})
    assert bool(moved) == readable


@pytest.mark.clio_sandbox(users=60, rate_limit=None)
def test_h2_an_outage_is_not_answered_with_a_storm_of_retries(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest, moved: list[float]
) -> None:
    clio_sandbox.fault("status", method="GET", path=ACTIONS, status=503, times=None)
    before = len(clio_sandbox.requests)
    plan = firm.plan(manifest)
    assert {item.reason for item in plan.blocked} == {"not readable"}
    assert len(clio_sandbox.requests) - before <= 60 + 1 + retry.RETRY_BUDGET
    assert moved


@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize("kind", ["reset", "status", "html"])
def test_h3_a_create_whose_answer_is_lost_is_read_back_and_made_once(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest, moved: list[float], kind: Any, arrived: bool
) -> None:
    clio_sandbox.fault(kind, method="POST", path=ACTIONS, after=arrived, status=502)
    assert firm.apply(firm.plan(manifest), progress=False)
    assert len(firm.actions()) == 10
    assert is_as_planned(firm, manifest)


@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize("kind", ["reset", "status", "html"])
def test_h3_an_update_whose_answer_is_lost_is_read_back(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest, moved: list[float], kind: Any, arrived: bool
) -> None:
    wanted = relabelled(manifest)
    clio_sandbox.fault(kind, method="PATCH", after=arrived, status=502)
    assert applied.apply(applied.plan(wanted), progress=False)
    assert is_as_planned(applied, wanted)


@pytest.mark.parametrize("arrived", [True, False])
def test_h3_a_delete_whose_answer_is_lost_is_read_back(applied: Firm, clio_sandbox: Sandbox, arrived: bool) -> None:
    clio_sandbox.fault("reset", method="DELETE", after=arrived)
    assert applied.offboard(progress=False)
    assert applied.actions().empty


def test_h3_what_cannot_be_known_is_said_so_and_found_out_by_the_next_run(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest, moved: list[float]
) -> None:
    user = clio_sandbox.users[2].id
    clio_sandbox.fault("reset", method="POST", user_id=user, after=True)
    plan = firm.plan(manifest)
    clio_sandbox.fault("status", method="GET", user_id=user, path=ACTIONS, times=None)
    result = firm.apply(plan, progress=False)
    assert not result
    assert outcomes(result, user)[0] is Outcome.UNKNOWN
    assert "Plan again to see" in result.failed[0].message
    clio_sandbox.clear_faults()
    assert firm.apply(firm.plan(relabelled(manifest)), progress=False), "found again although its label changed since"
    assert is_as_planned(firm, relabelled(manifest))


def test_h3_each_write_is_verified_and_an_answer_that_differs_is_read_again(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    user = clio_sandbox.users[0].id
    action = on_matters(applied.session_of(user))
    odd = {"data": {"id": action.id, "label": "Odd", "target_url": TARGET, "ui_reference": "matters/show"}}
    one = f"{ACTIONS}/{action.id}"
    plan = applied.plan(relabelled(manifest))
    clio_sandbox.fault("status", method="PATCH", path=one, status=200, body=odd, after=True)
    assert applied.apply(plan, progress=False), "it was carried out, only the answer was odd"
    back = applied.plan(manifest)
    clio_sandbox.fault("status", method="PATCH", path=one, status=200, body=odd)
    (conflict,) = applied.apply(back, progress=False).failed
    assert (conflict.outcome, "now it is 'Sign now'" in conflict.message) == (Outcome.CONFLICT, True)


def test_h3_an_action_that_clio_keeps_differently_is_reported_and_is_ours(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    user = clio_sandbox.users[0].id
    made = {
        "id": 12345,
        "etag": '"1"',
        "label": LABEL,
        "target_url": "https://elsewhere.example/",
        "ui_reference": "documents/show",
    }
    clio_sandbox.fault("status", method="POST", user_id=user, status=201, body={"data": made})
    clio_sandbox.fault("status", method="GET", path=f"{ACTIONS}/12345", status=200, body={"data": made})
    (conflict,) = firm.apply(firm.plan(manifest), progress=False).failed
    assert f"differently than it was sent: {LABEL!r} to https://elsewhere.example/ (id 12345)" in conflict.message
    clio_sandbox.fault("status", method="GET", path=ACTIONS, user_id=user, status=200, body={"data": [made]})
    update = next(item for item in firm.plan(manifest).changes if item.action_id == 12345)
    assert (update.kind, update.reason) == ("update", "other target")


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_h3_a_change_that_is_lost_twice_is_not_known_and_not_tried_a_third_time(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest, method: str
) -> None:
    user = clio_sandbox.users[0].id
    plan = applied.plan(relabelled(manifest)) if method == "PATCH" else applied.plan_offboard()
    clio_sandbox.fault("reset", method=method, user_id=user, times=2)
    result = applied.apply(plan, progress=False)
    assert outcomes(result, user) == [Outcome.UNKNOWN, Outcome.DONE]
    assert result.counts() == {"done": 9, "unknown": 1}
    assert applied.apply(applied.plan(relabelled(manifest)), progress=False)
    assert is_as_planned(applied, relabelled(manifest))


@pytest.mark.parametrize("kind", ["truncated", "html", "wrong_record"])
def test_h4_an_answer_that_is_none_is_a_typed_failure_without_secrets(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest, moved: list[float], kind: Any
) -> None:
    clio_sandbox.fault(kind, method="POST", path=ACTIONS, times=None, status=200)
    user = clio_sandbox.users[0].id
    result = firm.apply(firm.plan(manifest, users=user), progress=False)
    text = repr(result) + str(result.to_frame().to_dict()) + result._repr_html_()
    grant = firm.vault.grant(clio_sandbox, user)
    assert grant is not None
    assert grant.token.access.reveal() not in text
    clio_sandbox.clear_faults()
    assert firm.apply(firm.plan(manifest), progress=False)
    assert is_as_planned(firm, manifest)


def test_h5_a_change_by_somebody_else_is_reported_with_both_versions_and_not_overwritten(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    plan = applied.plan(relabelled(manifest))
    session = applied.session_of(clio_sandbox.users[0].id)
    theirs = session.update_action(on_matters(session), target_url="https://theirs.example/")
    result = applied.apply(plan, progress=False)
    (conflict,) = result.failed
    assert conflict.outcome is Outcome.CONFLICT
    assert f"'{LABEL}' to {TARGET}" in conflict.message
    assert "https://theirs.example/" in conflict.message
    assert session.get_action(theirs.id) == theirs
    assert result.counts() == {"done": 9, "conflict": 1}


def test_h5_an_action_deleted_since_the_plan_is_a_conflict(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    plan = applied.plan(relabelled(manifest))
    session = applied.session_of(clio_sandbox.users[0].id)
    session.delete_action(on_matters(session))
    (conflict,) = applied.apply(plan, progress=False).failed
    assert (conflict.outcome, "deleted since the plan" in conflict.message) == (Outcome.CONFLICT, True)


def test_h5_a_label_that_came_since_the_plan_is_a_conflict_and_the_same_action_is_taken_as_done(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    plan = firm.plan(manifest)
    one, other = (somebody(clio_sandbox, user.id) for user in clio_sandbox.users[:2])
    one.create_action(LABEL, "https://theirs.example/", at="matters")
    same = other.create_action(LABEL, TARGET, at="matters")
    result = firm.apply(plan, progress=False)
    assert result.counts() == {"done": 9, "conflict": 1}
    assert on_matters(one).target_url == "https://theirs.example/"
    assert on_matters(other) == same


def test_h5_what_was_changed_since_the_plan_is_not_deleted(applied: Firm, clio_sandbox: Sandbox) -> None:
    plan = applied.plan_offboard()
    session = applied.session_of(clio_sandbox.users[0].id)
    theirs = session.update_action(on_matters(session), label="Mine now")
    result = applied.apply(plan, progress=False)
    assert [line.outcome for line in result.failed] == [Outcome.CONFLICT]
    assert session.list_actions() == [theirs]


def test_h7_one_users_failure_stops_nobody_else_and_the_table_says_who_why_and_what_to_do(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    plan = firm.plan(manifest)
    gone = clio_sandbox.users[1].id
    clio_sandbox.revoke(gone)
    result = firm.apply(plan, progress=False)
    assert not result
    assert outcomes(result, gone) == [Outcome.FAILED, Outcome.FAILED]
    assert result.counts() == {"done": 8, "failed": 2}
    failed = result.to_frame().query("outcome != 'done'")
    assert set(failed["user_id"]) == {gone}
    assert failed["message"].str.contains("Sign the user in again|sign in again").all()
    assert "sign in again" in firm.plan(manifest).blocked[0].advice


def test_h7_a_refused_value_of_one_user_lets_that_users_other_items_go_on(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    user = clio_sandbox.users[1].id
    body = {"error": {"type": "RecordInvalid", "message": "no"}}
    clio_sandbox.fault("status", method="POST", user_id=user, status=422, body=body)
    result = firm.apply(firm.plan(manifest), progress=False)
    assert outcomes(result, user) == [Outcome.FAILED, Outcome.DONE]


def test_h7_an_app_that_clio_does_not_know_is_said_at_once(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    wrong = App(clio_sandbox.region, clio_sandbox.client_id, Secret("wrong"), origin=clio_sandbox.origin)
    clio_sandbox.advance(2_592_001)
    with pytest.raises(ClientRefused):
        Firm(wrong, firm.vault).plan(manifest)
    assert all(grant.problem == "" for grant in firm.vault.grants(clio_sandbox))


def test_h8_deletes_are_off_by_default_and_counted_before_they_run(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    nothing = msgspec.structs.replace(manifest, actions=())
    plan = applied.plan(nothing)
    assert plan.counts() == {"orphan": 10}
    assert applied.apply(plan, progress=False).results == ()
    assert len(applied.actions()) == 10
    allowed = applied.plan(nothing, allow_delete=True)
    assert "10 delete" in repr(allowed)
    assert applied.apply(allowed, progress=False).counts() == {"done": 10}
    assert applied.actions().empty


def test_h8_deletes_are_limited_to_what_this_manifest_owns(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    session = applied.session_of(clio_sandbox.users[0].id)
    theirs = somebody(clio_sandbox, session.user.id).create_action("Theirs", "https://theirs.example/", at="folders")
    other = msgspec.structs.replace(manifest, app=msgspec.structs.replace(manifest.app, name="another"), actions=())
    assert applied.plan(other, allow_delete=True).counts() == {"foreign": 11}
    applied.apply(applied.plan(msgspec.structs.replace(manifest, actions=()), allow_delete=True), progress=False)
    assert session.list_actions() == [theirs]


def test_h10_what_this_library_does_not_know_is_shown_and_never_deleted(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    user = clio_sandbox.users[0].id
    strange = {"id": 5, "etag": '"1"', "label": None, "target_url": None, "ui_reference": "bills/show", "colour": "red"}
    clio_sandbox.fault(
        "status", method="GET", path=ACTIONS, user_id=user, status=200, body={"data": [strange]}, times=None
    )
    plan = applied.plan(manifest, allow_delete=True)
    (foreign,) = [item for item in plan.items if item.kind == "foreign"]
    assert foreign.location == "bills/show"
    assert "bills/show" in plan.to_frame()["location"].tolist()
    assert not any(item.kind == "delete" for item in plan.items)


def test_h13_two_runs_that_know_nothing_of_each_other_make_no_second_button(
    clio_sandbox: Sandbox, firm: Firm, manifest: Manifest
) -> None:
    other = Firm(clio_sandbox)  # with a vault of its own, so with another ledger and no common leases
    other.sign_in_everyone()
    first, second = firm.plan(manifest), other.plan(manifest)
    assert firm.apply(first, progress=False)
    assert other.apply(second, progress=False)
    assert len(firm.actions()) == 10
    assert is_as_planned(other, manifest)


def test_h13_duplicates_are_reported_and_none_is_deleted_in_silence(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    somebody(clio_sandbox, clio_sandbox.users[0].id).create_action("Twice", TARGET, at="matters")
    plan = applied.plan(manifest)
    assert plan.counts() == {"ok": 10, "duplicate": 1}
    assert applied.apply(plan, progress=False).results == ()
    assert len(applied.actions()) == 11
    assert applied.plan(manifest, allow_delete=True).counts() == {"delete": 1, "ok": 10}


def test_nothing_is_sent_for_a_plan_with_nothing_to_do(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    plan = applied.plan(manifest)
    before = len(clio_sandbox.requests)
    applied.apply(plan, progress=False)
    assert len(clio_sandbox.requests) == before
    assert len(writes(clio_sandbox)) == 10
    assert len(seen_by_all(applied)) == 10


def test_a_session_without_access_says_so(firm: Firm, clio_sandbox: Sandbox) -> None:
    session = firm.session_of(clio_sandbox.users[0].id)
    clio_sandbox.revoke(clio_sandbox.users[0].id)
    with pytest.raises(NeedsLogin):
        session.list_actions()


@pytest.mark.parametrize("kind", ["create", "update", "delete"])
def test_h3_a_change_that_never_left_this_machine_is_called_not_sent(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest, kind: str
) -> None:
    if kind == "create":
        assert applied.offboard(progress=False)
    plan = applied.plan_offboard() if kind == "delete" else applied.plan(relabelled(manifest))
    assert {item.kind for item in plan.changes} == {kind}
    asked = len(clio_sandbox.requests)
    with timeout(0):
        result = applied.apply(plan, progress=False)
    assert result.counts() == {"not sent": 10}
    assert len(clio_sandbox.requests) == asked
    noted = applied.audit(result.run)
    assert set(noted["outcome"]) == {"not sent"}
    assert noted["at"].isna().all()
