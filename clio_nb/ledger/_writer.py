"""Writes what the users of runs have to say, in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from ..database.firm_key import AppKey
from ._rows import action_row, clean
from ._statements import Statements, whose
from .records import (
    PLANNED,
    SENT,
    ActionFields,
    Adopt,
    Change,
    Ended,
    Intent,
    Outcome,
    Owned,
    Release,
    Take,
)


class Writer:
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


def turns(changes: Sequence[Change]) -> list[list[int]]:
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
