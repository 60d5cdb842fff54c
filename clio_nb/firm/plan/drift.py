"""What was changed by hand: each user's actions compared with how the journal last wrote them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...action_rules import canonical
from .._state import Access, ActionFields, Ledger, UserState
from ..item import Item, Kind
from .compare import blocked_by_hand, item_for, why


def drift_items(users: Iterable[UserState], ledger: Ledger) -> Iterator[Item]:
    """Give an item for every action that is ours or was, and for every other that the user has.

    What is as it was written is ``ok``; what is not would have to be updated or created. A second action that leads
    where one of ours does, in the same location, is a duplicate.
    """
    for state in users:
        owned = ledger.of(state.user.id).owned
        if state.access is not Access.SIGNED_IN:
            yield from (blocked_by_hand(state, one) for one in owned.values())
            continue
        there = {action.id: action for action in state.actions}
        ours = set()
        for one in owned.values():
            action = there.get(one.action_id)
            if action is None or not one.is_same(action):
                yield item_for(Kind.CREATE, state, one.key, after=one.fields, reason="deleted by hand")
                continue
            ours.add(action.id)
            reason = why(ActionFields.of(action), one.fields, None)
            yield item_for(Kind.UPDATE if reason else Kind.OK, state, one.key, action, after=one.fields, reason=reason)
        targets = {(canonical(one.fields.target_url or ""), one.fields.ui_reference): one.key for one in owned.values()}
        for action in state.actions:
            if action.id in ours:
                continue
            twin = targets.get((canonical(action.target_url or ""), action.ui_reference))
            if twin is not None:
                yield item_for(Kind.DUPLICATE, state, twin, action, reason="duplicate")
            else:
                yield item_for(Kind.FOREIGN, state, "", action, reason="not ours")
