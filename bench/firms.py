"""Give 100 users of each of 40 firms three actions, ten firms at a time; then once more, with nothing left to do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .clients import IN_FLIGHT
from .clients.firms import LOCATIONS, USERS
from .processes import Client, Server, server, started
from .table import Row, at_most, compared, exactly

LATENCY_MS: Final = 20
LATENCY_MS_ON_DASK: Final = 150
READS: Final = 1 + USERS  # in a firm: the list of its users, and each user's actions
WRITES: Final = USERS * len(LOCATIONS)
MEGABYTES, DESCRIPTORS = 500, 200


def rows(*, smoke: bool, firms: int = 40) -> Iterator[Row]:
    """Measure all firms at once, one firm after the other, and two workers of Dask, each in its turn."""
    firms = 2 if smoke else firms
    with server(LATENCY_MS, USERS) as there, started("-m", "bench.clients.firms", there.origin, str(firms)) as process:
        client = Client(process)
        one_by_one = _fresh(there, client).do("loop")
        _fresh(there, client)
        with _descriptors(process.pid) as most:
            run = client.do()
            before = there.counts()
            again = client.do("again").seconds
        after = there.counts()
        peak = _peak(process.pid)
    first, calls = run.seconds, firms * (READS + WRITES)
    bound, bound_again = (firms * each * LATENCY_MS / 1000 / IN_FLIGHT for each in (READS + WRITES, READS))
    work = f"{firms} firms x {USERS} users x {len(LOCATIONS)} locations"
    yield at_most("firms", work, f"{first:.2f} s", f"latency bound {bound:.2f} s", first / bound, 1.30)
    against = f"loop over Firm {one_by_one.seconds:.2f} s"
    yield compared("firms", "the same", f"{first:.2f} s", against, first / one_by_one.seconds)
    busy, alone = (score.cpu / calls * 1000 for score in (run, one_by_one))
    yield compared(
        "firms", "processor time a request", f"{busy:.2f} ms", f"loop over Firm {alone:.2f} ms", busy / alone
    )
    took = f"latency bound {bound_again:.2f} s"
    yield compared("firms", "second run, nothing to do", f"{again:.2f} s", took, again / bound_again)
    yield exactly("firms", "actions", after["actions"], firms * WRITES, "")
    yield exactly("firms", "second buttons", after["duplicates"], 0, "")
    writes = after["POST custom_actions"] - before["POST custom_actions"]
    yield exactly("firms", "second run: writes", writes, 0, "")
    yield Row("firms", "memory (VmHWM)", f"{peak:.0f} MB", goal=f"≤ {MEGABYTES} MB", met=peak <= MEGABYTES)
    yield Row("firms", "descriptors at most", str(most[0]), goal=f"≤ {DESCRIPTORS}", met=most[0] <= DESCRIPTORS)
    if not smoke:
        yield _on_dask(firms)


def _on_dask(firms: int) -> Row:
    """Measure two workers, each with as many requests under way as one process, without the start of the cluster."""
    with (
        server(LATENCY_MS_ON_DASK, USERS) as there,
        started("-m", "bench.clients.firms", there.origin, str(firms)) as process,
    ):
        client = Client(process)
        start = client.do("nothing").seconds
        took = _fresh(there, client).do("dask").seconds - start
    bound = firms * (READS + WRITES) * LATENCY_MS_ON_DASK / 1000 / (2 * IN_FLIGHT)
    work = f"two Dask workers, {LATENCY_MS_ON_DASK} ms a request"
    return compared("firms", work, f"{took:.2f} s", f"latency bound {bound:.2f} s", took / bound)


def _fresh(there: Server, client: Client) -> Client:
    there.reset()
    client.do("prepare")
    return client


@contextmanager
def _descriptors(pid: int) -> Iterator[list[int]]:
    """Count the open descriptors of a process, ten times a second; give the most that there were."""
    most, over = [0], threading.Event()

    def count() -> None:
        while not over.wait(0.1):
            most[0] = max(most[0], len(list(Path(f"/proc/{pid}/fd").iterdir())))

    counting = threading.Thread(target=count)
    counting.start()
    try:
        yield most
    finally:
        over.set()
        counting.join()


def _peak(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
