"""Compare what a manifest wants with what there is, and give the items of the plan. Pure: state in, items out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ...action_rules import canonical
from ...ledger.records import ActionFields, Kept, Kind, Known, Owned, UserRecord
from ...models import CustomAction
from .._state import Access, UserState, Wanted
from ..item import NOT_IN_LEDGER, WITHOUT_MANIFEST, Item
from ..manifest import Action, Manifest
from ._match import Match, match
from ._order import in_order


class Comparison:
    """A manifest, prepared once to be compared with every user."""

    def __init__(
        self, manifest: Manifest, known: Known, *, profile: str | None = None, allow_delete: bool = False
    ) -> None:
        self._app = manifest.app.name
        self._urls = urls_of(manifest)
        self._known = known
        self._allow_delete = allow_delete
        self._wanted = [(action.who, self._wanted_in(action, manifest, profile)) for action in manifest.actions]

    def items_of(self, state: UserState) -> Iterator[Item]:
        """Give the items of one user, in the order in which Clio can take them."""
        wanted = [one for who, several in self._wanted if who.includes(state.user) for one in several]
        return user_items(self._app, wanted, self._urls, state, self._known, allow_delete=self._allow_delete)

    def _wanted_in(self, action: Action, manifest: Manifest, profile: str | None) -> list[Wanted]:
        """Say what an action should be in each location; all users share these."""
        target = manifest.target_url(action, profile)
        error = next((one.sentence for one in manifest.findings(action, profile) if one.level == "error"), "")
        fields = [ActionFields(action.label, target, location.value) for location in action.ordered_locations]
        return [Wanted(action.key, each, error) for each in fields]


def user_items(
    app: str,
    wanted: Sequence[Wanted],
    urls: Mapping[str, frozenset[str]],
    state: UserState,
    known: Known,
    *,
    allow_delete: bool,
) -> Iterator[Item]:
    """Give the items of one user, from what this user should see. ``urls`` is what :func:`urls_of` gives."""
    record = known.of(state.user.id)
    mine = [one for one in record.owned.values() if one.key and one.manifest == app]
    if state.access is not Access.SIGNED_IN:
        yield from _blocked(state, wanted, mine)
        return
    found = match(app, wanted, urls, state.actions, record)
    yield from in_order(
        [*_paired(found, state, mine, record.kept), *_left_over(found, state, record, allow_delete=allow_delete)]
    )


def urls_of(manifest: Manifest) -> dict[str, frozenset[str]]:
    """Return for every key the canonical target URLs that tell its actions."""
    return {action.key: frozenset(map(canonical, manifest.target_urls(action))) for action in manifest.actions}


def _paired(found: Match, state: UserState, mine: Sequence[Owned], kept: Kept) -> Iterator[Item]:
    last = {one.action_id: one.fields for one in mine}
    there = {action.id for action in state.actions}
    gone = {(one.key, one.fields.ui_reference) for one in mine if one.action_id not in there}
    for wanted, action in found.pairs:
        if wanted.error:
            reason, advice = "the manifest is wrong", wanted.error
            yield item_for(Kind.BLOCKED, state, wanted.key, action, after=wanted.fields, reason=reason, advice=advice)
        elif action is None:
            lost = (wanted.key, wanted.fields.ui_reference) in gone
            reason = "deleted by hand" if lost else "not there yet"
            yield item_for(Kind.CREATE, state, wanted.key, after=wanted.fields, reason=reason)
        elif not ActionFields.of(action).differing(wanted.fields, kept):
            yield item_for(Kind.OK, state, wanted.key, action, after=wanted.fields)
        else:
            now = ActionFields.of(action)
            reason = why(now, wanted.fields, last.get(action.id), kept)
            changes = {name: getattr(wanted.fields, name) for name in now.differing(wanted.fields, kept)}
            after = msgspec.structs.replace(now, **changes)
            yield item_for(Kind.UPDATE, state, wanted.key, action, after=after, reason=reason)


def _left_over(found: Match, state: UserState, record: UserRecord, *, allow_delete: bool) -> Iterator[Item]:
    extra = [(Kind.DUPLICATE, "duplicate", *pair) for pair in found.duplicates]
    extra += [(Kind.ORPHAN, "no longer wanted", *pair) for pair in found.orphans]
    for kind, reason, key, action in extra:
        advice = "" if allow_delete else "Plan with allow_delete to have it deleted."
        yield item_for(Kind.DELETE if allow_delete else kind, state, key, action, reason=reason, advice=advice)
    for action in found.foreign:
        yield left_alone(state, action, record)


def _blocked(state: UserState, wanted: Sequence[Wanted], mine: Sequence[Owned]) -> Iterator[Item]:
    """Give the items of a user whose actions cannot be read: what is wanted, and what of ours is still there."""
    left = {(one.key, one.fields.ui_reference): one for one in mine}
    for one in wanted:
        left.pop((one.key, one.fields.ui_reference), None)
        yield item_for(Kind.BLOCKED, state, one.key, after=one.fields, reason=state.access.value, advice=state.advice)
    for known in left.values():
        yield blocked_by_hand(state, known)


def left_alone(state: UserState, action: CustomAction, record: UserRecord, reason: str = "not ours") -> Item:
    """Give the item of an action that a plan does not touch, and say why not."""
    owner = record.owned.get(action.id)
    advice = "This app leaves it alone."
    if owner is not None and not owner.key and owner.is_same(action):
        reason, advice = WITHOUT_MANIFEST, "Plans leave it alone. Delete it with delete_action, or by offboarding."
    elif reason == NOT_IN_LEDGER:
        advice = "The ledger does not know who made it. If a manifest did, pass that manifest."
    return item_for(Kind.FOREIGN, state, "", action, reason=reason, advice=advice)


def blocked_by_hand(state: UserState, known: Owned) -> Item:
    """Give the item of an action of ours that cannot be reached: it must be removed by hand."""
    there = CustomAction(id=known.action_id, created_at=known.created_at, **msgspec.structs.asdict(known.fields))
    advice = f"It must be removed by hand. {state.advice}"
    return item_for(Kind.BLOCKED, state, known.key, there, reason=state.access.value, advice=advice)


def item_for(
    kind: Kind,
    state: UserState,
    key: str,
    action: CustomAction | None = None,
    *,
    after: ActionFields | None = None,
    reason: str = "",
    advice: str = "",
) -> Item:
    """Give an item about one action of a user, or about one that is not there."""
    return Item(
        kind=kind,
        user_id=state.user.id,
        user=state.user.name or "",
        key=key,
        action_id=action.id if action else None,
        etag=action.etag if action else None,
        created_at=action.created_at if action else None,
        before=ActionFields.of(action) if action else None,
        after=after,
        reason=reason,
        advice=advice,
    )


def why(now: ActionFields, wanted: ActionFields, last: ActionFields | None, kept: Kept = frozenset()) -> str:
    """Say why an action is not as it should be: by hand, or because the manifest changed since it was written."""
    reasons = []
    differing = now.differing(wanted, kept)
    if "label" in differing:
        by_manifest = last is not None and last.label == now.label
        reasons.append("new label in the manifest" if by_manifest else "renamed by hand")
    if "target_url" in differing:
        reasons.append("other target")
    if "ui_reference" in differing:
        by_manifest = last is not None and last.ui_reference == now.ui_reference
        reasons.append("new location in the manifest" if by_manifest else "moved by hand")
    return ", ".join(reasons)
