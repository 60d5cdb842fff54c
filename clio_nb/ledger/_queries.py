"""What the ledger asks a database for, of some users or of a whole firm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import sqlalchemy as sa

from ..database import schema
from ..database.firm_key import AppKey
from .records import Kind

ACTION: Final = ("user_id", "action_id", "manifest", "key", "fields", "created_at")
_CHUNK: Final = 500


def of_app(table: sa.Table, app: AppKey) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.site == app.site, table.c.client_id == app.client_id)


def chunks(users: Iterable[int] | None) -> Iterator[list[int] | None]:
    """Give the users a few hundred at a time: databases bound how much one statement may name."""
    if users is None:
        yield None
        return
    several = sorted(users)
    for start in range(0, len(several), _CHUNK):
        yield several[start : start + _CHUNK]


def among(table: sa.Table, firm: sa.Table, account_id: int, users: list[int] | None) -> sa.ColumnElement[bool]:
    return firm.c.account_id == account_id if users is None else table.c.user_id.in_(users)


def writes_of(app: AppKey, account_id: int, users: list[int] | None) -> sa.Select[Any]:
    table = schema.users
    return sa.select(table.c.user_id, table.c.writes).where(of_app(table, app), among(table, table, account_id, users))


def owned_of(app: AppKey, account_id: int, users: list[int] | None) -> sa.Select[Any]:
    table = schema.actions
    return sa.select(*(table.c[name] for name in ACTION)).where(
        of_app(table, app), among(table, table, account_id, users)
    )


def lost_of(app: AppKey, account_id: int, users: list[int] | None) -> sa.Select[Any]:
    table, of = schema.items, schema.runs
    return (
        sa.select(table.c.run, table.c.number, table.c.user_id, of.c.app, table.c.key, table.c.after)
        .join_from(table, of, table.c.run == of.c.run)
        .where(of_app(of, app), among(table, of, account_id, users), table.c.kind == Kind.CREATE.value, schema.OPEN)
        .order_by(table.c.at)
    )


def kept_of(app: AppKey) -> sa.Select[Any]:
    return sa.select(schema.kept.c.asked, schema.kept.c.kept).where(schema.kept.c.site == app.site)
