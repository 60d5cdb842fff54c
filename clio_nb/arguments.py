"""Checks the first argument of the verbs, a session or a site; an error says what to pass instead."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar, cast

from . import tracebacks
from .errors import InvalidInput

P = ParamSpec("P")
T = TypeVar("T")

_OF_A_SITE = ("origin", "client_id", "client_secret", "control_url")


def on_session(method: Callable[P, T], kind: type) -> Callable[P, T]:
    """Return a method of a session as a function, whose first argument is called ``session`` and is checked."""

    def verb(*args: Any, **kwargs: Any) -> Any:
        session, rest = (args[0], args[1:]) if args else (kwargs.pop("session", None), ())
        return method(session_of_kind(session, kind, method.__name__), *rest, **kwargs)

    async def awaited(*args: Any, **kwargs: Any) -> Any:
        return await verb(*args, **kwargs)

    bare: Any = awaited if inspect.iscoroutinefunction(method) else verb
    function: Any = functools.update_wrapper(tracebacks.verb(bare), method)
    signature = inspect.signature(method)
    _, *others = signature.parameters.values()
    first = inspect.Parameter("session", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=kind)
    function.__signature__ = signature.replace(parameters=[first, *others])
    function.__annotations__ = {"session": kind, **method.__annotations__}
    function.__qualname__ = method.__name__
    return cast("Callable[P, T]", function)


def session_of_kind(value: Any, kind: type[T], verb: str) -> T:
    """Return a session, or raise :class:`InvalidInput` that says what ``verb`` must be given instead of the value."""
    if isinstance(value, kind):
        return value
    said, advice = f"a {type(value).__name__}", "Pass the session that login(site) returns."
    if value is None:
        said = "None"
        if verb.startswith("forms."):
            advice = "Pass the sign-in form itself: it may be used before anybody has signed in."
    elif isinstance(value, type):
        said = f"the class {value.__name__} itself"
    elif isinstance(getattr(value, "aio", None), kind):
        advice = f"Pass session.aio, or call clio_nb.{verb}."
    elif type(value).__name__ == kind.__name__:
        said, advice = "an awaitable session", f"Await clio_nb.aio.{verb} instead, or pass a clio_nb.Session."
    elif hasattr(value, "session_of"):
        advice = "For one user of a firm pass firm.session_of(user_id); firm.actions() is the table of all."
    elif hasattr(value, "submit"):
        advice = "Sign in with the form first, then pass its value."
    raise InvalidInput(f"{verb}() needs a session, not {said}. {advice}", field="session")


def sessions_of_kind(value: T | Iterable[T], kind: type[T], verb: str) -> list[T]:
    """Return one session or several as a list, or raise as :func:`session_of_kind` does."""
    several = value if isinstance(value, Iterable) and not isinstance(value, str | type) else [value]
    return [session_of_kind(each, kind, verb) for each in several]


def is_site(value: object) -> bool:
    """Whether something is what ``connect`` or ``sandbox`` returns."""
    return not isinstance(value, type) and all(
        hasattr(type(value), name) or hasattr(value, name) for name in _OF_A_SITE
    )


def a_site(value: T) -> T:
    """Return a site, or raise :class:`InvalidInput` that says what is one."""
    if not is_site(value):
        said = f"the class {value.__name__} itself" if isinstance(value, type) else f"a {type(value).__name__}"
        raise InvalidInput(
            f"Expected a site, got {said}. Pass what clio.connect(...) or clio.sandbox() returns.", field="site"
        )
    return value
