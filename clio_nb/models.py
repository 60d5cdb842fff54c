"""The typed records of the library: apps, tokens, users, custom actions, subjects and records. No I/O."""

from __future__ import annotations

import datetime as dt
import math
import time
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Protocol, TypeAlias

import msgspec

from .errors import InvalidInput
from .secret import Secret, sendable
from .vocabulary import DEFAULT_REDIRECT_URI, Location, Region

NOTHING: Final = "– "
"""Starts the text for a location where a user sees nothing; the reason follows."""

NOT_WANTED: Final = f"{NOTHING}not wanted"


Id: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
"""An id of Clio's, as it has to be in an answer."""


class Clock(Protocol):
    """A clock that stands still until it is moved, such as a sandbox's."""

    def now(self) -> float:
        """Return the time in seconds."""

    def move_to(self, moment: float) -> float:
        """Move forward to a moment, unless it is past already; return by how many seconds."""


class Site(Protocol):
    """Where a client goes: one app at one Clio. :class:`App` is one, and so is a running sandbox.

    A site whose time stands still carries a :class:`Clock` as ``clock``: sessions move it instead of waiting.
    """

    @property
    def region(self) -> Region:
        """The data region of the app."""

    @property
    def origin(self) -> str:
        """Scheme and host of API and OAuth, such as ``https://eu.app.clio.com``. Every request starts with it."""

    @property
    def client_id(self) -> str:
        """The app's key."""

    @property
    def client_secret(self) -> Secret | str:
        """The app's secret."""

    @property
    def redirect_uri(self) -> str:
        """The redirect URI registered for the app."""

    @property
    def control_url(self) -> str | None:
        """Root of the sandbox's control endpoints; None at the real Clio."""

    @property
    def control_key(self) -> Secret | str | None:
        """What the sandbox's control endpoints ask for; None where they ask for nothing."""


@dataclass(frozen=True, slots=True)
class App:
    """A developer app, registered in one region of Clio. :func:`clio_nb.connect` makes one.

    Args:
        region: The region that it is registered in.
        client_id: Its key.
        client_secret: Its secret.
        redirect_uri: Where a login comes back to: one that is registered.
        origin: Scheme and host of Clio; that of the region, if left out.
        control_url: Root of a sandbox's control endpoints; None at Clio itself.
        control_key: What such a sandbox asks for where it stands in a network.

    Raises:
        errors.InvalidInput: A key or secret with a space or another character that it cannot have. Spaces and line
            breaks around them are dropped.

    Examples:
        >>> clio.App(clio.Region.EU, "my-key", clio.Secret("my-secret")).origin
        'https://eu.app.clio.com'
    """

    region: Region
    client_id: str
    client_secret: Secret
    redirect_uri: str = DEFAULT_REDIRECT_URI
    origin: str = ""
    control_url: str | None = None
    control_key: Secret | None = None

    def __post_init__(self) -> None:
        for name, given in (("client_id", self.client_id), ("client_secret", self.client_secret)):
            kept = sendable(given)
            if kept is None:
                raise InvalidInput(UNSENDABLE.format(f"The app's {name}"), field=name)
            object.__setattr__(self, name, kept.reveal() if name == "client_id" else kept)
        if not self.origin:
            object.__setattr__(self, "origin", self.region.origin)

    def __str__(self) -> str:
        if self.control_url is not None:
            return f"On the sandbox at {self.origin}: nothing real is touched."
        return f"On Clio itself, region {self.region.value}: what is done here is real."


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What Clio grants for one user: an access token, usually a refresh token, and when the former ends.

    Attributes:
        access: The access token.
        refresh: What renews it.
        expires_at: In seconds since the epoch by this machine's clock, or None when Clio did not say. Such numbers as
            text, and milliseconds and finer, which are known by their size, are taken as well.

    Raises:
        errors.InvalidInput: A token with a space or another character that no request can carry, or no such time.
            Spaces and line breaks around a token are dropped.

    Examples:
        >>> clio.Token(access=clio.Secret("from-your-store"))
        Token(access=Secret(***), refresh=None, expires_at=None)
    """

    access: Secret
    refresh: Secret | None = None
    expires_at: float | None = None

    def __post_init__(self) -> None:
        for name in ("access", "refresh"):
            if given := getattr(self, name):
                kept = sendable(given)
                if kept is None:
                    raise InvalidInput(UNSENDABLE.format(f"The {name} token"), field=name)
                msgspec.structs.force_setattr(self, name, kept)
        if self.expires_at is not None:
            msgspec.structs.force_setattr(self, "expires_at", _seconds(self.expires_at))

    @classmethod
    def of(cls, token: Token | Secret | str) -> Token:
        """Return a token, also from a bare access token.

        Examples:
            >>> clio.Token.of("from-your-store").access
            Secret(***)
        """
        return token if isinstance(token, Token) else cls(access=Secret(token))

    def ends_within(self, seconds: float) -> bool:
        """Whether the access token is known to end within so many seconds from now.

        Examples:
            >>> clio.Token.of("from-your-store").ends_within(60)
            False
        """
        return self.expires_at is not None and self.expires_at - time.time() < seconds


UNSENDABLE: Final = (
    "{} has a space, a quotation mark or another character that it cannot have. Check the place that it comes from, "
    "such as an environment file."
)
_LATEST: Final = 2.0**33  # the year 2242, which every clock and table here can show


def _seconds(moment: float) -> float | None:
    """Return a time in seconds since the epoch; None where it says nothing."""
    try:
        seconds = float(moment)
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput("expires_at is not a time. Use seconds since 1970.", field="expires_at") from None
    while 1e11 < seconds < 1e20:  # milliseconds, microseconds or nanoseconds: in seconds, it would be the year 5138
        seconds /= 1000
    return min(max(seconds, 0.0), _LATEST) if math.isfinite(seconds) else None


class Account(msgspec.Struct, frozen=True):
    """The firm that a user belongs to."""

    id: Id
    name: str | None = None


# Users and actions are in no cycle, and there are many of them for the garbage collector to look through: gc=False.
class User(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A user of a firm, as ``/users`` and ``/users/who_am_i`` give it.

    Examples:
        >>> str(session.user)
        'Odalys Hartwell-Oyelaran (706058501)'
        >>> session.user.account.name
        'Marrowby & Quill LLP'
    """

    id: Id
    name: str | None = None
    email: str | None = None
    enabled: bool = True
    subscription_type: str | None = None
    roles: tuple[str, ...] | None = None
    account: Account | None = None

    def __str__(self) -> str:
        return f"{self.name or 'user'} ({self.id})"


