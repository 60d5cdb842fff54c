"""One line of a plan: what is to be done about one action of one user, and why."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Final

import msgspec

from ._state import Look


class Kind(StrEnum):
    """What a line of a plan says of one action of one user."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    OK = "ok"
    DUPLICATE = "duplicate"
    ORPHAN = "orphan"
    FOREIGN = "foreign"
    BLOCKED = "blocked"


class Outcome(StrEnum):
    """What came of one item of a run."""

    DONE = "done"
    CONFLICT = "conflict"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_SENT = "not sent"


WRITES: Final = (Kind.CREATE, Kind.UPDATE, Kind.DELETE)


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a plan. ``before`` is how the action looks now, ``after`` how it should; ``etag`` as it was read."""

    kind: Kind
    user_id: int
    user: str = ""
    key: str = ""
    action_id: int | None = None
    etag: str | None = None
    created_at: dt.datetime | None = None
    before: Look | None = None
    after: Look | None = None
    reason: str = ""
    advice: str = ""

    @property
    def place(self) -> str | None:
        """The ``ui_reference`` that it is about."""
        look = self.after or self.before
        return look.ui_reference if look else None

    def diff(self) -> dict[str, tuple[str | None, str | None]]:
        """Return which fields change in what they mean, from what to what."""
        if self.before is None or self.after is None or self.kind is Kind.OK:
            return {}
        differing = self.before.differing(self.after)
        return {name: (getattr(self.before, name), getattr(self.after, name)) for name in differing}
