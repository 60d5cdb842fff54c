"""What is written without a manifest is ours too; and what the ledger does not know is said (P4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import clio_nb as clio
from clio_nb.cli import main
from clio_nb.errors import NeedsLogin, NetworkError, RunInProgress
from clio_nb.firm import Firm
from clio_nb.firm.manifest import Manifest
from clio_nb.http import loop
from clio_nb.sandbox import Sandbox
from clio_nb.session import Session
from clio_nb.vault import Vault, new_key

from .conftest import TARGET, TOML, leases_end, on_matters, somebody
from .test_machines import hold

MINE = ("Mine", "https://mine.example/", "contacts")


@pytest.fixture
def session(firm: Firm, clio_sandbox: Sandbox) -> Session:
    return firm.session_of(clio_sandbox.users[0].id)


def test_what_a_session_of_a_firm_makes_changes_and_deletes_is_in_the_audit_and_can_be_undone(
    firm: Firm, session: Session
) -> None:
    made = session.create_action(*MINE)
    session.update_action(made, label="Mine now")
    assert firm.runs()["purpose"].tolist() == ["create_action", "update_action"]
    assert firm.audit()[["kind", "outcome", "label_after"]].to_numpy().tolist() == [
        ["create", "done", "Mine"],
        ["update", "done", "Mine now"],
    ]
    assert firm.undo(firm.runs()["run"][1], progress=False)
    assert session.get_action(made.id).label == "Mine"
    assert firm.undo(firm.runs()["run"][0], progress=False)
    assert session.list_actions() == []
    assert firm.offboard(progress=False).results == ()


def test_plans_never_touch_it_and_drift_says_nothing_of_it(applied: Firm, session: Session, manifest: Manifest) -> None:
    made = session.create_action(*MINE)
    twin = session.create_action("Twin", TARGET, "matters")
    nothing = msgspec.structs.replace(manifest, actions=())
    assert applied.plan(manifest, allow_delete=True).counts() == {"ok": 10, "foreign": 2}
    assert applied.plan(nothing, allow_delete=True).counts() == {"delete": 10, "foreign": 2}
    assert {item.reason for item in applied.plan(manifest).items if item.kind == "foreign"} == {
        "made without a manifest"
    }
    assert applied.drift().empty
    somebody(applied.site, session.user.id).update_action(made, label="By hand")  # type: ignore[arg-type] -- a sandbox
    assert applied.drift().empty
    assert {made.id, twin.id} <= {action.id for action in session.list_actions()}


def test_offboarding_lists_it_apart_and_removes_it(applied: Firm, session: Session, manifest: Manifest) -> None:
    session.create_action(*MINE)
    plan = applied.plan_offboard()
    assert plan.counts() == {"delete": 11}
    assert [item.reason for item in plan.items if not item.key] == ["made without a manifest"]
    assert "1 of these actions were made without a manifest." in plan.notes
    assert applied.plan_offboard(manifest=manifest).counts() == {"delete": 10, "foreign": 1}
    assert applied.apply(plan, progress=False)
    assert applied.actions().empty


def test_one_that_is_as_a_manifest_wants_it_is_taken_over_by_it(
    firm: Firm, session: Session, manifest: Manifest
) -> None:
    session.create_action("Send for signature", TARGET, "matters")
    assert firm.plan(manifest).counts() == {"create": 9, "ok": 1}
    assert firm.apply(firm.plan(manifest), progress=False)
    assert firm.plan_offboard().notes == ()


def test_its_label_is_taken_and_the_way_out_is_said(firm: Firm, session: Session, manifest: Manifest) -> None:
    session.create_action("Send for signature", "https://mine.example/", "matters")
    (blocked,) = firm.plan(manifest).blocked
    assert "was made without a manifest. Delete it with delete_action" in blocked.advice


def test_what_a_session_made_before_it_was_added_is_ours_too(clio_sandbox: Sandbox) -> None:
    firm, session = Firm(clio_sandbox), somebody(clio_sandbox, clio_sandbox.users[0].id)
    gone, kept = session.create_action(*MINE), session.create_action("Also", "https://also.example/", "matters")
    session.delete_action(gone)
    firm.add(session)
    assert [item.action_id for item in firm.plan_offboard().changes] == [kept.id]
    session.create_action(*MINE)
    assert firm.plan_offboard().counts() == {"delete": 2}
    assert firm.offboard(progress=False)
    assert session.list_actions() == []


def test_a_change_of_what_a_plan_made_is_a_change_by_hand(applied: Firm, session: Session) -> None:
    runs = len(applied.runs())
    session.update_action(on_matters(session), label="By hand")
    assert len(applied.runs()) == runs
    assert applied.drift()["reason"].tolist() == ["renamed by hand"]


def test_p2_a_session_waits_for_the_run_that_holds_its_user(
    firm: Firm, session: Session, clio_sandbox: Sandbox, moved: list[float]
) -> None:
    hold(firm, session.user.id, "another")
    sent = len(clio_sandbox.requests)
    with pytest.raises(RunInProgress, match="Another run is changing this user"):
        session.create_action(*MINE)
    assert len(clio_sandbox.requests) == sent
    leases_end(firm)
    session.create_action(*MINE)


def test_h3_a_create_whose_answer_is_lost_is_noted_as_unknown_and_found_by_an_undo(
    firm: Firm, session: Session, clio_sandbox: Sandbox, moved: list[float]
) -> None:
    clio_sandbox.fault("reset", method="POST", user_id=session.user.id, after=True)
    clio_sandbox.fault(
        "status", method="GET", status=503, user_id=session.user.id, path="/api/v4/custom_actions", times=9
    )
    with pytest.raises(NetworkError, match="did not confirm"):
        session.create_action(*MINE)
    clio_sandbox.clear_faults()
    assert firm.audit()["outcome"].tolist() == ["unknown"]
    assert firm.plan_undo(firm.runs()["run"][0]).counts() == {"delete": 1}


def test_p3_many_sessions_write_at_once_and_all_is_noted(firm: Firm, clio_sandbox: Sandbox) -> None:
    sessions = [firm.session_of(user.id).aio for user in clio_sandbox.users for _ in range(3)]

    async def all_at_once() -> None:
        labels = (f"Action {number}" for number in range(len(sessions)))
        await asyncio.gather(
            *(each.create_action(label, TARGET, "matters") for each, label in zip(sessions, labels, strict=True))
        )

    loop.run(all_at_once)
    assert firm.plan_offboard().counts() == {"delete": 15}


@pytest.mark.parametrize("with_manifest", [True, False])
@pytest.mark.parametrize("ledger", ["the same", "empty"])
def test_p4_a_disabled_leaver_is_listed_as_to_be_removed_by_hand(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest, ledger: str, with_manifest: bool
) -> None:
    leaver = clio_sandbox.users[1]
    firm = applied
    if ledger == "empty":
        firm = Firm(clio_sandbox)
        firm.sign_in_everyone()
    clio_sandbox.disable(leaver.id)
    for users in (leaver.email, leaver.id, None):
        plan = firm.plan_offboard(users, manifest=manifest if with_manifest else None)
        of_her = [item for item in plan.blocked if item.user_id == leaver.id]
        assert len(of_her) == (1 if ledger == "empty" and not with_manifest else 2)
        assert {item.reason for item in of_her} == {"disabled user"}
        assert all("by hand" in item.advice for item in of_her)
        assert plan.leaves_ours


@pytest.mark.parametrize("with_manifest", [True, False])
@pytest.mark.parametrize("left", ["one", "everyone"])
def test_p4_a_leaver_whose_token_is_gone_is_listed_as_to_be_removed_by_hand(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest, with_manifest: bool, left: str
) -> None:
    """Clio's list does not show the leaver, or there is no token with which to read it."""
    leaver = clio_sandbox.users[1]
    for user in clio_sandbox.users if left == "everyone" else (leaver,):
        applied.vault.remove(clio_sandbox, user.id)
    if left == "one":
        clio_sandbox.fault(kind="status", status=403, path="/api/v4/users", times=None)
    for users in (leaver.id, None):
        plan = applied.plan_offboard(users, manifest=manifest if with_manifest else None)
        of_her = [item for item in plan.blocked if item.user_id == leaver.id]
        assert [item.user for item in of_her] == [leaver.name] * 2
        assert all("by hand" in item.advice for item in of_her)
        assert plan.leaves_ours
    if left == "one":
        assert leaver.id in applied.drift()["user_id"].to_list()


