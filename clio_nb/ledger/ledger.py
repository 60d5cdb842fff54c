"""The ledger of all firms in a database: what was done, what is being done, and what is ours.

An intent is written before each request and its outcome after it, so that a run that is killed at any point can be
resumed, undone and reported, by any process. Each user has a lease, so that two processes never write for her at once.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import logging
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from ..database import schema
from ..database.database import Database
from ..database.firm_key import AppKey, FirmKey
from ..errors import InvalidInput
from ..http import timeouts
from ..models import Account
from ._rows import action_row, clean, decoded, item_row
from ._statements import MARGIN, Statements, whose
from .records import (
    PLANNED,
    SENT,
    ActionFields,
    Adopt,
    Change,
    Ended,
    Entry,
    Intent,
    ItemRow,
    Kind,
    Known,
    Lost,
    NewRun,
    Outcome,
    Owned,
    Release,
    Run,
    Take,
)

DAMAGED: Final = "damaged"
_CHUNK: Final = 500
_ACTION: Final = ("user_id", "action_id", "manifest", "key", "fields", "created_at")
_RUN: Final = ("run", "app", "purpose", "profile", "allow_delete", "manifest", "started", "finished")
_MEND: Final = "Restore the database from a backup, or delete that row."
_log: Final = logging.getLogger("clio_nb.ledger")


class Ledger:
    """The ledger in a database. Each verb is one transaction; it raises :class:`VaultError` when the database fails."""

    def __init__(self, database: Database) -> None:
        self.database: Final = database

    @functools.cached_property
    def _sql(self) -> Statements:
        return Statements(self.database)

    def firm_id(self, key: FirmKey) -> int | None:
        """Return Clio's account id of a firm, or None when it is not known yet."""
        account_id = self._firm(key)[0]
        return account_id if isinstance(account_id, int) else None

    def learn_firm(self, key: FirmKey, account: Account) -> None:
        """Note which account a firm is. Nothing is written when that is known already."""
        name = clean(account.name or "")
        if self._firm(key) == (account.id, name):
            return
        with self.database.transaction(write=True) as database:
            database.execute(self._sql.learn, {**key._asdict(), "account_id": account.id, "name": name})

    def _firm(self, key: FirmKey) -> tuple[object, object]:
        table = schema.firms
        found = sa.select(table.c.account_id, table.c.name).where(_of(table, key.app), table.c.firm == key.firm)
        with self.database.transaction() as database:
            row = database.execute(found).one_or_none()
        return (None, None) if row is None else (row[0], row[1])

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
            for some in _chunks(users):
                # first how much was written: what is written meanwhile is then told from what was read
                for user_id, count in database.execute(_writes(app, account_id, some)):
                    writes[user_id] = count if isinstance(count, int) else -1
                rows = database.execute(_owned(app, account_id, some)).all()
                for row, one in decoded(Owned, _ACTION, rows):
                    if one is None:
                        damaged(schema.actions, row[0], f"action {row[1]!r:.40}")
                    else:
                        owned.append(one)
                rows = database.execute(_lost(app, account_id, some)).all()
                for row, create in decoded(Lost, ("user_id", "app", "key", "fields"), [row[2:] for row in rows]):
                    if create is None:
                        damaged(schema.items, row[0], "a create")
                    else:
                        lost.append(create)
            kept = database.execute(_kept(app)).all()
        pairs = frozenset((asked, now) for asked, now in kept if isinstance(asked, str) and isinstance(now, str))
        return Known(owned, lost, pairs, writes, problems, notes)

    def names(self, app: AppKey, account_id: int, users: Collection[int]) -> dict[int, str]:
        """Return what users were called when something was written for them: for those whom Clio lists no more."""
        table, of = schema.items, schema.runs
        joined = sa.select(table.c.user_id, sa.func.max(table.c.user)).join_from(table, of, table.c.run == of.c.run)
        with self.database.transaction() as database:
            return {
                user_id: name
                for some in _chunks(users)
                for user_id, name in database.execute(
                    joined.where(_of(of, app), _among(table, of, account_id, some)).group_by(table.c.user_id)
                )
                if isinstance(name, str)
            }
    def writes(self, app: AppKey, users: Collection[int]) -> dict[int, int]:
        """Return how much was written for each of these users, as :meth:`known` does; 0 for nothing yet."""
        found = dict.fromkeys(users, 0)
        with self.database.transaction() as database:
            for some in _chunks(set(users)):
                for user_id, count in database.execute(self._sql.writes, {**whose(app), "user_ids": some}):
                    found[user_id] = count if isinstance(count, int) else -1
        return found

    def owner_of(self, app: AppKey, action_id: int) -> int | None:
        """Return the user whose action this is, if this app made or adopted it."""
        table = schema.actions
        found = sa.select(table.c.user_id).where(_of(table, app), table.c.action_id == action_id)
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
        for some in _chunks(users if found.app is not None else ()):
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
        for some in _chunks(new.seen):
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
                for some in _chunks({change.user_id for change in changes}):
                    database.execute(self._sql.seen, {**whose(app), "user_ids": some})
            write = _Writer(database, self._sql, app, self._adopt)
            for places in _turns(changes):
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
                database.execute(self._sql.held, {**whose(app), "user_ids": some}).first() for some in _chunks(users)
            )

    def finish(self, run: str) -> None:
        """Note that a run has ended."""
        with self.database.transaction(write=True) as database:
            database.execute(self._sql.finish, {"of_run": run})

    def runs(self, app: AppKey, account_id: int) -> list[Run]:
        """Return all runs of a firm, the oldest first."""
        table = schema.runs
        asked = sa.select(*(table.c[name] for name in _RUN)).where(_of(table, app), table.c.account_id == account_id)
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
            .where(_of(of, app), of.c.account_id == account_id)
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


