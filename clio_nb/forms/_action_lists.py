"""The actions of those who are signed in, as Clio listed them last, and as this form has changed them since."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from ..errors import ClioError
from ..models import CustomAction, User
from ..session import Session


class Row(NamedTuple):
    """One action, its user, and the session that can change it."""

    session: Session
    user: User
    action: CustomAction

    @property
    def at(self) -> str:
        """Where it is, in a word."""
        return self.action.location.resource if self.action.location else self.action.ui_reference or ""

    def __str__(self) -> str:
        return f"{self.action.label!r} on {self.at} (id {self.action.id})"


class ActionLists:
    """The lists of several users. ``problems`` has an error for each who could not be read; the older list stays."""

    def __init__(self) -> None:
        self.problems: dict[Session, ClioError] = {}
        self.read_at: dt.datetime | None = None
        self._lists: dict[Session, list[Row]] = {}
        self._versions: Final = Counter[Session]()

    @property
    def rows(self) -> list[Row]:
        """All actions, user by user."""
        return [row for rows in list(self._lists.values()) for row in rows]

    @property
    def users(self) -> int:
        """How many users they are of."""
        return len(self._lists)

    def of(self, session: Session) -> list[Row]:
        """Return the actions of one user."""
        return self._lists.get(session, [])

    async def read(self, sessions: Iterable[Session]) -> None:
        """Read the actions of these users, and forget those of all others."""
        self._lists = {session: self.of(session) for session in sessions}
        self.problems = {session: error for session, error in self.problems.items() if session in self._lists}
        await asyncio.gather(*map(self.read_one, self._lists))
        self.read_at = dt.datetime.now().astimezone()

    async def read_one(self, session: Session) -> bool:
        """Read one user's actions, and return whether that worked. What is known by something newer stays."""
        self._versions[session] += 1
        version = self._versions[session]
        try:
            user = await session.aio.the_user()
            rows = [Row(session, user, action) for action in await session.aio.list_actions()]
        except ClioError as error:
            self.problems[session] = error
            return False
        if self._versions[session] == version and session in self._lists:
            self._lists[session] = rows
        self.problems.pop(session, None)
        return True

    def replace(self, row: Row, action: CustomAction | None) -> None:
        """Put what Clio has now in the place of an action; None takes it out, and one that is new is added."""
        self._versions[row.session] += 1
        rows, new = self.of(row.session), [] if action is None else [row._replace(action=action)]
        index = next((number for number, other in enumerate(rows) if other.action.id == row.action.id), len(rows))
        self._lists[row.session] = [*rows[:index], *new, *rows[index + 1 :]]
