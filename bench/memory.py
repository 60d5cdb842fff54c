"""Plan for 100,000 users whose tokens are in a vault on disk: how much memory a process needs for it."""

from __future__ import annotations

import resource
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from clio_nb.firm import Firm
from clio_nb.vault import Vault
from clio_nb.database.database import Database

from .clients.firm import MANIFEST, app_at, filled
from .processes import said, server, started
from .table import Row


def rows(*, smoke: bool) -> Iterator[Row]:
    """Fill the vault and plan in a process of its own, in which everyone lacks five actions."""
    users = 1_000 if smoke else 100_000
    with server(0, users) as there, started("-m", "bench.memory", there.origin, str(users)) as process:
        vault, plan = (int(part) / 1024 for part in said(process).split())
    yield Row("memory", f"open a vault of {users:,} users and read it through", f"{vault:.0f} MB")
    work = f"plan for {users:,} users x 5 locations"
    yield Row("memory", work, f"{plan:.0f} MB", goal="≤ 300 MB", met=plan <= 300)


def _measure(origin: str, users: int) -> None:
    app = app_at(origin)
    with tempfile.TemporaryDirectory() as folder:
        vault = filled(Vault(Database(Path(folder) / "vault.sqlite")), app, users)
        sum(1 for _ in vault.grants(app))
        read = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        plan = Firm(app, vault).plan(MANIFEST)
        if plan.counts() != {"create": 5 * users}:
            raise SystemExit(f"the plan is not what it should be: {plan}")
        sys.stdout.write(f"{read} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}\n")
        vault.close()


if __name__ == "__main__":
    _measure(sys.argv[1], int(sys.argv[2]))
