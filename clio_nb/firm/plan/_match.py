"""Which of a user's actions are ours, and which of them is which: the heart of "never a second button".

Clio keeps three texts of an action: label, target URL and place. None is a key, and all may change. So an action is
ours, and of a key, by the first of these that holds:

1. The journal knows its id (and the time it was made): we made or adopted it. Renamed, moved or led elsewhere by hand,
   it stays ours. One that another manifest of this app made is foreign here. (A key that is no longer in the manifest
   may have been given another name there: then the next proof comes first.)
2. It looks as the manifest wants it. Here and below, spellings of one meaning are one, and so is what Clio was seen to
   make of what we sent.
3. We sent a create of this look whose answer was lost.
4. It leads to a target URL of that key: the present one, another profile's, or one in ``formerly``. The list holds only
   this app's actions, so nobody else puts our URL there.

A label alone is no proof. What is left is foreign and never touched; where it holds a label that we want in that place,
our action is blocked, because Clio has each label once in a place.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ...action_rules import canonical, same_label
from ...models import CustomAction
from .._state import Known, Look, Wanted


@dataclass(slots=True)
class Match:
    """One user's actions, told apart. ``pairs`` joins what is wanted with the action that is it, or with None."""

    pairs: list[tuple[Wanted, CustomAction | None]] = field(default_factory=list)
    duplicates: list[tuple[str, CustomAction]] = field(default_factory=list)
    orphans: list[tuple[str, CustomAction]] = field(default_factory=list)
    foreign: list[CustomAction] = field(default_factory=list)


def match(
    manifest: str,
    wanted: Sequence[Wanted],
    urls: Mapping[str, frozenset[str]],
    actions: Iterable[CustomAction],
    known: Known,
) -> Match:
    """Tell one user's actions apart.

    ``urls`` gives the target URLs of every key of the manifest, also of those that this user is not meant to see.
    """
    told = Match()
    by_key: dict[str, list[CustomAction]] = {}
    unsure = []
    for action in sorted(actions, key=lambda action: action.id):
        sure = _sure_key(action, manifest, wanted, urls, known)
        if sure is not None:
            by_key.setdefault(sure, []).append(action)
        elif _may_be_ours(action, manifest, known):
            unsure.append(action)
        else:
            told.foreign.append(action)

    lacking = {(one.key, one.look.ui_reference) for one in wanted}
    lacking -= {(key, action.ui_reference) for key, several in by_key.items() for action in several}
    for action in unsure:
        key = _key_by_url(action, wanted, urls, lacking)
        if key is None:
            told.foreign.append(action)
        else:
            by_key.setdefault(key, []).append(action)
            lacking.discard((key, action.ui_reference))

    for key in dict.fromkeys([*(one.key for one in wanted), *by_key]):
        _settle(told, [one for one in wanted if one.key == key], key, by_key.get(key, []), known)
    return told


def _sure_key(
    action: CustomAction, manifest: str, wanted: Sequence[Wanted], keys: Container[str], known: Known
) -> str | None:
    """Return the key by the first three proofs; a key that the manifest has no more only if nothing else fits."""
    if not _may_be_ours(action, manifest, known):
        return None
    owner = known.owned.get(action.id)
    noted = owner.key if owner is not None and owner.is_same(action) else None
    if noted is not None and noted in keys:
        return noted
    look = Look.of(action)
    claim = next((claim for sent, claim in known.claims.items() if not look.differing(sent, known.kept)), None)
    claimed = claim[1] if claim is not None and claim[0] == manifest else None
    return next((one.key for one in wanted if not look.differing(one.look, known.kept)), noted or claimed)


def _may_be_ours(action: CustomAction, manifest: str, known: Known) -> bool:
    """Whether an action is in a place that this library knows, and no other manifest made it."""
    owner = known.owned.get(action.id)
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
    labels = {one.key: one.look.label for one in wanted if one.look.ui_reference == action.ui_reference}
    return min(
        keys,
        key=lambda key: (
            not same_label(labels.get(key), action.label),
            (key, action.ui_reference) not in lacking,
            key not in labels,
        ),
        default=None,
    )


def _settle(told: Match, wanted: list[Wanted], key: str, actions: list[CustomAction], known: Known) -> None:
    """Give each place of one key its action; an action in a place no longer wanted moves to one that has none."""
    left = list(actions)
    missing = []
    for one in wanted:
        here = [action for action in left if action.ui_reference == one.look.ui_reference]
        here.sort(key=lambda action: _rank(action, one, known))
        if here:
            told.pairs.append((one, here[0]))
            told.duplicates += [(key, action) for action in here[1:]]
            left = [action for action in left if action not in here]
        else:
            missing.append(one)
    left.sort(key=lambda action: (action.id not in known.owned, action.id))
    for one in missing:
        told.pairs.append((one, left.pop(0) if left else None))
    told.orphans += [(key, action) for action in left]


def _rank(action: CustomAction, wanted: Wanted, known: Known) -> tuple[bool, bool, bool, int]:
    """Order what could be the wanted one: exactly so first, then ours for sure, then of that label, then the oldest."""
    differs = Look.of(action).differing(wanted.look, known.kept)
    return bool(differs), action.id not in known.owned, "label" in differs, action.id
