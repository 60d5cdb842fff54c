"""The whole firm: who sees which action and why not, what a manifest would change, and applying that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import ipywidgets as w
from traitlets import Bool, Instance, Unicode

from ..errors import InvalidInput
from ..firm import Firm
from ..firm.apply._user_run import Stop
from ..firm.apply.apply import Result
from ..firm.item import ItemResult
from ..firm.manifest import Manifest
from ..firm.plan.plan import Plan
from ..firm.tables import coverage_frame
from ..http import loop
from ..ledger.records import Kind
from . import _firm_view
from ._form import Form, Status, Work, html, push, say

if TYPE_CHECKING:
    import pandas as pd


class FirmForm(Form[Result]):
    """Coverage, plan, apply and undo over all users of a firm.

    :meth:`read_coverage` and :meth:`make_plan` are the first two buttons, :meth:`submit` is *Apply*, and ``value`` the
    result of the last run; :meth:`plan_undo` plans to undo it. ``manifest`` is the path of a manifest,
    ``containing`` filters the coverage. A plan that deletes is applied only when ``confirmation`` says how much.
    """

    manifest = Unicode()
    allow_delete = Bool(default_value=False)
    containing = Unicode()
    confirmation = Unicode()
    plan = Instance(Plan, allow_none=True)

    def __init__(self, firm: Firm, manifest: Manifest | Path | str | None = None) -> None:
        super().__init__("The whole firm", "Apply the plan")
        self._firm: Final = firm
        self._given: Final = manifest if isinstance(manifest, Manifest) else None
        self._coverage: pd.DataFrame | None = None
        self._stop = Stop()
        self.manifest = "" if manifest is None or self._given else str(manifest)
        self._field("manifest", w.Text(description="Manifest", placeholder="actions.toml", continuous_update=False))
        self.fields["manifest"].layout.display = "none" if self._given else "flex"
        self._field("allow_delete", w.Checkbox(description="Also delete what is no longer wanted"))
        self._field("containing", w.Text(description="Filter", placeholder="a name, a reason, a label"))
        self._field("confirmation", w.Text(description="Confirm"))
        for name in ("containing", "confirmation"):
            self.fields[name].layout.display = "none"
        self.look: Final = push("Who sees what", lambda _: self._begin(self._prepare_coverage, self._show_coverage))
        self.make: Final = push("Plan", lambda _: self._begin(self._prepare_plan, self._show_plan))
        self.halt: Final = push("Stop", self.stop)
        self.back: Final = push("Plan the undo", lambda _: self._begin(self._prepare_undo, self._show_plan))
        self.halt.layout.display = self.back.layout.display = self.button.layout.display = "none"
        self._table, self._preview, self._progress, self._failed = html(), html(), html(), html()
        self._arrange(
            *(self.fields["manifest"], self.fields["allow_delete"], w.HBox([self.look, self.make])),
            *(self.fields["containing"], self._table, self._preview, self.fields["confirmation"], self._progress),
            buttons=(self.halt, self.back),
            below=(self._failed,),
        )
        self.observe(self._draw_coverage, "containing")
        self._draw_code_of_firm()
        self.observe(self._draw_code_of_firm, ["manifest", "allow_delete"])

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

    def stop(self, _button: object = None) -> None:
        """End a run early: requests under way are finished and noted, no more are sent."""
        self._stop.asked = True

    def prepare(self) -> Work[Result]:
        """Apply the plan that is shown; a plan that deletes, only with the confirmation typed."""
        plan = self.plan
        if plan is None:
            raise InvalidInput("Make a plan first.", field="manifest")
        if (phrase := _phrase(plan)) and self.confirmation.strip().lower() != phrase:
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
            try:
                return await self._firm.aio.apply(plan, progress=on_result, stop=stop)
            finally:
                self.halt.layout.display = "none"

        return work

    def outcome(self, value: Result) -> Status:
        """Say how many changes were made, and show those that were not."""
        self._offer(None)
        self.back.layout.display = "flex"
        say(self._progress, "")
        say(self._failed, _firm_view.result(value))
        done, total = len(value.results) - len(value.failed), len(value.results)
        return Status("done" if value else "failed", f"{done} of {total} changes made, in run {value.run}.")

    # Reading and planning.

    def _prepare_coverage(self) -> Work[pd.DataFrame]:
        manifest = self._manifest() if self._given or self.manifest.strip() else None
        self.status = Status("busy", "Reading every user's actions …")

        async def work() -> pd.DataFrame:
            return coverage_frame(await self._firm.aio.coverage(manifest))

        return work

    def _show_coverage(self, coverage: pd.DataFrame) -> Status:
        self._coverage = coverage
        self.fields["containing"].layout.display = "flex"
        self._draw_coverage()
        return Status("done", f"Read {len(coverage)} users.")

    def _prepare_plan(self) -> Work[Plan]:
        manifest, allow_delete = self._manifest(), self.allow_delete
        self.status = Status("busy", "Comparing the manifest with every user's actions …")

        async def work() -> Plan:
            return await self._firm.aio.plan(manifest, allow_delete=allow_delete)

        return work

    def _prepare_undo(self) -> Work[Plan]:
        if self.value is None:
            raise InvalidInput("This form has not applied a plan yet.")
        run = self.value.run
        self.status = Status("busy", f"Reading what run {run} changed …")

        async def work() -> Plan:
            return await self._firm.aio.plan_undo(run)

        return work

    def _show_plan(self, plan: Plan) -> Status:
        self._offer(plan)
        say(self._failed, "")
        if not plan.changes:
            return Status("done", f"Nothing has to change. {len(plan.blocked)} items are blocked.")
        return Status("done", f"{len(plan.changes)} changes are planned. Nothing is changed until you apply the plan.")

    def _offer(self, plan: Plan | None) -> None:
        """Show a plan with what is needed to apply it, or take both away."""
        self.plan = plan
        phrase = _phrase(plan) if plan else ""
        say(self._preview, _firm_view.plan(plan) if plan else "")
        self.fields["confirmation"].layout.display = "flex" if phrase else "none"
        self.fields["confirmation"].placeholder = f"This deletes: type {phrase}"
        self.button.layout.display = "flex" if plan and plan.changes else "none"

    def _manifest(self) -> Manifest | str:
        if self._given is not None:
            return self._given
        if not self.manifest.strip():
            raise InvalidInput("Enter the path of a manifest.", field="manifest")
        return self.manifest.strip()

    def _draw_coverage(self, _change: object = None) -> None:
        if self._coverage is not None:
            say(self._table, _firm_view.coverage(self._coverage, self.containing))

    def _draw_code_of_firm(self, _change: object = None) -> None:
        source = "manifest" if self._given else repr(self.manifest.strip() or "actions.toml")
        delete = ", allow_delete=True" if self.allow_delete else ""
        self.code = f"firm.coverage({source})\nplan = firm.plan({source}{delete})\nfirm.apply(plan)"


def _phrase(plan: Plan) -> str:
    """Return what must be typed before a plan that deletes is applied."""
    deletes = sum(item.kind is Kind.DELETE for item in plan.changes)
    return f"delete {deletes}" if deletes else ""
