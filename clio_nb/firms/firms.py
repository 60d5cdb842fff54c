"""The verbs over all firms for notebooks and scripts: every verb waits, and shows its progress firm by firm."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

from ..firm import Firm
from ..firm._planner import Source
from ..firm._progress import watched
from ..firm.apply._user_run import Stop
from ..http import loop
from ..http.sync_and_async import sync_method, sync_method_into
from ..models import Site
from ..tracebacks import verbs
from ..vault import Vault
from .async_firms import AsyncFirms, Progress
from .report import FirmRow, FirmsReport

if TYPE_CHECKING:
    import pandas as pd


@verbs
class Firms:
    """All firms of a vault, and the verbs of :class:`Firm` over all of them: ten firms at a time, in one process.

    What goes wrong in one firm stops nobody: it is in that firm's row. Applying again does what is left. With an
    ``executor`` the firms are done wherever that runs them. A task then has names and the vault's address without its
    password; the worker takes the password (``CLIO_NB_VAULT`` or ``PGPASSWORD``), the key (``CLIO_NB_KEY``) and the
    app's id and secret from its own environment. ``aio`` is the same, awaited: a :class:`clio_nb.aio.Firms`.

    Args:
        sites: The app in each of its regions: what :func:`clio_nb.connect` returns, one or several.
        vault: Where the tokens are.

    Examples:
        >>> clio.Firms(site, firm.vault).firm("default").users()["access"].unique().tolist()
        ['signed in']
    """

    def __init__(self, sites: Site | Iterable[Site], vault: Vault) -> None:
        self.aio = AsyncFirms(sites, vault)

    @property
    def sites(self) -> list[Site]:
        """The app in each of its regions."""
        return self.aio.sites

    @property
    def vault(self) -> Vault:
        """Where the tokens are."""
        return self.aio.vault

    def __repr__(self) -> str:
        return repr(self.aio)

    cost = sync_method(AsyncFirms.cost)

    def firm(self, which: int | str) -> Firm:
        """Return one firm.

        Args:
            which: Clio's id of the firm, its name there, or its name in the vault.

        Returns:
            The firm.

        Raises:
            errors.InvalidInput: There is no such firm, or there are several.

        Examples:
            >>> firms.firm("Marrowby & Quill LLP").plan("actions.toml").counts()
            {'create': 5}
        """
        found = loop.run(self.aio.firm, which)
        return Firm(found.site, found.vault, name=found.name)

    def overview(self) -> pd.DataFrame:
        """Return the firms of the vault. Clio is not asked.

        ===========  ===================  ==========================================================================
        column       dtype                holds
        ===========  ===================  ==========================================================================
        region       category             us, eu, ca or au
        firm_id      Int64                Clio's id of the firm; missing as long as it is not known
        firm         string               its name at Clio, else the one in the vault
        name         string               its name in the vault
        people       Int64                who was last listed of it, at least those with a token
        tokens       Int64                tokens in the vault
        usable       Int64                those of them that are not known to be revoked, expired or damaged
        last_run     string               its newest run
        last_run_at  datetime64[ns, UTC]  when that began
        finished     boolean              whether that came to its end
        ===========  ===================  ==========================================================================

        Returns:
            One row for each firm, by region and name in the vault.

        Examples:
            >>> firms.overview()[["firm", "people", "tokens"]].values.tolist()
            [['Marrowby & Quill LLP', 5, 5]]
        """
        import pandas as pd  # noqa: PLC0415 -- loads when the first table is made

        from ..tables import integers, texts, times  # noqa: PLC0415 -- as above

        known = loop.run(self.aio.overview)
        return pd.DataFrame(
            {
                "region": pd.Categorical([each.of.region for each in known]),
                "firm_id": integers([each.of.firm_id for each in known]),
                "firm": texts([each.of.firm for each in known]),
                "name": texts([each.of.name for each in known]),
                "people": integers([each.people for each in known]),
                "tokens": integers([each.of.tokens for each in known]),
                "usable": integers([each.of.usable for each in known]),
                "last_run": texts([each.last_run or None for each in known]),
                "last_run_at": times([each.last_run_at for each in known]),
                "finished": pd.array([each.finished for each in known], dtype="boolean"),
            }
        )

    def plan(
        self,
        manifest: Source,
        *,
        profile: str | None = None,
        allow_delete: bool = False,
        executor: Executor | None = None,
        progress: Progress = True,
    ) -> FirmsReport:
        """Compare a manifest with what every user of every firm has. Nothing is changed.

        Args:
            manifest: What every user should see, or the path of a file that says it.
            profile: Which target URLs of the manifest to use.
            allow_delete: Turn duplicates and orphans into deletes.
            executor: Where the firms are read; without it here, ten at a time.
            progress: False for no bar; or a function that is called with each firm's row.

        Returns:
            The report, with each firm's plan in its row. :meth:`apply` takes it.

        Raises:
            errors.ManifestError: The manifest cannot be read.

        Examples:
            >>> firms.plan("actions.toml", progress=False)
            <Plan for 1 firm: 5 create. 5 calls, at most 1 per token, 0 s under the rate limit>
        """
        how = {"profile": profile, "allow_delete": allow_delete}
        return self._watched(self.aio.plan, progress, manifest, **how, executor=executor)

    def plan_offboard(
        self, *, manifest: Source | None = None, executor: Executor | None = None, progress: Progress = True
    ) -> FirmsReport:
        """Return the plans that remove all that is ours from every firm. Nothing is changed.

        Args:
            manifest: Says what is ours: only what this manifest made, also where the ledger does not know it.
            executor: As in :meth:`plan`.
            progress: As in :meth:`plan`.

        Returns:
            The report, with each firm's plan in its row. :meth:`apply` takes it.

        Raises:
            errors.ManifestError: The manifest cannot be read.

        Examples:
            >>> report = firms.apply("actions.toml", progress=False)
            >>> firms.plan_offboard(progress=False).counts()
            {'delete': 5}
        """
        return self._watched(self.aio.plan_offboard, progress, manifest=manifest, executor=executor)

    def coverage(
        self,
        manifest: Source | None = None,
        *,
        profile: str | None = None,
        executor: Executor | None = None,
        progress: Progress = True,
    ) -> pd.DataFrame:
        """Return how many users of each firm see all that they should, and why the others do not.

        Args:
            manifest: What it is held against, or the path of one; without it, what was written last (the ledger).
            profile: Which target URLs of the manifest count.
            executor: As in :meth:`plan`.
            progress: As in :meth:`plan`.

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
        how = {"profile": profile, "executor": executor}
        return self._watched(self.aio.coverage, progress, manifest, **how).to_frame()

    def drift(
        self,
        manifest: Source | None = None,
        *,
        profile: str | None = None,
        executor: Executor | None = None,
        progress: Progress = True,
    ) -> pd.DataFrame:
        """Return how much is not as it should be in each firm.

        Args:
            manifest: With one, what a plan of it would change; without one, what was changed by hand since it was
                written.
            profile: Which target URLs of the manifest count.
            executor: As in :meth:`plan`.
            progress: As in :meth:`plan`.

        Returns:
            One row for each firm; the columns are those of :meth:`clio_nb.firms.FirmsReport.to_frame`, with a count
            for each kind of item. Awaited: the report.

        Raises:
            errors.ManifestError: The manifest cannot be read.

        Examples:
            >>> firms.drift("actions.toml", progress=False)["create"].tolist()
            [5]
        """
        how = {"profile": profile, "executor": executor}
        return self._watched(self.aio.drift, progress, manifest, **how).to_frame()

    audit = sync_method_into(FirmsReport.to_frame)(AsyncFirms.audit)

    def apply(
        self,
        manifest: Source | FirmsReport,
        *,
        profile: str | None = None,
        allow_delete: bool = False,
        executor: Executor | None = None,
        canary: Iterable[int | str] = (),
        canary_failures: int = 0,
        progress: Progress = True,
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
        how = {"profile": profile, "allow_delete": allow_delete, "executor": executor}
        return self._watched(self.aio.apply, progress, manifest, **how, canary=canary, canary_failures=canary_failures)

    def offboard(
        self,
        *,
        manifest: Source | None = None,
        executor: Executor | None = None,
        canary: Iterable[int | str] = (),
        canary_failures: int = 0,
        progress: Progress = True,
    ) -> FirmsReport:
        """Remove all that is ours from every firm. Look at :meth:`plan_offboard` first: it counts the deletes.

        Args:
            manifest: Says what is ours: only what this manifest made, also where the ledger does not know it.
            executor: As in :meth:`apply`.
            canary: As in :meth:`apply`.
            canary_failures: As in :meth:`apply`.
            progress: As in :meth:`apply`.

        Returns:
            The report.

        Raises:
            errors.ManifestError: The manifest cannot be read.

        Examples:
            >>> report = firms.apply("actions.toml", progress=False)
            >>> firms.offboard(progress=False).counts()
            {'done': 5}
        """
        how = {"manifest": manifest, "executor": executor}
        return self._watched(self.aio.offboard, progress, **how, canary=canary, canary_failures=canary_failures)

    def _watched(
        self, verb: Callable[..., Coroutine[Any, Any, FirmsReport]], progress: Progress, *given: Any, **how: Any
    ) -> FirmsReport:
        """Do a verb with a bar over its firms."""
        stop, ended, total = Stop(), list[FirmRow](), 0
        if progress is True:
            plans = next((one for one in given if isinstance(one, FirmsReport)), None)
            total = len(loop.run(self.aio.overview) if plans is None else plans.rows)
        on_row = progress if callable(progress) else ended.append
        work = loop.submit(verb, *given, **how, progress=on_row, stop=stop)
        return watched(work, ended, total, what=verb.__name__, unit="firm", bar=progress is True, stop=stop)
