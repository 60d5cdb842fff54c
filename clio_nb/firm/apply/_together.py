"""Do at once what many tasks ask of the database, and try again while it is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic, ParamSpec, TypeVar

from ...errors import VaultError
from ...http import timeouts

P = ParamSpec("P")
Q = TypeVar("Q")
A = TypeVar("A")

AWAY: Final = 30.0
"""Seconds for which a database may be away. Nothing is lost meanwhile: what was not noted was not sent."""

PAUSE: Final = 0.5


class Together(Generic[Q, A]):
    """Collects what tasks ask for in one turn of the loop, or while the database is busy, for one transaction.

    They are answered in the order in which they asked. After a failure everyone who asks gets it: nothing overtakes
    what could not be written.
    """

    def __init__(self, work: Callable[[Sequence[Q]], Sequence[A]]) -> None:
        self._work = work
        self._asked: list[Q] = []
        self._last: asyncio.Task[Sequence[A]] | None = None

    def note(self, asked: Q) -> None:
        """Have something done soon. :meth:`finished` says whether it was."""
        self._add(asked)

    async def ask(self, asked: Q) -> A:
        """Have something done, and wait for the answer."""
        done, at = self._add(asked)
        return (await asyncio.shield(done))[at]

    async def finished(self) -> None:
        """Wait until all is done. Raises :class:`VaultError` when something could not be."""
        if self._last is not None:
            await asyncio.shield(self._last)

    def _add(self, asked: Q) -> tuple[asyncio.Task[Sequence[A]], int]:
        if self._last is None or not self._asked:
            self._last = asyncio.create_task(self._done(self._last))
            self._last.add_done_callback(_seen)
        self._asked.append(asked)
        return self._last, len(self._asked) - 1

    async def _done(self, before: asyncio.Task[Sequence[A]] | None) -> Sequence[A]:
        if before is not None:
            await before
        asked, self._asked = self._asked, []
        return await patiently(self._work, asked)


def _seen(done: asyncio.Task[Any]) -> None:
    """Keep asyncio from logging an error that nobody waited for: whoever asks next gets it."""
    if not done.cancelled():
        done.exception()


async def patiently(work: Callable[P, A], *args: P.args, **kwargs: P.kwargs) -> A:
    """Do something with the database in a thread, again and again for as long as it may be away."""
    return await while_away(lambda: asyncio.to_thread(work, *args, **kwargs))


async def while_away(work: Callable[[], Awaitable[A]], may_repeat: Callable[[], bool] = lambda: True) -> A:
    """Do something again and again while the database is away, for so long and only while that may be."""
    until = timeouts.now() + min(AWAY, timeouts.left())
    while True:
        try:
            return await work()
        except VaultError:
            if timeouts.now() >= until or not may_repeat():
                raise
        await timeouts.sleep(PAUSE)
