"""The firm that a form works for: the one that it is given, or one of exactly those who are signed in."""

from __future__ import annotations

import asyncio
from typing import Final

from ..errors import InvalidInput
from ..firm import Firm
from ..firm.async_firm import AsyncFirm
from ..session import Session
from ._who import People


class FirmOf:
    """The firm of whoever is signed in."""

    def __init__(self, people: People) -> None:
        self._people: Final = people
        self._firm = people.firm
        self._added: Final[dict[int, Session]] = {}

    def check(self) -> None:
        """Raise :class:`InvalidInput` when nobody has signed in; of a firm, those count whose access has ended, too."""
        if self._firm is None or next(self._firm.vault.grants(self._firm.site, firm=self._firm.aio.name), None) is None:
            self._people.needed()

    async def now(self) -> AsyncFirm:
        """Return the firm as it is now."""
        if self._people.firm is not None:
            return self._people.firm.aio
        sessions = self._people.needed()
        now = {session.user.id: session for session in sessions}
        sites = {(session.site.origin, session.site.client_id): session.site for session in sessions}
        if len(sites) > 1:
            raise InvalidInput("These users have signed in at different sites. Use a form of its own for each site.")
        [(key, site)] = sites.items()
        if self._firm is None or (self._firm.site.origin, self._firm.site.client_id) != key:
            self._firm = Firm(site)
            self._added.clear()
        for user_id in [user_id for user_id, session in self._added.items() if now.get(user_id) is not session]:
            await asyncio.to_thread(self._firm.vault.remove, site, user_id)
            del self._added[user_id]
        for user_id in now.keys() - self._added.keys():
            await self._firm.aio.add(now[user_id])
            self._added[user_id] = now[user_id]
        return self._firm.aio

    def code(self) -> str:
        """Return how the ``firm`` comes from what was given; empty when that was the firm."""
        if self._people.firm is not None:
            return ""
        add = "firm.add(session)" if self._people.one else "for session in sessions:\n    firm.add(session)"
        site = "session.site" if self._people.one else "sessions[0].site"
        return f"{self._people.code(several=True)}firm = clio.Firm({site})\n{add}\n"
