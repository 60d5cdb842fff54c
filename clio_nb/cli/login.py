"""``clio-nb login``: sign one user in, and keep the token."""

from __future__ import annotations

import typer

from ..terminal import show
from .options import Site, VaultAt, site_at


def login(site: Site = None, vault: VaultAt = None) -> None:
    """Sign one user in at Clio, and keep the token in the vault."""
    from ..firm import Firm  # noqa: PLC0415 -- a database, for this command only
    from ..login import Login, login  # noqa: PLC0415 -- its name is the command's
    from ..vault import Vault  # noqa: PLC0415 -- as above

    app = site_at(site)
    firm = Firm(app, Vault.open(vault))
    attempt = Login(app)
    if attempt.port is None:
        show("Sign in at Clio:", attempt.authorization_url)
        session = attempt.finish(
            typer.prompt("Paste the code, or the address of the page that you end up at", hide_input=True)
        )
    else:
        session = login(app, show=lambda url: show("Sign in at Clio:", url))
    show(f"{firm.add(session)} is signed in. The token is kept: {firm.vault!r}")
