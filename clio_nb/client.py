"""One user's session with Clio: that user's custom actions, the firm's users, and the records actions are clicked on.

:class:`AsyncSession` does the work; :class:`Session` is its sync twin for notebooks, verb by verb, and every verb is a
function of this module too: ``clio_nb.create_action(session, ...)`` is ``session.create_action(...)``.
"""

from __future__ import annotations

import math
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlencode

from . import errors, oauth, portal, transport, wire
from .models import CustomAction, Record, Site, Subject, Token, User, location_of, web_url
from .pace import Pace
from .places import LABEL_MAX, Location
from .portal import on_portal, waiting
from .retry import repeat
from .secret import Secret
from .tokens import FORM, OwnToken, TokenSource

T = TypeVar("T")

MARGIN: Final = 60.0  # seconds before its end at which a token is renewed beforehand: a nonce must not meet a 401


class AsyncSession:
    """One user of a firm, signed in.

    ``token`` is what :func:`clio_nb.login` or your own store has: a :class:`Token`, a bare access token, or a
    :class:`TokenSource`. ``user`` is known after the login or the first :meth:`who_am_i`.

    Every verb can be awaited from any event loop. All raise :class:`errors.ApiError` subclasses when Clio says no,
    :class:`errors.NetworkError` when no answer came, and :class:`errors.NeedsLogin` when the user's access has ended.
    """

    def __init__(self, site: Site, token: Token | Secret | str | TokenSource, *, user: User | None = None) -> None:
        self.site = site
        self.user = user
        self._tokens = OwnToken(site, Token.of(token)) if isinstance(token, Token | Secret | str) else token
        self._pace = Pace()
        self._paced: Secret | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.user or 'of a user not yet asked for'} at {self.site.origin}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Nothing to close: connections belong to the library, not to one user."""

    @on_portal
    async def who_am_i(self) -> User:
        """Return the user of the token, with the firm in ``account``."""
        self.user = await self._data(wire.who_am_i(), User)
        return self.user

    @on_portal
    async def list_users(self) -> list[User]:
        """Return all users of the firm, in Clio's order."""
        return await self._pages(wire.list_users(), list[User])

    @on_portal
    async def list_actions(self) -> list[CustomAction]:
        """Return this app's custom actions for this user. Clio lists no other user's actions to anyone."""
        return await self._pages(wire.list_actions(), list[CustomAction])

    @on_portal
    async def get_action(self, action_id: int) -> CustomAction:
        """Return one custom action of this user. Raises :class:`errors.NotFound` for any other."""
        return await self._data(wire.get_action(action_id), CustomAction)

    @on_portal
    async def create_action(self, label: str, target_url: str, at: Location | str) -> CustomAction:
        """Create a custom action for this user and return it.

        ``label`` is what the menu shows, 1 to 32 characters; ``target_url`` an absolute http(s) URL, opened in a tab;
        ``at`` the place: ``"matters"``, ``"matters/show"`` or a :class:`Location`. Raises
        :class:`errors.InvalidAction` or :class:`errors.InvalidInput` before anything is sent, and
        :class:`errors.ActionExists` when this user has that label in that place. When the answer is lost on the way,
        the user's actions are read, and the action is created again only if it is not there.

        Source: Clio's guide, "Creating a Custom Action".
        """
        location = location_of(at)
        _check(label=label, target_url=target_url)
        request = wire.create_action(label, target_url, location)
        try:
            return await self._data(request, CustomAction)
        except errors.RecordInvalid as refused:
            raise await self._explain(refused, label, location) from refused
        except (errors.NetworkError, errors.ServerError, errors.UnexpectedAnswer):
            made = await self._find(label, location)
        if made is not None and made.target_url == target_url:
            return made
        return await self._data(request, CustomAction)

    @on_portal
    async def update_action(
        self,
        action: CustomAction | int,
        *,
        label: str | None = None,
        target_url: str | None = None,
        at: Location | str | None = None,
    ) -> CustomAction:
        """Change an action in place, only what is given, and return it as it is now.

        Given a :class:`CustomAction`, the change is made only if nobody changed it since it was read: else
        :class:`errors.Conflict`. Given an id, it is made in any case. Raises as :meth:`create_action` does.
        """
        location = None if at is None else location_of(at)
        _check(label=label, target_url=target_url)
        wanted = {"label": label, "target_url": target_url, "ui_reference": location and location.value}
        changes = {key: value for key, value in wanted.items() if value is not None}
        if not changes:
            raise errors.InvalidInput("Say what to change: a label, a target URL or a place.", field="label")
        etag = action.etag if isinstance(action, CustomAction) else None
        return await self._data(wire.update_action(_id_of(action), changes, etag), CustomAction)

    @on_portal
    async def delete_action(self, action: CustomAction | int) -> None:
        """Delete an action of this user."""
        await self._data(wire.delete_action(_id_of(action)), type(None))

    @on_portal
    async def record(self, subject: Subject, *, fields: str | None = None) -> Record:
        """Return the record that an action was clicked on, with ``fields`` in Clio's syntax (``"id,client{name}"``).

        Without ``fields``, a few that name the record.
        """
        request = wire.get_record(subject.location, subject.record_id, fields=fields or title_fields(subject.location))
        data = await self._data(request, dict[str, Any])
        if data.get("id", subject.record_id) != subject.record_id:
            raise errors.UnexpectedAnswer(
                f"{request} was answered with another record, which is not used. Try again.",
                status=200,
                request=str(request),
            )
        return Record(subject, data)

    @on_portal
    async def list_records(self, at: Location | str) -> list[Record]:
        """Return the records of one kind that this user can see, with the few fields that name them."""
        location = location_of(at)
        request = wire.list_records(location, fields=title_fields(location))
        return [Record(Subject(location, row["id"]), row) for row in await self._pages(request, list[dict[str, Any]])]

    @on_portal
    async def logout(self) -> None:
        """Revoke this session's access token (``POST /oauth/deauthorize``)."""
        token = await self._tokens.current()
        form = Secret(urlencode({"token": token.access.reveal()}))
        headers: dict[str, str | Secret] = {**FORM, "authorization": Secret(f"Bearer {token.access.reveal()}")}
        raw = await transport.exchange("POST", self.site.origin + oauth.DEAUTHORIZE, headers=headers, content=form)
        if raw.status not in (200, 204):
            wire.decipher(wire.Request("POST", oauth.DEAUTHORIZE), raw.status, raw.headers, raw.body, type(None))

    # Below: what the rooms above build on.

    @on_portal
    async def request(
        self, request: wire.Request, shape: type[T], *, once: bool = False, patience: float = math.inf
    ) -> wire.Answer[T]:
        """Send a request with this user's token and return its data in the given shape.

        With ``once`` it is sent exactly once and every failure is raised; if the user's budget of requests would make
        it wait ``patience`` seconds or more, it is not sent, which is :class:`errors.RateLimited`. Otherwise a 401
        renews the token, a 429 waits (neither was carried out), and a read is repeated within bounds after a 5xx or a
        lost answer.
        """
        if once:
            return await self._send(request, shape, await self.token(), patience)
        renewed: Token | None = None

        async def attempt() -> wire.Answer[T]:
            nonlocal renewed
            token = await self.token()
            try:
                return await self._send(request, shape, token)
            except errors.Unauthorized:
                if renewed is not None:
                    raise
                renewed = await self.renew(token)
                return await self._send(request, shape, renewed)

        try:
            return await attempt()
        except (errors.RateLimited, errors.ServerError, errors.NetworkError) as failure:
            return await repeat(request, attempt, failure)

    @on_portal
    async def token(self) -> Token:
        """Return the token in use, renewed beforehand when it is about to end."""
        token = await self._tokens.current()
        return await self._tokens.renew(token) if token.refresh and token.ends_within(MARGIN) else token

    @on_portal
    async def renew(self, stale: Token) -> Token:
        """Return a newer token than ``stale``. Raises :class:`errors.NeedsLogin` when there can be none."""
        try:
            return await self._tokens.renew(stale)
        except errors.NeedsLogin as error:
            raise self._named(error) from error.__cause__

    async def _send(
        self, request: wire.Request, shape: type[T], token: Token, patience: float = math.inf
    ) -> wire.Answer[T]:
        pace = await self._turn(request, token, patience)
        window, rate = pace.window, None
        headers: dict[str, str | Secret] = {"accept": "application/json"}
        headers["authorization"] = Secret(f"Bearer {token.access.reveal()}")
        if request.data is not None:
            headers["content-type"] = "application/json"
        if request.if_match is not None:
            headers["if-match"] = request.if_match
        try:
            raw = await transport.exchange(
                request.method, request.url(self.site.origin), headers=headers, content=request.body or b""
            )
            rate = wire.rate(raw.headers)
        finally:
            pace.answered(window, portal.now(), rate)
        try:
            return wire.decipher(request, raw.status, raw.headers, raw.body, shape)
        except errors.RateLimited as error:
            pace.refused(portal.now(), error.retry_after)
            raise self._named(error) from None
        except errors.ApiError as error:
            raise self._named(error) from error.__cause__

    async def _turn(self, request: wire.Request, token: Token, patience: float) -> Pace:
        """Wait until the token's budget allows one more request, unless that takes ``patience`` seconds or more."""
        if token.access != self._paced:  # Clio counts per access token
            self._pace, self._paced = Pace(), token.access
        while wait := self._pace.take(portal.now()):
            if wait >= patience:
                raise errors.RateLimited(
                    f"{request} was not sent: this user's budget of requests is used up for {wait:.0f} s.",
                    status=429,
                    retry_after=wait,
                    request=str(request),
                )
            await portal.sleep(wait)
        return self._pace

    async def _data(self, request: wire.Request, shape: type[T]) -> T:
        return (await self.request(request, shape)).data

    async def _pages(self, first: wire.Request, shape: type[list[T]]) -> list[T]:
        """Read all pages. A page that comes twice ends it with an error: a loop would never end by itself."""
        rows: list[T] = []
        following: wire.Request | None = first
        seen = set()
        while following is not None:
            if following in seen:
                raise errors.UnexpectedAnswer(
                    f"{first}: the pages go round in a circle.", status=200, request=str(first)
                )
            seen.add(following)
            answer = await self.request(following, shape)
            rows += answer.data
            following = answer.next
        return rows

    async def _find(self, label: str, location: Location) -> CustomAction | None:
        actions = await self.list_actions()
        return next((action for action in actions if (action.label, action.location) == (label, location)), None)

    async def _explain(self, refused: errors.RecordInvalid, label: str, location: Location) -> errors.RecordInvalid:
        """Clio's 422 does not say what is wrong in words one can rely on; a label taken already is the usual reason."""
        twin = await self._find(label, location)
        if twin is None:
            return refused
        return self._named(
            errors.ActionExists(
                f"There is an action {label!r} on {location.resource} already (id {twin.id}). "
                "Change that one, or choose another label.",
                status=refused.status,
                type=refused.type,
                request=refused.request,
                action_id=twin.id,
            )
        )

    def _named(self, error: _E) -> _E:
        error.user = str(self.user) if self.user else ""
        return error


