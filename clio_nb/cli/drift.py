"""``clio-nb drift``: what is not as it should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..terminal import frame_table, show, show_json
from .options import AllFirms, AsJson, FirmNamed, Regions, Site, VaultAt, firm_at, firms_at, one_or_all, read
from .plan import CHANGES, ERROR, NOTHING, show_report


def drift(
    site: Site = None,
    vault: VaultAt = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Compare with this manifest, and not with what was written last.")
    ] = None,
    firm: FirmNamed = None,
    all_firms: AllFirms = False,
    region: Regions = None,
    as_json: AsJson = False,
) -> None:
    """Show what is not as it should be: what was changed by hand since it was written, or differs from a manifest.

    Exit code 0 when everything is as it should be, 2 when something is not, 1 when it cannot be told.
    """
    one_or_all(firm, region, all_firms=all_firms)
    wanted = manifest and read(manifest)
    if all_firms:
        from ..http import loop  # noqa: PLC0415 -- an event loop, for this command only

        report = loop.run(firms_at(site, vault, region).aio.drift, wanted)
        show_report(report, as_json=as_json)
        raise typer.Exit(ERROR if report.failed else CHANGES if report.counts() else NOTHING)
    frame = firm_at(site, vault, firm, region).drift(wanted)
    if as_json:
        for row in json.loads(frame.to_json(orient="records")):
            show_json(row)
    elif len(frame):
        shown = frame[["kind", "user", "location", "label", "changes", "reason", "advice"]].astype("string").fillna("")
        show(frame_table(shown.loc[:, (shown != "").any()]))
    else:
        show("Everything is as it should be.")
    raise typer.Exit(CHANGES if len(frame) else NOTHING)
