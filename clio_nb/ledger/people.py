"""Who the people of a firm are, as Clio last listed them: so that a page about all of them needs no request."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from ..database import schema
from ..database.database import Database
from ..database.firm_key import AppKey
from ..models import User
from ._rows import clean


def keep_people(database: Database, app: AppKey, account_id: int, users: Iterable[User]) -> None:
    """Keep the list of a firm's users in place of the one before."""
    table = schema.people
    rows = [
        {
            **app._asdict(),
            "account_id": account_id,
            "user_id": user.id,
            "user": clean(msgspec.json.encode(user).decode()),
        }
        for user in users
    ]
    with database.transaction(write=True) as connection:
        connection.execute(sa.delete(table).where(_of(app, account_id)))
        if rows:
            insert = database.insert(table)
            listed = {name: insert.excluded[name] for name in ("account_id", "user")}
            connection.execute(insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=listed), rows)


def people(database: Database, app: AppKey, account_id: int) -> list[User]:
    """Return the users of a firm as they were last listed; a damaged row is left out until the next list."""
    table = schema.people
    with database.transaction() as connection:
        rows = connection.execute(sa.select(table.c.user).where(_of(app, account_id)).order_by(table.c.user_id)).all()
    found = []
    for (text,) in rows:
        try:
            found.append(msgspec.json.decode(text, type=User))
        except (msgspec.MsgspecError, TypeError):
            continue
    return found


def counts(database: Database, app: AppKey) -> dict[int, int]:
    """Return how many people each firm of an app had when they were last listed, by Clio's account id."""
    table = schema.people
    found = sa.select(table.c.account_id, sa.func.count()).group_by(table.c.account_id)
    with database.transaction() as connection:
        rows = connection.execute(found.where(table.c.site == app.site, table.c.client_id == app.client_id)).all()
    return {account_id: count for account_id, count in rows}  # noqa: C416 -- rows, which are no pairs to mypy


def _of(app: AppKey, account_id: int) -> sa.ColumnElement[bool]:
    table = schema.people
    return sa.and_(table.c.site == app.site, table.c.client_id == app.client_id, table.c.account_id == account_id)
