"""The verbs of a firm over all firms of a vault, to be awaited."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import Any, Final, TypeAlias

from .. import tracebacks
from ..errors import InvalidInput
from ..firm._planner import Source
from ..firm._usage import Since
from ..firm.adoption import Adoption
from ..firm.apply._user_run import Stop
from ..firm.async_firm import AsyncFirm
from ..firm.manifest import Manifest, read_manifest
from ..firm.plan.plan import Cost
from ..http import timeouts
from ..http.pace import LOWEST, WINDOW
from ..http.sync_and_async import awaited, on_loop
from ..ledger.launches import Gap, LaunchRow, Refused
from ..models import Site
from ..vault import Vault
from ._loop import Loop
from ._roster import KnownFirm, firms_of, known_firms, named, several_sites
from ._task import FirmName, Task
from ._usage import FirmsUsage, Of
from .report import FirmRow, FirmsReport

PAGE: Final = 200  # users in one answer of Clio

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
        self._usage = FirmsUsage(self.sites, vault)

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
        """Compare a manifest with what every user of every firm has. Nothing is changed.

        Args:
            manifest: What every user should see, or the path of a file that says it.
            profile: Which target URLs of the manifest to use.
            allow_delete: Turn duplicates and orphans into deletes.
            executor: Where the firms are read; without it here, ten at a time.
            progress: False for no bar; or a function that is called with each firm's row.
            stop: Ends the run early, when it is asked to.

        Returns:
            The report, with each firm's plan in its row. :meth:`apply` takes it.

        Raises:
            errors.ManifestError: The manifest cannot be read.

        Examples:
            >>> firms.plan("actions.toml", progress=False)
            <Plan for 1 firm: 5 create. 5 calls, at most 1 per token, 0 s under the rate limit>
        """
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
        """Return the plans that remove all that is ours from every firm. Nothing is changed.

        Args:
            manifest: Says what is ours: only what this manifest made, also where the ledger does not know it.
            executor: As in :meth:`plan`.
            progress: As in :meth:`plan`.
            stop: Ends the run early, when it is asked to.

        Returns:
            The report, with each firm's plan in its row. :meth:`apply` takes it.

        Raises:
            errors.ManifestError: The manifest cannot be read.

        Examples:
            >>> report = firms.apply("actions.toml", progress=False)
            >>> firms.plan_offboard(progress=False).counts()
            {'delete': 5}
        """
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
        """Return how many users of each firm see all that they should, and why the others do not.

        Args:
            manifest: What it is held against, or the path of one; without it, what was written last (the ledger).
            profile: Which target URLs of the manifest count.
            executor: As in :meth:`plan`.
            progress: As in :meth:`plan`.
            stop: Ends the run early, when it is asked to.

        Returns:
            One row for each firm; the columns are those of :meth:`clio_nb.firms.FirmsReport.to_frame`, with the
            counts ``users`` and ``equipped``. Awaited: the report.

        Raises:
            errors.ManifestError: The manifest cannot be read.

        Examples:
            >>> report = firms.apply("actions.toml", progress=False)
            >>> firms.coverage("actions.toml", progress=False)[["firm", "users", "equipped"]].values.tolist()
            [['Marrowby & Quill LLP', 5, 5]]
        """
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
        """Return how much is not as it should be in each firm.

        Args:
            manifest: With one, what a plan of it would change; without one, what was changed by hand since it was
                written.
            profile: Which target URLs of the manifest count.
            executor: As in :meth:`plan`.
            progress: As in :meth:`plan`.
            stop: Ends the run early, when it is asked to.

        Returns:
            One row for each firm; the columns are those of :meth:`clio_nb.firms.FirmsReport.to_frame`, with a count
            for each kind of item. Awaited: the report.

        Raises:
            errors.ManifestError: The manifest cannot be read.

        Examples:
            >>> firms.drift("actions.toml", progress=False)["create"].tolist()
            [5]
        """
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
    async def launches(self, since: Since = None) -> list[Of[LaunchRow]]:
        """Return the launches of all firms that were recorded (``record=True``), oldest first. Clio is not asked.

        Columns: ``region`` (category), ``firm_id`` (Int64), ``firm`` (string: its name at Clio), ``name`` (string: its
        name in the vault), then those of :meth:`clio_nb.Firm.launches` after its ``firm``. The last three of a firm
        are missing for a launch that names nobody known.

        Args:
            since: From when on: a datetime with a time zone, or a timedelta before now.

        Returns:
            One row for each launch. Awaited: a list with ``of``, the firm, and ``row``, as
            :meth:`clio_nb.Firm.launches` has it.

        Raises:
            errors.InvalidInput: ``since`` is no such time.

        Examples:
            >>> recorded = clio.Firm(site, firm.vault, record=True)
            >>> clio.verify_launch(site.click_on(session.user.id, "https://partner.example/launch"), recorded).state
            'verified'
            >>> firms.launches()[["firm", "user", "state"]].values.tolist()
            [['Marrowby & Quill LLP', 'Odalys Hartwell-Oyelaran', 'verified']]
        """
        return await self._usage.launches(since)

    @on_loop
    async def adoption(self) -> list[Of[Adoption]]:
        """Return users x actions of all firms: since when each user has each action, and how often it was clicked.

        Returns:
            One row for each action that is ours and each that was clicked, by region and firm; ``region``, ``firm_id``,
            ``firm`` and ``name`` as in :meth:`launches`, then the columns of :meth:`clio_nb.Firm.adoption`. Awaited:
            a list as :meth:`launches` gives.

        Examples:
            >>> firms.apply("actions.toml", progress=False).counts()
            {'done': 5}
            >>> firms.adoption()[["firm", "never"]].value_counts().to_dict()
            {('Marrowby & Quill LLP', True): 5}
        """
        return await self._usage.adoption()

    @on_loop
    async def refusals(self, since: Since = None, *, time_zone: str = "UTC") -> list[Of[Refused]]:
        """Return how many launches were not verified, by region, minute (in the time zone), firm and reason."""
        return await self._usage.refusals(since, time_zone)

    @on_loop
    async def gaps(self, since: Since = None) -> list[Of[Gap]]:
        """Return when launches may be missing, of whichever firm of a region.

        Args:
            since: Only gaps that end after this: a datetime with a time zone, or a timedelta before now.

        Returns:
            One row for each gap: ``region`` (category), and the columns of :meth:`clio_nb.Firm.gaps`. Awaited: a list
            as :meth:`launches` gives.

        Raises:
            errors.InvalidInput: ``since`` is no such time.

        Examples:
            >>> firms.gaps().empty
            True
        """
        return await self._usage.gaps(since)

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
        """Plan and apply a manifest in every firm. What could not be done, applying again does.

        Ctrl-C stops it safely: requests under way are finished and recorded, no further firm is begun, then
        ``KeyboardInterrupt`` is raised.

        Args:
            manifest: What every user should see, or the path of a file that says it; or the report of :meth:`plan` or
                :meth:`plan_offboard`, and then exactly what its plans say is done.
            profile: Which target URLs of the manifest to use.
            allow_delete: Turn duplicates and orphans into deletes.
            executor: Where the firms are done; without it here, ten at a time.
            canary: Firms that go first, by id or name.
            canary_failures: How many of these may fail; when more do, no other firm is begun.
            progress: False for no bar; or a function that is called with each firm's row.
            stop: Ends the run early, when it is asked to.

        Returns:
            The report: a row for each firm, with its run, what was done, and what went wrong.

        Raises:
            errors.ManifestError: The manifest cannot be read.
            errors.InvalidInput: No firm is called like one of ``canary``, or no worker can reach this vault.

        Examples:
            >>> firms.apply("actions.toml", progress=False).counts()
            {'done': 5}
            >>> firms.apply("actions.toml", progress=False).counts()
            {}
        """
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
        """Remove all that is ours from every firm. Look at :meth:`plan_offboard` first: it counts the deletes.

        Args:
            manifest: Says what is ours: only what this manifest made, also where the ledger does not know it.
            executor: As in :meth:`apply`.
            canary: As in :meth:`apply`.
            canary_failures: As in :meth:`apply`.
            progress: As in :meth:`apply`.
            stop: Ends the run early, when it is asked to.

        Returns:
            The report.

        Raises:
            errors.ManifestError: The manifest cannot be read.

        Examples:
            >>> report = firms.apply("actions.toml", progress=False)
            >>> firms.offboard(progress=False).counts()
            {'done': 5}
        """
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
        """Do a verb in each firm, or in those that have a plan."""
        firms = await self._firms()
        first = [named(firms, which) for which in ([canary] if isinstance(canary, int | str) else canary)]
        address = "" if executor is None else self._address()
        seconds = None if timeouts.left() == math.inf else max(timeouts.left(), 0.0)
        planned = {(row.region, row.name): row.plan for row in plans.rows if row.plan} if plans else {}
        tasks = [
            Task(
                verb=verb,
                of=of,
                vault=address,
                manifest=manifest,
                plan=planned.get((of.region, of.name)),
                options=options,
                seconds=seconds,
            )
            for of in firms
            if plans is None or (of.region, of.name) in planned
        ]
        on_row = progress if callable(progress) else lambda _: None
        loop = Loop(self.opened, executor, on_row, stop or Stop())
        return FirmsReport(verb, tuple(await loop.rows(tasks, first, canary_failures)))

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
