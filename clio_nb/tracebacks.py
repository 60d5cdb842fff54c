"""Cut the library's frames from an error that reaches a person: tools that print local variables print what they hold.

Secrets lie in the locals of an HTTP client or a database driver at work, and IPython's verbose tracebacks, rich, pytest
and crash reporters show them. The person's own frames stay, and ``CLIO_NB_TRACEBACK=1`` keeps all of them.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C", bound=type)

VARIABLE: Final = "CLIO_NB_TRACEBACK"
_WARNING: Final = f"{VARIABLE} is set: the local variables of this traceback may hold secrets. Do not pass it on."
_LIBRARIES: Final = (*(file.rpartition(os.sep)[0] + os.sep for file in (os.__file__, __file__)), "<")


class Cut:
    """A block whose errors leave it without the library's frames, its own among them."""

    __slots__ = ("_outside",)

    def __enter__(self) -> None:
        self._outside = sys.exception()  # what the person handles at the moment is not ours to change

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            cut(error, self._outside)


def cut(error: BaseException, outside: BaseException | None = None) -> None:
    """Cut the library's frames from an error and from all that it is chained to, up to ``outside``."""
    if os.environ.get(VARIABLE) == "1":
        if _WARNING not in getattr(error, "__notes__", ()):
            error.add_note(_WARNING)
        return
    left, done = [error], {id(outside)}
    while left:
        one = left.pop()
        done.add(id(one))
        one.__traceback__ = _of_the_person(one.__traceback__)
        if one.__suppress_context__:  # "from None" hides it only: it still holds requests and statements
            one.__context__ = None
        group = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        left += [
            other for other in (one.__cause__, one.__context__, *group) if other is not None and id(other) not in done
        ]


def verb(work: Callable[P, T]) -> Callable[P, T]:
    """Make a function of the face raise without the library's frames; also a coroutine or generator function."""

    @functools.wraps(work)
    def plain(*args: P.args, **kwargs: P.kwargs) -> T:
        with Cut():
            return work(*args, **kwargs)

    @functools.wraps(work)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        with Cut():
            return await work(*args, **kwargs)  # type: ignore[misc]  # a coroutine function, as seen below

    @functools.wraps(work)
    def lazy(*args: Any, **kwargs: Any) -> Any:
        with Cut():
            yield from work(*args, **kwargs)  # type: ignore[misc]  # a generator function, as seen below

    kinds: Any = {inspect.iscoroutinefunction: awaited, inspect.isgeneratorfunction: lazy}
    return next((wrapper for is_kind, wrapper in kinds.items() if is_kind(work)), plain)


def verbs(cls: C) -> C:
    """Make everything public of a class a :func:`verb`: how it is built, and its methods."""
    for name, value in list(vars(cls).items()):
        if name.startswith("_") and name not in ("__init__", "__exit__"):
            continue
        if isinstance(value, classmethod):
            setattr(cls, name, classmethod(verb(value.__func__)))
        elif inspect.isfunction(value):
            setattr(cls, name, verb(value))
    return cls


def _of_the_person(traceback: TracebackType | None) -> TracebackType | None:
    kept = []
    while traceback is not None:
        if not _is_library(traceback.tb_frame):
            kept.append(traceback)
        traceback = traceback.tb_next
    for entry, following in zip(kept, [*kept[1:], None], strict=False):
        entry.tb_next = following
    return kept[0] if kept else None


def _is_library(frame: FrameType) -> bool:
    """Whether a frame is of this library, of one installed beside it or of Python, and not of a person's code."""
    names = frame.f_globals
    file = names.get("__file__") or ("" if names.get("__name__") == "__main__" else frame.f_code.co_filename)
    return file.startswith(_LIBRARIES) or "-packages" + os.sep in file
