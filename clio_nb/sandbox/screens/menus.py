"""The menus of custom actions: which of a user's actions stand in which of the nine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from ...vocabulary import MENUS, Location, Menu
from ..world.state import State

_WEB: Final = ("http", "https")


@dataclass(frozen=True, slots=True)
class Item:
    """One action in a menu. ``opens`` is False where the target is no web address: it is shown, never opened."""

    id: int
    label: str
    target_url: str
    opens: bool


def items(state: State, user_id: int, location: Location) -> Sequence[Item]:
    """Return the user's own actions for a kind of record, oldest first. Nobody else's are shown (Clio's guide)."""
    return [
        Item(row.id, row.data["label"], row.data["target_url"], is_web(row.data["target_url"]))
        for row in state.actions.of(user_id).values()
        if row.data["ui_reference"] == location
    ]


def menu_of(location: Location, view: str) -> Menu | None:
    """Return the menu of a table's rows, or of a record's own page (singular), which folders do not have."""
    return next((menu for menu in MENUS if menu.location is location and menu.view == view), None)


def is_web(target_url: str) -> bool:
    """Whether a target may be opened: ``javascript:`` and ``data:`` are text, not links."""
    try:
        return urlsplit(target_url).scheme in _WEB
    except ValueError:
        return False
