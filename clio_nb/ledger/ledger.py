"""The ledger of all firms in a database: what was done, what is being done, and what is ours.

An intent is written before each request and its outcome after it, so that a run that is killed at any point can be
resumed, undone and reported, by any process. Each user has a lease, so that two processes never write for her at once.
"""

from __future__ import annotations

import datetime as dt
import functools
import logging
import secrets
from collections.abc import Collection, Sequence
from typing import Any, Final

import sqlalchemy as sa

from ..database import schema
from ..database.database import Database
from ..database.firm_key import AppKey, FirmKey
from ..errors import InvalidInput
from ..http import timeouts
from ..models import Account
from ._queries import ACTION, chunks, kept_of, lost_of, of_app, owned_of, writes_of
from ._rows import action_row, clean, decoded, item_row
from ._statements import MARGIN, Statements, whose
from ._writer import Writer, turns
from .history import History
from .records import (
    PLANNED,
    Adopt,
    Change,
    Entry,
    Intent,
    ItemRow,
    Kind,
    Known,
    Lost,
    NewRun,
    Owned,
    Run,
)

DAMAGED: Final = "damaged"
_RUN: Final = ("run", "app", "purpose", "profile", "allow_delete", "manifest", "started", "finished")
_MEND: Final = "Restore the database from a backup, or delete that row."
_log: Final = logging.getLogger("clio_nb.ledger")


