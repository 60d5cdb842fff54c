"""Writes the history of launches in the background: no launch waits for it, and none fails because of it.

One task for each app writes in groups what came. While the database is away a bounded number waits; what had to be
dropped shows as a gap.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import logging
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, TypeAlias

from ..database.database import Database
from ..database.firm_key import AppKey
from ..errors import InvalidInput, VaultError
from ..http import loop
from ..models import Clock
from .launches import BEAT, Group, LaunchRow, Process

Keep: TypeAlias = bool | dt.timedelta
"""Whether launches are recorded; a time says that, and for how long they are kept."""

KEPT_FOR: Final = dt.timedelta(days=400)

ROWS_AN_HOUR: Final = 20
"""Launches of a user, or of all unknown users, that get a row though they were not verified. All are counted."""

WAITING_MAX: Final = 10_000  # rows that wait while the database is away, and counts
PAUSE: Final = 0.2  # seconds in which a group gathers
RETRY: Final = 5.0  # seconds before a group is tried again
_log: Final = logging.getLogger("clio_nb.ledger")


def checked_keep(record: object) -> Keep:
    """Return a switch as it is. Raises :class:`InvalidInput` for anything but True, False or a time to keep."""
    if isinstance(record, bool) or (isinstance(record, dt.timedelta) and record > dt.timedelta(0)):
        return record
    raise InvalidInput("record must be True, False, or how long launches are kept: timedelta(days=90).", field="record")


class Recorder:
    """Records launches of one app in one database, to be kept for one time. Used on the library's loop only."""

    def __init__(self, database: Database, app: AppKey, keep: dt.timedelta, clock: Clock | None) -> None:
        self._keep: Final = keep
        self._database = database
        self.now: Final[Callable[[], float]] = time.time if clock is None else clock.now
        self._process = Process(secrets.token_hex(16), app, self.now())
        self._gathering = Group()
        self._writing: Group | None = None  # what is written, or could not be
        self._rows: Counter[int] = Counter()
        self._hour = 0
        self._wake, self._hurry = asyncio.Event(), asyncio.Event()
        self._waiters: list[asyncio.Future[None]] = []
        self._task: asyncio.Task[None] | None = None
        self._ending = False

    def begin(self) -> None:
        """Let the process leave its mark in the ledger soon, if it has none yet."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())
            self._wake.set()
            self._hurry.set()
            loop.at_close(self._close)

    def note(self, row: LaunchRow, known_user: int) -> None:
        """Note what came of a launch. ``known_user`` is 0 where there is no token of the user whom it names."""
        group, now = self._gathering, row.at.timestamp()
        if not row.reason or self._has_room(now, known_user):
            if len(group.launches) < WAITING_MAX:
                group.launches.append(row)
            else:
                group.lost_since = group.lost_since or now
        if row.reason:
            counted = (int(now // 60), row.firm, row.reason)
            if counted in group.refusals or len(group.refusals) < WAITING_MAX:
                group.refusals[counted] += 1
            else:
                group.lost_since = group.lost_since or now
        self.begin()
        self._wake.set()

    async def flush(self) -> None:
        """Wait until all that was noted is written. Raises :class:`VaultError` when it cannot be; then it waits on."""
        self.begin()
        written = asyncio.get_running_loop().create_future()
        self._waiters.append(written)
        self._wake.set()
        self._hurry.set()
        await written

    def _has_room(self, now: float, user_id: int) -> bool:
        """Whether one more launch of this user that was not verified gets a row of its own in this hour."""
        if self._hour != int(now // 3600):
            self._hour = int(now // 3600)
            self._rows.clear()
        self._rows[user_id] += 1
        return self._rows[user_id] <= ROWS_AN_HOUR

    async def _work(self) -> None:
        """Write what comes, and a sign of life where nothing comes, until the process ends."""
        pause, said = PAUSE, False
        while True:
            await _within(self._wake, BEAT)
            await _within(self._hurry, pause)
            waiters, self._waiters = self._waiters, []
            try:
                closed = await self._write()
            except VaultError as error:
                if not said and (self._writing or self._gathering):
                    said = True
                    _log.warning("Launches cannot be recorded at the moment. They wait: %s", error)
                pause, closed = RETRY, self._ending
                self._wake.set()
                _tell(waiters, error)
            except RuntimeError:  # the interpreter ends and starts no thread any more; _close comes next
                closed = False
            else:
                pause, said = PAUSE, False
                _tell(waiters, None)
            if closed:
                return

    async def _write(self) -> bool:
        """Write what could not be written before, then what has gathered; return whether the mark was closed."""
        for last in (False, True) if self._writing is not None else (True,):
            if self._writing is None:
                self._writing, self._gathering = self._gathering, Group()
            closing = last and self._ending
            write = functools.partial(
                _write, self._database, self._process, self._writing, self.now(), self._keep, closing=closing
            )
            if self._ending:
                write()  # no thread can be started when the interpreter ends
            else:
                await asyncio.to_thread(write)
            self._writing = None
        return closing

    async def _close(self) -> None:
        """Write the rest, and that this process has ended as it should."""
        self._ending = True
        self._wake.set()
        self._hurry.set()
        if self._task is not None:
            await asyncio.wait([self._task])


def _write(
    database: Database, process: Process, group: Group, now: float, keep: dt.timedelta, *, closing: bool
) -> None:
    from .history import History  # noqa: PLC0415 -- SQLAlchemy is loaded at the first use, and not on the loop

    History(database).write(process, group, now, keep.total_seconds(), closing=closing)


async def _within(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, so many seconds at most, and clear it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    event.clear()


def _tell(waiters: list[asyncio.Future[None]], error: VaultError | None) -> None:
    for waiter in waiters:
        if waiter.done():
            continue
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)


_recorders: Final[dict[tuple[Database, AppKey, dt.timedelta], Recorder]] = {}


def recorder_of(database: Database, app: AppKey, keep: dt.timedelta, clock: Clock | None) -> Recorder:
    """Return what records, in this process, those launches of an app that are kept for this time."""
    recorder = _recorders.get((database, app, keep))
    if recorder is None:
        recorder = _recorders[database, app, keep] = Recorder(database, app, keep, clock)
    return recorder


async def flush(database: Database, app: AppKey) -> None:
    """Write what this process has noted of an app. Raises :class:`VaultError` when it cannot be written."""
    for (where, whose, _), recorder in list(_recorders.items()):
        if (where, whose) == (database, app):
            await recorder.flush()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_recorders.clear)
