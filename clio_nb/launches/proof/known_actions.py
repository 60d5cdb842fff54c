"""A cache of what Clio has told this process about a user: the user's actions, and which records the user can read."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from ...http import timeouts
from ...models import CustomAction, Subject
from ...session import AsyncSession

KNOWN_FOR: Final = 900.0
"""Seconds for which an entry counts."""

JUST_NOW: Final = 10.0
"""Seconds for which the actions of a user are not listed again."""

TRIES: Final = 60.0
"""Seconds for which a launch that Clio refused counts against those that are said to be of the same user."""

CAREFUL: Final = 5
"""Refused launches of a user after which only those of an action that is known to be hers are sent to Clio."""

MOST: Final = 20
"""Refused launches of a user after which none are: Clio allows 50 requests a minute, and she needs some herself."""

CAPACITY: Final = 10_000
RECORDS: Final = 100  # for each user


@dataclass(slots=True)
class KnownUser:
    """What is known of one user of one app."""

    _read: OrderedDict[Subject, float] = field(default_factory=OrderedDict)
    _actions: dict[int, CustomAction] = field(default_factory=dict)
    _read_at: float = float("-inf")
    _tries: deque[float] = field(default_factory=deque)

    def learn(self, actions: Iterable[CustomAction]) -> None:
        """Keep the actions that Clio has just listed."""
        self._actions = {action.id: action for action in actions}
        self._read_at = timeouts.now()

    @property
    def listed(self) -> bool:
        """Whether the actions were listed not long ago."""
        return timeouts.now() - self._read_at < KNOWN_FOR

    @property
    def listed_just_now(self) -> bool:
        """Whether the actions were listed so short a time ago that asking again would cost more than it tells."""
        return timeouts.now() - self._read_at < JUST_NOW

    @property
    def tried(self) -> int:
        """How many nonces of this user Clio has refused within a minute, or has not answered yet."""
        while self._tries and timeouts.now() - self._tries[0] >= TRIES:
            self._tries.popleft()
        return len(self._tries)

    def note_try(self) -> float:
        """Count a nonce that is about to be sent."""
        self._tries.append(now := timeouts.now())
        return now

    def forget_try(self, tried: float) -> None:
        """Count a nonce no more: Clio did not refuse it."""
        if tried in self._tries:
            self._tries.remove(tried)

    def action(self, action_id: int) -> CustomAction | None:
        """Return the action, if it was listed not long ago."""
        return self._actions.get(action_id) if self.listed else None

    def note_read(self, subject: Subject) -> None:
        """Remember that the user could read this record just now."""
        self._read.pop(subject, None)
        self._read[subject] = timeouts.now()
        if len(self._read) > RECORDS:
            self._read.popitem(last=False)

    def has_read(self, subject: Subject) -> bool:
        """Whether the user could read this record not long ago."""
        return timeouts.now() - self._read.get(subject, float("-inf")) < KNOWN_FOR


class ActionsCache:
    """What is known of each user, by app and region. Used on the library's loop only; bounded."""

    def __init__(self) -> None:
        self._users: OrderedDict[tuple[str, str, int], KnownUser] = OrderedDict()

    def of(self, session: AsyncSession, user_id: int) -> KnownUser:
        """Return what is known of the user of a session. Of too many users the oldest is dropped."""
        key = (session.site.origin, session.site.client_id, user_id)
        known = self._users.setdefault(key, KnownUser())
        self._users.move_to_end(key)
        if len(self._users) > CAPACITY:
            self._users.popitem(last=False)
        return known

    def clear(self) -> None:
        """Forget everything, as a new process would."""
        self._users.clear()


actions_cache: Final = ActionsCache()
"""That of this process."""
