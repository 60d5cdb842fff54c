"""One database: SQLite in memory, a SQLite file of this user, or PostgreSQL for several machines.

Every change is one short transaction; none is held open while Clio is asked. So a thousand users renew at the same time
on SQLite too, which can lock only as a whole.
"""

from __future__ import annotations

import os
import re
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import VaultError
from ..secret import Secret
from ._fork import Unshared
from ._mounts import network_of
from ._private_files import DatabaseFile

if TYPE_CHECKING:
    import sqlalchemy as sa

PATIENCE: Final = 10.0  # seconds to wait for a busy or distant database
_SAFE: Final = "Nothing was changed."
_UNKNOWN: Final = "It was about to be changed, and whether it was is not known. Look before you do it again."
_ON_A_NETWORK: Final = (
    "{} is on a network file system ({}), on which SQLite can lose what it writes. Put it on a disk of this machine "
    "(Vault.open(path), --vault or CLIO_NB_VAULT), or use a postgresql:// address, which several machines can share."
)


class Database(Unshared):
    """One database, opened at its first use and again after :meth:`close`.

    ``where`` is the path of a SQLite file, a ``postgresql://`` address, or None for one in memory, which ends with this
    object. A file is made 0600, and a transaction is on disk before it counts as done.
    """

    def __init__(self, where: Path | Secret | None = None) -> None:
        super().__init__()
        self._where = where
        self.on_postgresql: Final = isinstance(where, Secret)
        self.lasting: Final = where is not None
        self.name = "memory (ends with this process)" if where is None else f"SQLite file {where}"
        self._file: DatabaseFile | None = None
        self._engine: sa.Engine | None = None
        if isinstance(where, Secret):
            parsed = _parsed(where)
            self.name = f"PostgreSQL database {parsed.host or 'local'}/{parsed.database}"

    @property
    def path(self) -> Path | None:
        """Where its file is, or will be; None where it has none."""
        return self._where if isinstance(self._where, Path) else None

    @property
    def address(self) -> str:
        """Where another process finds it, without a password or key; empty for one in memory."""
        if isinstance(self._where, Secret):
            import sqlalchemy as sa  # noqa: PLC0415 -- loaded only when a database is used

            parsed = _parsed(self._where)
            query = {name: value for name, value in parsed.query.items() if not _SECRET.search(name)}
            where = (parsed.username, None, parsed.host, parsed.port, parsed.database, query)
            return sa.URL.create("postgresql", *where).render_as_string()
        return "" if self._where is None else str(self._where.absolute())

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[sa.Connection]:
        """Give a connection for one transaction.

        Raises :class:`VaultError` when it fails. Then nothing was changed, unless the message says that it may have
        been: a server that is gone while it commits does not say whether it did.
        """
        with nullcontext() if self.on_postgresql else self.use, self._explained():
            engine = self._opened()
            with engine.connect().execution_options(clio_nb_write=write) as database, database.begin() as changes:
                yield database
                if write and self.on_postgresql:
                    with self._explained(safe=_UNKNOWN):
                        changes.commit()

    def insert(self, table: sa.Table) -> Any:
        """Return an insert that knows ``on_conflict_do_update``."""
        from sqlalchemy.dialects import postgresql, sqlite  # noqa: PLC0415 -- loaded only when a database is used

        return (postgresql.insert if self.on_postgresql else sqlite.insert)(table)

    def now(self) -> sa.ColumnElement[float]:
        """Return the clock of the database, in seconds since the epoch, as an expression."""
        import sqlalchemy as sa  # noqa: PLC0415 -- as above

        if self.on_postgresql:
            return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Double)
        return sa.literal_column("((julianday('now') - 2440587.5) * 86400.0)", sa.Double)

    def over(self, until: sa.ColumnElement[float], seconds: float) -> sa.ColumnElement[bool]:
        """Return whether a lease for so many seconds is over. One that ends much later than it can is damaged."""
        now = self.now()
        return (until <= now) | (until > now + 10 * seconds)

    def close(self) -> None:
        """Close the connections. What is only in memory stays."""
        with self.use:
            if self._engine is not None and self.lasting:
                self._engine.dispose()

    def part(self) -> None:
        """Close a file before a fork; a server's connections stay."""
        if not self.on_postgresql:
            self.close()

    def forget(self) -> None:
        """Leave the parent's connections to the parent."""
        if self._engine is not None and self.lasting:
            self._engine.dispose(close=False)

    def _opened(self) -> sa.Engine:
        if self._engine is None:
            with self.use:
                if self._engine is None:
                    self._engine = self._made()
        if self._file is not None:
            self._file.check()
        return self._engine

    def is_current(self) -> bool:
        """Whether its tables are there, as this version makes them. Nothing is made. Raises :class:`VaultError`."""
        with self._explained():
            engine = self._engine_for()
            try:
                return self._has_tables(engine)
            finally:
                engine.dispose()

    def _has_tables(self, engine: sa.Engine) -> bool:
        from .upgrade import is_current  # noqa: PLC0415 -- as above

        with engine.connect() as database, database.begin():
            return is_current(database)

    def _engine_for(self) -> sa.Engine:
        return self._postgresql(self._where) if isinstance(self._where, Secret) else self._sqlite(self._where)

    def _made(self) -> sa.Engine:
        """Return an engine for the database, whose tables are there. They are only written if they have to be."""
        from .upgrade import upgrade  # noqa: PLC0415 -- as above

        engine = self._engine_for()
        try:
            if not self._has_tables(engine):
                with (
                    self._explained("Its tables must be made or upgraded: open it once where that is allowed."),
                    engine.connect().execution_options(clio_nb_write=True) as database,
                    database.begin(),
                ):
                    upgrade(database)
        except BaseException:
            engine.dispose()
            raise
        weakref.finalize(self, engine.dispose)
        return engine

    def _sqlite(self, path: Path | None) -> sa.Engine:
        import sqlalchemy as sa  # noqa: PLC0415 -- as above

        def connect() -> sqlite3.Connection:
            if file is None:
                return sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
            # FULL: a rotated refresh token that is lost cannot be had again
            return file.connect("journal_mode=WAL", "synchronous=FULL", timeout=PATIENCE)

        if path and (kind := network_of(path)) and (not path.exists() or os.access(path.parent, os.W_OK)):
            raise VaultError(_ON_A_NETWORK.format(path, kind))  # where it can only be read, nothing is lost
        file = self._file = DatabaseFile(path) if path else None
        pool = sa.pool.StaticPool if file is None else sa.pool.QueuePool if file.writable else sa.pool.NullPool
        engine = sa.create_engine("sqlite://", creator=connect, poolclass=pool, hide_parameters=True)

        @sa.event.listens_for(engine, "begin")
        def _begin(database: sa.Connection) -> None:
            write = database.get_execution_options().get("clio_nb_write")
            database.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

        return engine

    def _postgresql(self, url: Secret) -> sa.Engine:
        import sqlalchemy as sa  # noqa: PLC0415 -- as above

        try:
            return sa.create_engine(
                _parsed(url),
                pool_pre_ping=True,
                pool_timeout=PATIENCE,
                hide_parameters=True,
                isolation_level="READ COMMITTED",
                connect_args={
                    "connect_timeout": int(PATIENCE),
                    "tcp_user_timeout": int(PATIENCE * 1000),  # of a server that is gone without a word
                    "keepalives_idle": int(PATIENCE),
                    "prepare_threshold": None,  # pgbouncer may give each transaction another connection
                },
            )
        except ModuleNotFoundError:
            raise VaultError('PostgreSQL needs its driver: python -m pip install "clio-nb[postgres]"') from None

    @contextmanager
    def _explained(self, hint: str = "", safe: str = _SAFE) -> Iterator[None]:
        import sqlalchemy as sa  # noqa: PLC0415 -- as above

        from .upgrade import Unusable  # noqa: PLC0415 -- as above

        try:
            yield
        except Unusable as wrong:
            raise VaultError(f"{self.name}: {wrong} {safe}") from None
        except (sa.exc.DBAPIError, sa.exc.TimeoutError) as cause:
            raise VaultError(" ".join(filter(None, (f"{self.name}: {_why(cause)}", hint, safe)))) from None


