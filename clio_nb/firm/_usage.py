"""Reads what was recorded of launches, and whose names belong to it. Clio is not asked."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import Callable, Collection, Iterable
from typing import TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from ..errors import InvalidInput
from ..ledger import recorder
from ..ledger.launches import Gap, LaunchRow, Refused
from ..models import Site
from ..vault import Vault
from ..vault._grants import DAMAGED
from ..vault.vault import firm_key_of
from .adoption import VERIFIED, Adoption, adoption_of

T = TypeVar("T")

Since: TypeAlias = dt.datetime | dt.timedelta | None
"""From when on: a datetime with a time zone, or how long before now; None for everything that is kept."""


class Usage:
    """The history of one firm, or of all firms of an app."""

    def __init__(self, site: Site, vault: Vault, firm: str | None = None) -> None:
        self._site = site
        self._vault = vault
        self._app = firm_key_of(site, "").app
        self._firms = None if firm is None else {firm}
        self._history = vault.ledger.history

    async def launches(self, since: Since) -> list[LaunchRow]:
        """Return the launches, the oldest first."""
        rows = await self._read(lambda when: self._history.launches(self._app, self._firms, when), since)
        firms = self._firms or {row.firm for row in rows if row.firm}
        names = await self._names({row.user_id for row in rows if row.user_id}, firms)
        return [row._replace(user=names.get(row.user_id or 0)) for row in rows]

    async def refusals(self, since: Since, time_zone: str) -> list[Refused]:
        """Return what was not verified, by minute and reason."""
        zone = zone_of(time_zone)
        rows = await self._read(lambda when: self._history.refusals(self._app, self._firms, when), since)
        return [row._replace(minute=row.minute.astimezone(zone)) for row in rows]

    async def gaps(self, since: Since) -> list[Gap]:
        """Return when launches may be missing."""
        now = self._now().timestamp()
        return await self._read(lambda when: self._history.gaps(self._app, when, now), since)

    async def adoption(self, account_id: int | None = None) -> list[tuple[Adoption, int | None, str]]:
        """Return how each user uses each action, and of which firm it is: by Clio's id, by the name in the vault.

        The id is that by which the ledger has an action as ours: of one firm, or of all.
        """
        rows = await self._read(lambda when: self._history.launches(self._app, self._firms, when), None)
        rows = [row for row in rows if row.state == VERIFIED]
        owned = await asyncio.to_thread(self._vault.ledger.owned, self._app, account_id)
        accounts = {(one.user_id, one.action_id): account for account, one in owned}
        clicked = {(row.user_id, row.action_id): row.firm for row in rows}
        firms = self._firms or set(await asyncio.to_thread(self._vault.firms, self._site))
        names = await self._names({user_id for user_id, _ in accounts.keys() | clicked.keys() if user_id}, firms)
        return [
            (each, accounts.get((each.user_id, each.action_id)), clicked.get((each.user_id, each.action_id), ""))
            for each in adoption_of((one for _, one in owned), rows, names, self._now())
        ]

    async def erase(self, account_id: int, user_id: int) -> int:
        """Delete a user's launches and name; return how many launches there were."""
        return await self._read(lambda _: self._history.erase(self._app, account_id, user_id), None)

    async def _names(self, users: Collection[int], firms: Iterable[str]) -> dict[int, str]:
        """Return what these users of these firms are called, as far as vault and ledger know."""

        def names() -> dict[int, str]:
            found = self._vault.ledger.names(self._app, users)
            for firm in firms if users else ():
                grants = (each for each in self._vault.grants(self._site, firm=firm) if each.problem != DAMAGED)
                found |= {each.user.id: each.user.name for each in grants if each.user.name and each.user.id in users}
            return found

        return {user_id: name for user_id, name in (await asyncio.to_thread(names)).items() if name}

    async def _read(self, reading: Callable[[dt.datetime | None], T], since: Since) -> T:
        """Read, after what this process has noted was written."""
        when = self._moment(since)
        await recorder.flush(self._vault.database, self._app)
        return await asyncio.to_thread(reading, when)

    def _moment(self, since: Since) -> dt.datetime | None:
        if isinstance(since, dt.timedelta) and since >= dt.timedelta():
            with contextlib.suppress(OverflowError):
                return self._now() - since
            return None  # before everything
        if since is None or (isinstance(since, dt.datetime) and since.tzinfo is not None):
            return since
        raise InvalidInput(
            "since must be a datetime with a time zone (datetime(2026, 1, 1, tzinfo=UTC)), "
            "or how long before now: timedelta(days=30).",
            field="since",
        )

    def _now(self) -> dt.datetime:
        clock = getattr(self._site, "clock", None)
        return dt.datetime.fromtimestamp(time.time() if clock is None else clock.now(), dt.UTC)


def zone_of(name: str) -> dt.tzinfo:
    """Return a time zone by its name. Raises :class:`InvalidInput` for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ValueError, LookupError, OSError, TypeError):
        raise InvalidInput(
            f"Unknown time zone {name!r:.40}. Use a name such as 'UTC', 'America/Toronto' or 'Europe/London'.",
            field="time_zone",
        ) from None
