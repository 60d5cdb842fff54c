"""What many users of a run have to say at once costs no more statements than what few have to say."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from clio_nb.database.database import Database
from clio_nb.ledger.ledger import Ledger
from clio_nb.ledger.records import ActionFields, Change, Ended, Intent, Outcome, Release, Take

from .conftest import APP, SIGN, action, begun, create, wrote

KEPT = ActionFields("Sign ", SIGN.target_url, SIGN.ui_reference)
LIMITS = {"take": 4, "intent": 8, "end": 12, "release": 4}


def _changes(ledger: Ledger, users: range, creates: int) -> dict[str, list[Change]]:
    items = [create(user, f"sign {number}", KEPT) for user in users for number in range(creates)]
    run = begun(ledger, *items, owner="a")
    ends: list[Change] = [
        Ended(run, number, item.user_id, "a", Outcome.DONE, "", item, action(1000 * users.start + number))
        for number, item in enumerate(items)
    ]
    return {
        "take": [Take(user, "a") for user in users],
        "intent": [Intent(run, number, item.user_id, "a") for number, item in enumerate(items)],
        "end": ends,
        "release": [Release(user, "a") for user in users],
    }


@pytest.fixture
def statements(ledger: Ledger, database: Database) -> Callable[[], int]:
    """Return how many statements the database was sent since the last time, with the ends of transactions."""
    ledger.runs(APP, 1)
    assert database._engine is not None
    sent: list[str] = []
    sa.event.listen(database._engine, "before_cursor_execute", lambda *about: sent.append(about[2]))

    def since() -> int:
        count = len(sent)
        sent.clear()
        return count

    return since


def test_a_group_of_any_size_takes_the_same_few_statements(ledger: Ledger, statements: Callable[[], int]) -> None:
    counts: list[dict[str, int]] = []
    for users, creates in ((range(1, 3), 2), (range(100, 140), 5)):
        counts.append({})
        for kind, changes in _changes(ledger, users, creates).items():
            statements()
            assert all(wrote(ledger, *changes))  # type: ignore[arg-type]  # whichever kind
            counts[-1][kind] = statements()
    assert counts[0] == counts[1]
    assert all(counts[0][kind] <= most for kind, most in LIMITS.items()), counts[0]


def test_a_group_in_which_one_may_not_write_writes_for_all_others(ledger: Ledger) -> None:
    several = _changes(ledger, range(1, 6), 2)
    assert wrote(ledger, Take(3, "b")) == [True]
    without = [change.user_id != 3 for change in several["intent"]]
    assert wrote(ledger, *several["take"]) == [True, True, False, True, True]  # type: ignore[arg-type]
    assert wrote(ledger, *several["intent"]) == without  # type: ignore[arg-type]
    assert wrote(ledger, *several["end"]) == without  # type: ignore[arg-type]
    assert wrote(ledger, *several["release"]) == [True, True, False, True, True]  # type: ignore[arg-type]
    assert [entry.outcome == "done" for entry in ledger.entries(APP, 5)] == without
    assert sorted(ledger.known(APP, 5).of(3).owned) == []
    assert ledger.writes(APP, [1, 3, 9]) == {1: 2, 3: 0, 9: 0}


def test_what_one_user_has_to_say_is_written_in_the_order_in_which_it_was_said(ledger: Ledger) -> None:
    run = begun(ledger, create(1), create(1, "b"), create(2))

    def done(number: int, user: int) -> Ended:
        return Ended(run, number, user, "a", Outcome.DONE, "", create(user), action(50 + number))

    said = [
        Take(1, "a"), Intent(run, 0, 1, "a"), done(0, 1), Intent(run, 1, 1, "a"), done(1, 1), Release(1, "a"),
        Intent(run, 2, 2, "a"), Take(2, "a"), done(2, 2), Take(1, "b"), Take(2, "b"), Intent(run, 0, 1, "a"),
    ]  # fmt: skip
    assert wrote(ledger, *said) == [True] * 6 + [False, True, False, True, False, False]
