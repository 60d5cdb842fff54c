"""What the history holds of launches, and what a process gathers of it before it is written. No secret, and no name."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from ..database.firm_key import AppKey

Reason = Literal[
    "malformed",
    "no-token",
    "revoked",
    "ambiguous",
    "unknown-action",
    "misplaced",
    "replayed",
    "refused-by-clio",
    "not-found",
    "other-answer",
    "expired",
    "rate-limited",
    "no-answer",
]
"""Why a launch was not verified: words that stay the same."""

BEAT: Final = 60.0
"""Seconds between two signs of life of a process that records: its mark is at most so old while it lives."""


class LaunchRow(NamedTuple):
    """One launch. ``firm`` is empty where no firm is known, ``reason`` when it was verified.

    The ``key`` is that of the action in its manifest, as the ledger had it when the row was written. The name of the
    ``user`` is never written: it is what vault and ledger have when the row is read.
    """

    at: dt.datetime
    firm: str
    state: str
    reason: str
    milliseconds: int
    user_id: int | None = None
    action_id: int | None = None
    key: str | None = None
    location: str | None = None
    record_id: int | None = None
    user: str | None = None


class Refused(NamedTuple):
    """How many launches were not verified within a minute, of a firm (empty: of none that is known), for a reason."""

    minute: dt.datetime
    firm: str
    reason: str
    launches: int


class Gap(NamedTuple):
    """A time in which launches may have come that are not in the history, nobody knows how many."""

    since: dt.datetime
    until: dt.datetime
    process: str


@dataclass(slots=True)
class Group:
    """What a process writes in one transaction. ``lost_since`` says from when on it had to drop what came."""

    launches: list[LaunchRow] = field(default_factory=list)
    refusals: Counter[tuple[int, str, str]] = field(default_factory=Counter)  # by minute, firm and reason
    lost_since: float | None = None

    def __bool__(self) -> bool:
        return bool(self.launches or self.refusals)


@dataclass(slots=True)
class Process:
    """A process that records the launches of one app. Times are seconds since the epoch."""

    name: str
    app: AppKey
    started: float
    groups: int = 0
    rows: int = 0
