"""The options that several commands share, and what they mean: which Clio, which firm, which manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import NeedsLogin

if TYPE_CHECKING:
    from ..firm import Firm
    from ..firm.manifest import Manifest
    from ..models import App

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
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def site_at(site: str | None) -> App:
    """Return the app that the options name."""
    from ..login import connect  # noqa: PLC0415 -- an HTTP client, for the commands that need one

    return connect(site)


def firm_at(site: str | None, vault: str | None) -> Firm:
    """Return the firm that the options name: all users of a sandbox, or at Clio those whose tokens are in the vault.

    Raises :class:`NeedsLogin` when the vault has no token: an empty firm would look as if all were well.
    """
    from ..firm import Firm  # noqa: PLC0415 -- a database, for these commands only
    from ..vault import Vault  # noqa: PLC0415 -- as above

    app = site_at(site)
    if app.control_url is None:
        firm = Firm(app, Vault.open(vault))
        if next(firm.vault.grants(app), None) is None:
            raise NeedsLogin(
                f"No user has signed in: {firm.vault!r} has no token for this app in region {app.region.value}. Run "
                "clio-nb login, or name another vault with --vault or CLIO_NB_VAULT."
            )
        return firm
    firm = Firm(app, Vault.open(vault_at(vault, of_sandbox=True)))
    firm.sign_in_everyone()
    return firm


def vault_at(vault: str | None, *, of_sandbox: bool) -> str | Path | None:
    """Return where the tokens are: a file of their own for those of sandboxes; None is this user's own vault."""
    from ..database._private_files import own_file  # noqa: PLC0415 -- a database, for these commands only

    return vault or (own_file("sandboxes.sqlite") if of_sandbox else None)


def read(manifest: Path) -> Manifest:
    """Read a manifest. Do it first: finding its mistakes takes neither an app nor a network."""
    from ..firm.manifest import read_manifest  # noqa: PLC0415 -- a decoder, for the commands that need one

    return read_manifest(manifest)
