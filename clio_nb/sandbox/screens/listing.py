"""A table in pages of a readable length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from urllib.parse import urlencode

from .visit import number

_T = TypeVar("_T")

ROWS: Final = 12  # rows on one page


@dataclass(frozen=True, slots=True)
class Sheet(Generic[_T]):
    """The rows of one page, out of how many, and the query that its neighbours keep."""

    rows: Sequence[_T]
    total: int
    number: int
    last: int
    kept: dict[str, str]

    def query(self, page: int) -> str:
        """Return the query string of another page."""
        return "?" + urlencode({**self.kept, "page": page})


def sheet(rows: Sequence[_T], asked: str | None, kept: dict[str, str] | None = None) -> Sheet[_T]:
    """Return the page that was asked for, or the nearest there is."""
    last = max(1, -(-len(rows) // ROWS))
    page = min(max(1, number(asked) or 1), last)
    return Sheet(rows[(page - 1) * ROWS : page * ROWS], len(rows), page, last, kept or {})
