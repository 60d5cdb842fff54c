"""What the demo firms are made of (``firm.toml``), and how old their records are."""

from __future__ import annotations

import datetime as dt
from importlib.resources import files
from typing import Any, Final

import msgspec

from ..clock import START
from .rows import Row

DAY: Final = 86_400


class FirmName(msgspec.Struct, frozen=True):
    """A firm's name, and the domain of its mail."""

    name: str
    domain: str


class _File(msgspec.Struct):
    name: str
    content_type: str


class _Matter(msgspec.Struct):
    description: str
    category: str
    practice_area: str
    status: str


class _Street(msgspec.Struct):
    street: str
    city: str
    province: str
    postal_code: str


class _Data(msgspec.Struct):
    """What ``firm.toml`` says."""

    firms: list[FirmName]
    first_names: list[str]
    last_names: list[str]
    companies: list[str]
    notes: list[str]
    folders: list[str]
    files: list[_File]
    matters: list[_Matter]
    streets: list[_Street]


DATA: Final = msgspec.toml.decode(files(__package__).joinpath("firm.toml").read_bytes(), type=_Data)


def row(id: int, days_ago: float, **fields: Any) -> Row:
    """Return a row that was made so many days before the beginning, and last changed half-way since."""
    created = START - days_ago * DAY
    return Row(id, fields, created, min(START, created + days_ago * DAY / 2))


def date(days_ago: int) -> str:
    """Return the day that was so many days before the beginning."""
    return dt.datetime.fromtimestamp(START - days_ago * DAY, dt.UTC).date().isoformat()
