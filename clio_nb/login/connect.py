"""Say which Clio to go to: an app in one of the four regions, or a sandbox that runs on this machine."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import urlsplit

import msgspec

from ..action_rules import read_url
from ..errors import InvalidInput, UnexpectedAnswer
from ..http import transport, twins
from ..http.hub import on_binder, redirect_uri_here
from ..models import App
from ..secret import Secret, reading
from ..vocabulary import LOOPBACK, Region

SITE: Final = "CLIO_NB_SITE"  # in the environment: a region, or the address of a sandbox


class _Description(msgspec.Struct):
    """What a sandbox says of itself: the first line of ``clio-nb sandbox --json``."""

    base_url: str
    client_id: str
    client_secret: Secret
    redirect_uri: str
    control_url: str
    region: Region = Region.US


@twins.sync_function
async def connect(
    region: Region | str | None = None,
    *,
    client_id: str | None = None,
    client_secret: Secret | str | None = None,
    redirect_uri: str | None = None,
    on_public_machine: bool = False,
) -> App:
    """Return the app to sign users in with. Nothing is sent to Clio yet.

    Args:
        region: ``"us"``, ``"eu"``, ``"ca"`` or ``"au"``; or the address of a sandbox that runs on this machine
            (``"http://127.0.0.1:8770"``), which says the rest itself. Else the environment's ``CLIO_NB_SITE``.
        client_id: The app's key in Clio's developer portal. Else the environment's ``CLIO_CLIENT_ID``.
        client_secret: Its secret. Else the environment's ``CLIO_CLIENT_SECRET``, which keeps it out of notebooks.
        redirect_uri: One that the app has registered. Else the one that suits this machine or hub.
        on_public_machine: On Binder, a public machine of somebody else's, a region is refused without it.

    Returns:
        The app.

    Raises:
        errors.InvalidInput: An unknown region, a missing id or secret, an address that is not this machine, or a region
            on Binder.
        errors.NetworkError: No sandbox answers at that address.

    Examples:
        >>> clio.connect("eu", client_id="my-key", client_secret="my-secret").origin
        'https://eu.app.clio.com'
    """
    text = str(region or os.environ.get(SITE, "")).strip()
    if "://" in text:
        return await _sandbox(text)
    try:
        known = Region(text.lower())
    except ValueError:
        said = f"Unknown region {text[:40]!r}" if text else "No region given"
        raise InvalidInput(
            f"{said}. Use us, eu, ca or au, or the URL of a running sandbox (in a terminal: --site URL, or {SITE}).",
            field="region",
        ) from None
    client_id = client_id or os.environ.get("CLIO_CLIENT_ID", "")
    client_secret = Secret(client_secret or os.environ.get("CLIO_CLIENT_SECRET", ""))
    for name, value in (("client_id", client_id), ("client_secret", client_secret)):
        if not value:
            raise InvalidInput(
                f"The app's {name} is missing. Take it from Clio's developer portal, and pass it or set "
                f"CLIO_{name.upper()}.",
                field=name,
            )
    if on_binder() and not on_public_machine:
        raise InvalidInput(
            "This is Binder, a public machine: do not bring a firm's data or your app's secret here. "
            "Use clio.sandbox(), or connect from your own machine. (on_public_machine=True overrides this.)",
            field="on_public_machine",
        )
    return App(known, client_id, client_secret, redirect_uri or redirect_uri_here(known))


async def _sandbox(address: str) -> App:
    if isinstance(read_url(address), str) or urlsplit(address).hostname not in LOOPBACK:
        raise InvalidInput(
            "An address is for a sandbox on this machine (http://127.0.0.1:PORT); for Clio itself give a region.",
            field="region",
        )
    parts = urlsplit(address)
    origin = f"{parts.scheme}://{parts.netloc}"
    raw = await transport.exchange("GET", f"{origin}/control", deadline=5.0)
    try:
        said = msgspec.json.decode(raw.body, type=_Description, dec_hook=reading)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnexpectedAnswer(
            f"What runs at {origin} is no clio-nb sandbox. Start one with: clio-nb sandbox", status=raw.status
        ) from None
    return App(
        said.region,
        said.client_id,
        said.client_secret,
        said.redirect_uri,
        origin=origin,
        control_url=f"{origin}/control",
    )
