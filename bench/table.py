"""The table that all benches fill: one row for each figure, with the peer of the same run and the goal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Row:
    """One figure. ``met`` is None where there is no goal, only something to compare with.

    ``counted`` tells a count, which is the same on every machine, from a time.
    """

    bench: str
    work: str
    ours: str
    peer: str = "–"
    ratio: str = "–"
    goal: str = "–"
    met: bool | None = None
    counted: bool = False


HEAD: Final = Row("bench", "work", "clio_nb", "peer in the same run", "ratio", "goal")
_WIDTHS: Final = (8, 58, 16, 36, 8, 16)


def line(row: Row) -> str:
    """Return a row as a line of Markdown."""
    cells = (row.bench, row.work, row.ours, row.peer, row.ratio, row.goal)
    padded = (cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True))
    mark = "met" if row is HEAD else {True: "yes", False: "no", None: ""}[row.met]
    return f"| {' | '.join(padded)} | {mark:3} |"


def rule() -> str:
    """Return the line between head and rows."""
    return "|" + "|".join("-" * (width + 2) for width in (*_WIDTHS, 3)) + "|"


def at_most(bench: str, work: str, ours: str, peer: str, ratio: float, goal: float) -> Row:
    """Return the row of a ratio that should not be more than its goal."""
    return Row(bench, work, ours, peer, f"{ratio:.2f} x", f"≤ {goal:.2f} x", ratio <= goal)


def compared(bench: str, work: str, ours: str, peer: str, ratio: float) -> Row:
    """Return the row of a ratio without a goal."""
    return Row(bench, work, ours, peer, f"{ratio:.2f} x")


def exactly(bench: str, work: str, counted: int, expected: int, unit: str) -> Row:
    """Return the row of a count that should be right."""
    return Row(bench, work, f"{counted} {unit}", goal=f"{expected} {unit}", met=counted == expected, counted=True)
