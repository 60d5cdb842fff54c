"""Plans and results as notebooks show them: what changes, field by field, and what was not done, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from .. import markup
from ..ledger.records import ActionFields, Kind
from ..models import visible
from ..vocabulary import Location
from .item import Item

if TYPE_CHECKING:
    from .apply.apply import Result
    from .plan.plan import Plan

ROWS_SHOWN: Final = 200
_MARKS: Final = {Kind.CREATE: "+", Kind.UPDATE: "~", Kind.DELETE: "−", Kind.BLOCKED: markup.MARKS[False]}
_RESOURCES: Final = {location.value: location.resource for location in Location}


def plan_page(plan: Plan) -> str:
    """Draw what a plan would change, field by field, and what it cannot, with what to do about it."""
    items = [item for item in plan.items if item.kind is not Kind.OK]
    rows = (
        (
            f"{_MARKS.get(item.kind, '')} {item.kind.value}",
            _text(item.user or item.user_id),
            _text(_RESOURCES.get(item.location or "", item.location or "")),
            _change(item),
        )
        for item in items[:ROWS_SHOWN]
    )
    return _page(str(plan), plan.notes, ("change", "user", "location", "what"), rows, len(items))


def result_page(result: Result) -> str:
    """Draw how a run ended, with the changes that it could not make, and why."""
    rows = (
        (_text(one.outcome.value), _text(one.item.user or one.item.user_id), _text(one.message))
        for one in result.failed[:ROWS_SHOWN]
    )
    title = str(result)
    return _page(title[0].upper() + title[1:], result.notes, ("outcome", "user", "why"), rows, len(result.failed))


def _page(title: str, notes: Iterable[str], columns: Sequence[str], rows: Iterable[Sequence[str]], total: int) -> str:
    """Draw notes, and a table with the first of so many rows."""
    said = "".join(f"<div>{_text(note)}</div>" for note in notes)
    if not total:
        return f"{said}<div><strong>{_text(title)}</strong></div>"
    more = markup.muted(f"{total - ROWS_SHOWN} more rows.") if total > ROWS_SHOWN else ""
    return said + markup.table(visible(title), columns, rows) + more


def _change(item: Item) -> str:
    """Draw the fields of one item as they are and as they will be, or why it stays as it is."""
    if item.kind is Kind.UPDATE:
        return "<br>".join(f"{name}: {_old(old)} → {_new(new)}" for name, (old, new) in item.diff().items())
    if item.kind is Kind.CREATE and item.after:
        return f"{_new(item.after.label)} → {markup.code(visible(item.after.target_url or ''))}"
    label = (item.after or item.before or ActionFields(None, None, None)).label
    drawn = _old(label) if item.kind is Kind.DELETE else _new(label)
    return f"{drawn}: {_text('. '.join(part for part in (item.reason, item.advice) if part))}"


def _text(value: object) -> str:
    return markup.text(visible(str(value)))


def _old(value: str | None) -> str:
    return f"<del>{_text(value or '')}</del>"


def _new(value: str | None) -> str:
    return f'<ins style="text-decoration:none;font-weight:600">{_text(value or "")}</ins>'
