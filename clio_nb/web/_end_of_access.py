"""How access ends: a user disconnects, or Clio says that a user has taken the access back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from .. import errors
from ..firm.async_firm import AsyncFirm
from ..http import timeouts
from ..models import Site, User
from ..session import AsyncSession
from ..vault import Vault

CHECKED_EVERY: Final = 60.0  # seconds between two questions to Clio whether a user still has access
_log: Final = logging.getLogger("clio_nb.onboarding")

Claim = Callable[[str, str, float], Awaitable[bool]]
Told = Callable[..., Awaitable[Any]]


class _Deauthorization(msgspec.Struct):
    """Clio's message (reference of 2022)."""

    client_id: str
    user_id: int


def read_deauthorization(body: bytes) -> tuple[str, int] | None:
    """Return the client id and the user of Clio's message, or None. It holds an access token and is never logged."""
    try:
        said = msgspec.json.decode(body, type=_Deauthorization)
    except msgspec.MsgspecError:
        return None
    return (said.client_id, said.user_id) if 0 < said.user_id < 2**63 else None


async def disconnect(firm: AsyncFirm, user: User, session: AsyncSession) -> None:
    """Remove a user's buttons, give the access back to Clio, and forget the token."""
    result = await firm.offboard(user.id)
    if not result:
        raise errors.LoginError(f"Not all buttons could be removed: {result.failed[0].message}")
    await session.logout()
    await asyncio.to_thread(firm.vault.remove, firm.site, user.id, firm=firm.name)


async def give_back(session: AsyncSession) -> None:
    """Give an access back that is not used after all. Where Clio does not answer, it ends by itself."""
    with contextlib.suppress(errors.ClioError):
        await session.logout()


class Checks:
    """Asks Clio whether users still have access. Anybody can send the hint, so one user is asked for once a minute."""

    def __init__(self, vault: Vault, firm_of: Callable[[Site, str], AsyncFirm], claim: Claim, gone: Told) -> None:
        self._vault = vault
        self._firm_of = firm_of
        self._claim = claim
        self._gone = gone
        self._under_way: set[tuple[str, int]] = set()

    def begin(self, site: Site, user_id: int) -> None:
        """Check soon, beside the answer to the hint: it looks the same for users who exist and who do not."""
        asked = (site.region.value, user_id)
        if asked not in self._under_way:
            self._under_way.add(asked)
            timeouts.apart(self._check(site, user_id)).add_done_callback(lambda _: self._under_way.discard(asked))

    async def _check(self, site: Site, user_id: int) -> None:
        try:
            firms = await asyncio.to_thread(self._vault.firms_of, site, user_id)
            while firms and not await self._claim("deauthorized", f"{site.region.value} {user_id}", CHECKED_EVERY):
                await timeouts.sleep(CHECKED_EVERY)
            for firm in firms:
                await self._check_in(firm, site, user_id)
        except errors.ClioError as error:
            _log.warning("could not ask whether user %d still has access: %s", user_id, error)

    async def _check_in(self, firm: str, site: Site, user_id: int) -> None:
        try:
            await (await self._firm_of(site, firm).session_of(user_id)).who_am_i()
        except (errors.NeedsLogin, errors.Unauthorized):
            await asyncio.to_thread(self._vault.remove, site, user_id, firm=firm)
            _log.info("user %d in %s has taken the access back", user_id, site.region.value)
            await self._gone(user_id, site.region)
