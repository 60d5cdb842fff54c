"""The verbs of a firm over all firms of a vault, to be awaited: ten at a time, or wherever an executor runs them."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from typing import Any, Final, TypeAlias

from .. import tracebacks
from ..errors import InvalidInput
from ..firm._planner import Source
from ..firm.apply._user_run import Stop
from ..firm.async_firm import AsyncFirm
from ..firm.manifest import Manifest, read_manifest
from ..firm.plan.plan import Cost
from ..http import timeouts
from ..http.pace import LOWEST, WINDOW
from ..http.sync_and_async import awaited, on_loop
from ..models import Site
from ..vault import Vault
from ._one import carried_out
from ._roster import KnownFirm, firms_of, known_firms, named, several_sites
from ._task import FirmName, Task
from ._worker import on_worker
from .report import FirmRow, FirmsReport

AT_A_TIME: Final = 10  # firms; how many requests are under way in all is the transport's business
PAGE: Final = 200  # users in one answer of Clio
_POLL: Final = 0.2
_STOPPED: Final = "Not begun: the run was stopped."
_log: Final = logging.getLogger("clio_nb")

Progress: TypeAlias = bool | Callable[[FirmRow], object]
"""True shows a progress bar, except where the verb is awaited; a function is called with each firm's row."""


@awaited
@tracebacks.verbs
class AsyncFirms:
    """All firms of a vault, for servers: the verbs of :class:`clio_nb.Firms`, awaited.

    Args:
        sites: The app in each of its regions.
        vault: Where the tokens are.
    """

    def __init__(self, sites: Site | Iterable[Site], vault: Vault) -> None:
        self.sites: Final = several_sites(sites)
        self.vault: Final = vault

    def __repr__(self) -> str:
        return f"<{type(self).__name__} in {', '.join(site.region.value for site in self.sites)}, {self.vault!r}>"

    @on_loop
    async def overview(self) -> list[KnownFirm]:
        """Return the firms of the vault, each with what the ledger knows of it. Clio is not asked."""
        return await asyncio.to_thread(known_firms, self.sites, self.vault, await self._firms())

    @on_loop
    async def firm(self, which: int | str) -> AsyncFirm:
        """Return one firm, by Clio's id of it, its name there or its name in the vault."""
        return self.opened(named(await self._firms(), which))

    @on_loop
    async def cost(self, manifest: Source) -> Cost:
        """Return what applying a manifest needs at most, from what is in the vault. Clio is not asked.

        Args:
            manifest: What every user should see, or the path of a file that says it.

        Returns:
            The requests in all and for the busiest token, and the seconds that the rate limits alone take.

        Raises:
            errors.ManifestError: The manifest cannot be read.

        Examples:
            >>> firms.cost("actions.toml")
            Cost(calls=11, calls_per_token=3, seconds=0.0)
        """
        wanted = await asyncio.to_thread(read_manifest, manifest)
        places = sum(len(action.locations) for action in wanted.actions)
        firms = [of for of in await self._firms() if of.usable]
        calls = sum(math.ceil(of.tokens / PAGE) + of.usable * (1 + places) for of in firms)
        busiest = max((math.ceil(of.tokens / PAGE) + 1 + places for of in firms), default=0)
        return Cost(calls, busiest, max(busiest - 1, 0) // LOWEST * WINDOW)

    @on_loop
    async def plan(
        self,
        manifest: Source,
        *,
        profile: str | None = None,
        allow_delete: bool = False,
        executor: Executor | None = None,
        progress: Progress = True,
        stop: Stop | None = None,
    ) -> FirmsReport:
        """Compare a manifest with what every user of every firm has. Nothing is changed."""
        wanted = await self._read(manifest, profile)
        options = {"profile": profile, "allow_delete": allow_delete}
        return await self._each("plan", wanted, options, executor=executor, progress=progress, stop=stop)

    @on_loop
    async def plan_offboard(
        self,
        *,
        manifest: Source | None = None,
        executor: Executor | None = None,
        progress: Progress = True,
        stop: Stop | None = None,
    ) -> FirmsReport:
        """Return the plans that remove all that is ours from every firm. Nothing is changed."""
        wanted = None if manifest is None else await self._read(manifest)
        return await self._each("plan_offboard", wanted, {}, executor=executor, progress=progress, stop=stop)

    @on_loop
    async def coverage(
        self,
        manifest: Source | None = None,
        *,
        profile: str | None = None,
        executor: Executor | None = None,
        progress: Progress = True,
        stop: Stop | None = None,
    ) -> FirmsReport:
        """Return how many users of each firm see what they should, and why the others do not."""
        wanted = None if manifest is None else await self._read(manifest, profile)
        return await self._each(
            "coverage", wanted, {"profile": profile}, executor=executor, progress=progress, stop=stop
        )

    @on_loop
    async def drift(
        self,
        manifest: Source | None = None,
        *,
        profile: str | None = None,
        executor: Executor | None = None,
        progress: Progress = True,
        stop: Stop | None = None,
    ) -> FirmsReport:
        """Return how much is not as it should be in each firm."""
        wanted = None if manifest is None else await self._read(manifest, profile)
        return await self._each("drift", wanted, {"profile": profile}, executor=executor, progress=progress, stop=stop)

    @on_loop
    async def audit(self) -> FirmsReport:
        """Return how many runs and changes the ledger has of each firm, and how many changes were made.

        Clio is asked only which firm it is, and only where that is not known yet.

        Returns:
            One row for each firm; the columns are those of :meth:`clio_nb.firms.FirmsReport.to_frame`, with the counts
            ``runs``, ``unfinished``, ``changes`` and ``done``, and the newest run in ``run``. Awaited: the report.

        Examples:
            >>> report = firms.apply("actions.toml", progress=False)
            >>> firms.audit()[["runs", "unfinished", "changes", "done"]].values.tolist()
            [[1, 0, 5, 5]]
        """
        return await self._each("audit", None, {})

    @on_loop
    async def apply(
        self,
        manifest: Source | FirmsReport,
        *,
        profile: str | None = None,
        allow_delete: bool = False,
        executor: Executor | None = None,
        canary: Iterable[int | str] = (),
        canary_failures: int = 0,
        progress: Progress = True,
        stop: Stop | None = None,
    ) -> FirmsReport:
        """Plan and apply a manifest in every firm, or do exactly what a report of plans says."""
        wanted, plans, options = None, None, dict[str, str | bool | None]()
        if isinstance(manifest, FirmsReport):
            plans = manifest
        else:
            wanted = await self._read(manifest, profile)
            options = {"profile": profile, "allow_delete": allow_delete}
        return await self._each(
            "apply",
            wanted,
            options,
            plans=plans,
            executor=executor,
            canary=canary,
            canary_failures=canary_failures,
            progress=progress,
            stop=stop,
        )

    @on_loop
    async def offboard(
        self,
        *,
        manifest: Source | None = None,
        executor: Executor | None = None,
        canary: Iterable[int | str] = (),
        canary_failures: int = 0,
        progress: Progress = True,
        stop: Stop | None = None,
    ) -> FirmsReport:
        """Remove all that is ours from every firm. Look at :meth:`plan_offboard` first: it counts the deletes."""
        wanted = None if manifest is None else await self._read(manifest)
        return await self._each(
            "offboard",
            wanted,
            {},
            executor=executor,
            canary=canary,
            canary_failures=canary_failures,
            progress=progress,
            stop=stop,
        )

    async def _firms(self) -> list[FirmName]:
        return await asyncio.to_thread(firms_of, self.sites, self.vault)

    def opened(self, of: FirmName) -> AsyncFirm:
        """Return the firm of a name that :meth:`overview` gave."""
        site = next(one for one in self.sites if (one.region, one.client_id) == (of.region, of.client_id))
        return AsyncFirm(site, self.vault, name=of.name)

    async def _read(self, manifest: Source, profile: str | None = None) -> Manifest:
        wanted = await asyncio.to_thread(read_manifest, manifest)
        wanted.check_profile(profile)
        return wanted

    async def _each(
        self,
        verb: str,
        manifest: Manifest | None,
        options: dict[str, Any],
        *,
        plans: FirmsReport | None = None,
        executor: Executor | None = None,
        canary: Iterable[int | str] = (),
        canary_failures: int = 0,
        progress: Progress = True,
        stop: Stop | None = None,
    ) -> FirmsReport:
        """Do a verb in each firm: the canaries first, then all others. What goes wrong in one is in its row."""
        firms = await self._firms()
        first = [named(firms, which) for which in ([canary] if isinstance(canary, int | str) else canary)]
        address = "" if executor is None else self._address()
        seconds = None if timeouts.left() == math.inf else max(timeouts.left(), 0.0)
        planned = {(row.region, row.name): row.plan for row in plans.rows} if plans else {}

        def task(of: FirmName) -> Task:
            plan = planned.get((of.region, of.name))
            return Task(verb=verb, of=of, vault=address, manifest=manifest, plan=plan, options=options, seconds=seconds)

        stop = stop or Stop()
        on_row = progress if callable(progress) else lambda _: None
        tasks = [task(of) for of in firms if plans is None or planned.get((of.region, of.name)) is not None]
        rows: dict[str, FirmRow] = {}
        for ahead in (True, False):
            group = [one for one in tasks if (one.of in first) is ahead]
            failed = sum(bool(row.error) for row in rows.values())
            if not ahead and failed > canary_failures:
                said = f"Not begun: of {len(rows)} canary firms {failed} failed."
                rows |= {one.number: one.row(error=said) for one in group}
                break
            rows |= await self._together(group, executor, on_row, stop)
        return FirmsReport(verb, tuple(rows[one.number] for one in tasks))

    async def _together(
        self, tasks: Sequence[Task], executor: Executor | None, on_row: Callable[[FirmRow], object], stop: Stop
    ) -> dict[str, FirmRow]:
        """Do tasks, ten at a time; an executor gets them all, since it knows how many it can do."""
        rows, left = dict[str, FirmRow](), iter(tasks)

        async def work() -> None:
            for task in left:
                row = task.row(error=_STOPPED) if stop.asked else await self._row_of(task, executor, stop)
                rows[task.number] = row
                on_row(row)

        at_a_time = min(len(tasks), AT_A_TIME if executor is None else len(tasks))
        workers = [asyncio.ensure_future(work()) for _ in range(at_a_time)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return rows

    async def _row_of(self, task: Task, executor: Executor | None, stop: Stop) -> FirmRow:
        """Do one task here or where the executor runs it. Anything unexpected ends this firm only."""
        work: asyncio.Future[FirmRow]
        if executor is None:
            work = asyncio.ensure_future(carried_out(self.opened(task.of), task, stop))
        else:
            work = asyncio.wrap_future(await asyncio.to_thread(executor.submit, on_worker, task))
        try:
            while not (await asyncio.wait([work], timeout=_POLL if executor else None))[0]:
                if stop.asked:
                    work.cancel()
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait([work])
        if work.cancelled():
            return task.row(error="Stopped before it ended; what has begun is in the ledger. Apply again.")
        if error := work.exception():
            tracebacks.cut(error)
            _log.error("%s failed unexpectedly in %s", task.verb, task.of, exc_info=error)
            return task.row(error=f"Unexpected error ({type(error).__name__}). What has begun is in the ledger.")
        return work.result()

    def _address(self) -> str:
        address = self.vault.database.address
        if not address:
            raise InvalidInput(
                "This vault is in memory, where no worker can reach it. Open one that lasts: clio.Vault.open(...).",
                field="executor",
            )
        away = [site for site in self.sites if site.control_url is None and site.origin != site.region.origin]
        if away:
            raise InvalidInput(f"A worker cannot find the app at {away[0].origin}: it is no region.", field="executor")
        return address
