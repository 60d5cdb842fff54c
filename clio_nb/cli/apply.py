"""``clio-nb apply``, ``undo`` and ``offboard``: show a plan, ask, and carry it out."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ..errors import InvalidInput
from ..markup import counted
from ..terminal import frame_table, show
from ..vocabulary import Region
from .options import (
    AllFirms,
    AllowDelete,
    Canary,
    CanaryFailures,
    FirmNamed,
    ManifestAt,
    Profile,
    Regions,
    Site,
    VaultAt,
    Yes,
    firm_at,
    firms_at,
    one_or_all,
    read,
)
from .plan import ERROR, NOTHING, nothing_to_do, show_plan, show_report

if TYPE_CHECKING:
    from ..firm import Firm
    from ..firm.apply.apply import Result
    from ..firm.plan.plan import Plan
    from ..firms import Firms, FirmsReport

OfEach = Annotated[bool, typer.Option("--json", help="With --all-firms: print a line of JSON for each firm.")]


def apply(
    manifest: ManifestAt,
    site: Site = None,
    vault: VaultAt = None,
    profile: Profile = None,
    allow_delete: AllowDelete = False,
    firm: FirmNamed = None,
    all_firms: AllFirms = False,
    region: Regions = None,
    canary: Canary = None,
    canary_failures: CanaryFailures = 0,
    yes: Yes = False,
    as_json: OfEach = False,
) -> None:
    """Show the plan, ask, and make its changes. Exit code 0 when all were made, 1 when one was not.

    With --all-firms and --yes each firm is planned and applied by itself, ten at a time: one that fails stops nobody,
    and running it again does what is left.
    """
    _checked(firm, region, canary, all_firms=all_firms, as_json=as_json)
    wanted = read(manifest)
    if all_firms:
        firms = firms_at(site, vault, region)
        how: dict[str, Any] = {"profile": profile, "allow_delete": allow_delete, "progress": _bar()}
        first: dict[str, Any] = {"canary": canary or (), "canary_failures": canary_failures}
        if yes:
            show(f"At most {firms.cost(wanted)}.", err=True)
            _end(firms.apply(wanted, **how, **first), as_json=as_json)
        _do_all(firms, firms.plan(wanted, **how), first, as_json=as_json)
    one = firm_at(site, vault, firm, region)
    _do(one, one.plan(wanted, profile=profile, allow_delete=allow_delete), yes=yes)


def undo(
    run: Annotated[str, typer.Argument(help="Name of the run to undo, as apply printed it.")],
    site: Site = None,
    vault: VaultAt = None,
    firm: FirmNamed = None,
    all_firms: Annotated[bool, typer.Option("--all-firms", help="Find the firm that the run is of.")] = False,
    region: Regions = None,
    yes: Yes = False,
) -> None:
    """Undo what a run changed on any machine, except what somebody changed since."""
    one_or_all(firm, region, all_firms=all_firms)
    one = _firm_of(firms_at(site, vault, region), run) if all_firms else firm_at(site, vault, firm, region)
    _do(one, one.plan_undo(run), yes=yes)


def offboard(
    users: Annotated[list[str] | None, typer.Argument(help="Ids or e-mail addresses (default: all users).")] = None,
    site: Site = None,
    vault: VaultAt = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Delete what this manifest made, also where the ledger does not know it.")
    ] = None,
    firm: FirmNamed = None,
    all_firms: AllFirms = False,
    region: Regions = None,
    canary: Canary = None,
    canary_failures: CanaryFailures = 0,
    yes: Yes = False,
    as_json: OfEach = False,
) -> None:
    """Delete all our actions, and list those that have to be deleted by hand.

    Exit code 0 when nothing is left, 1 when something has to be done by hand or is not in the ledger.
    """
    _checked(firm, region, canary, all_firms=all_firms, as_json=as_json)
    wanted = manifest and read(manifest)
    named = [int(user) if user.isascii() and user.isdigit() else user for user in users or []] or None
    if all_firms:
        if named:
            raise InvalidInput("Users are of one firm: name it with --firm, or leave them out.")
        firms = firms_at(site, vault, region)
        first = {"canary": canary or (), "canary_failures": canary_failures}
        _do_all(firms, firms.plan_offboard(manifest=wanted, progress=_bar()), first, yes=yes, as_json=as_json)
    one = firm_at(site, vault, firm, region)
    _do(one, one.plan_offboard(named, manifest=wanted), yes=yes)


def _checked(
    firm: str | None, regions: Sequence[Region] | None, canary: list[str] | None, *, all_firms: bool, as_json: bool
) -> None:
    one_or_all(firm, regions, all_firms=all_firms)
    if (canary or as_json) and not all_firms:
        raise InvalidInput("--canary and --json are for --all-firms.")


def _firm_of(firms: Firms, run: str) -> Firm:
    """Return the firm that has a run of this name."""
    for which in firms.overview()["firm_id"].dropna().unique():
        if run in (one := firms.firm(int(which))).runs()["run"].tolist():
            return one
    raise InvalidInput(f"No firm of this vault has a run {run[:40]!r}.", field="run")


def _do_all(firms: Firms, plans: FirmsReport, first: dict[str, Any], *, yes: bool = False, as_json: bool) -> NoReturn:
    """Show the plans of all firms, have them confirmed, and do exactly what they say."""
    if not as_json:
        show_report(plans, as_json=False)
    left = ERROR if plans.failed or any(row.plan and row.plan.leaves_ours for row in plans.rows) else NOTHING
    if not plans.changes:
        if as_json:
            show_report(plans, as_json=True)
        raise typer.Exit(left)
    if not yes:
        if not sys.stdin.isatty():
            raise InvalidInput("Nothing was changed. No terminal to confirm on: pass --yes to apply without asking.")
        typer.confirm(
            f"Make these {plans.changes} changes in {counted(len(plans.rows), 'firm')}?", abort=True, err=as_json
        )
    _end(firms.apply(plans, **first, progress=_bar()), as_json=as_json, left=left)


def _end(report: FirmsReport, *, as_json: bool, left: int = NOTHING) -> NoReturn:
    show_report(report, as_json=as_json)
    if not as_json and any(row.run for row in report.rows):
        show("Undo one with: clio-nb undo RUN --all-firms", style="dim")
    raise typer.Exit(left if report else ERROR)


def _bar() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


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
    result = firm.apply(plan, progress=_bar())
    _show_result(result, firm)
    raise typer.Exit(left if result else ERROR)


def _show_result(result: Result, firm: Firm) -> None:
    from ..vault.vault import FIRM  # noqa: PLC0415 -- a database, for these commands only

    show(f"Result of {result}", style="bold")
    for note in result.notes:
        show(note, style="yellow")
    if result.failed:
        frame = result.to_frame()
        show(frame_table(frame[frame["outcome"] != "done"][["user", "kind", "label", "outcome", "message"]]))
    of = "" if firm.aio.name == FIRM else f" --firm {shlex.quote(firm.aio.name)}"
    show(f"Undo it with: clio-nb undo {result.run}{of}", style="dim")
