"""The options that several commands share, and what they mean: which Clio, which firm, which manifest."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InvalidInput, NeedsLogin
from ..login.connect import CLIENT_ID, SITE
from ..terminal import show
from ..vocabulary import Region

if TYPE_CHECKING:
    from ..firm import Firm
    from ..firm.manifest import Manifest
    from ..firms import Firms
    from ..models import App
    from ..vault import Vault

Site = Annotated[
    str | None,
    typer.Option(
        "--site",
        metavar="URL",
        help="A running sandbox, with all its users signed in; one on another machine needs CLIO_NB_CONTROL_KEY. "
        "Default: the region and app from CLIO_NB_SITE, CLIO_CLIENT_ID and CLIO_CLIENT_SECRET.",
    ),
]
VaultAt = Annotated[
    str | None,
    typer.Option(
        "--vault",
        envvar="CLIO_NB_VAULT",
        help="Where the tokens and the ledger are: a file or a postgresql:// address. Default: a file in your user "
        "folder, another one for sandboxes.",
    ),
]
ManifestAt = Annotated[Path, typer.Argument(help="A TOML file that says what every user should see.")]
Profile = Annotated[str | None, typer.Option(help="Use the target URLs of this profile of the manifest.")]
AllowDelete = Annotated[bool, typer.Option(help="Also delete actions of ours that the manifest no longer names.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
FirmNamed = Annotated[
    str | None,
    typer.Option(
        "--firm", metavar="ID|NAME", help="One firm of the vault: Clio's id of it, its name there or in the vault."
    ),
]
AllFirms = Annotated[bool, typer.Option("--all-firms", help="Every firm of the vault, ten at a time.")]
Regions = Annotated[
    list[Region] | None,
    typer.Option(
        "--region",
        help="Firms of this region only; may be given several times. Default: every region whose app is in the "
        "environment.",
    ),
]
Canary = Annotated[
    list[str] | None,
    typer.Option(metavar="ID|NAME", help="With --all-firms: this firm goes first; may be given several times."),
]
CanaryFailures = Annotated[
    int, typer.Option(min=0, help="How many of those may fail; when more do, no other firm is begun.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def site_at(site: str | None) -> App:
    """Return the app that the options name."""
    from ..login import connect  # noqa: PLC0415 -- an HTTP client, for the commands that need one

    return connect(site)


def firm_at(
    site: str | None, vault: str | None, which: str | None = None, regions: Sequence[Region] | None = None
) -> Firm:
    """Return one firm of a vault: the one that is named, else ``default``, else the only one.

    Of a sandbox everyone is signed in, unless the vault has this firm already by another name than ``default``.
    Raises :class:`NeedsLogin` when the vault has no token: an empty firm would look as if all were well.
    """
    from ..firm import Firm  # noqa: PLC0415 -- a database, for these commands only
    from ..firms import Firms  # noqa: PLC0415 -- as above
    from ..vault.vault import FIRM  # noqa: PLC0415 -- as above

    if which is not None:
        return _named(firms_at(site, vault, regions), which)
    app = site_at(site)
    kept = _vault_at(app, vault)
    names = kept.firms(app)
    if app.control_url is not None and (vault is None or FIRM in names or not names):
        firm = Firm(app, kept, name=FIRM if FIRM in names or not names else _name_here(app, kept))
        firm.sign_in_everyone()
        return firm
    _somebody(kept, app, names)
    if FIRM not in names and len(names) > 1:
        shown = ", ".join(Firms(app, kept).overview()["firm"].tolist()[:5])
        raise InvalidInput(f"This vault has {len(names)} firms: {shown} ... Say which: --firm ID|NAME.")
    return Firm(app, kept, name=FIRM if FIRM in names else names[0])


def firms_at(site: str | None, vault: str | None, regions: Sequence[Region] | None = None) -> Firms:
    """Return the firms that the options name: of a sandbox all of its firms, each with everyone signed in.

    A vault that is named, and has firms of that sandbox already, is taken as it is.
    """
    from ..firms import Firms  # noqa: PLC0415 -- a database, for these commands only

    if site is None and (regions or "://" not in os.environ.get(SITE, "")):
        apps = [site_at(region.value) for region in regions or _regions_here()]
    else:
        apps = [site_at(site)]
    if (first := apps[0]).control_url is not None:
        return _of_sandbox(first, vault, regions)
    if regions and {app.region for app in apps} - {*regions}:
        raise InvalidInput(f"--site is in region {first.region.value}, which --region leaves out.")
    firms = Firms(apps, _vault_at(first, vault))
    _somebody(firms.vault, first, firms.overview()["name"].tolist())
    return firms


def _of_sandbox(app: App, vault: str | None, regions: Sequence[Region] | None) -> Firms:
    from ..firm import Firm  # noqa: PLC0415 -- as above
    from ..firms import Firms  # noqa: PLC0415 -- as above
    from ..http import loop  # noqa: PLC0415 -- as above
    from ..http.sandbox_control import Control  # noqa: PLC0415 -- as above
    from ..vault.vault import FIRM  # noqa: PLC0415 -- as above

    kept = _vault_at(app, vault)
    sites: dict[Region, App] = {}
    for one in loop.run(Control(app).firms):
        if regions is None or one.region in regions:
            here = site_at(one.control_url)
            if one.region not in sites:
                sites[one.region] = here
                as_it_is = vault is not None and bool(set(kept.firms(here)) - {FIRM})
                names = _names(kept, here)
            if not as_it_is:
                name = names.get(one.account_id, str(one.account_id))
                Firm(here, kept, name=name).sign_in_everyone()
    if not sites:
        raise InvalidInput(f"The sandbox at {app.origin} does not play that region.", field="region")
    return Firms(sites.values(), kept)


def _names(vault: Vault, app: App) -> dict[int, str]:
    """Return the names in a vault of an app's firms, by Clio's ids."""
    from ..vault.vault import firm_key_of  # noqa: PLC0415 -- as above

    return {account.id: name for name, account in vault.ledger.firms(firm_key_of(app, "").app).items()}


def _name_here(app: App, vault: Vault) -> str:
    """Return the name in a vault of the firm that a sandbox's address means."""
    from ..http import loop  # noqa: PLC0415 -- as above
    from ..http.sandbox_control import Control  # noqa: PLC0415 -- as above
    from ..vault.vault import FIRM  # noqa: PLC0415 -- as above

    here = (one.account_id for one in loop.run(Control(app).firms) if one.control_url == app.control_url)
    return _names(vault, app).get(next(here, 0), FIRM)


