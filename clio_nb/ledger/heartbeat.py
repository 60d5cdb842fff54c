"""The heartbeat: the leases of all runs of this process are kept alive by one task, for as long as a run needs them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import Iterator
from typing import Final
from weakref import WeakKeyDictionary

from ..database.database import Database
from ..errors import VaultError
from .ledger import Ledger

BEAT: Final = 15.0  # seconds; a lease has 90
_log: Final = logging.getLogger("clio_nb.ledger")


class _Heart:
    """Extends the leases of several owners in one database."""

    def __init__(self) -> None:
        self.owners: set[str] = set()
        self.task: asyncio.Task[None] | None = None

    async def beat(self, ledger: Ledger) -> None:
        while True:
            await asyncio.sleep(BEAT)  # by the clock of everyone, as the database has it
            try:
                await asyncio.to_thread(ledger.extend, frozenset(self.owners))
            except VaultError as error:
                _log.warning("the leases of this process could not be extended: %s", error)


_hearts: Final[WeakKeyDictionary[Database, _Heart]] = WeakKeyDictionary()


@contextlib.contextmanager
def lease_owner(ledger: Ledger) -> Iterator[str]:
    """Give a new owner of leases, which do not end while the block runs. To be used on the library's loop."""
    heart = _hearts.setdefault(ledger.database, _Heart())
    owner = secrets.token_hex(16)
    heart.owners.add(owner)
    if heart.task is None or heart.task.done():
        heart.task = asyncio.get_running_loop().create_task(heart.beat(ledger))
    try:
        yield owner
    finally:
        heart.owners.discard(owner)
        if not heart.owners and heart.task is not None:
            heart.task.cancel()
            heart.task = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_hearts.clear)
