"""The terminal: ``clio-nb``, the library's verbs as commands.

What a command prints for programs goes to stdout, errors go to stderr as one sentence, and no user meets a traceback.
"""

from __future__ import annotations

import sys

import typer

from ..errors import ClioError
from . import firm, launch, sandbox, tour

app = typer.Typer(
    name="clio-nb",
    help="Custom actions in Clio Manage: an embedded Clio to try them on, launches to read, a firm to keep in order.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(tour.demo)
app.command("lab")(tour.lab)
app.command("sandbox")(sandbox.sandbox)
app.add_typer(launch.app, name="launch")
app.command("probe")(launch.probe)
app.command("login")(firm.login)
app.command("plan", cls=firm.PlanCommand)(firm.plan)
app.command("apply")(firm.apply)
app.command("status")(firm.status)
app.command("undo")(firm.undo)
app.command("offboard")(firm.offboard)


def main() -> None:
    """Run ``clio-nb`` and turn every error that a user can cause into one sentence on stderr and exit code 1."""
    try:
        app()
    except ClioError as error:
        sys.stderr.write(f"clio-nb: {error}\n")
        sys.exit(1)