class _Writer:
    """Writes changes of one kind after those of another, in one transaction."""

    def __init__(self, database: sa.Connection, sql: Statements, app: AppKey, adopt: Callable[..., None]) -> None:
        self._database = database
        self._sql = sql
        self._app = app
        self._whose = whose(app)
        self._adopt = adopt
        self._kept: dict[str, dict[str, object]] = {}

    def keep(self) -> None:
        """Write what Clio keeps differently, in an order that is the same for everyone."""
        if self._kept:
            self._database.execute(self._sql.keep, [self._kept[digest] for digest in sorted(self._kept)])

    def __call__(self, changes: Sequence[Any]) -> list[bool]:
        """Write changes of one kind; return whether each could be written."""
        match changes[0]:
            case Take():
                return self._done(self._sql.take, [self._user(change) for change in changes])
            case Release():
                return self._done(self._sql.release, [self._user(change) for change in changes])
            case Adopt():
                return [self._adopted(change) for change in changes]
            case Intent():
                return self._sent(changes)
            case _:
                return self._ended(changes)

    def _user(self, change: Change) -> dict[str, object]:
        return {**self._whose, "of_user": change.user_id, "of_owner": change.owner}

    def _adopted(self, change: Adopt) -> bool:
        held = self._database.execute(self._sql.holder, self._user(change)).first() is not None
        self._adopt(self._database, self._app, change.account_id, change, {change.user_id} if held else set())
        return held

    def _sent(self, intents: Sequence[Intent]) -> list[bool]:
        each = [(change.user_id, change.owner, change.run) for change in intents]
        users = {key: {**self._user(change), "of_run": change.run} for key, change in zip(each, intents, strict=True)}
        held = dict(zip(users, self._done(self._sql.hold, list(users.values())), strict=True))
        items = [_item(change) if held[key] else None for key, change in zip(each, intents, strict=True)]
        return self._done(self._sql.send, items)

    def _ended(self, ends: Sequence[Ended]) -> list[bool]:
        users = {(change.user_id, change.owner): self._user(change) for change in ends}
        held = dict(zip(users, self._done(self._sql.count, list(users.values())), strict=True))
        items = [_ended_item(change, held=held[change.user_id, change.owner]) for change in ends]
        done = self._done(self._sql.end, items)
        self._note_ours([change for change, noted in zip(ends, done, strict=True) if noted and change.item])
        return done

    def _note_ours(self, ends: Sequence[Ended]) -> None:
        gone = [{**self._whose, "of_action": end.item.action_id} for end in ends if end.item and end.action is None]
        if gone:
            self._database.execute(self._sql.disown, gone)
        runs = {end.run for end in ends if end.action is not None}
        about = {run: self._database.execute(self._sql.about, {"of_run": run}).one() for run in runs}
        rows = []
        for end in ends:
            if end.item is None or end.action is None:
                continue
            account_id, manifest = about[end.run]
            fields = ActionFields.of(end.action)
            made = Owned(end.item.user_id, end.action.id, manifest, end.item.key, fields, end.action.created_at)
            rows.append({**self._app._asdict(), "account_id": account_id, **action_row(made)})
            for asked, now in fields.kept_for(end.item.after):
                digest = hashlib.sha256(f"{asked}\0{now}".encode(errors="replace")).hexdigest()
                pair: dict[str, object] = {"site": self._app.site, "asked": clean(asked), "kept": clean(now)}
                self._kept[digest] = {**pair, "digest": digest}
        if rows:
            self._database.execute(self._sql.own, rows)

    def _done(self, statement: Any, rows: Sequence[dict[str, Any] | None]) -> list[bool]:
        """Run a statement for each row that is not None; return for which it changed something.

        A database counts only the changes of all rows, so they run together for as long as all change something, which
        is the rule; where one does not, each runs alone.
        """
        several = [row for row in rows if row is not None]
        if len(several) > 1:
            with self._database.begin_nested() as together:
                if self._database.execute(statement, several).rowcount == len(several):
                    return [row is not None for row in rows]
                together.rollback()
        return [row is not None and self._database.execute(statement, row).rowcount == 1 for row in rows]


