"""What the journal of a firm holds: runs, an entry for each change of a run, and what happened to an entry."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from ..models import CustomAction
from ._state import ActionFields
from .item import Item, Kind
from .manifest import Manifest


class Entry(NamedTuple):
    """One change of a run, and how it ended. ``at`` is None until it was sent."""

    run: str
    number: int
    user_id: int
    user: str
    kind: Kind
    key: str
    action_id: int | None
    before: ActionFields | None
    after: ActionFields | None
    outcome: str
    message: str
    at: dt.datetime | None


class EntryChange(NamedTuple):
    """What happened to an entry: it was sent, or it ended with an outcome.

    With ``item`` the change was made; ``action`` is the action as it is now, or None when it was deleted.
    """

    number: int
    outcome: str
    message: str = ""
    item: Item | None = None
    action: CustomAction | None = None


class Run(NamedTuple):
    """One apply, undo or offboarding. ``finished`` is None while it runs, and stays so when it was killed."""

    run: str
    app: str
    purpose: str
    profile: str | None
    allow_delete: bool
    manifest: Manifest | None
    started: dt.datetime
    finished: dt.datetime | None
