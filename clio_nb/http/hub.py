"""How a browser reaches this kernel: on this machine, through a JupyterHub's proxy, on Binder, or not at all."""

from __future__ import annotations

import os
import sys
from typing import Final
from urllib.parse import urlsplit

from ..vocabulary import DEFAULT_REDIRECT_URI, HUB_PREFIX, LOOPBACK, Region, proxied
from .oauth import APPROVAL

_FAR: Final = (
    "SSH_CONNECTION", "CODESPACES", "COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE", "DATABRICKS_RUNTIME_VERSION",
    "DEEPNOTE_PROJECT_ID", "SAGEMAKER_INTERNAL_IMAGE_URI", "SAGEMAKER_APP_TYPE", "GITPOD_WORKSPACE_ID",
)  # fmt: skip
"""Set where the browser is on another machine than the kernel and no port leads back."""


def on_binder() -> bool:
    """Whether this is a Binder session: a public machine of somebody else's, gone after use."""
    return bool(os.environ.get("BINDER_LAUNCH_HOST") or os.environ.get("BINDER_REPO_URL"))


def redirect_uri_here(region: Region) -> str:
    """Return the redirect URI to register for logins from here.

    On this machine ``http://127.0.0.1:8765/callback``. On a JupyterHub one address for all its users, which leads
    through jupyter-server-proxy to the same port of whoever is signed in to the hub. On a far machine Clio's approval
    page, which shows a code to paste.
    """
    public, prefix = _public_origin(), os.environ.get(HUB_PREFIX, "")
    if public and prefix:
        here, base = urlsplit(DEFAULT_REDIRECT_URI), os.environ.get("JUPYTERHUB_BASE_URL", "/")
        return public + proxied(f"{base}hub/user-redirect", here.port or 80, here.path)
    return region.origin + APPROVAL if _is_far() else DEFAULT_REDIRECT_URI


def has_browser() -> bool:
    """Whether a program here can open a page in the person's browser."""
    if os.environ.get("BROWSER"):  # also set on far machines by editors that can open a page on the near one
        return True
    screen = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(screen) and not _is_far()


def _is_far() -> bool:
    return any(os.environ.get(name) for name in (HUB_PREFIX, *_FAR))


def public_url(port: int, path: str, origin: str = "") -> str:
    """Return the address at which a browser reaches a listener here. ``origin`` is the hub's, where it does not say."""
    prefix, origin = os.environ.get(HUB_PREFIX, ""), origin or _public_origin()
    if prefix and origin:
        return origin.rstrip("/") + proxied(prefix, port, path)
    return f"http://{LOOPBACK[0]}:{port}{path}"


def in_browser(url: str) -> str:
    """Return the address by which the browser reaches a page that is served on the kernel's machine.

    Under a JupyterHub (and Binder) that is a path through jupyter-server-proxy; elsewhere, the address itself.
    """
    prefix, parts = os.environ.get(HUB_PREFIX, ""), urlsplit(url)
    if not prefix or parts.hostname not in LOOPBACK or "/proxy/" in parts.path:
        return url
    return proxied(prefix, parts.port or 80, parts._replace(scheme="", netloc="").geturl())


def own_hosts(port: int, *further: str) -> frozenset[str]:
    """Return the Host headers of requests that are sent to a listener here by a name of this machine."""
    names = LOOPBACK[:2] if port == 80 else ()  # browsers leave out the port that HTTP has anyway
    return frozenset((*(f"{host}:{port}" for host in LOOPBACK[:2]), *names, *further))


def behind_hub() -> bool:
    """Whether the browser is on another machine, and a JupyterHub lets only its user in."""
    return bool(os.environ.get(HUB_PREFIX))


def _public_origin() -> str:
    parts = urlsplit(os.environ.get("JUPYTERHUB_PUBLIC_URL", ""))
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
