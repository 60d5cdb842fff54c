"""The one event loop of the library: all network I/O runs on it, in a thread of its own.

Jupyter gives widget callbacks no fixed thread and no fixed loop, and an HTTP client cannot be shared between loops. So
every coroutine of the library runs here: sync verbs wait for it, async verbs await it from their own loop, and widgets
submit and are told. Nothing needs a patched asyncio.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import inspect
import math
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextvars import ContextVar, copy_context
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar, cast

import anyio
from anyio.from_thread import BlockingPortal

from .errors import InvalidInput, NetworkError
from .frames import Cut, cut, verb
from .models import Clock

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")
A = TypeVar("A")
F = TypeVar("F", bound=Callable[..., Any])
T_co = TypeVar("T_co", covariant=True)


class _Portal:
    """Starts the loop when it is first needed. A forked child has one of its own and leaves this one alone.

    The loop's thread holds this object. A child inherits the thread's frames and never unwinds them: so nothing that is
    to be found from here is ever closed or finalized in a child, neither the loop nor the connections to Clio.
    """

    def __init__(self) -> None:
        self.closers: list[Callable[[], Awaitable[None]]] = []
        self._lock = threading.Lock()
        self._portal: BlockingPortal | None = None
        self._thread: threading.Thread | None = None

    def get(self) -> BlockingPortal:
        with self._lock:
            if self._portal is None:
                ready: Future[BlockingPortal] = Future()
                self._thread = threading.Thread(target=self._run, args=(ready,), name="clio_nb", daemon=True)
                self._thread.start()
                self._portal = ready.result()
                self._portal.call(asyncio.get_running_loop).set_exception_handler(_log_cut)
                atexit.register(self.close)
            return self._portal

    def _run(self, ready: Future[BlockingPortal]) -> None:
        async def serve() -> None:
            async with BlockingPortal() as portal:
                ready.set_result(portal)
                await portal.sleep_until_stopped()

        try:
            anyio.run(serve)
        except OSError as cause:  # no file descriptor left for a loop
            ready.set_exception(cause)

    def close(self) -> None:
        """End what still runs, close what was opened, and join the thread, while the interpreter is whole."""
        if self._portal is None or self._thread is None:
            return
        while self.closers:
            self._portal.call(self.closers.pop())
        self._portal.call(self._portal.stop, True)
        self._thread.join()
        self._portal = None

    def is_here(self) -> bool:
        """Whether the caller runs on the loop already."""
        return threading.current_thread() is self._thread


_state: Final = {"portal": _Portal()}


def _after_fork() -> None:
    atexit.unregister(_state["portal"].close)
    _state["portal"] = _Portal()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def at_close(closer: Callable[[], Awaitable[None]]) -> None:
    """Have something closed on this loop before the process ends."""
    _state["portal"].closers.append(closer)


def _log_cut(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error that nobody waited for as it would have reached a person."""
    if error := context.get("exception"):
        cut(error)
    loop.default_exception_handler(context)


