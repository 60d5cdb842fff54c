"""How long anything may wait: the library's clock and its only wait, and the timeouts that bound them."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextvars import ContextVar, copy_context
from typing import Any, Final, TypeVar

from ..errors import InvalidInput, NetworkError
from ..models import Clock

T = TypeVar("T")


sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
"""The library's only wait. Tests replace it to move a virtual clock instead."""

now: Callable[[], float] = time.monotonic
"""The library's stopwatch, in seconds, beside :data:`sleep`."""


class _Bound:
    """The end of one timeout, by :data:`now`."""

    def __init__(self, seconds: float) -> None:
        self.ends_at = now() + seconds


_bounds: Final[ContextVar[tuple[_Bound, ...]]] = ContextVar("clio_nb.timeout", default=())
_apart: Final[set[asyncio.Task[Any]]] = set()


@contextlib.contextmanager
def timeout(seconds: float | None) -> Iterator[None]:
    """Let the library wait no longer than so many seconds inside a ``with`` block, all its verbs there together.

    That covers waiting for answers, for a user's budget of requests, and between retries, in this thread or task and in
    what it starts; of nested timeouts the shorter counts. Nothing is sent once the time is up. A write whose answer did
    not come in time may have been made; the error says so.

    Args:
        seconds: How long, 0 or more; None sets no timeout.

    Raises:
        errors.InvalidInput: ``seconds`` is no such number.
        errors.RateLimited: A budget would take longer, with ``retry_after``. Raised at once.
        errors.NetworkError: An answer took longer.

    Examples:
        >>> with clio.timeout(2):
        ...     actions = session.list_actions()
    """
    kept = _bounds.get()
    added = () if checked_timeout(seconds) is None else (_Bound(seconds or 0.0),)
    reset = _bounds.set(kept + added)
    try:
        yield
    finally:
        _bounds.reset(reset)


def checked_timeout(seconds: float | None) -> float | None:
    """Return a timeout as it is. Raises :class:`InvalidInput` for anything but None or a number of seconds from 0."""
    if seconds is not None and not (isinstance(seconds, int | float) and seconds >= 0):
        raise InvalidInput(
            f"timeout must be a number of seconds (0 or more) or None, not {seconds!r:.40}.", field="timeout"
        )
    return seconds


def left() -> float:
    """Return how many seconds the timeouts around this leave; infinity when there is none."""
    return min((bound.ends_at for bound in _bounds.get()), default=math.inf) - now()


async def rest(seconds: float, clock: Clock | None, until: float = 0.0) -> None:
    """Wait for so many seconds; where a clock stands still, move it to the moment that is waited for instead."""
    if clock is None:
        await sleep(seconds)
        return
    moved = clock.move_to(until)
    for bound in _bounds.get():
        bound.ends_at -= moved  # it would have taken that long


async def within(work: Awaitable[T], what: str) -> T:
    """Await something for as long as the timeouts allow. Raises :class:`NetworkError` when it takes longer."""
    seconds = left()
    try:
        return await asyncio.wait_for(work, None if seconds == math.inf else seconds)
    except TimeoutError:
        raise NetworkError(f"{what} took longer than the timeout allows. Try again later.", nothing_sent=True) from None


def apart(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start work that the caller's timeout must not cut off, since it spends something or others wait for it."""
    context = copy_context()
    context.run(_bounds.set, ())
    task = asyncio.get_running_loop().create_task(work, context=context)
    _apart.add(task)
    task.add_done_callback(_over)
    return task


def _over(task: asyncio.Task[Any]) -> None:
    _apart.discard(task)
    if not task.cancelled():
        task.exception()  # seen, so that asyncio does not log it when nobody waits any more