class Ledger:
    """The ledger in a database. Each verb is one transaction; it raises :class:`VaultError` when the database fails."""

    def __init__(self, database: Database) -> None:
        self.database: Final = database

    @functools.cached_property
    def history(self) -> History:
        """The history of launches, where they are recorded."""
        return History(self.database)

    @functools.cached_property
    def _sql(self) -> Statements:
        return Statements(self.database)

    def firm_id(self, key: FirmKey) -> int | None:
        """Return Clio's account id of a firm, or None when it is not known yet."""
        account = self.firms(key.app, key.firm).get(key.firm)
        return None if account is None else account.id

    def learn_firm(self, key: FirmKey, account: Account) -> None:
        """Note which account a firm is. Nothing is written when that is known already."""
        account = Account(account.id, clean(account.name or ""))
        if self.firms(key.app, key.firm).get(key.firm) == account:
            return
        with self.database.transaction(write=True) as database:
            database.execute(self._sql.learn, {**key._asdict(), "account_id": account.id, "name": account.name})

    def firms(self, app: AppKey, firm: str | None = None) -> dict[str, Account]:
        """Return which accounts at Clio the firms of an app are, by their names in the vault; or that of one."""
        table = schema.firms
        found = sa.select(table.c.firm, table.c.account_id, table.c.name).where(of_app(table, app))
        with self.database.transaction() as database:
            rows = database.execute(found if firm is None else found.where(table.c.firm == firm)).all()
        return {
            str(name): Account(account_id, said if isinstance(said, str) else None)
            for name, account_id, said in rows
            if isinstance(account_id, int)
        }

    def last_runs(self, app: AppKey) -> dict[int, Run]:
        """Return the newest run of each firm of an app, by Clio's account id."""
        table = schema.runs
        newest = sa.select(table.c.account_id, sa.func.max(table.c.started)).where(of_app(table, app))
        asked = sa.select(table.c.account_id, *(table.c[name] for name in _RUN)).where(
            of_app(table, app), sa.tuple_(table.c.account_id, table.c.started).in_(newest.group_by(table.c.account_id))
        )
        with self.database.transaction() as database:
            rows = database.execute(asked).all()
        runs = decoded(Run, _RUN, [row[1:] for row in rows])
        return {row[0]: run for row, (_, run) in zip(rows, runs, strict=True) if run is not None}

    def known(self, app: AppKey, account_id: int, users: Collection[int] | None = None) -> Known:
        """Return what is known of these users, or of all of a firm."""
        owned: list[Owned] = []
        lost: list[Lost] = []
        writes: dict[int, int] = {}
        problems: dict[int, str] = {}
        notes: list[str] = []

        def damaged(table: sa.Table, user_id: object, row: str) -> None:
            said = self._damaged(table, row)
            if isinstance(user_id, int):
                problems[user_id] = said
            else:
                notes.append(said)

        with self.database.transaction() as database:
            for some in chunks(users):
                # first how much was written: what is written meanwhile is then told from what was read
                for user_id, count in database.execute(writes_of(app, account_id, some)):
                    writes[user_id] = count if isinstance(count, int) else -1
                rows = database.execute(owned_of(app, account_id, some)).all()
                for row, one in decoded(Owned, ACTION, rows):
                    if one is None:
                        damaged(schema.actions, row[0], f"action {row[1]!r:.40}")
                    else:
                        owned.append(one)
                rows = database.execute(lost_of(app, account_id, some)).all()
                for row, create in decoded(Lost, ("user_id", "app", "key", "fields"), [row[2:] for row in rows]):
                    if create is None:
                        damaged(schema.items, row[0], "a create")
                    else:
                        lost.append(create)
            kept = database.execute(kept_of(app)).all()
        pairs = frozenset((asked, now) for asked, now in kept if isinstance(asked, str) and isinstance(now, str))
        return Known(owned, lost, pairs, writes, problems, notes)

    def owned(self, app: AppKey, account_id: int | None = None) -> list[tuple[int, Owned]]:
        """Return which actions of a firm are ours, or of all firms of an app, each with Clio's id of its firm."""
        table, names = schema.actions, ("account_id", *ACTION)
        asked = sa.select(*(table.c[name] for name in names)).where(of_app(table, app))
        with self.database.transaction() as database:
            rows = database.execute(
                asked if account_id is None else asked.where(table.c.account_id == account_id)
            ).all()
        found = []
        for row, (_, one) in zip(rows, decoded(Owned, ACTION, [row[1:] for row in rows]), strict=True):
            if one is None or not isinstance(row[0], int):
                self._damaged(table, f"action {row[2]!r:.40}")
            else:
                found.append((row[0], one))
        return found

    def names(self, app: AppKey, users: Collection[int]) -> dict[int, str]:
        """Return what users were called when something was written for them: for those whom Clio lists no more."""
        table, of = schema.items, schema.runs
        joined = sa.select(table.c.user_id, sa.func.max(table.c.user)).join_from(table, of, table.c.run == of.c.run)
        with self.database.transaction() as database:
            return {
                user_id: name
                for some in chunks(users)
                for user_id, name in database.execute(
                    joined.where(of_app(of, app), table.c.user_id.in_(some or ())).group_by(table.c.user_id)
                )
                if isinstance(name, str)
            }

    def writes(self, app: AppKey, users: Collection[int]) -> dict[int, int]:
        """Return how much was written for each of these users, as :meth:`known` does; 0 for nothing yet."""
        found = dict.fromkeys(users, 0)
        with self.database.transaction() as database:
            for some in chunks(set(users)):
                for user_id, count in database.execute(self._sql.writes, {**whose(app), "user_ids": some}):
                    found[user_id] = count if isinstance(count, int) else -1
        return found

    def owner_of(self, app: AppKey, action_id: int) -> int | None:
        """Return the user whose action this is, if this app made or adopted it."""
        table = schema.actions
        found = sa.select(table.c.user_id).where(of_app(table, app), table.c.action_id == action_id)
        with self.database.transaction() as database:
            user_id = database.execute(found).scalar()
        return user_id if isinstance(user_id, int) else None

    def begin(self, app: AppKey, account_id: int, new: NewRun, items: Sequence[ItemRow]) -> tuple[str, int]:
        """Write a run and its items, and adopt what was found to be ours; return its name and its first new number.

        A run that goes on with an interrupted one replaces its items that were not sent. Of a user who was written
        since ``new.seen``, or whose lease another owner has, nothing is adopted or settled.
        """
        sql = self._sql
        with self.database.transaction(write=True) as database:
            run = new.run
            if run is None:
                now = float(database.execute(sql.now).scalar_one())
                run = f"{dt.datetime.fromtimestamp(now, dt.UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
                about = {name: getattr(new, name) for name in ("app", "purpose", "profile", "allow_delete", "manifest")}
                about = {name: clean(value) if isinstance(value, str) else value for name, value in about.items()}
                database.execute(
                    sql.new_run, {**app._asdict(), **about, "run": run, "account_id": account_id, "started": now}
                )
            database.execute(sql.lock_run, {"of_run": run})
            unchanged = self._unchanged(database, app, new)
            database.execute(sql.drop_planned, {"of_run": run})
            self._adopt(database, app, account_id, new, unchanged)
            first = int(database.execute(sql.next_number, {"of_run": run}).scalar_one())
            rows = [
                {"run": run, "number": number, **item_row(item), "outcome": PLANNED, "message": ""}
                for number, item in enumerate(items, first)
            ]
            if rows:
                database.execute(sql.new_items, rows)
        return run, first

    def _adopt(
        self, database: sa.Connection, app: AppKey, account_id: int, found: NewRun | Adopt, users: set[int]
    ) -> None:
        """Settle what was left open of these users, and note what was found to be ours of them."""
        for some in chunks(users if found.app is not None else ()):
            database.execute(self._sql.settle, {**whose(app), "user_ids": some, "of_manifest": clean(found.app or "")})
        for statement, ours in ((self._sql.own, found.as_wanted), (self._sql.keep_ours, found.differing)):
            rows = [
                {**app._asdict(), "account_id": account_id, **action_row(one)}
                for one in sorted(ours, key=lambda one: one.action_id)
                if one.user_id in users
            ]
            if rows:
                database.execute(statement, rows)
        gone = [{**whose(app), "of_action": action_id} for user_id, action_id in sorted(found.gone) if user_id in users]
        if gone:
            database.execute(self._sql.disown, gone)

    def _unchanged(self, database: sa.Connection, app: AppKey, new: NewRun) -> set[int]:
        """Return the users for whom nothing was written since they were read, and nothing is being written."""
        same = set(new.seen)
        for some in chunks(new.seen):
            for user_id, writes, owner in database.execute(self._sql.seen, {**whose(app), "user_ids": some}):
                if owner not in ("", new.owner) or (writes if isinstance(writes, int) else -1) != new.seen[user_id]:
                    same.discard(user_id)
        return same

    def write(self, app: AppKey, changes: Sequence[Change]) -> list[bool]:
        """Write what several users of runs have to say, in one transaction; return whether each could be written.

        An :class:`Intent` is only answered with True soon enough for the request to end before the lease does.
        """
        started = timeouts.now()
        written = [False] * len(changes)
        with self.database.transaction(write=True) as database:
            if self.database.on_postgresql:  # nobody then waits in a circle
                for some in chunks({change.user_id for change in changes}):
                    database.execute(self._sql.seen, {**whose(app), "user_ids": some})
            write = Writer(database, self._sql, app, self._adopt)
            for places in turns(changes):
                for place, done in zip(places, write([changes[place] for place in places]), strict=True):
                    written[place] = done
            write.keep()
        if timeouts.now() - started > MARGIN:
            written = [done and not isinstance(change, Intent) for done, change in zip(written, changes, strict=True)]
        return written

    def extend(self, owners: Collection[str]) -> None:
        """Let the leases of these owners end later: the heartbeat."""
        with self.database.transaction(write=True) as database:
            if self.database.on_postgresql:
                database.execute(self._sql.lock_held, {"owners": list(owners)})
            database.execute(self._sql.extend, {"owners": list(owners)})

    def is_held(self, app: AppKey, users: Collection[int]) -> bool:
        """Return whether a run holds one of these users."""
        with self.database.transaction() as database:
            return any(
                database.execute(self._sql.held, {**whose(app), "user_ids": some}).first() for some in chunks(users)
            )

    def finish(self, run: str) -> None:
        """Note that a run has ended."""
        with self.database.transaction(write=True) as database:
            database.execute(self._sql.finish, {"of_run": run})

    def runs(self, app: AppKey, account_id: int) -> list[Run]:
        """Return all runs of a firm, the oldest first."""
        table = schema.runs
        asked = sa.select(*(table.c[name] for name in _RUN)).where(of_app(table, app), table.c.account_id == account_id)
        with self.database.transaction() as database:
            rows = database.execute(asked.order_by(table.c.started, table.c.run)).all()
        found = []
        for row, run in decoded(Run, _RUN, rows):
            if run is None:
                _log.warning("%s", self._damaged(table, f"run {row[0]!r:.40}"))
            else:
                found.append(run)
        return found

    def run(self, app: AppKey, account_id: int, name: str) -> Run:
        """Return one run of a firm. Raises :class:`InvalidInput` that names the latest when there is no such run."""
        runs = self.runs(app, account_id)
        found = next((run for run in runs if run.run == name), None)
        if found is None:
            latest = ", ".join(run.run for run in runs[-5:]) or "none"
            raise InvalidInput(f"This firm has no run {name[:40]!r}. Its latest runs: {latest}.", field="run")
        return found

    def entries(self, app: AppKey, account_id: int, run: str | None = None) -> list[Entry]:
        """Return the entries of one run, or of all of a firm, in their order."""
        table, of = schema.items, schema.runs
        asked = (
            sa.select(*(table.c[name] for name in Entry._fields))
            .join_from(table, of, table.c.run == of.c.run)
            .where(of_app(of, app), of.c.account_id == account_id)
            .order_by(of.c.started, of.c.run, table.c.number)
        )
        with self.database.transaction() as database:
            rows = database.execute(asked if run is None else asked.where(of.c.run == run)).all()
        return [
            _damaged_entry(row, self._damaged(table, f"run {row[0]!r:.40}, number {row[1]!r:.40}"))
            if entry is None
            else entry
            for row, entry in decoded(Entry, Entry._fields, rows)
        ]

    def claim(self, kind: str, digest: bytes, seconds: float) -> bool:
        """Return True to the first who claims this digest within so many seconds, in all processes."""
        with self.database.transaction(write=True) as database:
            database.execute(self._sql.forget)
            claimed = database.execute(self._sql.claim, {"kind": kind, "digest": digest, "seconds": seconds})
            return bool(claimed.rowcount == 1)

    def _damaged(self, table: sa.Table, row: str) -> str:
        said = f"{self.database.name}: a row of {table.name} is damaged ({row}). {_MEND}"
        _log.warning("%s", said)
        return said


def _damaged_entry(row: Sequence[Any], said: str) -> Entry:
    number, user_id = (value if isinstance(value, int) else 0 for value in row[1:3])
    return Entry(str(row[0]), number, user_id, "", Kind.BLOCKED, "", None, None, None, DAMAGED, said, None)
