"""The statements of the ledger, built once: building one takes longer than running it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from ..database.database import Database
from ..database.firm_key import AppKey
from ..database.schema import HELD, OPEN, actions, claims, firms, items, kept, runs, users
from ..http.network import DEADLINE
from .records import PLANNED, SENT, SETTLED, Outcome

LEASE: Final = 90.0  # seconds, by the database's clock
MARGIN: Final = 15.0  # seconds that may pass between the note of an intent and its request
_FORGOTTEN: Final = 100  # expired claims that go when a new one is written


_Value: TypeAlias = sa.BindParameter[Any]


class Statements:
    """What the ledger sends to a database."""

    def __init__(self, database: Database) -> None:
        now, insert = database.now(), database.insert
        app: dict[str, _Value] = {"site": sa.bindparam("of_site"), "client_id": sa.bindparam("of_client_id")}
        owner: _Value = sa.bindparam("of_owner")
        user: _Value = sa.bindparam("of_user")
        run: _Value = sa.bindparam("of_run")
        held = sa.and_(users.c.user_id == user, users.c.lease_owner == owner, *_same(users, app))
        counted = users.c.writes.between(0, 2**62)  # else the row is damaged
        more = sa.case((counted, sa.cast(users.c.writes, sa.BigInteger) + 1), else_=1)

        self.now = sa.select(now)
        self.learn = _upsert(insert(firms), firms, ("account_id", "name"))
        self.own = _upsert(insert(actions), actions, _OWNED)
        self.keep_ours = insert(actions).on_conflict_do_update(
            index_elements=list(actions.primary_key.columns),
            set_={name: insert(actions).excluded[name] for name in _OWNED},
            where=actions.c.created_at.is_distinct_from(insert(actions).excluded.created_at),
        )  # it keeps the fields that we gave it, unless its id came to another action
        self.disown = sa.delete(actions).where(actions.c.action_id == sa.bindparam("of_action"), *_same(actions, app))
        self.keep = insert(kept).on_conflict_do_nothing()

        self.take = insert(users).values(**app, user_id=user, lease_owner=owner, lease_until=now + LEASE, writes=0)
        mine = users.c.lease_owner.in_(("", owner))
        self.take = self.take.on_conflict_do_update(
            index_elements=list(users.primary_key.columns),
            # who had it before may have been cut off in the middle of a write
            set_={
                "lease_owner": owner,
                "lease_until": now + LEASE,
                "writes": sa.case((mine, users.c.writes), else_=more),
            },
            where=mine | database.over(users.c.lease_until, LEASE),
        ).execution_options(preserve_rowcount=True)
        account = sa.select(runs.c.account_id).where(runs.c.run == run).scalar_subquery()
        self.count = sa.update(users).where(held).values(writes=more)
        self.hold = self.count.where(
            users.c.lease_until > now + (DEADLINE + MARGIN), ~database.over(users.c.lease_until, LEASE)
        ).values(account_id=sa.func.coalesce(account, users.c.account_id))
        self.holder = sa.select(users.c.user_id).where(held).with_for_update()
        self.release = sa.update(users).where(held).values(lease_owner="", lease_until=0)
        item = sa.and_(items.c.run == run, items.c.number == sa.bindparam("of_number"), items.c.user_id == user)
        still_open = sa.or_(items.c.outcome == PLANNED, items.c.outcome == SENT)
        self.send = sa.update(items).where(item, still_open).values(outcome=SENT, at=now)
        outcome = sa.bindparam("new_outcome", type_=sa.String)
        before: list[_Value] = [sa.bindparam(name) for name in ("of_sent", "of_same", "of_planned")]
        self.end = (
            sa.update(items)
            .where(item, sa.or_(*(items.c.outcome == one for one in before)))
            .values(
                outcome=outcome,
                message=sa.bindparam("new_message"),
                action_id=sa.func.coalesce(sa.bindparam("new_action", type_=sa.BigInteger), items.c.action_id),
                at=sa.case((outcome == Outcome.NOT_SENT.value, None), else_=items.c.at),
            )
        )
        self.lock_held = (
            sa.select(users.c.user_id)
            .where(HELD, users.c.lease_owner.in_(sa.bindparam("owners", expanding=True)))
            .order_by(users.c.site, users.c.client_id, users.c.user_id)
            .with_for_update()
        )  # in the order in which others lock them
        self.extend = (
            sa.update(users)
            .where(HELD, users.c.lease_owner.in_(sa.bindparam("owners", expanding=True)))
            .values(lease_until=now + LEASE)
        )

        self.held = (
            sa.select(sa.literal(1))
            .where(HELD, ~database.over(users.c.lease_until, LEASE), *_same(users, app))
            .where(users.c.user_id.in_(sa.bindparam("user_ids", expanding=True)))
            .limit(1)
        )

        self.lock_run = sa.select(runs.c.run).where(runs.c.run == run).with_for_update()
        self.drop_planned = sa.delete(items).where(items.c.run == run, items.c.outcome == PLANNED)
        self.next_number = sa.select(sa.func.coalesce(sa.func.max(sa.cast(items.c.number, sa.Integer)), -1) + 1).where(
            items.c.run == run
        )
        self.new_run = sa.insert(runs)
        self.new_items = sa.insert(items)
        ids: _Value = sa.bindparam("user_ids", expanding=True)
        self.seen = (
            sa.select(users.c.user_id, users.c.writes, users.c.lease_owner)
            .where(users.c.user_id.in_(ids), *_same(users, app))
            .order_by(users.c.user_id)
            .with_for_update()
        )
        self.writes = sa.select(users.c.user_id, users.c.writes).where(users.c.user_id.in_(ids), *_same(users, app))
        self.about = sa.select(runs.c.account_id, runs.c.app).where(runs.c.run == run)
        of_app = sa.select(runs.c.run).where(*_same(runs, app), runs.c.app == sa.bindparam("of_manifest"))
        self.settle = sa.update(items).where(OPEN, items.c.user_id.in_(ids), items.c.run.in_(of_app))
        self.settle = self.settle.values(outcome=SETTLED)
        self.finish = sa.update(runs).where(runs.c.run == run).values(finished=now)

        self.claim = insert(claims).values(
            kind=sa.bindparam("kind"),
            digest=sa.bindparam("digest"),
            until=now + sa.bindparam("seconds", type_=sa.Double),
        )
        self.claim = self.claim.on_conflict_do_update(
            index_elements=list(claims.primary_key.columns),
            set_={"until": now + sa.bindparam("seconds", type_=sa.Double)},
            where=claims.c.until <= now,
        ).execution_options(preserve_rowcount=True)
        over = sa.select(claims.c.kind, claims.c.digest).where(claims.c.until <= now).limit(_FORGOTTEN)
        over = over.with_for_update(skip_locked=True)
        self.forget = sa.delete(claims).where(sa.tuple_(claims.c.kind, claims.c.digest).in_(over))


_OWNED: Final = ("user_id", "account_id", "manifest", "key", "fields", "created_at")


def whose(app: AppKey) -> dict[str, object]:
    """Return the parameters that say which app."""
    return {"of_site": app.site, "of_client_id": app.client_id}


def _same(table: sa.Table, values: dict[str, Any]) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in values.items()]


def _upsert(insert: Any, table: sa.Table, names: Iterable[str]) -> Any:
    return insert.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_={name: insert.excluded[name] for name in names}
    )
