"""Rows of the ledger, read and written: a damaged one is told apart from the others, and never guessed at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec

from .records import ActionFields, ItemRow, Owned

T = TypeVar("T")
_JSON: Final = frozenset({"before", "after", "fields"})


def decoded(
    into: type[T], names: Iterable[str], rows: Iterable[Sequence[Any]]
) -> Iterator[tuple[Sequence[Any], T | None]]:
    """Give each row and the record that it holds; None for a damaged one."""
    of_json = [name in _JSON for name in names]
    for row in rows:
        try:
            plain = [_of_json(value) if json else value for json, value in zip(of_json, row, strict=True)]
            yield row, msgspec.convert(plain, into, strict=False)
        except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError):
            yield row, None


def _of_json(text: Any) -> object:
    return None if text is None else msgspec.json.decode(text)


def as_json(fields: ActionFields | None) -> str | None:
    """Return what an action shows as JSON."""
    return None if fields is None else msgspec.json.encode(fields).decode()


def clean(text: str) -> str:
    """Return a text that each database can keep: PostgreSQL takes no NUL, and none takes half a character."""
    return text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def action_row(one: Owned) -> dict[str, object]:
    """Return the values of what is ours."""
    return {
        "action_id": one.action_id,
        "user_id": one.user_id,
        "manifest": clean(one.manifest),
        "key": clean(one.key),
        "fields": as_json(one.fields),
        "created_at": _iso(one.created_at),
    }


def item_row(item: ItemRow) -> dict[str, object]:
    """Return the values of a new item."""
    return {
        "user_id": item.user_id,
        "user": clean(item.user),
        "kind": item.kind.value,
        "key": clean(item.key),
        "action_id": item.action_id,
        "before": as_json(item.before),
        "after": as_json(item.after),
    }


def _iso(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
