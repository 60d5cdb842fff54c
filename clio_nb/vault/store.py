"""What a vault needs of a place to keep rows: a small interface, and the twin that keeps them in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol


class Shelf(NamedTuple):
    """Whose tokens: one firm's, of one app, at one Clio (a region, or the address of a sandbox)."""

    site: str
    client_id: str
    firm: str


@dataclass(frozen=True, slots=True)
class Row:
    """One user's sealed token. ``version`` counts its changes; ``trouble`` says why it is of no use, or is empty."""

    user_id: int
    sealed: bytes
    version: int = 1
    trouble: str = ""


class Store(Protocol):
    """Where sealed rows live. It never sees a token.

    Writes carry the ``mark`` of the sealing key and do nothing (False) when the store was sealed anew under another one
    meanwhile. All raise :class:`clio_nb.errors.VaultError` when the place fails; then nothing was changed.
    """

    name: str

    def mark(self, first: str) -> str:
        """Return the mark of the key that seals this store; an empty store takes ``first``."""

    def read(self, shelf: Shelf, user_id: int) -> Row | None:
        """Return one row, or None."""

    def scan(self, shelf: Shelf) -> Iterator[Row]:
        """Give all rows of a shelf in order of user, without holding them all at once."""

    def shelves(self) -> list[Shelf]:
        """Return every shelf that holds a row."""

    def put(self, rows: Iterable[tuple[Shelf, Row]], mark: str) -> bool:
        """Write rows, new or in place of older ones, all or none."""

    def swap(self, shelf: Shelf, row: Row, mark: str) -> bool:
        """Write one row if its version is still ``row.version``; the new version is one more."""

    def note(self, shelf: Shelf, user_id: int, version: int, trouble: str) -> bool:
        """Write only a row's trouble, if its version is still the same."""

    def remove(self, shelf: Shelf, user_id: int) -> None:
        """Forget one row."""

    def lease(self, shelf: Shelf, user_id: int, owner: str, seconds: float) -> bool:
        """Take the sole right to renew one row for some seconds; False while somebody else has it."""

    def release(self, shelf: Shelf, user_id: int, owner: str) -> None:
        """Give that right back."""

    def reseal(self, again: Callable[[object], bytes | None], before: str, mark: str) -> bool:
        """Pass every sealed text through ``again`` and take the new mark, all or nothing; what gives None stays."""

    def close(self) -> None:
        """Let go of the place."""


class MemoryStore:
    """Rows that end with this process."""

    name = "memory (ends with this process)"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[tuple[Shelf, int], Row] = {}
        self._leases: dict[tuple[Shelf, int], tuple[str, float]] = {}
        self._mark = ""

    def mark(self, first: str) -> str:
        """Return the mark, set by the first who asks."""
        with self._lock:
            self._mark = self._mark or first
            return self._mark

    def read(self, shelf: Shelf, user_id: int) -> Row | None:
        """Return one row, or None."""
        return self._rows.get((shelf, user_id))

    def scan(self, shelf: Shelf) -> Iterator[Row]:
        """Give the rows of a shelf as they are now."""
        with self._lock:
            rows = [row for (there, _), row in self._rows.items() if there == shelf]
        yield from sorted(rows, key=lambda row: row.user_id)

    def shelves(self) -> list[Shelf]:
        """Return every shelf that holds a row."""
        with self._lock:
            return sorted({shelf for shelf, _ in self._rows})

    def put(self, rows: Iterable[tuple[Shelf, Row]], mark: str) -> bool:
        """Write rows."""
        new = {(shelf, row.user_id): row for shelf, row in rows}
        with self._lock:
            if mark != self._mark:
                return False
            for key, row in new.items():
                before = self._rows.get(key)
                self._rows[key] = replace(row, version=before.version + 1 if before else 1)
            return True

    def swap(self, shelf: Shelf, row: Row, mark: str) -> bool:
        """Write one row if its version is the same."""
        with self._lock:
            now = self._rows.get((shelf, row.user_id))
            if mark != self._mark or now is None or now.version != row.version:
                return False
            self._rows[shelf, row.user_id] = replace(row, version=row.version + 1)
            return True

    def note(self, shelf: Shelf, user_id: int, version: int, trouble: str) -> bool:
        """Write only the trouble."""
        with self._lock:
            row = self._rows.get((shelf, user_id))
            if row is None or row.version != version:
                return False
            self._rows[shelf, user_id] = replace(row, trouble=trouble)
            return True

    def remove(self, shelf: Shelf, user_id: int) -> None:
        """Forget one row."""
        with self._lock:
            self._rows.pop((shelf, user_id), None)

    def lease(self, shelf: Shelf, user_id: int, owner: str, seconds: float) -> bool:
        """Take the right to renew."""
        with self._lock:
            holder, until = self._leases.get((shelf, user_id), (owner, 0.0))
            if holder != owner and until > time.monotonic():
                return False
            self._leases[shelf, user_id] = (owner, time.monotonic() + seconds)
            return True

    def release(self, shelf: Shelf, user_id: int, owner: str) -> None:
        """Give it back."""
        with self._lock:
            if self._leases.get((shelf, user_id), ("", 0.0))[0] == owner:
                del self._leases[shelf, user_id]

    def reseal(self, again: Callable[[object], bytes | None], before: str, mark: str) -> bool:
        """Seal all rows anew."""
        with self._lock:
            if self._mark != before:
                return False
            self._rows = {key: replace(row, sealed=again(row.sealed) or row.sealed) for key, row in self._rows.items()}
            self._mark = mark
            return True

    def close(self) -> None:
        """Do nothing: there is no file or connection."""
