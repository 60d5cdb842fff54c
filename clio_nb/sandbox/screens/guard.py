"""Who may use the screens: a person who reaches the sandbox by a name of its own, and no foreign web page."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from typing import Final

from starlette.requests import HTTPConnection

from ...vocabulary import HUB_PREFIX
from ..http.access import has_key, hostname, is_foreign, is_loopback
from ..world.state import State
from ..world.world import World


class Sorry(Exception):
    """The page that was asked for cannot be shown: a status, and a sentence for the person."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status: Final = status


_KEY: Final = secrets.token_bytes(32)


def refuse_strangers(request: HTTPConnection, world: World) -> None:
    """Raise :class:`Sorry` for a request from elsewhere.

    Pages may be reached by a link of another site, such as a notebook; what changes something may not. Where there is a
    control key, other machines may come too, by a name of the sandbox: what they do as a user harms nobody.
    """
    host = hostname(request.headers.get("host", ""))
    if world.control_key is None and (request.client is None or not is_loopback(request.client.host)):
        raise Sorry(403, "The screens of this sandbox are for the machine it runs on.")
    if not (is_loopback(host) or _in_hub(request) or (world.control_key is not None and host in world.names)):
        names = ", ".join(sorted({"127.0.0.1", "localhost"} | (world.names if world.control_key else set())))
        raise Sorry(403, f"The screens answer to these names only: {names}. Open them by one, or through a tunnel.")
    if is_foreign(request, link=request.scope["method"] != "POST"):
        raise Sorry(403, "This was sent by another web site. Open the sandbox itself, and try again there.")


def demand_key(request: HTTPConnection, world: World) -> None:
    """Raise 401 where there is a control key and the request does not carry it: the browser may ask for it then."""
    if world.control_key is not None and not has_key(request, world.control_key):
        raise Sorry(401, "This page steers the sandbox. Give the control key as the password; any name will do.")


def form_token(state: State) -> str:
    """Return the token that every form of a region carries. Only its own pages can read it."""
    return hmac.new(_KEY, state.app.origin.encode(), hashlib.sha256).hexdigest()


def is_own_form(state: State, fields: Mapping[str, str]) -> bool:
    """Whether a form came from a page of this sandbox."""
    return hmac.compare_digest(fields.get("form_token", "").encode(errors="replace"), form_token(state).encode())


def _in_hub(request: HTTPConnection) -> bool:
    """Whether a request came through JupyterHub, which has asked for a sign-in: there, loopback is nobody else's."""
    prefix = os.environ.get(HUB_PREFIX, "")
    return bool(prefix) and str(request.scope.get("root_path", "")).startswith(prefix)
