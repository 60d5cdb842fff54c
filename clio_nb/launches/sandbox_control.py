"""Steer a running sandbox through its control endpoints: tokens, clicks, faults, and the requests that it saw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from ..arguments import a_site
from ..errors import InvalidInput
from ..http import messages, transport
from ..models import Site, Subject, User
from ..secret import Secret, reading
from ..session import AsyncSession

T = TypeVar("T")


class SeenRequest(msgspec.Struct, frozen=True):
    """An API request that the sandbox saw: its query by name only. ``status`` is None when the line was cut."""

    method: str
    path: str
    query: tuple[str, ...] = ()
    status: int | None = None
    user_id: int | None = None

    @property
    def has_nonce(self) -> bool:
        """Whether it carried a nonce."""
        return "custom_action_nonce" in self.query


class _Token(msgspec.Struct):
    access_token: Secret


class _Click(msgspec.Struct):
    launch_url: Secret


class _Description(msgspec.Struct):
    users: list[User]


class Control:
    """The control endpoints of the sandbox behind a site.

    Raises :class:`InvalidInput` when the site is no sandbox: nothing at Clio itself can mint a click.
    """

    def __init__(self, site: Site) -> None:
        if (site := a_site(site)).control_url is None:
            raise InvalidInput(
                "This needs a sandbox: nothing but a click in Clio's own screens makes a nonce at Clio itself.",
                field="site",
            )
        self.site: Final = site
        self._url: Final = site.control_url
        self._sessions: dict[int, AsyncSession] = {}

    async def session_of(self, user_id: int) -> AsyncSession | None:
        """Return a session of a user of the demo firm, signed in without a browser; None when there is no such user."""
        if user_id not in self._sessions:
            user = next((user for user in await self.users() if user.id == user_id), None)
            if user is None:
                return None
            self._sessions[user_id] = await self.sign_in(user)
        return self._sessions[user_id]

    async def sign_in(self, user: User) -> AsyncSession:
        """Grant the app access for a user, without a browser, and return the session."""
        token = await self._call("POST", "/tokens", _Token, {"user_id": user.id})
        return AsyncSession(self.site, token.access_token, user=user)

    async def users(self) -> list[User]:
        """Return the users of the demo firm, the account owner first."""
        return (await self._call("GET", "", _Description)).users

    async def click(self, user_id: int, custom_action_id: int, subject: Subject) -> Secret:
        """Have a user click an action on a record; return the launch URL with its fresh nonce."""
        asked = {"user_id": user_id, "custom_action_id": custom_action_id, "subject_url": subject.path}
        return (await self._call("POST", "/clicks", _Click, asked)).launch_url

    async def requests(self) -> list[SeenRequest]:
        """Return the API requests seen so far, oldest first."""
        return await self._call("GET", "/requests", list[SeenRequest])

    async def advance(self, seconds: float) -> None:
        """Move the virtual clock."""
        await self._call("POST", "/clock/advance", dict[str, Any], {"seconds": seconds})

    async def fault(self, **fault: object) -> None:
        """Arm a fault; see the sandbox for its fields."""
        await self._call("POST", "/faults", dict[str, Any], fault)

    async def clear_faults(self) -> None:
        """Disarm all faults."""
        await self._call("DELETE", "/faults", dict[str, Any])

    async def _call(self, method: str, path: str, shape: type[T], body: Mapping[str, object] | None = None) -> T:
        content = b"" if body is None else msgspec.json.encode(body)
        raw = await transport.exchange(
            method, self._url + path, headers=messages.control_headers(self.site.control_key), content=content
        )
        if raw.status != 200:
            messages.decipher(
                messages.Request(method, f"/control{path}"), raw.status, raw.headers, raw.body, type(None)
            )
        return msgspec.json.decode(raw.body, type=shape, dec_hook=reading)
