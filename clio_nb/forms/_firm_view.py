"""Draw a firm's coverage, plans and results as HTML: one table each, whatever the number of users."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from .. import markup
from ..firm._page import ROWS_SHOWN, plan_page, result_page
from ..firm.apply.apply import Result
from ..firm.plan.plan import Plan
from ..models import NOT_WANTED, NOTHING
from ..tables import LOCATION_COLUMNS
from ..vocabulary import Location

if TYPE_CHECKING:
    import pandas as pd


def coverage(frame: pd.DataFrame, containing: str = "") -> str:
    """Draw a coverage table (see :func:`clio_nb.firm.tables.coverage_frame`), only the rows that contain a text."""
    wanted = containing.strip().casefold()
    columns = [frame["user"].astype(object), *(frame[location].astype(object) for location in LOCATION_COLUMNS)]
    rows = list(zip(*(column.array for column in columns), strict=True))
    if wanted:
        rows = [row for row in rows if wanted in "\n".join(map(str, row)).casefold()]
    counted = f"{len(rows)} of {len(frame)} users" if wanted else f"{len(frame)} users"
    hidden = f"; the first {ROWS_SHOWN} are shown" if len(rows) > ROWS_SHOWN else ""
    drawn = markup.table(
        f"Who sees what: {counted}{hidden}",
        ("user", *(location.resource for location in Location)),
        ((markup.text(user), *map(_cell, cells)) for user, *cells in rows[:ROWS_SHOWN]),
    )
    return markup.scrolling(drawn, "Coverage")


def _cell(shown: str) -> str:
    """Draw a cell: what the user sees there, or in the second colour, why nothing."""
    if shown == NOT_WANTED:
        return markup.muted("–")
    if shown.startswith(NOTHING):
        return markup.muted(f"{markup.MARKS[False]} {escape(shown.removeprefix(NOTHING))}")
    return f"{markup.MARKS[True]} {markup.text(shown)}"


def plan(drawn: Plan) -> str:
    """Draw a plan in a region that scrolls."""
    return markup.scrolling(plan_page(drawn), "Plan")


def progress(done: int, total: int, what: str = "Changes made") -> str:
    """Draw how many of its parts a run has done."""
    return f'<progress max="{total}" value="{done}" aria-label="{what}"></progress> {done} of {total}'


def result(drawn: Result) -> str:
    """Draw the changes that a run could not make, and why."""
    return result_page(drawn) if drawn.failed else ""
