"""The verbs over all firms for notebooks and scripts: every verb waits, and shows its progress firm by firm."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from ..firm import Firm
from ..firm._progress import watched
from ..firm._usage import Since
from ..firm.apply._user_run import Stop
from ..http import loop
from ..http.sync_and_async import sync_method, sync_method_into
from ..models import Site
from ..tracebacks import verbs
from ..vault import Vault
from . import _usage
from .async_firms import AsyncFirms, Progress
from .report import FirmRow, FirmsReport

if TYPE_CHECKING:
    import pandas as pd


def _with_a_bar(
    verb: Callable[..., Coroutine[Any, Any, FirmsReport]],
    aio: AsyncFirms,
    *given: Any,
    progress: Progress = True,
    stop: Stop | None = None,
    **how: Any,
) -> FirmsReport:
    """Do a verb with a bar over its firms; Ctrl-C stops it safely."""
    stop, ended, total = stop or Stop(), list[FirmRow](), 0
    if progress is True:
        plans = next((one for one in given if isinstance(one, FirmsReport)), None)
        total = len(loop.run(aio.overview) if plans is None else plans.rows)
    on_row = progress if callable(progress) else ended.append
    work = loop.submit(verb, aio, *given, **how, progress=on_row, stop=stop)
    return watched(work, ended, total, what=verb.__name__, unit="firm", bar=progress is True, stop=stop)


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

    plan = sync_method(AsyncFirms.plan, run=_with_a_bar)
    plan_offboard = sync_method(AsyncFirms.plan_offboard, run=_with_a_bar)
    coverage = sync_method_into(FirmsReport.to_frame, run=_with_a_bar)(AsyncFirms.coverage)
    drift = sync_method_into(FirmsReport.to_frame, run=_with_a_bar)(AsyncFirms.drift)
    apply = sync_method(AsyncFirms.apply, run=_with_a_bar)
    offboard = sync_method(AsyncFirms.offboard, run=_with_a_bar)
    audit = sync_method_into(FirmsReport.to_frame)(AsyncFirms.audit)
    launches = sync_method_into(_usage.launches_frame)(AsyncFirms.launches)
    adoption = sync_method_into(_usage.adoption_frame)(AsyncFirms.adoption)
    gaps = sync_method_into(_usage.gaps_frame)(AsyncFirms.gaps)

    def refusals(self, since: Since = None, *, time_zone: str = "UTC") -> pd.DataFrame:
        """Return how many launches of all firms were not verified, by day and reason.

        Args:
            since: From when on: a datetime with a time zone, or a timedelta before now.
            time_zone: Whose days these are: ``"America/Toronto"``.

        Returns:
            One row for each firm, day and reason that has any; ``region``, ``firm_id``, ``firm`` and ``name`` as in
            :meth:`launches`, then the columns of :meth:`clio_nb.Firm.refusals` after its ``firm``. Awaited: by minute,
            a list as :meth:`launches` gives.

        Raises:
            errors.InvalidInput: The time zone is unknown, or ``since`` is no such time.

        Examples:
            >>> recorded = clio.Firm(site, firm.vault, record=True)
            >>> clio.verify_launch("https://partner.example/launch?user_id=1", recorded).code
            'malformed'
            >>> firms.refusals(time_zone="America/Toronto")[["firm", "reason", "launches"]].values.tolist()
            [['Marrowby & Quill LLP', 'malformed', 1]]
        """
        return _usage.refusals_frame(loop.run(self.aio.refusals, since, time_zone=time_zone), time_zone)
