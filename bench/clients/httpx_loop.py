"""A plain loop over stock httpx, as its documentation shows it: one client for all users."""

from __future__ import annotations

import asyncio

import httpx

from . import FIELDS, IN_FLIGHT, LABEL, LOCATIONS, TARGET, arguments, compete, token_of


async def work(origin: str, users: int) -> None:
    """List and create for every user."""
    gate = asyncio.Semaphore(IN_FLIGHT)
    url = f"{origin}/api/v4/custom_actions?fields={FIELDS}"

    async def one(client: httpx.AsyncClient, user: int) -> None:
        headers = {"authorization": f"Bearer {token_of(user)}"}
        async with gate:
            (await client.get(url, headers=headers)).json()
        for location in LOCATIONS:
            data = {"label": LABEL, "target_url": TARGET, "ui_reference": location}
            async with gate:
                (await client.post(url, headers=headers, json={"data": data})).json()

    async with httpx.AsyncClient() as client:
        await asyncio.gather(*(one(client, user) for user in range(1, users + 1)))


if __name__ == "__main__":
    origin, users = arguments()
    compete(rollout=lambda: asyncio.run(work(origin, users)))
