"""``clio-nb status``: who sees what in each location, and why somebody does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..terminal import frame_table, show, show_json
from .options import AsJson, Site, VaultAt, firm_at, read


def status(
    site: Site = None,
    vault: VaultAt = None,
    manifest: Annotated[Path | None, typer.Option(help="Compare with this manifest.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show who sees what in each location, and why somebody does not."""
    wanted = manifest and read(manifest)
    frame = firm_at(site, vault).coverage(wanted)
    if as_json:
        show_json(json.loads(frame.reset_index().to_json(orient="records")))
    else:
        if (frame["access"] == "signed in").all():
            frame = frame.drop(columns="access")
        show(frame_table(frame.astype("string").replace("– not wanted", "–")))