@verb
async def _cutting(work: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    return await work(*args, **kwargs)


def submit(work: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """Start a coroutine function on the library's loop and return at once.

    The future's callbacks run on that loop's thread; cancelling the future cancels the work.
    """
    return _state["portal"].get().start_task_soon(lambda: _cutting(work, *args, **kwargs))


@verb
def run(work: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a coroutine function on the library's loop and wait for its result.

    Ctrl-C cancels the work. Raises ``RuntimeError`` when called on that loop itself, where waiting would never end.
    """
    if _state["portal"].is_here():
        raise RuntimeError(
            "a blocking clio_nb function was called on the library's own loop; await its async twin there"
        )
    future = submit(work, *args, **kwargs)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


class Verb(Protocol[P, T_co, U]):
    """A function that waits. ``aio`` is the same function, awaited: :mod:`clio_nb.aio` gathers them."""

    aio: Callable[P, Coroutine[Any, Any, U]]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co:
        """Wait for the result."""


class HasAsync(Protocol[A]):
    """An object for notebooks, with the async one that does its work in ``aio``."""

    aio: A


def blocking(work: Callable[P, Coroutine[Any, Any, T]]) -> Verb[P, T, T]:
    """Return the function that waits for a coroutine function: same name, arguments, documentation and result."""
    return blocking_into(_same)(work)


def blocking_into(into: Callable[[U], T]) -> Callable[[Callable[P, Coroutine[Any, Any, U]]], Verb[P, T, U]]:
    """Do as :func:`blocking` does, with a result that a person works with instead of the one that is awaited."""

    def made(work: Callable[P, Coroutine[Any, Any, U]]) -> Verb[P, T, U]:
        aio = on_portal(work)

        @_described_as(work, _returned_by(into))
        def verb(*args: P.args, **kwargs: P.kwargs) -> T:
            return into(run(aio, *args, **kwargs))

        function = cast("Verb[P, T, U]", verb)
        function.aio = aio
        return function

    return made


def blocking_from(begin: Callable[P, Coroutine[Any, Any, T]]) -> Verb[P, T, T]:
    """Do as :func:`blocking` does for a function that begins its work in the thread of the caller, at the call."""
    described = _described_as(begin, begin.__annotations__["return"].removeprefix("Coroutine[Any, Any, ")[:-1])

    async def aio(*args: P.args, **kwargs: P.kwargs) -> T:
        return await begin(*args, **kwargs)

    def function(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(_rest_of, begin(*args, **kwargs))

    waiting = cast("Verb[P, T, T]", described(function))
    waiting.aio = described(aio)
    return waiting


async def _rest_of(begun: Coroutine[Any, Any, T]) -> T:
    return await begun


def waiting(verb: Callable[Concatenate[A, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[HasAsync[A], P], T]:
    """Return the sync twin of an async class's method, as a method of the class that has such an object in ``aio``."""
    return waiting_into(_same)(verb)


def waiting_into(
    into: Callable[[U], T],
) -> Callable[[Callable[Concatenate[A, P], Coroutine[Any, Any, U]]], Callable[Concatenate[HasAsync[A], P], T]]:
    """Do as :func:`waiting` does, with a result that a person works with instead of the one that is awaited."""

    def made(verb: Callable[Concatenate[A, P], Coroutine[Any, Any, U]]) -> Callable[Concatenate[HasAsync[A], P], T]:
        @_described_as(verb, _returned_by(into))
        def method(self: HasAsync[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
            return into(run(verb, self.aio, *args, **kwargs))

        method.__qualname__ = verb.__qualname__.removeprefix("Async")
        return method

    return made


def _same(result: T) -> T:
    return result


def _returned_by(into: Callable[..., Any]) -> object:
    return None if into is _same else into.__annotations__["return"]


def _described_as(work: Callable[..., Any], returns: object) -> Callable[[F], F]:
    """Let a function show the name, arguments and documentation of another one, and another result if one is given."""

    def described(bare: F) -> F:
        function = cast("F", functools.update_wrapper(verb(bare), work))
        if returns is not None:
            function.__annotations__ = {**work.__annotations__, "return": returns}
            shown = inspect.signature(work).replace(return_annotation=returns)
            function.__signature__ = shown  # type: ignore[attr-defined]  # which inspect.signature reads
        return function

    return described


def awaited(cls: type[T]) -> type[T]:
    """Give the class of an async twin the name that :mod:`clio_nb.aio` has it by, in help, errors and reprs."""
    cls.__module__, cls.__name__ = "clio_nb.aio", cls.__name__.removeprefix("Async")
    cls.__qualname__ = cls.__name__
    return cls


def on_portal(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Make a coroutine function run on the library's loop, whichever loop awaits it.

    A verb of an object that has a ``timeout`` waits no longer than that.
    """

    @functools.wraps(work)
    async def there(*args: P.args, **kwargs: P.kwargs) -> T:
        with Cut(), timeout(getattr(args[0], "timeout", None) if args else None):
            if _state["portal"].is_here():
                return await work(*args, **kwargs)
            return await asyncio.wrap_future(submit(work, *args, **kwargs))

    return there


async def _sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)


sleep: Callable[[float], Awaitable[None]] = _sleep
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
    what it starts; of nested timeouts the shorter counts, and None sets none. Nothing is sent once the time is up.
    Raises :class:`RateLimited` at once when a budget would take longer, with ``retry_after``, and :class:`NetworkError`
    when an answer did. A write whose answer did not come in time may have been made; the error says so. ::

        with clio.timeout(2):
            actions = session.list_actions()
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
        raise InvalidInput(f"timeout is a number of seconds, 0 or more, or None; got {seconds!r:.40}.", field="timeout")
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
    """Start work that no timeout of whoever starts it may cut off, since it spends something or others wait for it."""
    context = copy_context()
    context.run(_bounds.set, ())
    task = asyncio.get_running_loop().create_task(work, context=context)
    _apart.add(task)
    task.add_done_callback(_over)
    return task


def _over(task: asyncio.Task[Any]) -> None:
    _apart.discard(task)
    if not task.cancelled():
        task.exception()  # whoever still waits gets it; nobody has to


def allow_nested_asyncio() -> None:
    """Let ``asyncio.run(...)`` work inside a notebook cell, where a loop runs already.

    Nothing in this library needs it: every verb has a form that waits, and ``await`` works in cells. It patches
    asyncio for the whole process; with ``nest_asyncio`` on ipykernel 7 and later, a widget click that comes during a
    nested run can be lost, so ``nest_asyncio2`` is used where it is installed. Call it once, in the cell before the
    first nested run.

    Examples:
        >>> clio.allow_nested_asyncio()  # doctest: +SKIP
    """
    try:
        import nest_asyncio2 as nest  # noqa: PLC0415 -- patches asyncio: only when a person asks for it
    except ImportError:
        import nest_asyncio as nest  # noqa: PLC0415 -- as above
    nest.apply()
