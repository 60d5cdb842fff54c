"""All tables, and the version of them all."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

VERSION: Final = 3
"""1 had the first two tables only, and did not say so; 2 had no history of launches."""

meta: Final = sa.MetaData()


def _app() -> tuple[sa.Column[str], sa.Column[str]]:
    """Return the columns that say whose a row is: an app's, at one Clio."""
    return sa.Column("site", sa.String(200), primary_key=True), sa.Column("client_id", sa.String(200), primary_key=True)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=nullable)  # seconds since the epoch, by the database's clock


settings: Final = sa.Table(
    "clio_nb_vault",
    meta,
    sa.Column("name", sa.String(20), primary_key=True),
    sa.Column("value", sa.String(64), nullable=False),
)
grants: Final = sa.Table(
    "clio_nb_grants",
    meta,
    *_app(),
    sa.Column("firm", sa.String(200), primary_key=True),
    sa.Column("user_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("problem", sa.String(200), nullable=False),
    sa.Column("lease_owner", sa.String(64), nullable=False, server_default=""),
    sa.Column("lease_until", sa.Float, nullable=False, server_default="0"),
    sa.Index("clio_nb_grants_user", "site", "client_id", "user_id", "firm"),  # with the last, SQLite prefers it
)
firms: Final = sa.Table(
    "clio_nb_firms",
    meta,
    *_app(),
    sa.Column("firm", sa.String(200), primary_key=True),
    sa.Column("account_id", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
)
runs: Final = sa.Table(
    "clio_nb_runs",
    meta,
    sa.Column("run", sa.String(64), primary_key=True),
    sa.Column("site", sa.String(200), nullable=False),
    sa.Column("client_id", sa.String(200), nullable=False),
    sa.Column("account_id", sa.BigInteger, nullable=False),
    sa.Column("app", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("profile", sa.Text),
    sa.Column("allow_delete", sa.Boolean, nullable=False),
    sa.Column("manifest", sa.Text),
    _moment("started"),
    _moment("finished", nullable=True),
    sa.Index("clio_nb_runs_firm", "site", "client_id", "account_id"),
)
OPEN: Final = sa.text("outcome IN ('sent', 'unknown')")
"""Intents of which is not known how they ended."""

items: Final = sa.Table(
    "clio_nb_items",
    meta,
    sa.Column("run", sa.String(64), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("user_id", sa.BigInteger, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("action_id", sa.BigInteger),
    sa.Column("before", sa.Text),
    sa.Column("after", sa.Text),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    _moment("at", nullable=True),
    sa.Index("clio_nb_items_open", "user_id", sqlite_where=OPEN, postgresql_where=OPEN),
)
actions: Final = sa.Table(
    "clio_nb_actions",
    meta,
    *_app(),
    sa.Column("action_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("user_id", sa.BigInteger, nullable=False),
    sa.Column("account_id", sa.BigInteger, nullable=False),
    sa.Column("manifest", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),  # empty: made without a manifest
    sa.Column("fields", sa.Text, nullable=False),
    sa.Column("created_at", sa.String(40)),
    sa.Index("clio_nb_actions_firm", "site", "client_id", "account_id"),
    sa.Index("clio_nb_actions_user", "site", "client_id", "user_id"),
)
kept: Final = sa.Table(
    "clio_nb_kept",
    meta,
    sa.Column("site", sa.String(200), primary_key=True),
    sa.Column("digest", sa.String(64), primary_key=True),  # of both: PostgreSQL indexes no text of any length
    sa.Column("asked", sa.Text, nullable=False),
    sa.Column("kept", sa.Text, nullable=False),
)
HELD: Final = sa.text("lease_owner <> ''")
users: Final = sa.Table(
    "clio_nb_users",
    meta,
    *_app(),
    sa.Column("user_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("account_id", sa.BigInteger),  # known once something was written for the user
    sa.Column("lease_owner", sa.String(64), nullable=False),
    _moment("lease_until"),
    sa.Column("writes", sa.BigInteger, nullable=False),
    sa.Index("clio_nb_users_firm", "site", "client_id", "account_id"),
    sa.Index("clio_nb_users_held", "lease_owner", sqlite_where=HELD, postgresql_where=HELD),
)
people: Final = sa.Table(
    "clio_nb_people",
    meta,
    *_app(),
    sa.Column("user_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("account_id", sa.BigInteger, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Index("clio_nb_people_firm", "site", "client_id", "account_id"),
)
claims: Final = sa.Table(
    "clio_nb_claims",
    meta,
    sa.Column("kind", sa.String(20), primary_key=True),
    sa.Column("digest", sa.LargeBinary(64), primary_key=True),
    _moment("until"),
    sa.Index("clio_nb_claims_until", "until"),
)
launches: Final = sa.Table(
    "clio_nb_launches",
    meta,
    sa.Column("process", sa.String(32), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("site", sa.String(200), nullable=False),
    sa.Column("client_id", sa.String(200), nullable=False),
    sa.Column("firm", sa.String(200), nullable=False),  # empty: not known
    _moment("at"),
    sa.Column("user_id", sa.BigInteger),
    sa.Column("action_id", sa.BigInteger),
    sa.Column("key", sa.Text),
    sa.Column("location", sa.String(40)),
    sa.Column("record_id", sa.BigInteger),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("reason", sa.String(20), nullable=False),
    sa.Column("milliseconds", sa.BigInteger, nullable=False),
    _moment("until"),  # when it may go: as whoever recorded it said
    sa.Index("clio_nb_launches_at", "site", "client_id", "at"),
    sa.Index("clio_nb_launches_until", "site", "client_id", "until"),
    sa.Index("clio_nb_launches_user", "site", "client_id", "user_id"),
)
refusals: Final = sa.Table(
    "clio_nb_refusals",
    meta,
    *_app(),
    sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),  # since the epoch
    sa.Column("firm", sa.String(200), primary_key=True),
    sa.Column("reason", sa.String(20), primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    _moment("until"),
    sa.Index("clio_nb_refusals_until", "site", "client_id", "until"),
)
recorders: Final = sa.Table(
    "clio_nb_recorders",
    meta,
    sa.Column("process", sa.String(32), primary_key=True),
    sa.Column("site", sa.String(200), nullable=False),
    sa.Column("client_id", sa.String(200), nullable=False),
    _moment("started"),
    _moment("flushed"),
    _moment("closed", nullable=True),
    sa.Column("lost", sa.Boolean, nullable=False),  # what came between flushed and closed
    sa.Column("groups", sa.BigInteger, nullable=False),
    _moment("until"),
    sa.Index("clio_nb_recorders_app", "site", "client_id", "flushed"),
)
