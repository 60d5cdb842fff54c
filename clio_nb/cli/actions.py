"""``clio-nb actions list``, ``create``, ``update`` and ``delete``: the custom actions of one user, or of everyone."""

from __future__ import annotations

import asyncio
import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..action_rules import check, location_of
from ..errors import ClioError, InvalidInput
from ..models import CustomAction, User
from ..terminal import show, show_json, table
from .options import AsJson, FirmNamed, Site, VaultAt, Yes, firm_at

if TYPE_CHECKING:
    from ..firm import Firm
    from ..session import Session

app = typer.Typer(
    name="actions", no_args_is_help=True, help="List, create, update and delete custom actions of this app."
)

OfUser = Annotated[
    str | None,
    typer.Option(
        "--user", metavar="USER", help="Id or e-mail address of the user. Can be left out if only one has signed in."
    ),
]
ActionId = Annotated[int, typer.Argument(min=1, metavar="ID", help="Clio's id of the action: list shows it.")]
_COLUMNS = ("id", "label", "location", "target URL", "user")


@app.command("list")
def list_(
    site: Site = None, vault: VaultAt = None, firm: FirmNamed = None, user: OfUser = None, as_json: AsJson = False
) -> None:
    """Show the actions of one user, or of everyone who has signed in.

    Exit code 0, or 1 when somebody's actions cannot be read.
    """
    of = firm_at(site, vault, firm)
    users = [_named(of, user)] if user is not None else _signed_in(of)
    rows, failed = _read(of, users)
    if as_json:
        for row in rows:
            show_json(_as_dict(*row))
    elif rows:
        show(_table(rows))
    elif not failed:
        show("No actions.")
    for error in failed:
        show(f"clio-nb: {error}", err=True)
    raise typer.Exit(1 if failed else 0)


@app.command("create")
def create(
    label: Annotated[str, typer.Argument(help="What the menu shows, 1 to 32 characters.")],
    target_url: Annotated[str, typer.Argument(help="The address that a click opens.")],
    at: Annotated[str, typer.Option(help="activities, contacts, documents, folders or matters.")],
    site: Site = None,
    vault: VaultAt = None,
    firm: FirmNamed = None,
    user: OfUser = None,
    as_json: AsJson = False,
) -> None:
    """Create an action for one user."""
    location = location_of(at)
    check(label=label, target_url=target_url)
    session, of = _session(firm_at(site, vault, firm), user)
    _show(of, session.create_action(label, target_url, location), "Created", as_json=as_json)


@app.command("update")
def update(
    action_id: ActionId,
    label: Annotated[str | None, typer.Option(help="The new label.")] = None,
    target_url: Annotated[str | None, typer.Option(help="The new target URL.")] = None,
    at: Annotated[str | None, typer.Option(help="The new location.")] = None,
    site: Site = None,
    vault: VaultAt = None,
    firm: FirmNamed = None,
    user: OfUser = None,
    as_json: AsJson = False,
) -> None:
    """Change the label, the target URL or the location of an action. What is not given stays."""
    location = None if at is None else location_of(at)
    check(label=label, target_url=target_url)
    if label is target_url is location is None:
        raise InvalidInput("Say what to change: --label, --target-url or --at.")
    session, of = _session(firm_at(site, vault, firm), user)
    changed = session.update_action(action_id, label=label, target_url=target_url, at=location)
    _show(of, changed, "Changed", as_json=as_json)


@app.command("delete")
def delete(
    action_id: ActionId,
    site: Site = None,
    vault: VaultAt = None,
    firm: FirmNamed = None,
    user: OfUser = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Show an action, ask, and delete it. Prints the command that makes it again, as a new action."""
    session, of = _session(firm_at(site, vault, firm), user)
    action = session.get_action(action_id)
    if not yes:
        if not sys.stdin.isatty():
            raise InvalidInput("Nothing was deleted. No terminal to confirm on: pass --yes to delete without asking.")
        show(_table([(of, action)]), err=True)
        typer.confirm("Delete this action?", abort=True, err=True)
    session.delete_action(action)
    _show(of, action, "Deleted", as_json=as_json)
    if not as_json:
        words = (
            "--at",
            action.ui_reference or "",
            "--user",
            str(of.id),
            "--",
            action.label or "",
            action.target_url or "",
        )
        show(f"To make it again, with a new id and the same options: clio-nb actions create {shlex.join(words)}")


def _signed_in(firm: Firm) -> list[User]:
    return [grant.user for grant in firm.vault.grants(firm.site, firm=firm.aio.name)]


def _named(firm: Firm, user: str) -> User:
    """Return the user who is meant by an id or an e-mail address."""
    wanted = user.strip().casefold()
    for one in _signed_in(firm):
        if wanted in (str(one.id), (one.email or "").casefold()) and wanted:
            return one
    raise InvalidInput(f"{user!r} has not signed in, or is no user of this firm. Use an id or an e-mail address.")


def _session(firm: Firm, user: str | None) -> tuple[Session, User]:
    """Return the session of the user who is named, or of the only one."""
    if user is None and len(signed_in := _signed_in(firm)) != 1:
        raise InvalidInput(
            f"{len(signed_in)} users have signed in. Say whose action it is: --user ID or --user E-MAIL."
        )
    of = signed_in[0] if user is None else _named(firm, user)
    return firm.session_of(of.id), of


def _read(firm: Firm, users: list[User]) -> tuple[list[tuple[User, CustomAction]], list[ClioError]]:
    """Read the actions of these users at the same time; an error of one does not keep the others from being read."""
    from ..http import loop  # noqa: PLC0415 -- an event loop, for this command only
    from ..http.client import not_whole  # noqa: PLC0415 -- as above

    async def one(user: User) -> list[CustomAction] | ClioError:
        try:
            return await (await firm.aio.session_of(user.id)).list_actions()
        except ClioError as error:
            return error

    async def all_of_them() -> list[list[CustomAction] | ClioError]:
        return await asyncio.gather(*map(one, users))

    answers = list(zip(users, loop.run(all_of_them), strict=True))
    rows = [(user, action) for user, answer in answers if isinstance(answer, list) for action in answer]
    failed = [answer for _, answer in answers if isinstance(answer, ClioError)]
    for user, answer in answers:
        if isinstance(answer, list) and (said := not_whole(answer)):
            failed.append(ClioError(f"{user}: {said}"))
    return rows, failed


def _show(user: User, action: CustomAction, what: str, *, as_json: bool) -> None:
    if as_json:
        show_json(_as_dict(user, action))
    else:
        show(f"{what} for {user}:")
        show(_table([(user, action)]))


def _as_dict(user: User, action: CustomAction) -> dict[str, Any]:
    """Return an action as JSON values, by the names of the columns of :func:`clio_nb.actions_table`."""
    return {
        "user_id": user.id,
        "user": user.name,
        "location": action.ui_reference,
        "label": action.label,
        "target_url": action.target_url,
        "action_id": action.id,
        "created_at": action.created_at and action.created_at.isoformat(),
        "updated_at": action.updated_at and action.updated_at.isoformat(),
    }


def _table(rows: list[tuple[User, CustomAction]]) -> Any:
    return table(
        ((one.id, one.label, one.ui_reference, one.target_url, user.name or user.id) for user, one in rows), _COLUMNS
    )
