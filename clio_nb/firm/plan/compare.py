"""Compare what a manifest wants with what there is, and give the lines of the plan. Pure: state in, lines out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from ...action_rules import canonical
from ...models import CustomAction
from .._state import Access, Kept, Ledger, Look, Owned, UserState, Wanted
from ..item import Item, Kind
from ..manifest import Action, Manifest
from ._match import Match, match
from ._order import in_order


class Comparison:
    """A manifest, ready to be held against one user after another."""

    def __init__(
        self, manifest: Manifest, ledger: Ledger, *, profile: str | None = None, allow_delete: bool = False
    ) -> None:
        self._app = manifest.app.name
        self._urls = urls_of(manifest)
        self._ledger = ledger
        self._allow_delete = allow_delete
        self._wanted = [(action.who, self._looks(action, manifest, profile)) for action in manifest.actions]

    def lines(self, state: UserState) -> Iterator[Item]:
        """Give the lines of one user, in the order in which Clio can take them."""
        wanted = [one for who, several in self._wanted if who.includes(state.user) for one in several]
        return user_items(self._app, wanted, self._urls, state, self._ledger, allow_delete=self._allow_delete)

    def _looks(self, action: Action, manifest: Manifest, profile: str | None) -> list[Wanted]:
        """Say how an action should look in each place; all users share these."""
        target = manifest.target_url(action, profile)
        error = next((one.sentence for one in manifest.findings(action, profile) if one.level == "error"), "")
        return [Wanted(action.key, Look(action.label, target, location.value), error) for location in action.locations]


def items(
    manifest: Manifest,
    users: Iterable[UserState],
    ledger: Ledger,
    *,
    profile: str | None = None,
    allow_delete: bool = False,
) -> Iterator[Item]:
    """Compare user by user and give the lines of all."""
    comparison = Comparison(manifest, ledger, profile=profile, allow_delete=allow_delete)
    for state in users:
        yield from comparison.lines(state)


def user_items(
    app: str,
    wanted: Sequence[Wanted],
    urls: Mapping[str, frozenset[str]],
    state: UserState,
    ledger: Ledger,
    *,
    allow_delete: bool,
) -> Iterator[Item]:
    """Give the lines of one user, from what this user should see. ``urls`` is what :func:`urls_of` gives."""
    known = ledger.of(state.user.id)
    mine = [one for one in known.owned.values() if one.manifest == app]
    if state.access is not Access.SIGNED_IN:
        yield from _blocked(state, wanted, mine)
        return
    told = match(app, wanted, urls, state.actions, known)
    yield from in_order([*_paired(told, state, mine, known.kept), *_left_over(told, state, allow_delete=allow_delete)])


def urls_of(manifest: Manifest) -> dict[str, frozenset[str]]:
    """Return for every key the canonical target URLs that tell its actions."""
    return {action.key: frozenset(map(canonical, manifest.target_urls(action))) for action in manifest.actions}


def _paired(told: Match, state: UserState, mine: Sequence[Owned], kept: Kept) -> Iterator[Item]:
    last = {one.action_id: one.look for one in mine}
    there = {action.id for action in state.actions}
    gone = {(one.key, one.look.ui_reference) for one in mine if one.action_id not in there}
    for wanted, action in told.pairs:
        if wanted.error:
            reason, advice = "the manifest is wrong", wanted.error
            yield line(Kind.BLOCKED, state, wanted.key, action, after=wanted.look, reason=reason, advice=advice)
        elif action is None:
            lost = (wanted.key, wanted.look.ui_reference) in gone
            reason = "deleted by hand" if lost else "not there yet"
            yield line(Kind.CREATE, state, wanted.key, after=wanted.look, reason=reason)
        elif not Look.of(action).differing(wanted.look, kept):
            yield line(Kind.OK, state, wanted.key, action, after=wanted.look)
        else:
            now = Look.of(action)
            reason = why(now, wanted.look, last.get(action.id), kept)
            changes = {name: getattr(wanted.look, name) for name in now.differing(wanted.look, kept)}
            after = msgspec.structs.replace(now, **changes)
            yield line(Kind.UPDATE, state, wanted.key, action, after=after, reason=reason)


def _left_over(told: Match, state: UserState, *, allow_delete: bool) -> Iterator[Item]:
    extra = [(Kind.DUPLICATE, "duplicate", *pair) for pair in told.duplicates]
    extra += [(Kind.ORPHAN, "no longer wanted", *pair) for pair in told.orphans]
    for kind, reason, key, action in extra:
        advice = "" if allow_delete else "Plan with allow_delete to have it deleted."
        yield line(Kind.DELETE if allow_delete else kind, state, key, action, reason=reason, advice=advice)
    for action in told.foreign:
        yield line(Kind.FOREIGN, state, "", action, reason="not ours", advice="It is never touched.")


def _blocked(state: UserState, wanted: Sequence[Wanted], mine: Sequence[Owned]) -> Iterator[Item]:
    """Say of a user whose actions cannot be read what is wanted there, and what of ours is there still."""
    looks = {(one.key, one.look.ui_reference): one for one in mine}
    for one in wanted:
        looks.pop((one.key, one.look.ui_reference), None)
        yield line(Kind.BLOCKED, state, one.key, after=one.look, reason=state.access.value, advice=state.advice)
    for known in looks.values():
        yield blocked_by_hand(state, known)


def blocked_by_hand(state: UserState, known: Owned) -> Item:
    """Give the line of an action of ours that nobody can reach: it must be removed by hand."""
    there = CustomAction(id=known.action_id, created_at=known.created_at, **msgspec.structs.asdict(known.look))
    advice = f"It must be removed by hand. {state.advice}"
    return line(Kind.BLOCKED, state, known.key, there, reason=state.access.value, advice=advice)


def line(
    kind: Kind,
    state: UserState,
    key: str,
    action: CustomAction | None = None,
    *,
    after: Look | None = None,
    reason: str = "",
    advice: str = "",
) -> Item:
    """Give a line about one action of a user, or about one that is not there."""
    return Item(
        kind=kind,
        user_id=state.user.id,
        user=state.user.name or "",
        key=key,
        action_id=action.id if action else None,
        etag=action.etag if action else None,
        created_at=action.created_at if action else None,
        before=Look.of(action) if action else None,
        after=after,
        reason=reason,
        advice=advice,
    )


def why(now: Look, wanted: Look, last: Look | None, kept: Kept = frozenset()) -> str:
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
        reasons.append("new place in the manifest" if by_manifest else "moved by hand")
    return ", ".join(reasons)
