"""Note an intent and its outcome in the ledger, alone and with others, beside two plain commits there."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Final

import psycopg

from clio_nb.database.database import Database
from clio_nb.database.firm_key import AppKey
from clio_nb.firm.item import Item
from clio_nb.ledger.ledger import Ledger
from clio_nb.ledger.records import ActionFields, Ended, Intent, Kind, NewRun, Outcome, Take
from clio_nb.models import CustomAction
from clio_nb.secret import Secret

from .processes import ROOT
from .rounds import ratio, timed
from .table import Row, compared

APP: Final = AppKey("us", "bench")
FIELDS: Final = ActionFields("Sign", "https://partner.example/launch", "matters/show")
ITEMS: Final = 50


def rows(*, smoke: bool) -> Iterator[Row]:
    """Write changes one by one and 25 at a time; the peer commits twice for each of them."""
    times = 1 if smoke else 7
    with contextlib.ExitStack() as kept:
        folder = Path(kept.enter_context(tempfile.TemporaryDirectory(dir=ROOT, prefix=".bench-")))
        plain = sqlite3.connect(folder / "plain.sqlite", isolation_level=None)
        plain.execute("PRAGMA journal_mode=WAL")
        plain.execute("PRAGMA synchronous=FULL")
        yield from _compared("SQLite", Database(folder / "vault.sqlite"), plain.execute, times)
        plain.close()
        from tests.conftest import postgresql  # noqa: PLC0415 -- needed only where there is one

        try:
            cluster = kept.enter_context(postgresql())
        except LookupError:
            return
        server = kept.enter_context(psycopg.connect(cluster.url(), autocommit=True))
        yield from _compared("PostgreSQL, no fsync", Database(Secret(cluster.url())), server.execute, times)


def _compared(name: str, database: Database, execute: Callable[[str], object], times: int) -> Iterator[Row]:
    execute("CREATE TABLE plain (x INTEGER)")

    def commits() -> None:
        for _ in range(2 * ITEMS):
            execute("INSERT INTO plain VALUES (1)")

    ledger, numbers = Ledger(database), itertools.count(1)
    took = timed(
        times,
        alone=lambda: _changes(ledger, next(numbers), 1),
        together=lambda: _changes(ledger, next(numbers), 25),
        plain=commits,
    )
    each = {work: f"{median(several) / ITEMS * 1000:.2f} ms" for work, several in took.items()}
    for work, said in (("alone", "alone"), ("together", "with 24 others")):
        what = f"intent and outcome {said}, {name}"
        yield compared("ledger", what, each[work], f"two commits {each['plain']}", ratio(took[work], took["plain"]))
    database.close()


def _changes(ledger: Ledger, first: int, together: int) -> None:
    """Carry out a run of creates, each of a user of its own."""
    users = range(first * ITEMS, (first + 1) * ITEMS)
    items = [Item(kind=Kind.CREATE, user_id=user_id, key="sign", after=FIELDS) for user_id in users]
    run, _ = ledger.begin(APP, 1, NewRun("bench", "bench", "plan"), items)
    ledger.write(APP, [Take(user_id, "bench") for user_id in users])
    for start in range(0, ITEMS, together):
        some = list(enumerate(items))[start : start + together]
        intents = [Intent(run, number, item.user_id, "bench") for number, item in some]
        ends = [
            Ended(run, number, item.user_id, "bench", Outcome.DONE, "", item, _made(item.user_id))
            for number, item in some
        ]
        if not all(ledger.write(APP, intents)) or not all(ledger.write(APP, ends)):
            raise AssertionError("the ledger did not take it")


def _made(number: int) -> CustomAction:
    return CustomAction(id=number, label=FIELDS.label, target_url=FIELDS.target_url, ui_reference=FIELDS.ui_reference)
