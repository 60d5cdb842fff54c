"""Draw the actions of those who are signed in: a table, what can be chosen, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from .. import markup
from ..action_rules import Finding
from ._action_lists import ActionLists, Row

if TYPE_CHECKING:
    import pandas as pd

ROWS_SHOWN: Final = 200


def cells(row: Row) -> tuple[str, ...]:
    """Return what the table shows of an action. The user comes last, and is left out where there is only one."""
    return (row.action.label or "", row.at, row.action.target_url or "", str(row.action.id), row.user.name or "")


def table(rows: list[Row], lists: ActionLists) -> str:
    """Draw these of all actions."""
    whole = len(lists.rows)
    shown = (
        markup.counted(whole, "action") if len(rows) == whole else f"{len(rows)} of {markup.counted(whole, 'action')}"
    )
    hidden = f"; the first {ROWS_SHOWN} are shown" if len(rows) > ROWS_SHOWN else ""
    read_at = f", read at {lists.read_at:%H:%M:%S}" if lists.read_at else ""
    if not whole:
        return markup.muted(f"No custom actions{read_at}.")
    columns = ("label", "location", "target URL", "id", *(["user"] if lists.users > 1 else []))
    drawn = ([_cell(*pair) for pair in zip(columns, cells(row), strict=False)] for row in rows[:ROWS_SHOWN])
    return markup.scrolling(markup.table(f"{shown}{read_at}{hidden}", columns, drawn), "My actions")


def titles(rows: Iterable[Row], lists: ActionLists) -> list[tuple[str, int]]:
    """Return what can be chosen, each with the id of the action."""
    named = lists.users > 1
    return [
        (f"{row.action.label} – {row.at}" + (f" – {row.user.name}" if named else ""), row.action.id) for row in rows
    ]


def problems(lists: ActionLists) -> str:
    """Draw whose actions could not be read, and why."""
    sentences = (f"{markup.MARKS[False]} {error} What is shown may be old." for error in lists.problems.values())
    return "".join(f"<div>{markup.text(sentence)}</div>" for sentence in sentences)


def hint(finding: Finding) -> str:
    """Draw what is wrong with a field."""
    return f"<div>{markup.MARKS[False] if finding.level == 'error' else '⚠'} {markup.text(finding.sentence)}</div>"


def frame(rows: Iterable[Row]) -> pd.DataFrame:
    """Return the actions as a table, with the columns of :func:`clio_nb.actions_table`."""
    from ..tables import actions_frame  # noqa: PLC0415 -- pandas loads when the first table is saved

    return actions_frame((row.user, row.action) for row in rows)


def _cell(column: str, cell: str) -> str:
    return markup.code(cell) if column == "target URL" else markup.text(cell)
