"""How a run holds users: by leases in the ledger, with a note before each write and its outcome after it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from ...errors import RunInProgress
from ...http import timeouts
from ...http.client import fence
from ...ledger import Ledger
from ...ledger.leases import LEASE, kept_alive
from ...ledger.records import (
    ActionFields,
    Change,
    Ended,
    Intent,
    NewRun,
    Outcome,
    Owned,
    Release,
    Take,
    UserRecord,
)
from ...models import CustomAction
from ...vault.store import AppKey
from ..item import Item
from ._together import Together, patiently

POLL: Final = 0.5
BUSY: Final = "Another run is changing this user at the moment. Wait until it has ended, then try again."
TAKEN_OVER: Final = "Another run took this user over, because this one did not answer for too long."


class Fence:
    """Asked before each write of one item: the ledger notes it, if the user is still held by this run for long enough.

    ``passed`` says that something may have been sent.
    """

    def __init__(self, ask: Callable[[], Awaitable[bool]]) -> None:
        self._ask = ask
        self.passed = False

    async def __call__(self) -> None:
        """Let one request pass, or raise :class:`RunInProgress`."""
        if not await self._ask():
            raise RunInProgress(TAKEN_OVER)
        self.passed = True
