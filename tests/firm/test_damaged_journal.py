"""A row of the journal that cannot be read ends a verb with an error that names the file, and never a wrong plan."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clio_nb.errors import ClioError, VaultError
from clio_nb.firm import Firm
from clio_nb.firm.manifest import Manifest
from clio_nb.sandbox import Sandbox
from clio_nb.vault import Vault

DAMAGE: dict[str, Any] = {
    "bytes": b"\xff\x00",
    "text": "neither number nor JSON [",
    "nothing": None,
    "a huge number": 2**62,
    "nested deeply": "[" * 100_000,
    "a list": "[1, 2]",
    "a moment past all calendars": 1e300,
}
COLUMNS = {
    "runs": ("app", "purpose", "profile", "allow_delete", "manifest", "started", "finished"),
    "entries": ("number", "user_id", "user", "kind", "key", "action_id", "before", "after", "outcome", "message", "at"),
    "owned": ("user_id", "app", "key", "fields", "created_at"),
    "kept": ("asked", "kept"),
}
CELLS = [(table, column) for table, columns in COLUMNS.items() for column in columns]


def verbs(manifest: Manifest) -> list[Callable[[Firm], object]]:
    return [
        lambda firm: firm.plan(manifest),
        lambda firm: firm.coverage(),
        lambda firm: firm.drift(),
        lambda firm: firm.audit(),
        lambda firm: firm.runs(),
        lambda firm: firm.plan_resume(),
        lambda firm: firm.plan_offboard(),
        lambda firm: firm.plan_undo(str(firm.runs()["run"][0])),
        lambda firm: firm.apply(firm.plan(manifest), progress=False),
    ]


def refusal(verb: Callable[[Firm], object], firm: Firm) -> str | None:
    """Return what a verb says of the journal, None when it works or fails by something else of ours."""
    try:
        verb(firm)
    except VaultError as error:
        return str(error)
    except ClioError:  # such as a run that is not there
        return None
    return None


@pytest.fixture
def journal(clio_sandbox: Sandbox, tmp_path: Path, manifest: Manifest) -> Path:
    firm = Firm(clio_sandbox, journal=tmp_path / "journal.sqlite")
    firm.sign_in_everyone()
    assert firm.apply(firm.plan(manifest), progress=False)
    return tmp_path / "journal.sqlite"


def change(journal: Path, statement: str, *values: object) -> None:
    database = sqlite3.connect(journal)
    with database:
        database.execute(statement, values)
    database.close()


@pytest.mark.parametrize(("table", "column"), CELLS, ids=[".".join(cell) for cell in CELLS])
def test_p7_a_damaged_row_of_the_journal_is_an_error_that_names_the_file(
    clio_sandbox: Sandbox, journal: Path, manifest: Manifest, table: str, column: str
) -> None:
    change(journal, "INSERT INTO kept VALUES ('Sign', 'sign')")
    vault = Vault()
    Firm(clio_sandbox, vault, journal=journal).sign_in_everyone()
    for value in DAMAGE.values():
        changed = journal.with_name("damaged.sqlite")
        changed.write_bytes(journal.read_bytes())
        change(changed, f"UPDATE {table} SET {column} = ? WHERE rowid = 1", value)  # noqa: S608
        for verb in verbs(manifest):
            said = refusal(verb, Firm(clio_sandbox, vault, journal=changed))
            assert said is None or (str(changed) in said and "move it away" in said)
        changed.unlink()


def test_p7_after_a_damaged_journal_was_moved_away_no_second_action_is_made(
    clio_sandbox: Sandbox, journal: Path, manifest: Manifest
) -> None:
    change(journal, "UPDATE owned SET fields = 'x'")
    vault = Vault()
    damaged = Firm(clio_sandbox, vault, journal=journal)
    damaged.sign_in_everyone()
    with pytest.raises(VaultError, match="damaged row"):
        damaged.plan(manifest)
    again = Firm(clio_sandbox, vault, journal=journal.with_name("new.sqlite"))
    assert again.plan(manifest).counts() == {"ok": 10}


def test_p7_a_damaged_lock_file_is_an_error_that_says_to_delete_it(
    clio_sandbox: Sandbox, journal: Path, manifest: Manifest
) -> None:
    firm = Firm(clio_sandbox, journal=journal)
    firm.sign_in_everyone()
    lock = journal.with_name(f"{journal.name}.lock")
    lock.write_bytes(b"not a database, " * 1000)
    with pytest.raises(VaultError, match=r"journal.sqlite.lock is damaged .* delete it"):
        firm.apply(firm.plan(manifest), progress=False)
    lock.unlink()
    assert firm.apply(firm.plan(manifest), progress=False)
