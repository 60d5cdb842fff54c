"""Writes what the users of runs have to say, in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from ..database import schema
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
    ItemRow,
    Outcome,
    Owned,
    Release,
    Take,
)


class Writer:
    """Writes one change after the other, in one transaction."""

    def __init__(self, database: sa.Connection, sql: Statements, app: AppKey, adopt: Callable[..., None]) -> None:
        self._database = database
        self._sql = sql
        self._app = app
        self._adopt = adopt
        self._runs: dict[str, tuple[Any, ...]] = {}
        self._kept: dict[str, dict[str, object]] = {}

    def keep(self) -> None:
        """Write what Clio keeps differently, in an order that is the same for everyone."""
        for digest in sorted(self._kept):
            self._database.execute(self._sql.keep, self._kept[digest])

    def __call__(self, change: Change) -> bool:
        user = {**whose(self._app), "of_user": change.user_id, "of_owner": change.owner}
        match change:
            case Take():
                return self._done(self._sql.take, user)
            case Release():
                return self._done(self._sql.release, user)
            case Adopt():
                held = self._database.execute(self._sql.holder, user).first() is not None
                self._adopt(self._database, self._app, change.account_id, change, {change.user_id} if held else set())
                return held
            case Intent():
                item = {"of_run": change.run, "of_number": change.number, "of_user": change.user_id}
                return self._done(self._sql.hold, {**user, "of_run": change.run}) and self._done(self._sql.send, item)
            case Ended():
                return self._ended(change, user)

    def _ended(self, change: Ended, user: dict[str, Any]) -> bool:
        held = self._done(self._sql.count, user)
        before = [SENT, change.outcome.value] if held else []
        if change.outcome not in (Outcome.DONE, Outcome.UNKNOWN):
            before.append(PLANNED)
        action_id = change.action.id if change.action else None
        ended = {
            "of_run": change.run,
            "of_number": change.number,
            "of_user": change.user_id,
            "of_outcomes": before,
            "new_outcome": change.outcome.value,
            "new_message": clean(change.message),
            "new_action": action_id,
        }
        if not before or not self._done(self._sql.end, ended):
            return False
        if change.item is not None:
            self._note_ours(change.run, change.item, change)
        return True

    def _note_ours(self, run: str, item: ItemRow, change: Ended) -> None:
        if change.action is None:
            self._database.execute(self._sql.disown, {**whose(self._app), "of_action": item.action_id})
            return
        table = schema.runs
        if run not in self._runs:
            found = sa.select(table.c.account_id, table.c.app).where(table.c.run == run)
            self._runs[run] = tuple(self._database.execute(found).one())
        account_id, manifest = self._runs[run]
        fields = ActionFields.of(change.action)
        made = Owned(item.user_id, change.action.id, manifest, item.key, fields, change.action.created_at)
        self._database.execute(self._sql.own, {**self._app._asdict(), "account_id": account_id, **action_row(made)})
        for asked, now in fields.kept_for(item.after):
            digest = hashlib.sha256(f"{asked}\0{now}".encode(errors="replace")).hexdigest()
            pair: dict[str, object] = {"site": self._app.site, "asked": clean(asked), "kept": clean(now)}
            self._kept[digest] = {**pair, "digest": digest}

    def _done(self, statement: Any, values: dict[str, Any]) -> bool:
        return bool(self._database.execute(statement, values).rowcount == 1)
