"""Whose token proves a launch: the session of the user whom the launch names, and never another's."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import isawaitable
from typing import Protocol

from ..arguments import session_of_kind
from ..client import AsyncSession, Session, known_user
from ..errors import InvalidInput


class HasSessions(Protocol):
    """Anything that finds the session of a user by id: a firm.

    ``session_of`` gives a session, an awaitable of one, or None; or raises :class:`errors.NeedsLogin`.
    """

    def session_of(self, user_id: int) -> object:
        """Return the session of this user."""


Sessions = Session | AsyncSession | Iterable[Session | AsyncSession] | HasSessions


def check_sessions(sessions: object) -> None:
    """Raise :class:`InvalidInput` that says what to pass, unless these are sessions or can find them."""
    known = isinstance(sessions, Session | AsyncSession | Iterable) or hasattr(sessions, "session_of")
    if not known or isinstance(sessions, type | str):
        said = "None" if sessions is None else f"a {type(sessions).__name__}"
        raise InvalidInput(
            f"A launch is proved with a session, and this is {said}. Pass the session of the user who clicked, several "
            "sessions, or a firm.",
            field="sessions",
        )


async def session_for(user_id: int, sessions: Sessions) -> AsyncSession | None:
    """Return the session of this user, or None. A session whose user is not known yet is asked first."""
    if isinstance(sessions, Session | AsyncSession | Iterable):
        for session in [sessions] if isinstance(sessions, Session | AsyncSession) else sessions:
            mine = session_of_kind(getattr(session, "aio", session), AsyncSession, "verify_launch")
            if (await mine.the_user()).id == user_id:
                return mine
        return None
    found = getattr(sessions, "aio", sessions).session_of(user_id)
    found = await found if isawaitable(found) else found
    found = getattr(found, "aio", found)
    if not isinstance(found, AsyncSession):
        return None
    user = known_user(found)
    return found if user is None or user.id == user_id else None
