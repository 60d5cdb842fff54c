"""Whose token proves a launch: the session of the user whom the launch names, and never another's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from inspect import isawaitable
from typing import Protocol, TypeVar, cast

from ..client import AsyncSession, Session

T = TypeVar("T")


class HasSessions(Protocol):
    """Anything that finds the session of a user by id: a firm.

    ``session_of`` gives a session, an awaitable of one, or None; or raises :class:`errors.NeedsLogin`.
    """

    def session_of(self, user_id: int) -> object:
        """Return the session of this user."""


Sessions = Session | AsyncSession | Iterable[Session | AsyncSession] | HasSessions


async def session_for(user_id: int, sessions: Sessions) -> AsyncSession | None:
    """Return the session of this user, or None. A session whose user is not known yet is asked first."""
    at_hand = await sessions_at_hand(user_id, sessions)
    if not isinstance(sessions, Session | AsyncSession | Iterable):
        return next(iter(at_hand), None)
    for session in at_hand:
        if (session.user or await session.who_am_i()).id == user_id:
            return session
    return None


async def sessions_at_hand(user_id: int, sessions: Sessions) -> list[AsyncSession]:
    """Return the sessions that can be this user's, by what is known without a request."""
    found: object = [sessions] if isinstance(sessions, Session | AsyncSession) else sessions
    if not isinstance(found, Iterable):
        found = sessions.session_of(user_id)  # type: ignore[union-attr]  # all that is left of the union has it
        found = [await found if isawaitable(found) else found]
    asyncs = (one.aio if isinstance(one, Session) else one for one in found)
    return [one for one in asyncs if isinstance(one, AsyncSession) and (one.user is None or one.user.id == user_id)]


def app_of(session: AsyncSession) -> str:
    """Name the app of a session, and the Clio where it is registered."""
    return f"{session.site.origin} {session.site.client_id}"


def lasting(items: T) -> T:
    """Return what can be looked through again: an iterator gives its items once, and launches come again."""
    return cast("T", tuple(items)) if isinstance(items, Iterator) else items
