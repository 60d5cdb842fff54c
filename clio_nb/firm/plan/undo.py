"""Undo a run, or remove all that is ours: both as plans. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .._state import Access, ActionFields, Kept, Ledger, UserState
from ..item import Item, Kind, Outcome
from ..journal_entry import Entry
from ..manifest import Manifest
from ._order import in_order
from .compare import blocked_by_hand, item_for, urls_of, user_items


def undo_items(entries: Iterable[Entry], users: Iterable[UserState], ledger: Ledger) -> Iterator[Item]:
    """Give the items that undo the entries of one run that were done.

    Only what is still as that run left it is touched: the rest is blocked as changed since.
    """
    by_user: dict[int, list[Entry]] = {}
    for entry in entries:
        if entry.outcome == Outcome.DONE:
            by_user.setdefault(entry.user_id, []).append(entry)
    for state in users:
        items = [_undone(entry, state, ledger.kept) for entry in reversed(by_user.get(state.user.id, []))]
        yield from in_order(found for found in items if found is not None)


def _undone(entry: Entry, state: UserState, kept: Kept) -> Item | None:
    action = next((action for action in state.actions if action.id == entry.action_id), None)
    if state.access is not Access.SIGNED_IN:
        return item_for(
            Kind.BLOCKED, state, entry.key, after=entry.before, reason=state.access.value, advice=state.advice
        )
    now = ActionFields.of(action) if action else None
    if _is(now, None if entry.kind == Kind.CREATE else entry.before, kept):
        return None if action is None else item_for(Kind.OK, state, entry.key, action, after=now)
    if not _is(now, None if entry.kind == Kind.DELETE else entry.after, kept):
        return item_for(
            Kind.BLOCKED,
            state,
            entry.key,
            action,
            after=entry.before,
            reason="changed since",
            advice="Somebody changed it after that run. Change it by hand if it should be undone.",
        )
    kind = {Kind.CREATE: Kind.DELETE, Kind.DELETE: Kind.CREATE}.get(entry.kind, Kind.UPDATE)
    return item_for(kind, state, entry.key, action, after=entry.before, reason="undo")


def _is(now: ActionFields | None, then: ActionFields | None, kept: Kept) -> bool:
    return now is then if now is None or then is None else not now.differing(then, kept)


def offboard_items(users: Iterable[UserState], ledger: Ledger, manifest: Manifest | None) -> Iterator[Item]:
    """Give the items that remove all that is ours from these users.

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
                yield item_for(Kind.DELETE, state, one.key, action, reason="offboarding")
