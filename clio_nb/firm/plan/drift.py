"""What was changed by hand: each user's actions compared with how the ledger last wrote them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...action_rules import canonical
from ...ledger.records import ActionFields, Kind, Known
from .._state import Access, UserState
from ..item import NOT_IN_LEDGER, Item
from .compare import blocked_by_hand, item_for, left_alone, why


def drift_items(users: Iterable[UserState], known: Known) -> Iterator[Item]:
    """Give an item for every action that is ours or was, and for every other that the user has.

    What is as a plan wrote it is ``ok``; what is not would have to be updated or created. A second action that leads
    where one of ours does, in the same location, is a duplicate. Of a user whom the ledger does not know nothing can
    be told: it says so of each action.
    """
    for state in users:
        record = known.of(state.user.id)
        if state.access is not Access.SIGNED_IN:
            yield from (blocked_by_hand(state, one) for one in record.owned.values())
            continue
        planned = [one for one in record.owned.values() if one.key]
        there = {action.id: action for action in state.actions}
        ours = set()
        for one in planned:
            action = there.get(one.action_id)
            if action is None or not one.is_same(action):
                yield item_for(Kind.CREATE, state, one.key, after=one.fields, reason="deleted by hand")
                continue
            ours.add(action.id)
            reason = why(ActionFields.of(action), one.fields, None)
            yield item_for(Kind.UPDATE if reason else Kind.OK, state, one.key, action, after=one.fields, reason=reason)
        targets = {(canonical(one.fields.target_url or ""), one.fields.ui_reference): one.key for one in planned}
        for action in state.actions:
            if action.id in ours:
                continue
            twin = targets.get((canonical(action.target_url or ""), action.ui_reference))
            if twin is not None and action.id not in record.owned:
                yield item_for(Kind.DUPLICATE, state, twin, action, reason="duplicate")
            else:
                yield left_alone(state, action, record, NOT_IN_LEDGER if record.is_blank else "not ours")
