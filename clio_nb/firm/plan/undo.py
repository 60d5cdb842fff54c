"""Undo a run, or remove all that is ours: both as plans. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Final

import msgspec

from ...ledger.records import SENT, SETTLED, ActionFields, Entry, Kept, Kind, Known, Outcome, UserRecord
from ...models import CustomAction, User
from .._state import Access, UserState
from ..item import NOT_IN_LEDGER, WITHOUT_MANIFEST, Item
from ..manifest import Manifest
from ._order import in_order
from .compare import Comparison, blocked_by_hand, item_for, left_alone, urls_of, user_items

_MAY_BE_DONE: Final = (Outcome.DONE, Outcome.UNKNOWN, SENT, SETTLED)


def undo_items(entries: Iterable[Entry], users: Iterable[UserState], known: Known) -> Iterator[Item]:
    """Give the items that undo the entries of one run that were done, or of which it is not known whether they were.

    Only what is still as that run left it is touched: the rest is blocked as changed since.
    """
    by_user: dict[int, list[Entry]] = {}
    for entry in entries:
        if entry.outcome in _MAY_BE_DONE:
            by_user.setdefault(entry.user_id, []).append(entry)
    for state in users:
        record = known.of(state.user.id)
        items = [_undone(entry, state, record) for entry in reversed(by_user.pop(state.user.id, []))]
        yield from in_order(found for found in items if found is not None)
    for user_id, left in by_user.items():
        gone = UserState(User(id=user_id, name=left[0].user), Access.NEVER_SIGNED_IN)
        yield from (item for entry in reversed(left) if (item := _undone(entry, gone, UserRecord())) is not None)


def _undone(entry: Entry, state: UserState, record: UserRecord) -> Item | None:
    if state.access is not Access.SIGNED_IN:
        return item_for(
            Kind.BLOCKED, state, entry.key, after=entry.before, reason=state.access.value, advice=state.advice
        )
    action = _action_of(entry, state.actions, record)
    now = ActionFields.of(action) if action else None
    if _is(now, None if entry.kind == Kind.CREATE else entry.before, record.kept):
        return None if action is None else item_for(Kind.OK, state, entry.key, action, after=now)
    if not _is(now, None if entry.kind == Kind.DELETE else entry.after, record.kept):
        return item_for(
            Kind.BLOCKED,
            state,
            entry.key,
            action,
            after=entry.before,
            reason="changed since",
            advice="Somebody changed it after that run. Change it by hand if it should be undone.",
        )
    kind = {Kind.CREATE: Kind.DELETE, Kind.DELETE: Kind.CREATE}.get(Kind(entry.kind), Kind.UPDATE)
    return item_for(kind, state, entry.key, action, after=entry.before, reason="undo")


def _action_of(entry: Entry, actions: Iterable[CustomAction], record: UserRecord) -> CustomAction | None:
    """Return the action that an entry is about. A create whose answer was lost is known by what was sent."""
    if entry.action_id is not None or entry.after is None:
        return next((action for action in actions if action.id == entry.action_id), None)
    return next((each for each in actions if not ActionFields.of(each).differing(entry.after, record.kept)), None)


def _is(now: ActionFields | None, then: ActionFields | None, kept: Kept) -> bool:
    return now is then if now is None or then is None else not now.differing(then, kept)


def offboard_items(
    users: Iterable[UserState], known: Known, manifest: Manifest | None, with_access: Container[int]
) -> Iterator[Item]:
    """Give the items that remove all that is ours from these users.

    Ours is what the ledger knows; with a manifest, what a plan of it would find to be ours. What the ledger does not
    know is listed and stays. Of users who cannot be read it lists what must be removed by hand; of those whom the
    ledger does not know, if they are ``with_access`` (they have signed in, or were asked for).
    """
    comparison = None if manifest is None else Comparison(manifest, known)
    for state in users:
        record = known.of(state.user.id)
        if state.access is not Access.SIGNED_IN and record.is_blank:
            if state.user.id in with_access:
                yield from _by_hand(state, [] if comparison is None else list(comparison.items_of(state)))
        elif manifest is not None:
            yield from user_items(manifest.app.name, [], urls_of(manifest), state, known, allow_delete=True)
        elif state.access is not Access.SIGNED_IN:
            yield from (blocked_by_hand(state, one) for one in record.owned.values())
        else:
            yield from _all_ours(state, record)


def _all_ours(state: UserState, record: UserRecord) -> Iterator[Item]:
    """Give what manifests made, then what was made without one, then what the ledger does not know."""
    apart, unknown = [], []
    for action in state.actions:
        one = record.owned.get(action.id)
        if one is None or not one.is_same(action):
            unknown.append(left_alone(state, action, record, NOT_IN_LEDGER))
        elif one.key:
            yield item_for(Kind.DELETE, state, one.key, action, reason="offboarding")
        else:
            apart.append(item_for(Kind.DELETE, state, "", action, reason=WITHOUT_MANIFEST))
    yield from apart
    yield from unknown


def _by_hand(state: UserState, wanted: list[Item]) -> Iterator[Item]:
    """Give what a user may have who cannot be read and whom the ledger does not know."""
    advice = f"The ledger does not know this user. Look in Clio, and remove by hand what is there. {state.advice}"
    for item in wanted or [item_for(Kind.BLOCKED, state, "", reason=state.access.value)]:
        yield msgspec.structs.replace(item, advice=advice)
