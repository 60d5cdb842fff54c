"""The one event loop of the library: all network I/O runs on it, in a thread of its own.

Jupyter gives widget callbacks no fixed thread and no fixed loop, and an HTTP client cannot be shared between loops. So
every coroutine of the library runs here: sync verbs wait for it, async verbs await it from their own loop, and widgets
submit and are told. Nothing needs a patched asyncio.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, ParamSpec, TypeVar

import anyio
from anyio.from_thread import BlockingPortal

from ..tracebacks import cut, verb

P = ParamSpec("P")
T = TypeVar("T")


class _Loop:
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
            asyncio.get_running_loop().shutdown_default_executor = _ended  # type: ignore[method-assign]  # see there
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


async def _ended(timeout: float | None = None) -> None:  # noqa: ASYNC109 -- asyncio's own argument
    """End the loop's executor: its threads are joined already, before what is registered to run at exit.

    asyncio's own would start a thread to wait for them, which Python 3.12 refuses at exit with a traceback.
    """


_state: Final = {"loop": _Loop()}


def _after_fork() -> None:
    atexit.unregister(_state["loop"].close)
    _state["loop"] = _Loop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def at_close(closer: Callable[[], Awaitable[None]]) -> None:
    """Have something closed on this loop before the process ends."""
    _state["loop"].closers.append(closer)


def _log_cut(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error that nobody waited for as it would have reached a person."""
    if error := context.get("exception"):
        cut(error)
    loop.default_exception_handler(context)


@verb
async def _cutting(work: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    return await work(*args, **kwargs)


def submit(work: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """Start a coroutine function on the library's loop, from any thread, and return at once.

    The future's callbacks run on that loop's thread; cancelling the future cancels the work.
    """
    if is_here():
        return asyncio.run_coroutine_threadsafe(_cutting(work, *args, **kwargs), asyncio.get_running_loop())
    return _state["loop"].get().start_task_soon(lambda: _cutting(work, *args, **kwargs))


@verb
def run(work: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a coroutine function on the library's loop and wait for its result.

    Ctrl-C cancels the work. Raises ``RuntimeError`` when called on that loop itself, where waiting would never end.
    """
    if _state["loop"].is_here():
        raise RuntimeError(
            "a blocking clio_nb function was called on the library's own loop; await its async twin there"
        )
    future = submit(work, *args, **kwargs)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def is_here() -> bool:
    """Whether the caller runs on the library's loop already."""
    return _state["loop"].is_here()


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
