"""What each user sees in each location, and why not: plain records, of which ``tables`` makes a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ..ledger.records import Kind
from ..models import NOT_WANTED, NOTHING, User
from ..vocabulary import Location
from ._state import Access, UserState
from .item import Item


@dataclass(frozen=True, slots=True)
class Coverage:
    """What one user sees. ``locations`` has a text for each of the five ``ui_reference`` values.

    ``missing`` says why something is not there; it is empty when everything is.
    """

    user: User
    access: Access
    locations: dict[str, str]
    missing: tuple[str, ...] = ()

    @property
    def equipped(self) -> bool:
        """Whether the user sees something, and nothing is missing."""
        return not self.missing and any(text != NOT_WANTED for text in self.locations.values())


def coverage_of(states: Sequence[UserState], items: Iterable[Item]) -> list[Coverage]:
    """Return what each user sees.

    A text holds the labels that the user sees there, with what is odd about them in brackets
    (``Sign (renamed by hand)``), or a dash and the reason why there is nothing.
    """
    readable = {state.user.id for state in states if state.access is Access.SIGNED_IN}
    shown: dict[tuple[int, str | None], list[str]] = {}
    lacking: dict[tuple[int, str | None], list[str]] = {}
    for item in items:
        if item.before is not None and item.user_id in readable:
            shown.setdefault((item.user_id, item.before.ui_reference), []).append(_shown(item))
        if item.after is not None and (item.before is None or item.user_id not in readable or _moves(item)):
            lacking.setdefault((item.user_id, item.after.ui_reference), []).append(item.reason)

    def cell(state: UserState, location: str) -> str:
        at = (state.user.id, location)
        reasons = [f"{NOTHING}{reason}" for reason in dict.fromkeys(lacking.get(at, ()))]
        if not reasons and at not in shown:
            return NOT_WANTED if state.access is Access.SIGNED_IN else f"{NOTHING}{state.access.value}"
        return "; ".join([*shown.get(at, ()), *reasons])

    def missing(state: UserState) -> tuple[str, ...]:
        if state.access is not Access.SIGNED_IN:
            return (state.access.value,)
        at = (reason for location in Location for reason in lacking.get((state.user.id, location.value), ()))
        return tuple(dict.fromkeys(at))

    return [
        Coverage(
            state.user,
            state.access,
            {location.value: cell(state, location.value) for location in Location},
            missing(state),
        )
        for state in states
    ]


def _moves(item: Item) -> bool:
    return item.before is not None and item.after is not None and item.before.ui_reference != item.after.ui_reference


_ODD: Final = {
    Kind.DUPLICATE: "duplicate",
    Kind.ORPHAN: "no longer wanted",
}


def _shown(item: Item) -> str:
    """Say what a user sees of one action, with what is odd about it."""
    label = (item.before and item.before.label) or "without a label"
    odd = _ODD.get(item.kind, item.reason)
    return f"{label} ({odd})" if odd else label
