"""The coverage table answers "why does my colleague not see the button?", with and without a manifest."""

from __future__ import annotations

import pandas as pd
import pytest

from clio_nb.database.firm_key import FirmKey
from clio_nb.errors import NeedsLogin
from clio_nb.firm import Firm
from clio_nb.firm.manifest import Manifest
from clio_nb.login import login
from clio_nb.models import Token, User
from clio_nb.sandbox import Sandbox
from clio_nb.secret import Secret
from clio_nb.tables import LOCATION_COLUMNS
from clio_nb.vault import Grant
from clio_nb.vocabulary import Location, Region

from .conftest import TARGET, on_matters, somebody

MATTERS = Location.MATTERS.value
LABEL = "Send for signature"


@pytest.fixture(params=["with the manifest", "without it"])
def held_against(request: pytest.FixtureRequest, manifest: Manifest) -> Manifest | None:
    return manifest if request.param == "with the manifest" else None


def test_what_users_see_is_in_the_cells_and_what_is_not_wanted_has_a_reason_too(
    applied: Firm, held_against: Manifest | None
) -> None:
    coverage = applied.coverage(held_against)
    assert (coverage[[MATTERS, "documents/show"]] == LABEL).all(axis=None)
    assert (coverage[["activities/show", "contacts/show", "folders/show"]] == "– not wanted").all(axis=None)


def test_the_columns_are_stable(applied: Firm, held_against: Manifest | None) -> None:
    coverage = applied.coverage(held_against)
    assert coverage.columns.tolist() == ["user", "access", *LOCATION_COLUMNS]
    assert {str(dtype) for dtype in coverage.drop(columns="access").dtypes} == {"string"}
    assert (coverage.index.name, str(coverage.index.dtype)) == ("user_id", "Int64")


def test_a_user_who_never_signed_in_is_named_so(clio_sandbox: Sandbox, manifest: Manifest) -> None:
    firm = Firm(clio_sandbox)
    firm.add(login(clio_sandbox))
    coverage = firm.coverage(manifest)
    assert coverage["access"].tolist() == ["signed in", *["never signed in"] * 4]
    assert coverage[MATTERS].tolist() == ["– not there yet", *["– never signed in"] * 4]


def test_a_revoked_user_is_named_so(applied: Firm, clio_sandbox: Sandbox, held_against: Manifest | None) -> None:
    clio_sandbox.revoke(clio_sandbox.users[2].id)
    assert applied.coverage(held_against)[MATTERS].tolist() == [LABEL, LABEL, "– revoked", LABEL, LABEL]


def test_a_token_that_cannot_be_renewed_any_more_is_named_expired(
    applied: Firm, clio_sandbox: Sandbox, held_against: Manifest | None
) -> None:
    user = clio_sandbox.users[1]
    applied.vault.keep(clio_sandbox, User(id=user.id), Token(access=Secret("ended")))
    assert applied.coverage(held_against).loc[user.id, MATTERS] == "– expired"


def test_a_missing_permission_is_named_so(clio_sandbox: Sandbox, manifest: Manifest) -> None:
    firm = Firm(clio_sandbox)
    firm.add(login(clio_sandbox))
    clio_sandbox.permissions = clio_sandbox.permissions - {"custom_actions"}
    late = clio_sandbox.users[1].id
    firm.add(login(clio_sandbox, late))
    assert firm.coverage(manifest).loc[late, MATTERS] == "– no permission"
    advice = next(item.advice for item in firm.plan(manifest).blocked if item.user_id == late)
    assert "custom_actions permission" in advice


def test_a_disabled_user_is_named_so_and_not_asked_for(
    applied: Firm, clio_sandbox: Sandbox, held_against: Manifest | None
) -> None:
    user = clio_sandbox.users[3]
    clio_sandbox.disable(user.id)
    assert applied.coverage(held_against).loc[user.id, MATTERS] == "– disabled user"
    assert clio_sandbox.requests[-1]["user_id"] != user.id


def test_a_duplicate_is_named_so(applied: Firm, clio_sandbox: Sandbox, held_against: Manifest | None) -> None:
    user = clio_sandbox.users[0].id
    somebody(clio_sandbox, user).create_action("Send to sign", TARGET, at="matters")
    assert applied.coverage(held_against).loc[user, MATTERS] == f"{LABEL}; Send to sign (duplicate)"


