"""The ``fields`` parameter: parsed with one level of braces, checked against the catalogue, and applied to a row."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ..firm.rows import Data
from ..http.answers import Refusal
from .catalogue import PERMISSION_OF, FieldType, Nested, objects

# possessive throughout: no text, however long, makes it go back
_ITEM: Final = re.compile(r"\s*+([A-Za-z_][A-Za-z0-9_]*+)\s*+(?:\{([^{}]*+)\}\s*+)?(,|\Z)")
_NESTED_DEFAULT: Final = ("id", "etag")


class Field(NamedTuple):
    """One field to return; ``subfields`` is None for a plain value, else what to return of the nested object.

    What is not set is null, but where Clio declares an array it is an empty one (``is_array``).
    """

    name: str
    subfields: tuple[Field, ...] | None
    permission: str | None
    is_array: bool = False


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
    for name, subfields, permission, is_array in selection:
        value = data.get(name)
        if value is None:
            value = [] if is_array else None
        elif subfields is not None:
            value = _nested(value, subfields, permission, permissions)
        picked[name] = value
    return picked


def _nested(value: Any, subfields: Selection, permission: str | None, permissions: frozenset[str]) -> Any:
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
        return Field(name, None, None, _is_array(kind))
    wanted = _NESTED_DEFAULT if inner is None else tuple(part.strip() for part in inner.split(","))
    subfields = tuple(_subfield(name, kind.object, part) for part in wanted)
    return Field(name, subfields, PERMISSION_OF.get(kind.object), _is_array(kind))


def _subfield(outer: str, owner: str, name: str) -> Field:
    kind = objects()[owner].get(name)
    if kind is None and name not in _NESTED_DEFAULT:
        raise _invalid(f"{outer}{{{name}}}")
    if isinstance(kind, Nested):  # a second level cannot be selected: it gives its default fields
        defaults = tuple(Field(part, None, None) for part in _NESTED_DEFAULT)
        return Field(name, defaults, PERMISSION_OF.get(kind.object), _is_array(kind))
    return Field(name, None, None, kind is not None and _is_array(kind))


def _is_array(kind: FieldType) -> bool:
    return kind.many if isinstance(kind, Nested) else isinstance(kind, str) and kind.endswith("[]")


def _invalid(name: str) -> Refusal:
    # Clio's own words: https://developers.support.clio.com, article 1260801745250.
    return Refusal(400, "InvalidFields", f"{name[:200]} is not a valid field")
