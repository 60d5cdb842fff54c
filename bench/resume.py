"""Kill a rollout at a random point and run it again: no call is made twice, and no second button appears."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from clio_nb.database import schema
from clio_nb.database.database import Database
from clio_nb.errors import InvalidInput
from clio_nb.firm import Firm
from clio_nb.ledger.ledger import Ledger
from clio_nb.ledger.records import Outcome
from clio_nb.vault import Vault
from clio_nb.vault.vault import FIRM, firm_key_of

from .clients import LOCATIONS
from .clients.firm import FIRM_AT_CLIO, MANIFEST, app_at, filled
from .processes import ROOT, Server, server
from .table import Row, at_most, exactly

LATENCY_MS: Final = 5
SEED: Final = 20


def rows(*, smoke: bool) -> Iterator[Row]:
    """Count what both runs together ask of Clio, against an undisturbed one and a list for each unfinished user."""
    users, kills = (20, 2) if smoke else (200, 20)
    calls = [0, 0]
    duplicates = missing = 0
    with server(LATENCY_MS, users) as there:
        needed = _undisturbed(there, users)
        chance = random.Random(SEED)  # noqa: S311 -- no secret
        for _ in range(kills):
            unfinished = _killed_and_run_again(there, users, chance.randrange(1, needed))
            counts = there.counts()
            calls[0] += _calls(counts)
            calls[1] += needed + unfinished
            duplicates += counts["duplicates"]
            missing += users * len(LOCATIONS) - counts["actions"]
    work = f"{kills} kills of {users} users x {len(LOCATIONS)} locations"
    made, due = calls
    yield at_most("resume", work, f"{made:,} calls", f"calls that are needed {due:,}", made / due, 1.02)
    yield exactly("resume", f"{work}: second buttons", duplicates, 0, "actions")
    yield exactly("resume", f"{work}: missing buttons", missing, 0, "actions")


def _undisturbed(there: Server, users: int) -> int:
    """Return how many calls a run takes that nobody disturbs."""
    home = Path(tempfile.mkdtemp())
    try:
        _run(there.origin, users, home)
        return _calls(there.counts())
    finally:
        shutil.rmtree(home)


def _killed_and_run_again(there: Server, users: int, at: int) -> int:
    """Kill a run when Clio has seen so many calls, run it again, and return how many users were not finished."""
    there.reset()
    home = Path(tempfile.mkdtemp())
    try:
        command = [sys.executable, "-m", "bench.resume", there.origin, str(users), str(home)]
        with subprocess.Popen(command, cwd=ROOT) as process:  # noqa: S603 -- our own module
            while _calls(there.counts()) < at and process.poll() is None:
                time.sleep(0.001)
            process.kill()
        unfinished = _unfinished(there, users, home)
        _run(there.origin, users, home)
        return unfinished
    finally:
        shutil.rmtree(home)


def _unfinished(there: Server, users: int, home: Path) -> int:
    """Return for how many users the ledger does not know that all was done; all of them, if no run was begun.

    Time passes until no lease is left: nobody waits here. Who was held when the process was killed is read again.
    """
    database = Database(home / "vault.sqlite")
    ledger, app = Ledger(database), firm_key_of(app_at(there.origin), FIRM).app
    entries = ledger.entries(app, FIRM_AT_CLIO.id)
    held = schema.users.update().where(schema.users.c.lease_owner != "")
    with closing(database), database.transaction(write=True) as connection:
        again = connection.execute(held.values(lease_until=1.0)).rowcount
    return again + (len({entry.user_id for entry in entries if entry.outcome != Outcome.DONE}) if entries else users)


def _calls(counts: dict[str, int]) -> int:
    return sum(count for name, count in counts.items() if name.startswith(("GET", "POST")))


def _run(origin: str, users: int, home: Path) -> None:
    """Go on with the run that was interrupted, or else plan and apply."""
    app = app_at(origin)
    firm = Firm(app, filled(Vault.open(home / "vault.sqlite", key_file=home / "vault.key"), app, users))
    try:
        firm.resume(progress=False)
    except InvalidInput:
        firm.apply(firm.plan(MANIFEST), progress=False)


if __name__ == "__main__":
    _run(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
