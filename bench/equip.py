"""Give one colleague of a firm of 2,000 her actions, and open 400 firms of one vault in a process."""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

from clio_nb.database.database import Database
from clio_nb.firm import Firm
from clio_nb.vault import Vault

from .clients import LOCATIONS
from .clients.firm import MANIFEST, app_at, filled
from .processes import said, server, started
from .table import Row, at_most, exactly

LATENCY_MS: Final = 50
FIRMS: Final = 400
DESCRIPTORS: Final = 100


def rows(*, smoke: bool) -> Iterator[Row]:
    """Count and time the requests of one colleague after the other; then look at a process with many firms."""
    users, colleagues = (200, 3) if smoke else (2000, 20)
    took = []
    with server(LATENCY_MS, users) as there, tempfile.TemporaryDirectory() as folder:
        app = app_at(there.origin)
        firm = Firm(app, filled(Vault(Database(Path(folder) / "vault.sqlite")), app, users))
        firm.equip(users, MANIFEST)  # imports, connections and tables are there from now on
        there.reset()
        for user_id in range(1, colleagues + 1):
            began = time.perf_counter()
            firm.equip(user_id, MANIFEST)
            took.append(time.perf_counter() - began)
        counts = there.counts()
        firm.vault.close()
    asked = sum(count for name, count in counts.items() if name.startswith(("GET", "POST")))
    work = f"equip one colleague of {users:,} with {len(LOCATIONS)} actions"
    yield exactly("equip", f"{work}: requests", asked // colleagues, 1 + len(LOCATIONS), "requests")
    bound = 2 * LATENCY_MS / 1000  # her list, then her creates together
    mine = median(took)
    yield at_most("equip", work, f"{mine * 1000:.0f} ms", f"latency bound {bound * 1000:.0f} ms", mine / bound, 1.5)
    with started("-m", "bench.equip", str(FIRMS)) as process:
        seconds, memory, descriptors = said(process).split()
    yield Row("equip", f"{FIRMS} firms of one vault: to open and ask each", f"{seconds} s, {memory} MB")
    met = int(descriptors) <= DESCRIPTORS
    yield Row("equip", f"{FIRMS} firms: file descriptors", descriptors, goal=f"≤ {DESCRIPTORS}", met=met, counted=True)


def _many(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        vault = Vault(Database(Path(folder) / "vault.sqlite"))
        began = time.perf_counter()
        firms = [Firm(app_at("http://127.0.0.1:9"), vault, name=f"firm {number}") for number in range(count)]
        if any(len(firm.runs()) for firm in firms):
            raise SystemExit("a firm without a run has one")
        took = time.perf_counter() - began
        status = Path("/proc/self/status").read_text()
        peak = int((re.search(r"VmHWM:\s+(\d+)", status) or [0, "0"])[1]) // 1024
        sys.stdout.write(f"{took:.2f} {peak} {len(list(Path('/proc/self/fd').iterdir()))}\n")
        vault.close()


if __name__ == "__main__":
    _many(int(sys.argv[1]))
