"""How reports and tables look in a terminal: rich renderables, with all text as text (no markup out of data)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import pandas as pd

    from .launch import LaunchReport


def report_table(report: LaunchReport) -> Table:
    """Return the parts of a launch URL, each with its meaning below it."""
    table = Table(box=None, show_header=False, padding=(0, 2))
    for part in report.parts:
        table.add_row(Text(part.name), Text(part.value).append(f"\n{part.meaning}", style="dim"))
    return table


def frame_table(frame: pd.DataFrame) -> Table:
    """Return a DataFrame as a table, numbers to the right; ``ui_reference`` values without their ``/show``."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for name, dtype in frame.dtypes.items():
        numeric = getattr(dtype, "kind", "O") in "iuf"
        table.add_column(_short(name), justify="right" if numeric else "left", overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(_short(cell)) for cell in row))
    return table


def _short(cell: object) -> str:
    return str(cell).removesuffix("/show")
