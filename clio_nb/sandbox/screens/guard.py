"""Who may use the screens: a person at this machine, or in a hub's own server, and no foreign web page."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from ...vocabulary import HUB_PREFIX
from ..server import is_loopback
from ..state import State


class Sorry(Exception):
    """The page that was asked for cannot be shown: a status, and a sentence for the person."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status: Final = status


_KEY: Final = secrets.token_bytes(32)


def refuse_strangers(request: HTTPConnection) -> None:
    """Raise :class:`Sorry` for a request from elsewhere.

    Pages may be reached by a link of another site, such as a notebook; what changes something may not.
    """
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    if request.client is None or not is_loopback(request.client.host):
        raise Sorry(403, "The screens of this sandbox are for the machine it runs on.")
    if not (is_loopback(_hostname(host)) or _in_hub(request)):
        raise Sorry(
            403, "The screens answer to 127.0.0.1 and localhost only. Open them by such a name, or through a tunnel."
        )
    sent_from = request.headers.get("sec-fetch-site", "none") if request.scope["method"] == "POST" else "none"
    if origin not in (None, f"http://{host}", f"https://{host}") or sent_from not in ("none", "same-origin"):
        raise Sorry(403, "This was sent by another web site. Open the sandbox itself, and try again there.")


def form_token(state: State) -> str:
    """Return the token that every form of a region carries. Only its own pages can read it."""
    return hmac.new(_KEY, state.origin.encode(), hashlib.sha256).hexdigest()


def is_own_form(state: State, fields: Mapping[str, str]) -> bool:
    """Whether a form came from a page of this sandbox."""
    return hmac.compare_digest(fields.get("form_token", "").encode(errors="replace"), form_token(state).encode())


def _in_hub(request: HTTPConnection) -> bool:
    """Whether a request came through JupyterHub, which has asked for a sign-in: there, loopback is nobody else's."""
    prefix = os.environ.get(HUB_PREFIX, "")
    return bool(prefix) and str(request.scope.get("root_path", "")).startswith(prefix)


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
