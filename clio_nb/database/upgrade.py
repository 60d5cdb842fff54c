"""The tables of a database: what is missing is made, what is older is upgraded, what is newer is refused."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from . import schema

_LOCK: Final = 0x0C110_0B  # any number, the same in every process
_version: Final = sa.select(schema.settings.c.value).where(schema.settings.c.name == "schema")


class Unusable(Exception):
    """The schema is not one that this library can use; the message says why."""


def is_current(database: sa.Connection) -> bool:
    """Whether the schema is this one. Raises :class:`Unusable` for a newer one."""
    if not sa.inspect(database).has_table(schema.settings.name):
        return False
    found = str(database.execute(_version).scalar() or "1")
    if not found.isdecimal():
        raise Unusable("The row that says the version of the schema is damaged. Restore it from a backup.")
    if int(found) > schema.VERSION:
        raise Unusable(
            f"A newer clio-nb has written it (schema {found}; this one knows {schema.VERSION}). "
            "Update clio-nb here too."
        )
    return int(found) == schema.VERSION


def upgrade(database: sa.Connection) -> None:
    """Make what is missing, in the transaction of ``database``. Of two processes at once, one does it."""
    if database.dialect.name == "postgresql":
        database.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    if is_current(database):
        return
    schema.meta.create_all(database)
    for table in schema.meta.sorted_tables:
        for index in table.indexes:
            index.create(database, checkfirst=True)
    database.execute(sa.delete(schema.settings).where(schema.settings.c.name == "schema"))
    database.execute(sa.insert(schema.settings).values(name="schema", value=str(schema.VERSION)))
