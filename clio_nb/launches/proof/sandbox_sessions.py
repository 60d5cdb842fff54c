"""The sessions of everyone in a sandbox, signed in without a browser when a launch names them."""

from __future__ import annotations

from ...http.sandbox_control import Control
from ...models import Site
from ...session import AsyncSession


class SandboxSessions:
    """Finds the session of a user of a sandbox, as a firm does of its own users."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._control = Control(site)
        self._sessions: dict[int, AsyncSession] = {}

    async def session_of(self, user_id: int) -> AsyncSession | None:
        """Return the session of a user; None when there is no such user."""
        if user_id not in self._sessions:
            user = next((user for user in await self._control.users() if user.id == user_id), None)
            if user is None:
                return None
            self._sessions[user_id] = AsyncSession(self._site, await self._control.token(user_id), user=user)
        return self._sessions[user_id]
