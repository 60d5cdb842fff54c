"""What a redirect URI leads to, read as people register them: a listener on this machine, or only pasting."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, urlsplit

from .. import errors
from ..http import oauth
from ..http.hub import own_hosts
from ..http.network import is_here
from ..urls import read_url
from ..vocabulary import DEFAULT_REDIRECT_URI

_PROXIED: Final = re.compile(r"/proxy/(\d{1,5})(/.*)$")
_PASTE: Final = "Follow the link and paste the code, or the address that the browser ends up at, into finish()."


@dataclass(frozen=True, slots=True)
class WayBack:
    """The way back: the ``port`` and ``host`` to listen at, the ``path`` that comes there, the browser's ``hosts``.

    Without a port only pasting is possible, and ``why`` says so. Without hosts any is taken.
    """

    port: int | None = None
    host: str = "127.0.0.1"
    path: str = "/"
    hosts: frozenset[str] = frozenset()
    why: str = f"This redirect URI does not lead to this machine. {_PASTE}"


@lru_cache(maxsize=64)
def way_back(redirect_uri: str) -> WayBack:
    """Return the way back of a redirect URI. Raises :class:`errors.InvalidInput` for one that cannot be registered."""
    if problem := _problem(redirect_uri):
        raise errors.InvalidInput(
            f"{redirect_uri!r:.200} cannot be a redirect URI: {problem} Register, for one, {DEFAULT_REDIRECT_URI}",
            field="redirect_uri",
        )
    parts = urlsplit(redirect_uri)
    host, path = parts.hostname or "", unquote(parts.path) or "/"
    if parts.path == oauth.APPROVAL:  # Clio's own page, which shows the code
        return WayBack()
    if proxied := _PROXIED.search(parts.path):
        port = int(proxied[1])
        # a redirect URI that is only a path comes back through a hub whose name this kernel does not know
        return WayBack(port, path=unquote(proxied[2]), hosts=own_hosts(port) | {parts.netloc} if host else frozenset())
    if not is_here(host):
        return WayBack()
    if parts.scheme == "https":
        return WayBack(
            why=f"Nothing on this machine can answer https. Register http://{parts.netloc}, or paste. {_PASTE}"
        )
    return WayBack(port := parts.port or 80, host, path, own_hosts(port, parts.netloc.lower()))


def _problem(redirect_uri: str) -> str:
    if re.match(r"https?:", redirect_uri, re.IGNORECASE):
        if isinstance(wrong := read_url(redirect_uri), str):
            return wrong
    elif re.match(r"(?:localhost|[\d.]+|\[[\da-fA-F:.]+\])(?::\d*)?(?:/|\Z)", redirect_uri):
        return "It must begin with http://."
    return "It has a fragment (#), which OAuth forbids." if "#" in redirect_uri else ""
