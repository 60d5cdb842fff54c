"""What Clio declares: the fields of each object and the filters of each list, read once from ``catalogue.toml``."""

from __future__ import annotations

import functools
import tomllib
from importlib.resources import files
from typing import Final

import msgspec

from ...vocabulary import Location


class Nested(msgspec.Struct, frozen=True):
    """A field that holds another object, or a list of them."""

    object: str
    many: bool


FieldType = str | tuple[str, ...] | Nested
"""A type name (``"string"``, ``"int64"``, ``"date-time"`` ...), the values of an enum, or another object."""

OBJECT_OF: Final = {
    "custom_actions": "CustomAction",
    "users": "User",
    **{location.resource: location.record_type for location in Location},
}
"""The object that each collection of the API holds."""

PERMISSION_OF: Final = {
    "CustomAction": "custom_actions",
    "User": "users",
    "Activity": "activities",
    "Contact": "contacts",
    "Document": "documents",
    "Folder": "documents",
    "Matter": "matters",
}
"""The access permission of the developer app that opens an object (folders belong to documents)."""


def objects() -> dict[str, dict[str, FieldType]]:
    """Return every object with its fields."""
    return _read()[0]


def filters(resource: str) -> dict[str, FieldType]:
    """Return the filters of one list, with the type of each; ``order`` holds the fields it can be ordered by."""
    return _read()[1][resource]


@functools.cache
def _read() -> tuple[dict[str, dict[str, FieldType]], dict[str, dict[str, FieldType]]]:
    tables = tomllib.loads(files(__package__).joinpath("catalogue.toml").read_text("utf-8"))
    records = {owner: tables["every_record"] | fields for owner, fields in tables["records"].items()}
    lists = {resource: tables["every_list"] | own for resource, own in tables["filters"].items()}
    first, second = (
        {owner: {name: _type(fields[name]) for name in sorted(fields)} for owner, fields in part.items()}
        for part in (tables["objects"] | records, lists)
    )
    return first, second


def _type(value: str | list[str] | dict[str, str]) -> FieldType:
    if isinstance(value, dict):
        return Nested(value["many"], many=True) if "many" in value else Nested(value["one"], many=False)
    return value if isinstance(value, str) else tuple(value)
