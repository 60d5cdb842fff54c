"""The tools that print the locals of an error's frames, and one that looks further than they do."""

from __future__ import annotations

import dataclasses
import io
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

import rich.console
import rich.traceback
from IPython.core.ultratb import VerboseTB

from clio_nb.sandbox.host import Host

HERE = str(Path(__file__).parent)


def with_verbose(error: BaseException) -> str:
    """What ``%xmode Verbose`` prints."""
    return VerboseTB(theme_name="nocolor", include_vars=True).text(type(error), error, error.__traceback__)


def with_rich(error: BaseException) -> str:
    """What rich prints with ``show_locals=True``."""
    shown = rich.traceback.Traceback.from_exception(
        type(error), error, error.__traceback__, show_locals=True, locals_max_length=None, locals_max_string=None
    )
    text = io.StringIO()
    rich.console.Console(file=text, width=4000).print(shown)
    return text.getvalue()


def with_locals(error: BaseException) -> str:
    """What pytest and the standard library print with captured locals."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def with_values(error: BaseException) -> str:
    """What a crash reporter may gather: locals but the test's own, their items and attributes, hidden errors."""
    return "\n".join(text for one in errors_of(error) for text in _told(one))


def _told(error: BaseException) -> Iterator[str]:
    yield f"{error!r} {error} {getattr(error, '__notes__', ())} {vars(error)}"
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if not frame.f_code.co_filename.startswith(HERE):
            for name, value in frame.f_locals.items():
                yield from _values(name, value, 2)


def errors_of(error: BaseException) -> list[BaseException]:
    """An error and all that it is chained to, hidden or not."""
    found: list[BaseException] = []
    left = [error]
    while left:
        one = left.pop()
        if one not in found:
            found.append(one)
            group = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
            left += [other for other in (one.__cause__, one.__context__, *group) if other is not None]
    return found


def _values(name: str, value: object, depth: int) -> Iterator[str]:
    try:
        yield f"{name}={value!r}"
    except Exception as failure:  # noqa: BLE001 -- whatever a repr raises while its object is half made
        yield f"{name} cannot be shown: {failure!r}"
    if depth == 0 or isinstance(value, str | bytes | int | float | type | Host):  # a sandbox shows its secrets to all
        return
    inside: Mapping[object, object] = {}
    if isinstance(value, dict):
        inside = dict(value)
    elif isinstance(value, list | tuple | set | frozenset):
        inside = dict(enumerate(value))
    elif dataclasses.is_dataclass(value):
        inside = {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    elif hasattr(value, "__dict__"):
        inside = dict(vars(value))
    for key, item in list(inside.items())[:50]:
        yield from _values(f"{name}.{key}", item, depth - 1)


READERS = (with_verbose, with_rich, with_locals, with_values)
