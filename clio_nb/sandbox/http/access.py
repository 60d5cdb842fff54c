"""Who may ask: this machine, by a name of its own, and no foreign web page."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def hostname(host: str) -> str:
    """Return the name in a Host header, without the port; empty when it cannot be read."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_local(request: HTTPConnection) -> bool:
    """Whether a request comes from this machine, names it as its Host, and was not sent by a foreign web page."""
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    return (
        request.client is not None
        and is_loopback(request.client.host)
        and is_loopback(hostname(host))
        and (origin is None or origin in (f"http://{host}", f"https://{host}"))
        and request.headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    )
