"""One user's session with Clio: that user's custom actions, the firm's users, and the records actions are clicked on.

:class:`AsyncSession` does the work; :class:`Session` is its sync twin for notebooks, verb by verb, and every verb is a
function of this module too: ``clio_nb.create_action(session, ...)`` is ``session.create_action(...)``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, Self, TypeVar

from . import errors
from .action_rules import check, location_of, same_label, same_url
from .arguments import a_site, on_session
from .http import messages, timeouts
from .http.client import Client, fence, warn_of_rows, whole
from .http.sync_and_async import awaited, on_loop, sync_method
from .http.tokens import SignedOut, TokenSource, revoke
from .models import CustomAction, Record, Site, Subject, Token, User
from .secret import Secret
from .urls import as_sent
from .vocabulary import Location

T = TypeVar("T", bound=CustomAction | None)


class Notes(Protocol):
    """Where a firm notes what its sessions write without a manifest."""

    async def write(
        self,
        verb: str,
        user: User,
        action_id: int | None,
        fields: Mapping[str, str],
        work: Callable[[], Awaitable[T]],
    ) -> T:
        """Do the work of a verb, which creates, changes or deletes an action, and note it."""


@awaited
class AsyncSession(Client):
    """One user of a firm, signed in; every verb can be awaited from any event loop.

    Args:
        site: The app and Clio to talk to: what :func:`clio_nb.connect` or :func:`clio_nb.sandbox` returns.
        token: What a login or your own store has: a :class:`Token`, a bare access token, or a :class:`TokenSource`.
        user: The user of the token, if you know it; else :meth:`who_am_i` asks Clio.
        timeout: Seconds that each verb may wait in all, as :func:`clio_nb.timeout` says for a block.

    All verbs raise :class:`errors.ApiError` subclasses when Clio says no, :class:`errors.NetworkError` when no answer
    came, and :class:`errors.NeedsLogin` when the user's access has ended.
    """

    def __init__(
        self,
        site: Site,
        token: Token | Secret | str | TokenSource,
        *,
        user: User | None = None,
        timeout: float | None = None,
    ) -> None:
        super().__init__(a_site(site), token, user)
        self.timeout = timeouts.checked_timeout(timeout)
        self.signed_out = False
        self.at_logout: list[Callable[[], object]] = []
        self._notes: Notes | None = None
        self._made: dict[int, CustomAction] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._user or 'of an unknown user'} at {self.site.origin}>"

    @property
    def user(self) -> User:
        """The signed-in user. Raises :class:`errors.InvalidInput` before :meth:`who_am_i` for a bare token."""
        if self._user is None:
            raise errors.InvalidInput("The user of this token is not known yet. Call who_am_i() first.", field="user")
        return self._user

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Nothing to close: connections belong to the library, not to one user."""

    @on_loop
    async def who_am_i(self) -> User:
        """Return the user of the token, with the firm in ``account``.

        Returns:
            The user, who is the session's ``user`` from now on.

        Examples:
            >>> clio.who_am_i(session)
            User(id=706058501, name='Odalys Hartwell-Oyelaran', ...)
        """
        self._user = await self._data(messages.who_am_i(), User)
        return self._user

    @on_loop
    async def list_users(self) -> list[User]:
        """Return all users of the firm, in Clio's order.

        Returns:
            The users, also disabled ones. One request for each 200 of them.

        Examples:
            >>> [user.name for user in clio.list_users(session)]
            ['Odalys Hartwell-Oyelaran', 'Renwick Vantongeren', ...]
        """
        return await self._pages(messages.list_users(), list[User])

    @on_loop
    async def list_actions(self) -> list[CustomAction]:
        """Return this app's custom actions for this user. Clio lists no other user's actions to anyone.

        Returns:
            The actions, in Clio's order.

        Examples:
            >>> clio.list_actions(session)
            []
        """
        return await self._pages(messages.list_actions(), list[CustomAction])

    @on_loop
    async def get_action(self, action_id: int) -> CustomAction:
        """Return one custom action of this user.

        Args:
            action_id: Clio's id of the action.

        Returns:
            The action.

        Raises:
            errors.NotFound: This user has no such action.

        Examples:
            >>> made = clio.create_action(session, "Sign", "https://partner.example/launch", at="matters")
            >>> clio.get_action(session, made.id).label
            'Sign'
        """
        return await self._data(messages.get_action(action_id), CustomAction)

    @on_loop
    async def create_action(self, label: str, target_url: str, at: Location | str) -> CustomAction:
        """Create a custom action for this user.

        When the answer is lost on the way, the user's actions are read, and the action is created again only if it is
        not there.

        Args:
            label: What the menu shows, 1 to 32 characters.
            target_url: An absolute http or https URL, which a click opens in a tab. It is sent as browsers write it.
            at: The location: ``"matters"``, ``"matters/show"`` or a :class:`Location`.

        Returns:
            The action as Clio made it.

        Raises:
            errors.InvalidAction: What :func:`clio_nb.lint` calls an error. Nothing was sent.
            errors.InvalidInput: An unknown location. Nothing was sent.
            errors.ActionExists: This user has that label in that location.

        Source: Clio's guide, "Creating a Custom Action".

        Examples:
            >>> action = clio.create_action(session, "Sign", "https://partner.example/launch", at="matters")
            >>> action.location
            <Location.MATTERS: 'matters/show'>
        """
        location = location_of(at)
        check(label=label, target_url=target_url)
        target_url = as_sent(target_url)
        fields = {"label": label, "target_url": target_url, "ui_reference": location.value}
        return await self._noted("create_action", None, fields, lambda: self._create(label, target_url, location))

    async def _create(self, label: str, target_url: str, location: Location) -> CustomAction:
        request = messages.create_action(label, target_url, location)
        try:
            return await self._data(request, CustomAction)
        except errors.RecordInvalid as refused:
            raise await self._explain(refused, label, location) from refused
        except (errors.NetworkError, errors.ServerError, errors.UnexpectedAnswer) as lost:
            repeatable = timeouts.left() > 0 and getattr(lost, "repeatable", True)
            if getattr(lost, "nothing_sent", False) and not repeatable:
                raise  # nothing was sent, and nothing will be
            made = await self._read_back(label, location, target_url)
        if made is not None:
            return made
        return await self._data(request, CustomAction)

    @on_loop
    async def update_action(
        self,
        action: CustomAction | int,
        *,
        label: str | None = None,
        target_url: str | None = None,
        at: Location | str | None = None,
    ) -> CustomAction:
        """Change an action in place; what is not given stays.

        Args:
            action: The action. As a :class:`CustomAction`, it is changed only if nobody changed it since it was read;
                as an id, in any case.
            label: The new text in the menu.
            target_url: The new address.
            at: The new location.

        Returns:
            The action as it is now.

        Raises:
            errors.Conflict: Somebody changed the action since it was read.
            errors.InvalidInput: Nothing to change, or a value that Clio would refuse. Nothing was sent.
            errors.NotFound: This user has no such action.

        Examples:
            >>> action = clio.create_action(session, "Sign", "https://partner.example/launch", at="matters")
            >>> clio.update_action(session, action, label="Send for signature").label
            'Send for signature'
        """
        location = None if at is None else location_of(at)
        check(label=label, target_url=target_url)
        target_url = None if target_url is None else as_sent(target_url)
        wanted = {"label": label, "target_url": target_url, "ui_reference": location and location.value}
        changes = {key: value for key, value in wanted.items() if value is not None}
        if not changes:
            raise errors.InvalidInput("Say what to change: a label, a target URL or a location.", field="label")
        etag = action.etag if isinstance(action, CustomAction) else None
        request = messages.update_action(_id_of(action), changes, etag)
        return await self._noted("update_action", _id_of(action), changes, lambda: self._data(request, CustomAction))

    @on_loop
    async def delete_action(self, action: CustomAction | int) -> None:
        """Delete an action of this user.

        Args:
            action: The action, or its id.

        Raises:
            errors.NotFound: This user has no such action.

        Examples:
            >>> action = clio.create_action(session, "Sign", "https://partner.example/launch", at="matters")
            >>> clio.delete_action(session, action)
            >>> clio.list_actions(session)
            []
        """
        request = messages.delete_action(_id_of(action))
        await self._noted("delete_action", _id_of(action), {}, lambda: self._data(request, type(None)))

    @on_loop
    async def record(self, subject: Subject, *, fields: str | None = None) -> Record:
        """Return the record that an action was clicked on.

        Args:
            subject: Which record: a launch has one, and so has each of :meth:`list_records`.
            fields: What to ask for, in Clio's syntax (``"id,client{name}"``). Without it, a few that name the record.

        Returns:
            The record, with the fields in ``data``.

        Raises:
            errors.NotFound: It is deleted, or this user cannot see it.

        Examples:
            >>> first = clio.list_records(session, "matters")[0]
            >>> clio.record(session, first.subject, fields="id,client{name}").data["client"]["name"]
            '...'
        """
        request = messages.get_record(subject.location, subject.record_id, fields=fields)
        data = await self._data(request, dict[str, Any])
        if "id" in data and messages.record_id(data) != subject.record_id:
            said = f"{request} was answered with a different record, which was ignored. Try again."
            raise errors.UnexpectedAnswer(said, status=200, request=str(request))
        return Record(subject, data)

    @on_loop
    async def list_records(self, at: Location | str) -> list[Record]:
        """Return the records of one kind that this user can see, with the few fields that name them.

        Args:
            at: The kind: ``"matters"``, ``"matters/show"`` or a :class:`Location`.

        Returns:
            The records, in Clio's order.

        Raises:
            errors.InvalidInput: An unknown location. Nothing was sent.

        Examples:
            >>> clio.list_records(session, "matters")[0].title
            '00001-Tidewrack'
        """
        location = location_of(at)
        request = messages.list_records(location)
        rows = [(messages.record_id(row), row) for row in await self._pages(request, list[dict[str, Any]])]
        warn_of_rows(request, [f"data[{number}].id" for number, (record_id, _) in enumerate(rows) if record_id is None])
        return [Record(Subject(location, record_id), row) for record_id, row in rows if record_id is not None]

    @on_loop
    async def logout(self) -> None:
        """Revoke this session's access token (``POST /oauth/deauthorize``), which ends the session.

        A token that has ended already is no error. A vault that holds the user's token keeps it: delete it there, with
        :meth:`clio_nb.Vault.remove`. From then on every other verb of this session raises :class:`errors.NeedsLogin`,
        until its user signs in again.

        Examples:
            >>> clio.logout(session)
            >>> clio.list_actions(session)
            Traceback (most recent call last):
            clio_nb.errors.NeedsLogin: ...
        """
        with contextlib.suppress(errors.NeedsLogin):  # it has ended already
            source, token = self._tokens, await self._tokens.current()
            self._tokens = SignedOut(source, token)  # from now on: a verb under way would renew the token
            try:
                await revoke(self.site, token)
            except errors.Unauthorized:
                pass  # it had ended before
            except BaseException:
                self._tokens = source
                raise
        self.signed_out = True
        for told in self.at_logout:
            told()

    @on_loop
    async def the_user(self) -> User:
        """Return the user; Clio is asked only when the user is not known yet."""
        return self._user or await self.who_am_i()

    async def _noted(
        self, verb: str, action_id: int | None, fields: Mapping[str, str], work: Callable[[], Awaitable[T]]
    ) -> T:
        """Do the work of a verb that writes. A firm's session notes it there, unless a run of the firm does already."""
        if self._notes is not None and fence.get() is None:
            return await self._notes.write(verb, await self.the_user(), action_id, fields, work)
        now = await work()
        if self._notes is None:
            if now is not None and (verb == "create_action" or now.id in self._made):
                self._made[now.id] = now
            elif now is None and action_id is not None:
                self._made.pop(action_id, None)
        return now

    async def _read_back(self, label: str, location: Location, target_url: str) -> CustomAction | None:
        try:
            return await self._find(label, location, target_url)
        except errors.ClioError as failure:
            raise self._named(
                errors.NetworkError(
                    f"Clio did not confirm that {label!r} was created on {location.resource}, and the user's actions "
                    "could not be read to see whether it was made. List them before you create it again. "
                    f"({failure})"
                )
            ) from failure

    async def _find(self, label: str, location: Location, target_url: str | None = None) -> CustomAction | None:
        """Return the action of that label in that location, and of that target URL if given, as Clio may keep them."""
        found = [
            action
            for action in whole(await self.list_actions())
            if action.location is location
            and same_label(action.label, label)
            and (target_url is None or same_url(action.target_url, target_url))
        ]
        return min(found, key=lambda action: action.label != label, default=None)

    async def _explain(self, refused: errors.RecordInvalid, label: str, location: Location) -> errors.RecordInvalid:
        """Find out what a 422 means: its words say nothing reliable, and the usual reason is a label that is taken."""
        twin = await self._find(label, location)
        if twin is None:
            return refused
        return self._named(
            errors.ActionExists(
                f"This user already has an action {label!r} on {location.resource} (id {twin.id}). "
                "Change that one, or choose another label.",
                status=refused.status,
                type=refused.type,
                request=refused.request,
                action_id=twin.id,
            )
        )


