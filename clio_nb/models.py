"""The typed records of the library: apps, tokens, users, custom actions, subjects and records. No I/O."""

from __future__ import annotations

import datetime as dt
import re
import time
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import msgspec

from .errors import InvalidInput
from .places import Location, Region
from .secret import Secret

DEFAULT_REDIRECT_URI = "http://127.0.0.1:8765/callback"


class Site(Protocol):
    """Where a client goes: one app at one Clio. :class:`App` is one, and so is a running sandbox."""

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
    """A developer app, registered in one region of Clio."""

    region: Region
    client_id: str
    client_secret: Secret
    redirect_uri: str = DEFAULT_REDIRECT_URI
    origin: str = ""
    control_url: str | None = None
    control_key: Secret | None = None

    def __post_init__(self) -> None:
        if not self.origin:
            object.__setattr__(self, "origin", self.region.origin)


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What Clio grants for one user: an access token, usually a refresh token, and when the former ends.

    ``expires_at`` is in seconds since the epoch by this machine's clock, or None when Clio did not say.
    """

    access: Secret
    refresh: Secret | None = None
    expires_at: float | None = None

    @classmethod
    def of(cls, token: Token | Secret | str) -> Token:
        """Return a token, also from a bare access token."""
        return token if isinstance(token, Token) else cls(access=Secret(token))

    def ends_within(self, seconds: float) -> bool:
        """Whether the access token is known to end within so many seconds from now."""
        return self.expires_at is not None and self.expires_at - time.time() < seconds


class Account(msgspec.Struct, frozen=True):
    """The firm that a user belongs to."""

    id: int
    name: str | None = None


# Users and actions are in no cycle, and there are many of them for the garbage collector to look through: gc=False.
class User(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A user of a firm, as ``/users`` and ``/users/who_am_i`` give it."""

    id: int
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

    ``ui_reference`` is kept as text, so that a place which Clio adds later is shown as it is; ``location`` knows it
    or is None. ``etag`` carries its own quotes, as Clio sends it.
    """

    id: int
    etag: str | None = None
    label: str | None = None
    target_url: str | None = None
    ui_reference: str | None = None
    created_at: dt.datetime | None = None
    updated_at: dt.datetime | None = None

    @property
    def location(self) -> Location | None:
        """The place of the action, or None when this library does not know it."""
        return next((location for location in Location if location.value == self.ui_reference), None)


@dataclass(frozen=True, slots=True)
class Subject:
    """The record on which an action was clicked: a collection and an id, never a URL."""

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
    """One activity, contact, document, folder or matter with the fields that were asked for."""

    subject: Subject
    data: dict[str, Any] = field(repr=False)

    @property
    def title(self) -> str:
        """What a person calls it: its display number, name or note; else its type and id."""
        return next((text for key in _TITLES if (text := self.data.get(key))), str(self.subject))


_TITLES = ("display_number", "name", "note")


def location_of(place: Location | str) -> Location:
    """Return the location that a person means: a :class:`Location`, ``"matters/show"``, ``"matters"`` or ``"Matter"``.

    Raises :class:`InvalidInput` that lists the five places for anything else.
    """
    location = _LOCATIONS.get(str(place).strip().lower())
    if location is None:
        known = ", ".join(location.resource for location in Location)
        raise InvalidInput(f"{str(place)[:60]!r} is no place for a custom action; choose one of: {known}.", field="at")
    return location


_LOCATIONS: Final = {
    name: location
    for location in Location
    for name in (location.value, location.resource, location.record_type.lower())
}

_NEVER_IN_A_URL: Final = re.compile(r"[\x00-\x20\x7f\\]")


def web_url(text: str) -> bool:
    """Whether the text is an absolute http or https URL with a host and no spaces or control characters."""
    if _NEVER_IN_A_URL.search(text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
