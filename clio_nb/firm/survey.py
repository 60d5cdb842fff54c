"""Who is in a firm, and what Clio shows of each: read with every user's own token, all at the same time."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, SupportsIndex, TypeAlias

from .. import errors
from ..database.firm_key import AppKey
from ..http.client import not_whole, whole
from ..models import Account, Clock, Site, User
from ..session import AsyncSession, Notes, note_in
from ..vault import Grant, Vault
from ..vault._grants import id_of_user
from ..vault.vault import firm_key_of
from ._state import Access, UserState

ASKED_FOR_USERS: Final = 10  # users tried for the list of all; one is enough as a rule
KEPT: Final = 10_000  # sessions that are kept, the newest, because each knows what is left of its token's budget
FEW: Final = 20  # users who are asked one by one who they are, where asking for the list of all would cost more
AHEAD: Final = 250  # users read at the same time; how many requests are under way is the transport's business


Users: TypeAlias = Iterable[SupportsIndex | str] | SupportsIndex | str | None
"""Users by id or e-mail address: one, several, or None for everyone."""


@dataclass(frozen=True, slots=True)
class FirmUsers:
    """The users of a firm, each with what is known of the access before asking; ``note`` if the list is not whole.

    ``grants`` are handed over as users are read, so that a large firm's tokens do not stay in memory. ``everyone`` is
    false where only those are here who were asked for.
    """

    people: tuple[tuple[User, Access], ...]
    grants: dict[int, Grant]
    note: str = ""
    everyone: bool = True

    def ids(self, users: Users, *, strict: bool = True) -> set[int] | None:
        """Return the ids of these users; None for everyone. An unknown one is :class:`InvalidInput` if ``strict``."""
        if users is None:
            return None
        found = {name: self.find(name) for name in several(users) or ()}
        unknown = next((name for name, user in found.items() if user is None), None)
        if unknown is not None and strict:
            raise errors.InvalidInput(
                f"{unknown!r} is not a user of this firm. Use an id or an e-mail address.", field="users"
            )
        return {user.id for user in found.values() if user is not None}

    def find(self, name: SupportsIndex | str) -> User | None:
        """Return the user of an id or e-mail address, if there is one."""
        if isinstance(name, str):
            return next((user for user, _ in self.people if (user.email or "").casefold() == name.casefold()), None)
        return next((user for user, _ in self.people if user.id == name), None)


class Survey:
    """Reads one firm: its list of users, and each user's actions with that user's token out of the vault."""

    def __init__(self, site: Site, vault: Vault, firm: str, timeout: float | None = None) -> None:
        self._site = site
        self._vault = vault
        self._firm = firm
        self.firm_key = firm_key_of(site, firm)
        self._timeout = timeout
        self._sessions: dict[int, AsyncSession] = {}
        self._account_id: int | None = None
        self.notes: Notes | None = None

    @property
    def app(self) -> AppKey:
        """The app whose firm this is."""
        return self.firm_key.app

    @property
    def clock(self) -> Clock | None:
        """The clock of the site, where it stands still until it is moved."""
        return getattr(self._site, "clock", None)

    async def account_id(self) -> int:
        """Return Clio's id of the firm: what the ledger is kept by. 0 as long as nobody has signed in.

        It is known from a sign-in. Where all tokens came from elsewhere, Clio is asked once who one of their users is.
        """
        if self._account_id is None:
            self._account_id = await asyncio.to_thread(self._vault.ledger.firm_id, self.firm_key)
        if self._account_id is None:
            account = await self._account()
            if account is None:
                return 0
            await self.learn(account)
        assert self._account_id is not None  # noqa: S101 -- for mypy
        return self._account_id

    async def learn(self, account: Account) -> None:
        """Remember which firm at Clio this is."""
        await asyncio.to_thread(self._vault.ledger.learn_firm, self.firm_key, account)
        self._account_id = account.id

    async def _account(self) -> Account | None:
        grants = [grant for grant in (await asyncio.to_thread(self._grants)).values() if not grant.problem]
        known = next((grant.user.account for grant in grants if grant.user.account is not None), None)
        for grant in [] if known is not None else grants[:ASKED_FOR_USERS]:
            with contextlib.suppress(errors.NeedsLogin, errors.Unauthorized, errors.Forbidden):
                known = (await (await self.session_of(grant.user.id, grant)).who_am_i()).account
                if known is not None:
                    break
        return known

    async def session_of(self, user_id: SupportsIndex, grant: Grant | None = None) -> AsyncSession:
        """Return the session of a user. Raises :class:`errors.NeedsLogin` when the vault has no token."""
        user_id = id_of_user(user_id)
        if user_id in self._sessions:
            return self._sessions[user_id]
        if grant is None:
            grant = await asyncio.to_thread(self._vault.grant, self._site, user_id, firm=self._firm)
        if grant is None:
            raise errors.NeedsLogin(f"User {user_id} has never signed in. Ask this user to sign in.")
        return self._session(grant)

    def sessions(self) -> list[AsyncSession]:
        """Return the sessions of all users whose tokens can be used, as the vault has them; Clio is not asked."""
        return [self._session(grant) for grant in self._grants().values() if not grant.problem]

    def _session(self, grant: Grant) -> AsyncSession:
        user_id = grant.user.id
        if user_id in self._sessions:
            return self._sessions[user_id]
        source = self._vault.source(self._site, user_id, firm=self._firm, grant=grant)
        session = self._sessions[user_id] = AsyncSession(self._site, source, user=grant.user, timeout=self._timeout)
        if self.notes is not None:
            note_in(session, self.notes)
        if len(self._sessions) > KEPT:
            del self._sessions[next(iter(self._sessions))]
        return session

    async def users(self, known: Collection[int] = ()) -> FirmUsers:
        """Return the users of the firm. One request a page of 200, with the first token that is good for it.

        A user with a token is included even if Clio's list does not have the user, or cannot be read; and so are those
        who are ``known`` from the ledger.
        """
        grants = await asyncio.to_thread(self._grants)
        users, note = await self._listed(grants)
        elsewhere = await asyncio.to_thread(self._vault.elsewhere, self._site, firm=self._firm)
        listed = {user.id for user in users}
        users += [grant.user for grant in grants.values() if grant.user.id not in listed]
        if unlisted := set(known) - {user.id for user in users}:
            names = await asyncio.to_thread(self._vault.ledger.names, self.app, unlisted)
            users += [User(id=each, name=names.get(each)) for each in sorted(unlisted)]
        people = tuple((user, _access(user, grants.get(user.id), elsewhere)) for user in users)
        return FirmUsers(people, grants, note)

    async def read(
        self, users: Users = None, *, in_full: bool = False, strict: bool = True, known: Collection[int] = ()
    ) -> tuple[FirmUsers, AsyncIterator[UserState]]:
        """Return the users of the firm, and the states of these of them.

        One whom the firm does not have is an error, or left out where that is not ``strict``.

        A few users who have signed in are asked with their own tokens alone, one request each; and, where roles and
        type of each count (``in_full``), one more. The list of all is asked for where it is needed.
        """
        users = several(users)
        states = None if users is None else await self._few(users, in_full=in_full)
        if states is not None:
            people = tuple((state.user, state.access) for state in states)
            return FirmUsers(people, {}, everyone=False), _each(states)
        firm_users = await self.users(known)
        return firm_users, self.states(firm_users, firm_users.ids(users, strict=strict))

    async def _few(self, names: Sequence[SupportsIndex | str], *, in_full: bool) -> list[UserState] | None:
        """Return the states of a few users. None when one of them cannot be read: the list of all may say why."""
        if not 0 < len(names) <= FEW:
            return None
        grants = await asyncio.to_thread(self._grants_of, names)
        if not all(grant is not None and not grant.problem for grant in grants):
            return None
        once = {grant.user.id: grant for grant in grants if grant is not None}
        if in_full:
            try:
                users = await asyncio.gather(*(self._who(grant) for grant in once.values()))
            except (errors.NeedsLogin, errors.ApiError, errors.NetworkError):
                return None
        else:
            users = [grant.user for grant in once.values()]
        states = await asyncio.gather(*(self._state(user, Access.SIGNED_IN, once[user.id]) for user in users))
        return states if all(state.access is Access.SIGNED_IN for state in states) else None

    async def _who(self, grant: Grant) -> User:
        return await (await self.session_of(grant.user.id, grant)).who_am_i()

    def _grants_of(self, names: Sequence[SupportsIndex | str]) -> list[Grant | None]:
        by_email = {}
        if any(isinstance(name, str) for name in names):
            by_email = {(grant.user.email or "").casefold(): grant for grant in self._grants().values()}
        found = []
        for name in names:
            try:
                found.append(
                    by_email.get(name.casefold())
                    if isinstance(name, str)
                    else self._vault.grant(self._site, name, firm=self._firm)
                )
            except errors.InvalidInput:  # no user has such an id
                found.append(None)
        return found

    async def states(self, firm_users: FirmUsers, only: Collection[int] | None = None) -> AsyncIterator[UserState]:
        """Give the state of each user, or ``only`` of these ids, in the order of ``firm_users``.

        One request for each user who can be read. An error is part of that user's state; only
        :class:`errors.ClientRefused` is raised, when Clio does not know the app.
        """
        reading: deque[asyncio.Task[UserState]] = deque()
        try:
            for user, access in firm_users.people:
                if only is None or user.id in only:
                    reading.append(
                        asyncio.ensure_future(self._state(user, access, firm_users.grants.pop(user.id, None)))
                    )
                if len(reading) >= AHEAD:
                    yield await reading.popleft()
            while reading:
                yield await reading.popleft()
        finally:
            for task in reading:
                task.cancel()

    async def all_states(self, known: Collection[int] = ()) -> list[UserState]:
        """Return the state of every user of the firm, and of those who are ``known`` from the ledger."""
        return [state async for state in self.states(await self.users(known))]

    async def _state(self, user: User, access: Access, grant: Grant | None) -> UserState:
        if access is not Access.SIGNED_IN:
            return UserState(user, access)
        try:
            actions = whole(await (await self.session_of(user.id, grant)).list_actions())
        except errors.NeedsLogin:
            now = await asyncio.to_thread(self._vault.grant, self._site, user.id, firm=self._firm)
            return UserState(user, _access_of(now))
        except errors.Unauthorized:
            return UserState(user, Access.REVOKED)
        except errors.Forbidden:
            return UserState(user, Access.NO_PERMISSION)
        except errors.ClientRefused:
            raise
        except errors.ClioError as error:
            return UserState(user, Access.UNREADABLE, detail=str(error.args[0]))
        return UserState(user, actions=tuple(actions))

    async def _listed(self, grants: dict[int, Grant]) -> tuple[list[User], str]:
        refused: errors.ClioError | None = None
        usable = [grant for grant in grants.values() if not grant.problem]
        for grant in usable[:ASKED_FOR_USERS]:
            try:
                users = await (await self.session_of(grant.user.id, grant)).list_users()
            except (errors.NeedsLogin, errors.Unauthorized, errors.Forbidden) as error:
                refused = error
            else:
                return users, not_whole(users)
        if refused is None:
            return (
                [],
                "No user of this firm has access at the moment, so its users could not be listed. Ask one to sign in.",
            )
        return [], (
            "The users of the firm could not be listed, so only those who have signed in are here, without their "
            f"roles. {refused.args[0]}"
        )

    def _grants(self) -> dict[int, Grant]:
        return {grant.user.id: grant for grant in self._vault.grants(self._site, firm=self._firm)}


def several(users: Users) -> list[SupportsIndex | str] | None:
    """Return users as a list, also one alone; None for everyone."""
    if users is None:
        return None
    return list(users) if isinstance(users, Iterable) and not isinstance(users, str) else [users]


async def _each(states: Iterable[UserState]) -> AsyncIterator[UserState]:
    for state in states:
        yield state


def _access(user: User, grant: Grant | None, elsewhere: Collection[int]) -> Access:
    if not user.enabled:
        return Access.DISABLED
    if grant is None:
        return Access.WRONG_REGION if user.id in elsewhere else Access.NEVER_SIGNED_IN
    return _access_of(grant) if grant.problem else Access.SIGNED_IN


def _access_of(grant: Grant | None) -> Access:
    if grant is None:
        return Access.NEVER_SIGNED_IN
    return Access(grant.problem) if grant.problem in (Access.EXPIRED, Access.DAMAGED) else Access.REVOKED
