"""``clio-nb apply``, ``undo`` and ``offboard``: show a plan, ask, and carry it out."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InvalidInput
from ..terminal import frame_table, show
from .options import AllowDelete, ManifestAt, Profile, Site, VaultAt, Yes, firm_at, read
from .plan import ERROR, NOTHING, nothing_to_do, show_plan

if TYPE_CHECKING:
    from ..firm import Firm
    from ..firm.apply.apply import Result
    from ..firm.plan.plan import Plan


def apply(
    manifest: ManifestAt,
    site: Site = None,
    vault: VaultAt = None,
    profile: Profile = None,
    allow_delete: AllowDelete = False,
    yes: Yes = False,
) -> None:
    """Show the plan, ask, and make its changes. Exit code 0 when all were made, 1 when one was not."""
    wanted, firm = read(manifest), firm_at(site, vault)
    _do(firm, firm.plan(wanted, profile=profile, allow_delete=allow_delete), yes=yes)


def undo(
    run: Annotated[str, typer.Argument(help="Name of the run to undo, as apply printed it.")],
    site: Site = None,
    vault: VaultAt = None,
    yes: Yes = False,
) -> None:
    """Undo what a run changed on any machine, except what somebody changed since."""
    firm = firm_at(site, vault)
    _do(firm, firm.plan_undo(run), yes=yes)


def offboard(
    users: Annotated[list[str] | None, typer.Argument(help="Ids or e-mail addresses (default: all users).")] = None,
    site: Site = None,
    vault: VaultAt = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Delete what this manifest made, also where the ledger does not know it.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Delete all our actions, and list those that have to be deleted by hand.

    Exit code 0 when nothing is left, 1 when something has to be done by hand or is not in the ledger.
    """
    wanted, firm = manifest and read(manifest), firm_at(site, vault)
    named = [int(user) if user.isascii() and user.isdigit() else user for user in users or []] or None
    _do(firm, firm.plan_offboard(named, manifest=wanted), yes=yes)


def _do(firm: Firm, plan: Plan, *, yes: bool) -> None:
    """Show a plan, have it confirmed, and apply it."""
    show_plan(plan)
    left = ERROR if plan.leaves_ours else NOTHING
    if not plan.changes:
        raise typer.Exit(left or nothing_to_do(plan))
    if not yes:
        if not sys.stdin.isatty():
            raise InvalidInput("Nothing was changed. No terminal to confirm on: pass --yes to apply without asking.")
        typer.confirm(f"Make these {len(plan.changes)} changes?", abort=True)
    result = firm.apply(plan, progress=sys.stderr.isatty() and os.environ.get("TERM") != "dumb")
    _show_result(result)
    raise typer.Exit(left if result else ERROR)


def _show_result(result: Result) -> None:
    show(f"Result of {result}", style="bold")
    for note in result.notes:
        show(note, style="yellow")
    if result.failed:
        frame = result.to_frame()
        show(frame_table(frame[frame["outcome"] != "done"][["user", "kind", "label", "outcome", "message"]]))
    show(f"Undo it with: clio-nb undo {result.run}", style="dim")
