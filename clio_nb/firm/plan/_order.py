"""The order in which Clio can take a user's changes.

Clio takes each label once in a location ("Links are unique across an application, user, location in the UI and label"),
so a change has to wait until its new label is free there. Where actions swap labels in a circle, none could begin: then
each action keeps its label and gets the target URL of the other.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ...ledger.records import Kind
from ..item import WITHOUT_MANIFEST, Item

_Slot = tuple[str | None, str | None]


def in_order(items: Iterable[Item]) -> list[Item]:
    """Order one user's items so that each can be done when its turn comes; those that never can become blocked."""
    items = list(items)
    deletes = [item for item in items if item.kind is Kind.DELETE]
    waiting = [item for item in items if item.kind in (Kind.UPDATE, Kind.CREATE)]
    if not waiting:
        return items
    done = [item for item in items if item not in deletes and item not in waiting]
    held = {item.before.slot: item for item in items if item.before is not None and item.kind is not Kind.DELETE}
    done += deletes
    while waiting:
        ready = next((item for item in waiting if _is_free(item, held)), None)
        circle = [ready] if ready is not None else _circle(waiting, held)
        if not circle:
            return done + [_blocked(item, held) for item in waiting]
        waiting = [item for item in waiting if item not in circle]
        if ready is not None and ready.before is not None:
            del held[ready.before.slot]
        for item in circle if ready is not None else _kept_labels(circle, held):
            done.append(item)
            held[_slot(item)] = item
    return done


def _slot(item: Item) -> _Slot:
    assert item.after is not None  # noqa: S101 -- true of every create and update; for mypy
    return item.after.slot


def _is_free(item: Item, held: dict[_Slot, Item]) -> bool:
    holder = held.get(_slot(item))
    return holder is None or holder is item


def _circle(waiting: list[Item], held: dict[_Slot, Item]) -> list[Item]:
    """Return updates of which each waits for the label of the next, and the last for that of the first."""
    for start in waiting:
        path = [start]
        while (following := held[_slot(path[-1])]) in waiting and following not in path:
            path.append(following)
        if following in path:
            return path[path.index(following) :]
    return []


def _kept_labels(circle: list[Item], held: dict[_Slot, Item]) -> list[Item]:
    """Keep each label with the action that has it, and change what is behind it."""
    items = []
    for item in circle:
        holder = held[_slot(item)]
        there = {name: getattr(holder, name) for name in ("action_id", "etag", "created_at", "before")}
        changed = msgspec.structs.replace(item, kind=Kind.UPDATE, reason="labels swapped", **there)
        items.append(changed if changed.diff() else msgspec.structs.replace(changed, kind=Kind.OK, reason=""))
    return items


def _blocked(item: Item, held: dict[_Slot, Item]) -> Item:
    holder = held[_slot(item)]
    target = holder.before and holder.before.target_url
    if holder.kind is Kind.FOREIGN and holder.reason == WITHOUT_MANIFEST:
        advice = (
            f"Action {holder.action_id} has this label here and was made without a manifest. Delete it with "
            "delete_action, or choose another label."
        )
    elif holder.kind is Kind.FOREIGN:
        advice = (
            f"Another action already has this label here (id {holder.action_id}) and opens {target}. If it is yours, "
            "add that URL to formerly; if not, choose another label."
        )
    elif holder.kind in (Kind.DUPLICATE, Kind.ORPHAN):
        advice = (
            f"Action {holder.action_id} has this label here and is no longer wanted. "
            "Plan with allow_delete to have it deleted."
        )
    else:
        advice = f"Action {holder.key!r} already has this label here. Clio allows each label once per location."
    wrong_target = holder.kind is Kind.FOREIGN and item.after is not None and target != item.after.target_url
    reason = "other target" if wrong_target else "label taken"
    return msgspec.structs.replace(item, kind=Kind.BLOCKED, reason=reason, advice=advice)
