"""``clio-nb sandbox``: run the embedded Clio in the foreground."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InvalidInput, PortBusy
from ..terminal import show, show_json, table, text
from ..vocabulary import DEFAULT_REDIRECT_URI

if TYPE_CHECKING:
    from ..sandbox import Sandbox

DEFAULT_PORT = 8770


class ClockChoice(StrEnum):
    """How the sandbox's time passes: as on this machine, from a fixed date, or only when it is moved."""

    REAL = "real"
    ADVANCING = "advancing"
    FROZEN = "frozen"


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free port.")] = DEFAULT_PORT,
    users: Annotated[int, typer.Option(min=1, max=100_000, help="How many users each demo firm has.")] = 5,
    firms: Annotated[int, typer.Option(min=1, max=100, help="How many firms each region has.")] = 1,
    regions: Annotated[
        str, typer.Option(help="us, eu, ca, au; each gets a port of its own, counted up from --port.")
    ] = "us",
    seed: Annotated[int, typer.Option(help="Seed of the invented ids: another number gives other ids.")] = 0,
    rate_limit: Annotated[
        int, typer.Option(min=0, help="Requests a minute for each token; 0 for no limit and no rate headers.")
    ] = 50,
    redirect_uri: Annotated[
        list[str] | None, typer.Option(help="Where Clio sends users after they sign in; may be repeated.")
    ] = None,
    permissions: Annotated[
        str | None, typer.Option(help="What the app may use: matters, users:read, ... (default: all).")
    ] = None,
    deauthorization_url: Annotated[
        str | None, typer.Option(help="URL to call when a user revokes the app's access.")
    ] = None,
    add_to_clio_url: Annotated[
        str | None, typer.Option(help="URL that the button on the App Integrations page opens.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but this machine's own needs --control-key.")
    ] = "127.0.0.1",
    public_url: Annotated[
        str | None, typer.Option(help="URL at which others reach it, such as http://clio:8770.")
    ] = None,
    control_key: Annotated[
        str | None,
        typer.Option(envvar="CLIO_NB_CONTROL_KEY", help="Key that control requests must send.", show_envvar=True),
    ] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Assumption about what Clio does not document; may be repeated."),
    ] = None,
    clock: Annotated[
        ClockChoice,
        typer.Option(help="real: as on this machine; advancing: from a fixed date; frozen: only when you move it."),
    ] = ClockChoice.REAL,
    db: Annotated[Path | None, typer.Option(help="Keep the state in this file, across restarts.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print its details as one JSON object on the first line.")
    ] = False,
) -> None:
    """Run an embedded Clio until Ctrl-C: OAuth, API, screens, and a clock you can move.

    It is not Clio and not for production; its data is invented. It listens on 127.0.0.1, or with --host and a control
    key in any network.
    """
    from ..sandbox import Assumptions, PortInUse, Sandbox  # noqa: PLC0415 -- a web server, for this command only

    try:
        site = Sandbox(
            port=port,
            host=host,
            public_url=public_url,
            control_key=control_key and control_key.strip(),
            users=users,
            firms=firms,
            regions=_listed(regions),
            seed=seed,
            rate_limit=rate_limit or None,
            redirect_uris=redirect_uri or [DEFAULT_REDIRECT_URI],
            deauthorization_url=deauthorization_url,
            add_to_clio_url=add_to_clio_url,
            assumptions=Assumptions.of(assume or []),
            **({"permissions": _listed(permissions)} if permissions else {}),
            clock=clock.value,
            db=db,
        )
    except PortInUse as error:
        raise PortBusy(
            f"Port {error.port} is in use by another program.",
            "Choose another with --port, or a free one with --port 0.",
            port=error.port,
        ) from None
    except OSError as error:
        what = f"--port {port}" if isinstance(error, PermissionError) else f"--host {host}"
        what = f"--db {db}" if db and str(error.filename or "") == str(db) else what
        raise InvalidInput(f"{what} cannot be used ({error.strerror or error}). Choose another.") from None
    except ValueError as error:
        raise InvalidInput(str(error)) from None
    with site:
        if as_json:
            show_json(site.describe())
        else:
            _greet(site)
        try:
            site.wait()
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _greet(site: Sandbox) -> None:
    show(text("An embedded Clio is running.", "bold"), "It is not Clio, and not for production; its data is invented.")
    show("")
    names = ("base_url", "api_url", "client_id", "client_secret", "redirect_uri", "control_url")
    show(table((name, site.describe()[name]) for name in names))
    if len(site.firms) > 1:
        firms = ((firm.region.value, firm.name, firm.control_url) for firm in site.firms)
        show(table(firms, ("region", "firm", "control_url")))
    people = ((user.id, user.name, user.email) for user in site.users[:10])
    show(table(people, ("id", "name", "email"), title=f"{len(site.users)} users"))
    show("")
    show("Stop it with Ctrl-C.")
