"""Write down what is there now as a manifest. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..action_rules import canonical
from ..models import User
from ..vocabulary import Location, Region
from ._state import Access, UserState
from .manifest import Action, AppOf, Manifest, Who, problems


def manifest_of(name: str, region: Region | None, states: Iterable[UserState]) -> Manifest:
    """Return the manifest that says what these users see: planned again, it has nothing to do for them.

    Actions of one label and target URL become one key for each set of users. What no manifest can say (a place that
    this library does not know, a target URL that is none) is left out.
    """
    readable = {state.user.id: state for state in states if state.access is Access.SIGNED_IN}
    spellings: dict[str, str] = {}
    seen: dict[tuple[str, str], dict[Location, list[int]]] = {}
    for state in readable.values():
        for action in state.actions:
            if action.label and action.target_url and action.location:
                spelling = spellings.setdefault(canonical(action.target_url), action.target_url)
                places = seen.setdefault((action.label, spelling), {})
                places.setdefault(action.location, []).append(state.user.id)
    actions: list[Action] = []
    for (label, target_url), places in seen.items():
        for users in dict.fromkeys(tuple(users) for users in places.values()):
            line = Action(
                key=_key(label, {other.key for other in actions}),
                label=label,
                target_url=target_url,
                places=tuple(place.resource for place in Location if tuple(places.get(place, ())) == users),
                who=_who([readable[user].user for user in users], len(readable)),
            )
            if not any(problems(Manifest(app=AppOf(name), actions=(line,)))):
                actions.append(line)
    return Manifest(app=AppOf(name=name, region=region), actions=tuple(actions))


def _who(users: list[User], of: int) -> Who:
    return Who() if len(users) == of else Who(users=tuple(user.email or user.id for user in users))


def _key(label: str, taken: set[str]) -> str:
    base = re.sub(r"[^a-z0-9]+", "-", label.casefold()).strip("-")[:50] or "action"
    return next(
        key for number in range(1, len(taken) + 2) if (key := base if number == 1 else f"{base}-{number}") not in taken
    )
