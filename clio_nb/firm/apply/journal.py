"""The journal of a firm: what was sent to Clio, what came of it, and which actions are therefore ours. A SQLite file.

An intent is written before each request and its outcome after it, so that a run that is killed at any point can be gone
on with, undone, and told about. It holds no secret.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
import sqlite3
import time
import tomllib
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from ...errors import InvalidInput, RunInProgress, VaultError
from ...models import CustomAction
from ...vault._fork import Unshared
from ...vault._private_files import DatabaseFile
from ...vault.store import Shelf
from .._state import Claim, Ledger, Look, Owned
from ..item import Item, Kind
from ..manifest import Manifest
from ..plan.plan import Plan

PLANNED: Final = "planned"
SENT: Final = "sent"

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS firm (site TEXT, client_id TEXT, firm TEXT);
CREATE TABLE IF NOT EXISTS runs (
    run TEXT PRIMARY KEY, app TEXT, purpose TEXT, profile TEXT, allow_delete INTEGER, manifest TEXT,
    started REAL, finished REAL
);
CREATE TABLE IF NOT EXISTS steps (
    run TEXT, number INTEGER, user_id INTEGER, user TEXT, kind TEXT, key TEXT, action_id INTEGER,
    before TEXT, after TEXT, outcome TEXT, message TEXT, at REAL, PRIMARY KEY (run, number)
);
CREATE TABLE IF NOT EXISTS owned (
    user_id INTEGER, action_id INTEGER PRIMARY KEY, app TEXT, key TEXT, look TEXT, created_at TEXT
);
CREATE TABLE IF NOT EXISTS kept (asked TEXT, kept TEXT, PRIMARY KEY (asked, kept));
"""
_OWN: Final = "INSERT OR REPLACE INTO owned VALUES (?, ?, ?, ?, ?, ?)"
_KEEP: Final = """
INSERT INTO owned VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
SET app = excluded.app, key = excluded.key, look = excluded.look, created_at = excluded.created_at
WHERE owned.created_at IS NOT excluded.created_at
"""  # what is ours keeps the look that we gave it, unless its id came to another action
_NOTE: Final = """
UPDATE steps SET outcome = ?, message = ?, at = coalesce(?, at), action_id = coalesce(?, action_id)
WHERE run = ? AND number = ?
"""
_SETTLE: Final = """
UPDATE steps SET outcome = 'settled' WHERE outcome IN ('sent', 'unknown')
AND run IN (SELECT run FROM runs WHERE app = ?) AND user_id IN (SELECT value FROM json_each(?))
"""  # a newer plan has read this user, and knows what came of it


class Step(NamedTuple):
    """One write of a run, and what came of it. ``at`` is None until it was sent."""

    run: str
    number: int
    user_id: int
    user: str
    kind: str
    key: str
    action_id: int | None
    before: Look | None
    after: Look | None
    outcome: str
    message: str
    at: dt.datetime | None


class Run(NamedTuple):
    """One apply, undo or offboarding. ``finished`` is None while it runs, and stays so when it was killed."""

    run: str
    app: str
    purpose: str
    profile: str | None
    allow_delete: bool
    manifest: Manifest | None
    started: dt.datetime
    finished: dt.datetime | None


class Note(NamedTuple):
    """What happened to a step: that it was sent, or what came of it.

    With ``item`` that was done; ``action`` is as it is now, or None for one that is deleted.
    """

    number: int
    outcome: str
    message: str = ""
    item: Item | None = None
    action: CustomAction | None = None


