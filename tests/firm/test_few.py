"""A plan for a few users asks Clio for them alone, and still says why somebody cannot be read."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from clio_nb.errors import InvalidInput
from clio_nb.firm import Firm
from clio_nb.firm.manifest import Manifest, Who
from clio_nb.sandbox import Sandbox

LIST, WHO, USERS = "GET /api/v4/custom_actions", "GET /api/v4/users/who_am_i", "GET /api/v4/users"


@pytest.fixture
def asked(clio_sandbox: Sandbox, firm: Firm) -> Callable[[], list[str]]:
    """The requests since the firm signed in."""
    before = len(clio_sandbox.requests)
    return lambda: [f"{each['method']} {each['path']}" for each in clio_sandbox.requests[before:]]


def chosen(manifest: Manifest, **who: tuple[str, ...]) -> Manifest:
    (action,) = manifest.actions
    return msgspec.structs.replace(manifest, actions=(msgspec.structs.replace(action, who=Who(**who)),))  # type: ignore[arg-type] -- all are texts


@pytest.mark.clio_sandbox(users=450)
@pytest.mark.parametrize("named", ["id", "email", "list", "EMAIL"])
def test_a_plan_for_one_user_of_a_large_firm_reads_her_list_and_nothing_else(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest, asked: Callable[[], list[str]], named: str
) -> None:
    user = clio_sandbox.users[44]
    one = {"id": user.id, "email": user.email, "list": [user.id], "EMAIL": user.email.upper()}[named]
    plan = firm.plan(manifest, users=one)
    assert plan.counts() == {"create": 2}
    assert {item.user_id for item in plan.items} == {user.id}
    assert {item.user for item in plan.items} == {user.name}
    assert asked() == [LIST]


def test_who_is_chosen_by_role_or_type_is_asked_who_she_is(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest, asked: Callable[[], list[str]]
) -> None:
    user = clio_sandbox.users[0]
    by_type = chosen(manifest, subscription_types=("Attorney",))
    assert firm.plan(by_type, users=user.id).counts() == {"create": 2}
    assert asked() == [WHO, LIST]


@pytest.mark.parametrize("end", ["disable", "revoke"])
@pytest.mark.parametrize("verb", ["plan", "offboard"])
def test_why_a_user_cannot_be_read_is_said_as_for_everyone(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest, end: str, verb: str
) -> None:
    user = clio_sandbox.users[1].id
    getattr(clio_sandbox, end)(user)
    make = (lambda users: applied.plan(manifest, users=users)) if verb == "plan" else applied.plan_offboard
    alone, all_of_them = make(user), make(None)
    of_her = [item for item in all_of_them.items if item.user_id == user]
    assert list(alone.items) == of_her
    assert {item.reason for item in of_her} == {"disabled user" if end == "disable" else "revoked"}


@pytest.mark.parametrize("several", [list, set])
@pytest.mark.parametrize("wrong", ["nobody@x.example", 7, 2**70, ""])
def test_a_user_whom_the_firm_does_not_have_is_named_though_others_are_known(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest, wrong: int | str, several: type[list[int | str]]
) -> None:
    with pytest.raises(InvalidInput, match="is not a user of this firm"):
        firm.plan(manifest, users=several([clio_sandbox.users[0].id, wrong]))


def test_a_manifest_that_names_others_is_not_held_against_a_plan_for_one(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    one, other = clio_sandbox.users[:2]
    named = chosen(manifest, users=(one.email, other.email))
    assert firm.plan(named, users=one.id).notes == ()
    assert firm.plan(named).notes == ()


def test_a_plan_for_nobody_is_empty(firm: Firm, manifest: Manifest) -> None:
    assert firm.plan(manifest, users=[]).items == ()


def test_a_user_named_twice_is_planned_once(firm: Firm, clio_sandbox: Sandbox, manifest: Manifest) -> None:
    user = clio_sandbox.users[0]
    assert firm.plan(manifest, users=[user.id, user.email, user.id]).counts() == {"create": 2}
