"""Meet an expired token with 50 calls at once; keep one renewed token among those of 1,000 users."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Final

import clio_nb
from clio_nb.http import loop
from clio_nb.models import Token
from clio_nb.secret import Secret
from clio_nb.vault import Vault
from clio_nb.database.database import Database
from clio_nb.vault.vault import FIRM, firm_key_of

from .clients.firm import app_at, filled
from .processes import ROOT
from .rounds import ratio, timed
from .table import Row, at_most, exactly

CALLS: Final = 50
SAVES: Final = 20


def rows(*, smoke: bool) -> Iterator[Row]:
    """Count the refreshes; compare keeping a token with writing one small file safely."""
    yield exactly("refresh", f"{CALLS} calls meet an expired token", _refreshes(), 1, "refresh")
    users, times = (2 * SAVES, 1) if smoke else (1000, 7)
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".bench-") as folder:  # on the project's disk: /tmp may be memory
        took = timed(times, ours=_keeping(users, Path(folder)), plain=_writing(Path(folder)))
    each = {name: f"{median(several) / SAVES * 1000:.2f} ms" for name, several in took.items()}
    work = f"keep one renewed token of {users:,} users"
    peer = f"small file + fsync + rename {each['plain']}"
    yield at_most("refresh", work, each["ours"], peer, ratio(took["ours"], took["plain"]), 1.5)


def _refreshes() -> int:
    """Return how often Clio was asked for a token by many calls of one user whose token has just ended."""
    with clio_nb.sandbox(rate_limit=1000) as site:
        session = clio_nb.login(site, user=site.users[0].id)
        before = len(site.oauth_requests)
        site.advance(60 * 24 * 3600)

        async def meet() -> None:
            await asyncio.gather(*(session.aio.list_actions() for _ in range(CALLS)))

        loop.run(meet)
        return len(site.oauth_requests) - before


def _keeping(users: int, folder: Path) -> Callable[[], None]:
    """Return what writes renewed tokens of one user after the other into a vault on disk."""
    app = app_at("http://127.0.0.1:1")
    vault = filled(Vault(Database(folder / "vault.sqlite")), app, users)
    firm_key = firm_key_of(app, FIRM)
    grants = cycle(list(vault.grants(app)))
    token = Token(access=Secret("a" * 40), refresh=Secret("r" * 40), expires_at=2e9)

    def keep() -> None:
        for grant in islice(grants, SAVES):
            if not vault.sealed.swap(firm_key, replace(grant, token=token)):
                raise AssertionError("the token was not kept")

    return keep


def _writing(folder: Path) -> Callable[[], None]:
    """Return what writes a small file so that it is whole whatever happens."""

    def write() -> None:
        for _ in range(SAVES):
            new = folder / "token.new"
            with new.open("wb") as file:
                file.write(b"t" * 200)
                file.flush()
                os.fsync(file.fileno())
            new.replace(folder / "token")

    return write
