"""The commands of ``clio-nb``: each is in the file of its name; ``undo`` and ``offboard`` are in ``apply``."""

from __future__ import annotations

import inspect
from typing import Annotated

import typer

from ..terminal import show
from ..version import __version__
from . import actions, apply, demo, doctor, drift, firms, lab, launch, login, plan, probe, sandbox, status
from .app import app as show_app

app = typer.Typer(
    name="clio-nb",
    help="Custom actions in Clio Manage: an embedded Clio to try them on, launches to read, a firm to keep in order.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # boxes cut words off in a narrow terminal
)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("lab", context_settings={"ignore_unknown_options": True})(lab.lab)
app.command("app")(show_app)
app.command("sandbox")(sandbox.sandbox)
for group in (actions.app, launch.app):
    app.add_typer(group, short_help=group.info.help)
app.command("probe")(probe.probe)
app.command("login")(login.login)
app.command("firms")(firms.firms)
app.command("plan", cls=plan.PlanCommand)(plan.plan)
app.command("apply")(apply.apply)
app.command("status")(status.status)
app.command("drift", cls=plan.PlanCommand)(drift.drift)
app.command("undo")(apply.undo)
app.command("offboard")(apply.offboard)
for each in (*app.registered_commands, *actions.app.registered_commands, *launch.app.registered_commands):
    each.short_help = " ".join((inspect.getdoc(each.callback) or "").partition("\n\n")[0].split())  # else it is cut off


def _show_version(wanted: bool) -> None:
    if wanted:
        show(f"clio-nb {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Options of ``clio-nb`` itself."""
