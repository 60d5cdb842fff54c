"""A plain loop over clio_nb's own sessions: the client without planning, vault and ledger."""

from __future__ import annotations

import asyncio

from clio_nb.aio import Session
from clio_nb.http import loop
from clio_nb.models import App
from clio_nb.secret import Secret
from clio_nb.vocabulary import Region

from . import LABEL, LOCATIONS, TARGET, arguments, compete, token_of


async def work(origin: str, users: int) -> None:
    """List and create for every user; how many requests are under way is the library's business."""
    app = App(Region.US, "bench", Secret("secret"), origin=origin)

    async def one(user: int) -> None:
        session = Session(app, token_of(user))
        await session.list_actions()
        for location in LOCATIONS:
            await session.create_action(LABEL, TARGET, location)

    await asyncio.gather(*(one(user) for user in range(1, users + 1)))


if __name__ == "__main__":
    origin, users = arguments()
    compete(rollout=lambda: loop.run(work, origin, users))
