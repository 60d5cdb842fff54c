"""An answer that is not quite what Clio documents: what is certain is taken, what is not is named with its path.

Only an answer that cannot be read as it is comes here, so the others cost nothing more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, get_args, get_origin

import msgspec

from ..models import whole_letters


class Uncertain(Exception):
    """A value that is not what it has to be, and that nothing can stand in for. The message is its path."""


@dataclass(slots=True)
class Taken:
    """What is certain of an answer. ``ignored`` has the paths of values, ``left_out`` of rows, that are not in it."""

    data: Any = None
    next: str | None = None
    ignored: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def take(body: bytes, shape: Any) -> Taken | None:
    """Take what is certain of an answer whose ``data`` is to be of a type. None if it is no answer of Clio's API.

    A number as text is a number. A value of another type counts as missing where it may be missing, and a row that
    lacks what it must have is left out. Raises :class:`Uncertain` where there is no row to leave out.
    """
    taken = Taken()
    try:  # not msgspec: half a letter, or a number out of range, would hide all the rest from it
        answer = json.loads(body.decode("utf-8-sig", errors="surrogateescape"))
        if not isinstance(answer, dict) or "data" not in answer:
            return None
        data = _whole_letters(answer["data"], "data", taken)
    except (ValueError, RecursionError):
        return None
    taken.data = _taken(data, shape, "data", taken)
    try:
        taken.next = _next(answer)
    except Uncertain as where:  # there may be more rows
        taken.left_out.append(str(where))
    taken.ignored = list(dict.fromkeys(taken.ignored))
    return taken


def _whole_letters(value: Any, path: str, taken: Taken) -> Any:
    """Return a value whose texts can be shown and sent: half an emoji and what is no UTF-8 become a placeholder."""
    if isinstance(value, list):
        return [_whole_letters(each, f"{path}[{number}]", taken) for number, each in enumerate(value)]
    if isinstance(value, dict):
        named = ((_whole_letters(name, path, taken), each) for name, each in value.items())
        return {name: _whole_letters(each, f"{path}.{name}", taken) for name, each in named}
    if not isinstance(value, str):
        return value
    whole = whole_letters(value)
    if whole != value:
        taken.ignored.append(path)
    return whole


def _taken(value: Any, shape: Any, path: str, taken: Taken) -> Any:
    if shape is NoneType:  # that it was done is all that is asked
        return None
    if get_origin(shape) is list:
        return list(_rows(value, get_args(shape)[0], path, taken))
    kinds = get_args(shape) or (shape,)
    record = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, msgspec.Struct)), None)
    if record is not None and isinstance(value, dict):
        return record(**dict(_fields(value, record, path, taken)))
    if str in kinds and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    try:
        return msgspec.convert(value, shape, strict=False)
    except msgspec.ValidationError:
        raise Uncertain(path) from None


def _rows(rows: Any, shape: Any, path: str, taken: Taken) -> Iterator[Any]:
    if not isinstance(rows, list):
        raise Uncertain(path)
    for number, row in enumerate(rows):
        try:
            yield _taken(row, shape, f"{path}[{number}]", taken)
        except Uncertain as where:
            taken.left_out.append(str(where))


def _fields(row: dict[str, Any], record: Any, path: str, taken: Taken) -> Iterator[tuple[str, Any]]:
    for each in msgspec.structs.fields(record):
        if each.encode_name not in row and not each.required:
            continue
        where = f"{path}.{each.encode_name}"
        try:
            yield each.name, _taken(row.get(each.encode_name), each.type, where, taken)
        except Uncertain:
            if each.required:
                raise
            taken.ignored.append(where)


def _next(answer: dict[str, Any]) -> str | None:
    """Return the address of the next page, or None where the answer says that there is none."""
    value: Any = answer
    path = ""
    for name in ("meta", "paging", "next"):
        value, path = value.get(name), f"{path}.{name}".lstrip(".")
        if not value:
            return None
        if not isinstance(value, str if name == "next" else dict):
            raise Uncertain(path)
    return str(value)
