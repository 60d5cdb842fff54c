"""clio_nb as a partner uses it: a firm out of a vault, a manifest planned and applied, every step in the journal."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

from clio_nb.firm import Firm
from clio_nb.firm.manifest import parse_manifest
from clio_nb.models import App, Token, User
from clio_nb.secret import Secret
from clio_nb.vault import Vault
from clio_nb.vault._grants import Grant
from clio_nb.database.database import Database
from clio_nb.vault.vault import FIRM, firm_key_of
from clio_nb.vocabulary import Region

from . import LABEL, LOCATIONS, TARGET, arguments, compete, token_of

MANIFEST: Final = parse_manifest(
    f"""
    [app]
    name = "bench"

    [[actions]]
    key = "sign"
    label = "{LABEL}"
    target_url = "{TARGET}"
    locations = {[location.partition("/")[0] for location in LOCATIONS]}
    """
)


def app_at(origin: str) -> App:
    """Return the bench's app."""
    return App(Region.US, "bench", Secret("secret"), origin=origin)


def filled(vault: Vault, app: App, users: int) -> Vault:
    """Return the vault, in which so many users now have a token; they came a thousand at a time."""
    firm_key = firm_key_of(app, FIRM)
    for first in range(1, users + 1, 1000):
        vault.sealed.keep_all(
            (firm_key, Grant(User(id=number, name=f"User {number}"), Token(access=Secret(token_of(number)))))
            for number in range(first, min(first + 1000, users + 1))
        )
    return vault


class Runs:
    """The runs of one firm, each from the plan to the last line of the journal."""

    def __init__(self, origin: str, users: int, folder: Path) -> None:
        self._app = app_at(origin)
        self._vault = filled(Vault(Database(folder / "vault.sqlite")), self._app, users)
        self._journal = folder / "journal.sqlite"

    def prepare(self) -> None:
        """Forget the runs before."""
        for file in self._journal.parent.glob("journal*"):
            file.unlink()
        self._firm = Firm(self._app, self._vault, journal=self._journal)

    def run(self) -> None:
        """Plan and apply."""
        result = self._firm.apply(self._firm.plan(MANIFEST), progress=False)
        if not result:
            raise SystemExit(f"the run failed: {result}")


if __name__ == "__main__":
    home = Path(tempfile.mkdtemp())
    try:
        runs = Runs(*arguments(), home)
        compete(prepare=runs.prepare, rollout=runs.run, again=runs.run)
    finally:
        shutil.rmtree(home)