_E = TypeVar("_E", bound=errors.ClioError)
_TITLE_FIELDS: Final = {
    Location.ACTIVITIES: "id,type,date,note",
    Location.MATTERS: "id,display_number,description",
}


def title_fields(location: Location) -> str:
    """Return the ``fields`` that name a record of this kind."""
    return _TITLE_FIELDS.get(location, "id,name")


def _id_of(action: CustomAction | int) -> int:
    return action.id if isinstance(action, CustomAction) else action


def _check(*, label: str | None, target_url: str | None) -> None:
    if label is not None and not label.strip():
        raise errors.InvalidAction("A label is what the menu shows; it cannot be empty.", field="label")
    if label is not None and len(label) > LABEL_MAX:
        raise errors.InvalidAction(
            f"The label has {len(label)} characters; Clio takes {LABEL_MAX} at most. "
            f"Shorten it by {len(label) - LABEL_MAX}.",
            field="label",
        )
    if target_url is not None and not web_url(target_url):
        raise errors.InvalidAction(
            "The target URL must be absolute and start with https:// (or http://), such as https://example.com/launch.",
            field="target_url",
        )


class Session:
    """One user of a firm, signed in, for notebooks and scripts: every verb waits for its answer.

    Built as :class:`AsyncSession`, which is in ``aio``.
    """

    def __init__(self, site: Site, token: Token | Secret | str | TokenSource, *, user: User | None = None) -> None:
        self.aio = AsyncSession(site, token, user=user)

    @classmethod
    def of(cls, aio: AsyncSession) -> Session:
        """Return the sync twin of a session that is there already."""
        session = cls.__new__(cls)
        session.aio = aio
        return session

    @property
    def site(self) -> Site:
        """The app and Clio that this session talks to."""
        return self.aio.site

    @property
    def user(self) -> User | None:
        """The signed-in user, known after the login or the first :meth:`who_am_i`."""
        return self.aio.user

    def __repr__(self) -> str:
        return repr(self.aio).replace("AsyncSession", "Session", 1)

    who_am_i = waiting(AsyncSession.who_am_i)
    list_users = waiting(AsyncSession.list_users)
    list_actions = waiting(AsyncSession.list_actions)
    get_action = waiting(AsyncSession.get_action)
    create_action = waiting(AsyncSession.create_action)
    update_action = waiting(AsyncSession.update_action)
    delete_action = waiting(AsyncSession.delete_action)
    record = waiting(AsyncSession.record)
    list_records = waiting(AsyncSession.list_records)
    logout = waiting(AsyncSession.logout)


who_am_i = Session.who_am_i
list_users = Session.list_users
list_actions = Session.list_actions
get_action = Session.get_action
create_action = Session.create_action
update_action = Session.update_action
delete_action = Session.delete_action
record = Session.record
list_records = Session.list_records
logout = Session.logout
