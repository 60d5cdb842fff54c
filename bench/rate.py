"""Send 120 calls for each of 200 users whose tokens allow 50 a minute, on a virtual clock: none refused, none late."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator
from typing import Final

import clio_nb
from clio_nb.aio import Session
from clio_nb.http import loop, timeouts
from clio_nb.sandbox import Sandbox

from .table import Row, at_most, exactly

LIMIT: Final = 50
WINDOW: Final = 60
CALLS: Final = 120


def rows(*, smoke: bool) -> Iterator[Row]:
    """Let every user call as fast as allowed; the bound is when the window of the last call opens."""
    users = 3 if smoke else 200
    with clio_nb.sandbox(users=users, rate_limit=LIMIT) as site:
        tokens = [site.token(user.id)["access_token"] for user in site.users]
        before = site.now()
        loop.run(_call, site, [Session(site, token) for token in tokens])
        took = site.now() - before
        refused = sum(request["status"] == 429 for request in site.requests)
    bound = (CALLS - 1) // LIMIT * WINDOW
    work = f"{users} users x {CALLS} calls at {LIMIT} a minute"
    yield at_most("rate", work, f"{took:.1f} s", f"bound of the windows {bound} s", took / bound, 1.02)
    yield exactly("rate", f"{work}: answers of 429", refused, 0, "refused")


async def _call(site: Sandbox, sessions: list[Session]) -> None:
    clock = _Clock(site, len(sessions))
    real = timeouts.sleep, timeouts.now
    timeouts.sleep, timeouts.now = clock.sleep, site.now
    try:
        await asyncio.gather(*(clock.lead(session) for session in sessions))
    finally:
        timeouts.sleep, timeouts.now = real


class _Clock:
    """Moves the sandbox's clock to the next end of a wait as soon as all users wait."""

    def __init__(self, site: Sandbox, users: int) -> None:
        self._site = site
        self._awake = users
        self._waits: list[tuple[float, int, asyncio.Event]] = []

    async def lead(self, session: Session) -> None:
        """Make one user's calls."""
        for _ in range(CALLS):
            await session.list_actions()
        self._rest()

    async def sleep(self, seconds: float) -> None:
        """Wait by the virtual clock."""
        over = asyncio.Event()
        heapq.heappush(self._waits, (self._site.now() + seconds, id(over), over))
        self._rest()
        await over.wait()

    def _rest(self) -> None:
        """Count one user less who is awake; when it was the last, move the clock and wake those whose time has come."""
        self._awake -= 1
        if self._awake or not self._waits:
            return
        due = self._waits[0][0]
        self._site.advance(max(due - self._site.now(), 0))
        while self._waits and self._waits[0][0] <= due:
            heapq.heappop(self._waits)[2].set()
            self._awake += 1
