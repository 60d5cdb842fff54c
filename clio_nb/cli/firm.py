"""``clio-nb plan``, ``apply``, ``status``, ``undo``, ``offboard``, ``login``: a whole firm from a terminal or CI."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from typer.core import TyperCommand
from typer.exceptions import TyperException

from ..errors import InvalidInput
from ..terminal import frame_table, show, show_json
from .where import AsJson, Site, VaultAt, firm_at, site_at

if TYPE_CHECKING:
    from ..firm import Firm
    from ..firm.apply.apply import Result
    from ..firm.manifest import Manifest
    from ..firm.plan.plan import Plan

ManifestAt = Annotated[Path, typer.Argument(help="A TOML file that says what every user should see.")]
Profile = Annotated[str | None, typer.Option(help="Use the target URLs of this profile of the manifest.")]
AllowDelete = Annotated[bool, typer.Option(help="Also delete what is ours and no longer wanted.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

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
    as_json: AsJson = False,
) -> None:
    """Show what would have to be done so that every user sees what the manifest says. Changes nothing.

    Exit code 0 when there is nothing to do, 2 when there are changes, 1 on an error, or when no user could be read.
    """
    wanted = _read(manifest)
    made = firm_at(site, vault).plan(wanted, profile=profile, allow_delete=allow_delete)
    show_json(msgspec.to_builtins(made), indent=2) if as_json else _show_plan(made)
    raise typer.Exit(CHANGES if made.changes else _nothing_to_do(made))


def apply(
    manifest: ManifestAt,
    site: Site = None,
    vault: VaultAt = None,
    profile: Profile = None,
    allow_delete: AllowDelete = False,
    yes: Yes = False,
) -> None:
    """Plan, show the plan, ask, and do exactly that. Exit code 0 when every item was done, 1 when one was not."""
    wanted, firm = _read(manifest), firm_at(site, vault)
    _do(firm, firm.plan(wanted, profile=profile, allow_delete=allow_delete), yes=yes)


def undo(
    run: Annotated[str, typer.Argument(help="The run to undo, as apply named it.")],
    site: Site = None,
    vault: VaultAt = None,
    yes: Yes = False,
) -> None:
    """Undo a run, except what somebody changed since."""
    firm = firm_at(site, vault)
    _do(firm, firm.plan_undo(run), yes=yes)


def offboard(
    users: Annotated[list[str] | None, typer.Argument(help="Ids or e-mail addresses; everyone, if left out.")] = None,
    site: Site = None,
    vault: VaultAt = None,
    manifest: Annotated[Path | None, typer.Option(help="What is ours, if you do not have the journal.")] = None,
    yes: Yes = False,
) -> None:
    """Remove all that is ours, and list what has to be removed by hand."""
    wanted, firm = manifest and _read(manifest), firm_at(site, vault)
    named = [int(user) if user.isascii() and user.isdigit() else user for user in users or []] or None
    _do(firm, firm.plan_offboard(named, manifest=wanted), yes=yes)


def status(
    site: Site = None,
    vault: VaultAt = None,
    manifest: Annotated[Path | None, typer.Option(help="Compare with this manifest.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show who sees what in each location, and why somebody does not."""
    wanted = manifest and _read(manifest)
    frame = firm_at(site, vault).coverage(wanted)
    if as_json:
        show_json(json.loads(frame.reset_index().to_json(orient="records")))
    else:
        if (frame["access"] == "signed in").all():
            frame = frame.drop(columns="access")
        show(frame_table(frame.astype("string").replace("– not wanted", "–")))


def login(site: Site = None, vault: VaultAt = None) -> None:
    """Sign one user in at Clio and keep the token in the vault."""
    from ..firm import Firm  # noqa: PLC0415 -- a database, for this command only
    from ..login import Login, login  # noqa: PLC0415 -- its name is the command's
    from ..vault import Vault  # noqa: PLC0415 -- as above

    app = site_at(site)
    firm = Firm(app, Vault.open(vault))
    attempt = Login(app)
    if attempt.port is None:
        show("Sign in at Clio:", attempt.authorization_url)
        session = attempt.finish(typer.prompt("Paste the code, or the address you end up at", hide_input=True))
    else:
        session = login(app, show=lambda url: show("Sign in at Clio:", url))
    show(f"{firm.add(session)} is signed in. The token is kept: {firm.vault!r}")


def _read(manifest: Path) -> Manifest:
    """Read a manifest before anything else: its mistakes need neither an app nor a network to be found."""
    from ..firm.manifest import read_manifest  # noqa: PLC0415 -- a decoder, for the commands that need one

    return read_manifest(manifest)


def _do(firm: Firm, plan: Plan, *, yes: bool) -> None:
    """Show a plan, have it confirmed, and apply it."""
    _show_plan(plan)
    if not plan.changes:
        raise typer.Exit(_nothing_to_do(plan))
    if not yes:
        if not sys.stdin.isatty():
            raise InvalidInput("No terminal to confirm on; nothing was changed. Pass --yes to apply without asking.")
        typer.confirm(f"Make these {len(plan.changes)} changes?", abort=True)
    result = firm.apply(plan, progress=sys.stderr.isatty())
    _show_result(result)
    raise typer.Exit(NOTHING if result else ERROR)


def _nothing_to_do(plan: Plan) -> int:
    """Return the exit code of a plan without changes: an error if no user could be read."""
    blind = len(plan.blocked) == len(plan.items) and (plan.items or plan.notes)
    return ERROR if blind else NOTHING


def _show_plan(plan: Plan) -> None:
    show(str(plan))
    for note in plan.notes:
        show(note, style="yellow")
    frame = plan.to_frame()
    items = frame[~frame["kind"].isin(["ok", "foreign"])]
    if len(items):
        shown = items[["kind", "user", "location", "label", "changes", "reason", "advice"]].astype("string").fillna("")
        show(frame_table(shown.loc[:, (shown != "").any()]))


def _show_result(result: Result) -> None:
    show(f"Result of {result}", style="bold")
    for note in result.notes:
        show(note, style="yellow")
    if result.failed:
        frame = result.to_frame()
        show(frame_table(frame[frame["outcome"] != "done"][["user", "kind", "label", "outcome", "message"]]))
    show(f"Undo it with: clio-nb undo {result.run}", style="dim")
