"""Admit genuine launches at a door under forged traffic, with the history of launches and without: on one core."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx

import clio_nb
from clio_nb.http import loop
from clio_nb.launches._pages import Page, Visit
from clio_nb.vault import Vault
from clio_nb.web._guard import Guard

from .processes import sandbox
from .rounds import ratio, rounds, seconds
from .table import Row, at_most

KEY: Final = "a key that is long enough to sign cookies with"
FORGED: Final = 20  # for each genuine launch
_TARGET: Final = "http://partner.example/launch"


def rows(*, smoke: bool) -> Iterator[Row]:
    """Admit launches one after the other, each among forged ones that are refused without asking Clio."""
    count, times = (2, 1) if smoke else (10, 7)
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    with sandbox(rate_limit=1_000_000) as about, tempfile.TemporaryDirectory() as folder:
        site = clio_nb.connect(about["base_url"])
        session = clio_nb.login(site, user=about["users"][0]["id"])
        firm = clio_nb.Firm(site, Vault.open(Path(folder) / "vault.sqlite", key_file=Path(folder) / "key"))
        firm.add(session)
        action = clio_nb.create_action(session, "Prove", _TARGET, at="matters")
        matter = clio_nb.list_records(session, "matters")[0].subject
        click = {"user_id": session.user.id, "custom_action_id": action.id, "subject_url": matter.path}
        doors = {name: Guard(None, firm, KEY, record=name == "with") for name in ("with", "without")}
        if cores:
            os.sched_setaffinity(0, {min(cores)})
        try:
            measures = {name: lambda door=door: _admitted(door, about, click, count) for name, door in doors.items()}
            took = rounds(measures, times)  # type: ignore[arg-type]  # a default argument keeps each door
        finally:
            if cores:
                os.sched_setaffinity(0, cores)
        firm.vault.close()
    ours, plain = (f"{median(took[name]) / count * 1000:.1f} ms" for name in ("with", "without"))
    share = ratio(took["with"], took["without"])
    yield at_most("history", f"admit a launch among {FORGED} forged ones", ours, f"without {plain}", share, 1.25)


def _admitted(door: Guard[None], about: dict[str, Any], click: dict[str, Any], count: int) -> float:
    """Return the seconds that a door takes for so many genuine launches, each among forged ones."""
    with httpx.Client(trust_env=False) as plain:
        asked = [plain.post(f"{about['control_url']}/clicks", json=click).json() for _ in range(count)]
    queries = [answer["launch_url"].partition("?")[2] for answer in asked]

    def forged(query: str) -> Iterator[str]:
        for number in range(FORGED):
            changed = ("user_id=", "user_id=9") if number % 2 else ("subject_url=", "subject_url=x")
            yield f"{query.replace(*changed).rpartition('=')[0]}={secrets.token_urlsafe(24)}"

    async def visits() -> None:
        for query in queries:
            for each in (*forged(query), query):
                page = await door.admit(Visit("GET", "http", "partner.example", "/launch", each, {}), ("/launch",))
            if not isinstance(page, Page) or page.status != 303:
                raise AssertionError("a genuine launch was refused")

    return seconds(lambda: loop.run(visits))
