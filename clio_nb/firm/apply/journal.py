"""The journal of a firm: what was sent to Clio, how it ended, and which actions are therefore ours. A SQLite file.

An entry is written before each request and its outcome after it, so that a run that is killed at any point can be
resumed, undone and reported. It holds no secret.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import secrets
import sqlite3
import time
import tomllib
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import platformdirs

from ...database._fork import Unshared
from ...database._private_files import DatabaseFile, locked
from ...database.firm_key import FirmKey
from ...errors import InvalidInput, RunInProgress, VaultError
from ...models import Site
from ...vault.vault import FIRM, firm_key_of
from .._state import ActionFields, Claim, Ledger, Owned
from ..item import Item, Kind
from ..journal_entry import Entry, EntryChange, Run
from ..plan.plan import Plan

PLANNED: Final = "planned"
SENT: Final = "sent"

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS firm (site TEXT, client_id TEXT, firm TEXT);
CREATE TABLE IF NOT EXISTS runs (
    run TEXT PRIMARY KEY, app TEXT, purpose TEXT, profile TEXT, allow_delete INTEGER, manifest TEXT,
    started REAL, finished REAL
);
CREATE TABLE IF NOT EXISTS entries (
    run TEXT, number INTEGER, user_id INTEGER, user TEXT, kind TEXT, key TEXT, action_id INTEGER,
    before TEXT, after TEXT, outcome TEXT, message TEXT, at REAL, PRIMARY KEY (run, number)
);
CREATE TABLE IF NOT EXISTS owned (
    user_id INTEGER, action_id INTEGER PRIMARY KEY, app TEXT, key TEXT, fields TEXT, created_at TEXT
);
CREATE TABLE IF NOT EXISTS kept (asked TEXT, kept TEXT, PRIMARY KEY (asked, kept));
"""
_OWN: Final = "INSERT OR REPLACE INTO owned VALUES (?, ?, ?, ?, ?, ?)"
_KEEP: Final = """
INSERT INTO owned VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
SET app = excluded.app, key = excluded.key, fields = excluded.fields, created_at = excluded.created_at
WHERE owned.created_at IS NOT excluded.created_at
"""  # what is ours keeps the fields that we gave it, unless its id came to another action
_CHANGE: Final = """
UPDATE entries SET outcome = ?1, message = ?2, action_id = coalesce(?4, action_id),
at = CASE ?1 WHEN 'not sent' THEN NULL ELSE coalesce(?3, at) END
WHERE run = ?5 AND number = ?6
"""
_NEXT: Final = "SELECT coalesce(max(CAST(number AS INTEGER)), -1) + 1 FROM entries WHERE run = ?"
_SETTLE: Final = """
UPDATE entries SET outcome = 'settled' WHERE outcome IN ('sent', 'unknown')
AND run IN (SELECT run FROM runs WHERE app = ?) AND user_id IN (SELECT value FROM json_each(?))
"""  # a newer plan has read this user, and shows whether it was made


T = TypeVar("T")


def journal_path(site: Site, name: str = FIRM) -> Path:
    """Return the default path of a firm's journal: in this user's data folder, one file for each firm and app."""
    whose = hashlib.sha256("\n".join(firm_key_of(site, name)).encode()).hexdigest()[:12]
    return platformdirs.user_data_path("clio-nb") / f"journal-{whose}.sqlite"


