"""The session of any user of a vault, whichever of its firms and regions the user is of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import SupportsIndex

from ..arguments import a_site
from ..firm.survey import Survey
from ..models import Site
from ..session import AsyncSession
from ..vault import Vault
from ..vault._grants import id_of_user


class VaultSessions:
    """Finds the session of a user in a vault of many firms, by one look-up for each region.

    Args:
        vault: Where the tokens are.
        sites: The app in each of its regions: what :func:`clio_nb.connect` returns, one or several.

    The ids of users are Clio's in each region by itself. Where one id is known in two regions, the list of actions
    tells whose launch it is, and the nonce goes to that region alone.
    """

    def __init__(self, vault: Vault, sites: Site | Iterable[Site]) -> None:
        several = list(sites) if isinstance(sites, Iterable) else [sites]
        self.vault = vault
        self._sites = [a_site(site) for site in several]
        self.site = self._sites[0] if self._sites else None
        self._firms: dict[tuple[str, str, str], Survey] = {}

    async def session_of(self, user_id: SupportsIndex) -> list[AsyncSession]:
        """Return the sessions of the users with this id: none, one, or one for each of several regions."""
        plain, found = id_of_user(user_id), []
        for site in self._sites:
            for firm in await asyncio.to_thread(self.vault.firms_of, site, plain):
                key = (site.origin, site.client_id, firm)
                survey = self._firms.setdefault(key, Survey(site, self.vault, firm))
                found.append(await survey.session_of(plain))
        return found
