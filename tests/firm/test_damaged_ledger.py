"""P7: a row of the ledger that cannot be read blocks its user, who is named; everyone else goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from clio_nb.errors import ClioError
from clio_nb.firm import Firm
from clio_nb.firm.manifest import Manifest
from clio_nb.sandbox import Sandbox

DAMAGE: dict[str, Any] = {
    "bytes": b"\xff\x00",
    "text": "neither number nor JSON [",
    "nested deeply": "[" * 100_000,
    "a list": "[1, 2]",
    "a moment past all calendars": 1e300,
}
COLUMNS = {
    "clio_nb_runs": ("app", "purpose", "profile", "allow_delete", "manifest", "started", "finished"),
    "clio_nb_items": ("user_id", "user", "kind", "key", "action_id", "before", "after", "outcome", "message", "at"),
    "clio_nb_actions": ("user_id", "manifest", "key", "fields", "created_at"),
    "clio_nb_users": ("account_id", "lease_owner", "lease_until", "writes"),
}
CELLS = [(table, column) for table, columns in COLUMNS.items() for column in columns]
VERBS: list[Callable[[Firm, Manifest], object]] = [
    lambda firm, manifest: firm.plan(manifest),
    lambda firm, _: firm.coverage(),
    lambda firm, _: firm.drift(),
    lambda firm, _: firm.audit(),
    lambda firm, _: firm.runs(),
    lambda firm, _: firm.plan_resume(),
    lambda firm, _: firm.plan_offboard(),
    lambda firm, _: firm.plan_undo(next(iter(firm.runs()["run"]), "none")),
    lambda firm, manifest: firm.apply(firm.plan(manifest), progress=False),
]


def change(firm: Firm, statement: str, *values: object) -> None:
    with firm.vault.database.transaction(write=True) as database:
        database.exec_driver_sql(statement, values)


@pytest.mark.parametrize(("table", "column"), CELLS, ids=[".".join(cell) for cell in CELLS])
def test_p7_no_verb_ends_with_an_error_that_is_not_ours(
    applied: Firm, manifest: Manifest, table: str, column: str
) -> None:
    for value in DAMAGE.values():
        change(applied, f"UPDATE {table} SET {column} = ? WHERE rowid = 1", value)  # noqa: S608
        for verb in VERBS:
            with contextlib.suppress(ClioError):
                verb(applied, manifest)
    assert len(applied.actions()) == 10, "no second button"


def test_p7_the_user_of_a_damaged_row_is_blocked_and_named_and_the_others_are_changed(
    applied: Firm, clio_sandbox: Sandbox, manifest: Manifest
) -> None:
    user = clio_sandbox.users[2]
    change(applied, "UPDATE clio_nb_actions SET fields = 'x' WHERE user_id = ?", user.id)
    plan = applied.plan_offboard()
    assert plan.counts() == {"delete": 8}
    assert applied.plan(manifest).counts() == {"ok": 8, "blocked": 2}
    (blocked, _) = applied.plan(manifest).blocked
    assert (blocked.user_id, blocked.reason) == (user.id, "damaged in the ledger")
    assert "a row of clio_nb_actions is damaged" in blocked.advice
    assert "Restore the database from a backup, or delete that row." in blocked.advice
    change(applied, "DELETE FROM clio_nb_actions WHERE user_id = ?", user.id)
    assert applied.apply(applied.plan(manifest), progress=False).results == ()
    assert applied.plan_offboard().counts() == {"delete": 10}
