"""Draw a firm's coverage, plans and results as HTML: one table each, whatever the number of users."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from .. import markup
from ..firm.apply.apply import Result
from ..firm.item import Item
from ..firm.plan.plan import Plan
from ..ledger.records import Kind
from ..models import NOT_WANTED, NOTHING
from ..tables import LOCATION_COLUMNS
from ..vocabulary import Location

if TYPE_CHECKING:
    import pandas as pd

ROWS_SHOWN: Final = 200
_MARKS: Final = {Kind.CREATE: "+", Kind.UPDATE: "~", Kind.DELETE: "−", Kind.BLOCKED: markup.MARKS[False]}


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
    """Draw what a plan would change, field by field, and its blocked items with what to do about them."""
    lines = [item for item in drawn.items if item.kind in _MARKS]
    kinds = ", ".join(f"{count} {kind}" for kind, count in drawn.counts().items()) or "nothing to change"
    rows = (
        (
            f"{_MARKS[item.kind]}&nbsp;{item.kind.value}",
            markup.text(item.user or item.user_id),
            markup.text(Location(item.location).resource if item.location in LOCATION_COLUMNS else item.location or ""),
            _change(item),
        )
        for item in lines[:ROWS_SHOWN]
    )
    notes = "".join(f"<div>{markup.text(note)}</div>" for note in drawn.notes)
    more = markup.muted(f"{len(lines) - ROWS_SHOWN} more items.") if len(lines) > ROWS_SHOWN else ""
    title = f"{drawn.purpose.capitalize()}: {kinds}"
    table = (
        markup.table(title, ("change", "user", "location", "what"), rows)
        if lines
        else f"<strong>{escape(title)}</strong>"
    )
    cost = markup.muted(f"{drawn.cost()}.")
    return f"{notes}{markup.scrolling(table, 'Plan')}{more}{cost}"


def _change(item: Item) -> str:
    """Draw the fields of one item as they are and as they will be."""
    if item.kind is Kind.BLOCKED:
        return markup.text(". ".join(part for part in (item.reason, item.advice) if part))
    if item.kind is Kind.UPDATE:
        fields = (f"{name}: {_gone(old)} → {_new(new)}" for name, (old, new) in item.diff().items())
        return "<br>".join(fields)
    if item.kind is Kind.DELETE and item.before:
        return f"{_gone(item.before.label)} {markup.text(item.reason)}"
    return f"{_new(item.after.label)} → {markup.code(item.after.target_url)}" if item.after else ""


def _gone(value: str | None) -> str:
    return f"<del>{markup.text(value or '')}</del>"


def _new(value: str | None) -> str:
    return f'<ins style="text-decoration:none;font-weight:600">{markup.text(value or "")}</ins>'


def progress(done: int, total: int) -> str:
    """Draw how many of its changes a run has made."""
    return f'<progress max="{total}" value="{done}" aria-label="Changes made"></progress> {done} of {total}'


def result(drawn: Result) -> str:
    """Draw the changes that a run could not make, and why."""
    rows = (
        (
            markup.text(line.outcome.value),
            markup.text(line.item.user or line.item.user_id),
            markup.text(line.message),
        )
        for line in drawn.failed[:ROWS_SHOWN]
    )
    return markup.table("Not done", ("outcome", "user", "why"), rows) if drawn.failed else ""