def _parsed(url: Secret) -> sa.URL:
    import sqlalchemy as sa  # noqa: PLC0415 -- as above

    try:
        parsed = sa.make_url(url.reveal()).set(drivername="postgresql+psycopg")
    except (sa.exc.ArgumentError, ValueError):
        parsed = None
    if parsed is None or "@" in f"{parsed.host}{parsed.database}":  # the rest of a password, which would be shown
        raise VaultError(
            "Invalid vault address. Use the form postgresql://user:password@host/database; in user and password write "
            "@ as %40, / as %2F and % as %25."
        )
    return parsed


_SECRET: Final = re.compile("password|secret|_key|token", re.IGNORECASE)  # of libpq's parameters
_REASONS: Final = {
    "database or disk is full": "the disk is full. Free some space and try again.",
    "file is not a database": "it is not a database. Choose another path, or move it away.",
    "readonly database": "it cannot be written to. Check owner and mode of file and folder, or choose another path.",
    "read-only transaction": "it cannot be written to. Use the address of the primary server.",
    "permission denied": "this database user may not do that. Let it read and change the clio_nb tables.",
    "locking protocol": "locks do not work on its file system. Put it on a disk of this machine.",
    "disk I/O error": "its disk or file system fails. Put it on another disk of this machine.",
    "database is locked": "another program has locked it for too long. Try again.",
}


def _why(cause: Exception) -> str:
    """Say what a database error means, without its statement, its parameters or a password."""
    said = str(getattr(cause, "orig", None) or cause).strip().splitlines()
    first = said[0] if said else type(cause).__name__
    return next(
        (reason for words, reason in _REASONS.items() if words in first), f"it does not answer ({first[:160]})."
    )
