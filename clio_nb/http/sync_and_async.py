"""The two forms of every verb: awaited from any loop, or waited for. Both do their work on the library's one loop."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from ..tracebacks import Cut, verb
from .loop import is_here, run, submit
from .timeouts import timeout

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")
A = TypeVar("A")
F = TypeVar("F", bound=Callable[..., Any])
T_co = TypeVar("T_co", covariant=True)


class Verb(Protocol[P, T_co, U]):
    """A function that waits. ``aio`` is the same function, awaited: :mod:`clio_nb.aio` gathers them."""

    aio: Callable[P, Coroutine[Any, Any, U]]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co:
        """Wait for the result."""


class HasAsync(Protocol[A]):
    """An object for notebooks, with the async one that does its work in ``aio``."""

    aio: A


def sync_function(work: Callable[P, Coroutine[Any, Any, T]]) -> Verb[P, T, T]:
    """Return the function that waits for a coroutine function: same name, arguments, documentation and result."""
    return sync_function_into(_same)(work)


def sync_function_into(into: Callable[[U], T]) -> Callable[[Callable[P, Coroutine[Any, Any, U]]], Verb[P, T, U]]:
    """Do as :func:`sync_function` does, with a result that a person works with instead of the one that is awaited."""

    def made(work: Callable[P, Coroutine[Any, Any, U]]) -> Verb[P, T, U]:
        aio = on_loop(work)

        @_described_as(work, _returned_by(into))
        def verb(*args: P.args, **kwargs: P.kwargs) -> T:
            return into(run(aio, *args, **kwargs))

        function = cast("Verb[P, T, U]", verb)
        function.aio = aio
        return function

    return made


def sync_function_from(begin: Callable[P, Coroutine[Any, Any, T]]) -> Verb[P, T, T]:
    """Do as :func:`sync_function` does for a function that begins its work at the call, in the caller's thread.

    The form that is awaited is therefore no coroutine function: it begins, and returns what is left as a coroutine.
    """
    described = _described_as(begin, begin.__annotations__["return"].removeprefix("Coroutine[Any, Any, ")[:-1])

    def waits(*args: P.args, **kwargs: P.kwargs) -> T:
        begun = begin(*args, **kwargs)
        try:
            return run(_rest_of, begun)
        finally:
            if inspect.getcoroutinestate(begun) == inspect.CORO_CREATED:  # the loop has refused it
                begun.close()

    function = cast("Verb[P, T, T]", described(waits))
    function.aio = described(begin)
    return function


async def _rest_of(begun: Coroutine[Any, Any, T]) -> T:
    return await begun


def sync_method(
    verb: Callable[Concatenate[A, P], Coroutine[Any, Any, T]], *, run: Callable[..., Any] = run
) -> Callable[Concatenate[HasAsync[A], P], T]:
    """Return the sync twin of an async class's method, as a method of the class that has such an object in ``aio``."""
    return sync_method_into(_same, run=run)(verb)


def sync_method_into(
    into: Callable[[U], T], *, run: Callable[..., Any] = run
) -> Callable[[Callable[Concatenate[A, P], Coroutine[Any, Any, U]]], Callable[Concatenate[HasAsync[A], P], T]]:
    """Do as :func:`sync_method` does, with a result that a person works with instead of the one that is awaited.

    ``run`` waits for the awaited form, which it is handed with its arguments.
    """

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


def on_loop(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Make a coroutine function run on the library's loop, whichever loop awaits it.

    A verb of an object that has a ``timeout`` waits no longer than that.
    """

    @functools.wraps(work)
    async def there(*args: P.args, **kwargs: P.kwargs) -> T:
        with Cut(), timeout(getattr(args[0], "timeout", None) if args else None):
            if is_here():
                return await work(*args, **kwargs)
            return await asyncio.wrap_future(submit(work, *args, **kwargs))

    return there
