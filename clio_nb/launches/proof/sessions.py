"""Find the session that proves a launch: that of the user whom the launch names, and never another user's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from inspect import isawaitable
from typing import Protocol, TypeVar, cast

from ...arguments import session_of_kind
from ...errors import InvalidInput
from ...session import AsyncSession, Session, known_user

T = TypeVar("T")


class HasSessions(Protocol):
    """Anything that finds the session of a user by id: a firm.

    ``session_of`` gives a session, several, or None, or an awaitable of these; or raises :class:`errors.NeedsLogin`.
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
            f"Cannot verify a launch with {said}. Pass the session of the user who clicked, "
            "several sessions, or a firm.",
            field="sessions",
        )


async def sessions_of(user_id: int, sessions: Sessions) -> list[AsyncSession]:
    """Return the sessions of this user, one for each app: ids of users are Clio's in each region by itself.

    A session whose user is not known yet is asked, when no other one is this user's.
    """
    at_hand = await sessions_at_hand(user_id, sessions)
    asked_for = not isinstance(sessions, Session | AsyncSession | Iterable)  # by this id: no need to ask Clio
    mine = [one for one in at_hand if asked_for or known_user(one) is not None]
    for session in () if mine else at_hand:
        if (await session.the_user()).id == user_id:
            return [session]
    by_app: dict[str, AsyncSession] = {}
    for session in mine:
        by_app.setdefault(app_of(session), session)
    return list(by_app.values())


async def sessions_at_hand(user_id: int, sessions: Sessions) -> list[AsyncSession]:
    """Return the sessions that may be this user's, without sending a request."""
    if isinstance(sessions, Session | AsyncSession | Iterable):
        several = [sessions] if isinstance(sessions, Session | AsyncSession) else sessions
        found = [session_of_kind(getattr(one, "aio", one), AsyncSession, "verify_launch") for one in several]
    else:
        answer = getattr(sessions, "aio", sessions).session_of(user_id)
        given = await answer if isawaitable(answer) else answer
        candidates = [getattr(one, "aio", one) for one in (given if isinstance(given, list | tuple) else [given])]
        found = [one for one in candidates if isinstance(one, AsyncSession)]
    return [one for one in found if (user := known_user(one)) is None or user.id == user_id]


def app_of(session: AsyncSession) -> str:
    """Name the app of a session, and the Clio where it is registered."""
    return f"{session.site.origin} {session.site.client_id}"


def lasting(items: T) -> T:
    """Keep the items of an iterator: it gives them once, and they are needed for each launch."""
    return cast("T", tuple(items)) if isinstance(items, Iterator) else items
