"""Which Clio, which firm: the options that the commands share, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import NeedsLogin

if TYPE_CHECKING:
    from ..firm import Firm
    from ..models import App

Site = Annotated[
    str | None,
    typer.Option(
        "--site",
        metavar="URL",
        help="A sandbox that runs; everyone is signed in. One elsewhere asks for CLIO_NB_CONTROL_KEY. Else the "
        "region and the app come from CLIO_NB_SITE, CLIO_CLIENT_ID and CLIO_CLIENT_SECRET.",
    ),
]
VaultAt = Annotated[
    str | None,
    typer.Option(
        "--vault",
        envvar="CLIO_NB_VAULT",
        help="Where the tokens are, a file or a postgresql:// address; this user's own if left out.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def site_at(site: str | None) -> App:
    """Return the app that the options name."""
    from ..login import connect  # noqa: PLC0415 -- an HTTP client, for the commands that need one

    return connect(site)


def firm_at(site: str | None, vault: str | None) -> Firm:
    """Return the firm that the options name: at a sandbox with everyone signed in, at Clio with those in the vault.

    Raises :class:`NeedsLogin` when nobody is in it: nothing can be told of such a firm, least of all that all is well.
    """
    from ..firm import Firm, journal_path  # noqa: PLC0415 -- a database, for these commands only
    from ..vault import Vault  # noqa: PLC0415 -- as above

    app = site_at(site)
    if app.control_url is None:
        firm = Firm(app, Vault.open(vault))
        if next(firm.vault.grants(app), None) is None:
            raise NeedsLogin(
                f"Nobody has signed in: {firm.vault!r} holds no token for this app at {app.region.value}. Run clio-nb "
                "login, or name the right vault (--vault, or CLIO_NB_VAULT)."
            )
        return firm
    firm = Firm(app, journal=journal_path(app))
    firm.sign_in_everyone()
    return firm
