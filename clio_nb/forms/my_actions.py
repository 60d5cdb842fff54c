"""My actions: list them, rename, move, retarget or delete one, and make a deleted one again."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, Final

import ipywidgets as w
from traitlets import Enum, Int

from .. import errors, markup
from ..action_rules import Finding, lint
from ..http import loop
from ..models import CustomAction, User, visible
from ..session import Session
from ..vocabulary import Location
from . import _actions_view
from ._action_lists import ActionLists, Row
from ._form import Form, Status, Trimmed, Work, call, html, say, trimmed
from ._save import Save
from ._who import people_of

NONE: Final = 0

_OUTDATED: Final = (
    errors.Conflict,
    errors.NotFound,
    errors.RecordInvalid,
    errors.ServerError,
    errors.NetworkError,
    errors.UnexpectedAnswer,
)
"""Errors after which Clio may hold something else than what is shown."""


class MyActionsForm(Form[CustomAction]):
    """Keep the custom actions of those who are signed in.

    ``sessions`` is a sign-in form, a session, several sessions, a :class:`clio_nb.Firm`, or a sandbox.
    :meth:`read` reads them; ``containing`` filters them, ``chosen`` is the id of one of them. :meth:`submit` changes
    that one to what ``label``, ``target_url`` and ``at`` say. :meth:`delete` deletes it, and :meth:`undo` makes the one
    that was deleted last again, as a new action. ``value`` is the action that was changed, deleted or made last.
    """

    containing = Trimmed()
    chosen = Int(NONE)
    label = Trimmed()
    target_url = Trimmed()
    at = Enum([*Location, None], None, allow_none=True)

    def __init__(self, sessions: object) -> None:
        super().__init__("My actions", "Change the action", people_of(sessions, "forms.my_actions"))
        self._lists: Final = ActionLists()
        self._deleted: Final[list[Row]] = []
        self._unsure: Final[list[Row]] = []  # Clio did not confirm that these were deleted
        self._shown: CustomAction | None = None
        self._lock: Final = threading.RLock()
        self._redrawing = False
        self._problems: Final = html()
        self._table: Final = html()
        self.save: Final = Save()
        self._field("containing", w.Text(description="Filter", placeholder="a label, an address, a name"))
        self._field("chosen", w.Dropdown(description="Action", options=[("none", NONE)]))
        self._field("label", w.Text(description="Label"))
        self._field("target_url", w.Text(description="Target URL"))
        self._field("at", w.Dropdown(description="Location", options=[("", None)]))
        self._hints: Final = {name: html(hint=True) for name in ("label", "target_url")}
        self.again: Final = self._starter("Read again", self._prepare_read, self._said_read)
        self.remove: Final = self._starter("Delete the action", self._prepare_delete, self._said_deleted)
        self.restore: Final = self._starter("Undo the delete", self._prepare_undo, self._said_undone)
        filter_, chosen, label, target_url, at = self.fields.values()
        self._arrange(
            *(w.HBox([self.again]), filter_, self._problems, self._table, self.save.view),
            *(chosen, label, self._hints["label"], target_url, self._hints["target_url"], at),
            buttons=(self.remove, self.restore),
        )
        self.observe(self._draw, "containing")
        self.observe(self._fill, "chosen")
        self.observe(self._draw_entered, ["label", "target_url", "at"])
        self._draw()
        self.follow()

    def enter(self, field: str) -> None:
        """Change the action by Enter, and nothing by Enter in the filter."""
        if field != "containing":
            super().enter(field)

    # The buttons, as verbs.

    def read(self) -> list[tuple[User, CustomAction]]:
        """Read the actions of everyone signed in, show them, and return each with its user.

        A user whose actions cannot be read is named, and does not keep the others from being read.
        """
        loop.run(self._carry_out, self._prepared(self._prepare_read), self._said_read)
        return [(row.user, row.action) for row in self._lists.rows]

    def delete(self) -> CustomAction:
        """Delete the chosen action, wait, and return it as it was."""
        return loop.run(self._carry_out, self._prepared(self._prepare_delete), self._said_deleted).action

    def undo(self) -> CustomAction:
        """Make the action that was deleted last again, wait, and return it: a new action, with a new id."""
        return loop.run(self._carry_out, self._prepared(self._prepare_undo), self._said_undone)

    # Change one.

    def prepare(self) -> Work[CustomAction]:
        """Change the chosen action, unless somebody else has changed it since it was read."""
        row, changes = self._chosen(), self._changes()
        if not changes:
            said = "Nothing is changed yet. Edit the label, the target URL or the location."
            raise errors.InvalidInput(said, field="label")
        if (worst := _first_error(self._findings(row))) is not None:
            raise errors.InvalidAction(worst.sentence, field=worst.field)
        self.value, self.status = None, Status("busy", f"Changing {row} …")

        async def work() -> CustomAction:
            try:
                changed = await row.session.aio.update_action(row.action, **changes)
            except _OUTDATED:
                await self._read_one(row.session)
                raise
            self._replace(row, changed)
            return changed

        return work

    def outcome(self, value: CustomAction) -> Status:
        """Say what the action is now."""
        at = value.location.resource if value.location else value.ui_reference
        return Status("done", f"Changed action {value.id}: {value.label!r} on {at}.")

    # Delete one, and make it again.

    def _prepare_delete(self) -> Work[Row]:
        row = self._chosen()
        if (fault := _first_error(lint(row.action))) is not None:
            raise errors.InvalidInput(
                f"This action could not be made again, so it is not deleted here. {fault.sentence} "
                f"To delete it for good, call clio.delete_action(session, {row.action.id}).",
                field="chosen",
            )
        self.value, self.status = None, Status("busy", f"Deleting {row} …")

        async def work() -> Row:
            try:
                await self._check_unchanged(row)
                await row.session.aio.delete_action(row.action)
            except _OUTDATED as error:
                await self._check_gone(row, error)
            self._deleted.append(row)
            self._replace(row, None)
            return row

        return work

    async def _check_unchanged(self, row: Row) -> None:
        """Clio deletes whatever version it has: see first that it is the one that is shown."""
        there = await row.session.aio.get_action(row.action.id)
        if _entered(there) != _entered(row.action):
            self._replace(row, there)
            said = "Somebody changed this action since it was read. It is shown as it is now: look, then delete again."
            raise errors.InvalidInput(said, field="chosen")

    async def _check_gone(self, row: Row, error: errors.ClioError) -> None:
        """See what is there after a delete that failed. Raises, unless only the answer to it was lost."""
        if not await self._read_one(row.session):
            self._unsure.append(row)
            said = f"Clio did not confirm that {row} was deleted, and the list cannot be read. Read it again to see."
            raise errors.NetworkError(f"{said} ({error})") from error
        there = any(other.action.id == row.action.id for other in self._lists.of(row.session))
        if there or isinstance(error, errors.NotFound):
            raise error

    def _said_deleted(self, row: Row) -> Status:
        self.value = row.action
        return Status("done", f"Deleted {row}. Undo makes it again, as a new action with a new id.")

    def _prepare_undo(self) -> Work[CustomAction]:
        if not self._deleted:
            raise errors.InvalidInput("Nothing was deleted here that could be made again.")
        row = self._deleted[-1]
        self.value, self.status = None, Status("busy", f"Making {row.action.label!r} again …")

        async def work() -> CustomAction:
            label, target_url = row.action.label or "", row.action.target_url or ""
            try:
                made = await row.session.aio.create_action(label, target_url, row.action.ui_reference or "")
            except _OUTDATED:
                await self._read_one(row.session)
                raise
            self._deleted.remove(row)
            self._replace(row, made)
            return made

        return work

    def _said_undone(self, made: CustomAction) -> Status:
        self.value = made
        self.chosen = made.id
        return Status("done", f"Made {made.label!r} again. It is a new action: its id is {made.id}.")

    # Read.

    def _prepare_read(self) -> Work[None]:
        self._who.needed()
        self.status = Status("busy", "Reading …")
        return self._read

    def _said_read(self, _nothing: None) -> Status:
        said, failed = f"Read {markup.counted(len(self._lists.rows), 'action')}.", len(self._lists.problems)
        if failed:
            return Status("failed", f"{said} {failed} of {self._lists.users} users could not be read.")
        return Status("done", said)

    def follow(self) -> None:
        """Read without holding up the buttons: at the beginning, and when somebody has signed in or out."""
        loop.submit(self._read).add_done_callback(self._tell_unexpected)

    async def _read(self) -> None:
        await self._lists.read(self._who.sessions)
        self._settle()
        self._draw()

    async def _read_one(self, session: Session) -> bool:
        read = await self._lists.read_one(session)
        self._settle()
        self._draw()
        return read

    def _settle(self) -> None:
        """Offer to undo the deletes that Clio had not confirmed, where its list says now that they were made."""
        for row in list(self._unsure):
            if row.session not in self._lists.problems:
                self._unsure.remove(row)
                if all(other.action.id != row.action.id for other in self._lists.of(row.session)):
                    self._deleted.append(row)

    def _replace(self, row: Row, action: CustomAction | None) -> None:
        self._lists.replace(row, action)
        self._draw()

    # Show.

    def _matching(self) -> list[Row]:
        wanted = self.containing.casefold()
        return [row for row in self._lists.rows if wanted in "\n".join(_actions_view.cells(row)).casefold()]

    def _row(self) -> Row | None:
        return next((row for row in self._lists.rows if row.action.id == self.chosen), None)

    def _chosen(self) -> Row:
        self._who.needed()
        if (row := self._row()) is None:
            raise errors.InvalidInput("Choose an action first.", field="chosen")
        return row

    def _draw(self, _change: object = None) -> None:
        """Show the actions that contain the text, and what can be chosen among them."""
        with self._lock:
            rows = self._matching()
            say(self._table, self._drawn(rows))
            say(self._problems, _actions_view.problems(self._lists))
            self.save.offer("my-actions", (lambda: _actions_view.frame(rows)) if rows else None)
            ids = [row.action.id for row in rows]
            chosen = self.chosen if self.chosen in ids else next(iter(ids), NONE)
            self._redrawing = True
            self.fields["chosen"].options = _actions_view.titles(rows, self._lists) or [("none", NONE)]
            self.chosen = chosen
            self._redrawing = False
            self.restore.layout.display = "flex" if self._deleted else "none"
            if self._deleted:
                self.restore.description = f"Undo the delete of {visible(self._deleted[-1].action.label or '')}"
            self._fill()

    def _drawn(self, rows: list[Row]) -> str:
        if not self._who.sessions:
            return ""
        if self._lists.read_at is None:
            return markup.muted("Reading …")
        return _actions_view.table(rows, self._lists)

    def _fill(self, _change: object = None) -> None:
        """Fill the fields with the chosen action. What was edited stays when only the same action was read again."""
        with self._lock:
            if self._redrawing:
                return
            row, before = self._row(), self._shown
            self._shown = action = row.action if row else None
            kept = _entered(before) if before and action and before.id == action.id else {}
            options: list[tuple[str, Location | None]] = [(each.resource.capitalize(), each) for each in Location]
            if action is None or action.location is None:
                options.append((action.ui_reference or "" if action else "", None))
            edited_at = self.at if kept and self.at != kept["at"] else action and action.location
            self.fields["at"].options = options
            self.at = edited_at
            for name, value in _entered(action).items():
                if name != "at" and (not kept or getattr(self, name) == kept[name]):
                    setattr(self, name, value)
            self._draw_entered()

    def _changes(self) -> dict[str, Any]:
        """Return the arguments of :func:`clio_nb.update_action` for what was edited."""
        there = _entered(self._shown)
        wanted = {"label": self.label, "target_url": self.target_url, "at": self.at}
        return {name: value for name, value in wanted.items() if self._shown and value != there[name]}

    def _findings(self, row: Row) -> list[Finding]:
        """Return what is wrong with the action as it is entered, among the others of the same user."""
        at = row.action.ui_reference if self.at is None else self.at.value
        entered = CustomAction(id=row.action.id, label=self.label, target_url=self.target_url, ui_reference=at)
        return lint(entered, beside=[other.action for other in self._lists.of(row.session)])

    def _draw_entered(self, _change: object = None) -> None:
        row = self._row()
        findings = self._findings(row) if row else []
        for name, hint in self._hints.items():
            say(hint, "".join(_actions_view.hint(one) for one in findings if one.field == name))
        if row is None:
            several = len(self._who.sessions) > 1
            listed = call("actions_table", "sessions") if several else call("list_actions", "session")
            self.code = self._who.code(several=several) + listed
            return
        read = f"action = {call('get_action', 'session', str(row.action.id))}"
        changes = [f"{name}={getattr(value, 'resource', value)!r}" for name, value in self._changes().items()]
        changed = f"\n{call('update_action', 'session', 'action', *changes)}" if changes else ""
        self.code = self._who.code_for(row.user.id) + read + changed


def _entered(action: CustomAction | None) -> dict[str, Any]:
    """Return what the fields hold for an action."""
    if action is None:
        return {"label": "", "target_url": "", "at": None}
    label, target_url = trimmed(action.label or ""), trimmed(action.target_url or "")
    return {"label": label, "target_url": target_url, "at": action.location}


def _first_error(findings: Iterable[Finding]) -> Finding | None:
    return next((finding for finding in findings if finding.level == "error"), None)
