"""``clio-nb firms``: which firms a vault has."""

from __future__ import annotations

import json

from ..terminal import frame_table, show, show_json
from .options import AsJson, Regions, Site, VaultAt, firms_at


def firms(site: Site = None, vault: VaultAt = None, region: Regions = None, as_json: AsJson = False) -> None:
    """List the firms of the vault, with their people, tokens and last run. Clio is not asked."""
    frame = firms_at(site, vault, region).overview()
    if as_json:
        for row in json.loads(frame.to_json(orient="records", date_format="iso")):
            show_json(row)
        return
    known = frame["firm_id"].notna()
    frame.loc[known, "firm"] = frame["firm"] + " (" + frame["firm_id"].astype("string") + ")"
    frame["last_run_at"] = frame["last_run_at"].dt.strftime("%Y-%m-%d %H:%M")
    frame["finished"] = frame["finished"].map({True: "yes", False: "no"})
    columns = ["firm", "region", "people", "tokens", "usable", "last_run", "last_run_at", "finished"]
    show(frame_table(frame[columns].astype("string").fillna("")))
