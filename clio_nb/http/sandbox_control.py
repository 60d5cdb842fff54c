"""Steer a running sandbox through its control endpoints: tokens, clicks, faults, and the requests that it saw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from ..arguments import a_site
from ..errors import InvalidInput, UnexpectedAnswer
from ..models import Site, Subject, Token, User
from ..secret import Secret, reading
from ..vocabulary import Region
from . import messages, oauth, transport
from .transport import Raw

T = TypeVar("T")


class DescribedFirm(msgspec.Struct):
    """One firm of a sandbox."""

    account_id: int
    region: Region
    control_url: str


class Description(msgspec.Struct):
    """What a sandbox says of itself: the first line of ``clio-nb sandbox --json``."""

    client_id: str
    client_secret: Secret
    redirect_uri: str
    users: list[User]
    region: Region = Region.US
    firms: list[DescribedFirm] = []


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


class _Clock(msgspec.Struct):
    mode: str


class _Click(msgspec.Struct):
    launch_url: Secret


async def describe(origin: str, path: str, key: Secret | None) -> Description:
    """Ask a sandbox what it is, at its control endpoints.

    Raises :class:`InvalidInput` when it asks for another control key, :class:`UnexpectedAnswer` when it is no sandbox.
    """
    raw = await transport.exchange("GET", origin + path, headers=_headers(key), deadline=5.0)
    if raw.status == 403:
        raise InvalidInput(
            f"The sandbox at {origin} refused this control key. Pass the one that it was started with as "
            "control_key, or set CLIO_NB_CONTROL_KEY."
            if key
            else f"The sandbox at {origin} needs its control key: pass control_key, or set CLIO_NB_CONTROL_KEY.",
            field="control_key",
        )
    try:
        return msgspec.json.decode(raw.body, type=Description, dec_hook=reading)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnexpectedAnswer(
            f"The server at {origin} is not a clio-nb sandbox. Start one with: clio-nb sandbox", status=raw.status
        ) from None


def _headers(key: Secret | str | None) -> dict[str, str | Secret]:
    carried = {"authorization": Secret(f"Bearer {Secret(key).reveal()}")} if key else {}
    return {"content-type": "application/json", **carried}


class Control:
    """The control endpoints of the sandbox behind a site.

    Raises :class:`InvalidInput` when the site is Clio itself, where nothing but a click makes a nonce.
    """

    def __init__(self, site: Site) -> None:
        if (site := a_site(site)).control_url is None:
            raise InvalidInput(
                "This works on a sandbox only: at Clio itself a nonce comes from a click in Clio's own screens.",
                field="site",
            )
        self._url: Final = site.control_url
        self._headers: Final = _headers(site.control_key)

    async def token(self, user_id: int | None = None) -> Token:
        """Grant the app access for a user, the account owner if left out, without the consent page."""
        raw = await self._send("POST", "/tokens", {} if user_id is None else {"user_id": user_id})
        return oauth.token_from(raw.status, Secret(raw.body.decode(errors="replace")))

    async def users(self) -> list[User]:
        """Return the users of the demo firm, the account owner first."""
        return (await self._call("GET", "", Description)).users

    async def firms(self) -> list[DescribedFirm]:
        """Return all firms, region by region."""
        return (await self._call("GET", "", Description)).firms

    async def click(self, user_id: int, custom_action_id: int, subject: Subject) -> Secret:
        """Have a user click an action on a record; return the launch URL with its fresh nonce."""
        asked = {"user_id": user_id, "custom_action_id": custom_action_id, "subject_url": subject.path}
        return (await self._call("POST", "/clicks", _Click, asked)).launch_url

    async def requests(self) -> list[SeenRequest]:
        """Return the API requests seen so far, oldest first."""
        return await self._call("GET", "/requests", list[SeenRequest])

    async def oauth_requests(self) -> list[SeenRequest]:
        """Return the requests to ``/oauth`` seen so far, oldest first."""
        return await self._call("GET", "/oauth_requests", list[SeenRequest])

    async def advance(self, seconds: float) -> None:
        """Move the virtual clock."""
        await self._call("POST", "/clock/advance", dict[str, Any], {"seconds": seconds})

    async def has_own_clock(self) -> bool:
        """Whether its time is another one than this machine's: it stands still, or began at a fixed date."""
        return (await self._call("GET", "/clock", _Clock)).mode != "real"

    async def fault(self, **fault: object) -> None:
        """Arm a fault; see the sandbox for its fields."""
        await self._call("POST", "/faults", dict[str, Any], fault)

    async def clear_faults(self) -> None:
        """Disarm all faults."""
        await self._call("DELETE", "/faults", dict[str, Any])

    async def _call(self, method: str, path: str, shape: type[T], body: Mapping[str, object] | None = None) -> T:
        return msgspec.json.decode((await self._send(method, path, body)).body, type=shape, dec_hook=reading)

    async def _send(self, method: str, path: str, body: Mapping[str, object] | None) -> Raw:
        content = b"" if body is None else msgspec.json.encode(body)
        raw = await transport.exchange(method, self._url + path, headers=self._headers, content=content)
        if raw.status != 200:
            request = messages.Request(method, f"/control{path}")
            messages.decipher(request, raw.status, raw.headers, raw.body, type(None))
        return raw