_ORDER: Final = (Ended, Adopt, Release, Take, Intent)


def _turns(changes: Sequence[Change]) -> list[list[int]]:
    """Return the places of the changes kind by kind, as far as the order of each user's own changes allows."""
    last: dict[int, int] = {}
    turns: dict[int, list[int]] = {}
    for place, change in enumerate(changes):
        before = last.get(change.user_id, 0)
        turn = last[change.user_id] = before + (_ORDER.index(type(change)) - before) % len(_ORDER)
        turns.setdefault(turn, []).append(place)
    return [sorted(turns[turn], key=lambda place: changes[place].user_id) for turn in sorted(turns)]


def _item(change: Intent | Ended) -> dict[str, object]:
    return {"of_run": change.run, "of_number": change.number, "of_user": change.user_id}


def _ended_item(change: Ended, *, held: bool) -> dict[str, object] | None:
    unsent = change.outcome not in (Outcome.DONE, Outcome.UNKNOWN)
    if not held and not unsent:
        return None
    return {
        **_item(change),
        "of_sent": SENT if held else "",
        "of_same": change.outcome.value if held else "",
        "of_planned": PLANNED if unsent else "",
        "new_outcome": change.outcome.value,
        "new_message": clean(change.message),
        "new_action": change.action.id if change.action else None,
    }


def _of(table: sa.Table, app: AppKey) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.site == app.site, table.c.client_id == app.client_id)


def _chunks(users: Iterable[int] | None) -> Iterator[list[int] | None]:
    """Give the users a few hundred at a time: databases bound how much one statement may name."""
    if users is None:
        yield None
        return
    several = sorted(users)
    for start in range(0, len(several), _CHUNK):
        yield several[start : start + _CHUNK]


def _among(table: sa.Table, firm: sa.Table, account_id: int, users: list[int] | None) -> sa.ColumnElement[bool]:
    return firm.c.account_id == account_id if users is None else table.c.user_id.in_(users)


def _writes(app: AppKey, account_id: int, users: list[int] | None) -> sa.Select[Any]:
    table = schema.users
    return sa.select(table.c.user_id, table.c.writes).where(_of(table, app), _among(table, table, account_id, users))


def _owned(app: AppKey, account_id: int, users: list[int] | None) -> sa.Select[Any]:
    table = schema.actions
    return sa.select(*(table.c[name] for name in _ACTION)).where(
        _of(table, app), _among(table, table, account_id, users)
    )


def _lost(app: AppKey, account_id: int, users: list[int] | None) -> sa.Select[Any]:
    table, of = schema.items, schema.runs
    return (
        sa.select(table.c.run, table.c.number, table.c.user_id, of.c.app, table.c.key, table.c.after)
        .join_from(table, of, table.c.run == of.c.run)
        .where(_of(of, app), _among(table, of, account_id, users), table.c.kind == Kind.CREATE.value, schema.OPEN)
        .order_by(table.c.at)
    )


def _kept(app: AppKey) -> sa.Select[Any]:
    return sa.select(schema.kept.c.asked, schema.kept.c.kept).where(schema.kept.c.site == app.site)


def _damaged_entry(row: Sequence[Any], said: str) -> Entry:
    number, user_id = (value if isinstance(value, int) else 0 for value in row[1:3])
    return Entry(str(row[0]), number, user_id, "", Kind.BLOCKED, "", None, None, None, DAMAGED, said, None)
