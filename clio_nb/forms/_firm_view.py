"""Draw a firm's coverage, plans and results as HTML: one table each, whatever the number of users."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from ..firm.apply.apply import Result
from ..firm.item import Item, Kind
from ..firm.plan.plan import Plan
from ..models import NOT_WANTED, NOTHING
from ..tables import LOCATION_COLUMNS
from ..vocabulary import Location
from . import _markup

if TYPE_CHECKING:
    import pandas as pd

ROWS_SHOWN: Final = 200
_MARKS: Final = {Kind.CREATE: "+", Kind.UPDATE: "~", Kind.DELETE: "−", Kind.BLOCKED: "✗"}
_SOFT: Final = f'<td style="color:{_markup.MUTED}">'


def coverage(frame: pd.DataFrame, containing: str = "") -> str:
    """Draw a coverage table (see :func:`clio_nb.firm.tables.coverage_frame`), only the rows that contain a text."""
    wanted = containing.strip().casefold()
    columns = [frame["user"].astype(object), *(frame[place].astype(object) for place in LOCATION_COLUMNS)]
    rows = list(zip(*(column.array for column in columns), strict=True))
    if wanted:
        rows = [row for row in rows if wanted in "\n".join(map(str, row)).casefold()]
    head = "".join(f'<th scope="col">{location.resource}</th>' for location in Location)
    body = "".join(
        f'<tr><th scope="row"><bdi>{escape(str(user))}</bdi></th>{"".join(map(_cell, cells))}</tr>'
        for user, *cells in rows[:ROWS_SHOWN]
    )
    counted = f"{len(rows)} of {len(frame)} users" if wanted else f"{len(frame)} users"
    hidden = f"; the first {ROWS_SHOWN} are shown" if len(rows) > ROWS_SHOWN else ""
    caption = f"Who sees what: {counted}{hidden}"
    headers = f'<tr><th scope="col">user</th>{head}</tr>'
    drawn = f"<table><caption>{caption}</caption><thead>{headers}</thead><tbody>{body}</tbody></table>"
    return _markup.scrolling(drawn, "Coverage")


def _cell(seen: str) -> str:
    """Draw a cell: what the user sees there, or in the second colour, why nothing."""
    if seen == NOT_WANTED:
        return f"{_SOFT}–</td>"
    if seen.startswith(NOTHING):
        return f"{_SOFT}✗ {escape(seen.removeprefix(NOTHING))}</td>"
    return f"<td>✓ <bdi>{escape(seen)}</bdi></td>"


def plan(drawn: Plan) -> str:
    """Draw what a plan would change, field by field, and what it cannot do, with what to do about that."""
    lines = [item for item in drawn.items if item.kind in _MARKS]
    kinds = ", ".join(f"{count} {kind}" for kind, count in drawn.counts().items()) or "nothing to do"
    rows = (
        (
            f"{_MARKS[item.kind]}&nbsp;{item.kind.value}",
            _markup.text(item.user or item.user_id),
            _markup.text(
                Location(item.location).resource if item.location in LOCATION_COLUMNS else item.location or ""
            ),
            _change(item),
        )
        for item in lines[:ROWS_SHOWN]
    )
    notes = "".join(f"<div>{_markup.text(note)}</div>" for note in drawn.notes)
    more = _markup.muted(f"{len(lines) - ROWS_SHOWN} lines more.") if len(lines) > ROWS_SHOWN else ""
    title = f"{drawn.purpose.capitalize()}: {kinds}"
    table = (
        _markup.table(title, ("change", "user", "place", "what"), rows)
        if lines
        else f"<strong>{escape(title)}</strong>"
    )
    cost = _markup.muted(f"{drawn.cost()}.")
    return f"{notes}{_markup.scrolling(table, 'Plan')}{more}{cost}"


def _change(item: Item) -> str:
    """Draw the fields of one line as they are and as they will be."""
    if item.kind is Kind.BLOCKED:
        return _markup.text(". ".join(part for part in (item.reason, item.advice) if part))
    if item.kind is Kind.UPDATE:
        fields = (f"{name}: {_gone(old)} → {_new(new)}" for name, (old, new) in item.diff().items())
        return "<br>".join(fields)
    if item.kind is Kind.DELETE and item.before:
        return f"{_gone(item.before.label)} {_markup.text(item.reason)}"
    return f"{_new(item.after.label)} → {_markup.code(item.after.target_url)}" if item.after else ""


def _gone(value: str | None) -> str:
    return f"<del>{_markup.text(value or '')}</del>"


def _new(value: str | None) -> str:
    return f'<ins style="text-decoration:none;font-weight:600">{_markup.text(value or "")}</ins>'


def progress(done: int, total: int) -> str:
    """Draw how far a run has come."""
    return f'<progress max="{total}" value="{done}" aria-label="Lines done"></progress> {done} of {total}'


def result(drawn: Result) -> str:
    """Draw what a run could not do, and why."""
    rows = (
        (
            _markup.text(line.outcome.value),
            _markup.text(line.item.user or line.item.user_id),
            _markup.text(line.message),
        )
        for line in drawn.failed[:ROWS_SHOWN]
    )
    return _markup.table("Not done", ("what came of it", "user", "why"), rows) if drawn.failed else ""
