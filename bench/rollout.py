"""Give 1,000 users five actions each, 20 ms a request and 50 at a time; then once more, with nothing left to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import Final

from .clients import IN_FLIGHT, LOCATIONS
from .peers import python_with
from .processes import Client, Score, Server, client, server
from .rounds import ratio, rounds
from .table import Row, at_most, compared, exactly

LATENCY_MS: Final = 20
CLIO_MANAGE: Final = "clio-manage-api-client==0.1.5"
CALLS: Final = 1 + len(LOCATIONS)
PEERS: Final = {
    "sockets": "bare sockets",
    "aiohttp_loop": "loop over raw aiohttp",
    "httpx_loop": "loop over stock httpx",
    "clio_manage": "loop over clio-manage-api-client",
}

Scores = dict[str, list[Score]]


def rows(*, smoke: bool) -> Iterator[Row]:
    """Measure all clients in the same rounds; the published one, which has to be installed first, not in smoke."""
    users, times = (20, 1) if smoke else (1000, 5)
    with ExitStack() as stack:
        there = stack.enter_context(server(LATENCY_MS, users))
        pythons: dict[str, str] = dict.fromkeys(["session_loop", *PEERS], sys.executable)
        if smoke:
            del pythons["clio_manage"]
        else:
            pythons["clio_manage"] = str(stack.enter_context(python_with(CLIO_MANAGE)))
        firm = _Firm(there, stack.enter_context(client("firm", there.origin, users)))
        loops = {
            name: partial(_rollout, there, stack.enter_context(client(name, there.origin, users, python)))
            for name, python in pythons.items()
        }
        taken = rounds({"firm": firm.runs, **loops}, times)
    yield from _speed(users, taken)
    yield from firm.rows_of_second_runs(users)
    yield from _processor(users, taken)


def _rollout(there: Server, loop: Client) -> Score:
    there.reset()
    return loop.do()


class _Firm:
    """The firm's two runs, the second of which has nothing to do."""

    def __init__(self, there: Server, firm: Client) -> None:
        self._there = there
        self._firm = firm
        self._seconds: list[float] = []
        self._asked: dict[str, int] = {}

    def runs(self) -> Score:
        """Do both, note the second, and return what the first took."""
        self._there.reset()
        self._firm.do("prepare")
        first = self._firm.do()
        before = self._there.counts()
        self._seconds.append(self._firm.do("again").seconds)
        self._asked = {name: count - before.get(name, 0) for name, count in self._there.counts().items()}
        return first

    def rows_of_second_runs(self, users: int) -> Iterator[Row]:
        """Say what the second runs took, and what the last of them asked for."""
        bound = users * LATENCY_MS / 1000 / IN_FLIGHT
        work, took = "second run, nothing to do", median(self._seconds[1:])
        yield compared("rollout", work, f"{took:.2f} s", f"latency bound {bound:.2f} s", took / bound)
        yield exactly("rollout", f"{work}: lists of actions read", self._asked["GET custom_actions"], users, "reads")
        yield exactly("rollout", f"{work}: writes", self._asked["POST custom_actions"], 0, "writes")


def _speed(users: int, taken: Scores) -> Iterator[Row]:
    """Compare the time on the clock."""
    bound = users * CALLS * LATENCY_MS / 1000 / IN_FLIGHT
    clock = {name: [score.seconds for score in scores] for name, scores in taken.items()}
    work = f"{users:,} users x {len(LOCATIONS)} locations: firm.plan and firm.apply"
    ours, latency_bound = f"{median(clock['firm']):.2f} s", f"latency bound {bound:.2f} s"
    yield at_most("rollout", work, ours, latency_bound, median(clock["firm"]) / bound, 1.10)
    for name, peer in PEERS.items():
        if name in clock:
            against = f"{peer} {median(clock[name]):.2f} s"
            yield compared("rollout", work, ours, against, ratio(clock["firm"], clock[name]))
    loop = median(clock["session_loop"])
    yield compared("rollout", "the same calls, sessions alone", f"{loop:.2f} s", latency_bound, loop / bound)


def _processor(users: int, taken: Scores) -> Iterator[Row]:
    """Compare the processor time of a request."""
    calls = users * CALLS
    busy = {name: [score.cpu / calls * 1000 for score in scores] for name, scores in taken.items()}
    names = {"session_loop": "processor time a request, sessions alone", "firm": "with plan, vault and ledger"}
    for name, work in names.items():
        ours = median(busy[name])
        for peer in ("aiohttp_loop", "httpx_loop"):
            against = f"{PEERS[peer]} {median(busy[peer]):.2f} ms"
            share = f"{ratio(busy[name], busy[peer]):.2f} x"
            goal = ("≤ 0.30 ms", ours <= 0.30) if (name, peer) == ("session_loop", "aiohttp_loop") else ("–", None)
            yield Row("cpu", work, f"{ours:.2f} ms", against, share, *goal)
