"""What a plan says of each state that a user's actions can be in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clio_nb.firm._state import Access, UserState
from clio_nb.firm.item import Item, Kind
from clio_nb.firm.manifest import Action, Manifest, Who
from clio_nb.firm.plan.compare import Comparison
from clio_nb.ledger.records import Known, Lost, Owned
from clio_nb.models import CustomAction, User

from .clio import ANNA, NOON, PretendClio, action, fields, kinds, manifest, owned, plan

TARGET = "https://p.example/a"
OTHER = "https://p.example/b"


def sign(
    label: str = "Sign", target: str = TARGET, locations: tuple[str, ...] = ("matters",), **more: object
) -> Action:
    return Action(key="sign", label=label, target_url=target, locations=locations, **more)  # type: ignore[arg-type]


def only(items: list[Item]) -> Item:
    assert len(items) == 1, items
    return items[0]


def test_a_missing_action_is_created() -> None:
    item = only(plan(manifest(sign())))
    assert (item.kind, item.key, item.after, item.reason) == (Kind.CREATE, "sign", fields("Sign"), "not there yet")


def test_an_action_that_is_as_wanted_is_ok_even_if_nobody_remembers_making_it() -> None:
    assert only(plan(manifest(sign()), [action(5, "Sign")])).kind is Kind.OK


def test_an_action_deleted_by_hand_is_created_again_and_the_plan_says_why() -> None:
    item = only(plan(manifest(sign()), [], [owned(5, fields("Sign"))]))
    assert (item.kind, item.reason) == (Kind.CREATE, "deleted by hand")


@pytest.mark.parametrize("remembered", [True, False])
def test_an_action_renamed_by_hand_is_renamed_back_and_no_second_button_is_made(remembered: bool) -> None:
    item = only(plan(manifest(sign()), [action(5, "Autograph")], [owned(5, fields("Sign"))] if remembered else []))
    assert (item.kind, item.action_id, item.reason) == (Kind.UPDATE, 5, "renamed by hand")
    assert item.diff() == {"label": ("Autograph", "Sign")}
    assert item.etag == '"1"'


def test_a_new_label_in_the_manifest_renames_the_same_action() -> None:
    item = only(plan(manifest(sign("Sign now")), [action(5, "Sign")], [owned(5, fields("Sign"))]))
    assert (item.kind, item.action_id, item.reason) == (Kind.UPDATE, 5, "new label in the manifest")


def test_a_moved_target_is_found_by_the_ledger() -> None:
    item = only(plan(manifest(sign(target=OTHER)), [action(5, "Sign")], [owned(5, fields("Sign"))]))
    assert (item.kind, item.action_id, item.reason) == (Kind.UPDATE, 5, "other target")
    assert item.diff() == {"target_url": (TARGET, OTHER)}


def test_without_the_ledger_a_moved_target_is_found_by_what_it_was_formerly() -> None:
    item = only(plan(manifest(sign(target=OTHER, formerly=(TARGET,))), [action(5, "Sign")]))
    assert (item.kind, item.action_id) == (Kind.UPDATE, 5)


def test_without_the_ledger_an_action_of_another_profile_is_found() -> None:
    wanted = manifest(sign(), profiles={"dev": {"sign": "https://dev.example/a"}})
    item = only(plan(wanted, [action(5, "Sign")], profile="dev"))
    assert (item.kind, item.action_id) == (Kind.UPDATE, 5)
    assert item.after == fields("Sign", "https://dev.example/a")


def test_everything_changed_by_hand_is_still_the_same_action_to_the_ledger() -> None:
    item = only(plan(manifest(sign()), [action(5, "X", OTHER, "contacts/show")], [owned(5, fields("Sign"))]))
    assert (item.kind, item.action_id) == (Kind.UPDATE, 5)
    assert item.reason == "renamed by hand, other target, moved by hand"


def test_a_new_location_in_the_manifest_moves_the_action() -> None:
    item = only(plan(manifest(sign(locations=("contacts",))), [action(5, "Sign")], [owned(5, fields("Sign"))]))
    assert (item.kind, item.action_id, item.reason) == (Kind.UPDATE, 5, "new location in the manifest")


def test_a_key_that_got_another_name_in_the_manifest_finds_its_action() -> None:
    item = only(plan(manifest(sign()), [action(5, "Sign")], [owned(5, fields("Sign"), key="before")]))
    assert (item.kind, item.key) == (Kind.OK, "sign")


def test_a_second_button_is_a_duplicate_and_the_right_one_is_kept() -> None:
    items = plan(manifest(sign()), [action(5, "Old name"), action(6, "Sign")])
    assert kinds(items) == {6: Kind.OK, 5: Kind.DUPLICATE}


def test_an_action_no_longer_wanted_is_an_orphan_and_deleted_only_when_allowed() -> None:
    nobody = manifest(sign(who=Who(exclude=(ANNA.id,))))
    there = [action(5, "Sign")], [owned(5, fields("Sign"))]
    item = only(plan(nobody, *there))
    assert (item.kind, item.key, item.reason) == (Kind.ORPHAN, "sign", "no longer wanted")
    assert item.advice == "Plan with allow_delete to have it deleted."
    item = only(plan(nobody, *there, allow_delete=True))
    assert (item.kind, item.key, item.reason, item.advice) == (Kind.DELETE, "sign", "no longer wanted", "")


def test_a_duplicate_is_deleted_only_when_allowed() -> None:
    twice = UserState(ANNA, actions=(action(5, "Old name"), action(6, "Sign")))
    item = list(Comparison(manifest(sign()), Known()).items_of(twice))[-1]
    assert (item.kind, item.key, item.reason) == (Kind.DUPLICATE, "sign", "duplicate")
    assert item.advice == "Plan with allow_delete to have it deleted."


def test_deletes_touch_duplicates_and_orphans_and_nothing_else() -> None:
    actions = [
        action(5, "Old"),
        action(6, "Sign"),
        action(7, "Theirs", OTHER),
        action(8, "Sign", TARGET, "contacts/show"),
    ]
    items = plan(manifest(sign()), actions, allow_delete=True)
    assert kinds(items) == {6: Kind.OK, 5: Kind.DELETE, 8: Kind.DELETE, 7: Kind.FOREIGN}


def test_a_foreign_action_is_never_touched() -> None:
    items = plan(manifest(sign()), [action(7, "Theirs", OTHER)], allow_delete=True)
    assert kinds(items) == {7: Kind.FOREIGN, None: Kind.CREATE}
    assert items[0] == Item(
        kind=Kind.FOREIGN,
        user_id=ANNA.id,
        user="Anna Demo",
        action_id=7,
        etag='"1"',
        created_at=NOON,
        before=fields("Theirs", OTHER),
        reason="not ours",
        advice="This app leaves it alone.",
    )


def test_a_user_without_a_name_has_an_empty_one() -> None:
    nameless = UserState(User(id=2), actions=())
    (item,) = Comparison(manifest(sign()), Known()).items_of(nameless)
    assert (item.user_id, item.user, item.action_id, item.advice) == (2, "", None, "")


def test_an_action_of_another_manifest_is_foreign_whatever_it_looks_like() -> None:
    items = plan(
        manifest(sign()), [action(7, "Sign again")], [owned(7, fields("Sign again"), app="other")], allow_delete=True
    )
    assert kinds(items) == {7: Kind.FOREIGN, None: Kind.CREATE}


def test_an_id_that_came_to_another_action_is_not_ours() -> None:
    before = Owned(ANNA.id, 5, "partner", "sign", fields("Sign"), NOON.replace(year=2020))
    items = plan(manifest(sign()), [action(5, "Theirs", OTHER)], [before])
    assert kinds(items) == {5: Kind.FOREIGN, None: Kind.CREATE}


def test_an_action_in_an_unknown_location_is_foreign_even_if_it_was_ours() -> None:
    items = plan(
        manifest(sign()), [action(5, "Sign", TARGET, "bills/show")], [owned(5, fields("Sign"))], allow_delete=True
    )
    assert items[0].kind is Kind.FOREIGN
    assert items[0].location == "bills/show"


def test_a_label_that_leads_elsewhere_and_is_not_ours_blocks_and_says_where_it_leads() -> None:
    blocked = plan(manifest(sign()), [action(5, "Sign", OTHER)])[-1]
    assert (blocked.kind, blocked.reason) == (Kind.BLOCKED, "other target")
    assert OTHER in blocked.advice


def test_a_label_held_by_an_orphan_is_free_once_deletes_are_allowed() -> None:
    wanted = manifest(Action(key="new", label="Sign", target_url=OTHER, locations=("matters",)))
    ours = [owned(5, fields("Sign"), key="old")]
    assert plan(wanted, [action(5, "Sign")], ours)[-1].reason == "label taken"
    assert [item.kind for item in plan(wanted, [action(5, "Sign")], ours, allow_delete=True)] == [
        Kind.DELETE,
        Kind.CREATE,
    ]


def test_labels_that_move_on_in_a_row_are_changed_from_the_end() -> None:
    wanted = manifest(
        Action(key="a", label="B", target_url="https://p.example/a", locations=("matters",)),
        Action(key="b", label="C", target_url="https://p.example/b", locations=("matters",)),
    )
    items = plan(wanted, [action(1, "A", "https://p.example/a"), action(2, "B", "https://p.example/b")])
    assert [(item.kind, item.action_id) for item in items] == [(Kind.UPDATE, 2), (Kind.UPDATE, 1)]


def test_labels_that_change_round_keep_their_actions_and_change_what_is_behind() -> None:
    wanted = manifest(
        Action(key="a", label="B", target_url="https://p.example/a", locations=("matters",)),
        Action(key="b", label="A", target_url="https://p.example/b", locations=("matters",)),
    )
    items = plan(wanted, [action(1, "A", "https://p.example/a"), action(2, "B", "https://p.example/b")])
    assert {(item.action_id, item.key) for item in items} == {(1, "b"), (2, "a")}
    assert all(list(item.diff()) == ["target_url"] for item in items)


def test_a_lost_create_that_arrived_is_ours_though_the_manifest_has_changed_since() -> None:
    claim = Lost(ANNA.id, "partner", "sign", fields("Old", OTHER))
    item = only(plan(manifest(sign()), [action(5, "Old", OTHER)], lost=[claim]))
    assert (item.kind, item.action_id) == (Kind.UPDATE, 5)


@pytest.mark.parametrize("access", [access for access in Access if access is not Access.SIGNED_IN])
def test_a_user_who_cannot_be_read_is_blocked_with_the_reason_and_what_to_do(access: Access) -> None:
    item = only(plan(manifest(sign()), access=access))
    assert (item.kind, item.key, item.reason, item.after) == (Kind.BLOCKED, "sign", access.value, fields("Sign"))
    assert item.advice


def test_what_a_blocked_user_has_already_is_one_item_with_what_is_wanted() -> None:
    assert only(plan(manifest(sign()), ours=[owned(5, fields("Sign"))], access=Access.REVOKED)).after == fields("Sign")


def test_what_of_ours_a_user_without_access_still_has_must_be_removed_by_hand() -> None:
    item = only(plan(manifest(), ours=[owned(5, fields("Sign"))], access=Access.REVOKED))
    assert item == Item(
        kind=Kind.BLOCKED,
        user_id=ANNA.id,
        user="Anna Demo",
        key="sign",
        action_id=5,
        created_at=NOON,
        before=fields("Sign"),
        reason=Access.REVOKED.value,
        advice=f"It must be removed by hand. {UserState(ANNA, Access.REVOKED).advice}",
    )


def test_what_clio_left_out_does_no_harm() -> None:
    items = plan(
        manifest(sign()), [CustomAction(id=5), CustomAction(id=6, ui_reference="matters/show")], allow_delete=True
    )
    assert kinds(items) == {5: Kind.FOREIGN, 6: Kind.FOREIGN, None: Kind.CREATE}


LABELS, TARGETS, LOCATIONS = ["A", "B", "C"], [f"https://p.example/{at}" for at in "abc"], ["matters", "contacts"]


@st.composite
def firms(draw: st.DrawFn) -> tuple[Manifest, PretendClio]:
    """A manifest of up to three keys, and actions in any state: ours, foreign, renamed, moved, twice."""
    actions = tuple(
        Action(
            key=key,
            label=draw(st.sampled_from(LABELS)),
            target_url=draw(st.sampled_from(TARGETS)),
            locations=tuple(draw(st.lists(st.sampled_from(LOCATIONS), min_size=1, max_size=2))),
            formerly=tuple(draw(st.lists(st.sampled_from(TARGETS), max_size=1))),
            who=draw(st.sampled_from([Who(), Who(exclude=(ANNA.id,))])),
        )
        for key in draw(st.lists(st.sampled_from("kmn"), unique=True))
    )
    slots = draw(st.lists(st.tuples(st.sampled_from(LOCATIONS), st.sampled_from(LABELS)), unique=True))
    there = [
        action(number, label, draw(st.sampled_from([*TARGETS, "https://else.example/"])), f"{place}/show")
        for number, (place, label) in enumerate(slots, 1)
    ]
    ours = [
        owned(number, fields(draw(st.sampled_from(LABELS))), key=draw(st.sampled_from("kmno")), app=app)
        for number in range(1, len(there) + 3)
        if (app := draw(st.sampled_from(["", "partner", "partner", "other"])))
    ]
    return manifest(*actions), PretendClio(there, ours)


@settings(deadline=None)  # a busy machine is no mistake
@given(firms(), st.booleans())
def test_a_planned_and_applied_firm_has_nothing_left_to_plan(
    firm: tuple[Manifest, PretendClio], allow_delete: bool
) -> None:
    wanted, clio = firm
    foreign = {
        item.action_id for item in Comparison(wanted, clio.known()).items_of(clio.state()) if item.kind is Kind.FOREIGN
    }
    before = {number: clio.actions[number] for number in foreign if number is not None}
    clio.apply(Comparison(wanted, clio.known(), allow_delete=allow_delete).items_of(clio.state()))
    again = list(Comparison(wanted, clio.known(), allow_delete=allow_delete).items_of(clio.state()))
    assert [item for item in again if item.kind in (Kind.CREATE, Kind.UPDATE, Kind.DELETE)] == []
    assert {number: clio.actions.get(number) for number in before} == before, "a foreign action was touched"


@settings(deadline=None)  # a busy machine is no mistake
@given(firms())
def test_every_wanted_location_is_accounted_for_once(firm: tuple[Manifest, PretendClio]) -> None:
    wanted, clio = firm
    items = list(Comparison(wanted, clio.known()).items_of(clio.state()))
    cells = [(item.key, item.after.ui_reference) for item in items if item.after is not None]
    expected = [
        (each.key, location.value)
        for each in wanted.actions
        if each.who.includes(ANNA)
        for location in each.ordered_locations
    ]
    assert sorted(cells) == sorted(expected)
    seen = [item.action_id for item in items if item.action_id is not None]
    assert sorted(seen) == sorted(clio.actions), "every action of the user is in one item"