class CustomAction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A custom action of one user, as ``/custom_actions`` gives it.

    ``ui_reference`` is kept as text, so that a location which Clio adds later is shown as it is; ``location`` is
    None then. ``etag`` carries its own quotes, as Clio sends it.

    Examples:
        >>> action = clio.create_action(session, "Sign", "https://partner.example/launch", at="matters")
        >>> action.label, action.ui_reference
        ('Sign', 'matters/show')
    """

    id: Id
    etag: str | None = None
    label: str | None = None
    target_url: str | None = None
    ui_reference: str | None = None
    created_at: dt.datetime | None = None
    updated_at: dt.datetime | None = None

    @property
    def location(self) -> Location | None:
        """The location of the action, or None when this library does not know it."""
        return next((location for location in Location if location.value == self.ui_reference), None)


@dataclass(frozen=True, slots=True)
class Subject:
    """The record on which an action was clicked: a collection and an id, never a URL.

    Args:
        location: The collection.
        record_id: The id of the record in it.

    Examples:
        >>> clio.Subject(clio.Location.MATTERS, 7).path
        '/api/v4/matters/7'
    """

    location: Location
    record_id: int

    @property
    def path(self) -> str:
        """Its path in the API, rebuilt from the two parts."""
        return f"/api/v4/{self.location.resource}/{self.record_id}"

    def __str__(self) -> str:
        return f"{self.location.record_type} {self.record_id}"


@dataclass(frozen=True, slots=True)
class Record:
    """One activity, contact, document, folder or matter, with the fields that were asked for in ``data``.

    Args:
        subject: Which record.
        data: Its fields, as Clio sends them.

    Examples:
        >>> clio.list_records(session, "contacts")[0].data["name"]
        '...'
    """

    subject: Subject
    data: dict[str, Any] = field(repr=False)

    @property
    def title(self) -> str:
        """What a person calls it: its display number, name or note; else its type and id."""
        titles = (self.data.get(key) for key in _TITLES)
        return next((str(title) for title in titles if title and isinstance(title, str | int)), str(self.subject))


_TITLES = ("display_number", "name", "note")


def whole_letters(text: str) -> str:
    """Return a text that can be sent and stored: half an emoji becomes a placeholder."""
    return text.encode("utf-16", errors="surrogatepass").decode("utf-16", errors="replace")


def visible(text: str) -> str:
    """Return a text on one line, with control and direction characters spelled out."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
