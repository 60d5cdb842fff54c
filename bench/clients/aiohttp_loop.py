"""A plain loop over raw aiohttp: one session for all users, bodies read and decoded."""

from __future__ import annotations

import asyncio

import aiohttp

from . import FIELDS, IN_FLIGHT, LABEL, LOCATIONS, TARGET, arguments, compete, token_of


async def work(origin: str, users: int) -> None:
    """List and create for every user."""
    gate = asyncio.Semaphore(IN_FLIGHT)
    url = f"{origin}/api/v4/custom_actions?fields={FIELDS}"

    async def one(session: aiohttp.ClientSession, user: int) -> None:
        headers = {"authorization": f"Bearer {token_of(user)}"}
        async with gate, session.get(url, headers=headers) as answer:
            await answer.json()
        for location in LOCATIONS:
            data = {"label": LABEL, "target_url": TARGET, "ui_reference": location}
            async with gate, session.post(url, headers=headers, json={"data": data}) as answer:
                await answer.json()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(one(session, user) for user in range(1, users + 1)))


if __name__ == "__main__":
    origin, users = arguments()
    compete(rollout=lambda: asyncio.run(work(origin, users)))
