"""The functions by which an app is asked and told. What goes wrong in one of them is logged, and ends nothing here."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from ..errors import LoginError, NetworkError
from ..http import timeouts

Hook: TypeAlias = Callable[..., object]
"""A plain function, or one that is awaited."""

_log: Final = logging.getLogger("clio_nb.onboarding")


class HookFailed(LoginError):
    """A function of the app raised an error, or took too long."""


class Hooks:
    """The functions of an app, by name; one that is None is not there."""

    def __init__(self, **functions: Hook | None) -> None:
        self._functions = functions

    async def ask(self, name: str, *said: object, otherwise: object = None) -> Any:
        """Return what a function answers, or ``otherwise`` where there is none. Raises :class:`HookFailed`."""
        function = self._functions[name]
        if function is None:
            return otherwise
        work = asyncio.gather(_called(function, said), return_exceptions=True)
        try:
            (answer,) = await timeouts.within(work, name)
        except NetworkError:
            answer = TimeoutError("no answer within the timeout")
        if isinstance(answer, Exception):
            _log.error("%s of the app failed", name, exc_info=answer)
            raise HookFailed(f"{name} of this app failed ({type(answer).__name__}). Look into its log.")
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def tell(self, name: str, *said: object) -> None:
        """Tell a function what has happened."""
        try:
            await self.ask(name, *said)
        except HookFailed:
            return  # it is in the log, and what has happened stays so


async def _called(function: Hook, said: tuple[object, ...]) -> object:
    """Call a function, off the loop unless it is to be awaited."""
    if inspect.iscoroutinefunction(function):
        return await function(*said)
    answer = await asyncio.to_thread(function, *said)
    return await answer if inspect.isawaitable(answer) else answer
