"""Who is in a firm, and what Clio shows of each: read with every user's own token, all at the same time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Final

from .. import errors
from ..models import Site, User
from ..session import AsyncSession
from ..vault import Grant, Vault
from ._state import Access, UserState

ASKED_FOR_USERS: Final = 10  # so many users are tried for the list of all; one is enough when all is well
KEPT: Final = 10_000  # sessions that are kept, the newest, because each knows what is left of its token's budget
AHEAD: Final = 250  # users read at the same time; how many requests are under way is the transport's business


@dataclass(frozen=True, slots=True)
class Roll:
    """The users of a firm, each with what is known of the access before asking; ``note`` if the list is not whole.

    ``grants`` are handed over as users are read, so that a large firm's tokens do not stay in memory.
    """

    people: tuple[tuple[User, Access], ...]
    grants: dict[int, Grant]
    note: str = ""


class Survey:
    """Reads one firm: its list of users, and each user's actions with that user's token out of the vault."""

    def __init__(self, site: Site, vault: Vault, firm: str, timeout: float | None = None) -> None:
        self._site = site
        self._vault = vault
        self._firm = firm
        self._timeout = timeout
        self._sessions: dict[int, AsyncSession] = {}

    async def session_of(self, user_id: int, grant: Grant | None = None) -> AsyncSession:
        """Return the session of a user. Raises :class:`errors.NeedsLogin` when the vault has no token."""
        if grant is None and user_id not in self._sessions:
            grant = await asyncio.to_thread(self._vault.grant, self._site, user_id, firm=self._firm)
        return self.session_from(user_id, grant)

    def session_from(self, user_id: int, grant: Grant | None) -> AsyncSession:
        """Return the session of a user, made from a grant if need be. Raises :class:`errors.NeedsLogin` without one."""
        session = self._sessions.get(user_id)
        if session is not None:
            return session
        if grant is None:
            raise errors.NeedsLogin(f"User {user_id} has never signed in. Ask this user to sign in.")
        source = self._vault.source(self._site, user_id, firm=self._firm, grant=grant)
        session = self._sessions[user_id] = AsyncSession(self._site, source, user=grant.user, timeout=self._timeout)
        if len(self._sessions) > KEPT:
            del self._sessions[next(iter(self._sessions))]
        return session

    async def roll(self) -> Roll:
        """Return the users of the firm. One request a page of 200, with the first token that is good for it.

        Who has a token is listed even if Clio's list does not name the user, or cannot be read.
        """
        grants = await asyncio.to_thread(self._grants)
        users, note = await self._users(grants)
        elsewhere = await asyncio.to_thread(self._vault.elsewhere, self._site, firm=self._firm)
        listed = {user.id for user in users}
        users += [grant.user for grant in grants.values() if grant.user.id not in listed]
        people = tuple((user, _access(user, grants.get(user.id), elsewhere)) for user in users)
        return Roll(people, grants, note)

    async def states(self, roll: Roll, only: Collection[int] | None = None) -> AsyncIterator[UserState]:
        """Give the state of each user, or ``only`` of these ids, in the order of the roll.

        One request for each who can be read. What befalls one user is in that user's state; only
        :class:`errors.ClientRefused` is raised, when Clio does not know the app.
        """
        reading: deque[asyncio.Task[UserState]] = deque()
        try:
            for user, access in roll.people:
                if only is None or user.id in only:
                    reading.append(asyncio.ensure_future(self._state(user, access, roll.grants.pop(user.id, None))))
                if len(reading) >= AHEAD:
                    yield await reading.popleft()
            while reading:
                yield await reading.popleft()
        finally:
            for task in reading:
                task.cancel()

    async def _state(self, user: User, access: Access, grant: Grant | None) -> UserState:
        if access is not Access.SIGNED_IN:
            return UserState(user, access)
        try:
            actions = await (await self.session_of(user.id, grant)).list_actions()
        except errors.NeedsLogin:
            now = await asyncio.to_thread(self._vault.grant, self._site, user.id, firm=self._firm)
            return UserState(user, _trouble(now))
        except errors.Unauthorized:
            return UserState(user, Access.REVOKED)
        except errors.Forbidden:
            return UserState(user, Access.NO_PERMISSION)
        except errors.ClientRefused:
            raise
        except errors.ClioError as error:
            return UserState(user, Access.UNREADABLE, detail=str(error.args[0]))
        return UserState(user, actions=tuple(actions))

    async def _users(self, grants: dict[int, Grant]) -> tuple[list[User], str]:
        refused: errors.ClioError | None = None
        usable = [grant for grant in grants.values() if not grant.trouble]
        for grant in usable[:ASKED_FOR_USERS]:
            try:
                return await (await self.session_of(grant.user.id, grant)).list_users(), ""
            except (errors.NeedsLogin, errors.Unauthorized, errors.Forbidden) as error:
                refused = error
        if refused is None:
            return [], "Nobody of this firm has access at the moment, so its users could not be listed."
        return [], (
            "The users of the firm could not be listed, so only those who have signed in are here, and roles are not "
            f"known. {refused.args[0]}"
        )

    def _grants(self) -> dict[int, Grant]:
        return {grant.user.id: grant for grant in self._vault.grants(self._site, firm=self._firm)}


def _access(user: User, grant: Grant | None, elsewhere: Collection[int]) -> Access:
    if not user.enabled:
        return Access.DISABLED
    if grant is None:
        return Access.WRONG_REGION if user.id in elsewhere else Access.NEVER_SIGNED_IN
    return _trouble(grant) if grant.trouble else Access.SIGNED_IN


def _trouble(grant: Grant | None) -> Access:
    if grant is None:
        return Access.NEVER_SIGNED_IN
    return Access(grant.trouble) if grant.trouble in (Access.EXPIRED, Access.DAMAGED) else Access.REVOKED
