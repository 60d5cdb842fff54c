"""The ``fields`` parameter: parsed with one level of braces, checked against the catalogue, and applied to a row."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ..http.answers import Refusal
from ..world.rows import Data
from .catalogue import PERMISSION_OF, Nested, objects

# possessive throughout: no text, however long, makes it go back
_ITEM: Final = re.compile(r"\s*+([A-Za-z_][A-Za-z0-9_]*+)\s*+(?:\{([^{}]*+)\}\s*+)?(,|\Z)")
_NESTED_DEFAULT: Final = ("id", "etag")


class Field(NamedTuple):
    """One field to return; ``subfields`` is None for a plain value, else what to return of the nested object."""

    name: str
    subfields: tuple[Field, ...] | None
    permission: str | None


Selection = tuple[Field, ...]


@functools.lru_cache(maxsize=1024)
def parse(owner: str, text: str) -> Selection:
    """Return the fields that ``fields=text`` selects of an object; raise 400 InvalidFields for anything unknown."""
    selection, position = [], 0
    while True:
        item = _ITEM.match(text, position)
        if item is None:
            raise _invalid(text[position:])
        selection.append(_field(owner, item[1], item[2]))
        position = item.end()
        if item[3] == "":
            return tuple(selection)


def default(owner: str, chosen: Mapping[str, tuple[str, ...]]) -> Selection:
    """Return the fields of an object when the request names none."""
    return parse(owner, ",".join(chosen.get(owner, ("id", "etag"))))


def pick(data: Data, selection: Selection, permissions: frozenset[str]) -> Data:
    """Return the selected fields of a row; objects the app may not read come back as ``{"id", "redacted": true}``."""
    picked: Data = {}
    for name, subfields, permission in selection:
        value = data.get(name)
        if subfields is not None:
            value = _nested(value, subfields, permission, permissions)
        picked[name] = value
    return picked


def _nested(value: Any, subfields: Selection, permission: str | None, permissions: frozenset[str]) -> Any:
    if value is None:
        return None
    if isinstance(value, list):
        return [_nested(each, subfields, permission, permissions) for each in value]
    if permission and permission not in permissions:
        return _redacted(value)
    return pick(value, subfields, permissions)


def _redacted(data: Data) -> Data:
    shown = {"id": data["id"], "redacted": True}
    if "display_number" in data:
        shown["display_number"] = data["display_number"]
    return shown


def _field(owner: str, name: str, inner: str | None) -> Field:
    kind = objects()[owner].get(name)
    if not isinstance(kind, Nested):
        if kind is None or inner is not None:
            raise _invalid(name if inner is None else f"{name}{{{inner}}}")
        return Field(name, None, None)
    wanted = _NESTED_DEFAULT if inner is None else tuple(part.strip() for part in inner.split(","))
    return Field(name, tuple(_subfield(name, kind.object, part) for part in wanted), PERMISSION_OF.get(kind.object))


def _subfield(outer: str, owner: str, name: str) -> Field:
    kind = objects()[owner].get(name)
    if kind is None and name not in _NESTED_DEFAULT:
        raise _invalid(f"{outer}{{{name}}}")
    if isinstance(kind, Nested):  # a second level cannot be selected: it gives its default fields
        defaults = tuple(Field(part, None, None) for part in _NESTED_DEFAULT)
        return Field(name, defaults, PERMISSION_OF.get(kind.object))
    return Field(name, None, None)


def _invalid(name: str) -> Refusal:
    # Clio's own words: https://developers.support.clio.com, article 1260801745250.
    return Refusal(400, "InvalidFields", f"{name[:200]} is not a valid field")
