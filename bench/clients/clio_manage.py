"""A plain loop over clio-manage-api-client, the published client for Clio: one of its async clients for each user."""

from __future__ import annotations

import asyncio

import clio_manage_python_client.client as library

from . import FIELDS, IN_FLIGHT, LABEL, LOCATIONS, TARGET, arguments, compete, token_of


async def work(users: int) -> None:
    """List and create for every user, so many users at a time."""
    gate = asyncio.Semaphore(IN_FLIGHT)

    async def one(user: int) -> None:
        async with gate:
            client = library.Client(access_token=token_of(user), async_requests=True)
            await client.get.custom_actions(fields=FIELDS)
            for location in LOCATIONS:
                await client.post.custom_actions(label=LABEL, target_url=TARGET, ui_reference=location, fields=FIELDS)
            await client.shutdown()

    await asyncio.gather(*(one(user) for user in range(1, users + 1)))


if __name__ == "__main__":
    origin, users = arguments()
    library.BASE_URL["us"] = origin
    compete(rollout=lambda: asyncio.run(work(users)))
