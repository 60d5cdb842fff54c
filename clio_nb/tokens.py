"""Where a session's access token comes from, and how it is renewed once for all who need it."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol
from urllib.parse import urlencode

from . import errors, oauth, portal, transport
from .models import Site, Token

FORM: Final = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}


class TokenSource(Protocol):
    """Where a session's token comes from. The vault is one; a bare token makes a source of its own."""

    async def current(self) -> Token:
        """Return the token to use now. Raises :class:`errors.NeedsLogin` when there is none."""

    async def renew(self, stale: Token) -> Token:
        """Return a token newer than ``stale``, refreshed at most once for all who ask at the same time."""


class OwnToken:
    """A token held in memory by one session."""

    def __init__(self, site: Site, token: Token) -> None:
        self._site = site
        self._token = token
        self._lock = asyncio.Lock()

    async def current(self) -> Token:
        """Return the token as it is."""
        return self._token

    async def renew(self, stale: Token) -> Token:
        """Refresh the token once, however many ask, and also when who asked gives up: the refresh token is spent."""
        return await portal.within(asyncio.shield(portal.apart(self._renewed(stale))), "Renewing the access token")

    async def _renewed(self, stale: Token) -> Token:
        async with self._lock:
            if self._token is stale:
                self._token = await refresh(self._site, stale)
            return self._token


async def grant(site: Site, form: dict[str, str], *, before: Token | None = None) -> Token:
    """Send a form to ``/oauth/token`` and read the token. Sent once: it spends a code or a rotating refresh token."""
    raw = await transport.exchange("POST", site.origin + oauth.TOKEN, headers=FORM, content=urlencode(form).encode())
    return oauth.token_from(raw.status, raw.body, before=before)


async def refresh(site: Site, token: Token) -> Token:
    """Renew an access token. Raises :class:`errors.NeedsLogin` when there is no refresh token, or Clio refuses it."""
    try:
        return await grant(site, oauth.refresh(site, token), before=token)
    except errors.GrantRefused as cause:
        raise errors.NeedsLogin("This user's access was revoked or has ended. Sign the user in again.") from cause