class Journal(Unshared):
    """The journal of one firm. Without a path it is kept in memory and ends with this process.

    Raises :class:`VaultError` when the file cannot be used, or is another firm's.
    """

    def __init__(self, path: Path | None, shelf: Shelf) -> None:
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
            database.execute("INSERT INTO firm SELECT ?, ?, ? WHERE NOT EXISTS (SELECT * FROM firm)", shelf)
            if database.execute("SELECT * FROM firm").fetchone() != tuple(shelf):
                raise VaultError(f"The journal {path} is of another firm or app. Give each its own.")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the firm for one run: two at once would write twice. A killed process lets go by itself.

        Raises :class:`RunInProgress` while another run holds it, in this process or any other on this machine.
        """
        with contextlib.ExitStack() as held:
            free = not self._running
            if free and self.path is not None:
                lock = DatabaseFile(self.path.with_name(f"{self.path.name}.lock"))
                holder = held.enter_context(contextlib.closing(lock.connect(timeout=0)))
                with contextlib.suppress(sqlite3.OperationalError):
                    holder.execute("BEGIN EXCLUSIVE")
                free = holder.in_transaction
            if not free:
                raise RunInProgress("Another run is changing this firm. Wait until it has ended, then plan again.")
            self._running = True
            try:
                yield
            finally:
                self._running = False

    def begin(self, plan: Plan) -> tuple[str, int]:
        """Note all that a run is going to do, and adopt what the plan found to be ours.

        A plan that goes on with a run takes the place of what of it is not known to be done. Return the run's name and
        the number of its first new step.
        """
        now, run = dt.datetime.now(dt.UTC), plan.run
        read = {item.user_id for item in plan.items if item.kind is not Kind.BLOCKED}
        with self._transaction() as database:
            if run is None:
                run = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
                manifest = plan.manifest.to_toml() if plan.manifest else None
                about = (plan.app, plan.purpose, plan.profile, plan.allow_delete, manifest, now.timestamp())
                database.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", (run, *about))
            database.execute("DELETE FROM steps WHERE run = ? AND outcome = ?", (run, PLANNED))
            database.execute(_SETTLE, (plan.app, msgspec.json.encode(read).decode()))
            database.executemany(_OWN, _ours(plan, (Kind.OK,)))
            database.executemany(_KEEP, _ours(plan, (Kind.UPDATE, Kind.DELETE, Kind.DUPLICATE, Kind.ORPHAN)))
            last = database.execute("SELECT max(number) FROM steps WHERE run = ?", (run,)).fetchone()[0]
            first = 0 if last is None else int(last) + 1
            database.executemany(
                "INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', NULL)",
                [_step(run, number, item) for number, item in enumerate(plan.changes, first)],
            )
        return run, first

    def note(self, run: str, app: str, notes: Iterable[Note]) -> None:
        """Note what happened to steps of a run: all of it or, when that fails, nothing."""
        now, steps, ours, gone, kept = time.time(), [], [], [], list[tuple[str, str]]()
        for number, outcome, message, item, action in notes:
            at, action_id = now if outcome == SENT else None, action.id if action else None
            steps.append((outcome, message, at, action_id, run, number))
            if item is not None and action is not None:
                made = msgspec.structs.replace(item, action_id=action.id, created_at=action.created_at)
                ours.append(_owned(app, made, Look.of(action)))
                kept += Look.of(action).kept_for(item.after)
            elif item is not None:
                gone.append((item.action_id,))
        with self._transaction() as database:
            database.executemany(_NOTE, steps)
            database.executemany("DELETE FROM owned WHERE action_id = ?", gone)
            database.executemany(_OWN, ours)
            database.executemany("INSERT OR IGNORE INTO kept VALUES (?, ?)", kept)

    def finish(self, run: str) -> None:
        """Note that a run has come to its end."""
        with self._transaction() as database:
            database.execute("UPDATE runs SET finished = ? WHERE run = ?", (time.time(), run))

    def ledger(self) -> Ledger:
        """Return what is known to be ours."""
        owned = self._all("SELECT user_id, action_id, app, key, look, created_at FROM owned")
        lost = self._all(
            "SELECT user_id, app, steps.key, after FROM steps JOIN runs USING (run) "
            "WHERE kind = 'create' AND outcome IN ('sent', 'unknown') ORDER BY at"
        )
        return Ledger(
            [
                Owned(user_id, action_id, app, key, _look(look), _moment(made))
                for user_id, action_id, app, key, look, made in owned
            ],
            [Claim(user_id, app, key, _look(look)) for user_id, app, key, look in lost],
            frozenset(self._all("SELECT asked, kept FROM kept")),
        )

    def runs(self) -> list[Run]:
        """Return all runs, the oldest first."""
        rows = self._all(
            "SELECT run, app, purpose, profile, allow_delete, manifest, started, finished FROM runs ORDER BY started"
        )
        return [
            Run(
                run,
                app,
                purpose,
                profile,
                bool(allow),
                msgspec.convert(tomllib.loads(text), Manifest) if text else None,
                dt.datetime.fromtimestamp(started, dt.UTC),
                None if finished is None else dt.datetime.fromtimestamp(finished, dt.UTC),
            )
            for run, app, purpose, profile, allow, text, started, finished in rows
        ]

    def run(self, name: str) -> Run:
        """Return one run. Raises :class:`InvalidInput` that names the latest when there is no such run."""
        runs = self.runs()
        found = next((run for run in runs if run.run == name), None)
        if found is None:
            latest = ", ".join(run.run for run in runs[-5:]) or "none"
            raise InvalidInput(f"There is no run {name[:40]!r} of this firm; the latest are: {latest}.", field="run")
        return found

    def steps(self, run: str | None = None) -> list[Step]:
        """Return the steps of one run, or of all, in their order."""
        rows = self._all(
            "SELECT steps.* FROM steps JOIN runs USING (run) WHERE ? IS NULL OR run = ? ORDER BY started, number",
            (run, run),
        )
        return [
            Step(
                *(name, number, user_id, user, kind, key, action_id),
                None if before is None else _look(before),
                None if after is None else _look(after),
                *(outcome, message),
                None if at is None else dt.datetime.fromtimestamp(at, dt.UTC),
            )
            for name, number, user_id, user, kind, key, action_id, before, after, outcome, message, at in rows
        ]

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

    def _all(self, query: str, values: tuple[object, ...] = ()) -> list[Any]:
        with self._using() as database:
            return database.execute(query, values).fetchall()


def _ours(plan: Plan, kinds: tuple[Kind, ...]) -> list[tuple[object, ...]]:
    """Return the rows of what a plan found to be ours."""
    return [
        _owned(plan.app, item, item.before) for item in plan.items if item.kind in kinds and item.key and item.before
    ]


def _owned(app: str, item: Item, look: Look) -> tuple[object, ...]:
    made = item.created_at.isoformat() if item.created_at else None
    return item.user_id, item.action_id, app, item.key, _json(look), made


def _step(run: str, number: int, item: Item) -> tuple[object, ...]:
    what = (item.user_id, item.user, item.kind.value, item.key, item.action_id)
    return (run, number, *what, _json(item.before), _json(item.after), PLANNED)


def _json(look: Look | None) -> str | None:
    return None if look is None else msgspec.json.encode(look).decode()


def _look(text: str) -> Look:
    return msgspec.json.decode(text, type=Look)


def _moment(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text)
