"""Say which Clio to go to: an app in one of the four regions, or a sandbox that runs on this machine."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import urlsplit

from ..errors import InvalidInput
from ..http import sandbox_control, sync_and_async
from ..http.hub import on_binder, redirect_uri_here
from ..models import UNSENDABLE, App
from ..secret import Secret, sendable
from ..urls import read_url
from ..vocabulary import LOOPBACK, Region
from .redirect_uri import way_back

SITE: Final = "CLIO_NB_SITE"  # in the environment: a region, or the address of a sandbox
CLIENT_ID: Final = "CLIO_CLIENT_ID"
CLIENT_SECRET: Final = "CLIO_CLIENT_SECRET"  # noqa: S105 -- a name
CONTROL_KEY: Final = "CLIO_NB_CONTROL_KEY"  # in the environment: what a sandbox in a network asks for


@sync_and_async.sync_function
async def connect(
    region: Region | str | None = None,
    *,
    client_id: str | None = None,
    client_secret: Secret | str | None = None,
    redirect_uri: str | None = None,
    control_key: Secret | str | None = None,
    on_public_machine: bool = False,
) -> App:
    """Return the app to sign users in with. Nothing is sent to Clio yet.

    Args:
        region: ``"us"``, ``"eu"``, ``"ca"`` or ``"au"``; or the address of a sandbox (``"http://127.0.0.1:8770"``, or
            the ``control_url`` of a further firm), which says the rest itself. Else the environment's ``CLIO_NB_SITE``.
        client_id: The app's key in Clio's developer portal. Else the environment's ``CLIO_CLIENT_ID_EU`` (the region's
            own), or ``CLIO_CLIENT_ID`` where no name of a region is set.
        client_secret: Its secret. Else, in the same way, the environment's ``CLIO_CLIENT_SECRET_EU`` or
            ``CLIO_CLIENT_SECRET``, which keeps it out of notebooks.
        redirect_uri: One that the app has registered. Else the one that suits this machine or hub.
        on_public_machine: On Binder, a public machine of somebody else's, a region is refused without it.
        control_key: What a sandbox on another machine was started with. Else the environment's ``CLIO_NB_CONTROL_KEY``.

    Returns:
        The app.

    Raises:
        errors.InvalidInput: An unknown region, a missing id or secret, another machine's address without its
            control key, a redirect URI that cannot be registered, or a region on Binder.
        errors.NetworkError: No sandbox answers at that address.

    Examples:
        >>> clio.connect("eu", client_id="my-key", client_secret="my-secret").origin
        'https://eu.app.clio.com'
    """
    text = str(region or os.environ.get(SITE, "")).strip()
    if "://" in text:
        return await _sandbox(text, _given(control_key, CONTROL_KEY, "control_key") or None)
    try:
        known = Region(text.lower())
    except ValueError:
        said = f"Unknown region {text[:40]!r}" if text else "No region given"
        raise InvalidInput(
            f"{said}. Use us, eu, ca or au, or the URL of a running sandbox (in a terminal: --site URL, or {SITE}).",
            field="region",
        ) from None
    app_id = _given(client_id, name_of(CLIENT_ID, known), "client_id")
    client_secret = _given(client_secret, name_of(CLIENT_SECRET, known), "client_secret")
    for name, value, field in ((CLIENT_ID, app_id, "client_id"), (CLIENT_SECRET, client_secret, "client_secret")):
        if not value:
            raise InvalidInput(
                f"The app's {field} for region {known.value} is missing: an app belongs to one region. Take it from "
                f"Clio's developer portal there, and pass it or set {name_of(name, known)}.",
                field=field,
            )
    if on_binder() and not on_public_machine:
        raise InvalidInput(
            "This is Binder, a public machine: do not bring a firm's data or your app's secret here. "
            "Use clio.sandbox(), or connect from your own machine. (on_public_machine=True overrides this.)",
            field="on_public_machine",
        )
    redirect_uri = redirect_uri or redirect_uri_here(known)
    way_back(redirect_uri)
    return App(known, app_id.reveal(), client_secret, redirect_uri)


def _given(value: Secret | str | None, variable: str, field: str) -> Secret:
    """Return what was passed, or else stands in a variable, without the spaces and line breaks around it."""
    given = Secret(value or os.environ.get(variable, ""))
    kept = sendable(given)
    if kept is None:
        raise InvalidInput(UNSENDABLE.format(field if value else f"The variable {variable}"), field=field)
    return kept


def name_of(name: str, region: Region) -> str:
    """Return which variable of the environment counts in a region: its own, or the plain one where none has its own."""
    own = {f"{one}_{here.value.upper()}" for one in (CLIENT_ID, CLIENT_SECRET) for here in Region}
    return f"{name}_{region.value.upper()}" if any(map(os.environ.get, own)) else name


async def _sandbox(address: str, key: Secret | None) -> App:
    if isinstance(problem := read_url(address), str):
        raise InvalidInput(f"Not the address of a sandbox, such as http://127.0.0.1:8770. {problem}", field="region")
    parts = urlsplit(address)
    if (parts.hostname or "").rstrip(".") in [region.host for region in Region]:
        raise InvalidInput("This is Clio itself: give a region (us, eu, ca or au), not an address.", field="region")
    if parts.hostname not in LOOPBACK and key is None:
        raise InvalidInput(
            "A sandbox on another machine needs its control key: pass control_key, or set CLIO_NB_CONTROL_KEY.",
            field="control_key",
        )
    origin = f"{parts.scheme}://{parts.netloc}"
    path = parts.path.rstrip("/") or "/control"
    said = await sandbox_control.describe(origin, path, key)
    return App(
        said.region,
        said.client_id,
        said.client_secret,
        said.redirect_uri,
        origin=origin,
        control_url=origin + path,
        control_key=key,
    )
