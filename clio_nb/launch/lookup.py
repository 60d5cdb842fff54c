"""Whose token proves a launch: the session of the user whom the launch names, and never another's."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import isawaitable
from typing import Protocol

from ..client import AsyncSession, Session, known_user


class HasSessions(Protocol):
    """Anything that finds the session of a user by id: a firm.

    ``session_of`` gives a session, an awaitable of one, or None; or raises :class:`errors.NeedsLogin`.
    """

    def session_of(self, user_id: int) -> object:
        """Return the session of this user."""


Sessions = Session | AsyncSession | Iterable[Session | AsyncSession] | HasSessions


async def session_for(user_id: int, sessions: Sessions) -> AsyncSession | None:
    """Return the session of this user, or None. A session whose user is not known yet is asked first."""
    if isinstance(sessions, Session | AsyncSession):
        return await _if_of(user_id, sessions)
    if isinstance(sessions, Iterable):
        for session in sessions:
            if (mine := await _if_of(user_id, session)) is not None:
                return mine
        return None
    found = sessions.session_of(user_id)
    if isawaitable(found):
        found = await found
    if not isinstance(found, Session | AsyncSession):
        return None
    user = known_user(session := _async(found))
    return session if user is None or user.id == user_id else None


async def _if_of(user_id: int, session: Session | AsyncSession) -> AsyncSession | None:
    session = _async(session)
    return session if (await session.the_user()).id == user_id else None


def _async(session: Session | AsyncSession) -> AsyncSession:
    return session.aio if isinstance(session, Session) else session
