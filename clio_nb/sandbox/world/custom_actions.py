"""The custom actions of one region: what may be saved, and whose they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from ...vocabulary import Location
from ..assumptions import Assumptions
from ..clock import Clock
from ..firm.rows import Row
from ..http.answers import Refusal
from ..http.query import unknown_choice
from .store import Shelf

_KEYS: Final = ("label", "target_url", "ui_reference")


class _Kept(msgspec.Struct):
    """An action as the store holds it."""

    owner: int
    label: str
    target_url: str
    ui_reference: str
    created: float
    updated: float
    revision: int


class Actions:
    """Every user's custom actions. A user sees and changes only his own."""

    def __init__(self, clock: Clock, shelf: Shelf, assumptions: Assumptions, first_id: int) -> None:
        self._clock = clock
        self._shelf = shelf
        self._assumptions = assumptions
        self._by_user: dict[int, dict[int, Row]] = {}
        self._next_id = first_id
        for key, kept in sorted(shelf.all("action", _Kept).items(), key=lambda item: int(item[0])):
            fields = {name: getattr(kept, name) for name in _KEYS}
            self._add(Row(int(key), fields, kept.created, kept.updated, owner=kept.owner, revision=kept.revision))
        self._next_id = max([self._next_id, *shelf.all("next_action", int).values()])

    def of(self, user_id: int) -> Mapping[int, Row]:
        """Return the actions of a user by id, oldest first."""
        return self._by_user.get(user_id, {})

    def every(self) -> Iterable[Row]:
        """Return the actions of all users."""
        return (row for rows in self._by_user.values() for row in rows.values())

    def create(self, user_id: int, data: Mapping[str, Any]) -> Row:
        """Save a new action of a user; raise :class:`Refusal` when a value is missing, wrong or taken."""
        fields = self._checked({name: data.get(name) for name in _KEYS})
        self._refuse_taken(user_id, fields, ignoring=0)
        now = self._clock.now()
        row = Row(self._next_id, fields, now, now, owner=user_id)
        self._add(row)
        self._keep(row)
        self._shelf.put("next_action", "", self._next_id)
        return row

    def update(self, row: Row, data: Mapping[str, Any]) -> None:
        """Change the given values of an action; raise :class:`Refusal` as :meth:`create` does, changing nothing."""
        fields = self._checked({name: data[name] for name in _KEYS if name in data})
        self._refuse_taken(row.owner, {**row.data, **fields}, ignoring=row.id)
        row.change(fields, self._clock.now())
        self._keep(row)

    def delete(self, row: Row) -> None:
        """Remove an action."""
        del self._by_user[row.owner][row.id]
        self._shelf.drop("action", row.id)

    def _add(self, row: Row) -> None:
        self._by_user.setdefault(row.owner, {})[row.id] = row
        self._next_id = max(self._next_id, row.id + 1)

    def _keep(self, row: Row) -> None:
        label, target_url, ui_reference = (row.data[name] for name in _KEYS)
        kept = _Kept(row.owner, label, target_url, ui_reference, row.created, row.updated, row.revision)
        self._shelf.put("action", row.id, kept)

    def _checked(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the fields if each may be saved; unknown keys never get here."""
        for name, value in fields.items():
            if value is None or (isinstance(value, str) and not value.strip()):
                raise self._blank(name)
            if not isinstance(value, str):
                raise _invalid(f"{_titled(name)} must be text")
        if "ui_reference" in fields:
            self._check_location(fields["ui_reference"])
        if "label" in fields and self._assumptions.label_max < len(fields["label"]):
            raise _invalid(f"Label is too long (maximum is {self._assumptions.label_max} characters)")
        if "target_url" in fields:
            self._check_target(fields["target_url"])
        return fields

    def _check_location(self, value: str) -> None:
        if value not in tuple(Location):
            status = self._assumptions.unknown_location_status
            raise unknown_choice("ui_reference", tuple(location.value for location in Location), status)

    def _check_target(self, value: str) -> None:
        schemes = ("https",) if self._assumptions.https_only else ("http", "https")
        if not _is_web_url(value, schemes):
            raise _invalid(f"Target url must be an absolute {' or '.join(schemes)} URL")

    def _refuse_taken(self, user_id: int, fields: Mapping[str, Any], *, ignoring: int) -> None:
        # "Links are unique across an application, user, location in the UI and label" (Clio's API reference).
        wanted = (fields["ui_reference"], fields["label"])
        for row in self.of(user_id).values():
            if row.id != ignoring and (row.data["ui_reference"], row.data["label"]) == wanted:
                raise _invalid("Label has already been taken", self._assumptions.duplicate_status)

    def _blank(self, name: str) -> Refusal:
        status = self._assumptions.blank_status
        return Refusal(status, "RecordInvalid" if status == 422 else "ArgumentError", f"{_titled(name)} can't be blank")


def _is_web_url(text: str, schemes: tuple[str, ...]) -> bool:
    if any(char <= " " or char in "\\\x7f" for char in text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _titled(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _invalid(message: str, status: int = 422) -> Refusal:
    return Refusal(status, "RecordInvalid", message)