class Journal(Unshared):
    """The journal of one firm. Without a path it is kept in memory and ends with this process.

    Raises :class:`VaultError` when the file cannot be used, or is another firm's.
    """

    def __init__(self, path: Path | None, firm_key: FirmKey) -> None:
        super().__init__()
        self._file = None if path is None else DatabaseFile(path)
        self.path = None if self._file is None else self._file.path
        self._running = False
        self._opened = contextlib.ExitStack()
        self._connection: sqlite3.Connection | None = None
        self.close = weakref.finalize(self, self._opened.close)
        with self._using() as database:
            database.executescript(_SCHEMA)
        with self._transaction() as database:
            database.execute("INSERT INTO firm SELECT ?, ?, ? WHERE NOT EXISTS (SELECT * FROM firm)", firm_key)
            if database.execute("SELECT * FROM firm").fetchone() != tuple(firm_key):
                raise VaultError(f"The journal {path} belongs to another firm or app. Use one journal for each.")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the firm for one run: two at once would write twice. The lock of a killed process ends with it.

        Raises :class:`RunInProgress` while another run holds it, in this process or any other on this machine.
        """
        with contextlib.ExitStack() as held:
            free = not self._running
            if free and self.path is not None:
                free = held.enter_context(locked(self.path))
            if not free:
                raise RunInProgress("Another run is changing this firm. Wait until it has ended, then plan again.")
            self._running = True
            try:
                yield
            finally:
                self._running = False

    def begin(self, plan: Plan) -> tuple[str, int]:
        """Write an entry for each change that a run is going to make, and adopt what the plan found to be ours.

        A plan that resumes a run replaces its entries that were not sent. Return the run's name and the number of its
        first new entry.
        """
        now, run = dt.datetime.now(dt.UTC), plan.run
        read = {item.user_id for item in plan.items if item.kind is not Kind.BLOCKED}
        with self._transaction() as database:
            if run is None:
                run = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
                manifest = plan.manifest.to_toml() if plan.manifest else None
                about = (plan.app, plan.purpose, plan.profile, plan.allow_delete, manifest, now.timestamp())
                database.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", (run, *about))
            database.execute("DELETE FROM entries WHERE run = ? AND outcome = ?", (run, PLANNED))
            database.execute(_SETTLE, (plan.app, msgspec.json.encode(read).decode()))
            database.executemany(_OWN, _ours(plan, (Kind.OK,)))
            database.executemany(_KEEP, _ours(plan, (Kind.UPDATE, Kind.DELETE, Kind.DUPLICATE, Kind.ORPHAN)))
            first = database.execute(_NEXT, (run,)).fetchone()[0]
            database.executemany(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', NULL)",
                [_entry(run, number, item) for number, item in enumerate(plan.changes, first)],
            )
        return run, first

    def record(self, run: str, app: str, changes: Iterable[EntryChange]) -> None:
        """Write what happened to entries of a run, all or nothing."""
        now, entries, ours, gone, kept = time.time(), [], [], [], list[tuple[str, str]]()
        for number, outcome, message, item, action in changes:
            at, action_id = now if outcome == SENT else None, action.id if action else None
            entries.append((outcome, message, at, action_id, run, number))
            if item is not None and action is not None:
                made = msgspec.structs.replace(item, action_id=action.id, created_at=action.created_at)
                ours.append(_owned(app, made, ActionFields.of(action)))
                kept += ActionFields.of(action).kept_for(item.after)
            elif item is not None:
                gone.append((item.action_id,))
        with self._transaction() as database:
            database.executemany(_CHANGE, entries)
            database.executemany("DELETE FROM owned WHERE action_id = ?", gone)
            database.executemany(_OWN, ours)
            database.executemany("INSERT OR IGNORE INTO kept VALUES (?, ?)", kept)

    def finish(self, run: str) -> None:
        """Record that a run has ended."""
        with self._transaction() as database:
            database.execute("UPDATE runs SET finished = ? WHERE run = ?", (time.time(), run))

    def ledger(self) -> Ledger:
        """Return what is known to be ours."""
        return Ledger(
            self._all("SELECT user_id, action_id, app, key, fields, created_at FROM owned", Owned),
            self._all(
                "SELECT user_id, app, entries.key, after AS fields FROM entries JOIN runs USING (run) "
                "WHERE kind = 'create' AND outcome IN ('sent', 'unknown') ORDER BY at",
                Claim,
            ),
            frozenset(self._all("SELECT asked, kept FROM kept", tuple[str, str])),
        )

    def runs(self) -> list[Run]:
        """Return all runs, the oldest first."""
        return self._all(
            "SELECT run, app, purpose, profile, allow_delete, manifest, started, finished FROM runs ORDER BY started",
            Run,
        )

    def run(self, name: str) -> Run:
        """Return one run. Raises :class:`InvalidInput` that names the latest when there is no such run."""
        runs = self.runs()
        found = next((run for run in runs if run.run == name), None)
        if found is None:
            latest = ", ".join(run.run for run in runs[-5:]) or "none"
            raise InvalidInput(f"This firm has no run {name[:40]!r}. Its latest runs: {latest}.", field="run")
        return found

    def entries(self, run: str | None = None) -> list[Entry]:
        """Return the entries of one run, or of all, in their order."""
        return self._all(
            "SELECT entries.* FROM entries JOIN runs USING (run) WHERE ? IS NULL OR run = ? ORDER BY started, number",
            Entry,
            (run, run),
        )

    def part(self) -> None:
        """Close the file before a fork."""
        if self._file is not None:
            self._opened.close()
            self._connection = None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._using() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            finally:
                if database.in_transaction:
                    database.execute("ROLLBACK")

    @contextlib.contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        try:
            with self.use:
                if self._connection is None:
                    self._connection = self._opened.enter_context(contextlib.closing(self._connect()))
                elif self._file is not None:
                    self._file.check()
                yield self._connection
        except sqlite3.Error as cause:
            raise VaultError(f"The journal {self.path or 'in memory'} cannot be used ({cause}).") from None

    def _connect(self) -> sqlite3.Connection:
        if self._file is None:
            return sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        # NORMAL: a killed process loses nothing
        return self._file.connect("journal_mode=WAL", "synchronous=NORMAL", timeout=10)

    def _all(self, query: str, into: type[T], values: tuple[object, ...] = ()) -> list[T]:
        """Return the rows of a query, each as the record that it holds."""
        with self._using() as database:
            found = database.execute(query, values)
            decode = [_DECODERS.get(name, lambda value: value) for name, *_ in found.description]
            rows = found.fetchall()
        try:
            plain = [[of(value) for of, value in zip(decode, row, strict=True)] for row in rows]
            return msgspec.convert(plain, list[into], strict=False)  # type: ignore[valid-type]  # made here
        except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
            raise VaultError(
                f"The journal {self.path} has a damaged row ({into.__name__}) and is not used. Restore it from a "
                "backup. Without one, move it away: the next plan finds your actions by their target URLs."
            ) from None


_DECODERS: Final[dict[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("before", "after", "fields"), lambda text: text and msgspec.json.decode(text)),
    "manifest": lambda text: text and tomllib.loads(text),
}


def _ours(plan: Plan, kinds: tuple[Kind, ...]) -> list[tuple[object, ...]]:
    """Return the rows of what a plan found to be ours."""
    return [
        _owned(plan.app, item, item.before) for item in plan.items if item.kind in kinds and item.key and item.before
    ]


def _owned(app: str, item: Item, fields: ActionFields) -> tuple[object, ...]:
    made = item.created_at.isoformat() if item.created_at else None
    return item.user_id, item.action_id, app, item.key, _json(fields), made


def _entry(run: str, number: int, item: Item) -> tuple[object, ...]:
    what = (item.user_id, item.user, item.kind.value, item.key, item.action_id)
    return (run, number, *what, _json(item.before), _json(item.after), PLANNED)


def _json(fields: ActionFields | None) -> str | None:
    return None if fields is None else msgspec.json.encode(fields).decode()
