"""``clio-nb doctor``: is everything ready, and what to do if not."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from ..login.connect import SITE
from ..markup import counted
from ..terminal import lines, show, show_json, table, text
from .options import AsJson, Site, VaultAt, site_at, vault_at

if TYPE_CHECKING:
    from ..doctor.check import Check

NARROW: Final = 60  # columns below which a sentence goes under the name of what was looked at
_MARKS: Final = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("–", "yellow")}


def doctor(
    site: Site = None,
    vault: VaultAt = None,
    manifest: Annotated[Path | None, typer.Option(help="Look at this manifest, too.")] = None,
    as_json: AsJson = False,
) -> None:
    """See whether everything is ready: this machine, the network, keys and tokens, the app. Changes nothing.

    Exit code 0 when nothing is wrong, 1 when something has to be put right first.
    """
    from ..doctor.doctor import examine  # noqa: PLC0415 -- all rooms, for this command only

    def where(of_sandbox: bool | None) -> str | Path | None:
        at_an_address = "://" in (site or os.environ.get(SITE, ""))  # where it does not answer, that tells
        return vault_at(vault, of_sandbox=at_an_address if of_sandbox is None else of_sandbox)

    found = list(examine(lambda: site_at(site), where, manifest))
    wrong = [check for check in found if check.ok is False]
    if as_json:
        show_json({"ready": not wrong, "checks": msgspec.to_builtins(found)}, indent=2)
    else:
        _show(found)
        count = counted(len(wrong), "problem")
        names = ", ".join(check.name for check in wrong)
        said = f"Not ready: {count} ({names}). Begin with the first." if wrong else "Ready."
        show(table([[text(said, "bold")]]))
    raise typer.Exit(1 if wrong else 0)


def _show(found: list[Check]) -> None:
    """Print what was found, part by part; in a narrow terminal below its name instead of beside it."""
    narrow = shutil.get_terminal_size().columns < NARROW
    widest = max(len(check.name) for check in found)
    for part, checks in itertools.groupby(found, key=lambda check: check.part):
        rows = []
        for check in checks:
            mark, style = _MARKS[check.ok]
            name = text(check.name, style if check.ok is False else "")
            said = [text(check.sentence), *([text(check.fix, "bold")] if check.fix else [])]
            rows.append([text(mark, style), lines(name, *said)] if narrow else [text(mark, style), name, lines(*said)])
        made = table(rows)
        made.columns[-1].overflow = "fold"
        if not narrow:
            made.columns[1].min_width = widest
        show(part, style="bold")
        show(made)
        show()
