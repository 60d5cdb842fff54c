"""Which firms a vault has: their names, what they are at Clio, and how many tokens. Clio is not asked."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..arguments import a_site
from ..errors import InvalidInput
from ..ledger.people import counts
from ..models import Account, Site
from ..vault import Vault
from ..vault.vault import firm_key_of
from ._task import FirmName


class KnownFirm(NamedTuple):
    """A firm, how many people were last listed of it, and its last run."""

    of: FirmName
    people: int
    last_run: str
    last_run_at: dt.datetime | None
    finished: bool | None


def several_sites(sites: Site | Iterable[Site]) -> list[Site]:
    """Return one app or several as a list, each once: all firms of a sandbox's region share one."""
    given = [a_site(site) for site in sites] if isinstance(sites, Iterable) else [a_site(sites)]
    if not given:
        raise InvalidInput("Pass at least one app: what clio.connect(...) or clio.sandbox() returns.", field="sites")
    return list({(site.origin, site.client_id): site for site in reversed(given)}.values())[::-1]


def firms_of(sites: Sequence[Site], vault: Vault) -> list[FirmName]:
    """Return the firms of a vault, by region and name."""
    return [of for site in sites for of in Names(site, vault).firms()]


class Names:
    """What the firms of an app are called, also one that has no token any more."""

    def __init__(self, site: Site, vault: Vault) -> None:
        app = firm_key_of(site, "").app
        self._site = site
        self._tokens = vault.sealed.store.tokens(app)
        self._accounts = vault.ledger.firms(app)
        self._times = Counter(account.id for account in self._accounts.values())
        self._by_id = {account.id: name for name, account in sorted(self._accounts.items(), reverse=True)}

    def firms(self) -> list[FirmName]:
        """Return those that have tokens."""
        return [self.of(name) for name in self._tokens]

    def of(self, name: str, account_id: int | None = None) -> FirmName:
        """Return the firm of a name in the vault, or of an id at Clio; one without a name where there is none."""
        name = self._by_id.get(account_id or 0, name)
        account, (tokens, usable) = self._accounts.get(name), self._tokens.get(name, (0, 0))
        site = self._site
        return FirmName(
            site=site.control_url or (site.region.value if site.origin == site.region.origin else site.origin),
            region=site.region.value,
            client_id=site.client_id,
            name=name,
            firm_id=account_id if account is None else account.id,
            firm=_called(account, name, several=account is not None and self._times[account.id] > 1),
            tokens=tokens,
            usable=usable,
        )


def _called(account: Account | None, name: str, *, several: bool) -> str:
    """Return what to call a firm. One that the vault has by several names is told apart by these."""
    if account is None or not account.name:
        return name
    return f"{account.name}, {name!r} in the vault" if several else account.name


def known_firms(sites: Sequence[Site], vault: Vault, firms: Sequence[FirmName]) -> list[KnownFirm]:
    """Return what the ledger knows of firms beside their names."""
    known = []
    for site in sites:
        app = firm_key_of(site, "").app
        people, runs = counts(vault.database, app), vault.ledger.last_runs(app)
        for of in firms:
            if (of.region, of.client_id) == (site.region.value, site.client_id):
                run = None if of.firm_id is None else runs.get(of.firm_id)
                listed = 0 if of.firm_id is None else people.get(of.firm_id, 0)
                known.append(
                    KnownFirm(
                        of,
                        max(listed, of.tokens),
                        run.run if run else "",
                        run.started if run else None,
                        (run.finished is not None) if run else None,
                    )
                )
    return known


def named(firms: Sequence[FirmName], which: int | str) -> FirmName:
    """Return the firm that an id or a name means. Raises :class:`InvalidInput` where none or several do."""
    found = [of for of in firms if of.is_called(str(which))]
    if len(found) == 1:
        return found[0]
    said = str(which)[:60]
    if found:
        raise InvalidInput(f"{said!r} fits {len(found)} firms: {_listed(found)}. Use another name.", field="firm")
    raise InvalidInput(f"No firm {said!r} in this vault. It has {_listed(firms) or 'no firm'}.", field="firm")


def _listed(firms: Sequence[FirmName]) -> str:
    shown = ", ".join(f"{of}, {of.name!r} in the vault" for of in firms[:5])
    return f"{shown} and {len(firms) - 5} more" if len(firms) > 5 else shown
