"""A run can be undone, and users offboarded, without touching what somebody changed since."""

from __future__ import annotations

import msgspec
import pytest

from clio_nb.errors import InvalidInput
from clio_nb.firm import Firm
from clio_nb.firm.manifest import Manifest
from clio_nb.sandbox import Sandbox

from .conftest import TARGET, on_matters, seen_by_all, somebody

LABEL = "Send for signature"


def relabelled(manifest: Manifest) -> Manifest:
    (action,) = manifest.actions
    return msgspec.structs.replace(manifest, actions=(msgspec.structs.replace(action, label="Sign now"),))


def last_run(firm: Firm) -> str:
    return str(firm.runs()["run"].iloc[-1])


def test_undoing_a_first_run_removes_what_it_made_and_nothing_else(applied: Firm, clio_sandbox: Sandbox) -> None:
    run = last_run(applied)
    session = applied.session_of(clio_sandbox.users[0].id)
    theirs = session.create_action("Theirs", "https://theirs.example/", at="folders")
    plan = applied.plan_undo(run)
    assert plan.counts() == {"delete": 10}
    assert applied.apply(plan, progress=False)
    assert session.list_actions() == [theirs]
    assert len(applied.actions()) == 1


def test_undoing_a_change_brings_back_how_it_was_with_the_same_ids(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    ids, seen = set(applied.actions()["action_id"]), seen_by_all(applied)
    applied.apply(applied.plan(relabelled(manifest)), progress=False)
    assert seen_by_all(applied) != seen
    assert applied.undo(last_run(applied), progress=False)
    assert seen_by_all(applied) == seen
    assert set(applied.actions()["action_id"]) == ids
    assert applied.drift().empty


def test_undoing_deletes_makes_the_actions_again_and_they_are_ours(applied: Firm, manifest: Manifest) -> None:
    seen = seen_by_all(applied)
    nothing = msgspec.structs.replace(manifest, actions=())
    applied.apply(applied.plan(nothing, allow_delete=True), progress=False)
    assert applied.actions().empty
    assert applied.undo(last_run(applied), progress=False)
    assert seen_by_all(applied) == seen
    assert applied.plan(relabelled(manifest)).counts() == {"update": 10}


def test_an_undo_can_be_undone(applied: Firm) -> None:
    seen = seen_by_all(applied)
    applied.undo(last_run(applied), progress=False)
    applied.undo(last_run(applied), progress=False)
    assert seen_by_all(applied) == seen


def test_what_somebody_changed_since_is_not_undone(applied: Firm, clio_sandbox: Sandbox) -> None:
    session = applied.session_of(clio_sandbox.users[0].id)
    session.update_action(on_matters(session), label="Mine now")
    plan = applied.plan_undo(last_run(applied))
    (blocked,) = plan.blocked
    assert (blocked.reason, blocked.user_id) == ("changed since", clio_sandbox.users[0].id)
    assert applied.apply(plan, progress=False)
    assert [action.label for action in session.list_actions()] == ["Mine now"]


def test_undoing_twice_finds_nothing_to_do(applied: Firm) -> None:
    run = last_run(applied)
    applied.undo(run, progress=False)
    assert applied.plan_undo(run).changes == ()


def test_a_user_without_access_is_named_by_an_undo(applied: Firm, clio_sandbox: Sandbox) -> None:
    clio_sandbox.revoke(clio_sandbox.users[0].id)
    plan = applied.plan_undo(last_run(applied))
    assert plan.counts() == {"delete": 8, "blocked": 2}
    assert {item.reason for item in plan.blocked} == {"revoked"}


def test_a_run_that_never_was_cannot_be_undone(applied: Firm) -> None:
    with pytest.raises(InvalidInput, match=f"This firm has no run 'x'.*{last_run(applied)}"):
        applied.undo("x", progress=False)


def test_offboarding_everyone_removes_ours_and_lists_what_is_left_for_hands(
    applied: Firm, clio_sandbox: Sandbox
) -> None:
    gone, users = clio_sandbox.users[1].id, clio_sandbox.users
    theirs = somebody(clio_sandbox, users[0].id).create_action("Theirs", "https://theirs.example/", at="folders")
    clio_sandbox.revoke(gone)
    plan = applied.plan_offboard()
    assert plan.counts() == {"delete": 8, "foreign": 1, "blocked": 2}
    assert all("removed by hand" in item.advice and item.user_id == gone and item.action_id for item in plan.blocked)
    assert applied.offboard(progress=False)
    assert applied.actions()["action_id"].tolist() == [theirs.id]


def test_one_user_can_be_offboarded_by_email(applied: Firm, clio_sandbox: Sandbox) -> None:
    user = clio_sandbox.users[2]
    assert applied.offboard(user.email, progress=False).counts() == {"done": 2}
    assert user.id not in set(applied.actions()["user_id"])
    assert len(applied.actions()) == 8


def test_p4_with_an_empty_ledger_the_manifest_says_what_is_ours(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    elsewhere = Firm(clio_sandbox)
    elsewhere.sign_in_everyone()
    somebody(clio_sandbox, clio_sandbox.users[0].id).create_action("Older name", TARGET, at="contacts")
    plan = elsewhere.plan_offboard()
    assert plan.counts() == {"foreign": 11}
    assert {item.reason for item in plan.items} == {"not in the ledger"}
    assert plan.leaves_ours
    assert "11 actions of this app are not in the ledger" in plan.notes[0]
    by_manifest = elsewhere.plan_offboard(manifest=manifest)
    assert not by_manifest.leaves_ours
    assert elsewhere.apply(by_manifest, progress=False).counts() == {"done": 11}
    assert applied.actions().empty
