"""One user's token out of the vault, renewed once for all tasks and all processes that need it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from dataclasses import replace
from typing import Final

from ..database.firm_key import FirmKey
from ..errors import GrantRefused, NeedsLogin, VaultError
from ..http import timeouts, tokens
from ..models import Site, Token
from ..tracebacks import verb
from ._grants import Grant
from ._sealed import SealedGrants

LEASE: Final = 60.0  # seconds; a refresh has 30 (network.DEADLINE), so its holder is gone when this is over
POLL: Final = 0.1

_log: Final = logging.getLogger("clio_nb.vault")


class VaultTokens:
    """A :class:`clio_nb.http.tokens.TokenSource` that reads and renews one user's token in the vault.

    Clio may rotate refresh tokens, and then the old one works only once: so among all processes one renews, by a lease
    on the row, and the others read what it wrote. A lease that a crash leaves behind ends by itself.
    """

    def __init__(
        self, grants: SealedGrants, site: Site, firm_key: FirmKey, user_id: int, grant: Grant | None = None
    ) -> None:
        self._grants = grants
        self._site = site
        self._firm_key = firm_key
        self._user_id = user_id
        self._grant = grant
        self._unsaved: Grant | None = None
        self._renewal = tokens.Renewal()
        self._owner = secrets.token_hex(8)

    async def current(self) -> Token:
        """Return the token. Raises :class:`NeedsLogin` when there is none, or it is known to be revoked or expired.

        The vault is asked again once what it said may have changed: at once after a change in this process, else every
        :data:`clio_nb.vault._sealed.LOOK` seconds.
        """
        if self._unsaved is not None and not self._grants.is_current(self._firm_key, self._unsaved):
            await self._save(self._unsaved)
        if self._unsaved is not None:
            return self._unsaved.token
        if self._grant is None or self._grant.problem or not self._grants.is_current(self._firm_key, self._grant):
            self._grant = await self._read()
        return self._usable(self._grant).token

    async def renew(self, stale: Token) -> Token:
        """Return a newer token than ``stale``. However many ask, in one process Clio is asked once."""
        return await self._renewal.join(lambda: self._renewed(stale))

    @verb
    async def _renewed(self, stale: Token) -> Token:
        if self._unsaved is not None:
            await self._save(self._unsaved)
        if self._unsaved is not None and self._unsaved.token.access != stale.access:
            return self._unsaved.token
        grant = self._unsaved or self._usable(await self._read())
        while grant.token.access == stale.access:
            if await asyncio.to_thread(self._grants.store.lease, self._firm_key, self._user_id, self._owner, LEASE):
                try:
                    return await self._renewed_alone(stale)
                finally:
                    with contextlib.suppress(VaultError):  # it ends by itself
                        await asyncio.to_thread(self._grants.store.release, self._firm_key, self._user_id, self._owner)
            await timeouts.sleep(POLL)
            grant = self._usable(await self._read())
        self._grant = grant
        return grant.token

    async def _renewed_alone(self, stale: Token) -> Token:
        """Renew while holding the lease, unless the holder before has done it."""
        grant = self._unsaved or self._usable(await self._read())
        if grant.token.access == stale.access:
            try:
                token = await tokens.refresh(self._site, grant.token)
            except NeedsLogin as refused:
                return await self._after_refusal(grant, refused)
            await self._save(replace(grant, token=token, problem=""))
            return token
        self._grant = grant
        return grant.token

    async def _after_refusal(self, grant: Grant, refused: NeedsLogin) -> Token:
        """Clio refuses the refresh token: another process may have used it and written the next one."""
        now = await self._read()
        if now.version == grant.version:
            problem = "revoked" if isinstance(refused.__cause__, GrantRefused) else "expired"
            await asyncio.to_thread(self._grants.store.note, self._firm_key, self._user_id, grant.version, problem)
            refused.user = str(grant.user)
            raise refused
        self._grant = now
        return self._usable(now).token

    async def _save(self, grant: Grant) -> None:
        """Write a renewed grant. If the store fails it stays in memory and is written as soon as that is possible."""
        try:
            saved = await asyncio.to_thread(self._grants.swap, self._firm_key, grant)
        except VaultError as error:
            self._unsaved = replace(grant, read_at=timeouts.now())
            _log.error("the renewed token of %s is kept in memory only: %s", grant.user, error)
            return
        self._unsaved = None
        self._grant = replace(grant, version=grant.version + 1) if saved else await self._read()

    async def _read(self) -> Grant:
        grant = await asyncio.to_thread(self._grants.take, self._firm_key, self._user_id)
        if grant is None:
            raise NeedsLogin(f"User {self._user_id} has no token in the vault. Ask this user to sign in.")
        return grant

    def _usable(self, grant: Grant) -> Grant:
        if grant.problem:
            error = NeedsLogin(f"This user's token is {grant.problem}. Ask this user to sign in again.")
            error.user = str(grant.user)
            raise error
        return grant