def test_p4_drift_lists_what_an_empty_ledger_cannot_judge(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    elsewhere = Firm(clio_sandbox)
    elsewhere.sign_in_everyone()
    drift = elsewhere.drift()
    assert set(drift["reason"]) == {"not in the ledger"}
    assert len(drift) == 10
    assert elsewhere.drift(manifest).empty
    assert elsewhere.apply(elsewhere.plan(manifest), progress=False).results == ()
    assert elsewhere.drift().empty, "the manifest has told what is ours"


@pytest.fixture
def terminal(
    clio_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Run a command on a machine: its name is the file of its vault."""
    monkeypatch.setenv("CLIO_NB_KEY", new_key().reveal())
    (tmp_path / "actions.toml").write_text(TOML)

    def run(machine: str, *words: str) -> tuple[int, str]:
        where = ["--site", clio_sandbox.origin, "--vault", str(tmp_path / f"{machine}.sqlite")]
        monkeypatch.setattr("sys.argv", ["clio-nb", *words, *where])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().out

    return run


def test_p4_offboard_with_an_empty_ledger_ends_with_1_and_says_the_way_out(
    terminal: Callable[..., tuple[int, str]], clio_sandbox: Sandbox, tmp_path: Path
) -> None:
    manifest = str(tmp_path / "actions.toml")
    assert terminal("one", "apply", manifest, "--yes")[0] == 0
    code, said = terminal("two", "offboard", "--yes")
    assert (code, "not in the ledger" in said, "--manifest" in said) == (1, True, True)
    assert len(clio.login(clio_sandbox).list_actions()) == 2
    assert terminal("two", "offboard", "--yes", "--manifest", manifest)[0] == 0
    assert clio.login(clio_sandbox).list_actions() == []


def test_p3_every_machine_that_shares_a_vault_offboards_and_undoes_what_another_did(
    terminal: Callable[..., tuple[int, str]], clio_sandbox: Sandbox, tmp_path: Path
) -> None:
    assert terminal("shared", "apply", str(tmp_path / "actions.toml"), "--yes")[0] == 0
    clio_sandbox.disable(clio_sandbox.users[4].id)
    code, said = terminal("shared", "offboard", "--yes")
    assert (code, "8 done" in said, "disabled user" in said) == (1, True, True)


def test_p8_the_vault_alone_is_opened_and_only_when_something_is_asked(tmp_path: Path, clio_sandbox: Sandbox) -> None:
    vault = Vault.open(tmp_path / "vault.sqlite", key_file=tmp_path / "key")
    vault.close()
    opened: list[Any] = []
    vault.database._made = lambda: opened.append(1)  # type: ignore[method-assign, func-returns-value, assignment]
    firms = [Firm(clio_sandbox, vault, name=f"firm {number}") for number in range(1000)]
    assert len(firms) == 1000
    assert opened == []


@pytest.mark.parametrize("verb", ["plan", "plan_offboard", "drift"])
def test_p4_where_nobody_has_signed_in_nothing_is_said_to_be_right(
    verb: str, clio_sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "actions.toml").write_text(TOML)
    with pytest.raises(NeedsLogin, match="has signed in"):
        getattr(clio.Firm(clio_sandbox), verb)(*([tmp_path / "actions.toml"] if verb == "plan" else []))
