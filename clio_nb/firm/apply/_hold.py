"""How a run holds users: each by a lease in the ledger, with a note before every write and its outcome after it."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

from ...database.firm_key import AppKey
from ...errors import RunInProgress
from ...http import timeouts
from ...http.client import fence
from ...ledger._statements import LEASE
from ...ledger.heartbeat import lease_owner
from ...ledger.ledger import Ledger
from ...ledger.records import Adopt, Change, Ended, Intent, NewRun, Outcome, Owned, Release, Take, UserRecord
from ...models import CustomAction
from ..item import Item
from ._together import Together, patiently

POLL: Final = 0.5
TRIES: Final = 3  # a note that took too long is no lost lease: then it is noted again
BUSY: Final = "Another run is changing this user at the moment. Wait until it has ended, then try again."
TAKEN_OVER: Final = (
    "Another run has taken this user over, because this one was not heard of for too long. Plan again to see what "
    "there is."
)


@contextlib.contextmanager
def holding(ledger: Ledger, app: AppKey, account_id: int) -> Iterator[Hold]:
    """Give what holds users for one run. Its leases do not end while the block runs."""
    with lease_owner(ledger) as owner:
        yield Hold(ledger, app, account_id, owner)


class Fence:
    """Asked just before each write of one item. ``passed`` says that something may have been sent."""

    def __init__(self, note: Callable[[], Awaitable[bool]]) -> None:
        self._note = note
        self.passed = False

    async def __call__(self) -> None:
        """Note that a request is sent now. Raises :class:`RunInProgress` when the user is no longer held."""
        for _ in range(TRIES):
            if await self._note():
                self.passed = True
                return
        raise RunInProgress(TAKEN_OVER)


class Hold:
    """One run in the ledger. What its users have to say at a time is written in one transaction."""

    def __init__(self, ledger: Ledger, app: AppKey, account_id: int, owner: str) -> None:
        self.run = ""
        self.owner = owner
        self._open: set[tuple[int, int]] = set()  # users and items of which something was sent, without an outcome
        self._ledger = ledger
        self._app = app
        self._account_id = account_id
        self._changes: Together[Change, bool] = Together(lambda changes: ledger.write(app, changes))
        self._writes: Together[int, int] = Together(self._read)

    def _read(self, users: Sequence[int]) -> list[int]:
        writes = self._ledger.writes(self._app, users)
        return [writes[user_id] for user_id in users]

    async def begin(self, new: NewRun, items: Sequence[Item]) -> int:
        """Write the run and its items; return the number of the first."""
        self.run, first = await patiently(self._ledger.begin, self._app, self._account_id, new, items)
        return first

    async def take(self, user_id: int, stopped: Callable[[], bool] = lambda: False) -> bool:
        """Wait until no other run holds the user; for the time of a lease, or of the timeouts around it."""
        until = timeouts.now() + min(LEASE, timeouts.left())
        while not await self._changes.ask(Take(user_id, self.owner)):
            if timeouts.now() >= until or stopped():
                return False
            await timeouts.sleep(POLL)
        return True

    async def record_of(self, user_id: int) -> UserRecord:
        """Return what the ledger knows of a user."""
        known = await patiently(self._ledger.known, self._app, self._account_id, [user_id])
        return known.of(user_id)

    async def writes_of(self, user_id: int) -> int:
        """Return how much was written for a user, by whomever."""
        return await self._writes.ask(user_id)

    async def adopt(
        self,
        user_id: int,
        app: str | None,
        as_wanted: Sequence[Owned],
        differing: Sequence[Owned] = (),
        gone: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Note what was found to be ours of a user who was read after being taken."""
        await self._changes.ask(Adopt(user_id, self.owner, self._account_id, app, as_wanted, differing, gone))

    @contextlib.contextmanager
    def fenced(self, number: int, user_id: int) -> Iterator[Fence]:
        """Have each write in this block noted just before it is sent."""

        async def note() -> bool:
            self._open.add((user_id, number))
            return await self._changes.ask(Intent(self.run, number, user_id, self.owner))

        guard = Fence(note)
        outside = fence.set(guard)
        try:
            yield guard
        finally:
            fence.reset(outside)

    def ended(
        self,
        number: int,
        user_id: int,
        outcome: Outcome,
        message: str = "",
        item: Item | None = None,
        action: CustomAction | None = None,
    ) -> None:
        """Note how an item ended."""
        self._open.discard((user_id, number))
        self._changes.note(Ended(self.run, number, user_id, self.owner, outcome, message, item, action))

    def release(self, user_id: int) -> None:
        """Give a user back. Where it is not known how a write ended, others wait for the end of the lease instead."""
        if any(user == user_id for user, _ in self._open):
            return
        self._changes.note(Release(user_id, self.owner))

    async def written(self) -> None:
        """Wait until all is written. Raises :class:`VaultError` when something could not be."""
        await self._changes.finished()

    async def finish(self) -> None:
        """Note that the run has ended."""
        await patiently(self._ledger.finish, self.run)
