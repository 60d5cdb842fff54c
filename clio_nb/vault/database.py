"""Sealed rows in a database: a SQLite file of this user, or PostgreSQL for several machines.

Every change is one short transaction; none is held open while Clio is asked. So a thousand users renew at the same time
on SQLite too, which can lock only as a whole.
"""

from __future__ import annotations

import logging
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ..errors import VaultError
from ..secret import Secret
from ._fork import Unshared
from ._private_files import DatabaseFile
from .store import FirmKey, Row

_log: Final = logging.getLogger("clio_nb.vault")
PATIENCE: Final = 10.0  # seconds to wait for a busy or distant database
CHUNK: Final = 1000

_meta: Final = sa.MetaData()
_grants: Final = sa.Table(
    "clio_nb_grants",
    _meta,
    sa.Column("site", sa.String(200), primary_key=True),
    sa.Column("client_id", sa.String(200), primary_key=True),
    sa.Column("firm", sa.String(200), primary_key=True),
    sa.Column("user_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("problem", sa.String(200), nullable=False),
    sa.Column("lease_owner", sa.String(64), nullable=False, server_default=""),
    sa.Column("lease_until", sa.Float, nullable=False, server_default="0"),
)
_by_user: Final = sa.Index("clio_nb_grants_by_user", _grants.c.site, _grants.c.client_id, _grants.c.user_id)
_settings: Final = sa.Table(
    "clio_nb_vault",
    _meta,
    sa.Column("name", sa.String(20), primary_key=True),
    sa.Column("value", sa.String(64), nullable=False),
)
_sealed: Final = sa.type_coerce(_grants.c.sealed, sa.types.NullType())  # as it is, whatever it is
_whole: Final = sa.cast(_grants.c.version, sa.Integer)
_key: Final = sa.select(_settings.c.value).where(_settings.c.name == "key")
_key_shared: Final = _key.with_for_update(read=True)

# Statements are built once: building one takes longer than running it.
_change: Final = sa.update(_grants).where(
    *(column == sa.bindparam(f"of_{column.name}") for column in _grants.primary_key.columns)
)
_change_same: Final = _change.where(_grants.c.version == sa.bindparam("of_version"))


class SqlStore(Unshared):
    """Rows in a database that SQLAlchemy reaches. Made by :func:`sqlite_store` and :func:`sql_store`."""

    def __init__(self, engine: sa.Engine, name: str, check: Callable[[], None]) -> None:
        super().__init__()
        self.name = name
        self._engine = engine
        self._check = check
        self._on_postgresql = engine.dialect.name == "postgresql"
        self._insert: Any = postgresql.insert if self._on_postgresql else sqlite.insert
        weakref.finalize(self, engine.dispose)
        with self._transaction(write=True) as database:
            _meta.create_all(database)
            _by_user.create(database, checkfirst=True)  # in a vault that was made without it

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def part(self) -> None:
        """Close a file before a fork; a server's connections stay."""
        if not self._on_postgresql:
            self.close()

    def forget(self) -> None:
        """Leave the parent's connections to the parent."""
        self._engine.dispose(close=False)

    def key_id(self, first: str) -> str:
        """Return the id of the sealing key; the first caller sets it."""
        with self._transaction(write=True) as database:
            database.execute(self._insert(_settings).values(name="key", value=first).on_conflict_do_nothing())
            return str(database.execute(_key).scalar_one())

    def read(self, firm_key: FirmKey, user_id: int) -> Row | None:
        """Return one row, or None."""
        with self._transaction() as database:
            row = database.execute(_rows().where(_here(firm_key), _grants.c.user_id == user_id)).one_or_none()
        return None if row is None else _row(*row)

    def scan(self, firm_key: FirmKey) -> Iterator[Row]:
        """Give the rows of a firm in order, a thousand at a time."""
        after = -(2**63)
        while True:
            page = _rows().where(_here(firm_key), _grants.c.user_id > after).order_by(_grants.c.user_id).limit(CHUNK)
            with self._transaction() as database:
                found = database.execute(page).all()
            rows = [_row(*row) for row in found if isinstance(row[0], int)]
            if len(rows) < len(found):
                _log.warning("%s: %d rows have no valid user id and were left out", self.name, len(found) - len(rows))
            yield from rows
            if len(rows) < CHUNK:  # what is not a number comes last
                return
            after = rows[-1].user_id

    def firm_keys(self) -> list[FirmKey]:
        """Return the key of every firm that has a row."""
        columns = (_grants.c.site, _grants.c.client_id, _grants.c.firm)
        with self._transaction() as database:
            return [FirmKey(*row) for row in database.execute(sa.select(*columns).distinct().order_by(*columns))]

    def firms_of(self, site: str, client_id: str, user_id: int) -> list[str]:
        """Return the firms of an app that have a row of this user, those with a problem last."""
        columns = _grants.c
        query = (
            sa.select(columns.firm)
            .where(columns.site == site, columns.client_id == client_id, columns.user_id == user_id)
            .order_by(columns.problem != "", columns.firm)
        )
        with self._transaction() as database:
            return [firm for (firm,) in database.execute(query) if isinstance(firm, str)]

    def put(self, rows: Iterable[tuple[FirmKey, Row]], key_id: str) -> bool:
        """Write rows, all or none."""
        insert = self._insert(_grants)
        upsert = insert.on_conflict_do_update(
            index_elements=list(_grants.primary_key.columns),
            set_={
                "sealed": insert.excluded.sealed,
                "problem": insert.excluded.problem,
                "version": sa.case((_grants.c.version.between(1, 2**31 - 2), _whole + 1), else_=1),
            },
        )
        with self._transaction(write=True) as database:
            if not self._sealed_under(database, key_id):
                return False
            values = [{**firm_key._asdict(), **_values(row), "version": 1} for firm_key, row in rows]
            for start in range(0, len(values), CHUNK):
                database.execute(upsert, values[start : start + CHUNK])
        return True

    def swap(self, firm_key: FirmKey, row: Row, key_id: str) -> bool:
        """Write one row if its version is the same."""
        with self._transaction(write=True) as database:
            if not self._sealed_under(database, key_id):
                return False
            new = {"sealed": row.sealed, "problem": row.problem, "version": row.version + 1}
            return database.execute(_change_same, {**_of(firm_key, row.user_id, row.version), **new}).rowcount == 1

    def note(self, firm_key: FirmKey, user_id: int, version: int, problem: str) -> bool:
        """Write only the problem of a row."""
        noted = {**_of(firm_key, user_id, version), "problem": problem}
        with self._transaction(write=True) as database:
            return database.execute(_change_same, noted).rowcount == 1

    def remove(self, firm_key: FirmKey, user_id: int) -> None:
        """Delete one row."""
        with self._transaction(write=True) as database:
            database.execute(sa.delete(_grants).where(_here(firm_key), _grants.c.user_id == user_id))

    def lease(self, firm_key: FirmKey, user_id: int, owner: str, seconds: float) -> bool:
        """Take the lease on a row. Where several machines share the database, its clock counts."""
        now: Any = sa.func.extract("epoch", sa.func.clock_timestamp()) if self._on_postgresql else time.time()
        # a lease that ends later than any lease can is damaged, and does not count
        free = sa.or_(_grants.c.lease_owner.in_(("", owner)), ~_grants.c.lease_until.between(now, now + 10 * seconds))
        taken = (
            sa.update(_grants)
            .where(_here(firm_key), _grants.c.user_id == user_id, free)
            .values(lease_owner=owner, lease_until=now + seconds)
        )
        with self._transaction(write=True) as database:
            return database.execute(taken).rowcount == 1

    def release(self, firm_key: FirmKey, user_id: int, owner: str) -> None:
        """Give the lease back."""
        given = sa.update(_grants).where(_here(firm_key), _grants.c.user_id == user_id, _grants.c.lease_owner == owner)
        with self._transaction(write=True) as database:
            database.execute(given.values(lease_owner="", lease_until=0))

    def reseal(self, again: Callable[[object], bytes | None], before: str, key_id: str) -> bool:
        """Seal all rows anew in one transaction."""
        keys = list(_grants.primary_key.columns)
        with self._transaction(write=True) as database:
            if database.execute(_key.with_for_update()).scalar_one() != before:
                return False
            rows = database.execute(sa.select(*keys, _sealed)).all()
            for start in range(0, len(rows), CHUNK):
                chunk = [
                    {**{f"of_{column.name}": row[at] for at, column in enumerate(keys)}, "sealed": sealed}
                    for row in rows[start : start + CHUNK]
                    if (sealed := again(row[-1])) is not None
                ]
                if chunk:
                    database.execute(_change, chunk)
            database.execute(sa.update(_settings).where(_settings.c.name == "key").values(value=key_id))
        return True

    @staticmethod
    def _sealed_under(database: sa.Connection, key_id: str) -> bool:
        """Whether the store is sealed under this key; it stays so until the transaction ends."""
        return bool(database.execute(_key_shared).scalar_one() == key_id)

    @contextmanager
    def _transaction(self, *, write: bool = False) -> Iterator[sa.Connection]:
        self._check()
        try:
            with (
                nullcontext() if self._on_postgresql else self.use,
                self._engine.connect().execution_options(clio_nb_write=write) as database,
                database.begin(),
            ):
                yield database
        except (sa.exc.DBAPIError, sa.exc.TimeoutError) as cause:
            raise VaultError(f"{self.name}: {_why(cause)} Nothing was changed.") from None


def sqlite_store(path: Path) -> SqlStore:
    """Open the SQLite file at ``path``, or make it: 0600, whole transactions on disk before a write counts as done.

    Raises :class:`VaultError` for a symbolic link, a foreign owner, or a file that is not a vault.
    """
    file = DatabaseFile(path)

    def connect() -> sqlite3.Connection:
        # FULL: a rotated refresh token that is lost cannot be had again
        return file.connect("journal_mode=WAL", "synchronous=FULL", timeout=PATIENCE)

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.QueuePool, hide_parameters=True)

    @sa.event.listens_for(engine, "begin")
    def _begin(database: sa.Connection) -> None:
        write = database.get_execution_options().get("clio_nb_write")
        database.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return SqlStore(engine, f"SQLite file {file.path}", file.check)


