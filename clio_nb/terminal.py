"""What people see in a terminal: the one module that writes there, and how reports and tables look.

All text is text: no markup out of data, control and direction characters spelled out, and what the console's encoding
cannot show in plain characters.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import logging
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .models import visible

if TYPE_CHECKING:
    import pandas as pd

    from .launches import LaunchReport

_PLAIN: Final = {"✓": "+", "✗": "x", "·": "-", "–": "-", "…": "...", "’": "'", "“": '"', "”": '"', "\ufffd": "?"}


def show(*parts: str | Text | Table, style: str = "", err: bool = False) -> None:
    """Print parts on one line, or a table below; ``style`` is for those that are plain strings."""
    one_line = not any(isinstance(part, Table) for part in parts)
    shown = (text(part, style) if isinstance(part, str) else part for part in parts)
    _console(err=err).print(*shown, soft_wrap=one_line)


def show_json(data: object, *, indent: int | None = None) -> None:
    """Print data as JSON in ASCII."""
    file = _console().file
    file.write(json.dumps(data, indent=indent).replace("\x7f", "\\u007f") + "\n")
    file.flush()


def text(value: object, style: str = "") -> Text:
    """Return a text for :func:`show`, with what the console cannot show replaced before it is laid out."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return Text(visible(str(value)).encode(encoding, "clio_nb.plain").decode(encoding), style)


def lines(*texts: Text) -> Text:
    """Return texts as one, each on a line of its own."""
    return Text("\n").join(texts)


def table(rows: Iterable[Iterable[object]], header: Iterable[str] = (), title: str | None = None) -> Table:
    """Return rows as a table; cells that are no :func:`text` yet become one."""
    made = Table(
        *header,
        title=title,
        title_justify="left",
        box=None,
        show_header=bool(header),
        padding=(0, 1),
        header_style="bold",
    )
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else text(cell) for cell in row))
    for column in made.columns:
        column.overflow = "fold"
    return made


def report_table(report: LaunchReport) -> Table:
    """Return the parts of a launch URL, each with its meaning below it."""
    return table((part.name, lines(text(part.value), text(part.meaning, "dim"))) for part in report.parts)


def frame_table(frame: pd.DataFrame) -> Table:
    """Return a DataFrame as a table, numbers to the right; ``ui_reference`` values without their ``/show``."""
    made = table(([_short(cell) for cell in row] for row in frame.itertuples(index=False)), map(_short, frame.columns))
    for column, dtype in zip(made.columns, frame.dtypes, strict=True):
        column.justify = "right" if getattr(dtype, "kind", "O") in "iuf" else "left"
    return made


def _short(cell: object) -> str:
    return str(cell).removesuffix("/show")


def prepare() -> None:
    """Let stdout and stderr show what their encoding cannot in plain characters, and show what the library logs."""
    logging.getLogger("clio_nb").addHandler(_LOG)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="clio_nb.plain")


class _Log(logging.Handler):
    """Shows warnings and errors that the library logs, as any other text. Events are for servers: commands say them."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "clio_nb.events":
            show(f"clio-nb: {record.getMessage()}", err=True)


_LOG: Final = _Log(logging.WARNING)


def columns() -> int:
    """Return the width of the terminal: as ``COLUMNS`` says, or the terminal itself; 80 where neither does."""
    said = os.environ.get("COLUMNS", "")
    width = int(said[:9]) if said.isascii() and said.isdigit() else 0
    for stream in (1, 2, 0):
        with contextlib.suppress(OSError):
            width = width or os.get_terminal_size(stream).columns
    return min(max(width or 80, 20), 1000)


def _console(*, err: bool = False) -> Console:
    prepare()
    return Console(stderr=err, highlight=False, width=columns(), height=25)  # with both, also where TERM is "dumb"


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    unknown = error.object[error.start : error.end]
    return "".join(_PLAIN.get(char) or char.encode("unicode_escape").decode() for char in unknown), error.end


codecs.register_error("clio_nb.plain", _plainly)
