"""Take back what a run did, or take away all that is ours: both as plans. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from .._state import Access, Kept, Ledger, Look, UserState

if TYPE_CHECKING:
    from ..apply.journal import Step
from ..item import Item, Kind, Outcome
from ..manifest import Manifest
from ._order import in_order
from .compare import blocked_by_hand, line, urls_of, user_items


def undo_items(steps: Iterable[Step], users: Iterable[UserState], ledger: Ledger) -> Iterator[Item]:
    """Give the lines that take back the steps of one run which were done.

    Only what is still as that run left it is touched: the rest is blocked as changed since.
    """
    by_user: dict[int, list[Step]] = {}
    for step in steps:
        if step.outcome == Outcome.DONE:
            by_user.setdefault(step.user_id, []).append(step)
    for state in users:
        lines = [_undone(step, state, ledger.kept) for step in reversed(by_user.get(state.user.id, []))]
        yield from in_order(found for found in lines if found is not None)


def _undone(step: Step, state: UserState, kept: Kept) -> Item | None:
    action = next((action for action in state.actions if action.id == step.action_id), None)
    if state.access is not Access.SIGNED_IN:
        return line(Kind.BLOCKED, state, step.key, after=step.before, reason=state.access.value, advice=state.advice)
    now = Look.of(action) if action else None
    if _is(now, None if step.kind == Kind.CREATE else step.before, kept):
        return None if action is None else line(Kind.OK, state, step.key, action, after=now)
    if not _is(now, None if step.kind == Kind.DELETE else step.after, kept):
        return line(
            Kind.BLOCKED,
            state,
            step.key,
            action,
            after=step.before,
            reason="changed since",
            advice="Somebody changed it after that run. Change it by hand if it should be undone.",
        )
    kind = {Kind.CREATE: Kind.DELETE, Kind.DELETE: Kind.CREATE}.get(Kind(step.kind), Kind.UPDATE)
    return line(kind, state, step.key, action, after=step.before, reason="undo")


def _is(now: Look | None, then: Look | None, kept: Kept) -> bool:
    return now is then if now is None or then is None else not now.differing(then, kept)


def offboard_items(users: Iterable[UserState], ledger: Ledger, manifest: Manifest | None) -> Iterator[Item]:
    """Give the lines that remove all that is ours from these users.

    Ours is what the journal knows; with a manifest also what a plan of it would find to be ours. Of users without
    access it lists what must be removed by hand.
    """
    if manifest is not None:
        urls = urls_of(manifest)
        for state in users:
            yield from user_items(manifest.app.name, [], urls, state, ledger, allow_delete=True)
        return
    for state in users:
        owned = ledger.of(state.user.id).owned
        if state.access is not Access.SIGNED_IN:
            yield from (blocked_by_hand(state, one) for one in owned.values())
            continue
        for action in state.actions:
            one = owned.get(action.id)
            if one is not None and one.is_same(action):
                yield line(Kind.DELETE, state, one.key, action, reason="offboarding")
