"""The grants in a database: sealed rows. A store never sees a token."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import sqlalchemy as sa

from ..database.database import Database
from ..database.firm_key import AppKey, FirmKey
from ..database.schema import grants as _grants
from ..database.schema import settings as _settings
from ._grants import Row

_log: Final = logging.getLogger("clio_nb.vault")
CHUNK: Final = 1000

_sealed: Final = sa.type_coerce(_grants.c.sealed, sa.types.NullType())  # as it is, whatever it is
_whole: Final = sa.cast(_grants.c.version, sa.Integer)
_key: Final = sa.select(_settings.c.value).where(_settings.c.name == "key")
_key_shared: Final = _key.with_for_update(read=True)

# Statements are built once: building one takes longer than running it.
_change: Final = sa.update(_grants).where(
    *(column == sa.bindparam(f"of_{column.name}") for column in _grants.primary_key.columns)
)
_change_same: Final = _change.where(_grants.c.version == sa.bindparam("of_version"))


class Store:
    """The sealed rows of a database.

    Writes carry the ``key_id`` of the sealing key and do nothing (False) when the store has been resealed under another
    key. All raise :class:`clio_nb.errors.VaultError` when the database fails; then nothing was changed.
    """

    def __init__(self, database: Database) -> None:
        self.name = database.name
        self._database = database

    def key_id(self, first: str) -> str:
        """Return the id of the key that seals this store; an empty store takes ``first``."""
        if (found := self.sealed_under()) is not None:
            return found
        with self._database.transaction(write=True) as database:
            database.execute(self._database.insert(_settings).values(name="key", value=first).on_conflict_do_nothing())
            return str(database.execute(_key).scalar_one())

    def sealed_under(self) -> str | None:
        """Return the id of the key that seals this store, or None where nothing is sealed yet."""
        with self._database.transaction() as database:
            found = database.execute(_key).scalar()
        return None if found is None else str(found)

    def read(self, firm_key: FirmKey, user_id: int) -> Row | None:
        """Return one row, or None."""
        with self._database.transaction() as database:
            row = database.execute(_rows().where(_here(firm_key), _grants.c.user_id == user_id)).one_or_none()
        return None if row is None else _row(*row)

    def scan(self, firm_key: FirmKey) -> Iterator[Row]:
        """Give the rows of a firm in order, a thousand at a time."""
        after = -(2**63)
        while True:
            page = _rows().where(_here(firm_key), _grants.c.user_id > after).order_by(_grants.c.user_id).limit(CHUNK)
            with self._database.transaction() as database:
                found = database.execute(page).all()
            rows = [_row(*row) for row in found if isinstance(row[0], int)]
            if len(rows) < len(found):
                _log.warning("%s: %d rows have no valid user id and were left out", self.name, len(found) - len(rows))
            yield from rows
            if len(found) < CHUNK or not rows:  # text and bytes come last, after all numbers
                return
            after = rows[-1].user_id

    def firm_keys(self) -> list[FirmKey]:
        """Return the key of every firm that has a row."""
        columns = (_grants.c.site, _grants.c.client_id, _grants.c.firm)
        with self._database.transaction() as database:
            return [FirmKey(*row) for row in database.execute(sa.select(*columns).distinct().order_by(*columns))]

    def tokens(self, app: AppKey) -> dict[str, tuple[int, int]]:
        """Return how many tokens each firm of an app has, and how many of them have no problem."""
        good = sa.func.sum(sa.case((_grants.c.problem == "", 1), else_=0))
        found = sa.select(_grants.c.firm, sa.func.count(), good).group_by(_grants.c.firm).order_by(_grants.c.firm)
        here = found.where(_grants.c.site == app.site, _grants.c.client_id == app.client_id)
        with self._database.transaction() as database:
            return {str(firm): (int(all_), int(usable)) for firm, all_, usable in database.execute(here)}

    def firms_of(self, app: AppKey, user_id: int) -> list[str]:
        """Return the names of an app's firms that have a row of this user, those whose token has a problem last."""
        found = sa.select(_grants.c.firm).where(
            _grants.c.site == app.site, _grants.c.client_id == app.client_id, _grants.c.user_id == user_id
        )
        with self._database.transaction() as database:
            return [
                str(firm)
                for firm in database.execute(found.order_by(_grants.c.problem != "", _grants.c.firm)).scalars()
            ]

    def put(self, rows: Iterable[tuple[FirmKey, Row]], key_id: str) -> bool:
        """Write rows, all or none."""
        insert = self._database.insert(_grants)
        upsert = insert.on_conflict_do_update(
            index_elements=list(_grants.primary_key.columns),
            set_={
                "sealed": insert.excluded.sealed,
                "problem": insert.excluded.problem,
                "version": sa.case((_grants.c.version.between(1, 2**31 - 2), _whole + 1), else_=1),
            },
        )
        with self._database.transaction(write=True) as database:
            if not self._sealed_under(database, key_id):
                return False
            values = [{**firm_key._asdict(), **_values(row), "version": 1} for firm_key, row in rows]
            for start in range(0, len(values), CHUNK):
                database.execute(upsert, values[start : start + CHUNK])
        return True

    def swap(self, firm_key: FirmKey, row: Row, key_id: str) -> bool:
        """Write one row if its version is the same."""
        with self._database.transaction(write=True) as database:
            if not self._sealed_under(database, key_id):
                return False
            new = {"sealed": row.sealed, "problem": row.problem, "version": row.version + 1}
            return database.execute(_change_same, {**_of(firm_key, row.user_id, row.version), **new}).rowcount == 1

    def note(self, firm_key: FirmKey, user_id: int, version: int, problem: str) -> bool:
        """Write only the problem of a row."""
        noted = {**_of(firm_key, user_id, version), "problem": problem}
        with self._database.transaction(write=True) as database:
            return database.execute(_change_same, noted).rowcount == 1

    def remove(self, firm_key: FirmKey, user_id: int) -> None:
        """Delete one row."""
        with self._database.transaction(write=True) as database:
            database.execute(sa.delete(_grants).where(_here(firm_key), _grants.c.user_id == user_id))

    def lease(self, firm_key: FirmKey, user_id: int, owner: str, seconds: float) -> bool:
        """Take the lease on a row. The clock of the database counts."""
        free = _grants.c.lease_owner.in_(("", owner)) | self._database.over(_grants.c.lease_until, seconds)
        taken = (
            sa.update(_grants)
            .where(_here(firm_key), _grants.c.user_id == user_id, free)
            .values(lease_owner=owner, lease_until=self._database.now() + seconds)
        )
        with self._database.transaction(write=True) as database:
            return database.execute(taken).rowcount == 1

    def release(self, firm_key: FirmKey, user_id: int, owner: str) -> None:
        """Give the lease back."""
        given = sa.update(_grants).where(_here(firm_key), _grants.c.user_id == user_id, _grants.c.lease_owner == owner)
        with self._database.transaction(write=True) as database:
            database.execute(given.values(lease_owner="", lease_until=0))

    def reseal(self, again: Callable[[object], bytes | None], before: str, key_id: str) -> bool:
        """Seal all rows anew in one transaction."""
        keys = list(_grants.primary_key.columns)
        with self._database.transaction(write=True) as database:
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