def postgresql_store(url: Secret) -> SqlStore:
    """Open the PostgreSQL database at ``url`` (``postgresql://user:password@host/database``) and make our two tables.

    Raises :class:`VaultError` when the address is invalid, the driver is missing or the database does not answer.
    """
    try:
        parsed = sa.make_url(url.reveal()).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(
            parsed, pool_pre_ping=True, hide_parameters=True, connect_args={"connect_timeout": int(PATIENCE)}
        )
    except (sa.exc.ArgumentError, ValueError):
        raise VaultError("Invalid vault address. Use the form postgresql://user@host/database.") from None
    except ModuleNotFoundError:
        raise VaultError('PostgreSQL needs its driver: python -m pip install "clio-nb[postgres]"') from None
    return SqlStore(engine, f"PostgreSQL database {parsed.host or 'local'}/{parsed.database}", lambda: None)


def _rows() -> sa.Select[Any, Any, Any, Any]:
    return sa.select(_grants.c.user_id, _sealed, _grants.c.version, _grants.c.problem)


def _row(user_id: int, sealed: object, version: object, problem: object) -> Row:
    """Return a row, or one that cannot be opened: SQLite stores values of any type in any column."""
    if isinstance(sealed, bytes) and isinstance(version, int) and isinstance(problem, str):
        return Row(user_id, sealed, version, problem)
    return Row(user_id, b"")


def _here(firm_key: FirmKey) -> sa.ColumnElement[bool]:
    return sa.and_(*(_grants.c[name] == value for name, value in firm_key._asdict().items()))


def _of(firm_key: FirmKey, user_id: int, version: int) -> dict[str, object]:
    """Return the parameters that name one version of a row."""
    return {
        **{f"of_{name}": value for name, value in firm_key._asdict().items()},
        "of_user_id": user_id,
        "of_version": version,
    }


def _values(row: Row) -> dict[str, object]:
    return {"user_id": row.user_id, "sealed": row.sealed, "problem": row.problem}


_REASONS: Final = {
    "database or disk is full": "the disk is full. Free some space and try again.",
    "file is not a database": "it is not a database. Choose another path, or move it away.",
    "readonly database": "it cannot be written to. Check its owner and mode.",
    "database is locked": "another program has locked it for too long. Try again.",
}


def _why(cause: Exception) -> str:
    """Say what a database error means, without its statement, its parameters or a password."""
    said = str(getattr(cause, "orig", None) or cause).strip().splitlines()
    first = said[0] if said else type(cause).__name__
    return next(
        (reason for words, reason in _REASONS.items() if words in first), f"it does not answer ({first[:160]})."
    )
