"""Plan, apply, drift, export, audit: the verbs over a firm that has no problem."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from clio_nb.errors import InvalidInput, ManifestError, NeedsLogin
from clio_nb.firm import Firm, actions_table, survey
from clio_nb.firm.manifest import Action, AppOf, Manifest, Who, parse_manifest, read_manifest
from clio_nb.firm.plan.plan import Plan
from clio_nb.launches import verify_launch
from clio_nb.login import login
from clio_nb.models import App
from clio_nb.sandbox import Sandbox
from clio_nb.secret import Secret
from clio_nb.vault import Vault
from clio_nb.vocabulary import Region

from .conftest import TARGET, on_matters, seen_by_all, writes

LABEL = "Send for signature"


def test_a_first_run_gives_everyone_what_the_manifest_says(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    plan = firm.plan(manifest)
    assert plan.counts() == {"create": 10}
    result = firm.apply(plan, progress=False)
    assert result
    assert result.counts() == {"done": 10}
    expected = {
        (user.id, LABEL, TARGET, place) for user in clio_sandbox.users for place in ("matters/show", "documents/show")
    }
    assert seen_by_all(firm) == expected


def test_planning_writes_nothing(firm: Firm, clio_sandbox: Sandbox, manifest: Manifest) -> None:
    firm.plan(manifest)
    firm.coverage(manifest)
    firm.drift(manifest)
    assert writes(clio_sandbox) == []


def test_a_first_run_reads_once_per_user_and_writes_once_per_action(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    before = len(clio_sandbox.requests)
    firm.apply(firm.plan(manifest), progress=False)
    seen = [(request["method"], request["path"]) for request in clio_sandbox.requests[before:]]
    assert sorted(seen) == sorted(
        [("GET", "/api/v4/users"), *[("GET", "/api/v4/custom_actions")] * 5, *[("POST", "/api/v4/custom_actions")] * 10]
    )


def test_a_second_run_reads_once_per_user_and_writes_nothing(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    before = len(clio_sandbox.requests)
    result = applied.apply(applied.plan(manifest), progress=False)
    assert result
    assert result.results == ()
    seen = [(request["method"], request["path"]) for request in clio_sandbox.requests[before:]]
    assert sorted(seen) == sorted([("GET", "/api/v4/users"), *[("GET", "/api/v4/custom_actions")] * 5])


def test_a_renamed_and_moved_action_keeps_its_id(applied: Firm, manifest: Manifest) -> None:
    before = set(applied.actions()["action_id"])
    (action,) = manifest.actions
    changed = msgspec.structs.replace(action, label="Sign now", target_url="https://partner.example/v2")
    assert applied.apply(applied.plan(msgspec.structs.replace(manifest, actions=(changed,))), progress=False)
    after = applied.actions()
    assert set(after["action_id"]) == before
    assert set(after["label"]) == {"Sign now"}
    assert set(after["target_url"]) == {"https://partner.example/v2"}


def test_roles_types_names_and_exclusions_choose_the_users(firm: Firm, clio_sandbox: Sandbox) -> None:
    users = clio_sandbox.users
    some = Action(
        key="a",
        label="A",
        target_url=TARGET,
        locations=("matters",),
        who=Who(roles=("reports",), users=(users[4].email,), exclude=(users[0].id,)),
    )
    attorneys = Action(
        key="b", label="B", target_url=TARGET, locations=("folders",), who=Who(subscription_types=("Attorney",))
    )
    firm.apply(firm.plan(Manifest(app=AppOf("partner"), actions=(some, attorneys))), progress=False)
    actions = firm.actions()
    assert set(actions.loc[actions["label"] == "A", "user_id"]) == {users[2].id, users[4].id}
    assert set(actions.loc[actions["label"] == "B", "user_id"]) == {user.id for user in users[:3]}


def test_a_plan_may_be_for_some_users_only(firm: Firm, clio_sandbox: Sandbox, manifest: Manifest) -> None:
    plan = firm.plan(manifest, users=[clio_sandbox.users[1].id, clio_sandbox.users[2].email.upper()])
    assert {item.user_id for item in plan.items} == {user.id for user in clio_sandbox.users[1:3]}
    with pytest.raises(InvalidInput, match="is not a user of this firm"):
        firm.plan(manifest, users="nobody@x.example")


def test_a_manifest_that_names_nobody_is_noted(firm: Firm, manifest: Manifest) -> None:
    (action,) = manifest.actions
    named = msgspec.structs.replace(action, who=Who(users=("nobody@x.example",)))
    plan = firm.plan(msgspec.structs.replace(manifest, actions=(named,)))
    assert plan.notes == ("Action 'sign' names 'nobody@x.example', who is not a user of this firm.",)
    assert "nobody@x.example" in plan._repr_html_()


def test_a_manifest_of_another_region_is_refused(firm: Firm, manifest: Manifest) -> None:
    european = msgspec.structs.replace(manifest, app=AppOf("partner", Region.EU))
    with pytest.raises(ManifestError, match="the manifest is for eu, but this app is in us"):
        firm.plan(european)


def test_a_profile_leads_elsewhere_and_moves_the_same_actions(applied: Firm, manifest: Manifest) -> None:
    dev = msgspec.structs.replace(manifest, profiles={"dev": {"sign": "https://dev.example/launch"}})
    plan = applied.plan(dev, profile="dev")
    assert plan.counts() == {"update": 10}
    applied.apply(plan, progress=False)
    assert set(applied.actions()["target_url"]) == {"https://dev.example/launch"}
    assert applied.plan(dev).counts() == {"update": 10}


def test_a_plan_states_its_cost_and_shows_itself_as_a_table(applied: Firm, manifest: Manifest) -> None:
    (action,) = manifest.actions
    renamed = msgspec.structs.replace(manifest, actions=(msgspec.structs.replace(action, label="<b>Sign</b>"),))
    plan = applied.plan(renamed)
    assert (plan.cost().calls, plan.cost().calls_per_token, plan.cost().seconds) == (10, 2, 0)
    assert "10 calls, at most 2 per token" in repr(plan)
    page = plan._repr_html_()
    assert "&lt;b&gt;Sign&lt;/b&gt;" in page
    assert "<b>" not in page
    frame = plan.to_frame()
    assert frame["changes"].iloc[0] == "label: 'Send for signature' → '<b>Sign</b>'"
    assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == {
        "user_id": "Int64",
        "user": "string",
        "kind": "category",
        "key": "string",
        "location": "category",
        "label": "string",
        "target_url": "string",
        "changes": "string",
        "reason": "string",
        "advice": "string",
        "action_id": "Int64",
    }


def test_a_plan_saved_and_loaded_is_the_same_and_can_be_applied(firm: Firm, manifest: Manifest, tmp_path: Path) -> None:
    plan = firm.plan(manifest)
    plan.save(tmp_path / "plan.json")
    loaded = Plan.load(tmp_path / "plan.json")
    assert loaded == plan
    assert firm.apply(loaded, progress=False)
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(InvalidInput, match="not a saved plan"):
        Plan.load(tmp_path / "plan.json")
    with pytest.raises(InvalidInput, match="cannot be read"):
        Plan.load(tmp_path / "none.json")


def test_a_plan_of_another_firm_is_refused(firm: Firm, clio_sandbox: Sandbox, manifest: Manifest) -> None:
    with pytest.raises(InvalidInput, match="not for this one"):
        Firm(clio_sandbox, name="Other LLP").apply(firm.plan(manifest), progress=False)


def test_exactly_the_plan_is_done_and_nothing_else(firm: Firm, clio_sandbox: Sandbox, manifest: Manifest) -> None:
    plan = firm.plan(manifest)
    part = msgspec.structs.replace(plan, items=plan.items[:3])
    firm.apply(part, progress=False)
    assert len(firm.actions()) == 3
    assert writes(clio_sandbox) == ["POST"] * 3


def test_what_there_is_can_be_exported_and_planned_with_nothing_to_do(
    applied: Firm, clio_sandbox: Sandbox, tmp_path: Path
) -> None:
    session = applied.session_of(clio_sandbox.users[0].id)
    session.create_action("Only mine", "https://else.example/", at="contacts")
    session.create_action("send for SIGNATURE", "https://else.example/", at="contacts")
    applied.export(tmp_path / "actions.toml", app="partner")
    exported = read_manifest(tmp_path / "actions.toml")
    assert {action.key: action.who for action in exported.actions} == {
        "send-for-signature": Who(),
        "only-mine": Who(users=(clio_sandbox.users[0].email,)),
        "send-for-signature-2": Who(users=(clio_sandbox.users[0].email,)),
    }
    assert applied.plan(exported).counts() == {"ok": 12}


def test_drift_is_empty_until_somebody_changes_something_by_hand(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    assert applied.drift().empty
    assert applied.drift(manifest).empty
    session = applied.session_of(clio_sandbox.users[0].id)
    session.update_action(on_matters(session), label="Autograph")
    for drift in (applied.drift(), applied.drift(manifest)):
        assert drift[["user_id", "reason", "changes"]].to_numpy().tolist() == [
            [clio_sandbox.users[0].id, "renamed by hand", "label: 'Autograph' → 'Send for signature'"]
        ]


def test_the_audit_says_who_got_what_when_before_and_after(applied: Firm, manifest: Manifest) -> None:
    (action,) = manifest.actions
    renamed = msgspec.structs.replace(manifest, actions=(msgspec.structs.replace(action, label="Sign"),))
    result = applied.apply(applied.plan(renamed), progress=False)
    audit = applied.audit()
    assert len(audit) == 20
    last = applied.audit(result.run)
    assert len(last) == 10
    assert set(last["label_before"]) == {LABEL}
    assert set(last["label_after"]) == {"Sign"}
    assert set(last["outcome"]) == {"done"}
    assert str(last["at"].dtype) == "datetime64[ns, UTC]"
    assert last["at"].notna().all()
    assert applied.runs()["purpose"].tolist() == ["plan", "plan"]
    with pytest.raises(InvalidInput, match="This firm has no run 'x'"):
        applied.audit("x")


def test_a_firm_finds_the_session_that_proves_a_launch(applied: Firm, clio_sandbox: Sandbox) -> None:
    user = clio_sandbox.users[1].id
    action = on_matters(applied.session_of(user))
    url = clio_sandbox.click(user, action.id, clio_sandbox.records("matters")[0]["subject_url"])
    verdict = verify_launch(url, applied)
    assert verdict
    assert not verify_launch(url, applied)


def test_a_user_without_a_token_has_no_session(clio_sandbox: Sandbox) -> None:
    firm = Firm(clio_sandbox)
    with pytest.raises(NeedsLogin, match="never signed in"):
        firm.session_of(clio_sandbox.users[0].id)
    assert clio_sandbox.requests == []


def test_users_of_another_firm_are_not_added(clio_sandbox: Sandbox) -> None:
    firm = Firm(clio_sandbox)
    firm.add(login(clio_sandbox))
    with Sandbox(seed=9) as other:
        stranger = login(other)
        with pytest.raises(InvalidInput, match="belong to several firms"):
            firm.add(stranger)
    assert len(firm.users()) == 5


def test_everyone_of_a_sandbox_who_is_enabled_is_signed_in_once(clio_sandbox: Sandbox) -> None:
    clio_sandbox.disable(clio_sandbox.users[3].id)
    firm = Firm(clio_sandbox)
    users = firm.sign_in_everyone()
    assert [user.id for user in users] == [
        user.id for user in clio_sandbox.users if user.id != clio_sandbox.users[3].id
    ]
    assert all(firm.session_of(user.id).who_am_i().id == user.id for user in users)


def test_signing_everyone_in_is_for_sandboxes_only() -> None:
    with pytest.raises(InvalidInput, match="Only a sandbox"):
        Firm(App(Region.US, "app", Secret("hush"))).sign_in_everyone()


def test_two_firms_of_one_vault_do_not_see_each_other(clio_sandbox: Sandbox) -> None:
    vault = Vault()
    first, second = Firm(clio_sandbox, vault, name="First"), Firm(clio_sandbox, vault, name="Second")
    first.add(login(clio_sandbox))
    assert first.users()["access"].tolist().count("signed in") == 1
    assert second.users().empty
    assert vault.firms(clio_sandbox) == ["First"]


def test_a_lasting_vault_and_its_ledger_are_found_again(
    clio_sandbox: Sandbox, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    path, key = tmp_path / "vault.sqlite", tmp_path / "key"
    first = Firm(clio_sandbox, Vault.open(path, key_file=key))
    first.sign_in_everyone()
    first.apply(first.plan(manifest), progress=False)
    second = Firm(clio_sandbox, Vault.open(path, key_file=key))
    assert second.plan(manifest).counts() == {"ok": 10}
    assert len(second.audit()) == 10
    assert isinstance(second.runs(), pd.DataFrame)
    assert {file.name for file in tmp_path.glob("*.sqlite")} == {"vault.sqlite"}


def test_sessions_that_you_hold_yourself_make_a_table_too(applied: Firm, clio_sandbox: Sandbox) -> None:
    one, other = (applied.session_of(user.id) for user in clio_sandbox.users[:2])
    assert len(actions_table(one)) == 2
    both = actions_table([one, other])
    assert both["user_id"].tolist() == [clio_sandbox.users[0].id] * 2 + [clio_sandbox.users[1].id] * 2
    assert both["user"].tolist()[0] == clio_sandbox.users[0].name


def test_a_firm_larger_than_what_is_read_ahead_is_read_whole(
    firm: Firm, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "AHEAD", 2)
    monkeypatch.setattr(survey, "KEPT", 1)
    assert firm.apply(firm.plan(manifest), progress=False)
    assert firm.plan(manifest).counts() == {"ok": 10}
    assert firm.coverage().index.tolist() == firm.users()["user_id"].tolist()


def test_ids_out_of_a_table_name_users_as_plain_ones_do(clio_sandbox: Sandbox, tmp_path: Path) -> None:
    firm = Firm(clio_sandbox, Vault.open(tmp_path / "vault.sqlite", key_file=tmp_path / "key"))
    firm.sign_in_everyone()
    manifest = parse_manifest(
        '[app]\nname = "p"\n[[actions]]\nkey = "a"\nlabel = "A"\nlocations = ["matters"]\n'
        'target_url = "https://partner.example/launch"\n'
    )
    ids = firm.users()["user_id"]
    one = np.int64(ids[0])
    assert firm.session_of(one).user.id == ids[0]
    assert firm.vault.grant(clio_sandbox, np.uint64(one)) == firm.vault.grant(clio_sandbox, int(one))
    assert firm.vault.source(clio_sandbox, one) is firm.vault.source(clio_sandbox, int(one))
    for users, meant in ((one, 1), ([one], 1), (ids[:2], 2), (ids.to_numpy(np.int32), 5), (np.array(ids[:3]), 3)):
        assert firm.plan(manifest, users=users).counts() == {"create": meant}
    who = Who(users=(one,))
    for_one = msgspec.structs.replace(
        manifest, actions=tuple(msgspec.structs.replace(each, who=who) for each in manifest.actions)
    )
    assert firm.apply(firm.plan(for_one), progress=False).counts() == {"done": 1}
    firm.vault.remove(clio_sandbox, one)
    assert firm.vault.grant(clio_sandbox, int(one)) is None


@pytest.mark.parametrize("wrong", ["5", 2**70, 1.5, None])
def test_what_cannot_be_a_user_id_is_refused_in_words(firm: Firm, wrong: Any) -> None:
    with pytest.raises(InvalidInput, match="is not a user id"):
        firm.session_of(wrong)
