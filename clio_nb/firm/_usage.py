"""Reads what a firm has recorded of its launches, and whose names belong to it. Clio is not asked."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Collection
from typing import TypeAlias, TypeVar

from ..errors import InvalidInput
from ..ledger import recorder
from ..ledger.launches import Gap, LaunchRow, Refused
from ..vault import Vault
from .adoption import Adoption, adoption_of
from .survey import Survey

T = TypeVar("T")

Since: TypeAlias = dt.datetime | dt.timedelta | None
"""From when on: a datetime with a time zone, or how long before now; None for everything that is kept."""


class Usage:
    """The history of one firm."""

    def __init__(self, vault: Vault, survey: Survey) -> None:
        self._vault = vault
        self._survey = survey

    async def launches(self, since: Since) -> list[LaunchRow]:
        """Return the launches, the oldest first."""
        app, firms = self._survey.app, {self._survey.firm_key.firm}
        rows = await self._read(lambda when: self._vault.ledger.history.launches(app, firms, when), since)
        names = await self._names({row.user_id for row in rows if row.user_id is not None})
        return [row if row.user_id is None else row._replace(user=names.get(row.user_id)) for row in rows]

    async def refusals(self, since: Since) -> list[Refused]:
        """Return what was not verified, by minute and reason."""
        app, firms = self._survey.app, {self._survey.firm_key.firm}
        return await self._read(lambda when: self._vault.ledger.history.refusals(app, firms, when), since)

    async def gaps(self, since: Since) -> list[Gap]:
        """Return when launches may be missing."""
        now = self._now().timestamp()
        return await self._read(lambda when: self._vault.ledger.history.gaps(self._survey.app, when, now), since)

    async def adoption(self) -> list[Adoption]:
        """Return how each user uses each action."""
        launches = await self.launches(None)
        known = await asyncio.to_thread(self._vault.ledger.known, self._survey.app, await self._survey.account_id())
        owned = [one for user_id in known.user_ids for one in known.of(user_id).owned.values()]
        names = await self._names({row.user_id for row in launches if row.user_id} | {one.user_id for one in owned})
        return adoption_of(owned, launches, names, self._now())

    async def erase(self, user_id: int) -> int:
        """Delete a user's launches and name; return how many launches there were."""
        account_id = await self._survey.account_id()
        return await self._read(lambda _: self._vault.ledger.history.erase(self._survey.app, account_id, user_id), None)

    async def _names(self, users: Collection[int]) -> dict[int, str]:
        """Return what these users are called, as far as vault and ledger know."""
        account_id = await self._survey.account_id()

        def names() -> dict[int, str]:
            known = self._vault.ledger.names(self._survey.app, account_id, users)
            signed_in = (session.user for session in self._survey.sessions())
            return known | {user.id: user.name for user in signed_in if user.name and user.id in users}

        return {user_id: name for user_id, name in (await asyncio.to_thread(names)).items() if name}

    async def _read(self, reading: Callable[[dt.datetime | None], T], since: Since) -> T:
        """Read, after what this process has noted was written."""
        when = self._moment(since)
        await recorder.flush(self._vault.database, self._survey.app)
        return await asyncio.to_thread(reading, when)

    def _moment(self, since: Since) -> dt.datetime | None:
        if isinstance(since, dt.timedelta):
            return self._now() - since
        if since is None or (isinstance(since, dt.datetime) and since.tzinfo is not None):
            return since
        raise InvalidInput(
            "since must be a datetime with a time zone (datetime(2026, 1, 1, tzinfo=UTC)), "
            "or how long before now: timedelta(days=30).",
            field="since",
        )

    def _now(self) -> dt.datetime:
        clock = self._survey.clock
        return dt.datetime.fromtimestamp(time.time() if clock is None else clock.now(), dt.UTC)
