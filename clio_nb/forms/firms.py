"""All firms of a vault: an overview, who has what in each, and from there the form of one firm."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import ipywidgets as w
from traitlets import Int

from .. import markup
from ..errors import InvalidInput
from ..firm import Firm
from ..firm._page import ROWS_SHOWN
from ..firm.apply._user_run import Stop
from ..firm.manifest import Manifest
from ..firms import FirmRow, Firms, FirmsReport
from ..http import loop
from ..models import visible
from . import _firm_view
from ._form import Form, Status, Trimmed, Work, call, html, push, say
from ._save import Save, texts
from .firm import FirmForm

NONE: Final = -1


class FirmsForm(Form[Firm]):
    """An overview of many firms, and the way down to one of them.

    ``firms`` is a :class:`clio_nb.Firms`. :meth:`read_overview` reads again which firms there are, without asking Clio;
    :meth:`read_coverage` asks how many users of each firm see what they should. ``manifest`` is the path of a manifest,
    ``containing`` filters what is shown and offered, ``chosen`` is the place of a firm in the overview, counted from 0.
    :meth:`submit` opens that firm's form below, which is in ``opened``; ``value`` is the firm.
    """

    manifest = Trimmed()
    containing = Trimmed()
    chosen = Int(NONE)

    def __init__(self, firms: Firms, manifest: Manifest | Path | str | None = None) -> None:
        if not isinstance(firms, Firms):
            raise InvalidInput(
                f"forms.firms() needs a clio.Firms, not a {type(firms).__name__}. For one firm use forms.firm(firm).",
                field="firms",
            )
        super().__init__("All firms", "Open the firm")
        self._firms: Final = firms
        self._known = loop.run(firms.aio.overview)
        self._report: FirmsReport | None = None
        self._forms: Final[dict[tuple[str, str], FirmForm]] = {}
        self._stop = Stop()
        self.opened: FirmForm | None = None
        self._given: Final = manifest if isinstance(manifest, Manifest) else None
        self.manifest = "" if manifest is None or self._given else str(manifest)
        self._field("manifest", w.Text(description="Manifest", placeholder="actions.toml"))
        self.fields["manifest"].layout.display = "none" if self._given else "flex"
        self._field("containing", w.Text(description="Filter", placeholder="a name, an id, a region, a reason"))
        self._field("chosen", w.Dropdown(description="Firm", options=[("none", NONE)]))
        self.again: Final = self._starter("Read again", self._prepare_overview, self._said_overview)
        self.look: Final = self._starter("Who has what", self._prepare_coverage, self._said_coverage)
        self.halt: Final = push("Stop", self.stop)
        self.halt.layout.display = "none"
        self.save: Final = Save()
        self._table, self._progress = html(), html()
        self._below: Final = w.VBox()
        path, filter_, chosen = self.fields.values()
        self._arrange(
            *(path, w.HBox([self.again, self.look, self.halt]), filter_, self._progress, self._table, self.save.view),
            chosen,
            below=(self._below,),
        )
        self.observe(self._draw, ["containing"])
        self.observe(self._draw_code_of_firms, ["manifest", "chosen"])
        self._draw()
        self._draw_code_of_firms()

    def enter(self, field: str) -> None:
        """Do nothing by Enter in the filter, and ask who has what by Enter in the manifest's field."""
        if field == "manifest":
            self.look.click()

    # The buttons, as verbs.

    def read_overview(self) -> int:
        """Read again which firms the vault has, and return how many."""
        return loop.run(self._carry_out, self._prepared(self._prepare_overview), self._said_overview)

    def read_coverage(self) -> FirmsReport:
        """Ask how many users of each firm see what they should, show it, and return it."""
        return loop.run(self._carry_out, self._prepared(self._prepare_coverage), self._said_coverage)

    def stop(self, _button: object = None) -> None:
        """Begin no further firm."""
        self._stop.asked = True

    def prepare(self) -> Work[Firm]:
        """Open the form of the firm that is chosen."""
        if not 0 <= self.chosen < len(self._known):
            raise InvalidInput("Choose a firm.", field="chosen")
        of = self._known[self.chosen].of
        there = self._firms.aio.opened(of)
        firm = Firm(there.site, there.vault, name=there.name)
        if (of.region, of.name) not in self._forms:
            self._forms[of.region, of.name] = FirmForm(firm, self._given or self.manifest or None)
        form = self._forms[of.region, of.name]

        async def work() -> Firm:
            self.opened = form
            self._below.children = (form.view,)
            return firm

        return work

    def outcome(self, value: Firm) -> Status:
        """Say which firm is open."""
        return Status("done", f"Opened {self._known[self.chosen].of}, below.")

    def _prepare_overview(self) -> Work[int]:
        self.status = Status("busy", "Reading the vault …")

        async def work() -> int:
            self._known, self._report = await self._firms.aio.overview(), None
            return len(self._known)

        return work

    def _said_overview(self, count: int) -> Status:
        self._draw()
        return Status("done", f"The vault has {markup.counted(count, 'firm')}.")

    def _prepare_coverage(self) -> Work[FirmsReport]:
        self._stop = stop = Stop()
        total, done = len(self._known), 0
        self.status = Status("busy", "Reading every firm …")
        self.halt.layout.display = "flex"
        manifest = self._given or self.manifest or None

        def on_row(_row: FirmRow) -> None:
            nonlocal done
            done += 1
            say(self._progress, _firm_view.progress(done, total, "Firms read"))

        async def work() -> FirmsReport:
            try:
                self._known = await self._firms.aio.overview()
                return await self._firms.aio.coverage(manifest, progress=on_row, stop=stop)
            finally:
                self.halt.layout.display = "none"
                say(self._progress, "")

        return work

    def _said_coverage(self, report: FirmsReport) -> Status:
        there = {(row.region, row.name) for row in report.rows} & {(of.region, of.name) for of, *_ in self._known}
        self._known = [each for each in self._known if (each.of.region, each.of.name) in there]
        self._report = FirmsReport(report.verb, tuple(row for row in report.rows if (row.region, row.name) in there))
        self._draw()
        counts = report.counts()
        said = f"{counts.get('equipped', 0)} of {counts.get('users', 0)} users see all that they should"
        failed = f"; {markup.counted(len(report.failed), 'firm')} could not be read" if report.failed else ""
        return Status("failed" if failed else "done", f"{said}, in {markup.counted(len(report.rows), 'firm')}{failed}.")

    def _draw(self, _change: object = None) -> None:
        """Draw the firms that contain the filter, and offer the same to be opened."""
        columns, rows = self._shown()
        wanted = self.containing.casefold()
        at = [place for place, row in enumerate(rows) if wanted in "\n".join(row).casefold()]
        counted = (f"{len(at)} of " if wanted else "") + markup.counted(len(rows), "firm")
        more = f"; the first {ROWS_SHOWN} are shown" if len(at) > ROWS_SHOWN else ""
        cells = ([markup.text(visible(cell)) for cell in rows[place]] for place in at[:ROWS_SHOWN])
        say(self._table, markup.scrolling(markup.table(f"{counted}{more}", columns, cells), "Firms"))
        kept = self.chosen if self.chosen in at else NONE
        options = [("none", NONE), *((visible(str(self._known[place].of)), place) for place in at)]
        self.fields["chosen"].options = options
        self.chosen = kept
        self.save.offer("firms", lambda: texts([tuple(row) for row in rows], columns))

    def _shown(self) -> tuple[list[str], list[list[str]]]:
        if self._report is not None:
            return self._report.shown()
        columns = ["firm", "region", "people", "tokens", "last run"]
        rows = [
            [
                f"{each.of.firm} ({each.of.firm_id})" if each.of.firm_id is not None else each.of.firm,
                each.of.region,
                str(each.people),
                str(each.of.tokens) if each.of.usable == each.of.tokens else f"{each.of.usable} of {each.of.tokens}",
                f"{each.last_run_at:%Y-%m-%d %H:%M}" if each.last_run_at else "",
            ]
            for each in self._known
        ]
        return columns, rows

    def _draw_code_of_firms(self, _change: object = None) -> None:
        source = ["manifest"] if self._given else [repr(self.manifest)] if self.manifest else []
        lines = ["firms.overview()", call("coverage", *source, on="firms")]
        if 0 <= self.chosen < len(self._known):
            of = self._known[self.chosen].of
            which = repr(of.name if of.firm_id is None else of.firm_id)
            lines.append(call("firm", f"firms.firm({which})", *source, on="clio.forms"))
        self.code = "\n".join(lines)
