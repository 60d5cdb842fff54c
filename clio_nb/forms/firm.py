"""The whole firm: who sees which action and why not, what a manifest would change, and applying that."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Final

import ipywidgets as w
from traitlets import Bool, Instance

from .. import markup
from ..errors import ClioError, InvalidInput
from ..firm.apply._user_run import Stop
from ..firm.apply.apply import Result
from ..firm.async_firm import AsyncFirm
from ..firm.item import ItemResult
from ..firm.manifest import Manifest, read_manifest
from ..firm.pictures import Picture, draw
from ..firm.plan.plan import Plan
from ..firm.tables import coverage_frame
from ..http import loop, timeouts
from ..ledger.records import Kind
from . import _firm_view
from ._firm_of import FirmOf
from ._form import Form, Status, Trimmed, Work, call, html, push, say
from ._save import Save
from ._who import people_of

if TYPE_CHECKING:
    import pandas as pd


LASTS: Final = 600.0  # seconds after which a plan is too old to be applied
WATCH: Final = 2.0  # seconds between two looks at what a plan was made from


class FirmForm(Form[Result]):
    """Coverage, plan, apply and undo over all users of a firm.

    ``firm`` is a :class:`clio_nb.Firm`; or a sign-in form, a session, several, or a sandbox, and then those who are
    signed in are the firm. :meth:`read_coverage` and :meth:`make_plan` are the first two buttons, :meth:`submit` is
    *Apply*, and ``value`` the result of the last run; :meth:`plan_undo` plans to undo it. ``manifest`` is the path of a
    manifest, ``containing`` filters the coverage. A plan that deletes is applied only when ``confirmation`` says how
    much. A plan is dropped when the manifest, an option or who is signed in changes, and after ten minutes.
    :meth:`draw_usage` shows who clicks.
    """

    manifest = Trimmed()
    allow_delete = Bool(default_value=False)
    containing = Trimmed()
    confirmation = Trimmed()
    plan = Instance(Plan, allow_none=True)

    def __init__(self, firm: object, manifest: Manifest | Path | str | None = None) -> None:
        super().__init__("The whole firm", "Apply the plan", people_of(firm, "forms.firm"))
        self._firm: Final = FirmOf(self._who)
        self._given: Final = manifest if isinstance(manifest, Manifest) else None
        self._coverage: pd.DataFrame | None = None
        self._read = ("", "")  # the manifest that the coverage was held against, and the time
        self._since = ""  # what has happened since
        self._changes = 0  # of what a plan is made from
        self._made_at = self._changes
        self._made_from: tuple[str, float] = ("", 0.0)  # the text of the plan's manifest, and the time
        self._stop = Stop()
        self.manifest = "" if manifest is None or self._given else str(manifest)
        self._field("manifest", w.Text(description="Manifest", placeholder="actions.toml"))
        self.fields["manifest"].layout.display = "none" if self._given else "flex"
        self._field("allow_delete", w.Checkbox(description="Also delete what is no longer wanted"))
        self._field("containing", w.Text(description="Filter", placeholder="a name, a reason, a label"))
        self._field("confirmation", w.Text(description="Confirm"))
        for name in ("containing", "confirmation"):
            self.fields[name].layout.display = "none"
        self.look: Final = self._starter("Who sees what", self._prepare_coverage, self._show_coverage)
        self.make: Final = self._starter("Plan", self._prepare_plan, self._show_plan)
        self.use: Final = self._starter("Who uses it", self._prepare_usage, self._show_usage)
        self.halt: Final = push("Stop", self.stop)
        self.back: Final = self._starter("Plan the undo", self._prepare_undo, self._show_plan)
        self.halt.layout.display = self.back.layout.display = self.button.layout.display = "none"
        self.save: Final = Save()
        self._age, self._table, self._preview, self._progress, self._failed, self._used = (html() for _ in range(6))
        self._arrange(
            *(self.fields["manifest"], self.fields["allow_delete"], w.HBox([self.look, self.make, self.use])),
            *(self.fields["containing"], self._age, self._table),
            *(self._preview, self.fields["confirmation"], self._progress),
            buttons=(self.halt, self.back),
            below=(self._failed, self.save.view, self._used),
        )
        self.observe(self._draw_coverage, ["containing", "manifest"])
        self.observe(self._drop_plan, ["manifest", "allow_delete"])
        self.observe(self._draw_code_of_firm, ["manifest", "allow_delete", "plan"])
        self._draw_code_of_firm()

    def enter(self, field: str) -> None:
        """Plan by Enter in the manifest's field, and apply by Enter in the one that confirms deletes."""
        if field != "containing":
            (self.button if field == "confirmation" else self.make).click()

    def follow(self) -> None:
        """Drop a plan that was made for others, and mark the coverage."""
        self._disarm("Somebody has signed in or out since this plan was made.")
        self._since = "somebody signed in or out"
        self._draw_coverage()

    # The buttons, as verbs.

    def read_coverage(self) -> pd.DataFrame:
        """Read who sees what, and why not, show it, and return it (:meth:`clio_nb.Firm.coverage`)."""
        return loop.run(self._carry_out, self._prepared(self._prepare_coverage), self._show_coverage)

    def make_plan(self) -> Plan:
        """Compare the manifest with what is there, show the difference, and return it (:meth:`clio_nb.Firm.plan`)."""
        return loop.run(self._carry_out, self._prepared(self._prepare_plan), self._show_plan)

    def plan_undo(self) -> Plan:
        """Show and return what would undo the last run of this form (:meth:`clio_nb.Firm.plan_undo`)."""
        return loop.run(self._carry_out, self._prepared(self._prepare_undo), self._show_plan)

    def draw_usage(self) -> list[Picture]:
        """Show who uses the actions, as far as that was recorded (:meth:`clio_nb.Firm.pictures`)."""
        return loop.run(self._carry_out, self._prepared(self._prepare_usage), self._show_usage)

    def stop(self, _button: object = None) -> None:
        """End a run early: requests under way are finished and noted, no more are sent."""
        self._stop.asked = True

    def prepare(self) -> Work[Result]:
        """Apply the plan that is shown; a plan that deletes, only with the confirmation typed."""
        self._firm.check()
        plan = self.plan
        if plan is None:
            raise InvalidInput("Make a plan first.", field="manifest")
        if reason := self._outdated():
            self._offer(None)
            raise InvalidInput(f"{reason} Plan again.")
        if (phrase := _phrase(plan)) and self.confirmation.lower() != phrase:
            raise InvalidInput(f"This plan deletes. Type {phrase!r} to apply it.", field="confirmation")
        self.confirmation = ""
        self._stop = stop = Stop()
        total, done = len(plan.changes), 0
        self.status = Status("busy", "Applying the plan …")
        self.halt.layout.display = "flex"

        def on_result(_result: ItemResult) -> None:
            nonlocal done
            done += 1
            say(self._progress, _firm_view.progress(done, total))

        async def work() -> Result:
            firm = await self._firm.now()
            try:
                result = await firm.apply(plan, progress=on_result, stop=stop)
            finally:
                self.halt.layout.display = "none"
                self._since = "a run"
                self._offer(None)
                self._draw_coverage()
            await self._read_again(firm, result)
            return result

        return work

    def outcome(self, value: Result) -> Status:
        """Say how many changes were made, and show those that were not."""
        self.back.layout.display = "flex"
        say(self._progress, "")
        say(self._failed, _firm_view.result(value))
        self.save.offer("result", value.to_frame)
        done, total = len(value.results) - len(value.failed), len(value.results)
        return Status("done" if value else "failed", f"{done} of {total} changes made, in run {value.run}.")

    # Reading and planning.

    def _prepare_coverage(self) -> Work[pd.DataFrame]:
        self._firm.check()
        manifest = self._given or self.manifest or None
        self.status = Status("busy", "Reading every user's actions …")

        async def work() -> pd.DataFrame:
            return await self._held_against(manifest, await self._firm.now())

        return work

    async def _held_against(self, manifest: Manifest | str | None, firm: AsyncFirm) -> pd.DataFrame:
        table = coverage_frame(await firm.coverage(manifest))
        self._read = (str(manifest or ""), f"{dt.datetime.now().astimezone():%H:%M:%S}")
        self._since = ""
        return table

    async def _read_again(self, firm: AsyncFirm, result: Result) -> None:
        """Read the coverage that is shown once more, now that a run has changed it; else it stays marked as older."""
        self._since = f"run {result.run}"
        if self._coverage is not None and not self._stop.asked:
            self.status = Status("busy", "Reading who sees what now …")
            try:
                self._coverage = await self._held_against(self._given or self.manifest or None, firm)
            except ClioError as error:
                self._since = f"{self._since}, after which it could not be read ({error})"
        self._draw_coverage()

    def _show_coverage(self, coverage: pd.DataFrame) -> Status:
        self._coverage = coverage
        self.fields["containing"].layout.display = "flex"
        self._draw_coverage()
        return Status("done", f"Read {len(coverage)} users.")

    def _prepare_usage(self) -> Work[list[Picture]]:
        self._firm.check()
        self.status = Status("busy", "Drawing what was recorded …")

        async def work() -> list[Picture]:
            return await draw(await self._firm.now(), None, "UTC")

        return work

    def _show_usage(self, pictures: list[Picture]) -> Status:
        say(self._used, "".join(picture.svg for picture in pictures))
        return Status("done", "Drawn from the launches that were recorded (a firm, door or inbox with record=True).")

    def _prepare_plan(self) -> Work[Plan]:
        self._firm.check()
        manifest, allow_delete = self._manifest(), self.allow_delete
        self._offer(None)
        self.status = Status("busy", "Comparing the manifest with every user's actions …")

        async def work() -> Plan:
            wanted = await asyncio.to_thread(read_manifest, manifest)
            self._made_from = (wanted.to_toml(), timeouts.now())
            return await (await self._firm.now()).plan(wanted, allow_delete=allow_delete)

        return work

    def _prepare_undo(self) -> Work[Plan]:
        if self.value is None:
            raise InvalidInput("This form has not applied a plan yet.")
        run = self.value.run
        self._firm.check()
        self._offer(None)
        self.status = Status("busy", f"Reading what run {run} changed …")

        async def work() -> Plan:
            self._made_from = ("", timeouts.now())
            return await (await self._firm.now()).plan_undo(run)

        return work

    def _show_plan(self, plan: Plan) -> Status:
        say(self._failed, "")
        self.save.offer("result", None)
        if self._made_at != self._changes:
            return Status("idle", "Something was changed while the plan was made. Plan again.")
        self._offer(plan)
        timeouts.apart(self._watch(plan))
        changes = len(plan.changes)
        if not changes:
            blocked = len(plan.blocked)
            return Status(
                "done", f"Nothing has to change. Blocked: {blocked}." if blocked else "Nothing has to change."
            )
        said = "1 change is planned" if changes == 1 else f"{changes} changes are planned"
        return Status("done", f"{said}. Nothing is changed until you apply the plan.")

    def _offer(self, plan: Plan | None) -> None:
        """Show a plan with what is needed to apply it, or take both away."""
        self.plan, self._made_at = plan, self._changes
        phrase = _phrase(plan) if plan else ""
        say(self._preview, _firm_view.plan(plan) if plan else "")
        self.save.offer("plan", plan.to_frame if plan else None)
        self.fields["confirmation"].layout.display = "flex" if phrase else "none"
        self.fields["confirmation"].placeholder = f"This deletes: type {phrase}"
        self.button.layout.display = "flex" if plan and plan.changes else "none"

    # A plan belongs to what it was made from.

    def _drop_plan(self, change: dict[str, str]) -> None:
        self._disarm("The manifest is another one now." if change["name"] == "manifest" else "An option has changed.")

    def _disarm(self, reason: str) -> None:
        """Take a plan back, and say why. One that is being applied stays; one that is being made is not offered."""
        self._changes += 1
        if self.plan is not None and not self.busy:
            self._offer(None)
            self.status = Status("idle", f"{reason} Plan again.")

    def _outdated(self) -> str:
        """Return why the plan must not be applied any more, as a sentence; empty if it may."""
        text, made_at = self._made_from
        if timeouts.now() - made_at >= LASTS:
            return f"This plan is more than {LASTS / 60:.0f} minutes old."
        if not text:
            return ""
        try:
            same = read_manifest(self._manifest()).to_toml() == text
        except ClioError as error:
            return f"The manifest of this plan cannot be read any more: {error}"
        return "" if same else "The manifest has changed since this plan was made."

    async def _watch(self, plan: Plan) -> None:
        """Take the plan back as soon as it is out of date."""
        while self.plan is plan:
            if not self.busy and (reason := await asyncio.to_thread(self._outdated)) and self.plan is plan:
                self._disarm(reason)
            await timeouts.sleep(WATCH)

    def _manifest(self) -> Manifest | str:
        if self._given is not None:
            return self._given
        if not self.manifest:
            raise InvalidInput("Enter the path of a manifest.", field="manifest")
        return self.manifest

    def _draw_coverage(self, _change: object = None) -> None:
        if (coverage := self._coverage) is None:
            return
        self.save.offer("coverage", lambda: coverage)
        manifest, at = self._read
        if self._since:
            note = f"⚠ Read at {at}, before {self._since}. Read it again to see who sees what now."
        elif manifest != str(self._given or self.manifest):
            note = f"⚠ Read at {at} for {manifest or 'no manifest'}. Read it again for the manifest above."
        else:
            note = f"Read at {at}."
        say(self._age, markup.muted(markup.text(note)))
        say(self._table, _firm_view.coverage(coverage, self.containing))

    def _draw_code_of_firm(self, _change: object = None) -> None:
        """Draw what the buttons do, in order; with a plan to undo, what that one does."""
        source = ["manifest"] if self._given else [repr(self.manifest)] if self.manifest else []
        delete = ["allow_delete=True"] if self.allow_delete else []
        planned = f"plan = {call('plan', *source, *delete, on='firm')}\n" if source else ""
        if self.plan is not None and self.plan.manifest is None and self.value is not None:
            planned = f"plan = firm.plan_undo({self.value.run!r})\n"
        applied = f"{planned}firm.apply(plan)\n" if planned else ""
        self.code = f"{self._firm.code()}{call('coverage', *source, on='firm')}\n{applied}".rstrip()


def _phrase(plan: Plan) -> str:
    """Return what must be typed before a plan that deletes is applied."""
    deletes = sum(item.kind is Kind.DELETE for item in plan.changes)
    return f"delete {deletes}" if deletes else ""
