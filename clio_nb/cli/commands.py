"""The commands of ``clio-nb``, by their names."""

from __future__ import annotations

import typer

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
