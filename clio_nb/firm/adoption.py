"""Who uses which action: what the ledger says is ours, held against the launches that Clio confirmed. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..ledger.launches import LaunchRow
from ..ledger.records import Owned

VERIFIED = "verified"


class Adoption(NamedTuple):
    """How a user uses an action, as far as that was recorded.

    ``equipped_since`` is when Clio made the action, as the ledger has it; None for one that is not ours, or no more.
    ``clicks`` are those that Clio confirmed. ``user`` is None where no name is known.
    """

    user_id: int
    user: str | None
    action_id: int
    key: str | None
    location: str | None
    label: str | None
    equipped_since: dt.datetime | None
    first_click: dt.datetime | None
    last_click: dt.datetime | None
    clicks: int
    clicks_7_days: int
    clicks_30_days: int

    @property
    def never(self) -> bool:
        """Whether no click is recorded."""
        return self.clicks == 0


def adoption_of(
    owned: Iterable[Owned], launches: Iterable[LaunchRow], names: Mapping[int, str], now: dt.datetime
) -> list[Adoption]:
    """Return a row for each user and action that is ours or was clicked, in order of user and action."""
    clicked: dict[tuple[int, int], list[LaunchRow]] = {}
    for row in launches:
        if row.state == VERIFIED and row.user_id is not None and row.action_id is not None:
            clicked.setdefault((row.user_id, row.action_id), []).append(row)
    ours = {(one.user_id, one.action_id): one for one in owned}
    found = []
    for key in sorted(ours.keys() | clicked.keys()):
        rows, one = clicked.get(key, []), ours.get(key)
        ages = [now - row.at for row in rows]
        last = rows[-1] if rows else None
        found.append(
            Adoption(
                user_id=key[0],
                user=names.get(key[0]),
                action_id=key[1],
                key=(one.key if one else last and last.key) or None,
                location=one.fields.ui_reference if one else last and last.location,
                label=one.fields.label if one else None,
                equipped_since=one.created_at if one else None,
                first_click=rows[0].at if rows else None,
                last_click=last and last.at,
                clicks=len(rows),
                clicks_7_days=sum(age < dt.timedelta(days=7) for age in ages),
                clicks_30_days=sum(age < dt.timedelta(days=30) for age in ages),
            )
        )
    return found
