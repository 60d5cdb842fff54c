"""Where a sandbox keeps its state: one SQLite table, in memory or in a file that outlives the process."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final, TypeVar

import msgspec

_T = TypeVar("_T")


_SCHEMA: Final = """
PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS kept (
    region TEXT, kind TEXT, key TEXT, value BLOB, PRIMARY KEY (region, kind, key)
) WITHOUT ROWID;
"""


Kept = tuple[str, str, str, msgspec.Raw]  # region, kind, key and value of what is kept


class Store:
    """Keep small values by region, kind and key. Secrets come in as digests, so no file holds one."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        if path is not None and not Path(path).exists():  # to close one that SQLite has open would drop its locks
            Path(path).touch(mode=0o600)
        try:
            self._db: Final = sqlite3.connect(
                path or ":memory:", timeout=0, isolation_level=None, check_same_thread=False
            )
        except sqlite3.OperationalError:
            raise ValueError(f"{path} is no file; give another.") from None
        try:
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            self._db.close()
            why = "in use by another sandbox" if isinstance(error, sqlite3.OperationalError) else "no file of a sandbox"
            raise ValueError(f"{path} is {why}; give another file.") from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def dump(self) -> list[Kept]:
        """Return everything that is kept."""
        rows = self._db.execute("SELECT region, kind, key, value FROM kept")
        return [(region, kind, key, msgspec.Raw(value)) for region, kind, key, value in rows]

    def replace(self, rows: list[Kept]) -> None:
        """Keep these rows and nothing else."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute("DELETE FROM kept")
            values = ((region, kind, key, bytes(value)) for region, kind, key, value in rows)
            self._db.executemany("INSERT INTO kept VALUES (?, ?, ?, ?)", values)

    def shelf(self, region: str) -> Shelf:
        """Return the part of one region."""
        return Shelf(self._db, region)


class Shelf:
    """The kept values of one region."""

    def __init__(self, db: sqlite3.Connection, region: str) -> None:
        self._db = db
        self._region: Final = region

    def put(self, kind: str, key: str | int, value: object) -> None:
        """Keep a value, over the one that was there."""
        row = (self._region, kind, str(key), msgspec.json.encode(value))
        self._db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", row)

    def drop(self, kind: str, key: str | int) -> None:
        """Forget a value."""
        self._db.execute("DELETE FROM kept WHERE region = ? AND kind = ? AND key = ?", (self._region, kind, str(key)))

    def all(self, kind: str, shape: type[_T]) -> dict[str, _T]:
        """Return every kept value of a kind, by key."""
        rows = self._db.execute("SELECT key, value FROM kept WHERE region = ? AND kind = ?", (self._region, kind))
        return {key: msgspec.json.decode(value, type=shape) for key, value in rows}
