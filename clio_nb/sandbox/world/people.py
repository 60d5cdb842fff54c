"""Who works at a firm: hired, renamed, disabled and removed, as an administrator does it in Clio's settings."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ..clock import Clock
from ..firm.build import Firm, User, name_fields, user_fields
from ..firm.rows import Row
from .store import Shelf

_NAME_MAX: Final = 200


class _Kept(msgspec.Struct):
    """What happened to a user, as the store holds it. ``hired`` is None for those of the beginning."""

    name: str
    email: str
    enabled: bool
    updated: float
    revision: int
    hired: float | None = None
    removed: bool = False


class People:
    """The users of a firm by id, the account owner first."""

    def __init__(self, firm: Firm, clock: Clock, shelf: Shelf) -> None:
        self._firm: Final = firm
        self._clock = clock
        self._shelf = shelf
        self._rows: Final = firm.collections["users"]
        self._kept = {int(key): kept for key, kept in shelf.all("person", _Kept).items()}
        for user_id, kept in sorted(self._kept.items()):
            if kept.removed:
                self._rows.pop(user_id, None)
                continue
            if kept.hired is not None:
                self._rows[user_id] = self._new(user_id, kept.name, kept.email, kept.hired)
            self._rows[user_id].restore(_fields(kept), kept.updated, kept.revision)
        self.users = self._named()

    def hire(self, name: str, email: str | None = None) -> User:
        """Add a user; without an address the firm gives one. Raises ValueError for a name or address that is none."""
        hired = sum(1 for kept in self._kept.values() if kept.hired is not None)
        user_id = self._firm.next_user_id + 7 * hired
        row = self._new(
            user_id,
            _text("name", name),
            _text("email", email or f"user{user_id}@{self._firm.domain}"),
            self._clock.now(),
        )
        self._rows[user_id] = row
        self._keep(row, hired=row.created)
        return self.users[-1]

    def change(
        self, user_id: int, *, name: str | None = None, email: str | None = None, enabled: bool | None = None
    ) -> User:
        """Change what is given; raise LookupError when there is no such user, ValueError for an empty text."""
        row = self.row(user_id)
        fields: dict[str, Any] = name_fields(_text("name", name)) if name is not None else {}
        if email is not None:
            fields["email"] = _text("email", email)
        if enabled is not None:
            fields["enabled"] = enabled
        row.change(fields, self._clock.now())
        self._keep(row)
        return next(user for user in self.users if user.id == user_id)

    def remove(self, user_id: int) -> None:
        """Take a user out of the firm; raise LookupError for nobody, ValueError for the last one."""
        row = self.row(user_id)
        if len(self._rows) == 1:
            raise ValueError("A firm has at least one user. Hire somebody else first.")
        del self._rows[user_id]
        self._keep(row, removed=True)

    def row(self, user_id: int) -> Row:
        """Return a user's row; raise LookupError when there is no such user."""
        row = self._rows.get(user_id)
        if row is None:
            raise LookupError(f"There is no user {user_id} in this firm; take an id from users.")
        return row

    def _new(self, id: int, name: str, email: str, hired: float) -> Row:
        more = {
            "account_owner": False,
            "phone_number": "",
            "rate": 0.0,
            "roles": [],
            "subscription_type": "NonAttorney",
        }
        return Row(id, {**user_fields(id, self._firm.account, name, email), **more}, hired, hired)

    def _keep(self, row: Row, *, hired: float | None = None, removed: bool = False) -> None:
        before = self._kept.get(row.id)
        hired = before.hired if before else hired
        data = row.data
        kept = _Kept(data["name"], data["email"], data["enabled"], row.updated, row.revision, hired, removed)
        self._kept[row.id] = kept
        self._shelf.put("person", row.id, kept)
        self.users = self._named()

    def _named(self) -> list[User]:
        return [User(row.id, row.data["name"], row.data["email"]) for row in self._rows.values()]


def _fields(kept: _Kept) -> dict[str, Any]:
    return {**name_fields(kept.name), "email": kept.email, "enabled": kept.enabled}


def _text(what: str, text: str) -> str:
    text = text.strip()
    if not 0 < len(text) <= _NAME_MAX or not text.isprintable():
        raise ValueError(f"A user's {what} is 1 to {_NAME_MAX} characters on one line.")
    return text
