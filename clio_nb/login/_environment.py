"""Where this kernel runs, as far as it decides how a login can come back: this machine, a hub, Binder, or far away."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from ..http.oauth import APPROVAL
from ..models import DEFAULT_REDIRECT_URI
from ..vocabulary import Region

_FAR = ("SSH_CONNECTION", "CODESPACES", "COLAB_RELEASE_TAG")
"""Set where the browser is on another machine than the kernel and no port leads back."""


def on_binder(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a Binder session: a public machine of somebody else's, gone after use."""
    return bool(environ.get("BINDER_LAUNCH_HOST") or environ.get("BINDER_REPO_URL"))


def redirect_uri_here(region: Region, environ: Mapping[str, str] = os.environ) -> str:
    """Return the redirect URI to register for logins from here.

    On this machine ``http://127.0.0.1:8765/callback``. On a JupyterHub one address for all its users, which leads
    through jupyter-server-proxy to the same port of whoever is signed in to the hub. On a far machine Clio's approval
    page, which shows a code to paste.
    """
    public = urlsplit(environ.get("JUPYTERHUB_PUBLIC_URL", ""))
    prefix = environ.get("JUPYTERHUB_SERVICE_PREFIX", "")
    if public.netloc and prefix:
        base, here = environ.get("JUPYTERHUB_BASE_URL", "/"), urlsplit(DEFAULT_REDIRECT_URI)
        return f"{public.scheme}://{public.netloc}{base}hub/user-redirect/proxy/{here.port}{here.path}"
    if prefix or any(environ.get(name) for name in _FAR):
        return region.origin + APPROVAL
    return DEFAULT_REDIRECT_URI
