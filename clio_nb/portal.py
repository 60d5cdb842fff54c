"""The one event loop of the library: all network I/O runs on it, in a thread of its own.

Jupyter gives widget callbacks no fixed thread and no fixed loop, and an HTTP client cannot be shared between loops. So
every coroutine of the library runs here: sync verbs wait for it, async verbs await it from their own loop, and widgets
submit and are told. Nothing needs a patched asyncio.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import inspect
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar, cast

from anyio.from_thread import BlockingPortal, start_blocking_portal

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")
A = TypeVar("A")
F = TypeVar("F", bound=Callable[..., Any])
T_co = TypeVar("T_co", covariant=True)


class _Portal:
    """Starts the loop when it is first needed, and again in a forked child, which inherits no threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: AbstractContextManager[BlockingPortal] | None = None
        self._portal: BlockingPortal | None = None
        self._thread: int | None = None

    def get(self) -> BlockingPortal:
        with self._lock:
            if self._portal is None:
                self._holder = start_blocking_portal("asyncio", name="clio_nb")
                portal = self._holder.__enter__()
                self._thread = portal.call(threading.get_ident)
                self._portal = portal
                atexit.register(self._close)
            return self._portal

    def _close(self) -> None:
        """End what still runs, close what was opened, and join the thread, while the interpreter is whole."""
        if self._portal is None or self._holder is None:
            return
        while _closers:
            self._portal.call(_closers.pop())
        self._portal.call(self._portal.stop, True)
        self._holder.__exit__(None, None, None)
        self._portal = None

    def is_here(self) -> bool:
        """Whether the caller runs on the loop already."""
        return threading.get_ident() == self._thread


_state: Final = {"portal": _Portal()}
_inherited: Final[list[_Portal]] = []
_closers: Final[list[Callable[[], Awaitable[None]]]] = []


def _after_fork() -> None:
    """Forget the parent's portal, and keep it: collecting it would wait for a thread that this process has not."""
    _inherited.append(_state["portal"])
    _closers.clear()
    _state["portal"] = _Portal()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def at_close(closer: Callable[[], Awaitable[None]]) -> None:
    """Have something closed on this loop before the process ends."""
    _closers.append(closer)


def submit(work: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """Start a coroutine function on the library's loop and return at once.

    The future's callbacks run on that loop's thread; cancelling the future cancels the work.
    """
    return _state["portal"].get().start_task_soon(functools.partial(work, *args, **kwargs))


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

        @_described_as(work, into)
        def verb(*args: P.args, **kwargs: P.kwargs) -> T:
            return into(run(aio, *args, **kwargs))

        function = cast("Verb[P, T, U]", verb)
        function.aio = aio
        return function

    return made


def waiting(verb: Callable[Concatenate[A, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[HasAsync[A], P], T]:
    """Return the sync twin of an async class's method, as a method of the class that has such an object in ``aio``."""
    return waiting_into(_same)(verb)


def waiting_into(
    into: Callable[[U], T],
) -> Callable[[Callable[Concatenate[A, P], Coroutine[Any, Any, U]]], Callable[Concatenate[HasAsync[A], P], T]]:
    """Do as :func:`waiting` does, with a result that a person works with instead of the one that is awaited."""

    def made(verb: Callable[Concatenate[A, P], Coroutine[Any, Any, U]]) -> Callable[Concatenate[HasAsync[A], P], T]:
        @_described_as(verb, into)
        def method(self: HasAsync[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
            return into(run(verb, self.aio, *args, **kwargs))

        method.__qualname__ = verb.__qualname__.removeprefix("Async")
        return method

    return made


def _same(result: T) -> T:
    return result


def _described_as(work: Callable[..., Any], into: Callable[..., Any]) -> Callable[[F], F]:
    """Let a function show the name, arguments and documentation of another one, and the result of ``into``."""

    def described(function: F) -> F:
        functools.update_wrapper(function, work)
        if into is not _same:
            function.__annotations__ = {**work.__annotations__, "return": into.__annotations__["return"]}
            shown = inspect.signature(work).replace(return_annotation=into.__annotations__["return"])
            function.__signature__ = shown  # type: ignore[attr-defined]  # which inspect.signature reads
        return function

    return described


def awaited(cls: type[T]) -> type[T]:
    """Give the class of an async twin the name that :mod:`clio_nb.aio` has it by, in help, errors and reprs."""
    cls.__module__, cls.__name__ = "clio_nb.aio", cls.__name__.removeprefix("Async")
    cls.__qualname__ = cls.__name__
    return cls


def on_portal(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Make a coroutine function run on the library's loop, whichever loop awaits it."""

    @functools.wraps(work)
    async def there(*args: P.args, **kwargs: P.kwargs) -> T:
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
