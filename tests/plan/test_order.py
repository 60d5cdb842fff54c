"""The order of a user's changes where labels are taken: in a row, in a circle, or for good."""

from __future__ import annotations

from clio_nb.firm.item import Item, Kind
from clio_nb.firm.manifest import Action, Manifest
from clio_nb.models import CustomAction

from .clio import ANNA, NOON, action, fields, manifest, owned, plan

A, B = "https://p.example/a", "https://p.example/b"


def changed_round(a: str = A, b: str = B) -> Manifest:
    return manifest(
        Action(key="a", label="B", target_url=a, locations=("matters",)),
        Action(key="b", label="A", target_url=b, locations=("matters",)),
    )


def test_labels_in_a_circle_stay_and_each_item_is_about_the_action_that_has_its_label() -> None:
    there = CustomAction(
        id=2, etag='"2"', label="B", target_url=B, ui_reference="matters/show", created_at=NOON.replace(year=2025)
    )
    items = plan(changed_round(), [action(1, "A", A), there])
    assert items == [
        Item(
            kind=Kind.UPDATE,
            user_id=ANNA.id,
            user="Anna Demo",
            key="a",
            action_id=2,
            etag='"2"',
            created_at=there.created_at,
            before=fields("B", B),
            after=fields("B", A),
            reason="labels swapped",
        ),
        Item(
            kind=Kind.UPDATE,
            user_id=ANNA.id,
            user="Anna Demo",
            key="b",
            action_id=1,
            etag='"1"',
            created_at=NOON,
            before=fields("A", A),
            after=fields("A", B),
            reason="labels swapped",
        ),
    ]


def test_labels_in_a_circle_before_one_target_need_no_change_at_all() -> None:
    ours = [owned(1, fields("A"), key="a"), owned(2, fields("B"), key="b")]
    items = plan(changed_round(A, A), [action(1, "A"), action(2, "B")], ours)
    assert [(item.kind, item.key, item.action_id, item.reason) for item in items] == [
        (Kind.OK, "a", 2, ""),
        (Kind.OK, "b", 1, ""),
    ]


def test_a_label_that_is_foreign_blocks_and_the_item_says_what_can_be_done() -> None:
    wanted = manifest(Action(key="a", label="A", target_url=A, locations=("matters",)))
    blocked = plan(wanted, [action(5, "A", B)])[-1]
    assert blocked.advice == (
        f"Another action already has this label here (id 5) and opens {B}. If it is yours, "
        "add that URL to formerly; if not, choose another label."
    )


def test_a_label_that_an_orphan_holds_blocks_until_deletes_are_allowed() -> None:
    wanted = manifest(Action(key="a", label="A", target_url=B, locations=("matters",)))
    blocked = plan(wanted, [action(5, "A", A)], [owned(5, fields("A"), key="old")])[-1]
    assert (blocked.kind, blocked.reason) == (Kind.BLOCKED, "label taken")
    assert (
        blocked.advice
        == "Action 5 has this label here and is no longer wanted. Plan with allow_delete to have it deleted."
    )


def test_what_waits_for_a_blocked_item_is_blocked_too_and_says_for_which() -> None:
    wanted = manifest(
        Action(key="a", label="B", target_url=A, locations=("matters",)),
        Action(key="b", label="A", target_url=B, locations=("matters",)),
    )
    items = plan(wanted, [action(1, "A", A), action(2, "B", "https://else.example/")])
    blocked = {item.key: item for item in items if item.kind is Kind.BLOCKED}
    assert blocked["a"].reason == "other target"
    assert blocked["b"].reason == "label taken"
    assert blocked["b"].advice == "Action 'a' already has this label here. Clio allows each label once per location."
