"""Where a session's access token comes from, and how it is renewed once for all who need it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from .. import errors, events
from ..models import Site, Token
from ..secret import Secret
from . import messages, oauth, timeouts, transport

_FORM: Final = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}


class TokenSource(Protocol):
    """Where a session's token comes from. The vault is one; a bare token makes a source of its own."""

    async def current(self) -> Token:
        """Return the token to use now. Raises :class:`errors.NeedsLogin` when there is none."""

    async def renew(self, stale: Token) -> Token:
        """Return a token newer than ``stale``, refreshed at most once for all who ask at the same time."""


class Renewal:
    """A renewal that is done once for all who ask while it is under way. A caller who gives up does not end it."""

    def __init__(self) -> None:
        self._work: asyncio.Task[Token] | None = None

    async def join(self, renew: Callable[[], Coroutine[Any, Any, Token]]) -> Token:
        """Return the token of the renewal under way, begun now if there is none."""
        mine = self._work is not None and self._work.get_loop() is asyncio.get_running_loop()  # not a parent's
        if self._work is None or self._work.done() or not mine:
            self._work = timeouts.apart(renew())
        return await timeouts.within(asyncio.shield(self._work), "Renewing the access token")


class OwnToken:
    """A token held in memory by one session."""

    def __init__(self, site: Site, token: Token) -> None:
        self._site = site
        self._token = token
        self._renewal = Renewal()

    async def current(self) -> Token:
        """Return the token as it is."""
        return self._token

    async def renew(self, stale: Token) -> Token:
        """Refresh the token once, however many ask."""
        return await self._renewal.join(lambda: self._renewed(stale))

    async def _renewed(self, stale: Token) -> Token:
        if self._token is stale:
            self._token = await refresh(self._site, stale)
        return self._token


class SignedOut:
    """The source of a session that was signed out: nothing more comes from it until its user signs in again."""

    def __init__(self, source: TokenSource, token: Token) -> None:
        self._source = source
        self._ended = token

    async def current(self) -> Token:
        """Return the token of a later sign-in. Raises :class:`errors.NeedsLogin` when there was none."""
        token = await self._source.current()
        if (token.refresh or token.access) == (self._ended.refresh or self._ended.access):
            raise errors.NeedsLogin("This session was signed out. Sign the user in again.")
        return token

    async def renew(self, stale: Token) -> Token:
        """Renew such a later token."""
        await self.current()
        return await self._source.renew(stale)


async def grant(site: Site, form: Secret, *, before: Token | None = None) -> Token:
    """Send a form to ``/oauth/token`` and read the token. Sent once: it spends a code or a rotating refresh token."""
    raw = await transport.exchange("POST", site.origin + oauth.TOKEN, headers=_FORM, content=form)
    return oauth.token_from(raw.status, Secret(raw.body.decode("utf-8-sig", errors="replace")), before=before)


async def refresh(site: Site, token: Token) -> Token:
    """Renew an access token. Raises :class:`errors.NeedsLogin` when there is no refresh token, or Clio refuses it."""
    where = {"region": site.region.value}
    try:
        renewed = await grant(site, oauth.refresh(site, token), before=token)
    except errors.GrantRefused as cause:
        events.tell("renewal", "an access token was not renewed: Clio refused it", True, outcome="refused", **where)
        raise errors.NeedsLogin("This user's access was revoked or has ended. Sign the user in again.") from cause
    events.tell("renewal", "an access token was renewed", outcome="done", **where)
    return renewed


async def revoke(site: Site, token: Token) -> None:
    """End an access token (``POST /oauth/deauthorize``)."""
    request = messages.Request("POST", oauth.DEAUTHORIZE)
    form = Secret(urlencode({"token": token.access.reveal()}))
    headers: dict[str, str | Secret] = {**_FORM, "authorization": Secret(f"Bearer {token.access.reveal()}")}
    raw = await transport.exchange(request.method, request.url(site.origin), headers=headers, content=form)
    if raw.status not in (200, 204):
        messages.decipher(request, raw.status, raw.headers, raw.body, type(None))