def note_in(session: AsyncSession, notes: Notes) -> list[CustomAction]:
    """Have a session note in a firm what it writes from now on; return what it has made before."""
    session._notes, made = notes, list(session._made.values())  # noqa: SLF001 -- as below
    session._made.clear()  # noqa: SLF001 -- as below
    return made


def known_user(session: AsyncSession) -> User | None:
    """Return the user of a session as far as that is known without asking Clio."""
    return session._user  # noqa: SLF001 -- ``user`` is for people: it raises where this says None


def _id_of(action: CustomAction | int) -> int:
    return action.id if isinstance(action, CustomAction) else action


class Session:
    """One user of a firm, signed in, for notebooks and scripts: every verb waits for its answer.

    Args:
        site: The app and Clio to talk to: what :func:`clio_nb.connect` or :func:`clio_nb.sandbox` returns.
        token: What a login or your own store has: a :class:`Token`, a bare access token, or a :class:`TokenSource`.
        user: The user of the token, if you know it; else :meth:`who_am_i` asks Clio.
        timeout: Seconds that each verb may wait in all, as :func:`clio_nb.timeout` says for a block.

    ``aio`` is the same session, awaited: a :class:`clio_nb.aio.Session`. All verbs raise :class:`errors.ApiError`
    subclasses when Clio says no, :class:`errors.NetworkError` when no answer came, and :class:`errors.NeedsLogin` when
    the user's access has ended.

    Examples:
        >>> token = site.token(site.users[1].id)["access_token"]
        >>> with_a_token = clio.Session(site, token)
        >>> with_a_token.who_am_i().name
        'Renwick Vantongeren'
    """

    def __init__(
        self,
        site: Site,
        token: Token | Secret | str | TokenSource,
        *,
        user: User | None = None,
        timeout: float | None = None,
    ) -> None:
        self.aio = AsyncSession(site, token, user=user, timeout=timeout)

    @classmethod
    def of(cls, aio: AsyncSession) -> Session:
        """Return the session that waits, for one that is awaited.

        Examples:
            >>> clio.Session.of(session.aio).user == session.user
            True
        """
        session = cls.__new__(cls)
        session.aio = aio
        return session

    @property
    def site(self) -> Site:
        """The app and Clio that this session talks to."""
        return self.aio.site

    @property
    def user(self) -> User:
        """The signed-in user. Raises :class:`errors.InvalidInput` before :meth:`who_am_i` for a bare token."""
        return self.aio.user

    def __repr__(self) -> str:
        return repr(self.aio)

    who_am_i = sync_method(AsyncSession.who_am_i)
    list_users = sync_method(AsyncSession.list_users)
    list_actions = sync_method(AsyncSession.list_actions)
    get_action = sync_method(AsyncSession.get_action)
    create_action = sync_method(AsyncSession.create_action)
    update_action = sync_method(AsyncSession.update_action)
    delete_action = sync_method(AsyncSession.delete_action)
    record = sync_method(AsyncSession.record)
    list_records = sync_method(AsyncSession.list_records)
    logout = sync_method(AsyncSession.logout)


who_am_i = on_session(Session.who_am_i, Session)
list_users = on_session(Session.list_users, Session)
list_actions = on_session(Session.list_actions, Session)
get_action = on_session(Session.get_action, Session)
create_action = on_session(Session.create_action, Session)
update_action = on_session(Session.update_action, Session)
delete_action = on_session(Session.delete_action, Session)
record = on_session(Session.record, Session)
list_records = on_session(Session.list_records, Session)
logout = on_session(Session.logout, Session)
