"""Look at everything, in the order in which one thing needs the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from ..errors import ClioError
from ..firm.manifest import Manifest, read_manifest
from ..http import timeouts
from ..markup import counted
from ..models import Site
from ..vocabulary import Location
from . import app, machine, network, stores
from .check import NOT_CHECKED, Check, failed

PATIENCE: Final = 60.0  # seconds for everything that is asked of Clio


def examine(
    site_of: Callable[[], Site], where: Callable[[bool | None], str | Path | None], manifest: Path | None = None
) -> Iterator[Check]:
    """Give what is found, each thing as soon as it is known. Nothing is made or changed, here or at Clio.

    Args:
        site_of: Returns the app, or raises a :class:`ClioError` that says why there is none.
        where: Returns where the vault is, told whether it is of a sandbox; None where that is not known.
        manifest: A manifest to look at, too.
    """
    yield from machine.checks()
    try:
        site, no_site = site_of(), None
    except ClioError as error:
        site, no_site = None, failed(app.PART, "app", error)
    wanted, said = _manifest(manifest, site)
    with timeouts.timeout(PATIENCE):
        asked = [Check(network.PART, "Clio", None, f"{NOT_CHECKED}: it is not known which one.")]
        if site is not None:
            asked = list(network.checks(site))
        yield from asked
        reached = any(check.name == "Clio" and check.ok for check in asked)
        yield stores.keyring()
        found, keys = stores.key()
        yield found
        found, vault = stores.vault(where(None if site is None else site.control_url is not None), keys)
        yield found
        yield stores.ledger(vault)
        grant = None
        if site is not None and site.control_url is None:  # of a sandbox everyone is signed in by whoever needs it
            found, grant = stores.users(site, vault)
            yield found
        if no_site is not None:
            yield no_site
        if site is not None:
            yield from app.checks(site, reached=reached)
            if reached:
                yield from app.permissions(site, vault, grant, wanted)
    yield from said


def _manifest(path: Path | None, site: Site | None) -> tuple[set[Location], list[Check]]:
    """Read a manifest; return the locations that it names, and what is found."""
    if path is None:
        return set(), []
    part, name = "The manifest", path.name
    try:
        manifest = read_manifest(path)
    except ClioError as error:
        return set(), [failed(part, name, error)]
    wanted = {location for action in manifest.actions for location in action.ordered_locations}
    said = [Check(part, name, None, note) for note in _notes(manifest)]
    if site is not None and manifest.app.region not in (None, site.region):
        wrong = f"It is for region {manifest.app.region}, and the app is of region {site.region.value}."
        said.append(Check(part, name, False, wrong, "Set CLIO_NB_SITE, or correct region in the manifest."))
    if not manifest.actions:
        said.append(Check(part, name, None, "It names no action, so nobody would see any.", "Add [[actions]]."))
    right = Check(part, name, True, f"{counted(len(manifest.actions), 'action')}, nothing to correct.")
    return wanted, said or [right]


def _notes(manifest: Manifest) -> list[str]:
    """Return the findings of every profile, each once."""
    return list(dict.fromkeys(note for profile in (None, *manifest.profiles) for note in manifest.notes(profile)))
