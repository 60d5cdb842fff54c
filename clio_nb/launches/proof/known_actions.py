"""A cache of what Clio has told this process about a user: the user's actions, and which records the user can read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from ...http import timeouts
from ...models import CustomAction, Subject
from ...session import AsyncSession

KNOWN_FOR: Final = 900.0  # seconds for which an entry counts

USERS_MAX: Final = 10_000
RECORDS_MAX: Final = 100  # for each user


@dataclass(slots=True)
class KnownUser:
    """What is known of one user of one app."""

    _read: OrderedDict[Subject, float] = field(default_factory=OrderedDict)
    _actions: dict[int, CustomAction] = field(default_factory=dict)
    _read_at: float = float("-inf")

    def learn(self, actions: Iterable[CustomAction]) -> None:
        """Keep the actions that Clio has just listed."""
        self._actions = {action.id: action for action in actions}
        self._read_at = timeouts.now()

    @property
    def listed(self) -> bool:
        """Whether the actions were listed not long ago."""
        return timeouts.now() - self._read_at < KNOWN_FOR

    def action(self, action_id: int) -> CustomAction | None:
        """Return the action, if it was listed not long ago."""
        return self._actions.get(action_id) if self.listed else None

    def note_read(self, subject: Subject) -> None:
        """Remember that the user could read this record just now."""
        self._read.pop(subject, None)
        self._read[subject] = timeouts.now()
        if len(self._read) > RECORDS_MAX:
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
        if len(self._users) > USERS_MAX:
            self._users.popitem(last=False)
        return known

    def clear(self) -> None:
        """Forget everything, as a new process would."""
        self._users.clear()


actions_cache: Final = ActionsCache()  # that of this process
