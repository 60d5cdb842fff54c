"""``clio-nb status``: who sees what in each location, and why somebody does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..terminal import frame_table, show, show_json
from .options import AllFirms, AsJson, FirmNamed, Regions, Site, VaultAt, firm_at, firms_at, one_or_all, read
from .plan import show_report


def status(
    site: Site = None,
    vault: VaultAt = None,
    manifest: Annotated[Path | None, typer.Option(help="Compare with this manifest.")] = None,
    firm: FirmNamed = None,
    all_firms: AllFirms = False,
    region: Regions = None,
    as_json: AsJson = False,
) -> None:
    """Show who sees what in each location, and why somebody does not; of all firms, how many users see everything.

    Exit code 0; with --all-firms 1 when a firm could not be read.
    """
    one_or_all(firm, region, all_firms=all_firms)
    wanted = manifest and read(manifest)
    if all_firms:
        from ..http import loop  # noqa: PLC0415 -- an event loop, for this command only

        report = loop.run(firms_at(site, vault, region).aio.coverage, wanted)
        show_report(report, as_json=as_json)
        raise typer.Exit(1 if report.failed else 0)
    frame = firm_at(site, vault, firm, region).coverage(wanted)
    if as_json:
        show_json(json.loads(frame.reset_index().to_json(orient="records")))
    else:
        if (frame["access"] == "signed in").all():
            frame = frame.drop(columns="access")
        show(frame_table(frame.astype("string").replace("– not wanted", "–")))
