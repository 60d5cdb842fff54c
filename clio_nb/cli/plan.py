"""``clio-nb plan``: what would have to change so that every user sees what a manifest says."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec
import typer
from typer.core import TyperCommand
from typer.exceptions import TyperException

from ..terminal import frame_table, show, show_json, table
from .options import (
    AllFirms,
    AllowDelete,
    AsJson,
    FirmNamed,
    ManifestAt,
    Profile,
    Regions,
    Site,
    VaultAt,
    firm_at,
    firms_at,
    one_or_all,
    read,
)

if TYPE_CHECKING:
    from ..firm.plan.plan import Plan
    from ..firms import FirmsReport

NOTHING, ERROR, CHANGES = 0, 1, 2


class PlanCommand(TyperCommand):
    """A command whose exit code 2 means changes: wrong usage exits with 1 here."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the command line."""
        try:
            return super().make_context(*args, **kwargs)
        except TyperException as error:
            error.exit_code = ERROR
            raise


def plan(
    manifest: ManifestAt,
    site: Site = None,
    vault: VaultAt = None,
    profile: Profile = None,
    allow_delete: AllowDelete = False,
    firm: FirmNamed = None,
    all_firms: AllFirms = False,
    region: Regions = None,
    as_json: AsJson = False,
) -> None:
    """Show what would change so that every user sees what the manifest says. Changes nothing.

    Exit code 0 when nothing has to change, 2 when there are changes, 1 when no user could be read.
    """
    one_or_all(firm, region, all_firms=all_firms)
    wanted = read(manifest)
    if all_firms:
        report = firms_at(site, vault, region).plan(
            wanted, profile=profile, allow_delete=allow_delete, progress=sys.stderr.isatty()
        )
        show_report(report, as_json=as_json)
        raise typer.Exit(ERROR if report.failed else CHANGES if report.changes else NOTHING)
    made = firm_at(site, vault, firm, region).plan(wanted, profile=profile, allow_delete=allow_delete)
    show_json(msgspec.to_builtins(made), indent=2) if as_json else show_plan(made)
    raise typer.Exit(CHANGES if made.changes else nothing_to_do(made))


def show_report(report: FirmsReport, *, as_json: bool) -> None:
    """Print a row for each firm: a table, or lines of JSON."""
    if as_json:
        for row in report.rows:
            show_json(msgspec.to_builtins(row))
        return
    show(str(report), style="bold")
    columns, rows = report.shown()
    if rows:
        show(table(rows, columns))


def show_plan(plan: Plan) -> None:
    """Print a plan: its counts, its notes, and every item but those that are right or not ours."""
    show(str(plan))
    for note in plan.notes:
        show(note, style="yellow")
    frame = plan.to_frame()
    items = frame[~frame["kind"].isin(["ok", "foreign"]) | (frame["reason"] == "not in the ledger")]
    if len(items):
        shown = items[["kind", "user", "location", "label", "changes", "reason", "advice"]].astype("string").fillna("")
        show(frame_table(shown.loc[:, (shown != "").any()]))


def nothing_to_do(plan: Plan) -> int:
    """Return the exit code of a plan without changes: an error when no user could be read."""
    return ERROR if plan.is_blind else NOTHING
