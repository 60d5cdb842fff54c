"""The history of launches: one row for each, refusals counted by the minute, and what each recording process leaves.

What a process has to write goes in groups. The mark of the process counts them in the transaction that writes the
group, so no group is there twice, also when a process did not hear that its transaction was done.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from ..database import schema
from ..database.database import Database
from ..database.firm_key import AppKey
from ._queries import chunks, of_app
from ._rows import clean, decoded
from .launches import BEAT, Gap, Group, LaunchRow, Process, Refused

SILENT: Final = 2 * BEAT  # a mark that is older, and was not closed, is of a process that was killed
_STORED: Final = [name for name in LaunchRow._fields if name != "user"]
FORGOTTEN: Final = 500  # old rows of each kind that go when a group is written


class History:
    """The history in a database. Each verb is one transaction, and raises :class:`VaultError` when it fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, process: Process, group: Group, now: float, keep: float, *, closing: bool = False) -> None:
        """Write the next group of a process, to be kept so long, unless it is there already; delete what is over."""
        with self._database.transaction(write=True) as connection:
            if self._counted(connection, process, now, keep, closing=closing):
                if group.lost_since is not None:
                    lost = {"started": group.lost_since, "flushed": group.lost_since, "closed": now, "lost": True}
                    name = f"{process.name[:24]}-{process.groups + 1}"
                    mark = {**process.app._asdict(), **lost, "process": name, "groups": 0, "until": now + keep}
                    connection.execute(sa.insert(schema.recorders), mark)
                self._write_launches(connection, process, group.launches, keep)
                self._write_refusals(connection, process.app, group.refusals, keep)
                self._delete_old(connection, process.app, now)
        process.groups += 1
        process.rows += len(group.launches)

    def _counted(self, connection: sa.Connection, process: Process, now: float, keep: float, *, closing: bool) -> bool:
        """Count a group in the mark of its process; return False when that was done before."""
        table = schema.recorders
        mark: dict[str, object] = {"flushed": now, "closed": now if closing else None, "groups": process.groups + 1}
        mark["until"] = now + keep
        made = {"process": process.name, **process.app._asdict(), "started": process.started, "lost": False}
        insert = self._database.insert(table).values(**made, **mark)
        insert = insert.on_conflict_do_update(
            index_elements=[table.c.process], set_=mark, where=table.c.groups == process.groups
        ).execution_options(preserve_rowcount=True)
        return bool(connection.execute(insert).rowcount == 1)

    def _write_launches(
        self, connection: sa.Connection, process: Process, rows: Sequence[LaunchRow], keep: float
    ) -> None:
        firms = self._firms(connection, process.app, {row.user_id for row in rows if row.user_id and not row.firm})
        keys = self._keys(connection, process.app, {row.action_id for row in rows if row.action_id})
        values = [
            {
                **process.app._asdict(),
                **{name: getattr(row, name) for name in _STORED},
                "process": process.name,
                "number": number,
                "at": row.at.timestamp(),
                "until": row.at.timestamp() + keep,
                "firm": clean(row.firm or firms.get(row.user_id or 0, "")),
                "key": keys.get((row.user_id, row.action_id)),
            }
            for number, row in enumerate(rows, process.rows)
        ]
        if values:
            connection.execute(sa.insert(schema.launches), values)

    def _firms(self, connection: sa.Connection, app: AppKey, users: Collection[int]) -> dict[int, str]:
        """Return the firm of each user who has a token in one firm of this app."""
        table, found = schema.grants, dict[int, set[str]]()
        for some in chunks(users):
            asked = sa.select(table.c.user_id, table.c.firm).where(of_app(table, app), table.c.user_id.in_(some or ()))
            for user_id, firm in connection.execute(asked):
                found.setdefault(user_id, set()).add(firm)
        return {user_id: firms.pop() for user_id, firms in found.items() if len(firms) == 1}

    def _keys(
        self, connection: sa.Connection, app: AppKey, actions: Collection[int]
    ) -> dict[tuple[int | None, int | None], str | None]:
        """Return the key that each action of ours has in its manifest, by user and action."""
        table = schema.actions
        asked = sa.select(table.c.user_id, table.c.action_id, table.c.key).where(of_app(table, app))
        return {
            (user_id, action_id): key or None
            for some in chunks(actions)
            for user_id, action_id, key in connection.execute(asked.where(table.c.action_id.in_(some or ())))
        }

    def _write_refusals(
        self, connection: sa.Connection, app: AppKey, counts: Counter[tuple[int, str, str]], keep: float
    ) -> None:
        table = schema.refusals
        insert = self._database.insert(table)
        insert = insert.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_={
                "count": table.c.count + insert.excluded["count"],
                "until": sa.case((table.c.until > insert.excluded.until, table.c.until), else_=insert.excluded.until),
            },
        )
        rows = [  # in an order that is the same for all processes, so that nobody waits in a circle
            {**app._asdict(), "minute": minute, "firm": clean(firm), "reason": reason, "count": count}
            | {"until": minute * 60 + keep}
            for (minute, firm, reason), count in sorted(counts.items())
        ]
        if rows:
            connection.execute(insert, rows)

    def _delete_old(self, connection: sa.Connection, app: AppKey, now: float) -> None:
        for table in (schema.launches, schema.refusals, schema.recorders):
            key = list(table.primary_key.columns)
            old = sa.select(*key).where(of_app(table, app), table.c.until < now).limit(FORGOTTEN)
            old = old.with_for_update(skip_locked=True)
            connection.execute(sa.delete(table).where(sa.tuple_(*key).in_(old)))

    def launches(self, app: AppKey, firms: Collection[str] | None, since: dt.datetime | None) -> list[LaunchRow]:
        """Return the launches of these firms and those of no known firm, oldest first; None stands for all firms."""
        table = schema.launches
        asked = sa.select(*(table.c[name] for name in _STORED)).where(of_app(table, app))
        asked = asked.where(_of_firms(table, firms)).order_by(table.c.at, table.c.process, table.c.number)
        if since is not None:
            asked = asked.where(table.c.at >= since.timestamp())
        return list(self._read(LaunchRow, _STORED, asked))

    def refusals(self, app: AppKey, firms: Collection[str] | None, since: dt.datetime | None) -> list[Refused]:
        """Return what was refused of these firms, as :meth:`launches` does, minute by minute."""
        table = schema.refusals
        minute = (table.c.minute * 60).label("minute")
        asked = sa.select(minute, table.c.firm, table.c.reason, table.c["count"].label("launches"))
        asked = asked.where(of_app(table, app), _of_firms(table, firms)).order_by(*list(table.primary_key.columns)[2:])
        if since is not None:
            asked = asked.where(table.c.minute >= int(since.timestamp() // 60))
        return list(self._read(Refused, Refused._fields, asked))

    def gaps(self, app: AppKey, since: dt.datetime | None, now: float) -> list[Gap]:
        """Return when launches may be missing: after a process that was killed, and while one had no database."""
        table = schema.recorders
        killed = sa.and_(table.c.closed.is_(None), table.c.flushed < now - SILENT)
        until = sa.func.coalesce(table.c.closed, table.c.flushed + BEAT).label("until")
        asked = sa.select(table.c.flushed, until, table.c.process).where(of_app(table, app), table.c.lost | killed)
        if since is not None:
            asked = asked.where(until >= since.timestamp())
        return list(self._read(Gap, Gap._fields, asked.order_by(table.c.flushed, table.c.process)))

    def erase(self, app: AppKey, account_id: int, user_id: int) -> int:
        """Delete a user's launches, and her name wherever the ledger has it; return how many launches there were."""
        mine = {"user": "", "message": ""}  # a message may begin with her name
        runs = sa.select(schema.runs.c.run).where(of_app(schema.runs, app), schema.runs.c.account_id == account_id)
        with self._database.transaction(write=True) as connection:
            connection.execute(
                sa.update(schema.items)
                .where(schema.items.c.user_id == user_id, schema.items.c.run.in_(runs))
                .values(**mine)
            )
            table = schema.people
            connection.execute(sa.delete(table).where(of_app(table, app), table.c.user_id == user_id))
            table = schema.launches
            gone = connection.execute(sa.delete(table).where(of_app(table, app), table.c.user_id == user_id))
            return int(gone.rowcount)

    def _read(self, into: Any, names: Sequence[str], asked: sa.Select[Any]) -> Iterator[Any]:
        """Give the rows of a question as records; a damaged one is left out."""
        with self._database.transaction() as connection:
            rows = connection.execute(asked).all()
        return (record for _, record in decoded(into, names, rows) if record is not None)


def _of_firms(table: sa.Table, firms: Collection[str] | None) -> sa.ColumnElement[bool]:
    return sa.true() if firms is None else table.c.firm.in_({*firms, ""})
