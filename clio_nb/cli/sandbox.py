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


class Clock(StrEnum):
    """How the sandbox's time passes: as on this machine, from a fixed date, or only when it is moved."""

    REAL = "real"
    ADVANCING = "advancing"
    FROZEN = "frozen"


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free port.")] = DEFAULT_PORT,
    users: Annotated[int, typer.Option(min=1, max=100_000, help="How many users the demo firm has.")] = 5,
    seed: Annotated[int, typer.Option(help="Another number gives other ids.")] = 0,
    rate_limit: Annotated[
        int, typer.Option(min=0, help="Requests a minute for each token; 0 for no limit and no rate headers.")
    ] = 50,
    redirect_uri: Annotated[
        list[str] | None, typer.Option(help="Where your app wants its users back after signing in; may be repeated.")
    ] = None,
    clock: Annotated[
        Clock,
        typer.Option(help="real: as on this machine; advancing: from a fixed date; frozen: only when you move it."),
    ] = Clock.REAL,
    db: Annotated[Path | None, typer.Option(help="Keep the state in this file, across restarts.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Describe it as one JSON object on the first line.")] = False,
) -> None:
    """Run an embedded Clio on this machine until Ctrl-C: OAuth, API, screens, and a clock you can move.

    For trying things out, not for production: it listens on 127.0.0.1 only, and its data is invented.
    """
    from ..sandbox import PortInUse, Sandbox  # noqa: PLC0415 -- a web server, for this command only

    try:
        site = Sandbox(
            port=port,
            users=users,
            seed=seed,
            rate_limit=rate_limit or None,
            redirect_uris=redirect_uri or [DEFAULT_REDIRECT_URI],
            clock=clock.value,
            db=db,
        )
    except PortInUse as error:
        raise PortBusy(
            f"Port {error.port} is in use by another program. Choose another with --port, or a free one with --port 0.",
            port=error.port,
        ) from None
    except OSError as error:
        raise InvalidInput(f"{db} cannot be used ({error.strerror}). Name another file.", field="db") from None
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


def _greet(site: Sandbox) -> None:
    show(text("An embedded Clio is running.", "bold"), "It is for trying things out, on this machine only.")
    show("")
    names = ("base_url", "api_url", "client_id", "client_secret", "redirect_uri", "control_url")
    show(table((name, site.describe()[name]) for name in names))
    people = ((user.id, user.name, user.email) for user in site.users[:10])
    show(table(people, ("id", "name", "email"), title=f"{len(site.users)} users"))
    show("")
    show("Stop it with Ctrl-C.")
