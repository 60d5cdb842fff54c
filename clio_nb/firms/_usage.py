"""What was recorded of the launches of all firms, read app by app. Clio is not asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from ..firm._usage import Since, Usage
from ..firm.adoption import Adoption
from ..ledger.launches import Gap, LaunchRow, Refused
from ..models import Site
from ..vault import Vault
from ._roster import Names
from ._task import FirmName

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


class Of(NamedTuple, Generic[T]):
    """A row of the history, and the firm that it is of: one without a name where no firm is known."""

    of: FirmName
    row: T


class FirmsUsage:
    """The history of all firms of a vault."""

    def __init__(self, sites: Sequence[Site], vault: Vault) -> None:
        self._apps: Final = [(site, Usage(site, vault)) for site in sites]
        self._vault = vault

    async def launches(self, since: Since) -> list[Of[LaunchRow]]:
        """Return the launches, the oldest first."""
        found = list[Of[LaunchRow]]()
        for site, usage in self._apps:
            rows, names = await usage.launches(since), await self._names(site)
            found += [Of(names.of(row.firm), row) for row in rows]
        return sorted(found, key=lambda each: each.row.at)

    async def refusals(self, since: Since, time_zone: str) -> list[Of[Refused]]:
        """Return what was not verified, by region, minute, firm and reason."""
        found = list[Of[Refused]]()
        for site, usage in self._apps:
            rows, names = await usage.refusals(since, time_zone), await self._names(site)
            found += [Of(names.of(row.firm), row) for row in rows]
        return found

    async def gaps(self, since: Since) -> list[Of[Gap]]:
        """Return when launches may be missing, of whichever firm of a region."""
        return [
            Of((await self._names(site)).of(""), gap) for site, usage in self._apps for gap in await usage.gaps(since)
        ]

    async def adoption(self) -> list[Of[Adoption]]:
        """Return how each user of each firm uses each action, by region and firm."""
        found = list[Of[Adoption]]()
        for site, usage in self._apps:
            rows, names = await usage.adoption(), await self._names(site)
            of_app = [Of(names.of(name, account_id), row) for row, account_id, name in rows]
            found += sorted(of_app, key=lambda each: each.of.name)
        return found

    async def _names(self, site: Site) -> Names:
        return await asyncio.to_thread(Names, site, self._vault)


def launches_frame(rows: Sequence[Of[LaunchRow]]) -> pd.DataFrame:
    """Return the table of :meth:`clio_nb.Firms.launches`."""
    from ..firm import launches  # noqa: PLC0415 -- pandas loads when the first table is made

    return _with_firms(rows, launches.launches_frame([each.row for each in rows]))


def adoption_frame(rows: Sequence[Of[Adoption]]) -> pd.DataFrame:
    """Return the table of :meth:`clio_nb.Firms.adoption`."""
    from ..firm import launches  # noqa: PLC0415 -- as above

    return _with_firms(rows, launches.adoption_frame([each.row for each in rows]))


def refusals_frame(rows: Sequence[Of[Refused]], time_zone: str) -> pd.DataFrame:
    """Return the table of :meth:`clio_nb.Firms.refusals`."""
    from ..firm import launches  # noqa: PLC0415 -- as above

    by_minute = launches.by_minute([each.row for each in rows], time_zone)
    return launches.summed(_with_firms(rows, by_minute))


def gaps_frame(rows: Sequence[Of[Gap]]) -> pd.DataFrame:
    """Return the table of :meth:`clio_nb.Firms.gaps`."""
    from ..firm import launches  # noqa: PLC0415 -- as above

    firms = _with_firms(rows, launches.gaps_frame([each.row for each in rows]))
    return firms.drop(columns=["firm_id", "firm", "name"])


def _with_firms(rows: Sequence[Of[T]], frame: pd.DataFrame) -> pd.DataFrame:
    """Put the columns that say which firm before the others."""
    import pandas as pd  # noqa: PLC0415 -- as above

    from ..tables import integers, texts  # noqa: PLC0415 -- as above

    firms = pd.DataFrame(
        {
            "region": pd.Categorical([each.of.region for each in rows]),
            "firm_id": integers([each.of.firm_id for each in rows]),
            "firm": texts([each.of.firm or None for each in rows]),
            "name": texts([each.of.name or None for each in rows]),
        }
    )
    return firms.join(frame.drop(columns="firm", errors="ignore"))
