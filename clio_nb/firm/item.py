"""One item of a plan: what is to be done about one action of one user, and why; and how it ended in a run."""

from __future__ import annotations

import datetime as dt
from typing import Final, NamedTuple

import msgspec

from ..ledger.records import ActionFields, Kind, Outcome

WITHOUT_MANIFEST: Final = "made without a manifest"
NOT_IN_LEDGER: Final = "not in the ledger"
"""Two reasons of a foreign item: it is this app's, and no plan of a manifest touches it."""

WRITES: Final = (Kind.CREATE, Kind.UPDATE, Kind.DELETE)


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One item of a plan. ``before`` is how the action is now, ``after`` how it should be; ``etag`` as it was read."""

    kind: Kind
    user_id: int
    user: str = ""
    key: str = ""
    action_id: int | None = None
    etag: str | None = None
    created_at: dt.datetime | None = None
    before: ActionFields | None = None
    after: ActionFields | None = None
    reason: str = ""
    advice: str = ""

    @property
    def location(self) -> str | None:
        """The ``ui_reference`` that it is about."""
        fields = self.after or self.before
        return fields.ui_reference if fields else None

    def diff(self) -> dict[str, tuple[str | None, str | None]]:
        """Return which fields change in what they mean, from what to what."""
        if self.before is None or self.after is None or self.kind is Kind.OK:
            return {}
        differing = self.before.differing(self.after)
        return {name: (getattr(self.before, name), getattr(self.after, name)) for name in differing}


class ItemResult(NamedTuple):
    """One change of a plan and how it ended. ``message`` says why and what to do, or what Clio keeps differently."""

    item: Item
    outcome: Outcome
    message: str = ""
