"""What a load balancer asks: whether this process and its database serve. Clio's part is said, and decides nothing.

If Clio's being away took processes out of service, an outage there would become one here.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from typing import Final

from ..errors import InvalidInput, NetworkError, VaultError
from ..http import timeouts, transport
from ..launches._pages import PRIVATE, Page, Visit
from ..models import Site
from ..vault import Vault

PATIENCE: Final = 3.0
"""Seconds in which the database has to answer: less than a load balancer waits."""

ASKED_EVERY: Final = 60.0
"""Seconds between two requests to Clio, however often this is asked."""

_log: Final = logging.getLogger("clio_nb.onboarding")


class Health:
    """The health of this process. It is asked by anybody, so it says no more than whether something answers."""

    def __init__(self, vault: Vault, sites: Iterable[Site]) -> None:
        self._vault = vault
        self._sites = list(sites)
        self._clio = dict.fromkeys((site.region.value for site in self._sites), "not asked yet")
        self._asked_at = float("-inf")
        self._check: asyncio.Task[None] | None = None
        self._said = ""

    async def page(self, visit: Visit) -> Page:
        """Return 200 when the database answers and the key opens it, else 503."""
        if timeouts.now() - self._asked_at >= ASKED_EVERY:
            self._asked_at = timeouts.now()
            for site in self._sites:
                timeouts.apart(self._ask(site))
        wrong = await self._wrong_with_database()
        if wrong and wrong != self._said:
            _log.error("this process is not healthy: %s", wrong)
        self._said = wrong
        said = {"database": "away" if wrong else "ok", "clio": self._clio}
        headers = (("content-type", "application/json"), *PRIVATE)
        body = b"" if visit.method == "HEAD" else json.dumps(said).encode()
        return Page(503 if wrong else 200, headers, body)

    async def _wrong_with_database(self) -> str:
        """Return what is wrong with the database, or nothing. However many ask, one thread at most waits for it."""
        if self._check is None or self._check.done():
            self._check = timeouts.apart(asyncio.to_thread(self._vault.sealed.check))
        try:
            with timeouts.timeout(PATIENCE):
                await timeouts.within(asyncio.shield(self._check), "The database")
        except (NetworkError, VaultError) as error:
            return str(error)
        return ""

    async def _ask(self, site: Site) -> None:
        """Ask Clio without a token, which any answer but a server error says to be there."""
        try:
            answer = await transport.exchange("GET", f"{site.origin}/api/v4/users/who_am_i", deadline=10.0)
        except (NetworkError, InvalidInput):  # also what the environment says of the network and cannot be right
            self._clio[site.region.value] = "away"
        else:
            self._clio[site.region.value] = "ok" if answer.status < 500 else "away"
