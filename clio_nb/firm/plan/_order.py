"""The order in which Clio can take a user's changes.

Clio has each label once in a place ("Links are unique across an application, user, location in the UI and label"), so a
change has to wait until the label that it takes is free there. Where labels change round in a circle, none could begin:
then each action keeps its label and they change what is behind it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ..item import Item, Kind

_Slot = tuple[str | None, str | None]


def in_order(items: Iterable[Item]) -> list[Item]:
    """Order one user's lines so that each can be done when its turn comes; those that never can become blocked."""
    lines = list(items)
    deletes = [line for line in lines if line.kind is Kind.DELETE]
    waiting = [line for line in lines if line.kind in (Kind.UPDATE, Kind.CREATE)]
    if not waiting:
        return lines
    done = [line for line in lines if line not in deletes and line not in waiting]
    held = {line.before.slot: line for line in lines if line.before is not None and line.kind is not Kind.DELETE}
    done += deletes
    while waiting:
        ready = next((line for line in waiting if _is_free(line, held)), None)
        circle = [ready] if ready is not None else _circle(waiting, held)
        if not circle:
            return done + [_blocked(line, held) for line in waiting]
        waiting = [line for line in waiting if line not in circle]
        if ready is not None and ready.before is not None:
            del held[ready.before.slot]
        for line in circle if ready is not None else _kept_labels(circle, held):
            done.append(line)
            held[_slot(line)] = line
    return done


def _slot(line: Item) -> _Slot:
    assert line.after is not None  # noqa: S101 -- true of every create and update; for mypy
    return line.after.slot


def _is_free(line: Item, held: dict[_Slot, Item]) -> bool:
    holder = held.get(_slot(line))
    return holder is None or holder is line


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
    """Give each wanted look to the action that has its label already."""
    lines = []
    for line in circle:
        holder = held[_slot(line)]
        there = {name: getattr(holder, name) for name in ("action_id", "etag", "created_at", "before")}
        changed = msgspec.structs.replace(line, kind=Kind.UPDATE, reason="labels changed round", **there)
        lines.append(changed if changed.diff() else msgspec.structs.replace(changed, kind=Kind.OK, reason=""))
    return lines


def _blocked(line: Item, held: dict[_Slot, Item]) -> Item:
    holder = held[_slot(line)]
    target = holder.before and holder.before.target_url
    if holder.kind is Kind.FOREIGN:
        advice = (
            f"An action that is not ours has this label here (id {holder.action_id}) and leads to {target}. If it is "
            "yours, name that URL under formerly; else choose another label."
        )
    elif holder.kind in (Kind.DUPLICATE, Kind.ORPHAN):
        advice = f"Action {holder.action_id}, no longer wanted, has this label here. Plan with allow_delete."
    else:
        advice = f"Action {holder.key!r} has this label here. Clio takes each label once in a place."
    wrong_target = holder.kind is Kind.FOREIGN and line.after is not None and target != line.after.target_url
    reason = "other target" if wrong_target else "label taken"
    return msgspec.structs.replace(line, kind=Kind.BLOCKED, reason=reason, advice=advice)
