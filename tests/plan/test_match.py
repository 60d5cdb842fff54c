"""Which action is which where several could be it: the one that fits best is kept, and none is counted twice."""

from __future__ import annotations

from clio_nb.firm.item import Kind
from clio_nb.firm.manifest import Action

from .clio import action, fields, kinds, manifest, owned, plan

URL = "https://p.example/a"
BEFORE = "https://p.example/before"


def both(locations_of_a: tuple[str, ...] = ("matters",), **more: object) -> tuple[Action, Action]:
    """Two keys that lead to the same target, so that it does not tell them apart."""
    one = Action(key="a", label="A", target_url=URL, locations=locations_of_a, **more)  # type: ignore[arg-type]
    return one, Action(key="b", label="B", target_url=URL, locations=("matters",), **more)  # type: ignore[arg-type]


def test_of_two_keys_with_one_target_the_label_tells() -> None:
    items = plan(manifest(*both(formerly=(BEFORE,))), [action(5, "B", BEFORE)])
    assert [(item.key, item.kind, item.action_id) for item in items] == [
        ("a", Kind.CREATE, None),
        ("b", Kind.UPDATE, 5),
    ]


def test_of_two_keys_with_one_target_the_one_that_lacks_an_action_gets_it() -> None:
    items = plan(manifest(*both()), [action(5, "A"), action(6, "X")])
    assert [(item.key, item.kind, item.action_id) for item in items] == [("a", Kind.OK, 5), ("b", Kind.UPDATE, 6)]


def test_two_actions_of_one_target_go_to_two_keys() -> None:
    items = plan(manifest(*both()), [action(5, "X"), action(6, "Y")])
    assert [(item.key, item.kind, item.action_id) for item in items] == [("a", Kind.UPDATE, 5), ("b", Kind.UPDATE, 6)]


def test_a_further_action_is_a_duplicate_of_the_key_that_belongs_in_that_location() -> None:
    items = plan(manifest(*both(locations_of_a=("contacts",))), [action(5, "B"), action(6, "X")])
    assert [(item.key, item.kind, item.action_id) for item in items] == [
        ("b", Kind.OK, 5),
        ("b", Kind.DUPLICATE, 6),
        ("a", Kind.CREATE, None),
    ]


def test_what_the_ledger_knows_goes_before_what_it_looks_like() -> None:
    other = Action(key="b", label="B", target_url=BEFORE, locations=("matters",))
    wanted = manifest(Action(key="a", label="A", target_url=URL, locations=("matters",)), other)
    items = plan(wanted, [action(5, "B", BEFORE)], [owned(5, fields("A"), key="a")])
    assert [(item.key, item.kind, item.action_id) for item in items] == [
        ("a", Kind.UPDATE, 5),
        ("b", Kind.CREATE, None),
    ]


def test_of_several_in_a_location_the_one_that_the_ledger_knows_is_kept() -> None:
    wanted = manifest(Action(key="a", label="A", target_url=URL, locations=("matters",)))
    assert kinds(plan(wanted, [action(5, "X"), action(6, "Y")], [owned(6, fields("A"), key="a")])) == {
        6: Kind.UPDATE,
        5: Kind.DUPLICATE,
    }


def test_of_several_in_a_location_that_the_ledger_does_not_know_the_one_with_the_label_is_kept() -> None:
    wanted = manifest(Action(key="a", label="A", target_url=URL, locations=("matters",), formerly=(BEFORE,)))
    assert kinds(plan(wanted, [action(5, "X", BEFORE), action(6, "A", BEFORE)])) == {6: Kind.UPDATE, 5: Kind.DUPLICATE}


def test_of_several_that_could_move_the_one_that_the_ledger_knows_moves() -> None:
    wanted = manifest(Action(key="a", label="A", target_url=URL, locations=("contacts",)))
    there = [action(5, "A"), action(6, "A", place="folders/show")]
    items = plan(wanted, there, [owned(6, fields("A", place="folders/show"), key="a")])
    assert kinds(items) == {6: Kind.UPDATE, 5: Kind.ORPHAN}


def test_duplicates_of_several_keys_are_all_named() -> None:
    wanted = manifest(
        Action(key="a", label="A", target_url=URL, locations=("matters",)),
        Action(key="b", label="B", target_url=BEFORE, locations=("matters",)),
    )
    there = [action(5, "A"), action(6, "A2"), action(7, "B", BEFORE), action(8, "B2", BEFORE)]
    doubled = [item for item in plan(wanted, there) if item.kind is Kind.DUPLICATE]
    assert [(item.key, item.action_id) for item in doubled] == [("a", 6), ("b", 8)]