def test_an_action_renamed_by_hand_is_named_so(
    applied: Firm, clio_sandbox: Sandbox, held_against: Manifest | None
) -> None:
    session = applied.session_of(clio_sandbox.users[0].id)
    session.update_action(on_matters(session), label="Autograph")
    assert applied.coverage(held_against)[MATTERS].iloc[0] == "Autograph (renamed by hand)"


def test_an_action_deleted_by_hand_is_named_so(
    applied: Firm, clio_sandbox: Sandbox, held_against: Manifest | None
) -> None:
    session = applied.session_of(clio_sandbox.users[0].id)
    session.delete_action(on_matters(session))
    assert applied.coverage(held_against)[MATTERS].iloc[0] == "– deleted by hand"


def test_an_action_that_leads_elsewhere_is_named_so(
    applied: Firm, clio_sandbox: Sandbox, held_against: Manifest | None
) -> None:
    session = applied.session_of(clio_sandbox.users[0].id)
    session.update_action(on_matters(session), target_url="https://else.example/")
    assert applied.coverage(held_against)[MATTERS].iloc[0] == f"{LABEL} (other target)"


def test_a_label_of_somebody_else_that_leads_elsewhere_is_named_so(
    firm: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    user = clio_sandbox.users[0].id
    somebody(clio_sandbox, user).create_action(LABEL, "https://else.example/", at="matters")
    assert firm.coverage(manifest).loc[user, MATTERS] == f"{LABEL} (not ours); – other target"


def test_a_token_of_another_region_is_named_so_and_never_sent_here(clio_sandbox: Sandbox, manifest: Manifest) -> None:
    firm = Firm(clio_sandbox)
    firm.add(login(clio_sandbox))
    user = clio_sandbox.users[1].id
    elsewhere = FirmKey(Region.EU.value, clio_sandbox.client_id, "default")
    firm.vault.sealed.keep_all([(elsewhere, Grant(User(id=user), Token(access=Secret("of-the-EU"))))])
    assert firm.coverage(manifest).loc[user, MATTERS] == "– wrong region"
    assert {request["user_id"] for request in clio_sandbox.requests} == {clio_sandbox.users[0].id}


def test_a_user_who_cannot_be_read_at_the_moment_is_named_so(
    applied: Firm, clio_sandbox: Sandbox, held_against: Manifest | None, moved: list[float]
) -> None:
    user = clio_sandbox.users[1].id
    clio_sandbox.fault("status", status=503, path="/api/v4/custom_actions", user_id=user, times=None)
    assert applied.coverage(held_against).loc[user, MATTERS] == "– not readable"
    assert moved


def test_users_who_are_not_in_clios_list_are_covered_too(applied: Firm, clio_sandbox: Sandbox) -> None:
    clio_sandbox.fault("status", status=403, path="/api/v4/users", times=None)
    coverage = applied.coverage()
    assert sorted(coverage.index) == sorted(user.id for user in clio_sandbox.users)
    assert (coverage[MATTERS] == LABEL).all()


def test_the_users_table_says_who_has_access_and_from_whom_it_was_taken_back(
    applied: Firm, clio_sandbox: Sandbox
) -> None:
    clio_sandbox.disable(clio_sandbox.users[4].id)
    before = len(clio_sandbox.requests)
    users = applied.users()
    assert users["access"].tolist() == ["signed in"] * 4 + ["disabled user"]
    assert users["roles"].iloc[0] == "admin, accounts, billing, reports"
    assert len(clio_sandbox.requests) == before + 1 + 4
    for user in clio_sandbox.users[0], clio_sandbox.users[2]:
        clio_sandbox.revoke(user.id)
    for _ in range(2):
        assert applied.users()["access"].tolist() == ["revoked", "signed in", "revoked", "signed in", "disabled user"]
    assert {column: str(dtype) for column, dtype in users.dtypes.items()} == {
        "user_id": "Int64",
        "user": "string",
        "email": "string",
        "enabled": "boolean",
        "subscription_type": "category",
        "roles": "string",
        "access": "category",
    }


def test_a_firm_without_anybody_is_an_empty_table_and_there_is_nothing_to_plan(
    clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    firm = Firm(clio_sandbox)
    assert isinstance(firm.coverage(), pd.DataFrame)
    assert firm.coverage().empty
    assert firm.users().empty
    assert firm.actions().empty
    with pytest.raises(NeedsLogin, match="has signed in yet"):
        firm.plan(manifest)
    for held_against in (None, manifest):
        with pytest.raises(NeedsLogin, match="Sign users in first"):
            firm.drift(held_against)
    assert clio_sandbox.requests == []
