"""Many firms out of one vault: one manifest for all at once, for one after the other, and on two Dask workers."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from clio_nb.database import schema
from clio_nb.database.database import Database
from clio_nb.firm import Firm
from clio_nb.firm.manifest import parse_manifest
from clio_nb.firms import Firms, FirmsReport
from clio_nb.login import connect
from clio_nb.models import Account, Token, User
from clio_nb.secret import Secret
from clio_nb.vault import Vault, new_key
from clio_nb.vault._grants import Grant
from clio_nb.vault.keys import find_keys
from clio_nb.vault.vault import firm_key_of

from . import LABEL, TARGET, arguments, compete, token_of

USERS: Final = 100
LOCATIONS: Final = ("documents", "folders", "matters")
MANIFEST: Final = parse_manifest(
    f"""
    [app]
    name = "bench"

    [[actions]]
    key = "sign"
    label = "{LABEL}"
    target_url = "{TARGET}"
    locations = {list(LOCATIONS)}
    """
)


class Runs:
    """The runs over so many firms."""

    def __init__(self, origin: str, firms: int, folder: Path) -> None:
        os.environ["CLIO_NB_KEY"] = new_key().reveal()
        self._app = connect(origin)
        self._vault = Vault(Database(folder / "vault.sqlite"), find_keys())
        for number in range(firms):
            key = firm_key_of(self._app, str(number))
            self._vault.sealed.keep_all((key, _grant(user, number)) for user in _users(number))
            self._vault.ledger.learn_firm(key, _account(number))
        self._firms = Firms(self._app, self._vault)

    def prepare(self) -> None:
        """Forget the runs before."""
        with self._vault.database.transaction(write=True) as database:
            for table in (schema.runs, schema.items, schema.actions, schema.kept, schema.users):
                database.execute(table.delete())

    def run(self) -> None:
        """Plan and apply in all firms."""
        _good(self._firms.apply(MANIFEST, progress=False))

    def loop(self) -> None:
        """Plan and apply in one firm after the other."""
        for name in self._vault.firms(self._app):
            firm = Firm(self._app, self._vault, name=name)
            if not firm.apply(firm.plan(MANIFEST), progress=False):
                raise SystemExit(f"the run of firm {name} failed")

    def dask(self) -> None:
        """Plan and apply in all firms on two workers."""
        with _two_workers() as executor:
            _good(self._firms.apply(MANIFEST, executor=executor, progress=False))

    def nothing(self) -> None:
        """Start two workers and end them: what that takes."""
        with _two_workers():
            pass


@contextmanager
def _two_workers() -> Iterator[Executor]:
    from distributed import Client, LocalCluster  # noqa: PLC0415 -- for this work only

    options = {"n_workers": 2, "threads_per_worker": 10, "dashboard_address": None}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        yield client.get_executor()


def _users(number: int) -> range:
    return range(number * USERS + 1, (number + 1) * USERS + 1)


def _account(number: int) -> Account:
    return Account(id=number + 1, name=f"Bench {number} LLP")


def _grant(user: int, number: int) -> Grant:
    return Grant(User(id=user, name=f"User {user}", account=_account(number)), Token(access=Secret(token_of(user))))


def _good(report: FirmsReport) -> None:
    if not report:
        raise SystemExit(f"the run failed: {report}: {report.failed[0].error}")


if __name__ == "__main__":
    home = Path(tempfile.mkdtemp())
    try:
        runs = Runs(*arguments(), home)
        works = {name: getattr(runs, name) for name in ("prepare", "loop", "dask", "nothing")}
        compete(rollout=runs.run, again=runs.run, **works)
    finally:
        shutil.rmtree(home)
