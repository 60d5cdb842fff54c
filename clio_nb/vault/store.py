"""Where a vault keeps its rows: a small interface, and the store in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol


class FirmKey(NamedTuple):
    """Whose tokens: one firm's, of one app, at one Clio (a region, or the address of a sandbox)."""

    site: str
    client_id: str
    firm: str


@dataclass(frozen=True, slots=True)
class Row:
    """One user's sealed token. ``version`` counts its changes; ``problem`` says why it cannot be used, or is empty."""

    user_id: int
    sealed: bytes
    version: int = 1
    problem: str = ""


class Store(Protocol):
    """Where sealed rows live. It never sees a token.

    Writes carry the ``key_id`` of the sealing key and do nothing (False) when the store has been resealed under another
    key. All raise :class:`clio_nb.errors.VaultError` when the store fails; then nothing was changed.
    """

    name: str

    def key_id(self, first: str) -> str:
        """Return the id of the key that seals this store; an empty store takes ``first``."""

    def read(self, firm_key: FirmKey, user_id: int) -> Row | None:
        """Return one row, or None."""

    def scan(self, firm_key: FirmKey) -> Iterator[Row]:
        """Give all rows of a firm in order of user, without holding them all at once."""

    def firm_keys(self) -> list[FirmKey]:
        """Return the key of every firm that has a row."""

    def firms_of(self, site: str, client_id: str, user_id: int) -> list[str]:
        """Return the firms of an app at one Clio that have a row of this user, those with a problem last."""

    def put(self, rows: Iterable[tuple[FirmKey, Row]], key_id: str) -> bool:
        """Write rows, new or in place of older ones, all or none."""

    def swap(self, firm_key: FirmKey, row: Row, key_id: str) -> bool:
        """Write one row if its version is still ``row.version``; the new version is one more."""

    def note(self, firm_key: FirmKey, user_id: int, version: int, problem: str) -> bool:
        """Write only a row's problem, if its version is still the same."""

    def remove(self, firm_key: FirmKey, user_id: int) -> None:
        """Delete one row."""

    def lease(self, firm_key: FirmKey, user_id: int, owner: str, seconds: float) -> bool:
        """Take the lease on one row for some seconds; False while another owner has it."""

    def release(self, firm_key: FirmKey, user_id: int, owner: str) -> None:
        """Give the lease back."""

    def reseal(self, again: Callable[[object], bytes | None], before: str, key_id: str) -> bool:
        """Replace every sealed text by what ``again`` gives (None: it stays) and set the new key id, all or nothing."""

    def close(self) -> None:
        """Close the connections."""


class MemoryStore:
    """Rows that end with this process."""

    name = "memory (ends with this process)"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[tuple[FirmKey, int], Row] = {}
        self._leases: dict[tuple[FirmKey, int], tuple[str, float]] = {}
        self._key_id = ""

    def key_id(self, first: str) -> str:
        """Return the id of the sealing key; the first caller sets it."""
        with self._lock:
            self._key_id = self._key_id or first
            return self._key_id

    def read(self, firm_key: FirmKey, user_id: int) -> Row | None:
        """Return one row, or None."""
        return self._rows.get((firm_key, user_id))

    def scan(self, firm_key: FirmKey) -> Iterator[Row]:
        """Give the rows of a firm as they are now."""
        with self._lock:
            rows = [row for (there, _), row in self._rows.items() if there == firm_key]
        yield from sorted(rows, key=lambda row: row.user_id)

    def firm_keys(self) -> list[FirmKey]:
        """Return the key of every firm that has a row."""
        with self._lock:
            return sorted({firm_key for firm_key, _ in self._rows})

    def firms_of(self, site: str, client_id: str, user_id: int) -> list[str]:
        """Return the firms that have a row of this user."""
        with self._lock:
            rows = [
                (bool(row.problem), key.firm)
                for (key, of), row in self._rows.items()
                if (key.site, key.client_id, of) == (site, client_id, user_id)
            ]
        return [firm for _, firm in sorted(rows)]

    def put(self, rows: Iterable[tuple[FirmKey, Row]], key_id: str) -> bool:
        """Write rows."""
        new = {(firm_key, row.user_id): row for firm_key, row in rows}
        with self._lock:
            if key_id != self._key_id:
                return False
            for key, row in new.items():
                before = self._rows.get(key)
                self._rows[key] = replace(row, version=before.version + 1 if before else 1)
            return True

    def swap(self, firm_key: FirmKey, row: Row, key_id: str) -> bool:
        """Write one row if its version is the same."""
        with self._lock:
            now = self._rows.get((firm_key, row.user_id))
            if key_id != self._key_id or now is None or now.version != row.version:
                return False
            self._rows[firm_key, row.user_id] = replace(row, version=row.version + 1)
            return True

    def note(self, firm_key: FirmKey, user_id: int, version: int, problem: str) -> bool:
        """Write only the problem of a row."""
        with self._lock:
            row = self._rows.get((firm_key, user_id))
            if row is None or row.version != version:
                return False
            self._rows[firm_key, user_id] = replace(row, problem=problem)
            return True

    def remove(self, firm_key: FirmKey, user_id: int) -> None:
        """Delete one row."""
        with self._lock:
            self._rows.pop((firm_key, user_id), None)

    def lease(self, firm_key: FirmKey, user_id: int, owner: str, seconds: float) -> bool:
        """Take the lease."""
        with self._lock:
            holder, until = self._leases.get((firm_key, user_id), (owner, 0.0))
            if holder != owner and until > time.monotonic():
                return False
            self._leases[firm_key, user_id] = (owner, time.monotonic() + seconds)
            return True

    def release(self, firm_key: FirmKey, user_id: int, owner: str) -> None:
        """Give the lease back."""
        with self._lock:
            if self._leases.get((firm_key, user_id), ("", 0.0))[0] == owner:
                del self._leases[firm_key, user_id]

    def reseal(self, again: Callable[[object], bytes | None], before: str, key_id: str) -> bool:
        """Reseal all rows."""
        with self._lock:
            if self._key_id != before:
                return False
            self._rows = {key: replace(row, sealed=again(row.sealed) or row.sealed) for key, row in self._rows.items()}
            self._key_id = key_id
            return True

    def close(self) -> None:
        """Do nothing: there is no file or connection."""
