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
    """Return the manifest of what these users see: a plan of it has nothing to do for them.

    Actions of one label and target URL become one key for each set of users. What no manifest can say (an unknown
    location, an invalid target URL) is left out.
    """
    readable = {state.user.id: state for state in states if state.access is Access.SIGNED_IN}
    spellings: dict[str, str] = {}
    seen: dict[tuple[str, str], dict[Location, list[int]]] = {}
    for state in readable.values():
        for action in state.actions:
            if action.label and action.target_url and action.location:
                spelling = spellings.setdefault(canonical(action.target_url), action.target_url)
                locations = seen.setdefault((action.label, spelling), {})
                locations.setdefault(action.location, []).append(state.user.id)
    actions: list[Action] = []
    for (label, target_url), locations in seen.items():
        for users in dict.fromkeys(tuple(users) for users in locations.values()):
            one = Action(
                key=_key(label, {other.key for other in actions}),
                label=label,
                target_url=target_url,
                locations=tuple(at.resource for at in Location if tuple(locations.get(at, ())) == users),
                who=_who([readable[user].user for user in users], len(readable)),
            )
            if not any(problems(Manifest(app=AppOf(name), actions=(one,)))):
                actions.append(one)
    return Manifest(app=AppOf(name=name, region=region), actions=tuple(actions))


def _who(users: list[User], of: int) -> Who:
    return Who() if len(users) == of else Who(users=tuple(user.email or user.id for user in users))


def _key(label: str, taken: set[str]) -> str:
    base = re.sub(r"[^a-z0-9]+", "-", label.casefold()).strip("-")[:50] or "action"
    return next(
        key for number in range(1, len(taken) + 2) if (key := base if number == 1 else f"{base}-{number}") not in taken
    )
