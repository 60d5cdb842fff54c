"""Which of a user's actions are ours, and which of them is which: the heart of "never a second button".

Clio keeps three texts of an action: label, target URL and location. None of them is a key, and all may change. So an
action is ours, and belongs to a key, by the first of these that holds:

1. The ledger knows its id (and the time it was made): we made or adopted it. Renamed, moved or led elsewhere by hand,
   it stays ours. One that another manifest of this app made, or that was made without a manifest, is foreign here. (A
   key that is no longer in the manifest may have been given another name there: then the next proof comes first.)
2. It is as the manifest wants it. Here and below, two spellings of the same URL or label are equal, and so are what we
   sent and what Clio is known to make of it.
3. We sent a create with these fields and the answer was lost.
4. It leads to a target URL of that key: the present one, another profile's, or one in ``formerly``. The list holds only
   this app's actions, so nobody else puts our URL there.

A label alone is no proof. What is left is foreign and never touched; where it has a label that we want in that
location, our action is blocked, because Clio takes each label once in a location.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ...action_rules import canonical, same_label
from ...ledger.records import ActionFields, UserRecord
from ...models import CustomAction
from .._state import Wanted


@dataclass(slots=True)
class Match:
    """One user's actions, by what they are. ``pairs`` joins what is wanted with the action that is it, or with None."""

    pairs: list[tuple[Wanted, CustomAction | None]] = field(default_factory=list)
    duplicates: list[tuple[str, CustomAction]] = field(default_factory=list)
    orphans: list[tuple[str, CustomAction]] = field(default_factory=list)
    foreign: list[CustomAction] = field(default_factory=list)


def match(
    manifest: str,
    wanted: Sequence[Wanted],
    urls: Mapping[str, frozenset[str]],
    actions: Iterable[CustomAction],
    record: UserRecord,
) -> Match:
    """Say of each of one user's actions what it is.

    ``urls`` gives the target URLs of every key of the manifest, also of those that this user is not meant to see.
    """
    found = Match()
    by_key: dict[str, list[CustomAction]] = {}
    unsure = []
    for action in sorted(actions, key=lambda action: action.id):
        sure = _sure_key(action, manifest, wanted, urls, record)
        if sure is not None:
            by_key.setdefault(sure, []).append(action)
        elif _may_be_ours(action, manifest, record):
            unsure.append(action)
        else:
            found.foreign.append(action)

    lacking = {(one.key, one.fields.ui_reference) for one in wanted}
    lacking -= {(key, action.ui_reference) for key, several in by_key.items() for action in several}
    for action in unsure:
        key = _key_by_url(action, wanted, urls, lacking)
        if key is None:
            found.foreign.append(action)
        else:
            by_key.setdefault(key, []).append(action)
            lacking.discard((key, action.ui_reference))

    for key in dict.fromkeys([*(one.key for one in wanted), *by_key]):
        _settle(found, [one for one in wanted if one.key == key], key, by_key.get(key, []), record)
    return found


def _sure_key(
    action: CustomAction, manifest: str, wanted: Sequence[Wanted], keys: Container[str], record: UserRecord
) -> str | None:
    """Return the key by the first three proofs; a key that the manifest has no more only if nothing else fits."""
    if not _may_be_ours(action, manifest, record):
        return None
    owner = record.owned.get(action.id)
    noted = owner.key if owner is not None and owner.is_same(action) else None
    if noted is not None and noted in keys:
        return noted
    fields = ActionFields.of(action)
    claim = next((claim for sent, claim in record.lost.items() if not fields.differing(sent, record.kept)), None)
    claimed = claim[1] if claim is not None and claim[0] == manifest else None
    return next((one.key for one in wanted if not fields.differing(one.fields, record.kept)), noted or claimed)


def _may_be_ours(action: CustomAction, manifest: str, record: UserRecord) -> bool:
    """Whether an action is in a location that this library knows, and no other manifest made it."""
    owner = record.owned.get(action.id)
    made_by_another = owner is not None and owner.is_same(action) and owner.manifest != manifest
    return action.location is not None and not made_by_another


def _key_by_url(
    action: CustomAction,
    wanted: Sequence[Wanted],
    urls: Mapping[str, frozenset[str]],
    lacking: set[tuple[str, str | None]],
) -> str | None:
    """Return the key that the target URL tells; of several, the one whose label fits, or that lacks an action here."""
    keys = [key for key, known in urls.items() if canonical(action.target_url or "") in known]
    labels = {one.key: one.fields.label for one in wanted if one.fields.ui_reference == action.ui_reference}
    return min(
        keys,
        key=lambda key: (
            not same_label(labels.get(key), action.label),
            (key, action.ui_reference) not in lacking,
            key not in labels,
        ),
        default=None,
    )


def _settle(found: Match, wanted: list[Wanted], key: str, actions: list[CustomAction], record: UserRecord) -> None:
    """Give each location of one key its action; one that is no longer wanted where it is moves to one without."""
    left = list(actions)
    missing = []
    for one in wanted:
        here = [action for action in left if action.ui_reference == one.fields.ui_reference]
        here.sort(key=lambda action: _rank(action, one, record))
        if here:
            found.pairs.append((one, here[0]))
            found.duplicates += [(key, action) for action in here[1:]]
            left = [action for action in left if action not in here]
        else:
            missing.append(one)
    left.sort(key=lambda action: (action.id not in record.owned, action.id))
    for one in missing:
        found.pairs.append((one, left.pop(0) if left else None))
    found.orphans += [(key, action) for action in left]


def _rank(action: CustomAction, wanted: Wanted, record: UserRecord) -> tuple[bool, bool, bool, int]:
    """Order what could be the wanted one: exactly so first, then ours for sure, then of that label, then the oldest."""
    differs = ActionFields.of(action).differing(wanted.fields, record.kept)
    return bool(differs), action.id not in record.owned, "label" in differs, action.id