def _vault_at(app: App, vault: str | None) -> Vault:
    """Open the vault that is named, else this user's own: another one for sandboxes."""
    from ..vault import Vault  # noqa: PLC0415 -- a database, for these commands only

    return Vault.open(vault_at(vault, of_sandbox=app.control_url is not None))


def _named(firms: Firms, which: str) -> Firm:
    """Return the firm of an id or a name; where it fits several, a person at a terminal is asked."""
    from ..firm import Firm  # noqa: PLC0415 -- as above
    from ..http import loop  # noqa: PLC0415 -- as above

    fitting = [known.of for known in loop.run(firms.aio.overview) if known.of.is_called(which)]
    if len(fitting) < 2 or not sys.stdin.isatty():
        return firms.firm(which)
    for number, of in enumerate(fitting, 1):
        show(f"{number}: {of}, {of.name} in the vault", err=True)
    number = typer.prompt("Which firm (number)", type=int, err=True)
    if not 0 < number <= len(fitting):
        raise InvalidInput(f"There is no firm {number} in this list. Nothing was done.", field="firm")
    found = firms.aio.opened(fitting[number - 1])
    return Firm(found.site, found.vault, name=found.name)


def _somebody(vault: Vault, app: App, names: Sequence[str]) -> None:
    if not names:
        raise NeedsLogin(
            f"No user has signed in: {vault!r} has no token for this app in region {app.region.value}. Run "
            "clio-nb login, or name another vault with --vault or CLIO_NB_VAULT."
        )


def _regions_here() -> list[Region]:
    """Return the regions that have an app of their own in the environment, else the one that it names."""
    own = [region for region in Region if os.environ.get(f"{CLIENT_ID}_{region.value.upper()}")]
    return own or [site_at(None).region]


def one_or_all(firm: str | None, regions: Sequence[Region] | None, *, all_firms: bool) -> None:
    """Refuse what cannot both be meant."""
    if firm is not None and all_firms:
        raise InvalidInput("Pass --firm or --all-firms, not both.")
    if regions and firm is None and not all_firms:
        raise InvalidInput("--region chooses among firms: pass it with --firm or --all-firms.")


def vault_at(vault: str | None, *, of_sandbox: bool) -> str | Path | None:
    """Return where the tokens are: a file of their own for those of sandboxes; None is this user's own vault."""
    from ..database._private_files import own_file  # noqa: PLC0415 -- a database, for these commands only

    return vault or (own_file("sandboxes.sqlite") if of_sandbox else None)


def read(manifest: Path) -> Manifest:
    """Read a manifest. Do it first: finding its mistakes takes neither an app nor a network."""
    from ..firm.manifest import read_manifest  # noqa: PLC0415 -- a decoder, for the commands that need one

    return read_manifest(manifest)
