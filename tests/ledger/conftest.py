"""The three databases in which a ledger may be, and what the tests of all of them say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from clio_nb.database.database import Database
from clio_nb.database.firm_key import AppKey, FirmKey
from clio_nb.firm.item import Item
from clio_nb.ledger.ledger import Ledger
from clio_nb.ledger.records import ActionFields, Ended, Intent, Kind, NewRun, Outcome, Release, Take
from clio_nb.models import CustomAction
from clio_nb.secret import Secret

APP = AppKey("us", "app-1")
FIRM = FirmKey("us", "app-1", "default")
ACCOUNT, OTHER_ACCOUNT = 5, 6
ANNA, BEN = 7, 2**40
SIGN = ActionFields("Sign", "https://partner.example/launch", "matters/show")


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | Secret | None:
    """Where the database is."""
    if request.param == "memory":
        return None
    if request.param == "sqlite":
        return tmp_path / "vault.sqlite"
    return Secret(request.getfixturevalue("cluster").new())


shared = pytest.mark.parametrize("where", ["sqlite", "postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("where", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("where", ["postgresql"], indirect=True)


@pytest.fixture
def database(where: Path | Secret | None) -> Iterator[Database]:
    database = Database(where)
    yield database
    database.close()


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database)


def address(where: Path | Secret | None) -> str:
    """Return the place as text, for another process."""
    return where.reveal() if isinstance(where, Secret) else str(where)


def place_at(text: str) -> Path | Secret:
    """Return the place that a text names."""
    return Secret(text) if "://" in text else Path(text)


def create(user_id: int = ANNA, key: str = "sign", fields: ActionFields = SIGN) -> Item:
    return Item(kind=Kind.CREATE, user_id=user_id, user=f"User {user_id}", key=key, after=fields)


def action(number: int = 99, fields: ActionFields = SIGN, **options: Any) -> CustomAction:
    return CustomAction(
        id=number, label=fields.label, target_url=fields.target_url, ui_reference=fields.ui_reference, **options
    )


def begun(ledger: Ledger, *items: Item, owner: str = "a", account: int = ACCOUNT, **about: Any) -> str:
    """Begin a run of these items; return its name."""
    return ledger.begin(APP, account, NewRun(owner, "partner", "plan", **about), items)[0]


def wrote(ledger: Ledger, *changes: Take | Intent | Ended | Release) -> list[bool]:
    return ledger.write(APP, changes)


def make(ledger: Ledger, *items: Item, first: int = 99, owner: str = "a", **about: Any) -> str:
    """Carry out a run that creates these, and let go; return its name."""
    run = begun(ledger, *items, owner=owner, **about)
    for number, item in enumerate(items):
        assert all(
            wrote(
                ledger,
                Take(item.user_id, owner),
                Intent(run, number, item.user_id, owner),
                Ended(
                    run, number, item.user_id, owner, Outcome.DONE, "", item, action(first + number, item.after or SIGN)
                ),
                Release(item.user_id, owner),
            )
        )
    ledger.finish(run)
    return run


def change(database: Database, table: sa.Table, column: str, value: object) -> None:
    """Change a row by hand, whatever its column may hold."""
    with database.transaction(write=True) as connection:
        changed = connection.execute(sa.text(f"UPDATE {table.name} SET {column} = :value"), {"value": value})  # noqa: S608
        assert changed.rowcount >= 1
